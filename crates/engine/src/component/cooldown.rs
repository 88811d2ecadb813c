//! `cooldown`: a pause after leaving the market in this instrument.
//!
//! It remembers nothing itself: how long ago the last exit was is a fact of the inputs. The reading's value is the
//! number of candles since then, its limit the number to wait.

use serde::{Deserialize, Serialize};

use super::{Behavior, Context, Parameters};
use crate::catalog::{ComponentEntry, DataNeeds, Family, ParameterEntry, RoleEntry, Unit, candles};
use crate::input::Inputs;
use crate::problem::Problem;
use crate::reading::{Check, Reading, Verdict};
use crate::template::Role;

/// Which exits start the pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum After {
    Any,
    Loss,
}

/// A pause after an exit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cooldown {
    candles: u32,
    after: After,
}

impl Behavior for Cooldown {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "cooldown",
        family: Family::EntryGuard,
        title: "Cooldown",
        help: "Waits a number of candles after an exit in the same instrument.",
        roles: &[RoleEntry {
            role: Role::EntryGuard,
            help: "Blocks entries until enough candles have closed since the exit.",
        }],
        needs: DataNeeds::CANDLES,
        warmup: "1",
        unit: Unit::Candles,
        parameters: &[
            ParameterEntry::integer(
                "candles",
                "Candles",
                "Closed candles to wait after the exit.",
                candles(3, 1, 10_000),
            ),
            ParameterEntry::choice(
                "after",
                "After",
                "Whether every exit starts the pause or only a losing one.",
                &["any", "loss"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let after = if parameters.choice("after") == "loss" { After::Loss } else { After::Any };
        Ok(Self { candles: parameters.integer("candles"), after })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let since = match self.after {
            After::Any => inputs.facts.candles_since_exit,
            After::Loss => inputs.facts.candles_since_loss,
        };
        let check = match since {
            Some(since) if since < self.candles => Check::Block,
            Some(_) | None => Check::Pass,
        };
        Reading {
            verdict: Verdict::Check { long: check, short: check },
            value: since.map(f64::from),
            limit: Some(f64::from(self.candles)),
        }
    }

    fn explain(_role: Role, parameters: &Parameters) -> String {
        let exit = if parameters.choice("after") == "loss" { "a losing exit" } else { "an exit" };
        format!("waits {} candles after {exit}", parameters.integer("candles"))
    }
}
