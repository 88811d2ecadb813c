//! `parabolic_sar`: the side of Wilder's stop-and-reverse points on which the price closes.
//!
//! The reading's value is the close, its limit the point of the candle.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::indicator::ParabolicSar;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::Reading;
use crate::template::Role;

/// Side of the parabolic stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParabolicSarComponent {
    sar: ParabolicSar,
}

impl Behavior for ParabolicSarComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "parabolic_sar",
        family: Family::Trend,
        title: "Parabolic SAR",
        help: "A stop that runs after the price ever faster and turns over to its other side when the price touches it.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the stop lies below the close, bearish while it lies above.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "2",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::number(
                "step",
                "Step",
                "Acceleration at the start of a trend, and how much every new extreme adds to it.",
                decimals(Unit::None, ["0.02", "0.001", "0.5", "0.005"]),
            ),
            ParameterEntry::number(
                "max",
                "Largest acceleration",
                "Share of the way to the extreme that the stop goes per candle at most.",
                decimals(Unit::None, ["0.2", "0.001", "1", "0.05"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (step, max) = (parameters.number("step"), parameters.number("max"));
        if step > max {
            return Err(vec![Problem::new(
                "parameters.step",
                code::CONTRADICTION,
                format!("The step ({step}) is larger than the largest acceleration ({max})."),
                "Make step at most as large as max.",
            )]);
        }
        Ok(Self { sar: ParabolicSar::new(parameters.float("step"), parameters.float("max")) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        ParabolicSar::WARMUP_CANDLES
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(stop) = self.sar.update(candle) else { return Reading::WARMING_UP };
        Reading::signal(sign(candle.close - stop), candle.close, Some(stop))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (step, max) = (parameters.number("step"), parameters.number("max"));
        format!(
            "bullish while the parabolic SAR({step}, {max}) lies below the close, bearish while it lies above"
        )
    }
}
