//! The end point of the least squares line through the last `n` numbers.
//!
//! Three times their linearly weighted average minus twice their plain one, which is the same line written without its
//! slope. Agrees with TA-Lib `LINREG`. First value with number `n`. Both sums move on in constant time and are
//! added up afresh each time the window has been replaced, so no rounding outlives `n` numbers.

use serde::{Deserialize, Serialize};

use super::Window;

/// Where the line of best fit has arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineEnd {
    count: f64,
    window: Window,
    /// Numbers since the sums were last added up.
    since: u32,
    period: u32,
    sum: f64,
    /// The oldest number counts once, the newest `n` times.
    weighted: f64,
}

impl LineEnd {
    /// A line through `period` numbers; at least 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self {
            count: f64::from(period),
            window: Window::new(period),
            since: 0,
            period,
            sum: 0.0,
            weighted: 0.0,
        }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let evicted = self.window.push(value).unwrap_or(0.0);
        self.since += 1;
        if self.since >= self.period {
            // The ring has just been filled to its end, so its order is that of time.
            self.since = 0;
            (self.sum, self.weighted) = (0.0, 0.0);
            let mut weight = 0.0;
            for value in self.window.values() {
                weight += 1.0;
                self.sum += value;
                self.weighted += weight * value;
            }
        } else {
            self.weighted += self.count * value - self.sum;
            self.sum += value - evicted;
        }
        if !self.window.is_full() {
            return None;
        }
        let plain = self.sum / self.count;
        let weighted = 2.0 * self.weighted / (self.count * (self.count + 1.0));
        Some(3.0 * weighted - 2.0 * plain)
    }
}
