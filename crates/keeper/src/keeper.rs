//! What each verb does, and in which order: peer, ticket, rate, record, audit, effect.
//!
//! No sockets and no clocks here: who asks and when it is are arguments, so every rule can be tested without waiting.
//! The rule that decides about a verb stands in [`allowed`]; everything else is one method per verb.

use std::collections::BTreeSet;
use std::time::Duration;

use keyhold_domain::KeyId;
use keyhold_protocol::keeper::{
    Answer, DEFAULT_TICKET_MS, Describe, Grade, Import, LeaseId, LeaseRequest, Leased, MAX_TICKET_MS,
    PublicKey, RecordVersion, Refusal, Request, Shred, Status, Ticket, TicketRequest,
};
use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::Recipient;

use crate::audit::{Audit, AuditError, Entry, Event};
use crate::clock::Now;
use crate::entropy::random;
use crate::leases::{Lease, LeaseFault, Leases};
use crate::tickets::{Grant, TicketFault, Tickets};
use crate::vault::{Vault, VaultError};

/// Refusals recorded per minute; more are only counted by the log, so that nobody can fill the disk with them.
const REFUSALS_PER_MINUTE: u32 = 60;
/// Versions listed by `describe`.
const MAX_DESCRIBED: usize = 64;

/// Who asks, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// User at the time of connecting.
    pub uid: u32,
    /// Process.
    pub pid: u32,
}

/// How well the process is protected; for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Whether overwriting a slot destroys it.
    pub deletion: Grade,
    /// Whether the sandbox is whole.
    pub isolation: Grade,
    /// How secrets are kept in memory.
    pub memory: String,
}

/// What the connection must do after answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Continue,
    /// The connection's process holds this lease from now on.
    HoldsLease(KeyId, LeaseId),
}

/// The keeper, apart from its sockets.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Keeper<E> {
    vault: Vault,
    audit: Audit,
    tickets: Tickets,
    leases: Leases,
    servers: BTreeSet<u32>,
    protection: Protection,
    entropy: E,
    refusals: (Duration, u32),
}

/// Whether a peer may use a verb at all. `lease` is decided by its ticket, `release` by its connection.
pub fn allowed(request: &Request, server: Server) -> Allowed {
    match (request, server) {
        (Request::Status | Request::PublicKey | Request::Lease(_) | Request::Release, _)
        | (Request::Import(_) | Request::Ticket(_) | Request::Shred(_) | Request::Describe(_), Server::Yes) => {
            Allowed::Yes
        }
        (Request::Import(_) | Request::Ticket(_) | Request::Shred(_) | Request::Describe(_), Server::No) => {
            Allowed::No
        }
    }
}

/// Whether a peer runs as one of the server's users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Whether a verb is open to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// A refusal, and what the audit file says about it.
struct Refused {
    code: Refusal,
    reason: &'static str,
}

