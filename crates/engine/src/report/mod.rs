//! What a bot or a backtest has achieved: figures from completed trades and from the course of the equity.
//!
//! Pure functions of their inputs: the server shows live results with them, the backtest its own. Money is decimal,
//! ratios are floats. A figure that is not defined is `None`, never zero or infinite. Definitions: product
//! specification, section 9. Results of different settlement assets do not belong into one call.

use serde::{Deserialize, Serialize};

pub mod calendar;
pub mod digits;
pub mod equity;
pub mod execution;
pub mod figure;
pub mod signals;
pub mod text;
pub mod trades;

use keyhold_domain::exact::add;
use keyhold_domain::money::optional_decimal_text;
use keyhold_domain::{ContractType, Decimal};

pub use calendar::{HeatCell, Month};
pub use equity::{Course, CourseSummary, Drawdown, EquityPoint};
pub use execution::{Execution, ExecutionCounter};
pub use figure::{Better, Figure, Figures};
pub use signals::{SignalAnalysis, SignalAnalyst};
pub use trades::{Group, TradeStats};

use crate::trade::Trade;

/// All figures of one set of trades and one course of equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// From the trades.
    pub trades: TradeStats,
    /// From the equity.
    pub equity: CourseSummary,
    /// Net profit in percent of the starting equity.
    pub return_pct: Option<f64>,
    /// Net profit in quote currency, every trade of an inverse contract converted at its exit price. Not defined when
    /// an amount does not fit.
    #[serde(with = "optional_decimal_text", default)]
    pub net_quote: Option<Decimal>,
    /// The same trades by the reason they ended with.
    pub by_exit_reason: Vec<Group>,
    /// The same trades by side.
    pub by_side: Vec<Group>,
    /// The same trades by instrument.
    #[serde(default)]
    pub by_symbol: Vec<Group>,
    /// The same trades by the UTC hour of their entry.
    #[serde(default)]
    pub by_hour: Vec<Group>,
    /// The same trades by template and version.
    #[serde(default)]
    pub by_template: Vec<Group>,
    /// The same trades by weekday and hour of their entry.
    #[serde(default)]
    pub heat_map: Vec<HeatCell>,
}

impl Metrics {
    /// Puts the figures together. All trades settle in the asset of the equity; `contract_type` says what that is.
    pub fn new(trades: &[Trade], equity: CourseSummary, contract_type: ContractType) -> Self {
        let grouped = trades::Grouped::of(trades);
        let start = crate::input::decimal_to_f64(equity.start);
        let net = crate::input::decimal_to_f64(grouped.all.net);
        Self {
            return_pct: (start > 0.0).then(|| net / start * 100.0),
            net_quote: net_quote(trades, contract_type),
            by_exit_reason: grouped.by_exit_reason,
            by_side: grouped.by_side,
            by_symbol: grouped.by_symbol,
            by_hour: grouped.by_hour,
            by_template: grouped.by_template,
            heat_map: calendar::heat_map(trades),
            trades: grouped.all,
            equity,
        }
    }
}

/// What trades brought in quote currency.
fn net_quote(trades: &[Trade], contract_type: ContractType) -> Option<Decimal> {
    let mut sum = Decimal::ZERO;
    for trade in trades {
        let net = match contract_type {
            ContractType::Linear => trade.net,
            ContractType::Inverse => trade.net.checked_mul(trade.exit_price.get())?,
        };
        sum = add(sum, net)?;
    }
    Some(sum.round_dp(12))
}
