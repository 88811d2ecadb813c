//! Linearly weighted averages: the mean of the last `n` numbers with weights 1 (oldest) to `n` (newest), and Hull's.
//!
//! Agrees with TA-Lib `WMA`. Moved along in constant time (every number loses one weight when the next arrives) and
//! summed afresh every `n` numbers, so that rounding cannot pile up: off by less than `n * 1e-16` of the numbers.

use serde::{Deserialize, Serialize};

use super::Window;

/// Linearly weighted moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wma {
    period: u32,
    window: Window,
    sum: f64,
    weighted: f64,
    /// Numbers taken in since both sums were last made from the window.
    moved: u32,
}

impl Wma {
    /// An average over `period` numbers.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        Self { period, window: Window::new(period), sum: 0.0, weighted: 0.0, moved: 0 }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let count = f64::from(self.period);
        self.moved += 1;
        if let Some(evicted) = self.window.push(value) {
            self.weighted += count * value - self.sum;
            self.sum += value - evicted;
        } else if !self.window.is_full() {
            return None;
        }
        if self.moved == self.period {
            self.sum_afresh();
        }
        Some(self.weighted / (0.5 * count * (count + 1.0)))
    }

    /// After every `period` numbers the ring stands in the order of time.
    fn sum_afresh(&mut self) {
        (self.sum, self.weighted, self.moved) = (0.0, 0.0, 0);
        let mut weight = 0.0;
        for value in self.window.values() {
            weight += 1.0;
            self.sum += value;
            self.weighted += weight * value;
        }
    }
}

/// Hull's moving average: smooth, and almost without lag.
///
/// `WMA(2 * WMA(x, n / 2) − WMA(x, n), sqrt(n))` with `n / 2` and `sqrt(n)` rounded down, as TA-Lib and pandas-ta
/// have it. Alan Hull, 2005. First value with number `n + floor(sqrt(n)) − 1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hull {
    half: Wma,
    whole: Wma,
    smooth: Wma,
}

impl Hull {
    /// An average over `period` numbers; at least 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self { half: Wma::new(period / 2), whole: Wma::new(period), smooth: Wma::new(period.isqrt()) }
    }

    /// Numbers needed for the first value.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_add(period.isqrt()).saturating_sub(1)
    }

    /// Takes in a number.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        let half = self.half.update(value);
        let whole = self.whole.update(value)?;
        self.smooth.update(2.0 * half? - whole)
    }
}
