//! `volatility_regime`: how volatile the market is compared with its own past, in four classes.
//!
//! The measure is the ATR in percent of the close, ranked among its last values; so the same template fits quiet and wild
//! instruments. The reading's value is the percentile, 0 to 100, its limit the cut point of its class or the nearer one.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways};
use crate::catalog::{
    ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Shape, Unit, candles, decimals,
};
use crate::indicator::{Atr, Ranking};
use crate::input::Inputs;
use crate::problem::{Problem, code};
use crate::reading::{Check, Reading};
use crate::template::Role;

/// A class of volatility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Regime {
    Low,
    Normal,
    High,
    Extreme,
}

/// Percentiles at which the classes begin or end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Cuts {
    low: f64,
    high: f64,
    extreme: f64,
}

impl Cuts {
    /// The class of a percentile and the cut point to show beside it. Reaching a cut point counts.
    fn class(self, percentile: f64) -> (Regime, f64) {
        if percentile >= self.extreme {
            (Regime::Extreme, self.extreme)
        } else if percentile >= self.high {
            (Regime::High, self.high)
        } else if percentile <= self.low {
            (Regime::Low, self.low)
        } else {
            let nearer_low = percentile < f64::midpoint(self.low, self.high);
            (Regime::Normal, if nearer_low { self.low } else { self.high })
        }
    }
}

/// Volatility against its own past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolatilityRegime {
    role: Role,
    warmup: u32,
    cuts: Cuts,
    allowed: Vec<Regime>,
    atr: Atr,
    ranking: Ranking,
}

const ALLOWED: ParameterEntry = ParameterEntry {
    name: "allowed",
    title: "Allowed",
    help: "The classes of volatility in which to enter.",
    shape: Shape::Choices {
        choices: &["low", "normal", "high", "extreme"],
        default: &["low", "normal", "high"],
    },
    roles: &[],
    applies_if: None,
};

impl Behavior for VolatilityRegime {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "volatility_regime",
        family: Family::Volatility,
        title: "Volatility regime",
        help: "Classifies the ATR, in percent of the price, as low, normal, high or extreme by its rank among its last \
               values.",
        roles: &[
            RoleEntry { role: Role::Filter, help: "Lets entries pass only in the classes allowed." },
            RoleEntry { role: Role::RiskGate, help: "Blocks entries outside of the classes allowed." },
        ],
        needs: DataNeeds::CANDLES,
        warmup: "period + lookback",
        unit: Unit::Points,
        parameters: &[
            ParameterEntry::integer("period", "ATR period", "Candles of the ATR.", candles(14, 2, 200)),
            ParameterEntry::integer(
                "lookback",
                "Compared with",
                "Values among which the newest is ranked, itself included.",
                candles(500, 10, 5000),
            ),
            ParameterEntry::number(
                "low_to",
                "Low up to",
                "Up to this percentile volatility is low.",
                decimals(Unit::Points, ["20", "0", "100", "1"]),
            ),
            ParameterEntry::number(
                "high_from",
                "High from",
                "From this percentile on volatility is high.",
                decimals(Unit::Points, ["80", "0", "100", "1"]),
            ),
            ParameterEntry::number(
                "extreme_from",
                "Extreme from",
                "From this percentile on volatility is extreme.",
                decimals(Unit::Points, ["95", "0", "100", "1"]),
            ),
            ALLOWED,
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let problems = check(parameters);
        if !problems.is_empty() {
            return Err(problems);
        }
        let cuts = Cuts {
            low: parameters.float("low_to"),
            high: parameters.float("high_from"),
            extreme: parameters.float("extreme_from"),
        };
        let allowed = parameters.choices(ALLOWED.name).iter().map(|word| match *word {
            "low" => Regime::Low,
            "normal" => Regime::Normal,
            "high" => Regime::High,
            _ => Regime::Extreme,
        });
        let (period, lookback) = (parameters.integer("period"), parameters.integer("lookback"));
        Ok(Self {
            role,
            warmup: period + lookback,
            cuts,
            allowed: allowed.collect(),
            atr: Atr::new(period),
            ranking: Ranking::new(lookback),
        })
    }

    fn role(&self) -> Role {
        self.role
    }

    fn warmup_candles(&self) -> u32 {
        self.warmup
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let candle = &inputs.candle.floats;
        let percent = self.atr.update(candle).map(|atr| super::atr::percent_of_close(atr, candle));
        let Some(percentile) = percent.and_then(|percent| self.ranking.update(percent)) else {
            return Reading::WARMING_UP;
        };
        let (regime, limit) = self.cuts.class(percentile);
        let check = if self.allowed.contains(&regime) { Check::Pass } else { Check::Block };
        both_ways(check, percentile, Some(limit))
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let verb = if role == Role::RiskGate { "blocks entries unless" } else { "lets entries pass while" };
        format!(
            "{verb} volatility is {}: the rank of ATR({}) in percent among its last {} values, low up to {}, high from {}, extreme from {}",
            parameters.choices(ALLOWED.name).join(" or "),
            parameters.integer("period"),
            parameters.integer("lookback"),
            parameters.number("low_to"),
            parameters.number("high_from"),
            parameters.number("extreme_from")
        )
    }
}

fn check(parameters: &Parameters) -> Vec<Problem> {
    let mut problems = Vec::new();
    let [low, high, extreme] = ["low_to", "high_from", "extreme_from"].map(|name| parameters.number(name));
    for (name, lower, upper, next) in
        [("low_to", low, high, "high_from"), ("high_from", high, extreme, "extreme_from")]
    {
        if lower >= upper {
            problems.push(Problem::new(
                format!("parameters.{name}"),
                code::CONTRADICTION,
                format!("The cut point {name} ({lower}) is not below {next} ({upper})."),
                "Write cut points that rise from low_to over high_from to extreme_from.",
            ));
        }
    }
    if parameters.choices(ALLOWED.name).is_empty() {
        problems.push(Problem::new(
            format!("parameters.{}", ALLOWED.name),
            code::NOTHING_CHOSEN,
            "No class of volatility is allowed, so nothing could ever be entered.",
            "Allow at least one of: low, normal, high, extreme.",
        ));
    }
    problems
}
