//! `funding_rate`: what holding a position costs, and which side is crowded.
//!
//! A positive rate means that longs pay shorts: the long side is crowded. The thresholds are for 8 hours, and so is the
//! rate in the inputs: the plan scales what the venue charges per its own interval. The reading's value is the rate per
//! 8 hours in percent, its limit the threshold of its sign. Without a rate the component says so and a check blocks.

use keyhold_domain::Decimal;
use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, except, opposite};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::input::{Inputs, decimal_to_f64};
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// What an extreme rate means in the role at hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// Signal against the crowd.
    SignalFade,
    /// Signal with the crowd.
    SignalFollow,
    /// Filter: no entry with the crowd.
    FilterFade,
    /// Filter: no entry against the crowd.
    FilterFollow,
    /// Gate: no entry on the side that pays.
    GatePayingSide,
    /// Gate: no entry at all.
    GateBoth,
}

/// Funding rate against two thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FundingRate {
    /// As a fraction, like the next one.
    extreme_pos: f64,
    extreme_neg: f64,
    usage: Use,
}

impl Behavior for FundingRate {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "funding_rate",
        family: Family::Derivatives,
        title: "Funding rate",
        help: "The rate that longs pay to shorts (or receive, when it is negative), in percent per 8 hours.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "fade: bearish while crowded longs pay an extreme rate, bullish while crowded shorts do; follow: the \
                       other way round.",
            },
            RoleEntry {
                role: Role::Filter,
                help: "While the rate is extreme, fade blocks the crowded side and follow blocks the other side.",
            },
            RoleEntry {
                role: Role::RiskGate,
                help: "While the rate is extreme, blocks the side that pays it, or both sides.",
            },
        ],
        needs: DataNeeds::FUNDING,
        warmup: "1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::number(
                "extreme_pos",
                "Extreme from",
                "From this rate on longs count as crowded.",
                decimals(Unit::Percent, ["0.05", "0.001", "5", "0.005"]),
            ),
            ParameterEntry::number(
                "extreme_neg",
                "Extreme down to",
                "At this rate or below shorts count as crowded.",
                decimals(Unit::Percent, ["-0.05", "-5", "-0.001", "0.005"]),
            ),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "fade stands against the crowded side, follow goes with it.",
                &["fade", "follow"],
            )
            .only_in(&[Role::Signal, Role::Filter]),
            ParameterEntry::choice(
                "block",
                "Blocks",
                "Only the side that pays the rate, or both sides.",
                &["paying_side", "both"],
            )
            .only_in(&[Role::RiskGate]),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let follow = parameters.choice("mode") == "follow";
        let usage = match role {
            Role::Signal if follow => Use::SignalFollow,
            Role::Signal => Use::SignalFade,
            Role::Filter | Role::EntryGuard if follow => Use::FilterFollow,
            Role::Filter | Role::EntryGuard => Use::FilterFade,
            Role::RiskGate if parameters.choice("block") == "both" => Use::GateBoth,
            Role::RiskGate => Use::GatePayingSide,
        };
        // Divided as decimals, so that a rate of exactly the threshold is the same float and counts as reached.
        let fraction = |name| decimal_to_f64(parameters.number(name) / Decimal::ONE_HUNDRED);
        let (extreme_pos, extreme_neg) = (fraction("extreme_pos"), fraction("extreme_neg"));
        Ok(Self { extreme_pos, extreme_neg, usage })
    }

    fn role(&self) -> Role {
        match self.usage {
            Use::SignalFade | Use::SignalFollow => Role::Signal,
            Use::FilterFade | Use::FilterFollow => Role::Filter,
            Use::GatePayingSide | Use::GateBoth => Role::RiskGate,
        }
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(rate) = inputs.funding_rate.filter(|rate| rate.is_finite()) else { return Reading::NO_DATA };
        let percent = 100.0 * rate;
        let limit = Some(100.0 * if rate < 0.0 { self.extreme_neg } else { self.extreme_pos });
        let crowded = if rate >= self.extreme_pos {
            Direction::Long
        } else if rate <= self.extreme_neg {
            Direction::Short
        } else {
            Direction::Neutral
        };
        match self.usage {
            Use::SignalFollow => Reading::signal(crowded, percent, limit),
            Use::SignalFade => Reading::signal(opposite(crowded), percent, limit),
            Use::FilterFade | Use::GatePayingSide => except(crowded, percent, limit),
            Use::FilterFollow => except(opposite(crowded), percent, limit),
            Use::GateBoth => {
                let calm = crowded == Direction::Neutral;
                both_ways(if calm { Check::Pass } else { Check::Block }, percent, limit)
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let (pos, neg) = (parameters.number("extreme_pos"), parameters.number("extreme_neg"));
        let follow = parameters.choice("mode") == "follow";
        match role {
            Role::Signal if follow => {
                format!("bullish while funding is {pos} % or more, bearish while it is {neg} % or less")
            }
            Role::Signal => format!(
                "bearish while funding is {pos} % or more (longs are crowded), bullish while it is {neg} % or less (shorts are crowded)"
            ),
            Role::Filter | Role::EntryGuard => {
                let (first, second) = if follow { ("shorts", "longs") } else { ("longs", "shorts") };
                format!(
                    "blocks {first} while funding is {pos} % or more and {second} while it is {neg} % or less"
                )
            }
            Role::RiskGate if parameters.choice("block") == "both" => {
                format!("blocks entries while funding is {pos} % or more, or {neg} % or less")
            }
            Role::RiskGate => format!(
                "blocks the side that pays: longs while funding is {pos} % or more, shorts while it is {neg} % or less"
            ),
        }
    }
}