impl Refused {
    fn new(code: Refusal, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

impl From<VaultError> for Refused {
    fn from(error: VaultError) -> Self {
        let code = error.refusal();
        match code {
            Refusal::StorageFailed | Refusal::Exhausted => tracing::error!(%error, "the vault failed"),
            _ => tracing::debug!(%error, "refused by the vault"),
        }
        Self::new(code, "vault")
    }
}

impl From<AuditError> for Refused {
    fn from(error: AuditError) -> Self {
        tracing::error!(%error, "nothing is done that cannot be recorded");
        Self::new(Refusal::AuditUnavailable, "audit")
    }
}

impl<E: EntropySource> Keeper<E> {
    /// Puts the parts together and records the start.
    ///
    /// # Errors
    /// [`AuditError`]: a keeper that cannot record does not start.
    pub fn start(
        vault: Vault,
        mut audit: Audit,
        servers: BTreeSet<u32>,
        protection: Protection,
        entropy: E,
        now: Now,
    ) -> Result<Self, AuditError> {
        let isolation = match protection.isolation {
            Grade::Sound => "isolation sound",
            Grade::Degraded => "isolation degraded",
        };
        let detail = Some(format!("version {}, {isolation}", env!("CARGO_PKG_VERSION")));
        audit.record(Entry { detail, ..Entry::new(Event::Started, now.wall_ms) })?;
        Ok(Self {
            vault,
            audit,
            tickets: Tickets::default(),
            leases: Leases::default(),
            servers,
            protection,
            entropy,
            refusals: (Duration::ZERO, 0),
        })
    }

    /// Records an orderly end.
    pub fn stop(&mut self, now: Now) {
        self.audit.record_when_possible(Entry::new(Event::Stopped, now.wall_ms));
    }

    /// Whether a user is one of the server's.
    pub fn server(&self, uid: u32) -> Server {
        if self.servers.contains(&uid) { Server::Yes } else { Server::No }
    }

    /// Answers a request.
    pub fn answer(&mut self, request: Request, asker: Asker, now: Now) -> (Answer, After) {
        if allowed(&request, self.server(asker.uid)) == Allowed::No {
            return self.refuse(&Refused::new(Refusal::NotAllowed, "verb"), asker, now);
        }
        let done = match request {
            Request::Status => Ok(Answer::Status(self.status())),
            Request::PublicKey => Ok(Answer::PublicKey(self.public_key())),
            Request::Import(import) => self.import(&import, asker, now),
            Request::Ticket(wanted) => self.ticket(&wanted, asker, now),
            Request::Lease(wanted) => match self.lease(&wanted, asker, now) {
                Ok((answer, id)) => return (answer, After::HoldsLease(wanted.context.key, id)),
                Err(refused) => Err(refused),
            },
            Request::Release => Err(Refused::new(Refusal::WrongMoment, "no lease on this connection")),
            Request::Shred(shred) => self.shred(&shred, asker, now),
            Request::Describe(describe) => self.describe(&describe),
        };
        match done {
            Ok(answer) => (answer, After::Continue),
            Err(refused) => self.refuse(&refused, asker, now),
        }
    }

    /// Answers a refusal and records it, within bounds.
    fn refuse(&mut self, refused: &Refused, asker: Asker, now: Now) -> (Answer, After) {
        if now.running >= self.refusals.0 + Duration::from_mins(1) {
            self.refusals = (now.running, 0);
        }
        self.refusals.1 = self.refusals.1.saturating_add(1);
        if self.refusals.1 <= REFUSALS_PER_MINUTE && refused.code != Refusal::AuditUnavailable {
            let detail = Some(format!("{:?}: {}", refused.code, refused.reason));
            self.audit.record_when_possible(Entry { detail, ..by(Event::Refused, asker, now) });
        }
        tracing::info!(uid = asker.uid, pid = asker.pid, code = ?refused.code, reason = refused.reason, "refused");
        (Answer::Refused { code: refused.code, pointer: None }, After::Continue)
    }

    fn status(&self) -> Status {
        use keyhold_protocol::keeper::RecordState;
        let id = self.vault.public_key().id();
        Status {
            install: self.vault.install(),
            key_id: id,
            fingerprint: id.fingerprint(),
            live_records: self.vault.records().count(RecordState::Live),
            shredded_records: self.vault.records().count(RecordState::Shredded),
            leases: u32::try_from(self.leases.count()).unwrap_or(u32::MAX),
            deletion: self.protection.deletion,
            isolation: self.protection.isolation,
            memory: self.protection.memory.clone(),
            audit_entries: self.audit.entries(),
        }
    }

    fn public_key(&self) -> PublicKey {
        let public_key = self.vault.public_key().clone();
        let key_id = public_key.id();
        PublicKey { install: self.vault.install(), key_id, fingerprint: key_id.fingerprint(), public_key }
    }

    fn import(&mut self, import: &Import, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let context = &import.context;
        let prepared =
            self.vault.prepare(context, &import.sealed_data_key, now.wall_ms, &mut self.entropy)?;
        self.audit.record(Entry {
            workspace: Some(context.workspace),
            key: Some(context.key),
            version: Some(context.version),
            ..by(Event::Import, asker, now)
        })?;
        self.vault.commit(&prepared, &mut self.entropy)?;
        Ok(Answer::Imported { wrapped_data_key: prepared.wrapped })
    }

    fn ticket(&mut self, wanted: &TicketRequest, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let exhausted = |_| Refused::new(Refusal::Exhausted, "entropy");
        let ticket = Ticket::from_bytes(random(&mut self.entropy).map_err(exhausted)?);
        self.audit.record(Entry {
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

    fn lease(&mut self, wanted: &LeaseRequest, asker: Asker, now: Now) -> Result<(Answer, LeaseId), Refused> {
        let invalid = |reason| Refused::new(Refusal::TicketInvalid, reason);
        let grant = self.tickets.redeem(&wanted.ticket, now.running).map_err(|fault| match fault {
            TicketFault::Unknown => invalid("ticket unknown or used"),
            TicketFault::Expired => invalid("ticket expired"),
        })?;
        check_grant(&grant, wanted, asker).map_err(invalid)?;
        self.vault.live(&wanted.context)?;

        let id = LeaseId::from_bytes(
            random(&mut self.entropy).map_err(|_| Refused::new(Refusal::Exhausted, "entropy"))?,
        );
        let key = wanted.context.key;
        let lease = Lease { id, bot: grant.bot, pid: asker.pid };
        self.leases.take(key, lease, now.running).map_err(|fault| match fault {
            LeaseFault::KeyInUse => Refused::new(Refusal::KeyInUse, "key in use"),
            LeaseFault::RateLimited => Refused::new(Refusal::RateLimited, "leases"),
            LeaseFault::Full => Refused::new(Refusal::Exhausted, "lease table"),
        })?;
        let to = Recipient { bot: grant.bot, lease: id.to_bytes(), key: wanted.public_key.clone() };
        // Whatever fails from here on, the key must not stay taken.
        let opened = self.open_recorded(wanted, &to, asker, now);
        match opened {
            Ok(answer) => Ok((Answer::Leased { lease: id, answer }, id)),
            Err(refused) => {
                self.leases.end(key, id);
                Err(refused)
            }
        }
    }

    fn open_recorded(
        &mut self,
        wanted: &LeaseRequest,
        to: &Recipient,
        asker: Asker,
        now: Now,
    ) -> Result<keyhold_seal::LeaseAnswer, Refused> {
        let context = &wanted.context;
        let answer = self.vault.lease(context, &wanted.wrapped_data_key, to, &mut self.entropy)?;
        self.audit.record(Entry {
            workspace: Some(context.workspace),
            key: Some(context.key),
            version: Some(context.version),
            bot: Some(to.bot),
            lease: Some(LeaseId::from_bytes(to.lease)),
            ..by(Event::Lease, asker, now)
        })?;
        Ok(answer)
    }

    /// Ends a lease: its process said so, or is gone.
    pub fn end_lease(&mut self, key: KeyId, id: LeaseId, how: LeaseEnd, now: Now) {
        let Some(lease) = self.leases.end(key, id) else { return };
        self.audit.record_when_possible(Entry {
            key: Some(key),
            bot: Some(lease.bot),
            lease: Some(id),
            pid: Some(lease.pid),
            detail: Some(how.as_str().to_owned()),
            ..Entry::new(Event::Release, now.wall_ms)
        });
    }

    fn shred(&mut self, shred: &Shred, asker: Asker, now: Now) -> Result<Answer, Refused> {
        let owned = !self.vault.records().belongs_to_another(shred.workspace, shred.key);
        if owned && self.leases.of(shred.key).is_some() {
            return Err(Refused::new(Refusal::KeyInUse, "shred while leased"));
        }
        let destroyed = self.vault.shred(shred.workspace, shred.key, shred.version, &mut self.entropy)?;
        self.audit.record_when_possible(Entry {
            workspace: Some(shred.workspace),
            key: Some(shred.key),
            version: shred.version,
            detail: Some(format!("{destroyed} slots destroyed")),
            ..by(Event::Shred, asker, now)
        });
        Ok(Answer::Shredded { destroyed })
    }

    fn describe(&self, describe: &Describe) -> Result<Answer, Refused> {
        let leased = if self.leases.of(describe.key).is_some() { Leased::Yes } else { Leased::No };
        let mut versions: Vec<RecordVersion> = self
            .vault
            .records()
            .versions(describe.key)
            .rev()
            .filter(|(_, record)| record.workspace == describe.workspace)
            .take(MAX_DESCRIBED)
            .map(|(version, record)| RecordVersion {
                version,
                state: record.state,
                imported_at_ms: record.imported_at_ms,
                leased,
            })
            .collect();
        if versions.is_empty() {
            return Err(Refused::new(Refusal::UnknownRecord, "describe"));
        }
        versions.reverse();
        Ok(Answer::Described { versions })
    }
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// The process said that it wiped the credential.
    Released,
    /// The process ended.
    ProcessEnded,
}

impl LeaseEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::ProcessEnded => "process ended",
        }
    }
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

fn by(event: Event, asker: Asker, now: Now) -> Entry {
    Entry { uid: Some(asker.uid), pid: Some(asker.pid), ..Entry::new(event, now.wall_ms) }
}
