//! Pivots: lows (highs) that stand alone among the `n` candles before and the `n` candles after them.
//!
//! A low is a pivot when it is lower than each of the `n` lows before it and none of the `n` after it is lower; of equal
//! lows the first counts. It is known only `n` candles later, and told only then: nothing looks ahead. (The fractals of
//! Bill Williams, Trading Chaos, 1995, are pivots of strength 2.) Constant work per candle: a candidate stands until a
//! lower low beats it or it has stood for `n` candles.

use serde::{Deserialize, Serialize};

use super::RollingLow;

/// A low that may become a pivot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Candidate {
    low: f64,
    stood_for: u32,
}

/// Finds pivot lows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PivotLow {
    strength: u32,
    before: RollingLow,
    lowest_before: Option<f64>,
    candidate: Option<Candidate>,
}

impl PivotLow {
    /// Pivots that stand among `strength` candles on each side; at least 1.
    pub fn new(strength: u32) -> Self {
        let strength = strength.max(1);
        Self { strength, before: RollingLow::new(strength), lowest_before: None, candidate: None }
    }

    /// Takes in a low; gives the pivot that it confirms: the low of `strength` candles ago. Never on the first
    /// `2 * strength` candles.
    pub fn update(&mut self, low: f64) -> Option<f64> {
        let lowest_before = std::mem::replace(&mut self.lowest_before, self.before.update(low));
        if lowest_before.is_some_and(|lowest| low < lowest) {
            // Lower than all before it, an older candidate among them.
            self.candidate = Some(Candidate { low, stood_for: 0 });
            return None;
        }
        let candidate = self.candidate.as_mut()?;
        candidate.stood_for += 1;
        if candidate.stood_for < self.strength {
            return None;
        }
        self.candidate.take().map(|pivot| pivot.low)
    }
}

/// Finds pivot highs: the pivot lows of the market turned upside down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PivotHigh(PivotLow);

impl PivotHigh {
    /// Pivots that stand among `strength` candles on each side; at least 1.
    pub fn new(strength: u32) -> Self {
        Self(PivotLow::new(strength))
    }

    /// Takes in a high; gives the pivot that it confirms: the high of `strength` candles ago.
    pub fn update(&mut self, high: f64) -> Option<f64> {
        self.0.update(-high).map(|low| -low)
    }
}
