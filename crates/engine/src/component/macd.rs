//! `macd`: the difference of two exponential averages, its signal line and their histogram.
//!
//! Cross and histogram: the reading's value is the MACD line, its limit the signal line. Zero: limit 0.

use serde::{Deserialize, Serialize};

use super::crossing::Crossing;
use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{Macd, MacdPeriods};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::Reading;
use crate::template::Role;

/// What is done with the lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// On the candle on which the MACD line crosses its signal line.
    Cross(Crossing),
    /// By the side of zero of the MACD line.
    Zero,
    /// By the side of zero of the histogram.
    Histogram,
}

/// Moving average convergence/divergence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MacdComponent {
    slow_period: u32,
    signal_period: u32,
    mode: Mode,
    macd: Macd,
}

impl Behavior for MacdComponent {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "macd",
        family: Family::Trend,
        title: "MACD",
        help: "The distance between a fast and a slow exponential average, and that distance's own average, the signal line.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "cross: on the candle on which the MACD line crosses its signal line; zero: by the side of zero of the \
                   MACD line; histogram: as long as the MACD line is above (bullish) or below its signal line.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "slow with mode zero, slow + signal - 1 with histogram, slow + signal with cross",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("fast", "Fast", "Length of the fast average.", candles(12, 2, 200)),
            ParameterEntry::integer("slow", "Slow", "Length of the slow average.", candles(26, 3, 500)),
            ParameterEntry::integer(
                "signal",
                "Signal line",
                "Length of the signal line.",
                candles(9, 2, 200),
            ),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "cross is an event of one candle; zero and histogram hold as long as the side does.",
                &["cross", "zero", "histogram"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let [fast, slow, signal] = ["fast", "slow", "signal"].map(|name| parameters.integer(name));
        if fast >= slow {
            return Err(vec![Problem::new(
                "parameters.fast",
                code::CONTRADICTION,
                format!("The fast average ({fast}) is not shorter than the slow one ({slow})."),
                "Make fast smaller than slow.",
            )]);
        }
        let mode = match parameters.choice("mode") {
            "zero" => Mode::Zero,
            "histogram" => Mode::Histogram,
            _ => Mode::Cross(Crossing::default()),
        };
        let macd = Macd::new(MacdPeriods { fast, slow, signal });
        Ok(Self { slow_period: slow, signal_period: signal, mode, macd })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        match self.mode {
            Mode::Zero => self.slow_period,
            Mode::Histogram => self.slow_period + self.signal_period - 1,
            Mode::Cross(_) => self.slow_period + self.signal_period,
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(value) = self.macd.update(inputs.candle.floats.close) else { return Reading::WARMING_UP };
        let line = value.line;
        let (direction, limit) = match (&mut self.mode, value.signal) {
            (Mode::Zero, _) => (Some(sign(line)), 0.0),
            (Mode::Histogram | Mode::Cross(_), None) => (None, 0.0),
            (Mode::Histogram, Some(signal)) => (Some(sign(line - signal)), signal),
            (Mode::Cross(crossing), Some(signal)) => (crossing.update(line - signal), signal),
        };
        direction.map_or(Reading::WARMING_UP, |direction| Reading::signal(direction, line, Some(limit)))
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let [fast, slow, signal] = ["fast", "slow", "signal"].map(|name| parameters.integer(name));
        match parameters.choice("mode") {
            "zero" => format!(
                "bullish while the MACD({fast}, {slow}) line is above zero, bearish while it is below"
            ),
            "histogram" => format!(
                "bullish while the MACD({fast}, {slow}, {signal}) line is above its signal line, bearish while it is below"
            ),
            _ => format!(
                "bullish on the candle on which the MACD({fast}, {slow}, {signal}) line crosses above its signal line, bearish when it crosses below"
            ),
        }
    }
}
