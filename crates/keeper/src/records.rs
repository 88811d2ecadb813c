//! Which record versions were ever imported, where their slots are, which were destroyed, and what may be done with keys.
//!
//! ```text
//! 0 magic "KHRECS01" 8 │ install 16 │ generation u64 │ records u32 │ keys u32
//! 40 records of 56: workspace 16 │ key 16 │ version u32 │ slot u32 │ imported at u64 ms │ state u8 │ zeros 7
//! then keys of 56: workspace 16 │ key 16 │ bot 16 │ flags u8: 1 inactive, 2 exposed, 4 canary, 8 assigned │ zeros 7
//! last 32: HMAC-SHA256 under a key derived from the root key            (integers big endian)
//! ```
//!
//! A small file, written anew and replaced atomically at every change. It holds no secret: losing it loses the proof
//! that a version was imported before, not a key. Destroyed versions stay listed, so that they cannot come back.

use std::collections::BTreeMap;

use keyhold_domain::{BotId, InstallId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::{Exposure, RecordState};

use crate::slots::Owner;

const MAGIC: &[u8; 8] = b"KHRECS01";
const HEADER_BYTES: usize = 40;
const ENTRY_BYTES: usize = 56;
const MAC_BYTES: usize = 32;
const LIVE: u8 = 1;
const SHREDDED: u8 = 2;
const INACTIVE: u8 = 1;
const EXPOSED: u8 = 2;
const CANARY: u8 = 4;
const ASSIGNED: u8 = 8;

/// The file's name.
pub const FILE: &str = "records.bin";

/// One record version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its owner.
    pub workspace: WorkspaceId,
    /// Where its slot is, or was.
    pub slot: u32,
    /// Milliseconds since 1970-01-01 UTC.
    pub imported_at_ms: u64,
    /// Whether it can be leased.
    pub state: RecordState,
}

/// Whether a key may be leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It may.
    Active,
    /// Not until it is activated.
    Inactive,
    /// Never: whoever tries gives himself away.
    Canary,
}

/// What may be done with a key. A key without an entry is active and was never assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its owner.
    pub workspace: WorkspaceId,
    /// The only bot that may lease it.
    pub bot: Option<BotId>,
    /// Whether it may be leased.
    pub usable: Use,
    /// What the bot last reported.
    pub exposure: Exposure,
}

impl KeyEntry {
    /// A key of which nothing was said.
    pub const fn new(workspace: WorkspaceId) -> Self {
        Self { workspace, bot: None, usable: Use::Active, exposure: Exposure::Flat }
    }

    fn flags(&self) -> u8 {
        let usable = match self.usable {
            Use::Active => 0,
            Use::Inactive => INACTIVE,
            Use::Canary => CANARY,
        };
        let exposed = match self.exposure {
            Exposure::Open => EXPOSED,
            Exposure::Flat => 0,
        };
        usable | exposed | if self.bot.is_some() { ASSIGNED } else { 0 }
    }
}

/// All record versions, and how often the table was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Changes so far.
    pub generation: u64,
    /// By key and version.
    pub entries: BTreeMap<Owner, Record>,
    /// By key; keys of which nothing was said have none.
    pub keys: BTreeMap<KeyId, KeyEntry>,
}

/// The bytes are not a table of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record table of this installation, or changed by somebody else")]
pub struct RecordsError;

impl Records {
    /// Whether any workspace but this one used the key id.
    pub fn belongs_to_another(&self, workspace: WorkspaceId, key: KeyId) -> bool {
        self.versions(key).any(|(_, record)| record.workspace != workspace)
            || self.keys.get(&key).is_some_and(|entry| entry.workspace != workspace)
    }

    /// What may be done with a key.
    pub fn key(&self, workspace: WorkspaceId, key: KeyId) -> KeyEntry {
        self.keys.get(&key).copied().unwrap_or(KeyEntry::new(workspace))
    }

    /// All versions of a key, oldest first.
    pub fn versions(&self, key: KeyId) -> impl DoubleEndedIterator<Item = (u32, &Record)> {
        let from = Owner { key, version: 0 };
        let until = Owner { key, version: u32::MAX };
        self.entries.range(from..=until).map(|(owner, record)| (owner.version, record))
    }

