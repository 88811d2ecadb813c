//! Relative strength index after Wilder: `100 * g / (g + l)` with Wilder's averages of gains and losses.
//!
//! J. Welles Wilder, New Concepts in Technical Trading Systems, 1978. First value with number `n + 1`. A market that
//! has not moved at all reads 50, neither strong nor weak; TA-Lib gives 0 there.

use serde::{Deserialize, Serialize};

use super::Rma;

/// Relative strength index, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    previous: Option<f64>,
    gain: Rma,
    loss: Rma,
}

impl Rsi {
    /// An index over `period` changes.
    pub fn new(period: u32) -> Self {
        Self { previous: None, gain: Rma::new(period), loss: Rma::new(period) }
    }

    /// Takes in a close; `None` for the first `period`.
    pub fn update(&mut self, close: f64) -> Option<f64> {
        let previous = self.previous.replace(close)?;
        let change = close - previous;
        let gain = self.gain.update(change.max(0.0));
        let loss = self.loss.update((-change).max(0.0));
        let (gain, loss) = (gain?, loss?);
        let both = gain + loss;
        Some(if both > 0.0 { 100.0 * gain / both } else { 50.0 })
    }
}
