//! The key file's bytes: which providers, epochs and members there are. Everything secret in it is encrypted.
//!
//! ```text
//! 0 magic "KHKEYS01" 8 │ install 16 │ generation u64 │ providers u16 │ epochs u16 │ members u32
//! providers: kind u8 │ name length u8 │ blob length u16 │ name │ blob
//! epochs of 88, ascending: epoch u32 │ zeros 4 │ wraps u64 │ made at u64 ms │ wrapped key 60 │ zeros 4
//! members of 84, ascending: kind u8 │ state u8 │ zeros 2 │ epoch u32 │ id 16 │ wrapped key 60
//! last 32: HMAC-SHA256 under a key derived from the root key            (integers big endian)
//! ```
//!
//! Parsing comes before the root key is known, so it trusts nothing: every length is checked, and the caller checks the
//! tag as soon as a provider has given the root key. Written anew and replaced atomically at every change.

use std::collections::BTreeMap;

use keyhold_domain::{InstallId, WorkspaceId};
use keyhold_unseal::rewrap::{Member, WRAPPED_KEY_BYTES, WrappedKey};

use crate::providers::{Enrollment, Kind};

const MAGIC: &[u8; 8] = b"KHKEYS01";
const HEADER_BYTES: usize = 40;
const EPOCH_BYTES: usize = 88;
const MEMBER_BYTES: usize = 84;
/// Length of the tag at the end.
pub(super) const MAC_BYTES: usize = 32;
const LIVE: u8 = 1;
const DESTROYED: u8 = 2;

/// The file's name.
pub const FILE: &str = "keys.bin";
/// Most providers enrolled at once.
pub const MAX_PROVIDERS: usize = 8;
/// Most epochs at once: the current one, and the ones before while a rotation is under way.
pub const MAX_EPOCHS: usize = 8;

/// The bytes are not a key file of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key file of this installation, or changed by somebody else")]
pub struct RingError;

/// One epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochEntry {
    /// How many keys were ever wrapped under it.
    pub wraps: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub made_at_ms: u64,
    /// Its key, under the root key.
    pub wrapped: WrappedKey,
}

/// The key of a workspace, or the house key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEntry {
    /// Wrapped under the key of an epoch.
    Live {
        /// Which.
        epoch: u32,
        /// The key.
        wrapped: WrappedKey,
    },
    /// Destroyed for good: the workspace never gets another.
    Destroyed,
}

/// All of the file but the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The installation.
    pub install: InstallId,
    /// Changes so far.
    pub generation: u64,
    /// Who can give the root key.
    pub providers: Vec<Enrollment>,
    /// By number.
    pub epochs: BTreeMap<u32, EpochEntry>,
    /// By owner.
    pub members: BTreeMap<Member, MemberEntry>,
}

