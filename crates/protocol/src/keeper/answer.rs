//! The answers, and the reasons for refusing. What the keeper says about itself is in `state.rs`.

use keyhold_seal::{LeaseAnswer, WrappedDataKey};
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Request;
use super::{LeaseId, PublicKey, RecordVersion, Sealed, Status, StoreReport, Ticket};

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
