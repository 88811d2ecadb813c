//! `mfi`: the money flow index, a relative strength index weighted by volume; speaks on leaving a zone.
//!
//! The reading's value is the index, its limit the level on its side of 50. Without any flow it is 50, and ceasing to
//! trade is not leaving a zone.

use serde::{Deserialize, Serialize};

use super::zone::{Leaving, Zones};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Mfi;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// The middle of the scale.
const MIDDLE: f64 = 50.0;

/// Money flow index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MfiComponent {
    period: u32,
    zones: Zones,
    leaving: Leaving,
    mfi: Mfi,
}

impl Behavior for MfiComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "mfi",
        family: Family::Momentum,
        title: "Money flow index",
        help: "Which share of the value traded in the last candles came with rising prices, 0 to 100.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on the candle that leaves the low zone upward, bearish on the one that leaves the high zone \
                   downward.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 2",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Changes added up.", candles(14, 2, 200)),
            ParameterEntry::number(
                "low",
                "Low zone",
                "At or below it the market counts as oversold.",
                decimals(Unit::Points, ["20", "1", "50", "1"]),
            ),
            ParameterEntry::number(
                "high",
                "High zone",
                "At or above it the market counts as overbought.",
                decimals(Unit::Points, ["80", "50", "99", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self {
            period,
            zones: Zones::from_parameters(parameters)?,
            leaving: Leaving::default(),
            mfi: Mfi::new(period),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 2
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(measured) = self.mfi.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let level = self.zones.nearer(measured.value, MIDDLE);
        match self.leaving.measured(measured, self.zones) {
            Some(direction) => Reading::signal(direction, measured.value, Some(level)),
            None => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("period");
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        format!(
            "bullish on the candle on which the money flow index({period}) rises back above {low}, bearish on the one on which it falls back below {high}"
        )
    }
}
