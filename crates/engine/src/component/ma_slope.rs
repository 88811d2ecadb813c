//! `ma_slope`: whether a moving average rises or falls steeply enough.
//!
//! The slope is the average's change over `lookback` candles in hundredths of a percent of its earlier value. The
//! reading's value is the slope, its limit the smallest that counts, with the slope's sign.

use serde::{Deserialize, Serialize};

use super::average::{self, Average};
use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Window;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Slope of a moving average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaSlope {
    role: Role,
    period: u32,
    lookback: u32,
    min_slope_bps: f64,
    average: Average,
    past: Window,
}

impl Behavior for MaSlope {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "ma_slope",
        family: Family::Trend,
        title: "Slope of a moving average",
        help: "How much a moving average has risen or fallen over some candles.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish while the average rises steeply enough, bearish while it falls so.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass while the average rises steeply enough, shorts while it falls so.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + lookback",
        unit: Unit::BasisPoints,
        parameters: &[
            average::TYPE,
            ParameterEntry::integer("period", "Period", "Length of the average.", candles(50, 2, 1000)),
            ParameterEntry::integer(
                "lookback",
                "Look back",
                "Candles over which the change is measured.",
                candles(5, 1, 200),
            ),
            ParameterEntry::number(
                "min_slope_bps",
                "Smallest slope",
                "Change over the look-back from which on a slope counts.",
                decimals(Unit::BasisPoints, ["5", "0", "10000", "1"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let lookback = parameters.integer("lookback");
        Ok(Self {
            role,
            period: parameters.integer("period"),
            lookback,
            min_slope_bps: parameters.float("min_slope_bps"),
            average: Average::from_parameters(parameters),
            past: Window::new(lookback),
        })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.period + self.lookback
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(average) = self.average.update(inputs.candle.floats.close) else {
            return Reading::WARMING_UP;
        };
        let Some(before) = self.past.push(average) else { return Reading::WARMING_UP };
        let slope = if before > 0.0 { 10_000.0 * (average - before) / before } else { 0.0 };
        let steep = slope.abs() >= self.min_slope_bps;
        let direction = if steep { sign(slope) } else { Direction::Neutral };
        let limit = if slope < 0.0 { -self.min_slope_bps } else { self.min_slope_bps };
        match self.role {
            Role::Signal => Reading::signal(direction, slope, Some(limit)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => only_toward(direction, slope, Some(limit)),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let risen = format!(
            "the {} has risen by at least {} basis points over {} candles",
            average::name(parameters),
            parameters.number("min_slope_bps"),
            parameters.integer("lookback")
        );
        match role {
            Role::Signal => format!("bullish while {risen}, bearish while it has fallen as much"),
            Role::Filter | Role::EntryGuard | Role::RiskGate => {
                format!("lets longs pass while {risen}, shorts while it has fallen as much")
            }
        }
    }
}
