//! What a component says about one closed candle.

use serde::{Deserialize, Serialize};

/// The direction a signal component sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Bullish, +1.
    Long,
    /// Bearish, −1.
    Short,
    /// Neither, 0.
    Neutral,
}

impl Direction {
    /// +1, −1 or 0.
    pub const fn score(self) -> i8 {
        match self {
            Self::Long => 1,
            Self::Short => -1,
            Self::Neutral => 0,
        }
    }
}

/// Whether a filter, guard or gate lets an entry pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The entry may go on.
    Pass,
    /// The entry is blocked.
    Block,
}

/// A component's verdict on one closed candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Verdict {
    /// History is too short: a signal counts as neutral, a check as blocking, both with `WARMING_UP`.
    WarmingUp,
    /// The component needs data (funding, book, trades) that the feed does not give.
    NoData,
    /// From a component in the signal role.
    Signal {
        /// The direction it sees.
        direction: Direction,
    },
    /// From a component in the filter, guard or gate role, answered for both directions at once so that it does
    /// not matter which way the signals point.
    Check {
        /// May a long entry pass?
        long: Check,
        /// May a short entry pass?
        short: Check,
    },
}

/// A verdict with the number behind it, so that a person can see value against limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What the component says.
    pub verdict: Verdict,
    /// The number it looked at, in the unit its catalog entry names; `None` while warming up.
    pub value: Option<f64>,
    /// The limit it compared with, when there is one.
    pub limit: Option<f64>,
}

impl Reading {
    /// Not enough history yet.
    pub const WARMING_UP: Self = Self { verdict: Verdict::WarmingUp, value: None, limit: None };
    /// The feed lacks what the component needs.
    pub const NO_DATA: Self = Self { verdict: Verdict::NoData, value: None, limit: None };

    /// A direction with its number.
    pub const fn signal(direction: Direction, value: f64, limit: Option<f64>) -> Self {
        Self { verdict: Verdict::Signal { direction }, value: Some(value), limit }
    }

    /// A check with its number.
    pub const fn check(long: Check, short: Check, value: f64, limit: Option<f64>) -> Self {
        Self { verdict: Verdict::Check { long, short }, value: Some(value), limit }
    }
}
