//! `cci`: the commodity channel index, traded back from its extremes or along with them.
//!
//! The reading's value is the index, its limit the level on its side of zero.

use serde::{Deserialize, Serialize};

use super::zone::{Leaving, Zones};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Cci;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Against the move or with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// On the candle that leaves a zone.
    Reversal(Leaving),
    /// As long as the index is in a zone.
    Breakout,
}

/// Commodity channel index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CciComponent {
    period: u32,
    zones: Zones,
    mode: Mode,
    cci: Cci,
}

impl Behavior for CciComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "cci",
        family: Family::Momentum,
        title: "CCI",
        help: "The commodity channel index: how far the price is from its mean, compared with how far it usually is; most \
               of the time between -100 and 100.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "reversal: bullish on the candle that comes back from below the lower level, bearish on the one that comes \
                   back from above the upper; breakout: bullish at or above the upper level, bearish at or below the lower.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period, one more with mode reversal",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles averaged.", candles(20, 2, 500)),
            ParameterEntry::number(
                "level",
                "Level",
                "The upper level; the lower one is the same below zero.",
                decimals(Unit::Points, ["100", "10", "500", "10"]),
            ),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "reversal trades the way back from an extreme, breakout the move that leads to it.",
                &["reversal", "breakout"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (period, level) = (parameters.integer("period"), parameters.float("level"));
        let mode = match parameters.choice("mode") {
            "breakout" => Mode::Breakout,
            _ => Mode::Reversal(Leaving::default()),
        };
        Ok(Self { period, zones: Zones { low: -level, high: level }, mode, cci: Cci::new(period) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        match self.mode {
            Mode::Reversal(_) => self.period + 1,
            Mode::Breakout => self.period,
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(cci) = self.cci.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let level = self.zones.nearer(cci, 0.0);
        let direction = match &mut self.mode {
            Mode::Reversal(leaving) => leaving.update(cci, self.zones),
            Mode::Breakout if cci >= self.zones.high => Some(Direction::Long),
            Mode::Breakout if cci <= self.zones.low => Some(Direction::Short),
            Mode::Breakout => Some(Direction::Neutral),
        };
        direction.map_or(Reading::WARMING_UP, |direction| Reading::signal(direction, cci, Some(level)))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, level) = (parameters.integer("period"), parameters.number("level"));
        if parameters.choice("mode") == "breakout" {
            format!(
                "bullish while CCI({period}) is at {level} or higher, bearish while it is at -{level} or lower"
            )
        } else {
            format!(
                "bullish on the candle on which CCI({period}) rises back above -{level}, bearish on the one on which it falls back below {level}"
            )
        }
    }
}
