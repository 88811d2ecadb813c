//! `funding_window`: no entry just before funding is paid.
//!
//! The reading's value is the time from the candle's close to the next payment in minutes, its limit the minutes to keep
//! away. An entry decided at the moment of the payment is made after it and passes. Which side pays is what the rate
//! says now; without the time or the rate the component says so and blocks.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, except, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, Integers, ParameterEntry, RoleEntry, Unit};
use crate::input::Inputs;
use crate::market::MarketFacts;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// Whom it keeps away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Blocked {
    PayingSide,
    Both,
}

/// A pause before funding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FundingWindow {
    minutes: u32,
    blocked: Blocked,
}

impl Behavior for FundingWindow {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "funding_window",
        family: Family::EntryGuard,
        title: "Funding window",
        help: "Refuses to enter in the last minutes before funding is paid.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Shortly before funding, blocks the side that will pay it, or both sides.",
        }],
        needs: DataNeeds::FUNDING_TIME,
        warmup: "1",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::integer(
                "minutes",
                "Minutes",
                "Minutes before the payment in which entries are blocked.",
                Integers { unit: Unit::None, default: 15, min: 1, max: 480, step: 5 },
            ),
            ParameterEntry::choice(
                "block",
                "Blocks",
                "Only the side that will pay, or both sides.",
                &["paying_side", "both"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let blocked = if parameters.choice("block") == "both" { Blocked::Both } else { Blocked::PayingSide };
        Ok(Self { minutes: parameters.integer("minutes"), blocked })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let next = inputs.market.and_then(MarketFacts::next_funding);
        let (Some(next), Some(rate)) = (next, inputs.funding_rate) else { return Reading::NO_DATA };
        let left_ms = next.since_ms(inputs.closed_at);
        let close = left_ms > 0 && left_ms <= i64::from(self.minutes) * 60_000;
        #[expect(clippy::cast_precision_loss, reason = "a time to the next funding is far below 2^52 ms")]
        let minutes = left_ms as f64 / 60_000.0;
        let limit = Some(f64::from(self.minutes));
        match self.blocked {
            Blocked::Both => both_ways(if close { Check::Block } else { Check::Pass }, minutes, limit),
            Blocked::PayingSide => {
                except(if close { sign(rate) } else { Direction::Neutral }, minutes, limit)
            }
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let side = if parameters.choice("block") == "both" { "entries" } else { "the side that will pay" };
        format!("blocks {side} in the last {} minutes before funding", parameters.integer("minutes"))
    }
}
