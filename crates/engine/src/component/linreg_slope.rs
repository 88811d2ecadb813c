//! `linreg_slope`: the slope of the straight line through the last closes, if they lie close enough to it.
//!
//! The reading's value is R², the share of the closes' variance that the line explains; its limit the smallest that counts.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::LineFit;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Slope of the line of least squares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinregSlope {
    role: Role,
    period: u32,
    min_r2: f64,
    fit: LineFit,
}

impl Behavior for LinregSlope {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "linreg_slope",
        family: Family::Trend,
        title: "Slope of the regression line",
        help: "Whether the straight line of best fit through the last closes rises or falls, and how well it fits.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish while the line rises and fits well enough, bearish while it falls and does.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass while the line rises and fits well enough, shorts while it falls and does.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::integer(
                "period",
                "Period",
                "Closes through which the line goes.",
                candles(50, 3, 500),
            ),
            ParameterEntry::number(
                "min_r2",
                "Smallest fit",
                "R² from which on the line counts; it is 1 when all closes lie on it, 0 when it explains nothing.",
                decimals(Unit::None, ["0.5", "0.01", "0.99", "0.05"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { role, period, min_r2: parameters.float("min_r2"), fit: LineFit::new(period) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(line) = self.fit.update(inputs.candle.floats.close) else { return Reading::WARMING_UP };
        let fits = line.r_squared >= self.min_r2;
        let direction = if fits { sign(line.slope) } else { Direction::Neutral };
        match self.role {
            Role::Signal => Reading::signal(direction, line.r_squared, Some(self.min_r2)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                only_toward(direction, line.r_squared, Some(self.min_r2))
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (period, least) = (parameters.integer("period"), parameters.number("min_r2"));
        let line = format!("the regression line through the last {period} closes");
        match role {
            Role::Signal => {
                format!(
                    "bullish while {line} rises with an R² of at least {least}, bearish while it falls so"
                )
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "lets longs pass while {line} rises with an R² of at least {least}, shorts while it falls so"
            ),
        }
    }
}
