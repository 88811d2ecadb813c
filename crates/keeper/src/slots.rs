//! The shred slots: 64 bytes per record, half of them a random secret without which the record's data key cannot be
//! unwrapped. Overwriting a slot in place is what deletion means here; it needs no free space.
//!
//! ```text
//! 0 header 64: magic "KHSLOT01" 8 │ install 16 │ generation u64 │ keys' generation u64 │ zeros 24
//! then slots of 64: secret 32 │ key id 16 │ version u32 │ zeros 4 │ check 8        (integers big endian)
//! ```
//!
//! Slot 0 holds the seed of the keeper's own key pair. A slot whose check fails is empty: never used, or shredded.
//! Secrets are read into locked memory when needed and not kept. Whether overwriting really destroys depends on the
//! file system; [`deletion`] says so.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use keyhold_domain::{InstallId, KeyId};
use keyhold_os::secret::LockedBox;
use keyhold_protocol::keeper::Grade;
use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::SlotSecret;
use rustix::fs::IFlags;
use sha2::{Digest as _, Sha256};

use crate::entropy::random;
use crate::files::{FilesError, StateDir, failed, new_file};

const MAGIC: &[u8; 8] = b"KHSLOT01";
const SLOT_BYTES: usize = 64;
const GENERATION_AT: u64 = 24;
const KEYS_GENERATION_AT: u64 = 32;
/// Slots the file grows by: one page of 4096 bytes.
const GROWTH: u32 = 64;
/// Most slots: 64 MiB of file.
pub const MAX_SLOTS: u32 = 1024 * 1024;
/// The slot of the keeper's own seed.
pub const KEEPER_SLOT: u32 = 0;

/// `statfs` types on which an overwritten block is gone: ext4, xfs, tmpfs.
const IN_PLACE: [u64; 3] = [0xEF53, 0x5846_5342, 0x0102_1994];
/// btrfs overwrites in place only where copy-on-write is off.
const BTRFS: u64 = 0x9123_683E;

/// The open slot file.
#[derive(Debug)]
pub struct SlotFile {
    file: File,
    path: PathBuf,
    slots: u32,
    generation: u64,
    keys_generation: u64,
}

/// To which record version a slot belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The key; zero for the keeper's own slot.
    pub key: KeyId,
    /// The version; zero for the keeper's own slot.
    pub version: u32,
}

impl Owner {
    /// The keeper itself.
    pub const KEEPER: Self = Self { key: KeyId::from_u128(0), version: 0 };
}

