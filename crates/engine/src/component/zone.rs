//! The low and the high zone of an oscillator, and the candle on which it leaves one of them.

use serde::{Deserialize, Serialize};

use super::Parameters;
use crate::indicator::{Market, Measured};
use crate::problem::{Problem, code};
use crate::reading::Direction;

/// Where an oscillator counts as oversold and overbought: at or beyond these levels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Zones {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Zones {
    /// From the parameters `low` and `high`, of which the low one must be the lower.
    pub(super) fn from_parameters(parameters: &Parameters) -> Result<Self, Vec<Problem>> {
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        if low >= high {
            return Err(vec![Problem::new(
                "parameters.low",
                code::CONTRADICTION,
                format!("The low zone ({low}) does not lie below the high zone ({high})."),
                "Make low smaller than high.",
            )]);
        }
        Ok(Self { low: parameters.float("low"), high: parameters.float("high") })
    }

    /// The level on the value's side of `middle`: the one a reader compares with.
    pub(super) fn nearer(self, value: f64, middle: f64) -> f64 {
        if value < middle { self.low } else { self.high }
    }
}

/// Remembers where the oscillator was on the candle before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Leaving {
    previous: Option<f64>,
}

impl Leaving {
    /// Takes in a value; `None` for the first. Long: leaves the low zone upward. Short: leaves the high zone downward.
    pub(super) fn update(&mut self, value: f64, zones: Zones) -> Option<Direction> {
        let previous = self.previous.replace(value)?;
        Some(if previous <= zones.low && value > zones.low {
            Direction::Long
        } else if previous >= zones.high && value < zones.high {
            Direction::Short
        } else {
            Direction::Neutral
        })
    }

    /// The same of an oscillator that may have had nothing to measure: a market that comes to a stop leaves no zone.
    pub(super) fn measured(&mut self, measured: Measured, zones: Zones) -> Option<Direction> {
        let direction = self.update(measured.value, zones)?;
        Some(match measured.market {
            Market::Moving => direction,
            Market::Still => Direction::Neutral,
        })
    }
}
