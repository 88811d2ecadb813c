//! The root key under 32 bytes that something outside gave before the sandbox closed: a transit key's server or a TPM.
//!
//! Neither ever sees the root key. What they encrypt is a secret of this enrollment alone; the keeper fetches it once at
//! its start and wraps the root key under it, so a new root key needs no network and no other program either. How it is
//! fetched is `transit/` and `tpm.rs`.

use keyhold_domain::InstallId;
use keyhold_os::secret::LockedBox;
use keyhold_seal::EntropySource;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{WRAPPED_KEY_BYTES, unwrap_root, wrap_root};

use super::{Kind, ProviderError, RootProvider, split};

/// A fetched secret, and what has to be kept to fetch it again.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct HeldProvider {
    kind: Kind,
    name: String,
    parameters: Vec<u8>,
    secret: LockedBox<32>,
}

impl HeldProvider {
    /// From what an enrollment keeps and what the outside made of it.
    pub(super) fn new(kind: Kind, name: String, parameters: Vec<u8>, secret: LockedBox<32>) -> Self {
        Self { kind, name, parameters, secret }
    }
}

/// A new secret for an enrollment.
pub(super) fn draw(entropy: &mut dyn EntropySource) -> Result<LockedBox<32>, ProviderError> {
    let mut secret = LockedBox::<32>::zeroed()?;
    entropy.fill(secret.expose_mut()).map_err(|_unavailable| RewrapError::Entropy)?;
    Ok(secret)
}

/// What stands in a blob before the wrapped root key.
pub(super) fn parameters(blob: &[u8]) -> Result<&[u8], ProviderError> {
    let length = blob.len().checked_sub(WRAPPED_KEY_BYTES).ok_or(ProviderError::Unopenable)?;
    Ok(&blob[..length])
}

impl RootProvider for HeldProvider {
    fn kind(&self) -> Kind {
        self.kind
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
        let mut blob = self.parameters.clone();
        let wrapped = wrap_root(&self.secret, install, self.kind.code(), &blob, root, &mut entropy)?;
        blob.extend_from_slice(&wrapped.0);
        Ok(blob)
    }

    fn unwrap(&mut self, blob: &[u8], install: InstallId) -> Result<LockedBox<32>, ProviderError> {
        let (parameters, wrapped) = split(blob, parameters(blob)?.len())?;
        Ok(unwrap_root(&self.secret, install, self.kind.code(), parameters, &wrapped)?)
    }

    fn health(&mut self) -> Result<(), ProviderError> {
        Ok(())
    }
}
