//! What the keeper is asked and what it answers. One request, one answer, in order, over a UNIX socket.
//!
//! No answer contains a data key or a credential in clear: the only secret that leaves the keeper is a
//! [`LeaseAnswer`], sealed to the key pair of one process. The rules behind each verb are in the keeper itself
//! (`crates/keeper`); the frames are [`crate::frame`]; the bytes of the blobs are in `docs/formats/envelope.md`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyhold_domain::{BotId, Id, InstallId, KeyId, WorkspaceId};
use keyhold_seal::{
    BotPublicKey, Context, KeeperKeyId, KeeperPublicKey, LeaseAnswer, SealedDataKey, WrappedDataKey,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::frame::{self, Deadline, FrameError, FrameLimit, FrameRules};

/// Version of this protocol.
pub const VERSION: u16 = 1;
/// Frames of this protocol: version 1, 64 KiB.
pub const RULES: FrameRules = FrameRules { version: VERSION, limit: FrameLimit::LOCAL };
/// How long a launch ticket lives unless the request says less, in milliseconds.
pub const DEFAULT_TICKET_MS: u32 = 30_000;
/// Longest life of a launch ticket, in milliseconds.
pub const MAX_TICKET_MS: u32 = 300_000;

/// A question to the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", content = "args", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the keeper is doing. Any peer.
    Status,
    /// The key to seal data keys to. Any peer.
    PublicKey,
    /// Take over a data key. Server only. Once per record version.
    Import(Import),
    /// Issue a launch ticket for a bot about to be started. Server only.
    Ticket(TicketRequest),
    /// Hand over the data key. Only a process that holds a ticket and runs as the ticket's user.
    Lease(LeaseRequest),
    /// The process has wiped the credential and gives the lease back. Only on the connection of the lease.
    Release,
    /// Destroy a record's slot: no copy of anything opens it from then on. Server only. Idempotent.
    Shred(Shred),
    /// What the keeper knows of a key. Server only.
    Describe(Describe),
    /// From now on only this bot may lease the key. Server only. Refused while another bot has it.
    Assign(Assignment),
    /// The bot gives the key back. Server only. Refused while leased, and while the bot last reported a position.
    Unassign(Assignment),
    /// The key may be leased again. Server only.
    Activate(KeyRef),
    /// No new lease and no assignment until it is activated. Server only.
    Deactivate(KeyRef),
    /// Any attempt to lease this key is an intrusion: the keeper seals itself. Server only; cannot be undone.
    Canary(KeyRef),
    /// The process that holds a lease says that it lives, and whether it has a position. On the lease's connection, or
    /// on a new one of the same process after the keeper was restarted.
    Renew(Renew),
    /// The key was seen elsewhere: destroy it now, whoever uses it. Server only.
    Leaked(KeyRef),
    /// Destroy all keys of a workspace and the workspace's own key. Server only. Refused while any is leased.
    ShredTenant(Tenant),
    /// Open everything once and report. Server and operator.
    VerifyStore,
    /// Forget all keys until [`Request::Unseal`]. Operator only.
    Seal,
    /// Open the keys. Operator only.
    Unseal(Unseal),
    /// One step of moving to the next epoch; repeat until nothing remains. Operator only.
    RotateKek,
    /// A new root key, under the providers that are enrolled. Operator only.
    RekeyRoot(RekeyRoot),
}

/// A key of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// Owner of the key.
    pub workspace: WorkspaceId,
    /// The key.
    pub key: KeyId,
}

/// Arguments of [`Request::Assign`] and [`Request::Unassign`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Owner of bot and key.
    pub workspace: WorkspaceId,
    /// The key.
    pub key: KeyId,
    /// The bot.
    pub bot: BotId,
}

/// Arguments of [`Request::Renew`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The lease.
    pub lease: LeaseId,
    /// Whether the bot has a position or orders; unchanged when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
}

/// Whether a bot has something at the exchange that somebody must look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// A position or an order.
    Open,
    /// Neither.
    Flat,
}

/// Arguments of [`Request::ShredTenant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The workspace.
    pub workspace: WorkspaceId,
}

/// Arguments of [`Request::Unseal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseal {
    /// What was typed; absent when another provider opens the keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
}

/// Arguments of [`Request::RekeyRoot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RekeyRoot {
    /// Needed when a passphrase is enrolled, and must be that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Passphrase>,
}

/// Arguments of [`Request::Import`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// What the credential belongs to.
    pub context: Context,
    /// Its data key, sealed to the keeper.
    pub sealed_data_key: SealedDataKey,
}

/// Arguments of [`Request::Ticket`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    /// Owner of bot and key.
    pub workspace: WorkspaceId,
    /// The bot to be started.
    pub bot: BotId,
    /// The key it is to use.
    pub key: KeyId,
    /// User id under which the bot will connect.
    pub uid: u32,
    /// Life of the ticket in milliseconds, at most [`MAX_TICKET_MS`]; [`DEFAULT_TICKET_MS`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_ms: Option<u32>,
}

