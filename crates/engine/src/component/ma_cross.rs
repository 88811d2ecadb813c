//! `ema_cross` and `sma_cross`: a fast moving average against a slow one.
//!
//! Compares closes only. The reading's value is the fast average, its limit the slow one.

use serde::{Deserialize, Serialize};

use super::crossing::Crossing;
use super::{Behavior, Context, Parameters, sign};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::indicator::{Ema, Sma};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::Reading;
use crate::template::Role;

/// Whether a condition counts while it holds or only on the candle on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trigger {
    State,
    Event(Crossing),
}

const TRIGGER: ParameterEntry = ParameterEntry::choice(
    "trigger",
    "Trigger",
    "state: as long as one average is above the other; event: only on the candle of the crossing.",
    &["state", "event"],
);

impl Trigger {
    fn from_parameters(parameters: &Parameters) -> Self {
        if parameters.choice(TRIGGER.name) == "event" {
            Self::Event(Crossing::default())
        } else {
            Self::State
        }
    }

    /// The verdict on a pair of averages; warming up on the first pair of an event.
    fn judge(&mut self, fast: f64, slow: f64) -> Reading {
        let direction = match self {
            Self::State => Some(sign(fast - slow)),
            Self::Event(crossing) => crossing.update(fast - slow),
        };
        direction.map_or(Reading::WARMING_UP, |direction| Reading::signal(direction, fast, Some(slow)))
    }

    /// Candles beyond those of the slow average.
    const fn extra_candles(self) -> u32 {
        match self {
            Self::State => 0,
            Self::Event(_) => 1,
        }
    }
}

/// The rule that makes one average the fast one.
fn check_order(parameters: &Parameters) -> Result<(u32, u32), Vec<Problem>> {
    let (fast, slow) = (parameters.integer("fast"), parameters.integer("slow"));
    if fast < slow {
        return Ok((fast, slow));
    }
    Err(vec![Problem::new(
        "parameters.fast",
        code::CONTRADICTION,
        format!("The fast average ({fast}) is not shorter than the slow one ({slow})."),
        "Make fast smaller than slow.",
    )])
}

fn sentence(name: &str, parameters: &Parameters) -> String {
    let (fast, slow) = (parameters.integer("fast"), parameters.integer("slow"));
    if parameters.choice(TRIGGER.name) == "event" {
        format!(
            "bullish on the candle on which the {fast}-candle {name} crosses above the {slow}-candle {name}, bearish when it crosses below"
        )
    } else {
        format!(
            "bullish while the {fast}-candle {name} is above the {slow}-candle {name}, bearish while it is below"
        )
    }
}

/// Exponential averages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmaCross {
    slow_period: u32,
    fast: Ema,
    slow: Ema,
    trigger: Trigger,
}

impl Behavior for EmaCross {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "ema_cross",
        family: Family::Trend,
        title: "EMA crossover",
        help: "Compares a fast exponential moving average of the closes with a slow one.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish with the fast average above the slow one, bearish below.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "slow, one more with trigger event",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("fast", "Fast", "Length of the fast average.", candles(12, 2, 200)),
            ParameterEntry::integer("slow", "Slow", "Length of the slow average.", candles(26, 3, 500)),
            TRIGGER,
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (fast, slow) = check_order(parameters)?;
        let trigger = Trigger::from_parameters(parameters);
        Ok(Self { slow_period: slow, fast: Ema::new(fast), slow: Ema::new(slow), trigger })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.slow_period + self.trigger.extra_candles()
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let close = inputs.candle.floats.close;
        match (self.fast.update(close), self.slow.update(close)) {
            (Some(fast), Some(slow)) => self.trigger.judge(fast, slow),
            (_, None) | (None, _) => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        sentence("EMA", parameters)
    }
}

/// Simple averages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmaCross {
    slow_period: u32,
    fast: Sma,
    slow: Sma,
    trigger: Trigger,
}

impl Behavior for SmaCross {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "sma_cross",
        family: Family::Trend,
        title: "SMA crossover",
        help: "Compares a fast simple moving average of the closes with a slow one.",
        roles: &[RoleEntry {
            role: Role::Signal,
            help: "Bullish with the fast average above the slow one, bearish below.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "slow, one more with trigger event",
        unit: Unit::Price,
        parameters: &[
            ParameterEntry::integer("fast", "Fast", "Length of the fast average.", candles(20, 2, 200)),
            ParameterEntry::integer("slow", "Slow", "Length of the slow average.", candles(50, 3, 500)),
            TRIGGER,
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let (fast, slow) = check_order(parameters)?;
        let trigger = Trigger::from_parameters(parameters);
        Ok(Self { slow_period: slow, fast: Sma::new(fast), slow: Sma::new(slow), trigger })
    }

    fn role(&self) -> Role {
        Role::Signal
    }

    fn warmup_candles(&self) -> u32 {
        self.slow_period + self.trigger.extra_candles()
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let close = inputs.candle.floats.close;
        match (self.fast.update(close), self.slow.update(close)) {
            (Some(fast), Some(slow)) => self.trigger.judge(fast, slow),
            (_, None) | (None, _) => Reading::WARMING_UP,
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        sentence("SMA", parameters)
    }
}
