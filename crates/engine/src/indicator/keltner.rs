//! Keltner channel: an exponential average of the closes plus and minus `k` average true ranges.
//!
//! Linda Bradford Raschke's form of Chester Keltner's channel (How to Make Money in Commodities, 1960): EMA of the
//! close, Wilder's ATR. TA-Lib and pandas-ta average the typical price or the plain range instead; the lines differ by
//! that. First value when both averages have one.

use serde::{Deserialize, Serialize};

use super::{Atr, Bands, Ema};
use crate::input::Ohlcv;

/// Bands of average true ranges around a moving average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Keltner {
    multiple: f64,
    middle: Ema,
    atr: Atr,
}

impl Keltner {
    /// A channel around the average of `period` closes, `multiple` ATRs of `atr_period` candles wide on each side.
    pub fn new(period: u32, atr_period: u32, multiple: f64) -> Self {
        Self { multiple, middle: Ema::new(period), atr: Atr::new(atr_period) }
    }

    /// Takes in a candle; `None` before number [`Self::warmup_candles`].
    pub fn update(&mut self, candle: &Ohlcv) -> Option<Bands> {
        let middle = self.middle.update(candle.close);
        let atr = self.atr.update(candle);
        let (middle, width) = (middle?, self.multiple * atr?);
        Some(Bands { upper: middle + width, middle, lower: middle - width })
    }

    /// Candles needed for the first value.
    pub fn warmup_candles(period: u32, atr_period: u32) -> u32 {
        period.max(Atr::warmup_candles(atr_period))
    }
}
