//! How far a price may be expected to go from here: to a band, to the next level, or some average true ranges. Used by
//! `min_move` and `reward_risk`.

use serde::{Deserialize, Serialize};

use super::{Parameters, pivot_levels};
use crate::catalog::{ParameterEntry, Unit, candles, decimals};
use crate::indicator::{Atr, Bollinger, PivotLevels};
use crate::input::Ohlcv;
use crate::problem::Problem;

pub(super) const ATR_PERIOD: ParameterEntry =
    ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", candles(14, 2, 200))
        .only_if("target", "atr");
pub(super) const ATR_MULT: ParameterEntry = ParameterEntry::number(
    "atr_mult",
    "ATRs",
    "Average true ranges that a move is expected to make.",
    decimals(Unit::Multiple, ["1.5", "0.1", "50", "0.1"]),
)
.only_if("target", "atr");
pub(super) const BAND_PERIOD: ParameterEntry = ParameterEntry::integer(
    "band_period",
    "Band period",
    "Closes of the Bollinger bands.",
    candles(20, 2, 500),
)
.only_if("target", "band");
pub(super) const BAND_MULT: ParameterEntry = ParameterEntry::number(
    "band_mult",
    "Band width",
    "Distance of the bands from the mean.",
    decimals(Unit::Deviations, ["2", "0.1", "10", "0.1"]),
)
.only_if("target", "band");
pub(super) const LOOKBACK: ParameterEntry = pivot_levels::LOOKBACK.only_if("target", "level");
pub(super) const PIVOT: ParameterEntry = pivot_levels::PIVOT.only_if("target", "level");

/// Where moves are expected to end.
#[expect(
    clippy::large_enum_variant,
    reason = "one in a component: a pointer would cost more than the room it saves"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    Atr {
        multiple: f64,
        period: u32,
        atr: Atr,
    },
    /// The Bollinger band on the far side.
    Band {
        period: u32,
        bands: Bollinger,
    },
    /// The next swing high or low.
    Level(PivotLevels),
}

/// Distances from the close in price units. Negative when the target lies behind the price; `None` when nothing stands in
/// the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach {
    pub(super) long: Option<f64>,
    pub(super) short: Option<f64>,
}

impl Way {
    pub(super) fn atr(parameters: &Parameters) -> Self {
        let period = parameters.integer(ATR_PERIOD.name);
        Self::Atr { multiple: parameters.float(ATR_MULT.name), period, atr: Atr::new(period) }
    }

    pub(super) fn band(parameters: &Parameters) -> Self {
        let period = parameters.integer(BAND_PERIOD.name);
        Self::Band { period, bands: Bollinger::new(period, parameters.float(BAND_MULT.name)) }
    }

    pub(super) fn level(parameters: &Parameters) -> Result<Self, Vec<Problem>> {
        pivot_levels::levels(parameters).map(Self::Level)
    }

    pub(super) fn warmup_candles(&self) -> u32 {
        match self {
            Self::Atr { period, .. } => Atr::warmup_candles(*period),
            Self::Band { period, .. } => *period,
            Self::Level(levels) => levels.warmup_candles(),
        }
    }

    /// Takes in a candle; `None` before number [`Self::warmup_candles`].
    pub(super) fn update(&mut self, candle: &Ohlcv) -> Option<Reach> {
        let close = candle.close;
        match self {
            Self::Atr { multiple, atr, .. } => {
                let distance = Some(*multiple * atr.update(candle)?);
                Some(Reach { long: distance, short: distance })
            }
            Self::Band { bands, .. } => {
                let bands = bands.update(close)?;
                Some(Reach { long: Some(bands.upper - close), short: Some(close - bands.lower) })
            }
            Self::Level(levels) => levels.update(candle).then(|| Reach {
                long: levels.above(close).map(|level| level - close),
                short: levels.below(close).map(|level| close - level),
            }),
        }
    }
}

impl Reach {
    /// The shorter of both ways; `None` when both are open.
    pub(super) fn shorter(self) -> Option<f64> {
        match (self.long, self.short) {
            (Some(long), Some(short)) => Some(long.min(short)),
            (one, other) => one.or(other),
        }
    }
}

/// The words for a target chosen by the parameter `target`.
pub(super) fn name(parameters: &Parameters) -> String {
    match parameters.choice("target") {
        "atr" => {
            format!("{} ATR({})", parameters.number(ATR_MULT.name), parameters.integer(ATR_PERIOD.name))
        }
        "band" => format!(
            "the way to the far Bollinger band ({}, {})",
            parameters.integer(BAND_PERIOD.name),
            parameters.number(BAND_MULT.name)
        ),
        _ => format!(
            "the way to the next swing high or low of the last {} candles",
            parameters.integer(LOOKBACK.name)
        ),
    }
}
