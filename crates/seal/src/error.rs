//! Why sealing failed. Texts name the step and never any part of the input. See `seal` for where they arise.

/// Sealing was not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// API key or secret is empty.
    #[error("the API key and the secret must not be empty")]
    Empty,
    /// Key, secret and passphrase together do not fit into the largest padded size.
    #[error("the credential is too long to seal")]
    TooLong,
    /// The random source failed.
    #[error("no random bytes are available")]
    Entropy,
    /// The recipient's public key is not usable (a point of low order).
    #[error("the recipient's public key is not usable")]
    BadPublicKey,
    /// The cipher refused; only possible for inputs beyond its length limits.
    #[error("the cipher refused the input")]
    Cipher,
}

impl From<crate::EntropyUnavailable> for SealError {
    fn from(_unavailable: crate::EntropyUnavailable) -> Self {
        Self::Entropy
    }
}
