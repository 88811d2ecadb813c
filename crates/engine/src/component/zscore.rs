//! `zscore`: how many standard deviations the close lies from its mean; trades the way back.
//!
//! The population deviation is used, as in Bollinger bands. The reading's value is the distance, its limit the one
//! that counts, with the distance's sign. A flat market lies at its mean.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Deviation;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Distance from the mean in deviations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zscore {
    period: u32,
    entry: f64,
    deviation: Deviation,
}

impl Behavior for Zscore {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "zscore",
        family: Family::Volatility,
        title: "Z-score",
        help: "The distance of the close from its moving mean, in standard deviations.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the close lies far enough below its mean, bearish while it lies as far above.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period",
        unit: Unit::Deviations,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Closes averaged.", candles(50, 2, 500)),
            ParameterEntry::number(
                "entry",
                "Distance",
                "Distance from the mean from which on it counts.",
                decimals(Unit::Deviations, ["2", "0.1", "10", "0.1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, entry: parameters.float("entry"), deviation: Deviation::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(spread) = self.deviation.update(inputs.candle.floats.close) else {
            return Reading::WARMING_UP;
        };
        let distance = spread.score();
        let far = distance.abs() >= self.entry;
        let direction = if far { sign(-distance) } else { Direction::Neutral };
        let limit = if distance < 0.0 { -self.entry } else { self.entry };
        Reading::signal(direction, distance, Some(limit))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, entry) = (parameters.integer("period"), parameters.number("entry"));
        format!(
            "bullish while the close is at least {entry} standard deviations below its {period}-candle mean, bearish while it is as far above"
        )
    }
}
