//! `candle_pattern`: shapes of one to three candles that speak for a direction.
//!
//! Engulfing (as TA-Lib's `CDLENGULFING`): a body that holds the opposite body before it, one end at most in common. Pin
//! bar: one shadow makes up most of the candle's height. Inside bar: the candle before lay within the one before it, and
//! this one closes outside of both. Patterns that contradict each other say nothing. The reading's value is the close, its
//! limit the price that made the pattern.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Shape, Unit, decimals};
use crate::input::{Inputs, Ohlcv};
use crate::problem::{Problem, code};
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// A shape to look for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pattern {
    Engulfing,
    /// With the least share of the shadow.
    PinBar(f64),
    InsideBar,
}

/// The four prices of an earlier candle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bar {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
}

impl From<&Ohlcv> for Bar {
    fn from(candle: &Ohlcv) -> Self {
        Self { open: candle.open, high: candle.high, low: candle.low, close: candle.close }
    }
}

/// Shapes of a few candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandlePattern {
    patterns: Vec<Pattern>,
    before: Option<Bar>,
    before_that: Option<Bar>,
}

const PATTERNS: ParameterEntry = ParameterEntry {
    name: "patterns",
    title: "Patterns",
    help: "The patterns to look for.",
    shape: Shape::Choices {
        choices: &["engulfing", "pin_bar", "inside_bar"],
        default: &["engulfing", "pin_bar", "inside_bar"],
    },
    roles: &[],
    applies_if: None,
};

impl Behavior for CandlePattern {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "candle_pattern",
        family: Family::Structure,
        title: "Candle pattern",
        help: "Engulfing candles, pin bars and breaks of inside bars.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "The direction of the pattern that the newest candle completes; neutral without one.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "1; with engulfing 2; with inside_bar 3",
        unit: Unit::Price,
        parameters: &[
            PATTERNS,
            ParameterEntry::number(
                "shadow_pct",
                "Shadow of a pin bar",
                "Least share of the candle's height that one shadow of a pin bar makes up.",
                decimals(Unit::Percent, ["66", "51", "99", "1"]),
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let share = parameters.float("shadow_pct") / 100.0;
        let patterns: Vec<Pattern> = parameters
            .choices(PATTERNS.name)
            .iter()
            .map(|word| match *word {
                "engulfing" => Pattern::Engulfing,
                "pin_bar" => Pattern::PinBar(share),
                _ => Pattern::InsideBar,
            })
            .collect();
        if patterns.is_empty() {
            return Err(vec![Problem::new(
                format!("parameters.{}", PATTERNS.name),
                code::NOTHING_CHOSEN,
                "There is no pattern to look for, so it would never say anything.",
                "Choose at least one of: engulfing, pin_bar, inside_bar.",
            )]);
        }
        Ok(Self { patterns, before: None, before_that: None })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.patterns.iter().map(|pattern| pattern.candles()).max().unwrap_or(1)
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let now = Bar::from(&inputs.candle.floats);
        let before = self.before.replace(now);
        let before_that = std::mem::replace(&mut self.before_that, before);
        let complete = match self.warmup_candles() {
            1 => true,
            2 => before.is_some(),
            _ => before_that.is_some(),
        };
        if !complete {
            return Reading::WARMING_UP;
        }
        let (mut long, mut short) = (None, None);
        for pattern in &self.patterns {
            match pattern.find(&now, before.as_ref(), before_that.as_ref()) {
                Some((Direction::Long, level)) => long = long.or(Some(level)),
                Some((Direction::Short, level)) => short = short.or(Some(level)),
                Some((Direction::Neutral, _)) | None => {}
            }
        }
        match (long, short) {
            (Some(level), None) => Reading::signal(Direction::Long, now.close, Some(level)),
            (None, Some(level)) => Reading::signal(Direction::Short, now.close, Some(level)),
            (None, None) | (Some(_), Some(_)) => Reading::signal(Direction::Neutral, now.close, None),
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let names = parameters.choices(PATTERNS.name).iter().map(|word| match *word {
            "engulfing" => String::from("an engulfing candle"),
            "pin_bar" => format!("a pin bar ({} % shadow)", parameters.number("shadow_pct")),
            _ => String::from("the break of an inside bar"),
        });
        format!("takes the direction of {}", names.collect::<Vec<_>>().join(", "))
    }
}

impl Pattern {
    /// How many candles it is made of.
    const fn candles(self) -> u32 {
        match self {
            Self::PinBar(_) => 1,
            Self::Engulfing => 2,
            Self::InsideBar => 3,
        }
    }

    /// Its direction and the price that made it; `None` when it is not there.
    fn find(self, now: &Bar, before: Option<&Bar>, before_that: Option<&Bar>) -> Option<(Direction, f64)> {
        match self {
            Self::PinBar(share) => pin_bar(now, share),
            Self::Engulfing => engulfing(now, before?),
            Self::InsideBar => inside_bar(now, before?, before_that?),
        }
    }
}

fn engulfing(now: &Bar, before: &Bar) -> Option<(Direction, f64)> {
    let holds = |low: f64, high: f64, inner_low: f64, inner_high: f64| {
        (low <= inner_low && high > inner_high) || (low < inner_low && high >= inner_high)
    };
    let rises = now.close > now.open && before.close < before.open;
    let falls = now.close < now.open && before.close > before.open;
    if rises && holds(now.open, now.close, before.close, before.open) {
        Some((Direction::Long, before.open))
    } else if falls && holds(now.close, now.open, before.open, before.close) {
        Some((Direction::Short, before.open))
    } else {
        None
    }
}

fn pin_bar(now: &Bar, share: f64) -> Option<(Direction, f64)> {
    let height = now.high - now.low;
    let lower = now.open.min(now.close) - now.low;
    let upper = now.high - now.open.max(now.close);
    if height <= 0.0 {
        None
    } else if lower >= share * height {
        Some((Direction::Long, now.low))
    } else if upper >= share * height {
        Some((Direction::Short, now.high))
    } else {
        None
    }
}

fn inside_bar(now: &Bar, before: &Bar, before_that: &Bar) -> Option<(Direction, f64)> {
    if before.high > before_that.high || before.low < before_that.low {
        None
    } else if now.close > before_that.high {
        Some((Direction::Long, before_that.high))
    } else if now.close < before_that.low {
        Some((Direction::Short, before_that.low))
    } else {
        None
    }
}
