//! The root key under a credential that the service manager hands over: a file in `$CREDENTIALS_DIRECTORY`, which
//! systemd decrypts with the host's key or its TPM (`LoadCredentialEncrypted=`, systemd.exec(5)) and shows to this
//! service only.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use keyhold_domain::InstallId;
use keyhold_os::secret::{LockedBox, SecretBytes};
use keyhold_seal::EntropySource;
use keyhold_unseal::rewrap::{unwrap_root, wrap_root};
use sha2::{Digest as _, Sha256};

use super::{Kind, ProviderError, RootProvider, split};
use crate::files::failed;

/// The credential's name in the unit file.
pub const CREDENTIAL: &str = "keyhold-root";
/// Shortest and longest credential in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 32..=4096;

/// A credential that was read before the sandbox closed.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct CredentialProvider(LockedBox<32>);

impl CredentialProvider {
    /// Reads the credential from the service manager's folder.
    ///
    /// # Errors
    /// [`ProviderError::Files`] when it is not there, [`ProviderError::Unavailable`] when it is too short or too long.
    pub fn read(folder: &Path) -> Result<Self, ProviderError> {
        let path: PathBuf = folder.join(CREDENTIAL);
        let mut file = File::open(&path).map_err(failed("opening", &path))?;
        let mut content = SecretBytes::zeroed(LENGTHS.end() + 1)?;
        let mut length = 0;
        // `File` has no buffer of its own: the bytes go straight into secret memory.
        while length <= *LENGTHS.end() {
            match file.read(&mut content.expose_mut()[length..]).map_err(failed("reading", &path))? {
                0 => break,
                more => length += more,
            }
        }
        if !LENGTHS.contains(&length) {
            let reason = "the credential must have 32 to 4096 bytes".to_owned();
            return Err(ProviderError::Unavailable { provider: Kind::SystemCredential.as_str(), reason });
        }
        let mut secret = LockedBox::<32>::zeroed()?;
        let mut hash = Sha256::new();
        hash.update(b"keyhold/credential/v1");
        hash.update(&content.expose()[..length]);
        hash.finalize_into(secret.expose_mut().into());
        Ok(Self(secret))
    }
}

impl RootProvider for CredentialProvider {
    fn kind(&self) -> Kind {
        Kind::SystemCredential
    }

    fn id(&self) -> String {
        CREDENTIAL.to_owned()
    }

    fn wrap(
        &mut self,
        root: LockedBox<32>,
        install: InstallId,
        mut entropy: &mut dyn EntropySource,
    ) -> Result<Vec<u8>, ProviderError> {
        Ok(wrap_root(&self.0, install, self.kind().code(), &[], root, &mut entropy)?.0.to_vec())
    }

    fn unwrap(&mut self, blob: &[u8], install: InstallId) -> Result<LockedBox<32>, ProviderError> {
        let (_, wrapped) = split(blob, 0)?;
        Ok(unwrap_root(&self.0, install, self.kind().code(), &[], &wrapped)?)
    }

    fn health(&mut self) -> Result<(), ProviderError> {
        Ok(())
    }
}
