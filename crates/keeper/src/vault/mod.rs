//! What the keeper can open: keys, slots and records together, kept consistent through crashes.
//!
//! Order of writing, and what a crash between two steps leaves:
//! * a workspace's first import: its key (`ring/`) before all else. Without the rest it is a key that opens nothing.
//! * import: slot, records, generation in the slot header. After the first step the slot is an orphan: the next start
//!   overwrites it, and the caller, who got no answer, may import again.
//! * shred: slot, records, generation. After the first step the record is gone for good; the next start completes the
//!   table.
//!
//! A record table older than the slot header says is a restored copy: refused as [`VaultError::RollbackSuspected`].
//! Who may ask for what is not decided here; see `keeper.rs`.

mod opening;

use std::collections::BTreeSet;

use keyhold_domain::{InstallId, KeyId, WorkspaceId};
use keyhold_protocol::keeper::{Exposure, RecordState, Refusal, StoreReport};
use keyhold_seal::{
    Context, EntropySource, KeeperPublicKey, LeaseAnswer, SealedDataKey, WrapFormat, WrappedDataKey,
};
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{
    self, KeeperSecretKey, Member, MemberKey, Recipient, SlotSecret, Under, Wrapping,
};

use crate::files::{FilesError, StateDir};
use crate::providers::ProviderError;
use crate::records::{self, KeyEntry, Record, Records, RecordsError};
use crate::ring::{KeysError, MemberEntry, Ring};
use crate::slots::{KEEPER_SLOT, MAX_SLOTS, Owner, SlotFile};

pub use opening::{open_by_files, upgrade};

const RECORDS_LABEL: &[u8] = b"keyhold/records/v1";

/// Why the vault refuses or fails.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The record table is damaged or was changed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The data key could not be re-wrapped.
    #[error(transparent)]
    Rewrap(#[from] RewrapError),
    /// The keys.
    #[error(transparent)]
    Keys(KeysError),
    /// A file is older than another says it should be: a copy was put back.
    #[error(
        "{file} (generation {found}) is older than the slots or the audit file say ({expected}): was a backup restored?"
    )]
    RollbackSuspected {
        /// Which file.
        file: &'static str,
        /// Its generation.
        found: u64,
        /// The generation that was reached.
        expected: u64,
    },
    /// The slot of the keeper's own key pair is damaged.
    #[error("the keeper's own slot is damaged; `rotate-seal-key` draws a new one")]
    NoSeed,
    /// Imported before, in this or another workspace.
    #[error("this record version was imported before")]
    AlreadyImported,
    /// Never imported, or not by this workspace.
    #[error("no such record version")]
    UnknownRecord,
    /// Destroyed.
    #[error("the record was destroyed")]
    Shredded,
    /// All slots are taken.
    #[error("all {MAX_SLOTS} slots are in use")]
    Full,
}

impl From<KeysError> for VaultError {
    /// A file that cannot be used is that, whoever was using it.
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Files(error) | KeysError::Provider(ProviderError::Files(error)) => Self::Files(error),
            KeysError::Rewrap(error) => Self::Rewrap(error),
            other => Self::Keys(other),
        }
    }
}

impl VaultError {
    /// The code for the peer.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Files(_)
            | Self::Records(_)
            | Self::Keys(
                KeysError::Files(_)
                | KeysError::Ring(_)
                | KeysError::Rewrap(_)
                | KeysError::Provider(_)
                | KeysError::WornOut
                | KeysError::TooManyProviders
                | KeysError::LastProvider
                | KeysError::NoSuchProvider,
            )
            | Self::RollbackSuspected { .. }
            | Self::NoSeed
            | Self::Rewrap(RewrapError::Damaged) => Refusal::StorageFailed,
            Self::Rewrap(RewrapError::Unopenable | RewrapError::BadPublicKey) => Refusal::Unopenable,
            Self::Rewrap(RewrapError::Entropy | RewrapError::Memory(_)) | Self::Full => Refusal::Exhausted,
            Self::AlreadyImported => Refusal::AlreadyImported,
            Self::UnknownRecord => Refusal::UnknownRecord,
            Self::Shredded | Self::Keys(KeysError::Destroyed) => Refusal::Shredded,
        }
    }
}

