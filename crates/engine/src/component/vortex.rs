//! `vortex`: whether upward or downward movement has been larger.
//!
//! The reading's value is VI+, its limit VI−.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::Vortex;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::template::Role;

/// VI+ against VI−.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VortexComponent {
    period: u32,
    vortex: Vortex,
}

impl Behavior for VortexComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "vortex",
        family: Family::Trend,
        title: "Vortex",
        help: "How far highs reach above the lows before them (VI+) against how far lows reach below the highs before them (VI-).",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while VI+ is above VI-, bearish while it is below.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Multiple,
        parameters: &[ParameterEntry::integer("period", "Period", "Candles summed up.", candles(14, 2, 500))],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, vortex: Vortex::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        Vortex::warmup_candles(self.period)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(lines) = self.vortex.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        Reading::signal(toward(lines.minus, lines.plus), lines.plus, Some(lines.minus))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("period");
        format!("bullish while the Vortex({period}) line VI+ is above VI-, bearish while it is below")
    }
}
