//! `cmf`: the sign of Chaikin money flow, when it is large enough.
//!
//! The reading's value is the flow, its limit the threshold with the flow's sign.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Cmf;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Chaikin money flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CmfComponent {
    period: u32,
    threshold: f64,
    cmf: Cmf,
}

impl Behavior for CmfComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "cmf",
        family: Family::Volume,
        title: "Chaikin money flow",
        help: "Whether volume came with closes near the high (up to 1) or near the low (down to -1) of their candles.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish at or above the threshold, bearish at or below the same number below zero.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles added up.", candles(20, 2, 500)),
            ParameterEntry::number(
                "threshold",
                "Threshold",
                "Money flow from which on it counts; between 0 and 1.",
                decimals(Unit::None, ["0.05", "0", "0.99", "0.01"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, threshold: parameters.float("threshold"), cmf: Cmf::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(flow) = self.cmf.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let direction = if flow.abs() >= self.threshold { sign(flow) } else { Direction::Neutral };
        let limit = if flow < 0.0 { -self.threshold } else { self.threshold };
        Reading::signal(direction, flow, Some(limit))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, threshold) = (parameters.integer("period"), parameters.number("threshold"));
        if threshold.is_zero() {
            return format!(
                "bullish while Chaikin money flow over {period} candles is above zero, bearish while it is below"
            );
        }
        format!(
            "bullish while Chaikin money flow over {period} candles is at {threshold} or higher, bearish while it is at -{threshold} or lower"
        )
    }
}
