//! The two newest swing highs and swing lows of the market: its [`super::PivotHigh`]s and [`super::PivotLow`]s.

use serde::{Deserialize, Serialize};

use super::{PivotHigh, PivotLow};
use crate::input::Ohlcv;

/// The two newest swings of one kind, in price units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Swings {
    /// The newest.
    pub newest: Option<f64>,
    /// The one before it.
    pub before: Option<f64>,
}

impl Swings {
    fn push(&mut self, price: f64) {
        self.before = self.newest.replace(price);
    }

    /// Both, newest first, once there are two.
    pub fn pair(self) -> Option<(f64, f64)> {
        self.newest.zip(self.before)
    }
}

/// Finds and keeps swing points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwingPoints {
    peaks: PivotHigh,
    troughs: PivotLow,
    highs: Swings,
    lows: Swings,
}

impl SwingPoints {
    /// Swings over `pivot` candles on each side; at least 1.
    pub fn new(pivot: u32) -> Self {
        Self {
            peaks: PivotHigh::new(pivot),
            troughs: PivotLow::new(pivot),
            highs: Swings::default(),
            lows: Swings::default(),
        }
    }

    /// Candles after which the first swing can be known.
    pub const fn warmup_candles(pivot: u32) -> u32 {
        pivot.saturating_mul(2).saturating_add(1)
    }

    /// Takes in a candle.
    pub fn update(&mut self, candle: &Ohlcv) {
        if let Some(high) = self.peaks.update(candle.high) {
            self.highs.push(high);
        }
        if let Some(low) = self.troughs.update(candle.low) {
            self.lows.push(low);
        }
    }

    /// The newest swing highs known.
    pub const fn highs(&self) -> Swings {
        self.highs
    }

    /// The newest swing lows known.
    pub const fn lows(&self) -> Swings {
        self.lows
    }
}
