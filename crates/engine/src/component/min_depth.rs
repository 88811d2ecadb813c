//! `min_depth`: no entry into a thin book.
//!
//! The depth is the value that rests near the middle price on the side that the entry would take from: asks for a long,
//! bids for a short. The reading's value is the thinner side's value in quote currency, its limit the smallest allowed;
//! each direction is judged by its own side.

use keyhold_domain::Decimal;
use keyhold_domain::money::decimal_text;
use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::input::Inputs;
use crate::market::BookAsk;
use crate::problem::Problem;
use crate::reading::{Check, Reading};
use crate::template::Role;

/// A limit on the depth of the book.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinDepth {
    notional: f64,
    #[serde(with = "decimal_text")]
    within_bps: Decimal,
}

impl Behavior for MinDepth {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "min_depth",
        family: Family::EntryGuard,
        title: "Smallest depth",
        help: "Refuses to enter when too little rests near the price on the side that the entry takes from.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks longs while too little is offered near the price, shorts while too little is wanted.",
        }],
        needs: DataNeeds::BOOK,
        warmup: "1",
        unit: Unit::None,
        parameters: &[
            ParameterEntry::number(
                "notional",
                "Smallest value",
                "What must rest on the entry's side, in quote currency.",
                decimals(Unit::None, ["50000", "1", "1000000000", "1000"]),
            ),
            ParameterEntry::number(
                "within_bps",
                "Within",
                "How far from the middle price an order still counts.",
                decimals(Unit::BasisPoints, ["10", "0.1", "1000", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        Ok(Self { notional: parameters.float("notional"), within_bps: parameters.number("within_bps") })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn book(&self) -> Option<BookAsk> {
        Some(BookAsk::Within(self.within_bps))
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let depth = inputs.market.and_then(|market| market.depth(self.within_bps));
        let Some((bid, ask)) = depth else { return Reading::NO_DATA };
        let enough = |value: f64| if value >= self.notional { Check::Pass } else { Check::Block };
        Reading::check(enough(ask), enough(bid), bid.min(ask), Some(self.notional))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        format!(
            "blocks entries while less than {} in quote currency rests within {} basis points on the side they take from",
            parameters.number("notional"),
            parameters.number("within_bps")
        )
    }
}
