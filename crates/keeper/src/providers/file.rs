//! The root key under 32 bytes in a file of the keeper's folder: unattended starts, and whoever copies the folder has
//! all that is in it. The file's format is described in `files.rs`.

use keyhold_domain::InstallId;
use keyhold_os::secret::LockedBox;
use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::{unwrap_root, wrap_root};

use super::{Kind, ProviderError, RootProvider, split};
use crate::files::StateDir;

/// The first file's name; a root key that replaces it gets another, so that both can exist for a moment.
pub const ROOT_FILE: &str = "root.key";

/// A key file by name.
#[derive(Debug, Clone)]
pub struct FileProvider {
    dir: StateDir,
    name: String,
}

impl FileProvider {
    /// The file of this name in the folder.
    pub fn new(dir: &StateDir, name: &str) -> Self {
        Self { dir: dir.clone(), name: name.to_owned() }
    }
}

impl RootProvider for FileProvider {
    fn kind(&self) -> Kind {
        Kind::File
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn wrap(
        &mut self,
        root: LockedBox<32>,
        install: InstallId,
        mut entropy: &mut dyn EntropySource,
    ) -> Result<Vec<u8>, ProviderError> {
        let (_, secret) = self.dir.root_file(&self.name)?;
        let wrapped = wrap_root(&secret, install, self.kind().code(), &[], root, &mut entropy)?;
        Ok(wrapped.0.to_vec())
    }

    fn unwrap(&mut self, blob: &[u8], install: InstallId) -> Result<LockedBox<32>, ProviderError> {
        let (_, wrapped) = split(blob, 0)?;
        let (of, secret) = self.dir.root_file(&self.name)?;
        if of != install {
            return Err(ProviderError::Unopenable);
        }
        Ok(unwrap_root(&secret, install, self.kind().code(), &[], &wrapped)?)
    }

    fn health(&mut self) -> Result<(), ProviderError> {
        self.dir.root_file(&self.name)?;
        Ok(())
    }
}
