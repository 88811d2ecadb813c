//! `williams_r`: where the close lies in the range of the last candles, counted from the top; speaks on leaving a zone.
//!
//! The reading's value is %R, its limit the level on its side of -50. A range of nothing is in its middle, and coming to
//! a stop is not leaving a zone.

use serde::{Deserialize, Serialize};

use super::zone::{Leaving, Zones};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::WilliamsR;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// The middle of the scale.
const MIDDLE: f64 = -50.0;

/// Williams %R.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WilliamsRComponent {
    period: u32,
    zones: Zones,
    leaving: Leaving,
    williams_r: WilliamsR,
}

impl Behavior for WilliamsRComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "williams_r",
        family: Family::Momentum,
        title: "Williams %R",
        help: "How far below the highest high of the last candles the close lies: 0 at the top of the range, -100 at its \
               bottom.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on the candle that leaves the low zone upward, bearish on the one that leaves the high zone \
                   downward.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of the range.", candles(14, 2, 200)),
            ParameterEntry::number(
                "low",
                "Low zone",
                "At or below it the market counts as oversold.",
                decimals(Unit::Points, ["-80", "-99", "-50", "1"]),
            ),
            ParameterEntry::number(
                "high",
                "High zone",
                "At or above it the market counts as overbought.",
                decimals(Unit::Points, ["-20", "-50", "-1", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self {
            period,
            zones: Zones::from_parameters(parameters)?,
            leaving: Leaving::default(),
            williams_r: WilliamsR::new(period),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(measured) = self.williams_r.update(&inputs.candle.floats) else {
            return Reading::WARMING_UP;
        };
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
            "bullish on the candle on which Williams %R({period}) rises back above {low}, bearish on the one on which it falls back below {high}"
        )
    }
}
