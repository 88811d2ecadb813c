//! Making and opening a vault: unlocking the keys with files, folders from before the key file, copies put back.

use std::fs;

use keyhold_domain::InstallId;
use keyhold_seal::{EntropySource, KeeperPublicKey};
use keyhold_unseal::rewrap::{KeeperSecretKey, MemberKey, Shield};

use super::{Older, Reached, Rollback, Vault, VaultError, authentication};
use crate::entropy::SystemEntropy;
use crate::files::{StateDir, failed};
use crate::providers::{FileProvider, Kind, ROOT_FILE};
use crate::records::{self, Records};
use crate::ring::{self, KeysError, Locked, Ring};
use crate::slots::{KEEPER_SLOT, Owner, SlotFile};
use std::collections::BTreeSet;

impl Vault {
    /// Makes keys (under a file provider), slots and an empty record table in a folder that has none.
    ///
    /// # Errors
    /// [`VaultError`]; nothing that exists is overwritten.
    pub fn create(
        dir: &StateDir,
        install: InstallId,
        entropy: &mut impl EntropySource,
    ) -> Result<(), VaultError> {
        dir.create_root_file(ROOT_FILE, install, entropy)?;
        let mut provider = FileProvider::new(dir, ROOT_FILE);
        let ring = Ring::create(dir, install, &mut provider, None, 0, entropy)?;
        Self::furnish(dir, &ring, entropy)
    }

    /// Makes slots and an empty record table for new keys.
    ///
    /// # Errors
    /// [`VaultError`]; nothing that exists is overwritten.
    pub fn furnish(dir: &StateDir, ring: &Ring, entropy: &mut impl EntropySource) -> Result<(), VaultError> {
        SlotFile::create(dir, ring.install(), entropy)?;
        let table =
            Records::default().encode(ring.install(), authentication(ring.house(), ring.install()))?;
        dir.replace(records::FILE, &table)?;
        Ok(())
    }

    /// Opens the keys with the file providers among those enrolled; see [`open_with`](Self::open_with).
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(
        dir: &StateDir,
        rollback: Rollback,
        entropy: &mut impl EntropySource,
    ) -> Result<Self, VaultError> {
        let ring = match Locked::read(dir)? {
            Some(locked) => open_by_files(dir, locked, entropy)?,
            None => upgrade(dir, entropy)?,
        };
        Self::open_with(dir, ring, Reached::default(), rollback, entropy)
    }

    /// Opens the vault and completes what a crash may have left half done.
    ///
    /// # Errors
    /// [`VaultError`]; [`VaultError::RollbackSuspected`] when a file is older than `reached` or the slots say.
    pub fn open_with(
        dir: &StateDir,
        mut ring: Ring,
        reached: Reached,
        rollback: Rollback,
        entropy: &mut impl EntropySource,
    ) -> Result<Self, VaultError> {
        let install = ring.install();
        let mut slots = SlotFile::open(dir, install)?;
        let mut records = read_records(dir, install, ring.house())?;
        let mut accepted = Vec::new();
        let expected = slots.generation().max(reached.records);
        if let Some(older) = older(records::FILE, records.generation, expected, rollback)? {
            records.generation = expected;
            accepted.push(older);
        }
        let expected = slots.keys_generation().max(reached.keys);
        if let Some(older) = older(ring::FILE, ring.generation(), expected, rollback)? {
            ring.skip_to(expected)?;
            accepted.push(older);
        }
        if ring.generation() != slots.keys_generation() {
            slots.set_keys_generation(ring.generation())?;
        }
        let seal_key = Self::seal_key(&slots, install, ring.house())?;
        let mut vault =
            Self { dir: dir.clone(), ring, seal_key, slots, records, free: BTreeSet::new(), accepted };
        vault.reconcile(entropy)?;
        vault.remove_orphaned_root_files()?;
        Ok(vault)
    }

    /// Overwrites root files that no provider names: a new root key was written down, its file not yet removed.
    fn remove_orphaned_root_files(&self) -> Result<(), VaultError> {
        let path = self.dir.path();
        for entry in fs::read_dir(path).map_err(failed("listing", path))? {
            let name = entry.map_err(failed("listing", path))?.file_name().to_string_lossy().into_owned();
            let enrolled =
                self.ring.body().providers.iter().any(|one| one.kind == Kind::File && one.name == name);
            let root_file = name.strip_prefix("root").is_some_and(|rest| rest.strip_suffix(".key").is_some());
            if root_file && !enrolled && self.accepted.is_empty() {
                tracing::warn!(name, "removing the file of a provider that is not enrolled");
                self.dir.destroy(&name)?;
            }
        }
        Ok(())
    }

