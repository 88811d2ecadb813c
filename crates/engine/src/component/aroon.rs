//! `aroon`: which extreme of the last candles is fresher, if fresh enough.
//!
//! The reading's value is the larger of the two lines, its limit the threshold.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Aroon;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Freshness of highs against lows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AroonComponent {
    period: u32,
    threshold: f64,
    aroon: Aroon,
}

impl Behavior for AroonComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "aroon",
        family: Family::Trend,
        title: "Aroon",
        help: "How long ago the highest high and the lowest low were: 100 for the newest candle, 0 for the oldest.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "The side of the fresher extreme (up or down) while its line is at the threshold or above.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer(
                "period",
                "Period",
                "How many candles back an extreme may lie.",
                candles(25, 2, 500),
            ),
            ParameterEntry::number(
                "threshold",
                "Threshold",
                "The freshness from which on a side counts.",
                decimals(Unit::Points, ["70", "0", "100", "5"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, threshold: parameters.float("threshold"), aroon: Aroon::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        Aroon::warmup_candles(self.period)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(lines) = self.aroon.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let stronger = lines.up.max(lines.down);
        let direction =
            if stronger >= self.threshold { sign(lines.up - lines.down) } else { Direction::Neutral };
        Reading::signal(direction, stronger, Some(self.threshold))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, threshold) = (parameters.integer("period"), parameters.number("threshold"));
        format!(
            "bullish while the highest high of the last {period} candles is fresher than the lowest low and its Aroon at least {threshold}, bearish the other way round"
        )
    }
}
