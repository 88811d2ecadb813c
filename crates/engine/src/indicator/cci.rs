//! Commodity channel index: the typical price's distance from its mean, in mean absolute deviations of it.
//!
//! `(tp − mean) / (0.015 * mean(|tp − mean|))` with `tp = (high + low + close) / 3` (Donald Lambert, Commodities magazine,
//! October 1980). Agrees with TA-Lib `CCI`. The deviation is taken from the newest mean and so of all `n` numbers afresh
//! on every candle; no shorter way is known. With the newest number as origin a flat window gives exactly zero.

use serde::{Deserialize, Serialize};

use super::Window;
use crate::input::Ohlcv;

/// Lambert's scale: some 70 to 80 % of all values lie between −100 and 100.
const SCALE: f64 = 0.015;

/// Independent partial sums let the processor work on several numbers at once.
const LANES: usize = 4;

/// Commodity channel index; costs `n` steps per candle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cci {
    count: f64,
    window: Window,
}

impl Cci {
    /// An index over `period` candles.
    pub fn new(period: u32) -> Self {
        Self { count: f64::from(period.max(1)), window: Window::new(period) }
    }

    /// Takes in a candle; `None` for the first `period - 1`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let newest = (candle.high + candle.low + candle.close) / 3.0;
        self.window.push(newest);
        if !self.window.is_full() {
            return None;
        }
        let values = self.window.values();
        let mean_from_newest = sum_of(values, |value| value - newest) / self.count;
        let mean = newest + mean_from_newest;
        let deviation = sum_of(values, |value| (value - mean).abs()) / self.count;
        Some(if deviation > 0.0 { -mean_from_newest / (SCALE * deviation) } else { 0.0 })
    }
}

fn sum_of(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += of(*value);
        }
    }
    let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for value in rest {
        sum += of(*value);
    }
    sum
}
