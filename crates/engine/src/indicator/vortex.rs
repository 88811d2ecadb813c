//! Vortex: how far highs reach beyond the previous lows against how far lows reach below the previous highs.
//!
//! VI+ = sum(|high − previous low|) / sum(TR), VI− = sum(|low − previous high|) / sum(TR) over the last `n` candles.
//! Etienne Botes and Douglas Siepman, Technical Analysis of Stocks & Commodities, January 2010; the same definition as
//! pandas-ta `vortex`. First value with candle `n + 1`. In a market that has not moved for `n` candles both are 0.

use serde::{Deserialize, Serialize};

use super::{RollingSum, TrueRange};
use crate::input::Ohlcv;

/// Both lines, around 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VortexValue {
    /// Upward movement (VI+).
    pub plus: f64,
    /// Downward movement (VI−).
    pub minus: f64,
}

/// Upward and downward movement over the last `n` candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vortex {
    range: TrueRange,
    previous: Option<(f64, f64)>,
    plus: RollingSum,
    minus: RollingSum,
    ranges: RollingSum,
}

impl Vortex {
    /// Over `period` candles.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        Self {
            range: TrueRange::default(),
            previous: None,
            plus: RollingSum::new(period),
            minus: RollingSum::new(period),
            ranges: RollingSum::new(period),
        }
    }

    /// Candles needed for the first value.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_add(1)
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<VortexValue> {
        let previous = self.previous.replace((candle.high, candle.low));
        let range = self.range.update(candle);
        let ((high, low), range) = (previous?, range?);
        let plus = self.plus.update((candle.high - low).abs());
        let minus = self.minus.update((candle.low - high).abs());
        let ranges = self.ranges.update(range)?;
        let share = |sum: f64| if ranges > 0.0 { sum / ranges } else { 0.0 };
        Some(VortexValue { plus: share(plus?), minus: share(minus?) })
    }
}
