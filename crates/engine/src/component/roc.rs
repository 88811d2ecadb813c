//! `roc`: by how many percent the close differs from an earlier one.
//!
//! The reading's value is the change, its limit the threshold with the change's sign.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Roc;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Rate of change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RocComponent {
    role: Role,
    period: u32,
    threshold: f64,
    roc: Roc,
}

impl Behavior for RocComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "roc",
        family: Family::Momentum,
        title: "Rate of change",
        help: "The change of the close over a number of candles, in percent.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish while the price has risen by the threshold or more, bearish while it has fallen by as much.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass while the price has risen by the threshold or more, shorts while it has fallen by as \
                       much.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::integer(
                "period",
                "Period",
                "How many candles ago the other close lies.",
                candles(10, 1, 500),
            ),
            ParameterEntry::number(
                "threshold_pct",
                "Threshold",
                "Change from which on it counts.",
                decimals(Unit::Percent, ["1", "0", "100", "0.1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { role, period, threshold: parameters.float("threshold_pct"), roc: Roc::new(period) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(change) = self.roc.update(inputs.candle.floats.close) else { return Reading::WARMING_UP };
        let direction = if change.abs() >= self.threshold { sign(change) } else { Direction::Neutral };
        let limit = if change < 0.0 { -self.threshold } else { self.threshold };
        match self.role {
            Role::Signal => Reading::signal(direction, change, Some(limit)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => only_toward(direction, change, Some(limit)),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (period, threshold) = (parameters.integer("period"), parameters.number("threshold_pct"));
        let candles = if period == 1 { "candle".to_owned() } else { format!("{period} candles") };
        let by = if threshold.is_zero() { String::new() } else { format!(" by at least {threshold} %") };
        match role {
            Role::Signal => format!(
                "bullish while the close has risen{by} over the last {candles}, bearish while it has fallen{by}"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "lets longs pass while the close has risen{by} over the last {candles}, shorts while it has fallen{by}"
            ),
        }
    }
}
