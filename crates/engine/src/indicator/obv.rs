//! On-balance volume against its own average.
//!
//! On-balance volume adds a candle's volume when it closes above the candle before, subtracts it when below (Joseph
//! Granville, Granville's New Key to Stock Market Profits, 1963; TA-Lib `OBV`). Its level depends on where the count
//! began and means nothing; only its distance from its simple average is given. That distance needs no level: it is the
//! sum of the last `n - 1` changes, the newest weighing `n - 1`, the oldest 1, divided by `n`. Both running sums are
//! added up afresh from the window every `n - 1` candles, so that rounding cannot pile up.

use serde::{Deserialize, Serialize};

use super::Window;
use crate::input::Ohlcv;

/// On-balance volume minus its average, in units of volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObvDistance {
    period: f64,
    previous_close: Option<f64>,
    changes: Window,
    not_zero: u32,
    /// Changes taken in since the sums were last added up afresh.
    since_fresh: u32,
    plain: f64,
    weighted: f64,
}

impl ObvDistance {
    /// From the average of `period` candles; at least 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self {
            period: f64::from(period),
            previous_close: None,
            changes: Window::new(period - 1),
            not_zero: 0,
            since_fresh: 0,
            plain: 0.0,
            weighted: 0.0,
        }
    }

    /// Takes in a candle; `None` for the first `period - 1`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let previous = self.previous_close.replace(candle.close)?;
        let change = if candle.close > previous {
            candle.volume
        } else if candle.close < previous {
            -candle.volume
        } else {
            0.0
        };
        self.push(change);
        self.changes.is_full().then(|| self.weighted / self.period)
    }

    fn push(&mut self, change: f64) {
        // Every change in the window loses one of its weight; the one that falls out had none left.
        let evicted = self.changes.push(change).unwrap_or(0.0);
        self.weighted += (self.period - 1.0) * change - self.plain;
        self.plain += change - evicted;
        self.not_zero += u32::from(change != 0.0);
        self.not_zero -= u32::from(evicted != 0.0);
        self.since_fresh += 1;
        if self.not_zero == 0 {
            self.since_fresh = 0;
            (self.plain, self.weighted) = (0.0, 0.0);
        } else if f64::from(self.since_fresh) >= self.period - 1.0 {
            self.since_fresh = 0;
            self.add_up_afresh();
        }
    }

    fn add_up_afresh(&mut self) {
        (self.plain, self.weighted) = (0.0, 0.0);
        let mut weight = 0.0;
        for change in self.changes.in_time() {
            weight += 1.0;
            self.plain += change;
            self.weighted += weight * change;
        }
    }
}
