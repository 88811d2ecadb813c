//! Which record versions were ever imported, where their slots are, and which were destroyed.
//!
//! ```text
//! 0 magic "KHRECS01" 8 │ install 16 │ generation u64 │ count u32 │ zeros 4
//! 40 entries of 56: workspace 16 │ key 16 │ version u32 │ slot u32 │ imported at u64 ms │ state u8 │ zeros 7
//! last 32: HMAC-SHA256 under a key derived from the root key            (integers big endian)
//! ```
//!
//! A small file, written anew and replaced atomically at every change. It holds no secret: losing it loses the proof
//! that a version was imported before, not a key. Destroyed versions stay listed, so that they cannot come back.

use std::collections::BTreeMap;

use keyhold_domain::{InstallId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::RecordState;

use crate::slots::Owner;

const MAGIC: &[u8; 8] = b"KHRECS01";
const HEADER_BYTES: usize = 40;
const ENTRY_BYTES: usize = 56;
const MAC_BYTES: usize = 32;
const LIVE: u8 = 1;
const SHREDDED: u8 = 2;

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

/// All record versions, and how often the table was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Changes so far.
    pub generation: u64,
    /// By key and version.
    pub entries: BTreeMap<Owner, Record>,
}

/// The bytes are not a table of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record table of this installation, or changed by somebody else")]
pub struct RecordsError;

impl Records {
    /// Whether any workspace but this one used the key id.
    pub fn belongs_to_another(&self, workspace: WorkspaceId, key: KeyId) -> bool {
        self.versions(key).any(|(_, record)| record.workspace != workspace)
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
        bytes.extend_from_slice(&[0; 4]);
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
        let count = u32::from_be_bytes(part(body, 32));
        let table = &body[HEADER_BYTES..];
        if table.len() != count as usize * ENTRY_BYTES {
            return Err(RecordsError.into());
        }
        let entries = table.chunks_exact(ENTRY_BYTES).map(entry).collect::<Result<_, _>>()?;
        Ok(Self { generation, entries })
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

/// `N` bytes at a fixed place of a fixed-size structure.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the callers' ranges lie inside")
}
