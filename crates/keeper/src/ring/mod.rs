//! The keeper's keys in order: which root key opens which epoch, and which epoch opens whose key.
//!
//! ```text
//! Locked::read ──a provider's root key──▶ Ring       Ring::workspace   whose key      Ring::rotate_*  rotate.rs
//! ```
//!
//! The key file is the one place where wrapped keys are kept, on no other machine and in no backup. Every change writes
//! it whole and replaces it atomically, so whatever a crash interrupts, the file is either the one before or the one
//! after. Which providers there are is not decided here, and records are not known here.

mod file;
mod rotate;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use keyhold_domain::{InstallId, WorkspaceId};
use keyhold_os::secret::LockedBox;
use keyhold_seal::EntropySource;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{EpochKey, Member, MemberKey, RootKey, Shield};

use crate::files::{FilesError, StateDir, failed};
use crate::providers::{Enrollment, ProviderError, RootProvider};

pub use file::{Body, EpochEntry, FILE, MAX_EPOCHS, MAX_PROVIDERS, MemberEntry, RingError};
pub use rotate::{BATCH, Rotation};

const LABEL: &[u8] = b"keyhold/keys/v1";
/// Keys wrapped under one epoch key before it must be rotated; AES-GCM with random nonces allows 2^32 (NIST SP 800-38D).
pub const MAX_WRAPS: u64 = 1 << 30;

/// Why the keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Damaged, or changed by somebody else.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A key does not open, or there is no memory for it.
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
    /// A provider.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The workspace's key was destroyed.
    #[error("the workspace's key was destroyed")]
    Destroyed,
    /// An epoch key has been used often enough.
    #[error("the epoch's key has wrapped {MAX_WRAPS} keys: rotate it first")]
    WornOut,
    /// There are as many providers as there can be.
    #[error("{MAX_PROVIDERS} providers are enrolled already")]
    TooManyProviders,
    /// Without it nothing would open any more.
    #[error("the last provider cannot be removed")]
    LastProvider,
    /// Not enrolled.
    #[error("no such provider is enrolled")]
    NoSuchProvider,
}

/// The key file as read, before its root key is known.
#[derive(Debug)]
pub struct Locked {
    dir: StateDir,
    bytes: Vec<u8>,
    body: Body,
}

/// The keys, open.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Ring {
    dir: StateDir,
    shield: Arc<Shield>,
    root: RootKey,
    body: Body,
    epochs: BTreeMap<u32, EpochKey>,
    house: MemberKey,
}

