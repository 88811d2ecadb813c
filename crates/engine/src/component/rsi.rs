//! `rsi`: Wilder's relative strength index of the closes.
//!
//! The reading's value is the index, its limit the level it was compared with.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, only_toward, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles, decimals};
use crate::indicator::Rsi;
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// The middle of the scale.
const MIDDLE: f64 = 50.0;

/// What is done with the index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Signal on leaving a zone; remembers the index of the candle before.
    LeavingZone { previous: Option<f64> },
    /// Signal by the side of 50.
    Side,
    /// Filter: no long in the high zone, no short in the low zone.
    OutsideZone,
    /// Filter: longs above 50, shorts below.
    OnSide,
}

/// Relative strength index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RsiComponent {
    period: u32,
    low: f64,
    high: f64,
    mode: Mode,
    rsi: Rsi,
}

impl Behavior for RsiComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "rsi",
        family: Family::Momentum,
        title: "RSI",
        help: "Wilder's relative strength index: how one-sided the last changes were, 0 to 100.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "reversal: bullish on the candle that leaves the low zone upward, bearish on the one that leaves the \
                       high zone downward; trend: bullish above 50, bearish below.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "reversal: blocks longs in the high zone and shorts in the low zone; trend: lets longs pass above 50 \
                       and shorts below.",
            },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + 1, one more as a signal with mode reversal",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "Period", "Changes averaged.", candles(14, 2, 200)),
            ParameterEntry::number(
                "low",
                "Low zone",
                "At or below it the market counts as oversold.",
                decimals(Unit::Points, ["30", "1", "50", "1"]),
            )
            .only_if("mode", "reversal"),
            ParameterEntry::number(
                "high",
                "High zone",
                "At or above it the market counts as overbought.",
                decimals(Unit::Points, ["70", "50", "99", "1"]),
            )
            .only_if("mode", "reversal"),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "reversal trades against an exhausted move, trend with the stronger side.",
                &["reversal", "trend"],
            ),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        if low >= high {
            return Err(vec![Problem::new(
                "parameters.low",
                code::CONTRADICTION,
                format!("The low zone ({low}) does not lie below the high zone ({high})."),
                "Make low smaller than high.",
            )]);
        }
        let trend = parameters.choice("mode") == "trend";
        let mode = match role {
            Role::Filter if trend => Mode::OnSide,
            Role::Filter => Mode::OutsideZone,
            Role::Signal | Role::EntryGuard | Role::RiskGate if trend => Mode::Side,
            Role::Signal | Role::EntryGuard | Role::RiskGate => Mode::LeavingZone { previous: None },
        };
        let period = parameters.integer("period");
        Ok(Self {
            period,
            low: parameters.float("low"),
            high: parameters.float("high"),
            mode,
            rsi: Rsi::new(period),
        })
    }

    fn role(&self) -> Role {
        match self.mode {
            Mode::LeavingZone { .. } | Mode::Side => Role::Signal,
            Mode::OutsideZone | Mode::OnSide => Role::Filter,
        }
    }

    fn warmup_candles(&self) -> u32 {
        match self.mode {
            Mode::LeavingZone { .. } => self.period + 2,
            Mode::Side | Mode::OutsideZone | Mode::OnSide => self.period + 1,
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(rsi) = self.rsi.update(inputs.candle.floats.close) else { return Reading::WARMING_UP };
        // The zone that is nearer is the one a reader compares with.
        let zone = if rsi < MIDDLE { self.low } else { self.high };
        match &mut self.mode {
            Mode::LeavingZone { previous } => {
                let Some(previous) = previous.replace(rsi) else { return Reading::WARMING_UP };
                let direction = if previous <= self.low && rsi > self.low {
                    Direction::Long
                } else if previous >= self.high && rsi < self.high {
                    Direction::Short
                } else {
                    Direction::Neutral
                };
                Reading::signal(direction, rsi, Some(zone))
            }
            Mode::Side => Reading::signal(sign(rsi - MIDDLE), rsi, Some(MIDDLE)),
            Mode::OutsideZone => {
                let long = if rsi >= self.high { Check::Block } else { Check::Pass };
                let short = if rsi <= self.low { Check::Block } else { Check::Pass };
                Reading::check(long, short, rsi, Some(zone))
            }
            Mode::OnSide => only_toward(sign(rsi - MIDDLE), rsi, Some(MIDDLE)),
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let name = format!("RSI({})", parameters.integer("period"));
        let (low, high) = (parameters.number("low"), parameters.number("high"));
        match (parameters.choice("mode") == "trend", role == Role::Filter) {
            (true, true) => format!("lets longs pass while {name} is above 50 and shorts while it is below"),
            (true, false) => format!("bullish while {name} is above 50, bearish while it is below"),
            (false, true) => format!(
                "blocks longs while {name} is at {high} or higher and shorts while it is at {low} or lower"
            ),
            (false, false) => format!(
                "bullish on the candle on which {name} rises back above {low}, bearish on the one on which it falls back below {high}"
            ),
        }
    }
}
