//! `choppiness`: whether the market runs somewhere or trades on the spot.
//!
//! The reading's value is the choppiness index, its limit the bound of the market type wanted.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Choppiness;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Check, Reading};
use crate::template::Role;

/// The market type wanted, with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Want {
    TrendAtMost(f64),
    RangeAtLeast(f64),
}

/// Market type by the choppiness index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoppinessComponent {
    period: u32,
    want: Want,
    choppiness: Choppiness,
}

impl Behavior for ChoppinessComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "choppiness",
        family: Family::Volatility,
        title: "Choppiness",
        help: "How much of its way the market wasted: low values are trends, high values are ranges, 0 to 100.",
        roles: &[RoleEntry {
            role: Role::Filter,
            help: "Lets entries pass only in the market type wanted; between the bounds it passes neither.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Candles of the index.", candles(14, 2, 200)),
            ParameterEntry::number(
                "trend_below",
                "Trend up to",
                "At or below it the market counts as trending.",
                decimals(Unit::Points, ["38.2", "1", "99", "0.1"]),
            )
            .only_if("want", "trend"),
            ParameterEntry::number(
                "range_above",
                "Range from",
                "At or above it the market counts as ranging.",
                decimals(Unit::Points, ["61.8", "1", "99", "0.1"]),
            )
            .only_if("want", "range"),
            ParameterEntry::choice(
                "want",
                "Wanted",
                "The market type in which to enter.",
                &["trend", "range"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (trend, range) = (parameters.number("trend_below"), parameters.number("range_above"));
        if trend >= range {
            return Err(vec![Problem::new(
                "parameters.trend_below",
                code::CONTRADICTION,
                format!("The bound of trends ({trend}) is not below that of ranges ({range})."),
                "Make trend_below smaller than range_above.",
            )]);
        }
        let want = if parameters.choice("want") == "range" {
            Want::RangeAtLeast(parameters.float("range_above"))
        } else {
            Want::TrendAtMost(parameters.float("trend_below"))
        };
        let period = parameters.integer("period");
        Ok(Self { period, want, choppiness: Choppiness::new(period) })
    }

    fn role(&self) -> Role {
        Role::Filter
    }

    fn warmup_candles(&self) -> u32 {
        self.period + 1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(index) = self.choppiness.update(&inputs.candle.floats) else { return Reading::WARMING_UP };
        let (found, limit) = match self.want {
            Want::TrendAtMost(limit) => (index <= limit, limit),
            Want::RangeAtLeast(limit) => (index >= limit, limit),
        };
        both_ways(if found { Check::Pass } else { Check::Block }, index, Some(limit))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let name = format!("choppiness index({})", parameters.integer("period"));
        if parameters.choice("want") == "range" {
            format!(
                "lets entries pass while the market ranges: {name} at least {}",
                parameters.number("range_above")
            )
        } else {
            format!(
                "lets entries pass while the market trends: {name} at most {}",
                parameters.number("trend_below")
            )
        }
    }
}
