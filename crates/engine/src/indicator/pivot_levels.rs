//! The swing highs and lows of the last `n` candles, in order of price.
//!
//! A level is a [`PivotHigh`] or [`PivotLow`]; it is known once its neighbors on the newer side have closed and forgotten
//! when its candle is `n` candles old. Two searches per candle, a move within a small row when a level comes or goes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{PivotHigh, PivotLow, SortedRow};
use crate::input::Ohlcv;

/// Support and resistance of the recent past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PivotLevels {
    lookback: u32,
    strength: u32,
    seen: u64,
    high: PivotHigh,
    low: PivotLow,
    /// Place of the candle and level, oldest first.
    levels: VecDeque<(u64, f64)>,
    row: SortedRow,
}

impl PivotLevels {
    /// Levels of the last `lookback` candles with `strength` neighbors on each side.
    pub fn new(lookback: u32, strength: u32) -> Self {
        let strength = strength.max(1);
        // Pivots of one kind lie more than `strength` candles apart.
        let room = 2 * (lookback / (strength + 1) + 1);
        Self {
            lookback,
            strength,
            seen: 0,
            high: PivotHigh::new(strength),
            low: PivotLow::new(strength),
            levels: VecDeque::with_capacity(usize::try_from(room).unwrap_or(0)),
            row: SortedRow::with_room(room),
        }
    }

    /// Candles after which the levels no longer depend on when the history began.
    pub const fn warmup_candles(&self) -> u32 {
        self.lookback.saturating_add(self.strength)
    }

    /// Takes in a candle; `false` before number [`Self::warmup_candles`].
    pub fn update(&mut self, candle: &Ohlcv) -> bool {
        let newest = self.seen;
        self.seen += 1;
        let found = [self.high.update(candle.high), self.low.update(candle.low)];
        for level in found.into_iter().flatten() {
            self.levels.push_back((newest.saturating_sub(self.strength.into()), level));
            self.row.insert(level);
        }
        while let Some(&(place, level)) = self.levels.front()
            && place + u64::from(self.lookback) <= newest
        {
            self.levels.pop_front();
            self.row.remove(level);
        }
        self.seen >= u64::from(self.warmup_candles())
    }

    /// The highest level at or below a price.
    pub fn at_or_below(&self, price: f64) -> Option<f64> {
        self.row.values()[..self.row.up_to(price)].last().copied()
    }

    /// The lowest level at or above a price.
    pub fn at_or_above(&self, price: f64) -> Option<f64> {
        self.row.values()[self.row.below(price)..].first().copied()
    }

    /// The lowest level above a price.
    pub fn above(&self, price: f64) -> Option<f64> {
        self.row.values()[self.row.up_to(price)..].first().copied()
    }

    /// The highest level below a price.
    pub fn below(&self, price: f64) -> Option<f64> {
        self.row.values()[..self.row.below(price)].last().copied()
    }
}
