//! When one line crosses another: the candle on which the sign of their difference changes.

use serde::{Deserialize, Serialize};

use super::zone::Zones;
use crate::indicator::{Market, StochasticValue};
use crate::reading::{Direction, Reading};

/// Remembers on which side the difference was. A touch (difference zero) is not yet a crossing; moving on to the other
/// side is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Crossing {
    previous: Option<f64>,
}

impl Crossing {
    /// Takes in a difference; `None` for the first. Long: was at or below zero and is above it. Short: the mirror.
    pub(super) fn update(&mut self, difference: f64) -> Option<Direction> {
        let previous = self.previous.replace(difference)?;
        Some(if previous <= 0.0 && difference > 0.0 {
            Direction::Long
        } else if previous >= 0.0 && difference < 0.0 {
            Direction::Short
        } else {
            Direction::Neutral
        })
    }
}

/// Two stochastic lines that cross: counts only while the slower one is in a zone on its side, and the market moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct ZoneCrossing {
    zones: Zones,
    crossing: Crossing,
}

impl ZoneCrossing {
    pub(super) fn new(zones: Zones) -> Self {
        Self { zones, crossing: Crossing::default() }
    }

    /// The reading of a signal: value %K, limit %D.
    pub(super) fn reading(&mut self, lines: Option<StochasticValue>) -> Reading {
        let Some(StochasticValue { k, d: Some(d), market }) = lines else { return Reading::WARMING_UP };
        let Some(crossed) = self.crossing.update(k - d) else { return Reading::WARMING_UP };
        let in_zone = match crossed {
            Direction::Long => d <= self.zones.low,
            Direction::Short => d >= self.zones.high,
            Direction::Neutral => true,
        };
        let counts = in_zone && market == Market::Moving;
        Reading::signal(if counts { crossed } else { Direction::Neutral }, k, Some(d))
    }
}