impl Locked {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// [`KeysError::Files`], [`KeysError::Ring`].
    pub fn read(dir: &StateDir) -> Result<Option<Self>, KeysError> {
        let path = dir.file(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("reading", &path)(error).into()),
        };
        let length = bytes.len().checked_sub(file::MAC_BYTES).ok_or(RingError)?;
        let body = Body::decode(&bytes[..length])?;
        Ok(Some(Self { dir: dir.clone(), bytes, body }))
    }

    /// The installation; not authenticated yet.
    pub fn install(&self) -> InstallId {
        self.body.install
    }

    /// Who can open it; not authenticated yet.
    pub fn providers(&self) -> &[Enrollment] {
        &self.body.providers
    }

    /// Asks a provider for the root key.
    ///
    /// # Errors
    /// [`KeysError::NoSuchProvider`], [`KeysError::Provider`].
    pub fn unwrap(&self, provider: &mut dyn RootProvider) -> Result<LockedBox<32>, KeysError> {
        use crate::providers::Made;
        let mut last = KeysError::NoSuchProvider;
        for enrollment in &self.body.providers {
            if provider.made(enrollment) == Made::Elsewhere {
                continue;
            }
            match provider.unwrap(&enrollment.blob, self.body.install) {
                Ok(root) => return Ok(root),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// Opens everything with the root key.
    ///
    /// # Errors
    /// [`KeysError::Ring`] when the file is not as this keeper wrote it; [`KeysError::Rewrap`].
    pub fn open(self, root: LockedBox<32>, entropy: &mut impl EntropySource) -> Result<Ring, KeysError> {
        let shield = Shield::new(entropy)?;
        let root = RootKey::new(&shield, root)?;
        let (content, tag) = self.bytes.split_at(self.bytes.len() - file::MAC_BYTES);
        // Both sides are public to whoever can read the file, so an ordinary comparison gives nothing away.
        if root.authenticate(self.body.install, LABEL, content)? != tag {
            return Err(RingError.into());
        }
        let mut epochs = BTreeMap::new();
        for (number, entry) in &self.body.epochs {
            epochs.insert(*number, root.unwrap(self.body.install, *number, &entry.wrapped)?);
        }
        let house = member(&self.body, &epochs, Member::House)?.ok_or(RingError)?;
        Ok(Ring { dir: self.dir, shield, root, body: self.body, epochs, house })
    }
}

/// The key of a member, if it has one.
fn member(
    body: &Body,
    epochs: &BTreeMap<u32, EpochKey>,
    member: Member,
) -> Result<Option<MemberKey>, KeysError> {
    match body.members.get(&member) {
        None => Ok(None),
        Some(MemberEntry::Destroyed) => Err(KeysError::Destroyed),
        Some(MemberEntry::Live { epoch, wrapped }) => {
            let key = epochs.get(epoch).ok_or(RingError)?;
            Ok(Some(key.unwrap(body.install, member, wrapped)?))
        }
    }
}

impl Ring {
    /// Makes the key file: a new root key that `provider` wraps, a first epoch, and a house key (a given one when the
    /// folder is older than the key file).
    ///
    /// # Errors
    /// [`KeysError`]; [`FilesError::Exists`] when there is one.
    pub fn create(
        dir: &StateDir,
        install: InstallId,
        provider: &mut dyn RootProvider,
        house: Option<LockedBox<32>>,
        now_ms: u64,
        entropy: &mut impl EntropySource,
    ) -> Result<Self, KeysError> {
        let path = dir.file(FILE);
        if path.exists() {
            return Err(FilesError::Exists { path }.into());
        }
        let shield = Shield::new(entropy)?;
        let root = RootKey::draw(&shield, entropy)?;
        let house = match house {
            Some(given) => MemberKey::new(&shield, given)?,
            None => MemberKey::draw(&shield, entropy)?,
        };
        let enrolled = provider.enroll(root.open()?, install, entropy)?;
        let body = Body {
            install,
            generation: 0,
            providers: vec![enrolled],
            epochs: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        let mut ring = Self { dir: dir.clone(), shield, root, body, epochs: BTreeMap::new(), house };
        ring.add_epoch(1, now_ms, entropy)?;
        let wrapped = ring.wrap(Member::House, &ring.house, entropy)?;
        ring.put(Member::House, wrapped);
        ring.save()?;
        Ok(ring)
    }

    /// Writes the file under the next generation.
    fn save(&mut self) -> Result<(), KeysError> {
        self.body.generation += 1;
        let mut bytes = self.body.encode();
        let tag = self.root.authenticate(self.body.install, LABEL, &bytes)?;
        bytes.extend_from_slice(&tag);
        Ok(self.dir.replace(FILE, &bytes)?)
    }

    /// Carries out a change and writes it; when it cannot be written, nothing has changed.
    fn change<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, KeysError>) -> Result<T, KeysError> {
        let before = self.body.clone();
        let done = work(self).and_then(|value| self.save().map(|()| value));
        if done.is_err() {
            self.body = before;
        }
        done
    }

    /// The installation.
    pub fn install(&self) -> InstallId {
        self.body.install
    }

    /// Changes so far.
    pub fn generation(&self) -> u64 {
        self.body.generation
    }

    /// Goes on from a later generation, on the operator's word that an older file is to be used.
    ///
    /// # Errors
    /// [`KeysError::Files`].
    pub fn skip_to(&mut self, generation: u64) -> Result<(), KeysError> {
        self.change(|ring| {
            ring.body.generation = generation;
            Ok(())
        })
    }

    /// The house key.
    pub fn house(&self) -> &MemberKey {
        &self.house
    }

    /// How the shield's memory is protected, and what new keys are shielded with.
    pub fn shield(&self) -> &Arc<Shield> {
        &self.shield
    }

    /// The file's content.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The epoch under which keys are wrapped now.
    pub fn epoch(&self) -> u32 {
        self.body.epochs.last_key_value().map_or(0, |(number, _)| *number)
    }

    fn wrap(
        &self,
        member: Member,
        key: &MemberKey,
        entropy: &mut impl EntropySource,
    ) -> Result<MemberEntry, KeysError> {
        let epoch = self.epoch();
        let above = self.epochs.get(&epoch).ok_or(RingError)?;
        if self.body.epochs.get(&epoch).is_none_or(|entry| entry.wraps >= MAX_WRAPS) {
            return Err(KeysError::WornOut);
        }
        Ok(MemberEntry::Live { epoch, wrapped: above.wrap(self.body.install, member, key, entropy)? })
    }

    /// Puts a wrapped key in its place and counts it.
    fn put(&mut self, member: Member, entry: MemberEntry) {
        if let MemberEntry::Live { epoch, .. } = &entry
            && let Some(epoch) = self.body.epochs.get_mut(epoch)
        {
            epoch.wraps += 1;
        }
        self.body.members.insert(member, entry);
    }

    /// The key of a workspace; `None` when it has none yet.
    ///
    /// # Errors
    /// [`KeysError::Destroyed`], [`KeysError::Rewrap`].
    pub fn workspace(&self, workspace: WorkspaceId) -> Result<Option<MemberKey>, KeysError> {
        member(&self.body, &self.epochs, Member::Workspace(workspace))
    }

    /// The key of a workspace; drawn and written down first when it has none yet.
    ///
    /// # Errors
    /// [`KeysError`]; [`KeysError::Destroyed`] for a workspace whose key was destroyed.
    pub fn workspace_or_new(
        &mut self,
        workspace: WorkspaceId,
        entropy: &mut impl EntropySource,
    ) -> Result<MemberKey, KeysError> {
        if let Some(key) = self.workspace(workspace)? {
            return Ok(key);
        }
        let key = MemberKey::draw(&self.shield, entropy)?;
        let member = Member::Workspace(workspace);
        let entry = self.wrap(member, &key, entropy)?;
        self.change(|ring| {
            ring.put(member, entry);
            Ok(())
        })?;
        Ok(key)
    }

    /// Destroys a workspace's key for good; its slots are somebody else's business and go first. Idempotent, and a
    /// workspace that never had a key gets none later.
    ///
    /// # Errors
    /// [`KeysError::Files`].
    pub fn destroy(&mut self, workspace: WorkspaceId) -> Result<(), KeysError> {
        let member = Member::Workspace(workspace);
        if self.body.members.get(&member) == Some(&MemberEntry::Destroyed) {
            return Ok(());
        }
        self.change(|ring| {
            ring.body.members.insert(member, MemberEntry::Destroyed);
            Ok(())
        })
    }
}
