//! `obv_trend`: on-balance volume above or below its own average.
//!
//! The reading's value is the distance from the average in units of volume, its limit 0.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::ObvDistance;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// On-balance volume against its average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObvTrend {
    period: u32,
    distance: ObvDistance,
}

impl Behavior for ObvTrend {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "obv_trend",
        family: Family::Volume,
        title: "On-balance volume trend",
        help: "On-balance volume (the volume of rising candles minus that of falling ones) against its own average.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while on-balance volume is above its average, bearish while it is below.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "ma_period",
        unit: Unit::None,
        parameters: &[ParameterEntry::integer(
            "ma_period",
            "Average",
            "Length of the simple average of on-balance volume.",
            candles(20, 2, 500),
        )],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("ma_period");
        Ok(Self { period, distance: ObvDistance::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        match self.distance.update(&inputs.candle.floats) {
            Some(distance) => Reading::signal(sign(distance), distance, Some(0.0)),
            None => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("ma_period");
        format!(
            "bullish while on-balance volume is above its {period}-candle average, bearish while it is below"
        )
    }
}
