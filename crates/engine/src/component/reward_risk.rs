//! `reward_risk`: the way to the target must be worth the way to the stop.
//!
//! The stop is the template's own hard stop. The target is its take profit (of a ladder the mean of the steps, weighted by
//! their shares), or a band or level in the trade's direction. Distances are those the exits would set at the close, before
//! they are rounded to ticks. The reading's value is the smaller of the ratios up and down, its limit the least allowed.

use serde::{Deserialize, Serialize};

use super::way::{self, Reach, Way};
use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::exit_rule::{Distance, ExitDistances};
use crate::indicator::Atr;
use crate::input::{Inputs, Ohlcv, decimal_to_f64};
use crate::problem::{Problem, code};
use crate::reading::{Check, Reading};
use crate::template::Role;

/// Target against stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RewardRisk {
    min: f64,
    measure: Measure,
}

/// How the ratio comes about.
#[expect(
    clippy::large_enum_variant,
    reason = "one in a component: a pointer would cost more than the room it saves"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Measure {
    /// The exits alone decide it.
    Always(f64),
    Exits {
        stop: Length,
        target: Length,
    },
    Market {
        stop: Length,
        way: Way,
    },
}

/// A distance from the close.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Length {
    /// Of the price.
    Fraction(f64),
    Atr {
        multiple: f64,
        period: u32,
        atr: Atr,
    },
}

/// The share by which a ratio may fall short without being less: rounding in the last digits of floats.
const ROUNDING: f64 = 1e-12;

