//! How opening fails: without telling why. A caller that could distinguish "wrong tag" from "wrong tenant" could use
//! the difference as an oracle, and no honest caller acts on it.

use keyhold_os::secret::SecretError;
use keyhold_seal::SealError;

/// The blob does not open here. Deliberately says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unopenable")]
pub struct Unopenable;

/// Why the keeper could not re-wrap a data key. Only the first variant depends on what was sent.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The blob does not open with this key, slot and context.
    #[error("unopenable")]
    Unopenable,
    /// The recipient's public key is not usable (low order).
    #[error("the recipient's public key is not usable")]
    BadPublicKey,
    /// The random source failed.
    #[error("no random bytes are available")]
    Entropy,
    /// A key at rest in memory was changed there.
    #[error("a key in memory is damaged")]
    Damaged,
    /// No locked memory was left.
    #[error("no secret memory is available")]
    Memory(#[source] SecretError),
}

impl From<Unopenable> for RewrapError {
    fn from(_unopenable: Unopenable) -> Self {
        Self::Unopenable
    }
}

impl From<SecretError> for RewrapError {
    fn from(error: SecretError) -> Self {
        Self::Memory(error)
    }
}

impl From<SealError> for RewrapError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Entropy => Self::Entropy,
            SealError::BadPublicKey | SealError::Cipher | SealError::Empty | SealError::TooLong => {
                Self::BadPublicKey
            }
        }
    }
}
