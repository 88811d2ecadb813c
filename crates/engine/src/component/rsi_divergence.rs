//! `rsi_divergence`: the price makes a lower low that the relative strength index does not make, or the mirror.
//!
//! Lows and highs are pivots, known only some candles after they were made, and compared with the one before them. The
//! reading's value is the index at the low (high) just confirmed and its limit that at the one before; on all other
//! candles the value is the index on the candle and there is no limit.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{PivotHigh, PivotLow, Rsi, Window};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// While the closes stand still, the index does so but for rounding: a smaller difference is none.
const ROUNDING: f64 = 1e-9;

/// A confirmed low or high and the index on its candle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Turn {
    price: f64,
    rsi: f64,
    candles_ago: u32,
}

/// The last turn on one side, for the next one to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Side {
    lookback: u32,
    last: Option<Turn>,
}

impl Side {
    fn new(lookback: u32) -> Self {
        Self { lookback, last: None }
    }

    /// Lets a candle pass: a turn further back than the lookback is forgotten.
    fn age(&mut self) {
        if let Some(turn) = &mut self.last {
            turn.candles_ago += 1;
            if turn.candles_ago > self.lookback {
                self.last = None;
            }
        }
    }

    /// Takes in a turn on the candle that has just aged in; gives it back with the one before it.
    fn confirm(&mut self, price: f64, rsi: f64) -> Option<(Turn, Turn)> {
        let turn = Turn { price, rsi, candles_ago: 0 };
        self.last.replace(turn).map(|before| (turn, before))
    }
}

/// Divergence between price and relative strength index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RsiDivergence {
    warmup_candles: u32,
    seen: u32,
    rsi: Rsi,
    /// The index from the newest pivot that can be confirmed up to now.
    since_pivot: Window,
    pivot_low: PivotLow,
    pivot_high: PivotHigh,
    lows: Side,
    highs: Side,
}

impl Behavior for RsiDivergence {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "rsi_divergence",
        family: Family::Momentum,
        title: "RSI divergence",
        help: "The price makes a new extreme that the relative strength index does not make.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish on the candle that confirms a low below the low before it with a higher RSI, bearish on the one \
                   that confirms a high above the high before it with a lower RSI.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "the larger of period and pivot, + lookback + pivot + 1",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer(
                "period",
                "RSI period",
                "Changes averaged by the RSI.",
                candles(14, 2, 200),
            ),
            ParameterEntry::integer(
                "lookback",
                "Lookback",
                "How far apart the two lows or highs may lie.",
                candles(30, 5, 200),
            ),
            ParameterEntry::integer(
                "pivot",
                "Pivot strength",
                "How many candles on each side a low or high must stand out from; it is known that many candles later.",
                candles(3, 1, 50),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let [period, lookback, pivot] = ["period", "lookback", "pivot"].map(|name| parameters.integer(name));
        if lookback <= pivot {
            return Err(vec![Problem::new(
                "parameters.lookback",
                code::CONTRADICTION,
                format!(
                    "Two lows of pivot strength {pivot} lie more than {pivot} candles apart, beyond the lookback ({lookback})."
                ),
                "Make lookback larger than pivot.",
            )]);
        }
        Ok(Self {
            warmup_candles: period.max(pivot) + lookback + pivot + 1,
            seen: 0,
            rsi: Rsi::new(period),
            since_pivot: Window::new(pivot + 1),
            pivot_low: PivotLow::new(pivot),
            pivot_high: PivotHigh::new(pivot),
            lows: Side::new(lookback),
            highs: Side::new(lookback),
        })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        self.seen = self.seen.saturating_add(1);
        let low = self.pivot_low.update(candle.low);
        let high = self.pivot_high.update(candle.high);
        let Some(rsi) = self.rsi.update(candle.close) else { return Reading::WARMING_UP };
        self.since_pivot.push(rsi);
        if !self.since_pivot.is_full() {
            return Reading::WARMING_UP;
        }
        // The index on the candle of a pivot that is confirmed now.
        let then = self.since_pivot.oldest().unwrap_or(rsi);
        self.lows.age();
        self.highs.age();
        let lows = low.and_then(|price| self.lows.confirm(price, then));
        let highs = high.and_then(|price| self.highs.confirm(price, then));
        if self.seen < self.warmup_candles {
            return Reading::WARMING_UP;
        }
        judge(lows, highs).unwrap_or(Reading::signal(Direction::Neutral, rsi, None))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let [period, lookback, pivot] = ["period", "lookback", "pivot"].map(|name| parameters.integer(name));
        format!(
            "bullish on the candle that confirms a low, {pivot} candles after it, that lies below the low before it, at most {lookback} candles earlier, with a higher RSI({period}); bearish for a higher high with a lower RSI({period})"
        )
    }
}

/// What two lows and two highs say; `None` when there are neither. Both divergences at once cancel out.
fn judge(lows: Option<(Turn, Turn)>, highs: Option<(Turn, Turn)>) -> Option<Reading> {
    let bullish = lows.filter(|(now, before)| now.price < before.price && now.rsi > before.rsi + ROUNDING);
    let bearish = highs.filter(|(now, before)| now.price > before.price && now.rsi < before.rsi - ROUNDING);
    let direction = match (bullish, bearish) {
        (Some(_), None) => Direction::Long,
        (None, Some(_)) => Direction::Short,
        (Some(_), Some(_)) | (None, None) => Direction::Neutral,
    };
    let (now, before) = bullish.or(bearish).or(lows).or(highs)?;
    Some(Reading::signal(direction, now.rsi, Some(before.rsi)))
}
