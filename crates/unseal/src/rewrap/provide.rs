//! What a root provider that holds 32 secret bytes does with them: wraps the root key under a key derived from these.
//!
//! For files, passphrases (after stretching) and system credentials. Providers that keep their key to themselves (a
//! token, a TPM, another machine) bring a blob of their own and do not pass here.

use keyhold_domain::InstallId;
use keyhold_os::secret::LockedBox;
use keyhold_seal::EntropySource;
use keyhold_seal::schedule::KEY_BYTES;

use super::keys::{WrappedKey, decrypt_key, derive, encrypt_key};
use crate::error::RewrapError;

/// `"keyhold/provider/v1" || kind u8`.
fn info(kind: u8) -> Vec<u8> {
    [&b"keyhold/provider/v1"[..], &[kind]].concat()
}

/// `"KHP1" || install 16 || kind u8 || parameters`.
fn aad(install: InstallId, kind: u8, parameters: &[u8]) -> Vec<u8> {
    [&b"KHP1"[..], &install.to_bytes(), &[kind], parameters].concat()
}

/// Wraps the root key; `parameters` are what the reader needs to know first and must not be changed.
///
/// # Errors
/// [`RewrapError::Entropy`], [`RewrapError::Memory`].
pub fn wrap_root(
    secret: &LockedBox<KEY_BYTES>,
    install: InstallId,
    kind: u8,
    parameters: &[u8],
    root: LockedBox<KEY_BYTES>,
    entropy: &mut impl EntropySource,
) -> Result<WrappedKey, RewrapError> {
    let under = derive(&[secret.expose()], install, &info(kind))?;
    encrypt_key(&under, &aad(install, kind, parameters), root, entropy)
}

/// Opens the root key.
///
/// # Errors
/// [`RewrapError::Unopenable`] for another secret, installation, kind or parameters.
pub fn unwrap_root(
    secret: &LockedBox<KEY_BYTES>,
    install: InstallId,
    kind: u8,
    parameters: &[u8],
    wrapped: &WrappedKey,
) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
    let under = derive(&[secret.expose()], install, &info(kind))?;
    decrypt_key(&under, &aad(install, kind, parameters), wrapped)
}
