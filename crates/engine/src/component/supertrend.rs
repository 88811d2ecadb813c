//! `supertrend`: the side of a stop line that follows the trend.
//!
//! The reading's value is the close, its limit the line.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::{Atr, Supertrend, TrendSide};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Side of the supertrend line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupertrendComponent {
    period: u32,
    supertrend: Supertrend,
}

impl Behavior for SupertrendComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "supertrend",
        family: Family::Trend,
        title: "Supertrend",
        help: "A stop line some ATRs from the price that follows the trend and flips when the close passes it.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while the line lies below the price, bearish while it lies above.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "atr + 1",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("atr", "ATR period", "Candles of the ATR.", candles(10, 2, 200)),
            ParameterEntry::number(
                "mult",
                "ATR multiple",
                "Distance of the line from the middle of the candle, in ATRs.",
                decimals(Unit::Multiple, ["3", "0.1", "20", "0.1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("atr");
        Ok(Self { period, supertrend: Supertrend::new(period, parameters.float("mult")) })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        Atr::warmup_candles(self.period)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(value) = self.supertrend.update(candle) else { return Reading::WARMING_UP };
        let direction = match value.side {
            TrendSide::Up => Direction::Long,
            TrendSide::Down => Direction::Short,
        };
        Reading::signal(direction, candle.close, Some(value.line))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, multiple) = (parameters.integer("atr"), parameters.number("mult"));
        format!(
            "bullish while the Supertrend({period}, {multiple}) line is below the price, bearish while it is above"
        )
    }
}
