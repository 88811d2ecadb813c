//! Historical volatility: the standard deviation of the last `n` logarithmic returns, per year, in percent.
//!
//! `100 · sqrt(Σ (u − ū)² / (n − 1)) · sqrt(candles per year)` with `u = ln(close / previous close)` and 365 days to the year,
//! because crypto markets never close (John C. Hull, Options, Futures, and Other Derivatives, chapter 15). The logarithm
//! is our own. First value with candle `n + 1`.

use keyhold_domain::Timeframe;
use serde::{Deserialize, Serialize};

use super::Deviation;
use super::logarithm::log_return;

/// Realized volatility.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistVol {
    previous: Option<f64>,
    returns: Deviation,
    /// From the population deviation of one candle's return to the sample deviation of a year's, in percent.
    scale: f64,
}

/// Milliseconds in a year of 365 days.
const YEAR_MS: i64 = 365 * keyhold_domain::time::DAY_MS;

impl HistVol {
    /// Over `period` returns, at least 2.
    pub fn new(period: u32, timeframe: Timeframe) -> Self {
        let period = period.max(2);
        let count = f64::from(period);
        let per_year = f64::from(u32::try_from(YEAR_MS / timeframe.ms()).unwrap_or(u32::MAX));
        let scale = 100.0 * (count / (count - 1.0) * per_year).sqrt();
        Self { previous: None, returns: Deviation::new(period), scale }
    }

    /// Takes in a close; `None` for the first `period`.
    pub fn update(&mut self, close: f64) -> Option<f64> {
        let previous = self.previous.replace(close)?;
        let spread = self.returns.update(log_return(previous, close))?;
        Some(self.scale * spread.deviation)
    }
}
