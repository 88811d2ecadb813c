//! `heikin_ashi`: a row of averaged candles of one color.
//!
//! The reading's value is the averaged candle's close, its limit that candle's open.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::HeikinAshi;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Candles after which the arbitrary open of the first averaged one weighs less than a thousandth.
const FADING_CANDLES: u32 = 10;

/// A row of averaged candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeikinAshiComponent {
    run: u32,
    candles: HeikinAshi,
    color: Direction,
    /// How many of the newest candles have that color.
    row: u32,
    seen: u32,
}

impl Behavior for HeikinAshiComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "heikin_ashi",
        family: Family::Trend,
        title: "Heikin-Ashi",
        help: "Candles averaged with those before them: a trend shows as a row of one color.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the last averaged candles all rise, bearish while they all fall, otherwise neutral.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "run + 10",
        unit: Unit::Price,
        parameters: &[ParameterEntry::integer(
            "run",
            "Row",
            "How many averaged candles in a row must have one color.",
            candles(3, 1, 50),
        )],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            run: parameters.integer("run"),
            candles: HeikinAshi::default(),
            color: Direction::Neutral,
            row: 0,
            seen: 0,
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        FADING_CANDLES + self.run
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let averaged = self.candles.update(&inputs.candle.floats);
        let color = toward(averaged.open, averaged.close);
        self.row = if color == self.color { self.row.saturating_add(1) } else { 1 };
        self.color = color;
        self.seen = self.seen.saturating_add(1);
        if self.seen < FADING_CANDLES + self.run {
            return Reading::WARMING_UP;
        }
        let direction = if self.row >= self.run { color } else { Direction::Neutral };
        Reading::signal(direction, averaged.close, Some(averaged.open))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let run = parameters.integer("run");
        format!("bullish while the last {run} Heikin-Ashi candles all rise, bearish while they all fall")
    }
}
