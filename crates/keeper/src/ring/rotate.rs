//! New keys for old: a new epoch without downtime, a new root key, providers added and removed.
//!
//! A rotation makes the next epoch, moves the members to it in batches, checks that every one opens, and then drops the
//! old epochs. Each step is one atomic replacement of the key file, and every member names its epoch: whenever it is
//! interrupted, everything opens, and the next call goes on where it stopped. Records are not touched at all.

use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::{EpochKey, Member, RootKey};

use super::{EpochEntry, FILE, KeysError, MAX_EPOCHS, MAX_PROVIDERS, MemberEntry, Ring, RingError, member};
use crate::providers::{Made, RootProvider};

/// Members moved per step; other requests are answered between steps.
pub const BATCH: usize = 500;

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The epoch that is being moved to.
    pub epoch: u32,
    /// Members still to be moved; at zero the old epochs are gone.
    pub remaining: u32,
}

impl Ring {
    /// Adds an epoch to the body; the caller writes.
    pub(super) fn add_epoch(
        &mut self,
        number: u32,
        now_ms: u64,
        entropy: &mut impl EntropySource,
    ) -> Result<(), KeysError> {
        let key = EpochKey::draw(&self.shield, number, entropy)?;
        let wrapped = self.root.wrap(self.body.install, &key, entropy)?;
        self.body.epochs.insert(number, EpochEntry { wraps: 0, made_at_ms: now_ms, wrapped });
        self.epochs.insert(number, key);
        Ok(())
    }

    /// One step of a rotation: begins one when none is under way, else moves the next `batch` members (at least one).
    /// Call again until nothing remains.
    ///
    /// # Errors
    /// [`KeysError`]: nothing is lost, and the next call tries again.
    pub fn rotate(
        &mut self,
        batch: usize,
        now_ms: u64,
        entropy: &mut impl EntropySource,
    ) -> Result<Rotation, KeysError> {
        if self.body.epochs.len() <= 1 {
            let next = self.epoch().checked_add(1).ok_or(RingError)?;
            let begun = self.change(|ring| ring.add_epoch(next, now_ms, entropy));
            if begun.is_err() {
                self.epochs.remove(&next);
            }
            begun?;
            return Ok(self.rotation());
        }
        if self.old_members().next().is_some() {
            let batch: Vec<Member> = self.old_members().take(batch.max(1)).collect();
            let mut moved = Vec::with_capacity(batch.len());
            for one in batch {
                let key = member(&self.body, &self.epochs, one)?.ok_or(RingError)?;
                moved.push((one, self.wrap(one, &key, entropy)?));
            }
            self.change(|ring| {
                for (one, entry) in moved {
                    ring.put(one, entry);
                }
                Ok(())
            })?;
        }
        if self.old_members().next().is_none() {
            self.drop_old_epochs()?;
        }
        Ok(self.rotation())
    }

    /// How far the rotation is.
    pub fn rotation(&self) -> Rotation {
        let remaining = u32::try_from(self.old_members().count()).unwrap_or(u32::MAX);
        Rotation { epoch: self.epoch(), remaining }
    }

    /// Whether old epochs are still there.
    pub fn epochs(&self) -> usize {
        self.body.epochs.len().min(MAX_EPOCHS)
    }

    fn old_members(&self) -> impl Iterator<Item = Member> {
        let current = self.epoch();
        self.body.members.iter().filter_map(move |(member, entry)| match entry {
            MemberEntry::Live { epoch, .. } if *epoch != current => Some(*member),
            MemberEntry::Live { .. } | MemberEntry::Destroyed => None,
        })
    }

    /// Only after every member was opened under the current epoch.
    fn drop_old_epochs(&mut self) -> Result<(), KeysError> {
        self.verify()?;
        let current = self.epoch();
        self.change(|ring| {
            ring.body.epochs.retain(|number, _| *number == current);
            Ok(())
        })?;
        self.epochs.retain(|number, _| *number == current);
        Ok(())
    }

    /// Opens the key of every member once. Returns how many there are.
    ///
    /// # Errors
    /// [`KeysError`] at the first that does not open.
    pub fn verify(&self) -> Result<u32, KeysError> {
        let mut opened = 0;
        for (one, entry) in &self.body.members {
            match entry {
                MemberEntry::Live { .. } => {
                    member(&self.body, &self.epochs, *one)?.ok_or(RingError)?;
                    opened += 1;
                }
                MemberEntry::Destroyed => {}
            }
        }
        Ok(opened)
    }

    /// Lets another provider open the keys too.
    ///
    /// # Errors
    /// [`KeysError::TooManyProviders`], [`KeysError::Provider`].
    pub fn enroll(
        &mut self,
        provider: &mut dyn RootProvider,
        entropy: &mut impl EntropySource,
    ) -> Result<(), KeysError> {
        if self.body.providers.len() >= MAX_PROVIDERS {
            return Err(KeysError::TooManyProviders);
        }
        let enrolled = provider.enroll(self.root.open()?, self.body.install, entropy)?;
        self.change(|ring| {
            ring.body.providers.retain(|one| provider.made(one) == Made::Elsewhere);
            ring.body.providers.push(enrolled);
            Ok(())
        })
    }

    /// Takes a provider's enrollment out. The root key stays the same: follow with [`rekey`](Self::rekey) when the
    /// provider may have been copied.
    ///
    /// # Errors
    /// [`KeysError::LastProvider`], [`KeysError::NoSuchProvider`].
    pub fn remove(&mut self, kind: crate::providers::Kind, name: &str) -> Result<(), KeysError> {
        let same = |one: &crate::providers::Enrollment| one.kind == kind && one.name == name;
        if !self.body.providers.iter().any(same) {
            return Err(KeysError::NoSuchProvider);
        }
        if self.body.providers.len() == 1 {
            return Err(KeysError::LastProvider);
        }
        self.change(|ring| {
            ring.body.providers.retain(|one| !same(one));
            Ok(())
        })
    }

    /// A new root key: wraps the epoch keys anew and enrolls exactly `providers`. One replacement of the key file, so
    /// afterwards either the old root key and its providers hold, or the new ones.
    ///
    /// # Errors
    /// [`KeysError`]; the old root key then stays.
    pub fn rekey(
        &mut self,
        providers: &mut [&mut dyn RootProvider],
        entropy: &mut impl EntropySource,
    ) -> Result<(), KeysError> {
        if providers.is_empty() {
            return Err(KeysError::LastProvider);
        }
        if providers.len() > MAX_PROVIDERS {
            return Err(KeysError::TooManyProviders);
        }
        let root = RootKey::draw(&self.shield, entropy)?;
        let mut body = self.body.clone();
        body.providers.clear();
        for provider in providers {
            body.providers.push(provider.enroll(root.open()?, body.install, entropy)?);
        }
        for (number, entry) in &mut body.epochs {
            let key = self.epochs.get(number).ok_or(RingError)?;
            entry.wrapped = root.wrap(body.install, key, entropy)?;
        }
        let (before, old_root) = (self.body.clone(), std::mem::replace(&mut self.root, root));
        self.body = body;
        let saved = self.save();
        if saved.is_err() {
            // The replacement may have reached the disk all the same; only what is there now counts.
            let now = std::fs::read(self.dir.file(FILE)).ok();
            let new = now.is_some_and(|bytes| bytes.starts_with(&self.body.encode()));
            if !new {
                self.body = before;
                self.root = old_root;
            }
        }
        saved
    }
}
