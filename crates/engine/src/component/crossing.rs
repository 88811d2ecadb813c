//! When one line crosses another: the candle on which the sign of their difference changes.

use serde::{Deserialize, Serialize};

use crate::reading::Direction;

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
