//! `open_interest`: whether new contracts stand behind a price move.
//!
//! When open interest rises with a move, new positions carry it; when it falls, positions are being closed and the move
//! is weaker than it looks. The reading's value is the change of open interest over the lookback in percent, its limit
//! the smallest rise (or fall) that counts. Without the newest or the compared number there is no verdict.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Window;
use crate::input::Inputs;
use crate::market::MarketFacts;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// What is asked of open interest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// Signal in the direction of a confirmed move.
    Signal,
    /// Filter: only entries along a confirmed move.
    Confirmed,
    /// Filter: no entries while positions are being closed.
    NotFalling,
}

/// Change of open interest beside the change of the price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenInterest {
    lookback: u32,
    min_change: f64,
    usage: Use,
    closes: Window,
    /// Zero stands for a candle whose open interest is not known.
    interest: Window,
}

impl Behavior for OpenInterest {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "open_interest",
        family: Family::Derivatives,
        title: "Open interest",
        help: "The change of open contracts over some candles, beside the change of the price.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "The direction of the price move while open interest has risen with it; neutral otherwise.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "rising lets entries pass only along a move with which open interest has risen; not_falling blocks \
                       entries while open interest has fallen.",
            },
        ],
        needs: DataNeeds::OPEN_INTEREST,
        warmup: "lookback + 1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::integer(
                "lookback",
                "Lookback",
                "Candles over which changes are measured.",
                candles(24, 1, 1000),
            ),
            ParameterEntry::number(
                "min_change_pct",
                "Smallest change",
                "The change of open interest that counts as a rise; a fall must be as large.",
                decimals(Unit::Percent, ["3", "0.1", "100", "0.5"]),
            ),
            ParameterEntry::choice(
                "require",
                "Requires",
                "A rise of open interest with the move, or only that it has not fallen.",
                &["rising", "not_falling"],
            )
            .only_in(&[Role::Filter]),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let usage = match role {
            Role::Signal => Use::Signal,
            Role::Filter | Role::EntryGuard | Role::RiskGate
                if parameters.choice("require") == "not_falling" =>
            {
                Use::NotFalling
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => Use::Confirmed,
        };
        let lookback = parameters.integer("lookback");
        let window = Window::new(lookback.saturating_add(1));
        let min_change = parameters.float("min_change_pct");
        Ok(Self { lookback, min_change, usage, closes: window.clone(), interest: window })
    }

    fn role(&self) -> Role {
        match self.usage {
            Use::Signal => Role::Signal,
            Use::Confirmed | Use::NotFalling => Role::Filter,
        }
    }

    fn warmup_candles(&self) -> u32 {
        self.lookback + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let close = inputs.candle.floats.close;
        let interest = inputs.market.and_then(MarketFacts::open_interest).unwrap_or(0.0);
        self.closes.push(close);
        self.interest.push(interest);
        if !self.closes.is_full() {
            return Reading::WARMING_UP;
        }
        let (Some(close_before), Some(before)) = (self.closes.oldest(), self.interest.oldest()) else {
            return Reading::WARMING_UP;
        };
        if interest <= 0.0 || before <= 0.0 {
            return Reading::NO_DATA;
        }
        // Multiplied before it is divided, so that a change of exactly a whole percentage counts as reached.
        let change = 100.0 * (interest - before) / before;
        let limit = Some(self.min_change.copysign(change));
        let moved = sign(close - close_before);
        let confirmed = if change >= self.min_change { moved } else { Direction::Neutral };
        match self.usage {
            Use::Signal => Reading::signal(confirmed, change, limit),
            Use::Confirmed => only_toward(confirmed, change, limit),
            Use::NotFalling => {
                let fallen = change <= -self.min_change;
                both_ways(if fallen { Check::Block } else { Check::Pass }, change, limit)
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (lookback, least) = (parameters.integer("lookback"), parameters.number("min_change_pct"));
        match role {
            Role::Signal => format!(
                "takes the direction of the last {lookback} candles while open interest has risen by at least {least} % with it"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate
                if parameters.choice("require") == "not_falling" =>
            {
                format!(
                    "blocks entries while open interest has fallen by {least} % or more over {lookback} candles"
                )
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "lets entries pass only along a move of {lookback} candles with which open interest has risen by at least {least} %"
            ),
        }
    }
}
