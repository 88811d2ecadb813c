//! Swing points: highs and lows that stand out among the candles on both sides, and the two newest of each.
//!
//! A swing high is a high that lies above the highs of the `n` candles before it and that none of the `n` candles after
//! it exceeds; of equal neighbors the first is the swing. Swing lows mirror that. A swing is known `n` candles later,
//! never earlier. (Bill Williams, Trading Chaos, 1995, calls it a fractal with n = 2.) Constant work per candle: a
//! candidate stands until it is beaten or has stood for `n` candles.

use serde::{Deserialize, Serialize};

use super::RollingHigh;
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

/// A high that may become a swing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Candidate {
    price: f64,
    stood_for: u32,
}

/// Finds swing highs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Peaks {
    pivot: u32,
    highest: RollingHigh,
    highest_before: Option<f64>,
    candidate: Option<Candidate>,
}

impl Peaks {
    fn new(pivot: u32) -> Self {
        Self { pivot, highest: RollingHigh::new(pivot), highest_before: None, candidate: None }
    }

    /// Takes in a number and gives the swing that it confirms, which is `pivot` numbers old.
    fn update(&mut self, price: f64) -> Option<f64> {
        let before = std::mem::replace(&mut self.highest_before, self.highest.update(price));
        if before.is_some_and(|highest| price > highest) {
            // Above all before it, an older candidate among them.
            self.candidate = Some(Candidate { price, stood_for: 0 });
            return None;
        }
        let candidate = self.candidate.as_mut()?;
        candidate.stood_for += 1;
        if candidate.stood_for < self.pivot {
            return None;
        }
        self.candidate.take().map(|swing| swing.price)
    }
}

/// Finds swing points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwingPoints {
    peaks: Peaks,
    /// Peaks of the market turned upside down.
    troughs: Peaks,
    highs: Swings,
    lows: Swings,
}

impl SwingPoints {
    /// Swings over `pivot` candles on each side; at least 1.
    pub fn new(pivot: u32) -> Self {
        let pivot = pivot.max(1);
        Self {
            peaks: Peaks::new(pivot),
            troughs: Peaks::new(pivot),
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
        if let Some(low) = self.troughs.update(-candle.low) {
            self.lows.push(-low);
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