impl Behavior for RewardRisk {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "reward_risk",
        family: Family::EntryGuard,
        title: "Reward to risk",
        help: "Refuses entries whose target is not far enough away, measured by the distance to the hard stop.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries whose distance to the target is less than a multiple of that to the hard stop.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "what the template's ATR exits need, with target band or level at least band_period or lookback + pivot; 1 \
                 when the exits alone decide",
        unit: Unit::Multiple,
        parameters: &[
            ParameterEntry::number(
                "min",
                "Least ratio",
                "Least distance to the target, as a multiple of the distance to the hard stop.",
                decimals(Unit::Multiple, ["1.5", "0.1", "50", "0.1"]),
            ),
            ParameterEntry::choice(
                "target",
                "Target",
                "take_profit: the template's own; band: the Bollinger band in the trade's direction; level: the next swing \
                 high or low in that direction.",
                &["take_profit", "band", "level"],
            ),
            way::BAND_PERIOD,
            way::BAND_MULT,
            way::LOOKBACK,
            way::PIVOT,
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>> {
        let min = parameters.float("min");
        let way = match parameters.choice("target") {
            "band" => Some(Way::band(parameters)),
            "level" => Some(Way::level(parameters)?),
            _ => None,
        };
        // Exits that cannot be read are reported where they stand; until then any will do.
        let exits = context.exits.unwrap_or(ExitDistances::UNKNOWN);
        let mut problems = Vec::new();
        if exits.stop.is_none() {
            problems.push(no_stop());
        }
        if exits.target.is_none() && way.is_none() {
            problems.push(no_target());
        }
        let (Some(stop), true) = (exits.stop, problems.is_empty()) else { return Err(problems) };
        let measure = match (way, exits.target) {
            (Some(way), _) => Measure::Market { stop: Length::of(stop), way },
            (None, Some(target)) => Measure::of_exits(stop, target),
            (None, None) => return Err(vec![no_target()]),
        };
        match measure {
            Measure::Always(ratio) if !reaches(ratio, 1.0, min) => Err(vec![never(parameters, ratio)]),
            Measure::Always(_) | Measure::Exits { .. } | Measure::Market { .. } => Ok(Self { min, measure }),
        }
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        match &self.measure {
            Measure::Always(_) => 1,
            Measure::Exits { stop, target } => stop.warmup_candles().max(target.warmup_candles()),
            Measure::Market { stop, way } => stop.warmup_candles().max(way.warmup_candles()),
        }
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let (risk, reach) = match &mut self.measure {
            Measure::Always(ratio) => (Some(1.0), Some(Reach { long: Some(*ratio), short: Some(*ratio) })),
            Measure::Exits { stop, target } => {
                let (stop, target) = (stop.update(candle), target.update(candle));
                (stop, target.map(|target| Reach { long: Some(target), short: Some(target) }))
            }
            Measure::Market { stop, way } => (stop.update(candle), way.update(candle)),
        };
        let (Some(risk), Some(reach)) = (risk, reach) else { return Reading::WARMING_UP };
        // No level in the way: the reward is not limited. A stop at no distance: there is nothing to divide by.
        let check = |reward: Option<f64>| match reward {
            Some(reward) if risk <= 0.0 || !reaches(reward, risk, self.min) => Check::Block,
            Some(_) | None => Check::Pass,
        };
        let reading = Reading::check(check(reach.long), check(reach.short), 0.0, Some(self.min));
        Reading { value: reach.shorter().filter(|_| risk > 0.0).map(|reward| reward / risk), ..reading }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let target = match parameters.choice("target") {
            "take_profit" => String::from("the distance to the take profit"),
            _ => way::name(parameters),
        };
        let min = parameters.number("min");
        format!("blocks entries for which {target} is less than {min} times the distance to the hard stop")
    }
}

fn reaches(reward: f64, risk: f64, min: f64) -> bool {
    reward >= min * risk * (1.0 - ROUNDING)
}

impl Measure {
    fn of_exits(stop: Distance, target: Distance) -> Self {
        match (stop, target) {
            (_, Distance::Risk(multiple)) => Self::Always(decimal_to_f64(multiple)),
            (Distance::Percent(stop), Distance::Percent(target)) if !stop.is_zero() => {
                Self::Always(decimal_to_f64(target) / decimal_to_f64(stop))
            }
            (Distance::Atr { period, multiple: stop }, Distance::Atr { period: same, multiple: target })
                if period == same && stop > 0.0 =>
            {
                Self::Always(target / stop)
            }
            (stop, target) => Self::Exits { stop: Length::of(stop), target: Length::of(target) },
        }
    }
}

impl Length {
    fn of(distance: Distance) -> Self {
        match distance {
            Distance::Percent(percent) => Self::Fraction(decimal_to_f64(percent) / 100.0),
            Distance::Atr { period, multiple } => Self::Atr { multiple, period, atr: Atr::new(period) },
            // A hard stop is never a multiple of itself, and such a target has been answered.
            Distance::Risk(_) => Self::Fraction(0.0),
        }
    }

    const fn warmup_candles(&self) -> u32 {
        match self {
            Self::Fraction(_) => 1,
            Self::Atr { period, .. } => Atr::warmup_candles(*period),
        }
    }

    fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        match self {
            Self::Fraction(fraction) => Some(*fraction * candle.close),
            Self::Atr { multiple, atr, .. } => Some(*multiple * atr.update(candle)?),
        }
    }
}

fn no_stop() -> Problem {
    Problem::new(
        "",
        code::NEEDS_HARD_STOP,
        "This guard measures the distance to the hard stop, and the template has none.",
        "Enable a hard_stop, or remove this guard.",
    )
}

fn no_target() -> Problem {
    Problem::new(
        "parameters.target",
        code::NEEDS_TAKE_PROFIT,
        "This guard measures the distance to the take profit, and the template has none.",
        "Enable a take_profit, choose the target band or level, or remove this guard.",
    )
}

/// The exits alone decide the ratio, and it is too small: no entry would ever pass.
fn never(parameters: &Parameters, ratio: f64) -> Problem {
    Problem::new(
        "parameters.min",
        code::CONTRADICTION,
        format!(
            "The template's take profit is always {ratio:.2} times as far as its hard stop, less than {}: no entry would ever pass.",
            parameters.number("min")
        ),
        "Lower min, move the take profit away or the hard stop nearer.",
    )
}
