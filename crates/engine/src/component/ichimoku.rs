//! `ichimoku`: the close against the cloud, confirmed by the conversion and base lines.
//!
//! The cloud is the one drawn beside the newest candle, made of candles at least `base` old. The reading's value is the
//! close, its limit the edge of the cloud that must be passed: the upper one at or above the cloud's middle, else the lower.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{Ichimoku, IchimokuPeriods};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Direction, Reading};
use crate::template::Role;

/// Close against cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IchimokuComponent {
    role: Role,
    warmup_candles: u32,
    lines: Ichimoku,
}

impl Behavior for IchimokuComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "ichimoku",
        family: Family::Trend,
        title: "Ichimoku cloud",
        help: "Whether the close lies above or below the cloud, and the conversion line above or below the base line.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bullish with the close above the cloud and the conversion line above the base line, bearish with \
                       both below, otherwise neutral.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "Lets longs pass where the signal would be bullish, shorts where it would be bearish.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "span + base",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer(
                "conversion",
                "Conversion line",
                "Candles of the conversion line.",
                candles(9, 2, 200),
            ),
            ParameterEntry::integer(
                "base",
                "Base line",
                "Candles of the base line, and by how many the cloud is drawn ahead.",
                candles(26, 3, 300),
            ),
            ParameterEntry::integer(
                "span",
                "Span B",
                "Candles of the slow edge of the cloud.",
                candles(52, 4, 600),
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let [conversion, base, span] = ["conversion", "base", "span"].map(|name| parameters.integer(name));
        let mut problems = Vec::new();
        let mut rising = |name: &str, short: u32, next: &str, long: u32| {
            if short >= long {
                problems.push(Problem::new(
                    format!("parameters.{name}"),
                    code::CONTRADICTION,
                    format!("{name} ({short}) is not shorter than {next} ({long})."),
                    format!("Make {name} smaller than {next}."),
                ));
            }
        };
        rising("conversion", conversion, "base", base);
        rising("base", base, "span", span);
        if !problems.is_empty() {
            return Err(problems);
        }
        let periods = IchimokuPeriods { conversion, base, span };
        Ok(Self { role, warmup_candles: periods.warmup_candles(), lines: Ichimoku::new(periods) })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup_candles
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let lines = self.lines.update(&inputs.candle.floats);
        let (Some(conversion), Some(base), Some(span_a), Some(span_b)) =
            (lines.conversion, lines.base, lines.span_a, lines.span_b)
        else {
            return Reading::WARMING_UP;
        };
        let close = inputs.candle.floats.close;
        let (top, bottom) = (span_a.max(span_b), span_a.min(span_b));
        let edge = if close >= f64::midpoint(top, bottom) { top } else { bottom };
        let direction = if close > top && conversion > base {
            Direction::Long
        } else if close < bottom && conversion < base {
            Direction::Short
        } else {
            Direction::Neutral
        };
        match self.role {
            Role::Signal => Reading::signal(direction, close, Some(edge)),
            Role::Filter | Role::EntryGuard | Role::RiskGate => only_toward(direction, close, Some(edge)),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let [conversion, base, span] = ["conversion", "base", "span"].map(|name| parameters.integer(name));
        let name = format!("Ichimoku({conversion}, {base}, {span})");
        match role {
            Role::Signal => format!(
                "bullish while the close is above the {name} cloud and the conversion line above the base line, bearish while both are below"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "lets longs pass while the close is above the {name} cloud and the conversion line above the base line, shorts while both are below"
            ),
        }
    }
}
