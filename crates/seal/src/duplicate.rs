//! Recognizes that the same API key was entered twice in an installation, without storing the key.
//!
//! A keyed hash of exchange, environment and the *public* key id. The key of the hash is per installation and known to
//! every signed-in user, so this is a lookup value and no secret: whoever already knows an API key id can check whether
//! it is stored here. The secret and passphrase never enter it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use keyhold_domain::{Environment, Exchange};
use sha2::Sha256;

use crate::blob::{BlobError, text_form};

/// Length of the installation's fingerprint key in bytes.
pub const FINGERPRINT_KEY_BYTES: usize = 32;

/// The keyed hash of one API key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; 32]);

impl KeyFingerprint {
    /// Takes 32 bytes.
    ///
    /// # Errors
    /// [`BlobError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        bytes.try_into().map(Self).map_err(|_wrong_length| BlobError::Length)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

text_form!(KeyFingerprint, 32);

/// `HMAC-SHA256(key, "keyhold/api-key/v1" || exchange u16 big endian || environment u8 || api key)`.
pub fn fingerprint(
    key: &[u8; FINGERPRINT_KEY_BYTES],
    exchange: Exchange,
    environment: Environment,
    api_key: &str,
) -> KeyFingerprint {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(b"keyhold/api-key/v1");
    mac.update(&exchange.code().to_be_bytes());
    mac.update(&[environment.code()]);
    mac.update(api_key.as_bytes());
    KeyFingerprint(mac.finalize().into_bytes().into())
}