/// Arguments of [`Request::Lease`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// The launch ticket.
    pub ticket: Ticket,
    /// The process's ephemeral public key.
    pub public_key: BotPublicKey,
    /// The wrapped data key, as the server stores it.
    pub wrapped_data_key: WrappedDataKey,
    /// What it belongs to.
    pub context: Context,
}

/// Arguments of [`Request::Shred`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shred {
    /// Owner of the key.
    pub workspace: WorkspaceId,
    /// The key.
    pub key: KeyId,
    /// The record version; all versions of the key when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Arguments of [`Request::Describe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// Owner of the key.
    pub workspace: WorkspaceId,
    /// The key.
    pub key: KeyId,
}

/// What the keeper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "args", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::PublicKey`].
    PublicKey(PublicKey),
    /// To [`Request::Import`]: to be stored beside the envelope.
    Imported {
        /// Opens only together with the keeper's root key and the record's slot.
        wrapped_data_key: WrappedDataKey,
    },
    /// To [`Request::Ticket`].
    Ticket {
        /// To be handed to the bot over a pipe, never as argument or environment variable.
        ticket: Ticket,
    },
    /// To [`Request::Lease`]. The connection now is the lease: keep it open.
    Leased {
        /// Number of the lease; needed to open the answer.
        lease: LeaseId,
        /// The data key, sealed to the asking process.
        answer: LeaseAnswer,
    },
    /// To [`Request::Release`].
    Released,
    /// To [`Request::Shred`].
    Shredded {
        /// How many slots this call destroyed; zero when all were destroyed before.
        destroyed: u32,
    },
    /// To [`Request::Describe`].
    Described {
        /// Every version ever imported, oldest first; at most 64, the newest.
        versions: Vec<RecordVersion>,
    },
    /// To [`Request::Status`] by a keeper whose keys are not open.
    Sealed(Sealed),
    /// To [`Request::VerifyStore`].
    Verified(StoreReport),
    /// To [`Request::RotateKek`].
    Rotated {
        /// The epoch that is being moved to.
        epoch: u32,
        /// Keys still to be moved; the rotation is over at zero.
        remaining: u32,
    },
    /// To every other request that was carried out.
    Done,
    /// The request was not carried out.
    Refused {
        /// Why.
        code: Refusal,
        /// Where in the request, for [`Refusal::MessageMalformed`]: a JSON pointer without values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pointer: Option<String>,
    },
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Refusal {
    /// The message is not one of this protocol.
    MessageMalformed,
    /// The peer speaks another version of the protocol.
    VersionUnknown,
    /// This peer may not use this verb.
    NotAllowed,
    /// Sealed data key, wrapped data key, slot and context do not belong together.
    Unopenable,
    /// The ticket is unknown, used, expired or for something else. Deliberately not told apart.
    TicketInvalid,
    /// Another process holds the lease of this key.
    KeyInUse,
    /// Too many leases of this bot, or too many tickets or imports at once.
    RateLimited,
    /// This record version was imported before.
    AlreadyImported,
    /// No such record version was imported.
    UnknownRecord,
    /// The record was destroyed.
    Shredded,
    /// The audit file cannot be written, so nothing that must be recorded can happen.
    AuditUnavailable,
    /// The keeper's own files cannot be written or read.
    StorageFailed,
    /// Memory for secrets, random numbers or a table's bound are exhausted.
    Exhausted,
    /// The verb does not fit the connection: a second lease, or a release without a lease.
    WrongMoment,
    /// The keys are not open: somebody has to unseal the keeper.
    Sealed,
    /// No provider opened the keys: wrong passphrase, or the provider is away. Deliberately not told apart.
    UnsealFailed,
    /// The key is assigned, to this or another bot.
    KeyAssigned,
    /// The key is not assigned to this bot.
    NotAssigned,
    /// The key was deactivated.
    KeyInactive,
    /// The bot last reported a position or an order.
    PositionOpen,
    /// A provider that would have to wrap the new root key is not at hand.
    ProviderUnavailable,
}

/// State of a keeper whose keys are not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The installation it says to belong to; not proven while sealed.
    pub install: InstallId,
    /// Kinds of the providers that are enrolled.
    pub providers: Vec<String>,
    /// Leases of processes that still run.
    pub leases: u32,
    /// Milliseconds until the next attempt to unseal is looked at.
    pub wait_ms: u64,
}

/// What [`Request::VerifyStore`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreReport {
    /// Keys of workspaces, and the house key, that opened.
    pub keys: u32,
    /// Live records whose slot is whole and theirs.
    pub live_records: u32,
    /// Live records whose slot is not.
    pub broken_records: u32,
    /// Live records of workspaces whose key was destroyed.
    pub orphaned_records: u32,
    /// Epochs; more than one while a rotation is under way.
    pub epochs: u32,
    /// Changes of the record table so far.
    pub generation: u64,
    /// Changes of the key file so far.
    pub keys_generation: u64,
}

