//! Reads the exit rules of a template into numbers.
//!
//! Names, types and ranges are checked by [`Parameters`]; rules over several exits (a target in multiples of the risk
//! needs a hard stop) are checked where whole templates are.

use keyhold_domain::{Decimal, ReasonCode};

use super::{
    BreakEven, Chandelier, Distance, ExitPlan, Flip, TargetRule, TimeStop, Trailing, Volatility,
    VolatilityMode,
};
use crate::catalog::ExitKind;
use crate::component::Parameters;
use crate::problem::{Problem, code};
use crate::template::{Enabled, ExitSpec};

impl ExitPlan {
    /// The enabled rules with their parameters. All problems at once, with paths such as `exits[1].parameters.pct`.
    pub fn compile(exits: &[ExitSpec]) -> Result<Self, Vec<Problem>> {
        let mut plan = Self::default();
        let mut problems = Vec::new();
        for (index, spec) in exits.iter().enumerate() {
            if spec.enabled == Enabled::No {
                continue;
            }
            let path = format!("exits[{index}]");
            let Some(kind) = ExitKind::from_name(&spec.kind) else {
                problems.push(unknown(&spec.kind).under(&path));
                continue;
            };
            match Parameters::check(kind.entry().parameters, &spec.parameters) {
                Ok(parameters) => plan.add(kind, &parameters),
                Err(more) => problems.extend(more.into_iter().map(|problem| problem.under(&path))),
            }
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    fn add(&mut self, kind: ExitKind, parameters: &Parameters) {
        match kind {
            ExitKind::HardStop => self.hard_stop = Some(stop_distance(parameters)),
            ExitKind::BreakEven => {
                self.break_even = Some(BreakEven {
                    activation_pct: parameters.number("activation_pct"),
                    offset_pct: parameters.number("offset_pct"),
                });
            }
            ExitKind::TrailingStop => {
                self.trailing = Some(Trailing {
                    distance_pct: parameters.number("distance_pct"),
                    activation_pct: parameters.number("activation_pct"),
                });
            }
            ExitKind::Chandelier => {
                self.chandelier = Some(Chandelier {
                    period: parameters.integer("period"),
                    multiple: parameters.float("atr_mult"),
                });
            }
            ExitKind::TakeProfit => self.targets = target_rules(parameters),
            ExitKind::VolatilityExit => {
                self.volatility = Some(Volatility {
                    period: parameters.integer("atr_period"),
                    multiple: parameters.float("expansion_mult"),
                    mode: match parameters.choice("mode") {
                        "contraction" => VolatilityMode::Contraction,
                        _ => VolatilityMode::Expansion,
                    },
                });
            }
            ExitKind::TimeStop => {
                self.time = Some(TimeStop {
                    max_candles: parameters.integer("max_candles"),
                    only_below_pct: parameters.optional_number("only_if_profit_below"),
                });
            }
            ExitKind::SignalFlip => self.flip = Some(Flip),
        }
    }

    /// Closed candles needed before a position could be given all its levels.
    pub fn warmup_candles(&self) -> u32 {
        let atr = |period: Option<u32>| period.map_or(0, |period| period.saturating_add(1));
        [
            atr(self.hard_stop.and_then(Distance::atr_period)),
            atr(self.targets.iter().find_map(|target| target.distance.atr_period())),
            atr(self.volatility.map(|rule| rule.period)),
            atr(self.chandelier.map(|rule| rule.period)),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// The reason a rule leaves with.
pub const fn reason(kind: ExitKind) -> ReasonCode {
    match kind {
        ExitKind::HardStop => ReasonCode::ExitHardStop,
        ExitKind::BreakEven => ReasonCode::ExitBreakEven,
        ExitKind::TrailingStop => ReasonCode::ExitTrailingStop,
        ExitKind::Chandelier => ReasonCode::ExitChandelier,
        ExitKind::TakeProfit => ReasonCode::ExitTakeProfit,
        ExitKind::VolatilityExit => ReasonCode::ExitVolatility,
        ExitKind::TimeStop => ReasonCode::ExitTimeStop,
        ExitKind::SignalFlip => ReasonCode::ExitSignalFlip,
    }
}

fn atr_distance(parameters: &Parameters) -> Distance {
    Distance::Atr { period: parameters.integer("atr_period"), multiple: parameters.float("atr_mult") }
}

fn stop_distance(parameters: &Parameters) -> Distance {
    match parameters.choice("basis") {
        "atr" => atr_distance(parameters),
        _ => Distance::Percent(parameters.number("pct")),
    }
}

fn target_rules(parameters: &Parameters) -> Vec<TargetRule> {
    let whole = |distance| vec![TargetRule { distance, share: Decimal::ONE }];
    match parameters.choice("basis") {
        "atr" => whole(atr_distance(parameters)),
        "r_multiple" => whole(Distance::Risk(parameters.number("r_multiple"))),
        "ladder" => parameters
            .ladder("ladder")
            .iter()
            .map(|step| TargetRule { distance: Distance::Percent(step.pct.0), share: step.share.0 })
            .collect(),
        _ => whole(Distance::Percent(parameters.number("pct"))),
    }
}

fn unknown(kind: &str) -> Problem {
    let known: Vec<_> = ExitKind::ALL.into_iter().map(ExitKind::as_str).collect();
    Problem::new(
        "kind",
        code::UNKNOWN_KIND,
        format!("There is no exit rule `{kind}`."),
        format!("Use one of: {}.", known.join(", ")),
    )
}
