//! What each verb does, and in which order: peer, ticket, rate, record, audit, effect.
//!
//! ```text
//! keeping.rs    import, shred, leaked, shred_tenant, describe, verify_store
//! assigning.rs  assign, unassign, activate, deactivate, canary
//! lending.rs    ticket, lease, renew, the end of a lease, leases found at a start
//! operating.rs  seal, unseal, rotate_kek, rekey_root
//! ```
//!
//! No sockets and no clocks here: who asks and when it is are arguments, so every rule can be tested without waiting.
//! Who may use which verb stands in [`role`]; everything else is one method per verb. What must not happen unrecorded is
//! recorded first (`audit/`); what lets go of a secret happens first and is recorded when possible.

mod assigning;
mod keeping;
mod lending;
mod operating;

use std::collections::BTreeSet;
use std::time::Duration;

use keyhold_domain::KeyId;
use keyhold_os::pidfd::Identities;
use keyhold_protocol::keeper::{
    Answer, Grade, LeaseId, PublicKey, RecordState, Refusal, Request, Sealed, Status,
};
use keyhold_seal::EntropySource;

use crate::audit::{Audit, AuditError, Entry, Event, SegmentKey};
use crate::clock::Now;
use crate::leases::Leases;
use crate::sealing::{Guesses, Opener};
use crate::tickets::Tickets;
use crate::vault::{Vault, VaultError};

pub use lending::{LeaseEnd, Survivor};

/// Refusals recorded per minute; more are only counted by the log, so that nobody can fill the disk with them.
const REFUSALS_PER_MINUTE: u32 = 60;
/// Entries after which the audit file is signed.
const ANCHOR_ENTRIES: u64 = 1000;
/// Milliseconds after which it is signed if anything came.
const ANCHOR_MS: u64 = 600_000;

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

/// Whether the keys are open.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub enum Custody {
    /// They are.
    Open(Box<Vault>),
    /// Somebody has to unseal them.
    Sealed,
}

/// The keeper, apart from its sockets.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Keeper<E> {
    custody: Custody,
    opener: Opener,
    guesses: Guesses,
    audit: Audit,
    tickets: Tickets,
    leases: Leases,
    survivors: Vec<Survivor>,
    servers: BTreeSet<u32>,
    operators: BTreeSet<u32>,
    identities: Identities,
    protection: Protection,
    entropy: E,
    refusals: (Duration, u32),
    alarms: (Option<Duration>, u32),
}

/// Who may use a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Any peer; the verb itself looks at its ticket or connection.
    Anybody,
    /// The server's users.
    Server,
    /// The operator: root and the keeper's own user.
    Operator,
    /// Either of the two.
    ServerOrOperator,
}

