//! Vortex: how far highs reach beyond the previous lows against how far lows reach below the previous highs.
//!
//! VI+ = sum(|high − previous low|) / sum(TR), VI− = sum(|low − previous high|) / sum(TR) over the last `n` candles.
//! Etienne Botes and Douglas Siepman, Technical Analysis of Stocks & Commodities, January 2010; the same definition as
//! pandas-ta `vortex`. First value with candle `n + 1`. In a market that has not moved for `n` candles both are 0.

use serde::{Deserialize, Serialize};

use super::window::RunningSum;
use super::{TrueRange, Window};
use crate::input::Ohlcv;

/// Both lines, around 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VortexValue {
    /// Upward movement (VI+).
    pub plus: f64,
    /// Downward movement (VI−).
    pub minus: f64,
}

/// The sum of the last `n` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MovingSum {
    window: Window,
    sum: RunningSum,
}

impl MovingSum {
    fn new(period: u32) -> Self {
        Self { window: Window::new(period), sum: RunningSum::default() }
    }

    fn push(&mut self, value: f64) -> f64 {
        if let Some(evicted) = self.window.push(value) {
            self.sum.add(-evicted);
        }
        self.sum.add(value);
        self.sum.total()
    }
}

/// Upward and downward movement over the last `n` candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vortex {
    period: u32,
    range: TrueRange,
    previous: Option<(f64, f64)>,
    plus: MovingSum,
    minus: MovingSum,
    ranges: MovingSum,
    /// Candles without any range since the last with one.
    still: u32,
}

impl Vortex {
    /// Over `period` candles.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        Self {
            period,
            range: TrueRange::default(),
            previous: None,
            plus: MovingSum::new(period),
            minus: MovingSum::new(period),
            ranges: MovingSum::new(period),
            still: 0,
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
        let plus = self.plus.push((candle.high - low).abs());
        let minus = self.minus.push((candle.low - high).abs());
        let ranges = self.ranges.push(range);
        self.still = if range > 0.0 { 0 } else { self.still.saturating_add(1) };
        if !self.ranges.window.is_full() {
            return None;
        }
        // The sum of nothing but zeros must not depend on what rounding has left in it.
        if self.still >= self.period || ranges <= 0.0 {
            return Some(VortexValue { plus: 0.0, minus: 0.0 });
        }
        Some(VortexValue { plus: plus / ranges, minus: minus / ranges })
    }
}
