//! What the keeper says about itself and its records. No key and no credential is in any of it.

use keyhold_domain::InstallId;
use keyhold_seal::{KeeperKeyId, KeeperPublicKey};
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Request;

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
    /// Which of them could open the keys now.
    #[serde(default)]
    pub health: Vec<ProviderHealth>,
    /// How often leases were asked for faster than allowed, since the start.
    #[serde(default)]
    pub alarms: u32,
}

/// State of a keeper whose keys are not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The installation it says to belong to; not proven while sealed.
    pub install: InstallId,
    /// Kinds of the providers that are enrolled.
    pub providers: Vec<String>,
    /// Which of them could open the keys now.
    #[serde(default)]
    pub health: Vec<ProviderHealth>,
    /// Leases of processes that still run.
    pub leases: u32,
    /// Milliseconds until the next attempt to unseal is looked at.
    pub wait_ms: u64,
}

/// One enrolled provider of the root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderHealth {
    /// Of which kind.
    pub kind: String,
    /// Which of that kind.
    pub name: String,
    /// Whether it could open the keys now.
    pub state: ProviderState,
    /// Why not, and what to do about it; empty when it could. No values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Whether a provider could open the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// It could.
    Ready,
    /// It could when somebody types the passphrase.
    Typed,
    /// It could not.
    Unavailable,
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
