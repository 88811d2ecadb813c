//! Verbs about leases: a ticket, the lease itself, a sign of life, and the end.
//!
//! A lease is written to the audit file before it is answered. A keeper that starts again, also after kill -9, therefore
//! knows every lease whose end it did not see, and looks for the processes: one that still runs keeps its lease (it may
//! still hold the credential, so nobody else gets it), one that is gone has lost it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use keyhold_domain::KeyId;
use keyhold_protocol::keeper::{
    Answer, DEFAULT_TICKET_MS, Exposure, LeaseId, LeaseRequest, MAX_TICKET_MS, Refusal, Renew, Ticket,
    TicketRequest,
};
use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::Recipient;

use super::{Asker, Custody, Keeper, Refused, by, opened};
use crate::audit::{Entry, Event};
use crate::clock::Now;
use crate::entropy::random;
use crate::leases::{Lease, LeaseFault};
use crate::records::{KeyEntry, Use};
use crate::tickets::{Grant, TicketFault};

/// How often an alarm is written down at most.
const ALARM_EVERY: Duration = Duration::from_mins(1);

/// A process from before this start that still runs and holds a lease.
#[derive(Debug)]
pub struct Survivor {
    /// The key.
    pub key: KeyId,
    /// Its lease.
    pub lease: Lease,
    /// The process; readable once it has ended.
    pub handle: OwnedFd,
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The process said that it wiped the credential.
    Released,
    /// The process ended.
    ProcessEnded,
    /// It had ended when the keeper started.
    EndedMeanwhile,
    /// It asked a new keeper again for what it had from the one before.
    TakenAnew,
}

impl LeaseEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::ProcessEnded => "process ended",
            Self::EndedMeanwhile => "process ended while no keeper ran",
            Self::TakenAnew => "taken anew by its process",
        }
    }
}

impl<E: EntropySource> Keeper<E> {
    pub(super) fn ticket(
        &mut self,
        wanted: &TicketRequest,
        asker: Asker,
        now: Now,
    ) -> Result<Answer, Refused> {
        let records = opened(&mut self.custody)?.records();
        if !records.belongs_to_another(wanted.workspace, wanted.key) {
            may_use(&records.key(wanted.workspace, wanted.key), wanted.bot)?;
        }
        let exhausted = |_| Refused::new(Refusal::Exhausted, "entropy");
        let ticket = Ticket::from_bytes(random(&mut self.entropy).map_err(exhausted)?);
        self.record(Entry {
            workspace: Some(wanted.workspace),
            key: Some(wanted.key),
            bot: Some(wanted.bot),
            ..by(Event::Ticket, asker, now)
        })?;
        let valid = wanted.valid_ms.unwrap_or(DEFAULT_TICKET_MS).min(MAX_TICKET_MS);
        let grant = Grant {
            workspace: wanted.workspace,
            bot: wanted.bot,
            key: wanted.key,
            uid: wanted.uid,
            expires: now.running + Duration::from_millis(valid.into()),
        };
        let issued = self.tickets.issue(&ticket, grant, now.running);
        issued.map_err(|_too_many| Refused::new(Refusal::RateLimited, "tickets"))?;
        Ok(Answer::Ticket { ticket })
    }