impl Body {
    /// The bytes that the tag authenticates.
    pub fn encode(&self) -> Vec<u8> {
        let room = HEADER_BYTES + self.epochs.len() * EPOCH_BYTES + self.members.len() * MEMBER_BYTES + 1024;
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.install.to_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&count::<u16>(self.providers.len()).to_be_bytes());
        bytes.extend_from_slice(&count::<u16>(self.epochs.len()).to_be_bytes());
        bytes.extend_from_slice(&count::<u32>(self.members.len()).to_be_bytes());
        for provider in &self.providers {
            bytes.push(provider.kind.code());
            bytes.push(count::<u8>(provider.name.len()));
            bytes.extend_from_slice(&count::<u16>(provider.blob.len()).to_be_bytes());
            bytes.extend_from_slice(provider.name.as_bytes());
            bytes.extend_from_slice(&provider.blob);
        }
        for (number, epoch) in &self.epochs {
            bytes.extend_from_slice(&number.to_be_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&epoch.wraps.to_be_bytes());
            bytes.extend_from_slice(&epoch.made_at_ms.to_be_bytes());
            bytes.extend_from_slice(&epoch.wrapped.0);
            bytes.extend_from_slice(&[0; 4]);
        }
        for (member, entry) in &self.members {
            let (state, epoch, wrapped) = match entry {
                MemberEntry::Live { epoch, wrapped } => (LIVE, *epoch, wrapped.0),
                MemberEntry::Destroyed => (DESTROYED, 0, [0; WRAPPED_KEY_BYTES]),
            };
            bytes.extend_from_slice(&[member.kind(), state, 0, 0]);
            bytes.extend_from_slice(&epoch.to_be_bytes());
            bytes.extend_from_slice(&member.id());
            bytes.extend_from_slice(&wrapped);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`RingError`] for anything else, down to the last byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, RingError> {
        let mut rest = Rest(bytes);
        if rest.take::<8>()? != *MAGIC {
            return Err(RingError);
        }
        let install = InstallId::from_bytes(rest.take()?);
        let generation = u64::from_be_bytes(rest.take()?);
        let providers = usize::from(u16::from_be_bytes(rest.take()?));
        let epochs = usize::from(u16::from_be_bytes(rest.take()?));
        let members = u32::from_be_bytes(rest.take()?) as usize;
        if providers > MAX_PROVIDERS || epochs > MAX_EPOCHS || members > rest.0.len() / MEMBER_BYTES {
            return Err(RingError);
        }
        let body = Self {
            install,
            generation,
            providers: (0..providers).map(|_| rest.provider()).collect::<Result<_, _>>()?,
            epochs: (0..epochs).map(|_| rest.epoch()).collect::<Result<_, _>>()?,
            members: (0..members).map(|_| rest.member()).collect::<Result<_, _>>()?,
        };
        // One way to write a thing: no other order, no double entries, no bytes between that this would not write.
        if rest.0.is_empty() && body.encode() == bytes { Ok(body) } else { Err(RingError) }
    }
}

/// A count that the limits above keep small.
fn count<T: TryFrom<usize>>(length: usize) -> T {
    T::try_from(length).ok().expect("limits are checked where things are added")
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RingError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(RingError)?;
        self.0 = rest;
        Ok(*first)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, RingError> {
        let (first, rest) = self.0.split_at_checked(length).ok_or(RingError)?;
        self.0 = rest;
        Ok(first.to_vec())
    }

    fn provider(&mut self) -> Result<Enrollment, RingError> {
        let [kind, name] = self.take()?;
        let blob = usize::from(u16::from_be_bytes(self.take()?));
        Ok(Enrollment {
            kind: Kind::from_code(kind).ok_or(RingError)?,
            name: String::from_utf8(self.bytes(name.into())?).map_err(|_not_text| RingError)?,
            blob: self.bytes(blob)?,
        })
    }

    fn epoch(&mut self) -> Result<(u32, EpochEntry), RingError> {
        let number = u32::from_be_bytes(self.take()?);
        let _zeros: [u8; 4] = self.take()?;
        let entry = EpochEntry {
            wraps: u64::from_be_bytes(self.take()?),
            made_at_ms: u64::from_be_bytes(self.take()?),
            wrapped: WrappedKey(self.take()?),
        };
        let _zeros: [u8; 4] = self.take()?;
        Ok((number, entry))
    }

    fn member(&mut self) -> Result<(Member, MemberEntry), RingError> {
        let [kind, state, _, _] = self.take()?;
        let epoch = u32::from_be_bytes(self.take()?);
        let id: [u8; 16] = self.take()?;
        let wrapped = WrappedKey(self.take()?);
        let member = match kind {
            1 => Member::House,
            2 => Member::Workspace(WorkspaceId::from_bytes(id)),
            _ => return Err(RingError),
        };
        match state {
            LIVE => Ok((member, MemberEntry::Live { epoch, wrapped })),
            DESTROYED => Ok((member, MemberEntry::Destroyed)),
            _ => Err(RingError),
        }
    }
}
