//! What the keeper is asked and what it answers. One request, one answer, in order, over a UNIX socket.
//!
//! No answer contains a data key or a credential in clear: the only secret that leaves the keeper is a
//! [`LeaseAnswer`](keyhold_seal::LeaseAnswer), sealed to the key pair of one process. The rules behind each verb are in
//! the keeper itself (`crates/keeper`); the frames are [`crate::frame`]; the bytes of the blobs are in
//! `docs/formats/envelope.md`.

mod answer;
mod client;
mod handed;
mod request;
mod state;

use keyhold_domain::Id;

pub use self::answer::{Answer, Refusal};
pub use self::client::{AskError, Client};
pub use self::handed::{Passphrase, Ticket, TicketError};
pub use self::request::{
    Assignment, Describe, Exposure, Import, KeyRef, LeaseRequest, RekeyRoot, Renew, Request, Shred, Tenant,
    TicketRequest, Unseal,
};
pub use self::state::{
    Grade, Leased, ProviderHealth, ProviderState, PublicKey, RecordState, RecordVersion, Sealed, Status,
    StoreReport,
};

use crate::frame::{FrameLimit, FrameRules};

/// Version of this protocol.
pub const VERSION: u16 = 1;
/// Frames of this protocol: version 1, 64 KiB.
pub const RULES: FrameRules = FrameRules { version: VERSION, limit: FrameLimit::LOCAL };
/// How long a launch ticket lives unless the request says less, in milliseconds.
pub const DEFAULT_TICKET_MS: u32 = 30_000;
/// Longest life of a launch ticket, in milliseconds.
pub const MAX_TICKET_MS: u32 = 300_000;

/// Marks the ids of leases.
#[derive(Debug)]
pub enum LeaseKind {}
/// Id of a lease.
pub type LeaseId = Id<LeaseKind>;
