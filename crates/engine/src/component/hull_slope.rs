//! `hull_slope`: whether Hull's moving average rises or falls.
//!
//! The reading's value is the average, its limit the average one candle before.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::Hull;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// Slope of Hull's average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HullSlope {
    period: u32,
    average: Hull,
    before: Option<f64>,
}

impl Behavior for HullSlope {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "hull_slope",
        family: Family::Trend,
        title: "Slope of the Hull average",
        help: "Whether Hull's moving average, smooth and almost without lag, rises or falls.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the average is higher than one candle before, bearish while it is lower.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + sqrt(period), the root rounded down",
        unit: Unit::Price,
        parameters: &[ParameterEntry::integer(
            "period",
            "Period",
            "Length of the average.",
            candles(55, 2, 500),
        )],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, average: Hull::new(period), before: None })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        Hull::warmup_candles(self.period) + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(average) = self.average.update(inputs.candle.floats.close) else {
            return Reading::WARMING_UP;
        };
        let Some(before) = self.before.replace(average) else { return Reading::WARMING_UP };
        Reading::signal(toward(before, average), average, Some(before))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("period");
        format!("bullish while the {period}-candle Hull average rises, bearish while it falls")
    }
}
