//! What an entry of the audit file says: ids, moments and the program's own words; never keys, tickets or values.

use keyhold_domain::{BotId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::LeaseId;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The keeper started; `detail` names version and isolation, `boot` the boot of the machine.
    Started,
    /// The keeper stopped in order.
    Stopped,
    /// A data key is about to be taken over.
    Import,
    /// A launch ticket is about to be issued.
    Ticket,
    /// A data key is about to be handed to a process.
    Lease,
    /// A lease ended; `detail` says how.
    Release,
    /// Slots were destroyed.
    Shred,
    /// A request was refused; `detail` is the reason.
    Refused,
    /// The keys were forgotten; `detail` says why.
    Sealed,
    /// The keys were opened by somebody.
    Unsealed,
    /// An attempt to open them failed.
    UnsealFailed,
    /// A key was given to a bot.
    Assign,
    /// A bot gave a key back.
    Unassign,
    /// A key may be leased again.
    Activate,
    /// A key may not be leased.
    Deactivate,
    /// A key was made a canary.
    Canary,
    /// Somebody asked for a canary; the keeper sealed itself.
    Intrusion,
    /// A bot reported whether it has a position; `detail` says which.
    Exposure,
    /// A key was seen elsewhere and is destroyed.
    Leaked,
    /// All keys of a workspace are destroyed.
    ShredTenant,
    /// A step of a rotation; `detail` says how far it is.
    Rotate,
    /// A new root key.
    Rekey,
    /// A provider was enrolled or removed; `detail` says which.
    Provider,
    /// Leases were asked for faster than allowed.
    Alarm,
    /// The keeper went on with an older file, on the operator's word; `detail` says which.
    RollbackAccepted,
    /// A signature over all before it.
    Anchor,
    /// Entries were lost while the file could not be written; `detail` is their number.
    Lost,
}

/// One entry. Absent fields do not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Number, from 1 without gaps; set when written.
    pub seq: u64,
    /// Wall time in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
    /// User id of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Process number of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Owner of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Version of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<BotId>,
    /// The lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// What the kernel calls the process, unique until the machine is booted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Boot of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Changes of the record table when this was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Changes of the key file when this was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_generation: Option<u64>,
    /// Ed25519 signature of an anchor, 128 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// One of the program's own words, never a value from a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Entry {
    /// An entry with nothing but a moment and a kind.
    pub fn new(event: Event, at_ms: u64) -> Self {
        Self {
            seq: 0,
            at_ms,
            event,
            uid: None,
            pid: None,
            workspace: None,
            key: None,
            version: None,
            bot: None,
            lease: None,
            process: None,
            boot: None,
            generation: None,
            keys_generation: None,
            signature: None,
            detail: None,
        }
    }
}