/// Who may use which verb.
pub const fn role(request: &Request) -> Role {
    match request {
        Request::Status | Request::PublicKey | Request::Lease(_) | Request::Release | Request::Renew(_) => {
            Role::Anybody
        }
        Request::Import(_)
        | Request::Ticket(_)
        | Request::Shred(_)
        | Request::Describe(_)
        | Request::Assign(_)
        | Request::Unassign(_)
        | Request::Activate(_)
        | Request::Deactivate(_)
        | Request::Canary(_)
        | Request::Leaked(_)
        | Request::ShredTenant(_) => Role::Server,
        Request::VerifyStore => Role::ServerOrOperator,
        Request::Seal | Request::Unseal(_) | Request::RotateKek | Request::RekeyRoot(_) => Role::Operator,
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

/// The open vault, or the refusal of a sealed keeper.
fn opened(custody: &mut Custody) -> Result<&mut Vault, Refused> {
    match custody {
        Custody::Open(vault) => Ok(vault),
        Custody::Sealed => Err(Refused::new(Refusal::Sealed, "sealed")),
    }
}

impl<E: EntropySource> Keeper<E> {
    /// Puts the parts together around an open vault and records the start.
    ///
    /// # Errors
    /// [`AuditError`]: a keeper that cannot record does not start.
    pub fn start(
        vault: Vault,
        audit: Audit,
        servers: BTreeSet<u32>,
        protection: Protection,
        entropy: E,
        now: Now,
    ) -> Result<Self, AuditError> {
        let opener = Opener::new(vault.dir());
        let custody = Custody::Open(Box::new(vault));
        Self::begin(custody, opener, audit, servers, protection, entropy, now)
    }

    /// Puts the parts together, open or sealed, and records the start.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn begin(
        custody: Custody,
        opener: Opener,
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
        let boot = opener.boot().map(str::to_owned);
        audit.record(Entry { boot, detail, ..Entry::new(Event::Started, now.wall_ms) })?;
        let guesses = Guesses::after(audit.history().failed_guesses(), now.running);
        let mut keeper = Self {
            custody,
            opener,
            guesses,
            audit,
            tickets: Tickets::default(),
            leases: Leases::default(),
            survivors: Vec::new(),
            servers,
            operators: BTreeSet::from([0]),
            identities: Identities::Unknown,
            protection,
            entropy,
            refusals: (Duration::ZERO, 0),
            alarms: (None, 0),
        };
        keeper.record_accepted(now)?;
        Ok(keeper)
    }

    /// Names the users that may operate the keeper; root only unless this is called.
    #[must_use]
    pub fn with_operators(mut self, operators: BTreeSet<u32>) -> Self {
        self.operators = operators;
        self
    }

    /// Says whether the kernel tells processes apart; unknown unless this is called.
    #[must_use]
    pub fn with_identities(mut self, identities: Identities) -> Self {
        self.identities = identities;
        self
    }

    /// Whether the kernel tells processes apart.
    pub fn identities(&self) -> Identities {
        self.identities
    }

    /// Records an orderly end.
    pub fn stop(&mut self, now: Now) {
        self.record_soon(Entry::new(Event::Stopped, now.wall_ms));
        self.anchor(now);
    }

    /// Whether a user is one of the server's.
    pub fn server(&self, uid: u32) -> Server {
        if self.servers.contains(&uid) { Server::Yes } else { Server::No }
    }

    /// Answers a request of a process whose identity beyond its number is not known.
    pub fn answer(&mut self, request: Request, asker: Asker, now: Now) -> (Answer, After) {
        self.answer_process(request, asker, None, now)
    }

    /// Answers a request; `process` is what the kernel calls the peer, see [`keyhold_os::pidfd::PidFd::identity`].
    pub fn answer_process(
        &mut self,
        request: Request,
        asker: Asker,
        process: Option<u64>,
        now: Now,
    ) -> (Answer, After) {
        let (server, operator) = (self.servers.contains(&asker.uid), self.operators.contains(&asker.uid));
        let may = match role(&request) {
            Role::Anybody => true,
            Role::Server => server,
            Role::Operator => operator,
            Role::ServerOrOperator => server || operator,
        };
        let done = if may {
            self.carry_out(request, asker, process, now)
        } else {
            Err(Refused::new(Refusal::NotAllowed, "verb"))
        };
        let answer = done.unwrap_or_else(|refused| self.refuse(&refused, asker, now));
        self.tick(now);
        answer
    }

    fn carry_out(
        &mut self,
        request: Request,
        asker: Asker,
        process: Option<u64>,
        now: Now,
    ) -> Result<(Answer, After), Refused> {
        let answer = match request {
            Request::Status => Ok(self.status(now)),
            Request::PublicKey => self.public_key(),
            Request::Import(import) => self.import(&import, asker, now),
            Request::Ticket(wanted) => self.ticket(&wanted, asker, now),
            Request::Lease(wanted) => {
                let (answer, id) = self.lease(&wanted, asker, process, now)?;
                return Ok((answer, After::HoldsLease(wanted.context.key, id)));
            }
            Request::Release => Err(Refused::new(Refusal::WrongMoment, "no lease on this connection")),
            Request::Renew(renew) => {
                let key = self.renew(&renew, asker, process, now)?;
                return Ok((Answer::Done, After::HoldsLease(key, renew.lease)));
            }
            Request::Shred(shred) => self.shred(&shred, asker, now),
            Request::Leaked(of) => self.leaked(of, asker, now),
            Request::ShredTenant(tenant) => self.shred_tenant(tenant, asker, now),
            Request::Describe(describe) => self.describe(&describe),
            Request::VerifyStore => self.verify_store(),
            Request::Assign(assignment) => self.assign(assignment, asker, now),
            Request::Unassign(assignment) => self.unassign(assignment, asker, now),
            Request::Activate(of) => self.activate(of, asker, now),
            Request::Deactivate(of) => self.deactivate(of, asker, now),
            Request::Canary(of) => self.canary(of, asker, now),
            Request::Seal => Ok(self.seal(asker, now)),
            Request::Unseal(unseal) => self.unseal(&unseal, asker, now),
            Request::RotateKek => self.rotate_kek(asker, now),
            Request::RekeyRoot(rekey) => self.rekey_root(&rekey, asker, now),
        };
        answer.map(|answer| (answer, After::Continue))
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

    /// An entry with how far the files are, when they are open.
    fn dated(&self, entry: Entry) -> Entry {
        match &self.custody {
            Custody::Open(vault) => {
                let reached = vault.reached();
                let (generation, keys_generation) = (Some(reached.records), Some(reached.keys));
                Entry { generation, keys_generation, ..entry }
            }
            Custody::Sealed => entry,
        }
    }

    /// Records with how far the files are; what it announces must not happen otherwise.
    fn record(&mut self, entry: Entry) -> Result<(), AuditError> {
        let entry = self.dated(entry);
        self.audit.record(entry)
    }

    /// Records with how far the files are, now or as soon as that works.
    fn record_soon(&mut self, entry: Entry) {
        let entry = self.dated(entry);
        self.audit.record_when_possible(entry);
    }

    /// Files that are older than they should be are used only if that is written down.
    fn record_accepted(&mut self, now: Now) -> Result<(), AuditError> {
        let Custody::Open(vault) = &self.custody else { return Ok(()) };
        for older in vault.accepted().to_vec() {
            let detail = format!("{} is of generation {}, not {}", older.file, older.found, older.expected);
            let entry = Entry::new(Event::RollbackAccepted, now.wall_ms);
            self.record(Entry { detail: Some(detail), ..entry })?;
        }
        Ok(())
    }

    /// What is due by the clock: called after every answer, and by the server every minute.
    pub fn tick(&mut self, now: Now) {
        let history = self.audit.history();
        let old = now.wall_ms.saturating_sub(history.anchored_at_ms()) >= ANCHOR_MS;
        if history.since_anchor() >= ANCHOR_ENTRIES || (old && history.since_anchor() > 0) {
            self.anchor(now);
        }
    }

    /// Signs the audit file. A failure is not lost: the next signature covers the same entries.
    fn anchor(&mut self, now: Now) {
        let Custody::Open(vault) = &self.custody else { return };
        let key = match SegmentKey::derive(vault.ring().house(), vault.install()) {
            Ok(key) => key,
            Err(error) => return tracing::error!(%error, "the audit file cannot be signed"),
        };
        let entry = self.dated(Entry::new(Event::Anchor, now.wall_ms));
        if let Err(error) = self.audit.anchor(&key, entry) {
            tracing::error!(%error, "the audit file cannot be signed");
        }
    }

    fn status(&self, now: Now) -> Answer {
        let leases = u32::try_from(self.leases.count()).unwrap_or(u32::MAX);
        let vault = match &self.custody {
            Custody::Open(vault) => vault,
            Custody::Sealed => {
                return Answer::Sealed(Sealed {
                    install: self.opener.install(),
                    providers: self.opener.providers(),
                    health: self.opener.health(),
                    leases,
                    wait_ms: u64::try_from(self.guesses.wait(now.running).as_millis()).unwrap_or(u64::MAX),
                });
            }
        };
        let id = vault.public_key().id();
        let kinds = vault.ring().body().providers.iter().map(|one| one.kind.as_str().to_owned());
        let audit_key = SegmentKey::derive(vault.ring().house(), vault.install());
        Answer::Status(Status {
            install: vault.install(),
            key_id: id,
            fingerprint: id.fingerprint(),
            live_records: vault.records().count(RecordState::Live),
            shredded_records: vault.records().count(RecordState::Shredded),
            leases,
            deletion: self.protection.deletion,
            isolation: self.protection.isolation,
            memory: self.protection.memory.clone(),
            audit_entries: self.audit.entries(),
            audit_key: audit_key.map(|key| key.public().to_text()).unwrap_or_default(),
            epoch: vault.ring().epoch(),
            epochs: u32::try_from(vault.ring().epochs()).unwrap_or(u32::MAX),
            providers: kinds.collect(),
            health: self.opener.health(),
            alarms: self.alarms.1,
        })
    }

    fn public_key(&mut self) -> Result<Answer, Refused> {
        let vault = opened(&mut self.custody)?;
        let public_key = vault.public_key().clone();
        let key_id = public_key.id();
        let fingerprint = key_id.fingerprint();
        Ok(Answer::PublicKey(PublicKey { install: vault.install(), key_id, fingerprint, public_key }))
    }
}

/// An entry about a request.
fn by(event: Event, asker: Asker, now: Now) -> Entry {
    Entry { uid: Some(asker.uid), pid: Some(asker.pid), ..Entry::new(event, now.wall_ms) }
}