    pub(super) fn lease(
        &mut self,
        wanted: &LeaseRequest,
        asker: Asker,
        process: Option<u64>,
        now: Now,
    ) -> Result<(Answer, LeaseId), Refused> {
        let context = &wanted.context;
        let entry = opened(&mut self.custody)?.records().key(context.workspace, context.key);
        if entry.usable == Use::Canary {
            return Err(self.intrusion(wanted, asker, now));
        }
        let invalid = |reason| Refused::new(Refusal::TicketInvalid, reason);
        let grant = self.tickets.redeem(&wanted.ticket, now.running).map_err(|fault| match fault {
            TicketFault::Unknown => invalid("ticket unknown or used"),
            TicketFault::Expired => invalid("ticket expired"),
        })?;
        check_grant(&grant, wanted, asker).map_err(invalid)?;
        opened(&mut self.custody)?.live(context)?;
        // It may have been assigned or switched off since the ticket was issued.
        may_use(&entry, grant.bot)?;

        let id = LeaseId::from_bytes(
            random(&mut self.entropy).map_err(|_| Refused::new(Refusal::Exhausted, "entropy"))?,
        );
        let lease = Lease { id, bot: grant.bot, pid: asker.pid, process };
        let before = self.leases.own_of_before(context.key, grant.bot, asker.pid);
        if let Some(before) = before {
            self.leases.end(context.key, before.id);
        }
        let to = Recipient { bot: grant.bot, lease: id.to_bytes(), key: wanted.public_key.clone() };
        let taken = match self.leases.take(context.key, lease, now.running) {
            Ok(()) => self.open_recorded(wanted, &to, asker, process, now),
            Err(fault) => Err(self.lease_fault(fault, asker, now)),
        };
        match (taken, before) {
            (Ok(answer), before) => {
                if let Some(before) = before {
                    self.record_end(context.key, before, LeaseEnd::TakenAnew, now);
                }
                Ok((Answer::Leased { lease: id, answer }, id))
            }
            // The key must not stay taken by what failed, and what the process had before it still has.
            (Err(refused), before) => {
                self.leases.end(context.key, id);
                if let Some(before) = before {
                    self.leases.adopt(context.key, before);
                }
                Err(refused)
            }
        }
    }

    fn lease_fault(&mut self, fault: LeaseFault, asker: Asker, now: Now) -> Refused {
        match fault {
            LeaseFault::KeyInUse => Refused::new(Refusal::KeyInUse, "key in use"),
            LeaseFault::Full => Refused::new(Refusal::Exhausted, "lease table"),
            LeaseFault::RateLimited => {
                self.alarms.1 = self.alarms.1.saturating_add(1);
                if self.alarms.0.is_none_or(|last| now.running >= last + ALARM_EVERY) {
                    self.alarms.0 = Some(now.running);
                    tracing::warn!(uid = asker.uid, pid = asker.pid, "leases are asked for above the rate");
                    let detail = Some("leases above the rate".to_owned());
                    self.record_soon(Entry { detail, ..by(Event::Alarm, asker, now) });
                }
                Refused::new(Refusal::RateLimited, "leases")
            }
        }
    }

    /// Somebody asked for a key that no bot has: whoever it is, the keeper gives nothing more.
    fn intrusion(&mut self, wanted: &LeaseRequest, asker: Asker, now: Now) -> Refused {
        tracing::error!(uid = asker.uid, pid = asker.pid, "a canary was asked for: sealing");
        self.record_soon(Entry {
            workspace: Some(wanted.context.workspace),
            key: Some(wanted.context.key),
            ..by(Event::Intrusion, asker, now)
        });
        self.anchor(now);
        self.forget_keys();
        Refused::new(Refusal::Sealed, "canary")
    }

    fn open_recorded(
        &mut self,
        wanted: &LeaseRequest,
        to: &Recipient,
        asker: Asker,
        process: Option<u64>,
        now: Now,
    ) -> Result<keyhold_seal::LeaseAnswer, Refused> {
        let context = &wanted.context;
        let vault = opened(&mut self.custody)?;
        let answer = vault.lease(context, &wanted.wrapped_data_key, to, &mut self.entropy)?;
        self.record(Entry {
            workspace: Some(context.workspace),
            key: Some(context.key),
            version: Some(context.version),
            bot: Some(to.bot),
            lease: Some(LeaseId::from_bytes(to.lease)),
            process,
            ..by(Event::Lease, asker, now)
        })?;
        Ok(answer)
    }

    /// The process that holds a lease reports. Returns the key.
    pub(super) fn renew(
        &mut self,
        renew: &Renew,
        asker: Asker,
        process: Option<u64>,
        now: Now,
    ) -> Result<KeyId, Refused> {
        let found = self.leases.held().find(|(_, lease)| lease.id == renew.lease);
        let (key, lease) = found.ok_or_else(|| Refused::new(Refusal::WrongMoment, "no such lease"))?;
        if lease.pid != asker.pid || (lease.process.is_some() && lease.process != process) {
            return Err(Refused::new(Refusal::WrongMoment, "lease of another process"));
        }
        if let Some(exposure) = renew.exposure {
            self.report(key, lease, exposure, asker, now)?;
        }
        Ok(key)
    }

