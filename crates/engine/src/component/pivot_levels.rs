//! `pivot_levels`: swing highs and lows of the recent past as support and resistance.
//!
//! A level is the high of a candle that stands above its neighbors or the low of one that stands below them; either kind
//! may act from both sides. The reading's value is the close, its limit the level that counts; none when there is none.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::PivotLevels;
use crate::input::{Inputs, Ohlcv};
use crate::problem::{Problem, code};
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// Support and resistance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PivotLevelsComponent {
    role: Role,
    warmup: u32,
    /// As a fraction.
    touch: f64,
    levels: PivotLevels,
}

/// How far back levels are remembered.
pub(super) const LOOKBACK: ParameterEntry = ParameterEntry::integer(
    "lookback",
    "Looks back",
    "Candles among which levels are found.",
    candles(100, 5, 500),
);

/// How pronounced a level must be.
pub(super) const PIVOT: ParameterEntry = ParameterEntry::integer(
    "pivot",
    "Neighbors",
    "Candles on each side above (below) which a high (low) must stand to be a level.",
    candles(5, 1, 50),
);

/// Prepares levels from the parameters `lookback` and `pivot`.
pub(super) fn levels(parameters: &Parameters) -> Result<PivotLevels, Vec<Problem>> {
    let (lookback, pivot) = (parameters.integer(LOOKBACK.name), parameters.integer(PIVOT.name));
    if lookback > 2 * pivot {
        return Ok(PivotLevels::new(lookback, pivot));
    }
    Err(vec![Problem::new(
        "parameters.lookback",
        code::CONTRADICTION,
        format!("In {lookback} candles there is no room for a level with {pivot} neighbors on each side."),
        "Make lookback more than twice as large as pivot.",
    )])
}

impl Behavior for PivotLevelsComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "pivot_levels",
        family: Family::Structure,
        title: "Pivot levels",
        help: "Swing highs and lows of the recent past as support and resistance.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish on a candle that opens above a level, touches it and closes above its open; bearish on the \
                       mirror image.",
            },
            RoleEntry {
                role: Role::EntryGuard,
                help: "Blocks longs just below a level and shorts just above one.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "lookback + pivot",
        unit: Unit::Price,
        parameters: &[
            LOOKBACK,
            ParameterEntry::number(
                "touch_pct",
                "Touch",
                "Distance from a level, in percent of it, that counts as being there.",
                decimals(Unit::Percent, ["0.2", "0", "20", "0.05"]),
            ),
            PIVOT,
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let levels = levels(parameters)?;
        let warmup = levels.warmup_candles();
        Ok(Self { role, warmup, touch: parameters.float("touch_pct") / 100.0, levels })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        if !self.levels.update(candle) {
            return Reading::WARMING_UP;
        }
        if self.role == Role::Signal { self.bounce(candle) } else { self.room(candle.close) }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (lookback, pivot) = (parameters.integer(LOOKBACK.name), parameters.integer(PIVOT.name));
        let touch = parameters.number("touch_pct");
        let levels =
            format!("swing high or low ({pivot} candles on each side) of the last {lookback} candles");
        if role == Role::Signal {
            format!(
                "bullish on a candle that comes down to within {touch} % of a {levels} and closes above its open, bearish on one that comes up to it and closes below"
            )
        } else {
            format!("blocks longs at most {touch} % below a {levels} and shorts at most {touch} % above one")
        }
    }
}

impl PivotLevelsComponent {
    /// A candle that came to the nearest level on its way and turned.
    fn bounce(&self, candle: &Ohlcv) -> Reading {
        let support = self.levels.at_or_below(candle.open);
        let resistance = self.levels.at_or_above(candle.open);
        let rose = candle.close > candle.open
            && support.is_some_and(|level| candle.low <= level * (1.0 + self.touch));
        let fell = candle.close < candle.open
            && resistance.is_some_and(|level| candle.high >= level * (1.0 - self.touch));
        let (direction, level) = match (rose, fell) {
            (true, _) => (Direction::Long, support),
            (_, true) => (Direction::Short, resistance),
            (false, false) if candle.close >= candle.open => (Direction::Neutral, support.or(resistance)),
            (false, false) => (Direction::Neutral, resistance.or(support)),
        };
        Reading::signal(direction, candle.close, level)
    }

    /// Whether a level stands in the way close by.
    fn room(&self, close: f64) -> Reading {
        let above = self.levels.at_or_above(close);
        let below = self.levels.at_or_below(close);
        let near = |level: Option<f64>| level.filter(|level| (level - close).abs() <= level * self.touch);
        let verdict = |level: Option<f64>| if level.is_some() { Check::Block } else { Check::Pass };
        let (resistance, support) = (near(above), near(below));
        let limit = resistance.or(support).or(above).or(below);
        Reading::check(verdict(resistance), verdict(support), close, limit)
    }
}
