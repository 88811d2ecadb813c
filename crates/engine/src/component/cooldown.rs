//! `cooldown`: a pause after leaving the market, in this instrument or anywhere with the same bot.
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

/// Whose exits start the pause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Symbol,
    Bot,
}

/// A pause after an exit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cooldown {
    candles: u32,
    after: After,
    #[serde(default)]
    scope: Scope,
}

impl Cooldown {
    pub(super) fn watches_the_bot(&self) -> bool {
        self.scope == Scope::Bot
    }
}

impl Behavior for Cooldown {
    const ENTRY: ComponentEntry = ComponentEntry {
        kind: "cooldown",
        family: Family::EntryGuard,
        title: "Cooldown",
        help: "Waits a number of candles after an exit in the same instrument, or anywhere with the same bot.",
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
            ParameterEntry::choice(
                "scope",
                "Counts exits of",
                "symbol: this instrument only; bot: every instrument of the bot.",
                &["symbol", "bot"],
            ),
        ],
    };

    fn prepare(_role: Role, parameters: &Parameters, _context: Context) -> Result<Self, Vec<Problem>> {
        let after = if parameters.choice("after") == "loss" { After::Loss } else { After::Any };
        let scope = if parameters.choice("scope") == "bot" { Scope::Bot } else { Scope::Symbol };
        Ok(Self { candles: parameters.integer("candles"), after, scope })
    }

    fn role(&self) -> Role {
        Role::EntryGuard
    }

    fn warmup_candles(&self) -> u32 {
        1
    }

    fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
        let since = match (self.scope, self.after) {
            (Scope::Symbol, After::Any) => inputs.facts.candles_since_exit,
            (Scope::Symbol, After::Loss) => inputs.facts.candles_since_loss,
            (Scope::Bot, After::Any) => inputs.facts.candles_since_bot_exit,
            (Scope::Bot, After::Loss) => inputs.facts.candles_since_bot_loss,
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
        let place = if parameters.choice("scope") == "bot" { " in any instrument of the bot" } else { "" };
        format!("waits {} candles after {exit}{place}", parameters.integer("candles"))
    }
}
