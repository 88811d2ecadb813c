//! What a backtest hands back. A document with a version, written as JSON; everything in it follows from the inputs.

use std::collections::BTreeMap;

use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{Asset, Decimal, Exchange, Instrument, Rate, ReasonCode, Symbol, Timeframe, Timestamp};
use keyhold_engine::report::{EquityPoint, Execution, Metrics, SignalAnalysis};
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;
use keyhold_engine::trade::Trade;
use serde::Serialize;

use super::spec::{Fills, LimitUse, Unsupported};

/// The version of the document.
pub(super) const REPORT_FORMAT: u32 = 2;

/// The result of a backtest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Format of the document.
    pub format: u32,
    /// What was assumed.
    pub assumptions: Assumptions,
    /// What a reader must know before believing it.
    pub findings: Vec<Finding>,
    /// Candles decided on.
    pub candles: u64,
    /// Candles used as history.
    pub warmup_candles: u64,
    /// Missing candles.
    pub gaps: Vec<Gap>,
    /// The figures.
    pub metrics: Metrics,
    /// How orders were executed.
    pub execution: Execution,
    /// What each component contributed; only when the run was analyzed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signals: Option<SignalAnalysis>,
    /// Wanted entries that were not made, by the first reason against them.
    pub rejected: BTreeMap<ReasonCode, u64>,
    /// Change of the price over the run in percent: what holding would have brought, leverage and costs apart. Of several
    /// instruments, the mean.
    pub buy_and_hold_pct: Option<f64>,
    /// Positions still open at the end. They are in the equity and in no trade.
    pub open_at_end: Vec<OpenAtEnd>,
    /// Every completed trade, in the order in which they ended.
    pub trades: Vec<Trade>,
    /// The equity, thinned to at most 2,049 points.
    pub equity: Vec<EquityPoint>,
}

/// What was assumed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumptions {
    /// The template's name.
    pub template: String,
    /// Its version.
    pub template_version: u32,
    /// The company whose instrument it is.
    pub exchange: Exchange,
    /// The instrument; the first of them when there are several.
    pub symbol: Symbol,
    /// The candle.
    pub timeframe: Timeframe,
    /// In which asset profit is counted.
    pub asset: Asset,
    /// Equity at the start.
    #[serde(with = "decimal_text")]
    pub start_equity: Decimal,
    /// Open time of the first candle decided on.
    pub from: Timestamp,
    /// Close time of the last candle.
    pub until: Timestamp,
    /// Leverage.
    #[serde(with = "decimal_text")]
    pub leverage: Decimal,
    /// Fee of resting orders.
    pub maker_fee: Rate,
    /// Fee of taking orders.
    pub taker_fee: Rate,
    /// How fills happen.
    pub fills: Fills,
    /// `off`, `constant` or `history`.
    pub funding: &'static str,
    /// Whether the settings' limits held.
    pub limits: LimitUse,
    /// What was done with components that need more than candles.
    pub unsupported: Unsupported,
    /// All instruments with their grids and fees.
    pub instruments: Vec<Instrument>,
    /// The template as it was run.
    pub template_document: Template,
    /// Sizing, leverage and limits as they were run.
    pub settings: BotSettings,
}

/// Something a reader must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable code: `BT_DATA_GAPS`, `BT_NO_TRADES`, `BT_COMPONENT_UNSUPPORTED`, `LIQUIDATED`,
    /// `BT_STOP_BEYOND_LIQUIDATION`.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

/// Missing candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The instrument.
    pub symbol: Symbol,
    /// Open time of the first missing candle.
    pub from: Timestamp,
    /// Open time of the first candle after them.
    pub until: Timestamp,
}

/// A position still open at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpenAtEnd {
    /// The instrument.
    pub symbol: Symbol,
    /// Signed size.
    pub size: keyhold_domain::SignedQuantity,
    /// Average entry price.
    pub entry: keyhold_domain::Price,
    /// When it was opened.
    pub since: Timestamp,
    /// Its profit at the last close, before costs.
    #[serde(with = "optional_decimal_text")]
    pub unrealized: Option<Decimal>,
}