    /// Keeps what a bot says about its position, for keys that are assigned to it.
    fn report(
        &mut self,
        key: KeyId,
        lease: Lease,
        exposure: Exposure,
        asker: Asker,
        now: Now,
    ) -> Result<(), Refused> {
        let vault = opened(&mut self.custody)?;
        let Some(entry) = vault.records().keys.get(&key).copied() else { return Ok(()) };
        if entry.bot != Some(lease.bot) || entry.exposure == exposure {
            return Ok(());
        }
        vault.set_key(key, KeyEntry { exposure, ..entry })?;
        let word = match exposure {
            Exposure::Open => "open",
            Exposure::Flat => "flat",
        };
        self.record_soon(Entry {
            key: Some(key),
            bot: Some(lease.bot),
            lease: Some(lease.id),
            detail: Some(word.to_owned()),
            ..by(Event::Exposure, asker, now)
        });
        Ok(())
    }

    /// Ends a lease: its process said so, or is gone.
    pub fn end_lease(&mut self, key: KeyId, id: LeaseId, how: LeaseEnd, now: Now) {
        if let Some(lease) = self.leases.end(key, id) {
            self.record_end(key, lease, how, now);
        }
    }

    fn record_end(&mut self, key: KeyId, lease: Lease, how: LeaseEnd, now: Now) {
        self.audit.record_when_possible(Entry {
            key: Some(key),
            bot: Some(lease.bot),
            lease: Some(lease.id),
            pid: Some(lease.pid),
            detail: Some(how.as_str().to_owned()),
            ..Entry::new(Event::Release, now.wall_ms)
        });
    }

    /// Takes over the leases of processes that outlived the keeper before this one, and writes the end of all others
    /// that the audit file knows of.
    pub fn adopt(&mut self, survivors: Vec<Survivor>, now: Now) {
        let known: Vec<(LeaseId, KeyId, Lease)> = self
            .audit
            .history()
            .leases()
            .map(|(id, held)| {
                let lease = Lease { id, bot: held.bot, pid: held.pid, process: held.process };
                (id, held.key, lease)
            })
            .collect();
        for survivor in &survivors {
            tracing::info!(pid = survivor.lease.pid, "a process still holds a lease of the keeper before");
            self.leases.adopt(survivor.key, survivor.lease);
        }
        for (id, key, lease) in known {
            if self.leases.of(key).is_none_or(|adopted| adopted.id != id) {
                self.record_end(key, lease, LeaseEnd::EndedMeanwhile, now);
            }
        }
        self.survivors.extend(survivors);
    }

    /// The processes whose end somebody has to watch; once.
    pub fn take_survivors(&mut self) -> Vec<Survivor> {
        std::mem::take(&mut self.survivors)
    }

    /// Drops all keys; what bots hold they keep.
    pub(super) fn forget_keys(&mut self) {
        self.custody = Custody::Sealed;
        self.tickets = crate::tickets::Tickets::default();
    }
}

/// Whether a bot may use a key now.
fn may_use(entry: &KeyEntry, bot: keyhold_domain::BotId) -> Result<(), Refused> {
    if entry.usable == Use::Inactive {
        return Err(Refused::new(Refusal::KeyInactive, "key switched off"));
    }
    if entry.bot.is_some_and(|assigned| assigned != bot) {
        return Err(Refused::new(Refusal::KeyAssigned, "key of another bot"));
    }
    Ok(())
}

/// Whether the process at the other end is the one the ticket was made for.
fn check_grant(grant: &Grant, wanted: &LeaseRequest, asker: Asker) -> Result<(), &'static str> {
    if grant.uid != asker.uid {
        return Err("ticket of another user");
    }
    if grant.workspace != wanted.context.workspace || grant.key != wanted.context.key {
        return Err("ticket for another key");
    }
    Ok(())
}
