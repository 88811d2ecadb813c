//! `volume_spike`: a candle's volume against the average of the candles before it.
//!
//! The candle itself is not in the average, so that a spike does not raise its own measure. The reading's value is
//! the ratio, its limit the multiple compared with. A market whose average is zero has no volume at all: ratio 0.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Sma;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// Volume against its average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumeSpike {
    role: Role,
    period: u32,
    limit: f64,
    average: Sma,
    prior: Option<f64>,
}

impl Behavior for VolumeSpike {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "volume_spike",
        family: Family::Volume,
        title: "Volume spike",
        help: "A candle's volume as a multiple of the average volume of the candles before it.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "On a spike, the direction of the candle's body: bullish if it closed above its open, bearish below.",
            },
            RoleEntry { role: Role::Filter, help: "Lets entries pass only on a spike." },
            RoleEntry { role: Role::RiskGate, help: "Blocks entries while volume is too thin." },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Multiple,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles averaged.", candles(20, 2, 500)),
            ParameterEntry::number(
                "mult",
                "Spike from",
                "Multiple of the average from which on volume counts as a spike.",
                decimals(Unit::Multiple, ["2", "0.1", "50", "0.1"]),
            )
            .only_in(&[Role::Signal, Role::Filter]),
            ParameterEntry::number(
                "min_mult",
                "Thin below",
                "Multiple of the average below which volume counts as too thin.",
                decimals(Unit::Multiple, ["0.3", "0.01", "10", "0.05"]),
            )
            .only_in(&[Role::RiskGate]),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let limit = match role {
            Role::RiskGate => parameters.float("min_mult"),
            Role::Signal | Role::Filter | Role::EntryGuard => parameters.float("mult"),
        };
        let period = parameters.integer("period");
        Ok(Self { role, period, limit, average: Sma::new(period), prior: None })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let average = self.average.update(candle.volume);
        let Some(prior) = std::mem::replace(&mut self.prior, average) else { return Reading::WARMING_UP };
        let ratio = if prior > 0.0 { candle.volume / prior } else { 0.0 };
        let reached = ratio >= self.limit;
        match self.role {
            Role::Signal => {
                let direction = if reached { sign(candle.close - candle.open) } else { Direction::Neutral };
                Reading::signal(direction, ratio, Some(self.limit))
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                both_ways(if reached { Check::Pass } else { Check::Block }, ratio, Some(self.limit))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("period");
        let (mult, min_mult) = (parameters.number("mult"), parameters.number("min_mult"));
        match role {
            Role::Signal => format!(
                "takes the direction of a candle whose volume is at least {mult} times the average of the {period} before it"
            ),
            Role::Filter | Role::EntryGuard => format!(
                "lets entries pass on a candle whose volume is at least {mult} times the average of the {period} before it"
            ),
            Role::RiskGate => format!(
                "blocks entries on a candle whose volume is below {min_mult} times the average of the {period} before it"
            ),
        }
    }
}
