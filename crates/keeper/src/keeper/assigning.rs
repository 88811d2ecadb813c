//! Verbs about who may use a key: at most one bot, and not while it is switched off.
//!
//! The keeper keeps its own table and trusts nobody's word on it. A key that was never assigned through here can be
//! leased by any bot that holds a ticket, as before these verbs existed; from the first `assign` on, only by that bot.

use keyhold_protocol::keeper::{Answer, Assignment, Exposure, KeyRef, RecordState, Refusal};
use keyhold_seal::EntropySource;

use super::{Asker, Keeper, Refused, by, opened};
use crate::audit::{Entry, Event};
use crate::clock::Now;
use crate::records::{KeyEntry, Use};

impl<E: EntropySource> Keeper<E> {
    /// What may be done with a key of a workspace that has at least one live version.
    fn key_entry(&mut self, of: KeyRef) -> Result<KeyEntry, Refused> {
        let records = opened(&mut self.custody)?.records();
        let mut versions =
            records.versions(of.key).filter(|(_, record)| record.workspace == of.workspace).peekable();
        if versions.peek().is_none() {
            return Err(Refused::new(Refusal::UnknownRecord, "key"));
        }
        if versions.all(|(_, record)| record.state == RecordState::Shredded) {
            return Err(Refused::new(Refusal::Shredded, "key"));
        }
        Ok(records.key(of.workspace, of.key))
    }

    pub(super) fn assign(&mut self, wanted: Assignment, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let entry = self.key_entry(KeyRef { workspace: wanted.workspace, key: wanted.key })?;
        if entry.usable == Use::Inactive {
            return Err(Refused::new(Refusal::KeyInactive, "assign"));
        }
        match entry.bot {
            Some(bot) if bot == wanted.bot => return Ok(Answer::Done),
            Some(_) => return Err(Refused::new(Refusal::KeyAssigned, "assign")),
            None => {}
        }
        if self.leases.of(wanted.key).is_some_and(|lease| lease.bot != wanted.bot) {
            return Err(Refused::new(Refusal::KeyInUse, "assign while another bot holds it"));
        }
        self.record(about(wanted, Event::Assign, asker, now))?;
        let entry = KeyEntry { bot: Some(wanted.bot), exposure: Exposure::Flat, ..entry };
        opened(&mut self.custody)?.set_key(wanted.key, entry)?;
        Ok(Answer::Done)
    }

    pub(super) fn unassign(&mut self, wanted: Assignment, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let records = opened(&mut self.custody)?.records();
        let entry = records.key(wanted.workspace, wanted.key);
        if entry.workspace != wanted.workspace || entry.bot != Some(wanted.bot) {
            return Err(Refused::new(Refusal::NotAssigned, "unassign"));
        }
        if self.leases.of(wanted.key).is_some() {
            return Err(Refused::new(Refusal::KeyInUse, "unassign while leased"));
        }
        if entry.exposure == Exposure::Open {
            return Err(Refused::new(Refusal::PositionOpen, "unassign"));
        }
        self.record(about(wanted, Event::Unassign, asker, now))?;
        opened(&mut self.custody)?.set_key(wanted.key, KeyEntry { bot: None, ..entry })?;
        Ok(Answer::Done)
    }

    pub(super) fn activate(&mut self, of: KeyRef, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let entry = self.key_entry(of)?;
        match entry.usable {
            Use::Active | Use::Canary => Ok(Answer::Done),
            Use::Inactive => {
                self.record(of_key(of, Event::Activate, asker, now))?;
                let entry = KeyEntry { usable: Use::Active, ..entry };
                opened(&mut self.custody)?.set_key(of.key, entry)?;
                Ok(Answer::Done)
            }
        }
    }

    /// Less may happen afterwards, so it proceeds even when it cannot be recorded.
    pub(super) fn deactivate(&mut self, of: KeyRef, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let entry = self.key_entry(of)?;
        match entry.usable {
            Use::Inactive | Use::Canary => Ok(Answer::Done),
            Use::Active => {
                let entry = KeyEntry { usable: Use::Inactive, ..entry };
                opened(&mut self.custody)?.set_key(of.key, entry)?;
                self.record_soon(of_key(of, Event::Deactivate, asker, now));
                Ok(Answer::Done)
            }
        }
    }

    pub(super) fn canary(&mut self, of: KeyRef, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let entry = self.key_entry(of)?;
        if self.leases.of(of.key).is_some() {
            return Err(Refused::new(Refusal::KeyInUse, "canary while leased"));
        }
        self.record(of_key(of, Event::Canary, asker, now))?;
        opened(&mut self.custody)?.set_key(of.key, KeyEntry { usable: Use::Canary, ..entry })?;
        Ok(Answer::Done)
    }
}

fn about(what: Assignment, event: Event, asker: Asker, now: Now) -> Entry {
    let of = KeyRef { workspace: what.workspace, key: what.key };
    Entry { bot: Some(what.bot), ..of_key(of, event, asker, now) }
}

fn of_key(of: KeyRef, event: Event, asker: Asker, now: Now) -> Entry {
    Entry { workspace: Some(of.workspace), key: Some(of.key), ..by(event, asker, now) }
}
