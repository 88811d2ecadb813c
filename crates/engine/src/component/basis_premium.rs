//! `basis_premium`: how far the contract has run away from what it follows.
//!
//! The premium is how far the mark price lies above the index price, in percent of the index. A high premium means that
//! longs pay up for leverage: the long side is crowded. The reading's value is the premium, its limit the threshold of
//! its sign.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters, both_ways, except, opposite};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, decimals};
use crate::input::Inputs;
use crate::market::MarketFacts;
use crate::problem::Problem;
use crate::reading::{Check, Direction, Reading};
use crate::template::Role;

/// What a large premium leads to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// Signal against the crowd.
    Fade,
    /// Gate: no entry at all.
    BlockBoth,
    /// Gate: no entry with the crowd.
    BlockCrowded,
}

/// Mark price against index price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BasisPremium {
    threshold: f64,
    usage: Use,
}

impl Behavior for BasisPremium {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "basis_premium",
        family: Family::Derivatives,
        title: "Basis premium",
        help: "How far the contract's mark price lies above or below the index it follows.",
        roles: &[
            RoleEntry {
                role: Role::Signal,
                help: "Bearish while the contract is much dearer than its index, bullish while it is much cheaper.",
            },
            RoleEntry {
                role: Role::RiskGate,
                help: "While the premium is large, blocks both sides or only the crowded one.",
            },
        ],
        needs: DataNeeds::PREMIUM,
        warmup: "1",
        unit: Unit::Percent,
        parameters: &[
            ParameterEntry::number(
                "threshold_pct",
                "Large from",
                "Distance from the index, on either side, from which on the premium counts as large.",
                decimals(Unit::Percent, ["0.3", "0.01", "20", "0.05"]),
            ),
            ParameterEntry::choice(
                "block",
                "Blocks",
                "Both sides, or only longs at a large premium and shorts at a large discount.",
                &["both", "crowded_side"],
            )
            .only_in(&[Role::RiskGate]),
        ],
    };

    fn prepare(role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let usage = match role {
            Role::Signal => Use::Fade,
            Role::Filter | Role::EntryGuard | Role::RiskGate if parameters.choice("block") == "both" => {
                Use::BlockBoth
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => Use::BlockCrowded,
        };
        Ok(Self { threshold: parameters.float("threshold_pct"), usage })
    }

    fn role(&self) -> Role {
        match self.usage {
            Use::Fade => Role::Signal,
            Use::BlockBoth | Use::BlockCrowded => Role::RiskGate,
        }
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let Some(premium) = inputs.market.and_then(MarketFacts::premium_pct) else {
            return Reading::NO_DATA;
        };
        let crowded = if premium >= self.threshold {
            Direction::Long
        } else if premium <= -self.threshold {
            Direction::Short
        } else {
            Direction::Neutral
        };
        let limit = Some(self.threshold.copysign(premium));
        match self.usage {
            Use::Fade => Reading::signal(opposite(crowded), premium, limit),
            Use::BlockCrowded => except(crowded, premium, limit),
            Use::BlockBoth => {
                let calm = crowded == Direction::Neutral;
                both_ways(if calm { Check::Pass } else { Check::Block }, premium, limit)
            }
        }
    }

    fn explain(role: Role, parameters: &Parameters) -> String {
        let threshold = parameters.number("threshold_pct");
        match role {
            Role::Signal => format!(
                "bearish while the mark price is {threshold} % or more above the index, bullish while it is as far below"
            ),
            Role::Filter | Role::EntryGuard | Role::RiskGate if parameters.choice("block") == "both" => {
                format!("blocks entries while mark price and index are {threshold} % or more apart")
            }
            Role::Filter | Role::EntryGuard | Role::RiskGate => format!(
                "blocks longs while the mark price is {threshold} % or more above the index, shorts while it is as far below"
            ),
        }
    }
}
