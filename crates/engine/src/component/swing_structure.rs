//! `swing_structure`: whether the market makes higher highs and higher lows, or lower ones.
//!
//! The reading's value is the close, its limit the swing that would break the structure first: in a bullish one the
//! newest swing low, in a bearish one the newest swing high; none while there is no structure.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::SwingPoints;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Higher or lower swings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwingStructure {
    pivot: u32,
    seen: u32,
    swings: SwingPoints,
}

impl Behavior for SwingStructure {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "swing_structure",
        family: Family::Trend,
        title: "Swing structure",
        help: "Compares the last two swing highs and the last two swing lows; a swing stands out among the candles around it.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the last swing high and the last swing low both lie above the ones before them, bearish \
                   while both lie below; neutral otherwise, and until there are two of each.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "2 * pivot + 1",
        unit: Unit::Price,
        parameters: &[ParameterEntry::integer(
            "pivot",
            "Candles on each side",
            "How many candles before and after must not reach beyond a swing; it is known that many candles later.",
            candles(5, 1, 100),
        )],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let pivot = parameters.integer("pivot");
        Ok(Self { pivot, seen: 0, swings: SwingPoints::new(pivot) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        SwingPoints::warmup_candles(self.pivot)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        self.swings.update(candle);
        if self.seen < self.warmup_candles() {
            self.seen += 1;
        }
        if self.seen < self.warmup_candles() {
            return Reading::WARMING_UP;
        }
        let (direction, limit) = match (self.swings.highs().pair(), self.swings.lows().pair()) {
            (Some((high, high_before)), Some((low, low_before))) => {
                if high > high_before && low > low_before {
                    (Direction::Long, Some(low))
                } else if high < high_before && low < low_before {
                    (Direction::Short, Some(high))
                } else {
                    (Direction::Neutral, None)
                }
            }
            (_, None) | (None, _) => (Direction::Neutral, None),
        };
        Reading::signal(direction, candle.close, limit)
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let pivot = parameters.integer("pivot");
        format!(
            "bullish while the last swing high and the last swing low ({pivot} candles on each side) lie above the ones before them, bearish while both lie below"
        )
    }
}
