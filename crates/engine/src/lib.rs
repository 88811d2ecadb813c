//! The trading mind: templates, components, one pure step, positions, trades and reports.
//!
//! A candle becomes an order in [`step`]. The crate knows no clock, no network, no database and no venue;
//! live, paper, backtest and replay differ only in who feeds the events.

pub mod catalog;
pub mod check;
pub mod component;
pub mod indicator;
pub mod input;
pub mod problem;
pub mod reading;
pub mod system_templates;
pub mod template;
