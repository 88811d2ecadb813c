//! The trading mind: templates, components, one pure step, positions, trades and reports.
//!
//! A candle becomes an order in [`step::step`]. The crate knows no clock, no network, no database and no venue;
//! live, paper, backtest and replay differ only in who feeds the events. Start reading at [`step`]; a whole bot is
//! stepped through [`bot::step_bot`].

pub mod action;
pub mod bot;
pub mod bucket;
pub mod catalog;
pub mod check;
pub mod combine;
pub mod component;
pub mod decision;
pub mod event;
pub mod exit_rule;
pub mod indicator;
pub mod input;
pub mod ledger;
pub mod limits;
pub mod market;
pub mod order;
pub mod plan;
pub mod position;
pub mod problem;
pub mod reading;
pub mod replan;
pub mod report;
pub mod session;
pub mod settings;
pub mod sizing;
pub mod state;
pub mod step;
pub mod system_templates;
pub mod template;
pub mod trade;
pub mod why;

pub use bot::{BotAction, BotEvent, BotPlan, BotState, step_bot};
pub use plan::{Ids, Plan};
pub use state::State;
pub use step::step;
