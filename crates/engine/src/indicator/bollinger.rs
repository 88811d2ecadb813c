//! Bollinger bands: the mean of the last `n` closes plus and minus `k` population standard deviations.
//!
//! John Bollinger, Bollinger on Bollinger Bands, 2001 (he uses the population, not the sample, deviation). Agrees
//! with TA-Lib `BBANDS`. First value with the n-th close.

use serde::{Deserialize, Serialize};

use super::Deviation;

/// The three lines, in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// Mean plus `k` deviations.
    pub upper: f64,
    /// The mean.
    pub middle: f64,
    /// Mean minus `k` deviations.
    pub lower: f64,
}

/// Bands around a moving mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bollinger {
    multiple: f64,
    deviation: Deviation,
}

impl Bollinger {
    /// Bands over `period` closes at `multiple` deviations.
    pub fn new(period: u32, multiple: f64) -> Self {
        Self { multiple, deviation: Deviation::new(period) }
    }

    /// Takes in a close; `None` for the first `period - 1`.
    pub fn update(&mut self, close: f64) -> Option<Bands> {
        let spread = self.deviation.update(close)?;
        let width = self.multiple * spread.deviation;
        Some(Bands { upper: spread.mean + width, middle: spread.mean, lower: spread.mean - width })
    }
}