/// State of the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The installation it belongs to.
    pub install: InstallId,
    /// Id of its public key.
    pub key_id: KeeperKeyId,
    /// The same for people.
    pub fingerprint: String,
    /// Records that can be leased.
    pub live_records: u32,
    /// Records destroyed.
    pub shredded_records: u32,
    /// Leases held now.
    pub leases: u32,
    /// `sound` when overwriting a slot is known to destroy it on this file system, else `degraded`.
    pub deletion: Grade,
    /// `sound` when the process is sandboxed, else `degraded`.
    pub isolation: Grade,
    /// How secrets are kept in memory: `sealed`, `locked` or `plain`.
    pub memory: String,
    /// Entries in the audit file.
    pub audit_entries: u64,
    /// Ed25519 public key of the audit file's signatures, 64 hexadecimal digits.
    #[serde(default)]
    pub audit_key: String,
    /// Epoch under which keys are wrapped.
    #[serde(default)]
    pub epoch: u32,
    /// Epochs there are; more than one while a rotation is under way.
    #[serde(default)]
    pub epochs: u32,
    /// Kinds of the providers that are enrolled.
    #[serde(default)]
    pub providers: Vec<String>,
    /// How often leases were asked for faster than allowed, since the start.
    #[serde(default)]
    pub alarms: u32,
}

/// Whether a protection is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As designed.
    Sound,
    /// Missing or incomplete; shown to users.
    Degraded,
}

/// The key to seal to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// The installation.
    pub install: InstallId,
    /// Id of the key.
    pub key_id: KeeperKeyId,
    /// The id for people to compare.
    pub fingerprint: String,
    /// X25519.
    pub public_key: KeeperPublicKey,
}

/// One version of a record, as the keeper knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordVersion {
    /// The version.
    pub version: u32,
    /// Whether it can be leased.
    pub state: RecordState,
    /// When it was imported, milliseconds since 1970-01-01 UTC.
    pub imported_at_ms: u64,
    /// Whether a process holds it now.
    pub leased: Leased,
}

/// Whether a record version can be leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// It can.
    Live,
    /// Its slot was destroyed.
    Shredded,
}

/// Whether a process holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leased {
    /// One does.
    Yes,
    /// None does.
    No,
}

/// A passphrase on its way to the keeper. Not printable; wiped when dropped.
#[derive(Clone)]
pub struct Passphrase(zeroize::Zeroizing<String>);

impl Passphrase {
    /// Takes it over.
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// Its bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl PartialEq for Passphrase {
    /// Only for tests of messages; nothing decides about a passphrase by comparing it.
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Passphrase {}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Serialize for Passphrase {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Marks the ids of leases.
#[derive(Debug)]
pub enum LeaseKind {}
/// Id of a lease.
pub type LeaseId = Id<LeaseKind>;

/// A launch ticket: whoever holds it and runs as the right user gets the lease, once. Not printable.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket([u8; 32]);

/// The text is not a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a launch ticket")]
pub struct TicketError;

impl Ticket {
    /// A ticket of these random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the 43 characters of [`to_text`](Self::to_text).
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_quotes_input| TicketError)?;
        bytes.try_into().map(Self).map_err(|_wrong_length| TicketError)
    }

    /// Base64url without padding.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket(…)")
    }
}

impl Serialize for Ticket {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The asking side, over a connection somebody else opened.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    last_id: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection or the message failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The keeper closed the connection.
    #[error("the keeper closed the connection")]
    Closed,
    /// The answer belongs to another question.
    #[error("the keeper answered another question")]
    OutOfStep,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Speaks over `stream`.
    pub const fn new(stream: S) -> Self {
        Self { stream, last_id: 0 }
    }

    /// Asks, and waits for the answer; each half within `within`.
    ///
    /// # Errors
    /// [`AskError`]; the connection is then of no further use. A refusal is an answer, not an error.
    pub async fn ask(&mut self, request: &Request, within: Duration) -> Result<Answer, AskError> {
        self.last_id += 1;
        frame::write_message(&mut self.stream, RULES, self.last_id, request, within).await?;
        let read = frame::read_message(&mut self.stream, RULES, Deadline::Within(within));
        let message = read.await?.ok_or(AskError::Closed)?;
        // A keeper that could not read the question answers with number 0.
        let refused = message.id == 0 && matches!(message.body, Answer::Refused { .. });
        if message.id == self.last_id || refused { Ok(message.body) } else { Err(AskError::OutOfStep) }
    }

    /// The connection, to be kept open while a lease lasts.
    pub fn into_inner(self) -> S {
        self.stream
    }
}
