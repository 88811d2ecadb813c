//! What a bot or a backtest has achieved: figures from completed trades and from the course of the equity.
//!
//! Pure functions of their inputs: the server shows live results with them, the backtest its own. Money is decimal,
//! ratios are floats. A figure that is not defined is `None`, never zero or infinite. Definitions: product
//! specification, section 9. Results of different settlement assets do not belong into one call.

use serde::{Deserialize, Serialize};

pub mod equity;
pub mod text;
pub mod trades;

pub use equity::{Course, CourseSummary, Drawdown, EquityPoint};
pub use trades::{Group, TradeStats};

/// All figures of one set of trades and one course of equity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// From the trades.
    pub trades: TradeStats,
    /// From the equity.
    pub equity: CourseSummary,
    /// Net profit in percent of the starting equity.
    pub return_pct: Option<f64>,
    /// The same trades by the reason they ended with.
    pub by_exit_reason: Vec<Group>,
    /// The same trades by side.
    pub by_side: Vec<Group>,
}

impl Metrics {
    /// Puts the figures together.
    pub fn new(trades: &[crate::trade::Trade], equity: CourseSummary) -> Self {
        let stats = TradeStats::of(trades.iter());
        let start = crate::input::decimal_to_f64(equity.start);
        let net = crate::input::decimal_to_f64(stats.net);
        Self {
            return_pct: (start > 0.0).then(|| net / start * 100.0),
            by_exit_reason: trades::by_exit_reason(trades),
            by_side: trades::by_side(trades),
            trades: stats,
            equity,
        }
    }
}