    /// How many records are in a state.
    pub fn count(&self, state: RecordState) -> u32 {
        let count = self.entries.values().filter(|record| record.state == state).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The file's bytes; `mac` authenticates everything before it.
    pub fn encode<E>(
        &self,
        install: InstallId,
        mac: impl FnOnce(&[u8]) -> Result<[u8; 32], E>,
    ) -> Result<Vec<u8>, E> {
        let count = u32::try_from(self.entries.len()).expect("fewer records than slots");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES + MAC_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&install.to_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        let keys = u32::try_from(self.keys.len()).expect("fewer keys than records");
        bytes.extend_from_slice(&keys.to_be_bytes());
        for (owner, record) in &self.entries {
            bytes.extend_from_slice(&record.workspace.to_bytes());
            bytes.extend_from_slice(&owner.key.to_bytes());
            bytes.extend_from_slice(&owner.version.to_be_bytes());
            bytes.extend_from_slice(&record.slot.to_be_bytes());
            bytes.extend_from_slice(&record.imported_at_ms.to_be_bytes());
            bytes.push(match record.state {
                RecordState::Live => LIVE,
                RecordState::Shredded => SHREDDED,
            });
            bytes.extend_from_slice(&[0; 7]);
        }
        for (key, entry) in &self.keys {
            bytes.extend_from_slice(&entry.workspace.to_bytes());
            bytes.extend_from_slice(&key.to_bytes());
            bytes.extend_from_slice(&entry.bot.map_or([0; 16], BotId::to_bytes));
            bytes.push(entry.flags());
            bytes.extend_from_slice(&[0; 7]);
        }
        let tag = mac(&bytes)?;
        bytes.extend_from_slice(&tag);
        Ok(bytes)
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`RecordsError`], wrapped by the caller's own for a failing `mac`.
    pub fn decode<E: From<RecordsError>>(
        bytes: &[u8],
        install: InstallId,
        mac: impl FnOnce(&[u8]) -> Result<[u8; 32], E>,
    ) -> Result<Self, E> {
        let body_length = bytes.len().checked_sub(MAC_BYTES).filter(|length| *length >= HEADER_BYTES);
        let (body, tag) = bytes.split_at(body_length.ok_or(RecordsError)?);
        // Both sides are public to whoever can read the file, so an ordinary comparison gives nothing away.
        if mac(body)? != tag || &body[..8] != MAGIC || body[8..24] != install.to_bytes() {
            return Err(RecordsError.into());
        }
        let generation = u64::from_be_bytes(part(body, 24));
        let records = u32::from_be_bytes(part(body, 32)) as usize * ENTRY_BYTES;
        let keys = u32::from_be_bytes(part(body, 36)) as usize * ENTRY_BYTES;
        let table = &body[HEADER_BYTES..];
        if table.len() != records + keys {
            return Err(RecordsError.into());
        }
        let (records, keys) = table.split_at(records);
        let entries = records.chunks_exact(ENTRY_BYTES).map(entry).collect::<Result<_, _>>()?;
        let keys = keys.chunks_exact(ENTRY_BYTES).map(key_entry).collect::<Result<_, _>>()?;
        Ok(Self { generation, entries, keys })
    }
}

fn entry(bytes: &[u8]) -> Result<(Owner, Record), RecordsError> {
    let owner =
        Owner { key: KeyId::from_bytes(part(bytes, 16)), version: u32::from_be_bytes(part(bytes, 32)) };
    let state = match bytes[48] {
        LIVE => RecordState::Live,
        SHREDDED => RecordState::Shredded,
        _ => return Err(RecordsError),
    };
    let record = Record {
        workspace: WorkspaceId::from_bytes(part(bytes, 0)),
        slot: u32::from_be_bytes(part(bytes, 36)),
        imported_at_ms: u64::from_be_bytes(part(bytes, 40)),
        state,
    };
    Ok((owner, record))
}

fn key_entry(bytes: &[u8]) -> Result<(KeyId, KeyEntry), RecordsError> {
    let flags = bytes[48];
    let usable = match flags & (INACTIVE | CANARY) {
        0 => Use::Active,
        INACTIVE => Use::Inactive,
        CANARY => Use::Canary,
        _ => return Err(RecordsError),
    };
    let exposure = if flags & EXPOSED == 0 { Exposure::Flat } else { Exposure::Open };
    let bot = (flags & ASSIGNED != 0).then(|| BotId::from_bytes(part(bytes, 32)));
    let entry = KeyEntry { workspace: WorkspaceId::from_bytes(part(bytes, 0)), bot, usable, exposure };
    Ok((KeyId::from_bytes(part(bytes, 16)), entry))
}

/// `N` bytes at a fixed place of a fixed-size structure.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the callers' ranges lie inside")
}