impl SlotFile {
    /// Makes the file with one page of random slots, and draws the keeper's seed.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn create(
        dir: &StateDir,
        install: InstallId,
        entropy: &mut impl EntropySource,
    ) -> Result<(), FilesError> {
        let path = dir.file("slots.bin");
        let file = new_file(&path)?;
        if file_system(&file, &path)? == BTRFS {
            // Only an empty file can be taken out of copy-on-write. Whether it worked is judged at every start.
            if let Err(errno) = rustix::fs::ioctl_setflags(file.as_fd(), IFlags::NOCOW) {
                tracing::warn!(%errno, "copy-on-write stays on for the slot file");
            }
        }
        let mut header = [0u8; SLOT_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..24].copy_from_slice(&install.to_bytes());
        file.write_all_at(&header, 0).map_err(failed("writing", &path))?;
        let mut slots = Self { file, path, slots: 0, generation: 0, keys_generation: 0 };
        slots.grow(entropy)?;
        let seed = slots.draw(entropy)?;
        slots.write(KEEPER_SLOT, Owner::KEEPER, &seed)
    }

    /// Opens the file of this installation.
    ///
    /// # Errors
    /// [`FilesError::Format`] when it is not one, or of another installation.
    pub fn open(dir: &StateDir, install: InstallId) -> Result<Self, FilesError> {
        let path = dir.file("slots.bin");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed("opening", &path))?;
        let mut header = [0u8; SLOT_BYTES];
        file.read_exact_at(&mut header, 0).map_err(failed("reading", &path))?;
        let bytes = file.metadata().map_err(failed("examining", &path))?.len();
        // A crash while growing may leave part of a slot at the end; it is not counted and overwritten later.
        let slots = u32::try_from(bytes / SLOT_BYTES as u64).ok().and_then(|all| all.checked_sub(1));
        let generation = u64::from_be_bytes(header[24..32].try_into().expect("8 bytes"));
        let keys_generation = u64::from_be_bytes(header[32..40].try_into().expect("8 bytes"));
        let sound = &header[..8] == MAGIC && header[8..24] == install.to_bytes();
        match slots {
            Some(slots @ 1..=MAX_SLOTS) if sound => {
                Ok(Self { file, path, slots, generation, keys_generation })
            }
            Some(_) | None => Err(FilesError::Format { path }),
        }
    }

    /// How many slots there are.
    pub fn len(&self) -> u32 {
        self.slots
    }

    /// Whether there are none; never the case for an open file.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// The generation in the header: never less than that of the records it belongs to, minus one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// A new random slot secret.
    ///
    /// # Errors
    /// [`FilesError::Entropy`], [`FilesError::Memory`].
    pub fn draw(&self, entropy: &mut impl EntropySource) -> Result<SlotSecret, FilesError> {
        let mut secret = LockedBox::zeroed()?;
        entropy.fill(secret.expose_mut()).map_err(|_unavailable| FilesError::Entropy)?;
        Ok(SlotSecret::new(secret))
    }

    /// Adds a page of random slots.
    ///
    /// # Errors
    /// [`FilesError::Io`]; [`FilesError::Format`] above [`MAX_SLOTS`].
    pub fn grow(&mut self, entropy: &mut impl EntropySource) -> Result<(), FilesError> {
        if self.slots > MAX_SLOTS - GROWTH {
            return Err(FilesError::Format { path: self.path.clone() });
        }
        let page: [u8; GROWTH as usize * SLOT_BYTES] =
            random(entropy).map_err(|_unavailable| FilesError::Entropy)?;
        self.file.write_all_at(&page, offset(self.slots)).map_err(failed("growing", &self.path))?;
        self.file.sync_all().map_err(failed("syncing", &self.path))?;
        self.slots += GROWTH;
        Ok(())
    }

    /// Writes a slot in place and makes it durable.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn write(&self, index: u32, owner: Owner, secret: &SlotSecret) -> Result<(), FilesError> {
        let mut slot = LockedBox::<SLOT_BYTES>::zeroed()?;
        let bytes = slot.expose_mut();
        bytes[..32].copy_from_slice(secret.expose());
        bytes[32..48].copy_from_slice(&owner.key.to_bytes());
        bytes[48..52].copy_from_slice(&owner.version.to_be_bytes());
        let check = slot_check(index, bytes);
        bytes[56..].copy_from_slice(&check);
        self.file.write_all_at(slot.expose(), offset(index)).map_err(failed("writing", &self.path))?;
        self.file.sync_data().map_err(failed("syncing", &self.path))
    }

    /// The owner and secret of a slot; `None` when it is empty.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn read(&self, index: u32) -> Result<Option<(Owner, SlotSecret)>, FilesError> {
        if index >= self.slots {
            return Ok(None);
        }
        let mut slot = LockedBox::<SLOT_BYTES>::zeroed()?;
        self.file.read_exact_at(slot.expose_mut(), offset(index)).map_err(failed("reading", &self.path))?;
        let bytes = slot.expose();
        if slot_check(index, bytes) != bytes[56..] {
            return Ok(None);
        }
        let owner = Owner {
            key: KeyId::from_bytes(bytes[32..48].try_into().expect("16 bytes")),
            version: u32::from_be_bytes(bytes[48..52].try_into().expect("4 bytes")),
        };
        let mut secret = LockedBox::zeroed()?;
        secret.expose_mut().copy_from_slice(&bytes[..32]);
        Ok(Some((owner, SlotSecret::new(secret))))
    }

    /// Overwrites a slot in place with random bytes, makes that durable and reads it back.
    ///
    /// # Errors
    /// [`FilesError`]: the slot must then be taken for intact and the call repeated.
    pub fn shred(&self, index: u32, entropy: &mut impl EntropySource) -> Result<(), FilesError> {
        // When there is no entropy, zeros destroy as well; only the check must not come out right.
        let noise = random::<SLOT_BYTES>(entropy).unwrap_or([0; SLOT_BYTES]);
        self.file.write_all_at(&noise, offset(index)).map_err(failed("overwriting", &self.path))?;
        self.file.sync_data().map_err(failed("syncing", &self.path))?;
        let mut found = [0u8; SLOT_BYTES];
        self.file.read_exact_at(&mut found, offset(index)).map_err(failed("reading back", &self.path))?;
        if found == noise { Ok(()) } else { Err(FilesError::Format { path: self.path.clone() }) }
    }

    /// Writes the generation into the header, in place.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn set_generation(&mut self, generation: u64) -> Result<(), FilesError> {
        self.write_number(generation, GENERATION_AT)?;
        self.generation = generation;
        Ok(())
    }

    /// The generation of the key file: never less than that file's own, minus one.
    pub fn keys_generation(&self) -> u64 {
        self.keys_generation
    }

    /// Writes the key file's generation into the header, in place.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn set_keys_generation(&mut self, generation: u64) -> Result<(), FilesError> {
        self.write_number(generation, KEYS_GENERATION_AT)?;
        self.keys_generation = generation;
        Ok(())
    }

    fn write_number(&self, number: u64, at: u64) -> Result<(), FilesError> {
        self.file.write_all_at(&number.to_be_bytes(), at).map_err(failed("writing", &self.path))?;
        self.file.sync_data().map_err(failed("syncing", &self.path))
    }
}

fn offset(index: u32) -> u64 {
    (u64::from(index) + 1) * SLOT_BYTES as u64
}

fn slot_check(index: u32, bytes: &[u8; SLOT_BYTES]) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update(b"keyhold/slot/v1")
        .chain_update(index.to_be_bytes())
        .chain_update(&bytes[..56])
        .finalize();
    digest[..8].try_into().expect("a SHA-256 has 32 bytes")
}

fn file_system(file: &File, path: &Path) -> Result<u64, FilesError> {
    let facts = rustix::fs::fstatfs(file.as_fd())
        .map_err(|errno| failed("finding the file system of", path)(errno.into()))?;
    // The field's type differs between platforms; the magic numbers fit 32 bits everywhere.
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "type and sign differ between platforms"
    )]
    let kind = facts.f_type as u64;
    Ok(kind & 0xFFFF_FFFF)
}

/// Whether overwriting a slot destroys it on the folder's file system. To be asked before the sandbox closes, in which
/// file systems cannot be told apart.
///
/// # Errors
/// [`FilesError::Io`].
pub fn deletion(dir: &StateDir) -> Result<Grade, FilesError> {
    let path = dir.file("slots.bin");
    let file = File::open(&path).map_err(failed("opening", &path))?;
    let kind = file_system(&file, &path)?;
    let in_place = IN_PLACE.contains(&kind)
        || (kind == BTRFS
            && rustix::fs::ioctl_getflags(file.as_fd()).is_ok_and(|flags| flags.contains(IFlags::NOCOW)));
    Ok(if in_place { Grade::Sound } else { Grade::Degraded })
}
