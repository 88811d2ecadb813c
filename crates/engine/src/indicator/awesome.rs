//! Awesome oscillator: a fast minus a slow simple average of the candles' middles, in price units.
//!
//! `SMA(fast) − SMA(slow)` of `(high + low) / 2` (Bill Williams, New Trading Dimensions, 1998). First value with candle
//! `slow`.

use serde::{Deserialize, Serialize};

use super::Sma;
use crate::input::Ohlcv;

/// Each average is right to the last bit or the one before it, so a smaller difference than this part of the average
/// is rounding: zero. A difference of one tick is millions of times larger.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Awesome oscillator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Awesome {
    fast: Sma,
    slow: Sma,
}

impl Awesome {
    /// Averages over `fast` and `slow` candles.
    pub fn new(fast: u32, slow: u32) -> Self {
        Self { fast: Sma::new(fast), slow: Sma::new(slow) }
    }

    /// Takes in a candle; `None` until both averages exist.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let middle = f64::midpoint(candle.high, candle.low);
        let fast = self.fast.update(middle);
        let slow = self.slow.update(middle);
        let (fast, slow) = (fast?, slow?);
        let difference = fast - slow;
        Some(if difference.abs() > ROUNDING * slow { difference } else { 0.0 })
    }
}
