//! Choppiness index: how much of its way the market wasted, 0 (straight) to 100 (on the spot).
//!
//! `100 * log(sum(TR, n) / (highest high − lowest low)) / log(n)` over the last `n` candles (E. W. Dreiss, 1993). First
//! value with candle `n + 1`, when `n` true ranges exist. A market without any range counts as 100. The logarithm is
//! our own, see `logarithm.rs`.

use serde::{Deserialize, Serialize};

use super::logarithm::log2;
use super::window::RunningSum;
use super::{Donchian, TrueRange, Window};
use crate::input::Ohlcv;

/// Choppiness index, 0 to 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choppiness {
    log_period: f64,
    range: TrueRange,
    ranges: Window,
    sum: RunningSum,
    channel: Donchian,
}

impl Choppiness {
    /// An index over `period` candles; at least 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self {
            log_period: log2(f64::from(period)),
            range: TrueRange::default(),
            ranges: Window::new(period),
            sum: RunningSum::default(),
            channel: Donchian::new(period),
        }
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let channel = self.channel.update(candle);
        let range = self.range.update(candle)?;
        if let Some(evicted) = self.ranges.push(range) {
            self.sum.add(-evicted);
        }
        self.sum.add(range);
        if !self.ranges.is_full() {
            return None;
        }
        let channel = channel?;
        let height = channel.upper - channel.lower;
        if height <= 0.0 {
            return Some(100.0);
        }
        // The way is never shorter than the height; rounding must not make the index negative.
        let ratio = (self.sum.total() / height).max(1.0);
        Some((100.0 * log2(ratio) / self.log_period).min(100.0))
    }
}
