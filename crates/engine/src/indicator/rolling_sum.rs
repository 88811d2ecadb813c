//! The sum of the last `n` numbers, in constant time and exactly zero when all of them are zero.
//!
//! Added up with its rounding errors kept, see [`RunningSum`]. The numbers that are not zero are counted, so that a
//! stretch without volume ends in a true zero and not in what rounding left behind.

use serde::{Deserialize, Serialize};

use super::Window;
use super::window::RunningSum;

/// Sum of the last `n` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollingSum {
    window: Window,
    sum: RunningSum,
    not_zero: u32,
}

impl RollingSum {
    /// Over `period` numbers.
    pub fn new(period: u32) -> Self {
        Self { window: Window::new(period), sum: RunningSum::default(), not_zero: 0 }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if let Some(evicted) = self.window.push(value)
            && evicted != 0.0
        {
            self.sum.add(-evicted);
            self.not_zero -= 1;
        }
        if self.not_zero == 0 {
            self.sum = RunningSum::default();
        }
        if value != 0.0 {
            self.sum.add(value);
            self.not_zero += 1;
        }
        self.window.is_full().then(|| self.sum.total())
    }
}
