//! Aroon: how long ago the highest high and the lowest low of the last candles were.
//!
//! `100 * (n − candles since the extreme) / n` over `n + 1` candles: 100 when the newest candle made it, 0 when it is `n`
//! candles old; of equal extremes the newest counts. Tushar Chande, Technical Analysis of Stocks & Commodities,
//! September 1995. Agrees with TA-Lib `AROON`. First value with candle `n + 1`.

use serde::{Deserialize, Serialize};

use super::{RollingHigh, RollingLow};
use crate::input::Ohlcv;

/// Both lines, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AroonValue {
    /// Freshness of the highest high.
    pub up: f64,
    /// Freshness of the lowest low.
    pub down: f64,
}

/// Freshness of the extremes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aroon {
    period: u32,
    high: RollingHigh,
    low: RollingLow,
}

impl Aroon {
    /// Over `period` candles and the one before them.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        let candles = period.saturating_add(1);
        Self { period, high: RollingHigh::new(candles), low: RollingLow::new(candles) }
    }

    /// Candles needed for the first value.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_add(1)
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<AroonValue> {
        let high = self.high.update(candle.high);
        let low = self.low.update(candle.low);
        high.zip(low)?;
        let freshness =
            |age: u32| 100.0 * f64::from(self.period - age.min(self.period)) / f64::from(self.period);
        Some(AroonValue { up: freshness(self.high.age()), down: freshness(self.low.age()) })
    }
}
