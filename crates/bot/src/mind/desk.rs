//! Whether the bot may enter, and what it was told to do once. Pure; the wishes come from [`super::record`].

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{CommandId, Timestamp};
use keyhold_engine::BotEvent;
use keyhold_engine::event::{AtStop, Directive};
use keyhold_protocol::uplink::{Command, CommandOutcome, Entries, StopPolicy};
use serde::{Deserialize, Serialize};

use super::record::{Obstacle, Standing};

/// Commands remembered to recognize repeats.
const MOST_COMMANDS: usize = 256;

/// The owner's wishes and the bot's own reservations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desk {
    /// Of the newest assignment.
    pub generation: u64,
    entries: Entries,
    obstacles: BTreeSet<Obstacle>,
    commands: BTreeMap<CommandId, Told>,
    order: Vec<CommandId>,
    /// What the engine was told last; `None` when it starts with a fresh memory.
    said: Option<Said>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    command: Command,
    outcome: Option<CommandOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    running: Running,
    key: KeyUse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Running {
    Active,
    Paused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyUse {
    Everything,
    ExitsOnly,
}

/// The engine's own state at its birth.
const BORN: Said = Said { running: Running::Active, key: KeyUse::Everything };

impl Default for Desk {
    fn default() -> Self {
        Self {
            generation: 0,
            entries: Entries::Paused,
            obstacles: BTreeSet::new(),
            commands: BTreeMap::new(),
            order: Vec::new(),
            said: None,
        }
    }
}

/// Whether a command is new.
#[derive(Debug, Clone, PartialEq)]
pub enum Repeat {
    /// Never heard of.
    New,
    /// Heard of and under way.
    UnderWay,
    /// Done, with this outcome.
    Done(CommandOutcome),
}

impl Desk {
    /// The owner's newest word. `Allowed` also ends the pause after a flatten.
    pub fn wish(&mut self, generation: u64, entries: Entries) {
        if entries == Entries::Allowed && generation > self.generation {
            self.obstacles.remove(&Obstacle::Flattened);
        }
        self.generation = self.generation.max(generation);
        self.entries = entries;
    }

    /// Whether this is what the owner said last.
    pub fn is_known(&self, generation: u64, entries: Entries) -> bool {
        self.generation == generation && self.entries == entries
    }

    /// The bot's own reservation.
    pub fn note(&mut self, obstacle: Obstacle, standing: Standing) {
        match standing {
            Standing::Stands => self.obstacles.insert(obstacle),
            Standing::Gone => self.obstacles.remove(&obstacle),
        };
    }

    /// Whether an obstacle stands.
    pub fn has(&self, obstacle: Obstacle) -> bool {
        self.obstacles.contains(&obstacle)
    }

    /// Whether entries are allowed now, as far as owner and bot are concerned.
    pub fn enters(&self) -> bool {
        self.wanted() == BORN
    }

    /// Whether this command was heard before.
    pub fn repeat(&self, id: CommandId) -> Repeat {
        match self.commands.get(&id) {
            None => Repeat::New,
            Some(Told { outcome: None, .. }) => Repeat::UnderWay,
            Some(Told { outcome: Some(outcome), .. }) => Repeat::Done(outcome.clone()),
        }
    }

    /// Takes a command in. What the engine is to be told.
    pub fn command(&mut self, id: CommandId, command: Command) -> Option<Directive> {
        if self.order.len() >= MOST_COMMANDS {
            let oldest = self.order.remove(0);
            self.commands.remove(&oldest);
        }
        self.order.push(id);
        self.commands.insert(id, Told { command, outcome: None });
        match command {
            Command::Flatten => {
                self.obstacles.insert(Obstacle::Flattened);
                Some(Directive::Flatten)
            }
            Command::Stop { positions } => Some(stop(positions)),
            Command::InspectKey => None,
        }
    }

    /// A command has ended.
    pub fn ended(&mut self, id: CommandId, outcome: &CommandOutcome) {
        if let Some(told) = self.commands.get_mut(&id) {
            told.outcome = Some(outcome.clone());
        }
    }

    /// Commands under way, oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = (CommandId, Command)> + '_ {
        self.order.iter().filter_map(|id| {
            let told = self.commands.get(id)?;
            told.outcome.is_none().then_some((*id, told.command))
        })
    }

    /// Whether the bot was told to end.
    pub fn is_stopping(&self) -> bool {
        self.stop().is_some()
    }

    /// Whether everything that had to be done before the end is done.
    pub fn has_stopped(&self) -> bool {
        let stops = |(_, command)| matches!(command, Command::Stop { .. });
        self.is_stopping() && !self.under_way().any(stops)
    }

    fn stop(&self) -> Option<StopPolicy> {
        self.order.iter().rev().find_map(|id| match self.commands.get(id)?.command {
            Command::Stop { positions } => Some(positions),
            Command::Flatten | Command::InspectKey => None,
        })
    }

    fn wanted(&self) -> Said {
        let held = [Obstacle::Backlog, Obstacle::Flattened].iter().any(|one| self.obstacles.contains(one));
        let unfit = [Obstacle::KeyUnfit, Obstacle::AccountUnfit, Obstacle::LeaseLost]
            .iter()
            .any(|one| self.obstacles.contains(one));
        let running = if held || self.entries == Entries::Paused { Running::Paused } else { Running::Active };
        let exits_only = unfit || self.entries == Entries::KeyInactive;
        Said { running, key: if exits_only { KeyUse::ExitsOnly } else { KeyUse::Everything } }
    }

    /// The engine has a fresh memory and must be told everything again.
    pub fn forget_said(&mut self) {
        self.said = None;
    }

    /// What the engine must be told for it to know what is wanted.
    pub fn news(&mut self, at: Timestamp) -> Vec<BotEvent> {
        let (before, wanted) = (self.said.unwrap_or(BORN), self.wanted());
        let mut directives = Vec::new();
        if before.running != wanted.running {
            directives.push(match wanted.running {
                Running::Active => Directive::Resume,
                Running::Paused => Directive::Pause,
            });
        }
        if before.key != wanted.key {
            directives.push(match wanted.key {
                KeyUse::Everything => Directive::EntriesAllowed,
                KeyUse::ExitsOnly => Directive::ExitsOnly,
            });
        }
        if self.said.is_none() {
            directives.extend(self.stop().map(stop));
        }
        self.said = Some(wanted);
        directives.into_iter().map(|directive| BotEvent::Directed { directive, at }).collect()
    }
}

