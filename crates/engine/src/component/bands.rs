//! What a close outside of two bands means: a return to come, or a move that goes on. Used by `bollinger` and `keltner`.

use serde::{Deserialize, Serialize};

use super::{Parameters, sign};
use crate::catalog::ParameterEntry;
use crate::indicator::Bands;
use crate::reading::{Direction, Reading};

/// The parameter that chooses.
pub(super) const MODE: ParameterEntry = ParameterEntry::choice(
    "mode",
    "Mode",
    "reversion expects a return to the mean, breakout a move that goes on.",
    &["reversion", "breakout"],
);

/// Against the move or with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Reversion,
    Breakout,
}

impl Mode {
    pub(super) fn from_parameters(parameters: &Parameters) -> Self {
        if parameters.choice(MODE.name) == "breakout" { Self::Breakout } else { Self::Reversion }
    }

    /// The direction of a price that lies so far from the middle, positive above it.
    pub(super) fn direction(self, distance: f64) -> Direction {
        match self {
            Self::Reversion => sign(-distance),
            Self::Breakout => sign(distance),
        }
    }

    /// The verdict on a close; the limit is the band on its side. On a band is not outside.
    pub(super) fn judge(self, close: f64, bands: &Bands) -> Reading {
        let band = if close >= bands.middle { bands.upper } else { bands.lower };
        let outside = close > bands.upper || close < bands.lower;
        let direction = if outside { self.direction(close - bands.middle) } else { Direction::Neutral };
        Reading::signal(direction, close, Some(band))
    }

    /// "bullish with a close below the lower of the bands named, ..."
    pub(super) fn sentence(self, bands: &str) -> String {
        let (first, second) = match self {
            Self::Reversion => ("below the lower", "above the upper"),
            Self::Breakout => ("above the upper", "below the lower"),
        };
        format!("bullish with a close {first} of the {bands}, bearish with one {second}")
    }
}
