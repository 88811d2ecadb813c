//! A folder in memory for the files that tpm2-tools pass to one another; overwritten and removed afterwards.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use keyhold_seal::EntropySource;
use rustix::fs::statfs;

use super::TpmError;
use crate::entropy::random;

/// Where memory file systems are, by preference.
const PLACES: [&str; 2] = ["/dev/shm", "/run"];
/// statfs(2): `TMPFS_MAGIC`, `RAMFS_MAGIC`.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58F6];

/// The folder, mode 0700.
#[derive(Debug)]
pub(super) struct WorkFolder(PathBuf);

impl WorkFolder {
    /// Makes it.
    ///
    /// # Errors
    /// [`TpmError::NoMemoryFolder`] where no file system in memory can be written.
    pub(super) fn make(mut entropy: &mut dyn EntropySource) -> Result<Self, TpmError> {
        let number: [u8; 8] = random(&mut entropy).map_err(|_none| TpmError::Entropy)?;
        let name = format!("keyhold-keeper-{:016x}", u64::from_be_bytes(number));
        for place in PLACES.map(Path::new) {
            let in_memory = statfs(place).is_ok_and(|facts| {
                IN_MEMORY.iter().any(|magic| u64::try_from(facts.f_type).is_ok_and(|found| found == *magic))
            });
            let path = place.join(&name);
            if in_memory && DirBuilder::new().mode(0o700).create(&path).is_ok() {
                return Ok(Self(path));
            }
        }
        Err(TpmError::NoMemoryFolder)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`TpmError::Run`].
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), TpmError> {
        let path = self.0.join(name);
        let opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
        opened.and_then(|mut file| file.write_all(content)).map_err(TpmError::Run)
    }

    /// Reads a file of at most 4 KiB.
    ///
    /// # Errors
    /// [`TpmError::Run`], [`TpmError::Odd`].
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, TpmError> {
        let content = fs::read(self.0.join(name)).map_err(TpmError::Run)?;
        if content.len() > 4096 { Err(TpmError::Odd("its file is too long")) } else { Ok(content) }
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let wiped = fs::read_dir(&self.0).and_then(|entries| {
            for entry in entries {
                let path = entry?.path();
                let length = usize::try_from(fs::metadata(&path)?.len()).unwrap_or(0);
                OpenOptions::new().write(true).open(&path)?.write_all(&vec![0; length])?;
            }
            Ok(())
        });
        if let Err(error) = wiped.and(fs::remove_dir_all(&self.0)) {
            tracing::warn!(%error, folder = %self.0.display(), "remove this folder by hand");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::WorkFolder;
    use crate::entropy::SystemEntropy;

    #[test]
    fn it_is_closed_to_others_and_goes_with_all_that_is_in_it() {
        let folder = WorkFolder::make(&mut SystemEntropy).expect("this host has /dev/shm");
        folder.write("one", b"content").expect("it can be written");
        assert!(folder.write("one", b"again").is_err());
        assert_eq!(folder.read("one").expect("it was written"), b"content");
        let path = folder.path().to_owned();
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
