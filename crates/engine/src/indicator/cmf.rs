//! Chaikin money flow: volume weighted by where in its range each candle closed, −1 to 1.
//!
//! `sum(m * volume, n) / sum(volume, n)` with `m = ((close − low) − (high − close)) / (high − low)`, 0 for a candle without
//! range (Marc Chaikin). Agrees with TA-Lib `CMF` and pandas-ta. Without any volume it reads 0.

use serde::{Deserialize, Serialize};

use super::RollingSum;
use crate::input::Ohlcv;

/// Chaikin money flow, −1 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cmf {
    flow: RollingSum,
    volume: RollingSum,
}

impl Cmf {
    /// Over `period` candles.
    pub fn new(period: u32) -> Self {
        Self { flow: RollingSum::new(period), volume: RollingSum::new(period) }
    }

    /// Takes in a candle; `None` for the first `period - 1`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let range = candle.high - candle.low;
        let place = (candle.close - candle.low) - (candle.high - candle.close);
        let flow = self.flow.update(if range > 0.0 { place / range * candle.volume } else { 0.0 });
        let volume = self.volume.update(candle.volume);
        let (flow, volume) = (flow?, volume?);
        Some(if volume > 0.0 { flow / volume } else { 0.0 })
    }
}
