//! `donchian_breakout`: the price leaves the range of the candles before.
//!
//! The channel is that of the `period` candles before the newest one: a candle cannot break its own range. The
//! reading's value is the price compared, its limit the edge it broke or is nearer to.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{Channel, Donchian};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Which price must leave the range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Confirm {
    Close,
    Touch,
}

/// Breakout from the range of the candles before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DonchianBreakout {
    period: u32,
    confirm: Confirm,
    donchian: Donchian,
    prior: Option<Channel>,
}

impl Behavior for DonchianBreakout {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "donchian_breakout",
        family: Family::Trend,
        title: "Donchian breakout",
        help: "The price leaves the range of the candles before it.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on a candle above the highest high of the period before it, bearish on one below the lowest low; \
                   neutral on a candle that breaks both.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of the range.", candles(20, 2, 500)),
            ParameterEntry::choice(
                "confirm_close",
                "Confirmed by the close",
                "yes: the close must lie outside the range; no: the high or low is enough.",
                &["yes", "no"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        let confirm =
            if parameters.choice("confirm_close") == "no" { Confirm::Touch } else { Confirm::Close };
        Ok(Self { period, confirm, donchian: Donchian::new(period), prior: None })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let channel = self.donchian.update(candle);
        let Some(prior) = std::mem::replace(&mut self.prior, channel) else { return Reading::WARMING_UP };
        let (top, bottom) = match self.confirm {
            Confirm::Close => (candle.close, candle.close),
            Confirm::Touch => (candle.high, candle.low),
        };
        match (top > prior.upper, bottom < prior.lower) {
            (true, false) => Reading::signal(Direction::Long, top, Some(prior.upper)),
            (false, true) => Reading::signal(Direction::Short, bottom, Some(prior.lower)),
            (true, true) | (false, false) => {
                let near_top = candle.close >= prior.middle();
                let (value, edge) = if near_top { (top, prior.upper) } else { (bottom, prior.lower) };
                Reading::signal(Direction::Neutral, value, Some(edge))
            }
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let period = parameters.integer("period");
        if parameters.choice("confirm_close") == "no" {
            format!(
                "bullish when a candle trades above the highest high of the {period} candles before it, bearish when it trades below their lowest low"
            )
        } else {
            format!(
                "bullish when a candle closes above the highest high of the {period} candles before it, bearish when it closes below their lowest low"
            )
        }
    }
}
