//! `atr_breakout`: a candle whose body is larger than usual movements.
//!
//! The average true range is that of the candles before, so that a candle does not raise its own measure. The reading's
//! value is the body in average true ranges, negative for a falling candle, its limit the one that counts, with that sign.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Atr;
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// A body larger than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtrBreakout {
    period: u32,
    mult: f64,
    atr: Atr,
    prior: Option<f64>,
}

impl Behavior for AtrBreakout {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "atr_breakout",
        family: Family::Volatility,
        title: "ATR breakout",
        help: "A candle whose body is a multiple of the average true range of the candles before it.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on such a candle that rose from open to close, bearish on one that fell.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 2",
        unit: Unit::Multiple,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of the ATR.", candles(14, 2, 200)),
            ParameterEntry::number(
                "mult",
                "From",
                "ATRs from which on a body counts.",
                decimals(Unit::Multiple, ["1.5", "0.1", "20", "0.1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self { period, mult: parameters.float("mult"), atr: Atr::new(period), prior: None })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        Atr::warmup_candles(self.period) + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let atr = self.atr.update(candle);
        let Some(prior) = std::mem::replace(&mut self.prior, atr) else { return Reading::WARMING_UP };
        let body = candle.close - candle.open;
        let reached = body.abs() >= self.mult * prior;
        let direction = if reached { sign(body) } else { Direction::Neutral };
        // After a market without any movement every body counts; there is no multiple to show.
        let value = (prior > 0.0).then(|| body / prior);
        let limit = if body < 0.0 { -self.mult } else { self.mult };
        Reading { value, ..Reading::signal(direction, 0.0, Some(limit)) }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, mult) = (parameters.integer("period"), parameters.number("mult"));
        format!(
            "takes the direction of a candle whose body is at least {mult} times the ATR({period}) before it"
        )
    }
}
