//! `adx_dmi`: how strong a trend is (ADX), and which side of it leads (+DI against −DI).
//!
//! The reading's value is the ADX, its limit the threshold.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Adx;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// Strength and side of a trend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdxDmi {
    role: Role,
    period: u32,
    threshold: f64,
    adx: Adx,
}

impl Behavior for AdxDmi {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "adx_dmi",
        family: Family::Trend,
        title: "ADX and directional movement",
        help: "Wilder's average directional index: how strong the trend is, whichever way it goes, 0 to 100.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "The side of the stronger directional movement (+DI or -DI) while the ADX is at the threshold or above.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets entries pass while the ADX is at the threshold or above.",
            },
            RoleEntry { role: Role::RiskGate, help: "Blocks entries while the ADX is below the threshold." },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "2 * period",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of Wilder's averages.", candles(14, 2, 200)),
            ParameterEntry::number(
                "threshold",
                "Threshold",
                "The ADX from which on the market counts as trending.",
                decimals(Unit::Points, ["25", "1", "99", "1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { role, period, threshold: parameters.float("threshold"), adx: Adx::new(period) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        Adx::warmup_candles(self.period)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(value) = self.adx.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let Some(adx) = value.adx else { return Reading::WARMING_UP };
        let trending = adx >= self.threshold;
        match self.role {
            Role::Signal => {
                let direction =
                    if trending { sign(value.plus_di - value.minus_di) } else { Direction::Neutral };
                Reading::signal(direction, adx, Some(self.threshold))
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                both_ways(if trending { Check::Pass } else { Check::Block }, adx, Some(self.threshold))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = format!("ADX({})", parameters.integer("period"));
        let threshold = parameters.number("threshold");
        match role {
            Role::Signal => format!(
                "takes the side of the stronger directional movement while {name} is at least {threshold}"
            ),
            Role::Filter | Role::EntryGuard => {
                format!("lets entries pass while {name} is at least {threshold}")
            }
            Role::RiskGate => format!("blocks entries while {name} is below {threshold}"),
        }
    }
}
