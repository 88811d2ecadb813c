//! Donchian channel: highest high and lowest low of the last `n` candles, the newest included.
//!
//! Richard Donchian's four-week rule. Agrees with TA-Lib `DONCHIAN` and pandas-ta. A breakout is measured against
//! the channel of the candles *before* the newest; the component keeps that one.

use serde::{Deserialize, Serialize};

use super::{RollingHigh, RollingLow};
use crate::input::Ohlcv;

/// The channel's edges, in price units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Highest high.
    pub upper: f64,
    /// Lowest low.
    pub lower: f64,
}

impl Channel {
    /// Halfway between the edges.
    pub fn middle(self) -> f64 {
        f64::midpoint(self.upper, self.lower)
    }
}

/// A channel over the last `n` candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Donchian {
    high: RollingHigh,
    low: RollingLow,
}

impl Donchian {
    /// Over `period` candles.
    pub fn new(period: u32) -> Self {
        Self { high: RollingHigh::new(period), low: RollingLow::new(period) }
    }

    /// Takes in a candle; `None` for the first `period - 1`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<Channel> {
        let upper = self.high.update(candle.high);
        let lower = self.low.update(candle.low);
        Some(Channel { upper: upper?, lower: lower? })
    }
}
