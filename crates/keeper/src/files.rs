//! The keeper's folder: which files it has, who may read them, how they are replaced.
//!
//! ```text
//! root.key     64 bytes, 0600: magic 8, install id 16, the file provider's secret 32, check 8
//! keys.bin     see ring/           slots.bin     see slots.rs        records.bin   see records.rs
//! audit.jsonl  see audit.rs        lock          held while a keeper runs
//! ```
//!
//! Refuses to start when anybody but the owner could read or write the folder or the root key. None of these files
//! belongs into a backup.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use keyhold_domain::InstallId;
use keyhold_os::secret::{LockedBox, SecretError};
use keyhold_seal::EntropySource;
use sha2::{Digest as _, Sha256};

const ROOT_MAGIC: &[u8; 8] = b"KHROOT01";
const ROOT_BYTES: usize = 64;

/// The keeper's folder.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A system call failed.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Others could read or write it, or it belongs to somebody else.
    #[error("{} must belong to this user and be closed to all others (mode {mode:o} found)", path.display())]
    Permissions {
        /// The file or folder.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// Not a file of ours, or damaged.
    #[error("{} is not a file of this program or is damaged", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} exists already; nothing was changed", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another keeper uses the folder.
    #[error("another keeper runs on {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// No locked memory.
    #[error(transparent)]
    Memory(#[from] SecretError),
    /// No random bytes.
    #[error("no random bytes are available")]
    Entropy,
}

/// Attaches what was being done to an I/O error.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError::Io { doing, path, source }
}

impl StateDir {
    /// Creates the folder with mode 0700, or accepts an existing one that is closed to others.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn create(path: &Path) -> Result<Self, FilesError> {
        if !path.exists() {
            fs::create_dir_all(path).map_err(failed("creating", path))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("closing", path))?;
        }
        Self::open(path)
    }

    /// Accepts a folder that belongs to this user and is closed to all others.
    ///
    /// # Errors
    /// [`FilesError::Permissions`], [`FilesError::Io`].
    pub fn open(path: &Path) -> Result<Self, FilesError> {
        let facts = fs::metadata(path).map_err(failed("examining", path))?;
        owned_and_closed(path, &facts)?;
        Ok(Self(path.to_owned()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes sure that no other keeper works here, until the returned file is dropped.
    ///
    /// # Errors
    /// [`FilesError::InUse`].
    pub fn lock(&self) -> Result<File, FilesError> {
        let path = self.file("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed("opening", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(FilesError::InUse { path: self.0.clone() }),
            Err(fs::TryLockError::Error(source)) => Err(failed("locking", &path)(source)),
        }
    }

    /// Draws the 32 bytes of a file provider and writes them, once.
    ///
    /// # Errors
    /// [`FilesError::Exists`] when there is such a file: it is never overwritten.
    pub fn create_root_file(
        &self,
        name: &str,
        install: InstallId,
        entropy: &mut impl EntropySource,
    ) -> Result<(), FilesError> {
        let path = self.file(name);
        let mut content = LockedBox::<ROOT_BYTES>::zeroed()?;
        let bytes = content.expose_mut();
        bytes[..8].copy_from_slice(ROOT_MAGIC);
        bytes[8..24].copy_from_slice(&install.to_bytes());
        entropy.fill(&mut bytes[24..56]).map_err(|_unavailable| FilesError::Entropy)?;
        let check = root_check(bytes);
        bytes[56..].copy_from_slice(&check);
        let mut file = new_file(&path)?;
        file.write_all(content.expose()).map_err(failed("writing", &path))?;
        file.sync_all().map_err(failed("syncing", &path))?;
        self.sync()
    }

    /// Reads the 32 bytes of a file provider into locked memory.
    ///
    /// # Errors
    /// [`FilesError::Permissions`] when others could read it, [`FilesError::Format`] when it is damaged.
    pub fn root_file(&self, name: &str) -> Result<(InstallId, LockedBox<32>), FilesError> {
        let path = self.file(name);
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed("opening", &path))?;
        let facts = file.metadata().map_err(failed("examining", &path))?;
        owned_and_closed(&path, &facts)?;
        let damaged = || FilesError::Format { path: path.clone() };
        if facts.len() != ROOT_BYTES as u64 {
            return Err(damaged());
        }
        let mut content = LockedBox::<ROOT_BYTES>::zeroed()?;
        // Read straight into locked memory; `File` has no buffer of its own.
        file.read_exact(content.expose_mut()).map_err(failed("reading", &path))?;
        let bytes = content.expose();
        if &bytes[..8] != ROOT_MAGIC || root_check(bytes) != bytes[56..] {
            return Err(damaged());
        }
        let install = InstallId::from_bytes(bytes[8..24].try_into().expect("16 bytes"));
        let mut key = LockedBox::<32>::zeroed()?;
        key.expose_mut().copy_from_slice(&bytes[24..56]);
        Ok((install, key))
    }

    /// Replaces a file so that, after any crash, either the old or the new content is there.
    ///
    /// # Errors
    /// [`FilesError::Io`]; the old content is then still there.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), FilesError> {
        let path = self.file(name);
        let next = self.file(&format!("{name}.next"));
        if let Err(error) = fs::remove_file(&next)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed("removing", &next)(error));
        }
        let mut file = new_file(&next)?;
        file.write_all(content).map_err(failed("writing", &next))?;
        file.sync_all().map_err(failed("syncing", &next))?;
        fs::rename(&next, &path).map_err(failed("replacing", &path))?;
        self.sync()
    }

    /// Overwrites a file in place and removes it; no such file is fine.
    ///
    /// # Errors
    /// [`FilesError::Io`].
    pub fn destroy(&self, name: &str) -> Result<(), FilesError> {
        let path = self.file(name);
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("opening", &path)(error)),
        };
        let length = file.metadata().map_err(failed("examining", &path))?.len();
        let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
        (&file).write_all(&zeros).map_err(failed("overwriting", &path))?;
        file.sync_all().map_err(failed("syncing", &path))?;
        fs::remove_file(&path).map_err(failed("removing", &path))?;
        self.sync()
    }

    /// Makes names durable.
    fn sync(&self) -> Result<(), FilesError> {
        let folder = File::open(&self.0).map_err(failed("opening", &self.0))?;
        folder.sync_all().map_err(failed("syncing", &self.0))
    }
}

/// A new file with mode 0600.
pub(crate) fn new_file(path: &Path) -> Result<File, FilesError> {
    let opened = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path);
    opened.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            FilesError::Exists { path: path.to_owned() }
        } else {
            failed("creating", path)(error)
        }
    })
}

/// Only the owner, who must be this user, has any right.
pub(crate) fn owned_and_closed(path: &Path, facts: &fs::Metadata) -> Result<(), FilesError> {
    let own = rustix::process::geteuid().as_raw();
    let mode = facts.mode() & 0o7777;
    let for_others = mode & 0o077;
    if facts.uid() == own && for_others == 0 {
        Ok(())
    } else {
        Err(FilesError::Permissions { path: path.to_owned(), mode })
    }
}

fn root_check(bytes: &[u8; ROOT_BYTES]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(b"keyhold/root-file/v1").chain_update(&bytes[..56]).finalize();
    digest[..8].try_into().expect("a SHA-256 has 32 bytes")
}
