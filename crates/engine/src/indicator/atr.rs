//! True range and its Wilder average.
//!
//! TR = max(high − low, |high − previous close|, |low − previous close|), not defined on the first candle;
//! ATR(n) = Wilder's average of TR, first value with candle `n + 1`. J. Welles Wilder, New Concepts in Technical
//! Trading Systems, 1978. Agrees with TA-Lib `TRANGE` and `ATR`.

use serde::{Deserialize, Serialize};

use super::Rma;
use crate::input::Ohlcv;

/// How far a candle moved, the gap before it included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TrueRange {
    previous_close: Option<f64>,
}

impl TrueRange {
    /// Takes in a candle; `None` for the first.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let previous = self.previous_close.replace(candle.close)?;
        let range = candle.high - candle.low;
        Some(range.max((candle.high - previous).abs()).max((candle.low - previous).abs()))
    }
}

/// Average true range, in price units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    range: TrueRange,
    average: Rma,
}

impl Atr {
    /// An average over `period` true ranges.
    pub fn new(period: u32) -> Self {
        Self { range: TrueRange::default(), average: Rma::new(period) }
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        self.average.update(self.range.update(candle)?)
    }

    /// Candles needed for the first value.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_add(1)
    }
}