    /// Draws a new key pair for sealing. What was sealed to the old one and not imported yet can never be opened.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn rotate_seal_key(dir: &StateDir, entropy: &mut impl EntropySource) -> Result<(), VaultError> {
        let install = match Locked::read(dir)? {
            Some(locked) => locked.install(),
            None => dir.root_file(ROOT_FILE)?.0,
        };
        let slots = SlotFile::open(dir, install)?;
        let seed = slots.draw(entropy)?;
        Ok(slots.write(KEEPER_SLOT, Owner::KEEPER, &seed)?)
    }

    /// The public key of a folder with a file provider, without changing anything.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn peek(dir: &StateDir) -> Result<KeeperPublicKey, VaultError> {
        let entropy = &mut SystemEntropy;
        if let Some(locked) = Locked::read(dir)? {
            return Self::public_key_of(dir, &open_by_files(dir, locked, entropy)?);
        }
        let (install, old) = dir.root_file(ROOT_FILE)?;
        let house = MemberKey::new(&Shield::new(entropy)?, old)?;
        Self::seal_key(&SlotFile::open(dir, install)?, install, &house).map(|key| key.public().clone())
    }

    /// The public key of a folder whose keys are open.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn public_key_of(dir: &StateDir, ring: &Ring) -> Result<KeeperPublicKey, VaultError> {
        let slots = SlotFile::open(dir, ring.install())?;
        Self::seal_key(&slots, ring.install(), ring.house()).map(|key| key.public().clone())
    }

    fn seal_key(
        slots: &SlotFile,
        install: InstallId,
        house: &MemberKey,
    ) -> Result<KeeperSecretKey, VaultError> {
        let (owner, seed) = slots.read(KEEPER_SLOT)?.ok_or(VaultError::NoSeed)?;
        if owner != Owner::KEEPER {
            return Err(VaultError::NoSeed);
        }
        Ok(KeeperSecretKey::derive(house, install, &seed)?)
    }
}

fn read_records(dir: &StateDir, install: InstallId, house: &MemberKey) -> Result<Records, VaultError> {
    let path = dir.file(records::FILE);
    let table = fs::read(&path).map_err(failed("reading", &path))?;
    Records::decode(&table, install, authentication(house, install))
}

/// What the operator accepts when a file is older than it should be.
fn older(
    file: &'static str,
    found: u64,
    expected: u64,
    rollback: Rollback,
) -> Result<Option<Older>, VaultError> {
    if found >= expected {
        return Ok(None);
    }
    let suspected = VaultError::RollbackSuspected { file, found, expected };
    match rollback {
        Rollback::Refuse => Err(suspected),
        Rollback::Accept => {
            tracing::warn!(%suspected, "continuing on the operator's word");
            Ok(Some(Older { file, found, expected }))
        }
    }
}

/// Opens the keys with the first file provider that can.
///
/// # Errors
/// [`VaultError`]; [`KeysError::NoSuchProvider`] when there is none.
pub fn open_by_files(
    dir: &StateDir,
    locked: Locked,
    entropy: &mut impl EntropySource,
) -> Result<Ring, VaultError> {
    let names: Vec<String> =
        locked.providers().iter().filter(|one| one.kind == Kind::File).map(|one| one.name.clone()).collect();
    let mut last = KeysError::NoSuchProvider;
    for name in names {
        match locked.unwrap(&mut FileProvider::new(dir, &name)) {
            Ok(root) => return Ok(locked.open(root, entropy)?),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// A folder from before there was a key file: its root key becomes the house key, under which all that was wrapped
/// stays openable, and the file it is in becomes the first provider.
///
/// # Errors
/// [`VaultError`].
pub fn upgrade(dir: &StateDir, entropy: &mut impl EntropySource) -> Result<Ring, VaultError> {
    let (install, old) = dir.root_file(ROOT_FILE)?;
    let house = MemberKey::new(&Shield::new(entropy)?, old)?;
    // Only of a folder that really was used with this root key: a lost key file is not replaced by an empty one.
    read_records(dir, install, &house)?;
    let (_, old) = dir.root_file(ROOT_FILE)?;
    tracing::info!("making the key file of a folder that had none");
    let mut provider = FileProvider::new(dir, ROOT_FILE);
    Ok(Ring::create(dir, install, &mut provider, Some(old), 0, entropy)?)
}