/// What to do about files that are older than others say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// Do not start.
    Refuse,
    /// Start on the operator's word. Destroyed slots stay destroyed all the same.
    Accept,
}

/// An import that is worked out but has changed nothing yet.
#[allow(missing_debug_implementations, reason = "holds a slot secret")]
pub struct PreparedImport {
    owner: Owner,
    record: Record,
    secret: SlotSecret,
    /// What the server is to store.
    pub wrapped: WrappedDataKey,
}

/// Keys, slots and records.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Vault {
    dir: StateDir,
    ring: Ring,
    seal_key: KeeperSecretKey,
    slots: SlotFile,
    records: Records,
    free: BTreeSet<u32>,
    accepted: Vec<Older>,
}

/// How far files had come according to somebody else (the audit file).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// The record table.
    pub records: u64,
    /// The key file.
    pub keys: u64,
}

/// A file that is used although it is older than it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Older {
    /// Which.
    pub file: &'static str,
    /// Its generation.
    pub found: u64,
    /// The generation that was reached.
    pub expected: u64,
}

impl Vault {
    /// Makes slots and records agree; slots win.
    fn reconcile(&mut self, entropy: &mut impl EntropySource) -> Result<(), VaultError> {
        let mut intact = BTreeSet::new();
        for index in KEEPER_SLOT + 1..self.slots.len() {
            let Some((owner, _secret)) = self.slots.read(index)? else {
                self.free.insert(index);
                continue;
            };
            let record = self.records.entries.get(&owner);
            if record.is_some_and(|record| record.state == RecordState::Live && record.slot == index) {
                intact.insert(owner);
            } else {
                tracing::warn!(slot = index, "overwriting a slot of an import that was never answered");
                self.slots.shred(index, entropy)?;
                self.free.insert(index);
            }
        }
        let mut changed = self.records.generation != self.slots.generation();
        for (owner, record) in &mut self.records.entries {
            if record.state == RecordState::Live && !intact.contains(owner) {
                record.state = RecordState::Shredded;
                changed = true;
            }
        }
        if changed { self.save() } else { Ok(()) }
    }

    /// Writes the table under the next generation, then the generation into the slot header.
    fn save(&mut self) -> Result<(), VaultError> {
        self.records.generation += 1;
        let install = self.install();
        let written = self
            .records
            .encode(install, authentication(self.ring.house(), install))
            .and_then(|table| Ok(self.dir.replace(records::FILE, &table)?));
        if let Err(error) = written {
            // Not reached, so nobody may write down that it was.
            self.records.generation -= 1;
            return Err(error);
        }
        self.slots.set_generation(self.records.generation)?;
        Ok(())
    }

    /// The installation.
    pub fn install(&self) -> InstallId {
        self.ring.install()
    }

    /// The keys.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Changes the keys, and notes their generation where an old copy of them would be noticed.
    ///
    /// # Errors
    /// [`VaultError::Keys`]; [`VaultError::Files`] when only the note failed: the next start makes up for it.
    pub fn change_keys<T>(
        &mut self,
        work: impl FnOnce(&mut Ring) -> Result<T, KeysError>,
    ) -> Result<T, VaultError> {
        let done = work(&mut self.ring);
        if self.slots.keys_generation() < self.ring.generation() {
            self.slots.set_keys_generation(self.ring.generation())?;
        }
        Ok(done?)
    }

    /// The key to seal to.
    pub fn public_key(&self) -> &KeeperPublicKey {
        self.seal_key.public()
    }

    /// Files that are used although they are older than they should be, on the operator's word.
    pub fn accepted(&self) -> &[Older] {
        &self.accepted
    }

    /// How far the files are.
    pub fn reached(&self) -> Reached {
        Reached { records: self.records.generation, keys: self.ring.generation() }
    }

    /// The folder.
    pub fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// Writes down what may be done with a key.
    ///
    /// # Errors
    /// [`VaultError::Files`]: it is as it was.
    pub fn set_key(&mut self, key: KeyId, entry: KeyEntry) -> Result<(), VaultError> {
        let before = self.records.keys.insert(key, entry);
        let saved = self.save();
        if saved.is_err() {
            match before {
                Some(before) => self.records.keys.insert(key, before),
                None => self.records.keys.remove(&key),
            };
        }
        saved
    }

