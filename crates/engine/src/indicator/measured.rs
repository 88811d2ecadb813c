//! An oscillator's value together with whether there was anything to measure.
//!
//! A place in a range of nothing, or a share of no volume, does not exist. Such a value is given as the middle of the
//! scale and marked, so that a market that stops trading is not taken for one that turns.

use serde::{Deserialize, Serialize};

/// Whether the market gave the oscillator anything to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Market {
    /// There was a range, or a flow.
    Moving,
    /// There was none in the whole window: the value is the middle of the scale.
    Still,
}

/// A value on a scale with a middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// In the oscillator's points.
    pub value: f64,
    /// Whether it means anything.
    pub market: Market,
}

impl Measured {
    /// A value that was measured.
    pub(crate) const fn moving(value: f64) -> Self {
        Self { value, market: Market::Moving }
    }

    /// Nothing to measure.
    pub(crate) const fn still(middle: f64) -> Self {
        Self { value: middle, market: Market::Still }
    }
}
