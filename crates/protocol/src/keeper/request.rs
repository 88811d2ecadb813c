//! The questions and their arguments. Who may ask is said at each verb and enforced by the keeper.

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_seal::{BotPublicKey, Context, SealedDataKey, WrappedDataKey};
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::{DEFAULT_TICKET_MS, MAX_TICKET_MS};
use super::{LeaseId, Passphrase, Ticket};

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
