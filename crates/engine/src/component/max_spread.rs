//! `max_spread`: no entry while the market is wide.
//!
//! The spread is the distance between the best prices when the candle was taken up, in basis points of their middle. The
//! reading's value is the spread, its limit the widest allowed. Without a fresh quote there is no permission.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::input::Inputs;
use crate::market::MarketFacts;
use crate::problem::Problem;
use crate::reading::{Check, Reading};
use crate::template::Role;

/// A limit on the spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaxSpread {
    max_bps: f64,
}

impl Behavior for MaxSpread {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "max_spread",
        family: Family::EntryGuard,
        title: "Largest spread",
        help: "Refuses to enter while buying and selling prices are far apart.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries while the spread is wider than allowed.",
        }],
        needs: DataNeeds::QUOTE,
        warmup: "1",
        unit: Unit::BasisPoints,
        parameters: &[ParameterEntry::number(
            "max_bps",
            "Widest spread",
            "The widest spread at which an entry may pass.",
            decimals(Unit::BasisPoints, ["10", "0.1", "1000", "0.5"]),
        )],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        Ok(Self { max_bps: parameters.float("max_bps") })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(spread) = inputs.market.and_then(MarketFacts::spread_bps) else {
            return Reading::NO_DATA;
        };
        both_ways(if spread <= self.max_bps { Check::Pass } else { Check::Block }, spread, Some(self.max_bps))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        format!("blocks entries while the spread is wider than {} basis points", parameters.number("max_bps"))
    }
}
