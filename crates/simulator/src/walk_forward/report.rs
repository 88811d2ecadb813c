//! What a walk-forward hands back. A document with a version, written as JSON; everything in it follows from the inputs.

use keyhold_domain::money::decimal_text;
use keyhold_domain::{Asset, Decimal};
use keyhold_engine::report::{EquityPoint, Figures, Metrics};
use keyhold_engine::trade::Trade;
use serde::Serialize;

use super::windows::{Plan, Span};
use crate::sweep::{Combination, SweepDocument};

/// The version of the document.
pub(super) const WALK_FORWARD_FORMAT: u32 = 1;

/// The result of a walk-forward. Equal inputs give equal bytes, whatever the number of threads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkForwardReport {
    /// Format of the document.
    pub format: u32,
    /// The template's name.
    pub template: String,
    /// In which asset profit is counted.
    pub asset: Asset,
    /// How the candles were divided.
    pub plan: Plan,
    /// What was chosen from, and by what.
    pub sweep: SweepDocument,
    /// The windows in order.
    pub windows: Vec<Window>,
    /// Figures of all traded windows joined.
    pub metrics: Metrics,
    /// Growth per day of the traded windows over that of the windows chosen on: 1 means that the choice kept its promise.
    /// Not defined when the windows chosen on did not grow.
    pub efficiency: Option<f64>,
    /// Traded windows with a profit, in percent of those that were traded.
    pub profitable_windows_pct: Option<f64>,
    /// Positions that were open at the end of a window and valued at its last close.
    pub cut_positions: u64,
    /// Every trade of the traded windows.
    pub trades: Vec<Trade>,
    /// The joined equity, thinned to at most 2,049 points.
    pub equity: Vec<EquityPoint>,
}

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// What was chosen on.
    pub in_sample: Span,
    /// What was traded.
    pub out_of_sample: Span,
    /// The best combination; `None` when none could be ranked: then nothing was traded.
    pub chosen: Option<Combination>,
    /// Its figures where it was chosen.
    pub in_sample_figures: Option<Figures>,
    /// Its figures where it was traded.
    pub out_of_sample_figures: Option<Figures>,
    /// Equity at the end of the traded window.
    #[serde(with = "decimal_text")]
    pub equity: Decimal,
    /// Combinations that could not be run on the window.
    pub invalid: u64,
}
