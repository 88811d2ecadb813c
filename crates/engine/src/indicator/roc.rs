//! Rate of change: by how many percent a number differs from the one `n` before it.
//!
//! `100 * (x / x[n] − 1)`, agrees with TA-Lib `ROC`. First value with number `n + 1`. From a price of zero no percentage
//! can be taken: 0.

use serde::{Deserialize, Serialize};

use super::Window;

/// Change over `n` candles, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roc {
    window: Window,
}

impl Roc {
    /// Against the number `period` before.
    pub fn new(period: u32) -> Self {
        Self { window: Window::new(period) }
    }

    /// Takes in a number; `None` for the first `period`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let before = self.window.push(value)?;
        Some(if before > 0.0 { 100.0 * (value / before - 1.0) } else { 0.0 })
    }
}