const fn stop(positions: StopPolicy) -> Directive {
    Directive::Stop {
        position: match positions {
            StopPolicy::Close => AtStop::Close,
            StopPolicy::Leave => AtStop::Leave,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(desk: &mut Desk) -> Vec<Directive> {
        let directive = |event| match event {
            BotEvent::Directed { directive, .. } => directive,
            other => panic!("{other:?}"),
        };
        desk.news(Timestamp::EPOCH).into_iter().map(directive).collect()
    }

    #[test]
    fn the_engine_hears_only_changes() {
        let mut desk = Desk::default();
        assert_eq!(said(&mut desk), [Directive::Pause], "nothing is allowed before the first assignment");
        desk.wish(1, Entries::Allowed);
        assert_eq!(said(&mut desk), [Directive::Resume]);
        assert_eq!(said(&mut desk), []);
        desk.wish(2, Entries::KeyInactive);
        desk.note(Obstacle::KeyUnfit, Standing::Stands);
        assert_eq!(said(&mut desk), [Directive::ExitsOnly]);
        desk.wish(3, Entries::Allowed);
        assert_eq!(said(&mut desk), [], "two reasons, and one of them stands");
        desk.note(Obstacle::KeyUnfit, Standing::Gone);
        assert_eq!(said(&mut desk), [Directive::EntriesAllowed]);
        assert!(desk.enters());
    }

    #[test]
    fn a_flatten_pauses_until_a_newer_assignment() {
        let mut desk = Desk::default();
        desk.wish(1, Entries::Allowed);
        said(&mut desk);
        let id = CommandId::from_u128(1);
        assert_eq!(desk.repeat(id), Repeat::New);
        assert_eq!(desk.command(id, Command::Flatten), Some(Directive::Flatten));
        assert_eq!(said(&mut desk), [Directive::Pause]);
        desk.ended(id, &CommandOutcome::Completed);
        assert_eq!(desk.repeat(id), Repeat::Done(CommandOutcome::Completed));
        desk.wish(1, Entries::Allowed);
        assert!(!desk.enters(), "the same assignment again is no new word");
        desk.wish(2, Entries::Allowed);
        assert_eq!(said(&mut desk), [Directive::Resume]);
    }

    #[test]
    fn commands_are_remembered_up_to_a_bound() {
        let mut desk = Desk::default();
        for number in 0..300 {
            desk.command(CommandId::from_u128(number), Command::InspectKey);
        }
        assert_eq!(desk.repeat(CommandId::from_u128(0)), Repeat::New);
        assert_eq!(desk.repeat(CommandId::from_u128(299)), Repeat::UnderWay);
        assert_eq!(desk.under_way().count(), MOST_COMMANDS);
    }
}
