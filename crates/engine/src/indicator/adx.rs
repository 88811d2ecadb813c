//! Directional movement: +DI, −DI and the average directional index after Wilder, as TA-Lib computes them.
//!
//! Per candle: up = high − previous high, down = previous low − low; +DM = up if up > down and up > 0, −DM likewise.
//! Wilder sums `s += x − s / n` of +DM, −DM and the true range start from the plain sums of the first `n − 1` values;
//! ±DI = 100 * sum(±DM) / sum(TR), first with candle `n + 1`; DX = 100 * |+DI − −DI| / (+DI + −DI); ADX is the mean
//! of the first `n` DX, then `(a * (n − 1) + dx) / n`, first with candle `2n`. J. Welles Wilder, New Concepts in
//! Technical Trading Systems, 1978.

use serde::{Deserialize, Serialize};

use super::TrueRange;
use crate::input::Ohlcv;

/// One candle's result, all 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdxValue {
    /// Strength of upward movement.
    pub plus_di: f64,
    /// Strength of downward movement.
    pub minus_di: f64,
    /// Strength of the trend in either direction; `None` for the first `n − 1` values.
    pub adx: Option<f64>,
}

/// Running sums of directional movement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Adx {
    period: u32,
    range: TrueRange,
    previous: Option<(f64, f64)>,
    changes: u32,
    plus: f64,
    minus: f64,
    total: f64,
    directions: u32,
    /// The sum of DX while seeding, the ADX afterwards.
    smoothed: f64,
}

impl Adx {
    /// An index over `period` candles; at least 2.
    pub fn new(period: u32) -> Self {
        Self {
            period: period.max(2),
            range: TrueRange::default(),
            previous: None,
            changes: 0,
            plus: 0.0,
            minus: 0.0,
            total: 0.0,
            directions: 0,
            smoothed: 0.0,
        }
    }

    /// Candles needed for the first ADX.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_mul(2)
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<AdxValue> {
        let range = self.range.update(candle);
        let previous = self.previous.replace((candle.high, candle.low));
        let (range, (high, low)) = (range?, previous?);
        let up = candle.high - high;
        let down = low - candle.low;
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        if self.changes < self.period - 1 {
            self.changes += 1;
            self.plus += plus;
            self.minus += minus;
            self.total += range;
            return None;
        }
        let count = f64::from(self.period);
        self.plus += plus - self.plus / count;
        self.minus += minus - self.minus / count;
        self.total += range - self.total / count;
        let share = |sum: f64| if self.total > 0.0 { 100.0 * sum / self.total } else { 0.0 };
        let (plus_di, minus_di) = (share(self.plus), share(self.minus));
        let adx = self.average(plus_di, minus_di);
        Some(AdxValue { plus_di, minus_di, adx })
    }

    fn average(&mut self, plus_di: f64, minus_di: f64) -> Option<f64> {
        let both = plus_di + minus_di;
        let dx = if both > 0.0 { 100.0 * (plus_di - minus_di).abs() / both } else { 0.0 };
        let count = f64::from(self.period);
        if self.directions >= self.period {
            self.smoothed = (self.smoothed * (count - 1.0) + dx) / count;
            return Some(self.smoothed);
        }
        self.directions += 1;
        self.smoothed += dx;
        if self.directions < self.period {
            return None;
        }
        self.smoothed /= count;
        Some(self.smoothed)
    }
}