    /// The record table.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Opens the sealed data key and wraps it under a new slot. Changes nothing; see [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`VaultError::AlreadyImported`], [`VaultError::Rewrap`], [`VaultError::Full`], [`VaultError::Files`].
    pub fn prepare(
        &mut self,
        context: &Context,
        sealed: &SealedDataKey,
        now_ms: u64,
        entropy: &mut impl EntropySource,
    ) -> Result<PreparedImport, VaultError> {
        let owner = Owner { key: context.key, version: context.version };
        if self.records.entries.contains_key(&owner)
            || self.records.belongs_to_another(context.workspace, context.key)
        {
            return Err(VaultError::AlreadyImported);
        }
        let index = self.free_slot(entropy)?;
        let secret = self.slots.draw(entropy)?;
        let key = self.change_keys(|ring| ring.workspace_or_new(context.workspace, entropy))?;
        let wrapping = Wrapping { under: Under::Workspace(&key), slot: &secret, index };
        let wrapped = rewrap::import(&self.seal_key, wrapping, context, sealed, entropy)?;
        let record = Record {
            workspace: context.workspace,
            slot: index,
            imported_at_ms: now_ms,
            state: RecordState::Live,
        };
        Ok(PreparedImport { owner, record, secret, wrapped })
    }

    /// Writes slot and record. Only then may the wrapped data key be given to anybody.
    ///
    /// # Errors
    /// [`VaultError`]: the import did not happen. Its slot is overwritten now if possible, else at the next start.
    pub fn commit(
        &mut self,
        import: &PreparedImport,
        entropy: &mut impl EntropySource,
    ) -> Result<(), VaultError> {
        let index = import.record.slot;
        self.free.remove(&index);
        let written = self.slots.write(index, import.owner, &import.secret).map_err(VaultError::from);
        let saved = written.and_then(|()| {
            self.records.entries.insert(import.owner, import.record);
            self.save()
        });
        if saved.is_err() {
            // The table may or may not have reached the disk; without its slot the record is dead either way.
            let dead = Record { state: RecordState::Shredded, ..import.record };
            self.records.entries.insert(import.owner, dead);
            if let Err(error) = self.slots.shred(index, entropy) {
                tracing::error!(%error, slot = index, "a failed import's slot could not be overwritten");
            }
        }
        saved
    }

    fn free_slot(&mut self, entropy: &mut impl EntropySource) -> Result<u32, VaultError> {
        if self.free.is_empty() {
            let before = self.slots.len();
            if before >= MAX_SLOTS {
                return Err(VaultError::Full);
            }
            self.slots.grow(entropy)?;
            self.free.extend(before..self.slots.len());
        }
        self.free.first().copied().ok_or(VaultError::Full)
    }

    /// The live record of a context, without touching any key.
    ///
    /// # Errors
    /// [`VaultError::UnknownRecord`], [`VaultError::Shredded`].
    pub fn live(&self, context: &Context) -> Result<&Record, VaultError> {
        let owner = Owner { key: context.key, version: context.version };
        let record = self.records.entries.get(&owner).ok_or(VaultError::UnknownRecord)?;
        if record.workspace != context.workspace || context.install != self.install() {
            return Err(VaultError::UnknownRecord);
        }
        match record.state {
            RecordState::Live => Ok(record),
            RecordState::Shredded => Err(VaultError::Shredded),
        }
    }

    /// Unwraps a data key and seals it to one process.
    ///
    /// # Errors
    /// [`VaultError::Rewrap`] when the blob is not the one made at import, and those of [`live`](Self::live).
    pub fn lease(
        &self,
        context: &Context,
        wrapped: &WrappedDataKey,
        to: &Recipient,
        entropy: &mut impl EntropySource,
    ) -> Result<LeaseAnswer, VaultError> {
        let index = self.live(context)?.slot;
        if rewrap::slot_index(wrapped) != index {
            return Err(RewrapError::Unopenable.into());
        }
        let (owner, secret) = self.slots.read(index)?.ok_or(VaultError::Shredded)?;
        if owner != (Owner { key: context.key, version: context.version }) {
            return Err(VaultError::Shredded);
        }
        let key;
        let under = match wrapped.format() {
            WrapFormat::House => Under::House(self.ring.house()),
            WrapFormat::Workspace => {
                key = self.ring.workspace(context.workspace)?.ok_or(RewrapError::Unopenable)?;
                Under::Workspace(&key)
            }
        };
        let wrapping = Wrapping { under, slot: &secret, index };
        Ok(rewrap::lease(wrapping, context, wrapped, to, entropy)?)
    }

