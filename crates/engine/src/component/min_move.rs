//! `min_move`: the move that may be expected must be worth fees and spread.
//!
//! The cost of a round trip is two taker fees and the spread assumed. When the next level is the target and none stands in
//! the way, the move is not limited and the guard passes. The reading's value is the shorter of the expected moves up and
//! down as a multiple of the cost, its limit the least allowed.

use serde::{Deserialize, Serialize};

use super::way::{self, Way};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::input::{Inputs, decimal_to_f64};
use crate::problem::Problem;
use crate::reading::{Check, Reading};
use crate::template::Role;

/// Expected move against its cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinMove {
    least: f64,
    /// Of a round trip, as a fraction of the price.
    cost: f64,
    way: Way,
}

const BASIS_POINTS: f64 = 10_000.0;

impl Behavior for MinMove {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "min_move",
        family: Family::EntryGuard,
        title: "Smallest move",
        help: "Refuses entries whose expected move is not worth fees and spread.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries whose target lies nearer than a multiple of what a round trip costs.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "target atr: atr_period + 1; band: band_period; level: lookback + pivot",
        unit: Unit::Multiple,
        parameters: &[
            ParameterEntry::choice(
                "target",
                "Target",
                "atr: a multiple of the average true range; band: the Bollinger band in the trade's direction; level: the \
                 next swing high or low in that direction.",
                &["atr", "band", "level"],
            ),
            ParameterEntry::number(
                "min_multiple_of_cost",
                "Least multiple",
                "Least expected move, as a multiple of two taker fees and the spread.",
                decimals(Unit::Multiple, ["3", "0.1", "1000", "0.5"]),
            ),
            ParameterEntry::choice(
                "fees",
                "Fees",
                "instrument: the taker fee of the instrument traded; fixed: the fee written here.",
                &["instrument", "fixed"],
            ),
            ParameterEntry::number(
                "fee_bps",
                "Taker fee",
                "Fee of one fill.",
                decimals(Unit::BasisPoints, ["5.5", "0", "100", "0.5"]),
            )
            .only_if("fees", "fixed"),
            ParameterEntry::number(
                "spread_bps",
                "Spread",
                "Distance between best bid and best ask that is assumed.",
                decimals(Unit::BasisPoints, ["2", "0", "500", "0.5"]),
            ),
            way::ATR_PERIOD,
            way::ATR_MULT,
            way::BAND_PERIOD,
            way::BAND_MULT,
            way::LOOKBACK,
            way::PIVOT,
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let way = match parameters.choice("target") {
            "band" => Way::band(parameters),
            "level" => Way::level(parameters)?,
            _ => Way::atr(parameters),
        };
        // A template alone has no instrument: it is only checked then, never traded.
        let written = parameters.float("fee_bps") / BASIS_POINTS;
        let fee = match parameters.choice("fees") {
            "instrument" => context.taker_fee.map_or(written, decimal_to_f64),
            _ => written,
        };
        let cost = 2.0 * fee + parameters.float("spread_bps") / BASIS_POINTS;
        Ok(Self { least: parameters.float("min_multiple_of_cost"), cost, way })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        self.way.warmup_candles()
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let Some(reach) = self.way.update(candle) else { return Reading::WARMING_UP };
        let cost = self.cost * candle.close;
        let check = |distance: Option<f64>| match distance {
            Some(distance) if distance < self.least * cost => Check::Block,
            Some(_) | None => Check::Pass,
        };
        let reading = Reading::check(check(reach.long), check(reach.short), 0.0, Some(self.least));
        // Without any cost there is no multiple of it.
        Reading { value: reach.shorter().filter(|_| cost > 0.0).map(|distance| distance / cost), ..reading }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let fees = match parameters.choice("fees") {
            "instrument" => String::from("two taker fees of the instrument"),
            _ => format!("two fees of {} bp", parameters.number("fee_bps")),
        };
        format!(
            "blocks entries whose expected move ({}) is less than {} times the cost: {fees} and {} bp of spread",
            way::name(parameters),
            parameters.number("min_multiple_of_cost"),
            parameters.number("spread_bps")
        )
    }
}
