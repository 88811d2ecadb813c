//! `awesome`: the side of zero of the awesome oscillator.
//!
//! The reading's value is the oscillator, its limit 0.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::Awesome;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::Reading;
use crate::template::Role;

/// Awesome oscillator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AwesomeComponent {
    slow_period: u32,
    awesome: Awesome,
}

impl Behavior for AwesomeComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "awesome",
        family: Family::Momentum,
        title: "Awesome oscillator",
        help: "A fast minus a slow simple average of the candles' middles (high plus low, halved).",
        roles: &[RoleEntry { role: Role::Signal, help: "Bullish above zero, bearish below." }],
        needs: DataNeeds::CANDLES,
        warmup: "slow",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("fast", "Fast", "Length of the fast average.", candles(5, 2, 200)),
            ParameterEntry::integer("slow", "Slow", "Length of the slow average.", candles(34, 3, 500)),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (fast, slow) = (parameters.integer("fast"), parameters.integer("slow"));
        if fast >= slow {
            return Err(vec![Problem::new(
                "parameters.fast",
                code::CONTRADICTION,
                format!("The fast average ({fast}) is not shorter than the slow one ({slow})."),
                "Make fast smaller than slow.",
            )]);
        }
        Ok(Self { slow_period: slow, awesome: Awesome::new(fast, slow) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.slow_period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        match self.awesome.update(&inputs.candle.floats) {
            Some(value) => Reading::signal(sign(value), value, Some(0.0)),
            None => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (fast, slow) = (parameters.integer("fast"), parameters.integer("slow"));
        format!(
            "bullish while the {fast}-candle average of the candles' middles is above the {slow}-candle one, bearish while it is below"
        )
    }
}