    /// Destroys every record of a workspace and its key. Returns how many slots were overwritten by this call.
    ///
    /// # Errors
    /// [`VaultError::Files`] when a slot or the key file could not be overwritten; call again.
    pub fn shred_workspace(
        &mut self,
        workspace: WorkspaceId,
        entropy: &mut impl EntropySource,
    ) -> Result<u32, VaultError> {
        let of_it = |(owner, record): (&Owner, &Record)| (record.workspace == workspace).then_some(owner.key);
        let keys: BTreeSet<KeyId> = self.records.entries.iter().filter_map(of_it).collect();
        let mut destroyed = 0;
        for key in keys {
            destroyed += self.shred(workspace, key, None, entropy)?;
        }
        self.change_keys(|ring| ring.destroy(workspace))?;
        if self.records.keys.values().any(|entry| entry.workspace == workspace && entry.bot.is_some()) {
            for entry in self.records.keys.values_mut().filter(|entry| entry.workspace == workspace) {
                (entry.bot, entry.exposure) = (None, Exposure::Flat);
            }
            self.save()?;
        }
        Ok(destroyed)
    }

    /// Opens every key and reads every live record's slot once.
    ///
    /// # Errors
    /// [`VaultError`] when a key does not open or a file cannot be read.
    pub fn verify(&self) -> Result<StoreReport, VaultError> {
        let keys = self.ring.verify()?;
        let (mut live, mut broken, mut orphaned) = (0, 0, 0);
        for (owner, record) in &self.records.entries {
            if record.state == RecordState::Shredded {
                continue;
            }
            let slot = self.slots.read(record.slot)?;
            let member = Member::Workspace(record.workspace);
            match self.ring.body().members.get(&member) {
                _ if slot.is_none_or(|(of, _)| of != *owner) => broken += 1,
                // Without a key of its own, a workspace's records are from before there were any.
                Some(MemberEntry::Live { .. }) | None => live += 1,
                Some(MemberEntry::Destroyed) => orphaned += 1,
            }
        }
        let epochs = u32::try_from(self.ring.epochs()).unwrap_or(u32::MAX);
        let Reached { records: generation, keys: keys_generation } = self.reached();
        Ok(StoreReport {
            keys,
            live_records: live,
            broken_records: broken,
            orphaned_records: orphaned,
            epochs,
            generation,
            keys_generation,
        })
    }

    /// Destroys one version of a key, or all. Returns how many slots were overwritten by this call.
    ///
    /// The table is completed at the next start if it cannot be written now: a full disk does not stop a deletion.
    ///
    /// # Errors
    /// [`VaultError::UnknownRecord`]; [`VaultError::Files`] when a slot could not be overwritten.
    pub fn shred(
        &mut self,
        workspace: WorkspaceId,
        key: KeyId,
        version: Option<u32>,
        entropy: &mut impl EntropySource,
    ) -> Result<u32, VaultError> {
        let wanted = |(found, record): &(u32, &Record)| {
            record.workspace == workspace && version.is_none_or(|version| version == *found)
        };
        let owners: Vec<Owner> =
            self.records.versions(key).filter(wanted).map(|(version, _)| Owner { key, version }).collect();
        if owners.is_empty() {
            return Err(VaultError::UnknownRecord);
        }
        let mut destroyed = 0;
        for owner in owners {
            let Some(record) = self.records.entries.get_mut(&owner) else { continue };
            if record.state == RecordState::Live {
                self.slots.shred(record.slot, entropy)?;
                record.state = RecordState::Shredded;
                self.free.insert(record.slot);
                destroyed += 1;
            }
        }
        if destroyed > 0
            && let Err(error) = self.save()
        {
            tracing::error!(%error, "slots are destroyed, the record table follows at the next start");
        }
        Ok(destroyed)
    }
}

/// Authenticates the record table.
fn authentication(
    house: &MemberKey,
    install: InstallId,
) -> impl FnOnce(&[u8]) -> Result<[u8; 32], VaultError> + use<'_> {
    move |bytes| Ok(house.authenticate(install, RECORDS_LABEL, bytes)?)
}
