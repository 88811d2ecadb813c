//! Simple moving average: the mean of the last `n` numbers, the newest included.
//!
//! First value with the n-th number. Agrees with TA-Lib `SMA` and pandas `rolling(n).mean()`.

use serde::{Deserialize, Serialize};

use super::window::{RunningSum, Window};

/// Mean of the last `n` numbers, in constant time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sma {
    count: f64,
    window: Window,
    sum: RunningSum,
}

impl Sma {
    /// An average over `period` numbers.
    pub fn new(period: u32) -> Self {
        Self { count: f64::from(period.max(1)), window: Window::new(period), sum: RunningSum::default() }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if let Some(evicted) = self.window.push(value) {
            self.sum.add(-evicted);
        }
        self.sum.add(value);
        self.window.is_full().then(|| self.sum.total() / self.count)
    }
}
