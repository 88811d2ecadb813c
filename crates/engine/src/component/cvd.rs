//! `cvd`: whether takers have been buying or selling over the last candles.
//!
//! The cumulative volume delta is the running total of what takers bought minus what they sold. Its slope over the
//! window is compared with the volume traded in the same window under the same weights, so that the reading's value is
//! a percentage: +100 when every taker bought. Its limit is the smallest lean that counts. A candle of which trades were
//! missed adds nothing; without the newest candle, or with more than a tenth of the window missing, there is no verdict.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::{CumulativeSlope, Window};
use crate::input::Inputs;
use crate::market::MarketFacts;
use crate::problem::Problem;
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// The share of the window's candles that must be known.
const KNOWN_SHARE: f64 = 0.9;

/// Slope of the cumulative volume delta.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cvd {
    period: u32,
    min_pct: f64,
    delta: CumulativeSlope,
    volume: CumulativeSlope,
    /// 1 for a candle that is known and 0 for one that is not.
    known: Window,
    known_count: f64,
}

impl Behavior for Cvd {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "cvd",
        family: Family::Volume,
        title: "Cumulative volume delta",
        help: "The slope of what takers bought minus what they sold, as a percentage of the volume traded.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish while takers buy on balance, bearish while they sell.",
        }],
        needs: DataNeeds::TRADES,
        warmup: "period",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::integer(
                "period",
                "Period",
                "Candles over which the slope is taken.",
                candles(50, 2, 1000),
            ),
            ParameterEntry::number(
                "min_pct",
                "Lean from",
                "The lean from which on it counts; 0 takes every lean.",
                decimals(Unit::Percent, ["0", "0", "100", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let period = parameters.integer("period");
        Ok(Self {
            period,
            min_pct: parameters.float("min_pct"),
            delta: CumulativeSlope::new(period),
            volume: CumulativeSlope::new(period),
            known: Window::new(period),
            known_count: 0.0,
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.period
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let traded = inputs.market.and_then(MarketFacts::taker_volume);
        let (bought, sold) = traded.unwrap_or((0.0, 0.0));
        let known = if traded.is_some() { 1.0 } else { 0.0 };
        self.known_count += known - self.known.push(known).unwrap_or(0.0);
        let slopes = self.delta.update(bought - sold).zip(self.volume.update(bought + sold));
        let Some((delta, volume)) = slopes else { return Reading::WARMING_UP };
        if traded.is_none() || self.known_count < KNOWN_SHARE * f64::from(self.period) {
            return Reading::NO_DATA;
        }
        let lean = if volume > 0.0 { 100.0 * delta / volume } else { 0.0 };
        let direction = if lean.abs() >= self.min_pct { sign(lean) } else { Direction::Neutral };
        Reading::signal(direction, lean, Some(self.min_pct.copysign(lean)))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let (period, least) = (parameters.integer("period"), parameters.number("min_pct"));
        if least.is_zero() {
            format!(
                "bullish while takers have bought more than sold over {period} candles, bearish while they have sold more"
            )
        } else {
            format!(
                "bullish while takers have bought at least {least} % of the volume more than they sold over {period} candles, bearish while they have sold so much more"
            )
        }
    }
}
