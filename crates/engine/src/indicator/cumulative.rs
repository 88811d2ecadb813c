//! The slope of a running total over the last `n` numbers.
//!
//! The line of least squares through the `n` newest totals has the slope `sum((i - m) c_i) / sum((i - m)^2)`, with `c_i`
//! the totals and `m` the middle of their places `i`. Written in the numbers `d_j` that were added, `j` counted from 0
//! for the oldest, that is `6 / (n (n^2 - 1)) * sum(j (n - j) d_j)`: an average of them, heaviest in the middle. So no
//! total has to be kept, and none grows without bound. The three sums move on with every number in constant time and
//! are made afresh once per window, which bounds their rounding error.

use serde::{Deserialize, Serialize};

use super::Window;

/// Slope of the running total per number; an average of the numbers added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CumulativeSlope {
    period: u32,
    window: Window,
    /// Numbers taken in since the sums were made afresh.
    age: u32,
    /// Sums of `d`, `j d` and `j^2 d`.
    sums: [f64; 3],
}

impl CumulativeSlope {
    /// Over `period` numbers; fewer than 2 have no slope and count as 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self { period, window: Window::new(period), age: 0, sums: [0.0; 3] }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let oldest = self.window.push(value);
        if !self.window.is_full() {
            return None;
        }
        self.age += 1;
        match oldest {
            Some(oldest) if self.age < self.period => self.advance(oldest, value),
            Some(_) | None => self.renew(),
        }
        let count = f64::from(self.period);
        let [_, first, second] = self.sums;
        Some(6.0 / (count * (count * count - 1.0)) * (count * first - second))
    }

    /// Every number moves one place toward the oldest.
    fn advance(&mut self, oldest: f64, newest: f64) {
        let count = f64::from(self.period);
        let [plain, first, second] = self.sums;
        let plain = plain - oldest + newest;
        let with_newest = first + count * newest;
        self.sums = [plain, with_newest - plain, second + count * count * newest - 2.0 * with_newest + plain];
    }

    fn renew(&mut self) {
        self.age = 0;
        let (mut sums, mut place) = ([0.0; 3], 0.0);
        for value in self.window.in_time() {
            sums[0] += value;
            sums[1] += place * value;
            sums[2] += place * place * value;
            place += 1.0;
        }
        self.sums = sums;
    }
}
