//! How values of other crates look in the API's description: words, documents, catalog pages, test results.
//!
//! These types only describe. Nothing makes, reads or sends one; what is sent is the other crate's own type, and a field
//! names its description with `#[schema(value_type = shape::...)]`. Words are taken from the types that have them, so that
//! they cannot differ. That the structures describe what is really sent is checked on every answer of the integration
//! tests (`tests/it/conform.rs`).

#![allow(dead_code, reason = "these types are read by the macro that describes them, and by nobody else")]

mod backtest;
mod catalog;
mod key;
mod settings;
mod template;
mod words;

pub(crate) use self::backtest::{BacktestResult, BacktestTrade, EquityPoint};
pub(crate) use self::catalog::{ComponentPage, ExitPage};
pub(crate) use self::key::{Instrument, Isolation, Verification};
pub(crate) use self::settings::Settings;
pub(crate) use self::template::Document;
pub(crate) use self::words::{
    BotStatus, CommandKind, CommandStatus, ContractType, Environment, Exchange, JobState, KeyCheckStep, Lack,
    Liquidity, ModeName, OrderOutcome, OrderPurpose, OrderStatus, Outcome, PassphraseNeed, Phase,
    PositionEffect, RegistrationState, SessionMethod, SetupState, Severity, Side, Site, StopPlace,
    TemplateKind, TimeInForce, Timeframe, TradeEnvironment, TriggerDirection, TriggerSource, Wish,
};
