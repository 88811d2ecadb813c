//! `stochastic`: where the close lies in the range of the last candles; two lines that cross inside a zone.
//!
//! The reading's value is %K, its limit %D, the line it must cross.

use serde::{Deserialize, Serialize};

use super::crossing::ZoneCrossing;
use super::zone::Zones;
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::{Stochastic, StochasticPeriods};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// Stochastic oscillator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StochasticComponent {
    warmup_candles: u32,
    stochastic: Stochastic,
    crossing: ZoneCrossing,
}

impl Behavior for StochasticComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "stochastic",
        family: Family::Momentum,
        title: "Stochastic",
        help: "Where the close lies between the lowest low and the highest high of the last candles, 0 to 100: the line %K, \
               and its average %D.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on the candle on which %K crosses above %D while %D is in the low zone, bearish on the one on \
                   which it crosses below while %D is in the high zone.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + smooth + signal - 1",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of the range.", candles(14, 2, 200)),
            ParameterEntry::integer(
                "smooth",
                "Smoothing",
                "Values averaged into %K; 1 leaves them as they are.",
                candles(3, 1, 50),
            ),
            ParameterEntry::integer(
                "signal",
                "Signal line",
                "Values of %K averaged into %D.",
                candles(3, 2, 50),
            ),
            ParameterEntry::number(
                "low",
                "Low zone",
                "At or below it the market counts as oversold.",
                decimals(Unit::Points, ["20", "1", "50", "1"]),
            ),
            ParameterEntry::number(
                "high",
                "High zone",
                "At or above it the market counts as overbought.",
                decimals(Unit::Points, ["80", "50", "99", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let zones = Zones::from_parameters(parameters)?;
        let [range, smooth, signal] = ["period", "smooth", "signal"].map(|name| parameters.integer(name));
        Ok(Self {
            warmup_candles: range + smooth + signal - 1,
            stochastic: Stochastic::new(StochasticPeriods { range, smooth, signal }),
            crossing: ZoneCrossing::new(zones),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        self.crossing.reading(self.stochastic.update(&inputs.candle.floats))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let [period, smooth, signal] = ["period", "smooth", "signal"].map(|name| parameters.integer(name));
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        format!(
            "bullish on the candle on which %K of the stochastic({period}, {smooth}, {signal}) crosses above %D with %D at {low} or lower, bearish when it crosses below with %D at {high} or higher"
        )
    }
}
