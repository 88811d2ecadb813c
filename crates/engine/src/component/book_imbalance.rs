//! `book_imbalance`: which side of the order book is heavier near the best prices.
//!
//! `(bids - asks) / (bids + asks)` over the quantities of the best levels, from -1 (only sellers) to +1 (only buyers).
//! The reading's value is that number, its limit the threshold of its sign. It looks at the book as it stood when the
//! candle was taken up.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, except, opposite};
use crate::catalog::{
    ComponentEntry, DataNeeds, Family, Integers, ParameterEntry, RoleEntry, Unit, decimals,
};
use crate::input::Inputs;
use crate::market::{BookAsk, MOST_LEVELS};
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Weight of bids against asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BookImbalance {
    role: Role,
    levels: u32,
    threshold: f64,
}

impl Behavior for BookImbalance {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "book_imbalance",
        family: Family::Volume,
        title: "Book imbalance",
        help: "Quantity wanted against quantity offered at the best prices of the order book, from -1 to +1.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish while bids outweigh asks by the threshold, bearish while asks outweigh bids.",
            },
            RoleEntry {
                role: Role::EntryGuard,
                help: "Blocks entries against the heavier side: longs while asks outweigh bids, shorts while bids outweigh asks.",
            },
        ],
        needs: DataNeeds::BOOK,
        warmup: "1",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::integer(
                "levels",
                "Levels",
                "Best prices of each side that are summed.",
                Integers { unit: Unit::None, default: 10, min: 1, max: MOST_LEVELS, step: 1 },
            ),
            ParameterEntry::number(
                "threshold",
                "Threshold",
                "Imbalance from which on a side counts as heavier.",
                decimals(Unit::None, ["0.2", "0.01", "1", "0.05"]),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        Ok(Self { role, levels: parameters.integer("levels"), threshold: parameters.float("threshold") })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn book(&self) -> Option<BookAsk> {
        Some(BookAsk::Levels(self.levels))
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let sums = inputs.market.and_then(|market| market.levels(self.levels));
        let Some((bid, ask)) = sums.filter(|(bid, ask)| bid + ask > 0.0) else { return Reading::NO_DATA };
        let imbalance = (bid - ask) / (bid + ask);
        let heavier = if imbalance >= self.threshold {
            Direction::Long
        } else if imbalance <= -self.threshold {
            Direction::Short
        } else {
            Direction::Neutral
        };
        let limit = Some(self.threshold.copysign(imbalance));
        match self.role {
            Role::Signal => Reading::signal(heavier, imbalance, limit),
            Role::Filter | Role::EntryGuard | Role::RiskGate => except(opposite(heavier), imbalance, limit),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (levels, threshold) = (parameters.integer("levels"), parameters.number("threshold"));
        match role {
            Role::Signal => format!(
                "bullish while the imbalance of the best {levels} levels is {threshold} or more, bearish while it is -{threshold} or less"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "blocks longs while the imbalance of the best {levels} levels is -{threshold} or less, shorts while it is {threshold} or more"
            ),
        }
    }
}
