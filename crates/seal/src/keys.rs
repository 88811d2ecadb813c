//! Public keys: the keeper's, to which data keys are sealed, and a bot's ephemeral one, to which a lease is answered.
//!
//! The private halves live in `keyhold-unseal`. A [`KeeperKeyId`] is what people compare: print it, pin it.

use sha2::{Digest as _, Sha256};

use crate::blob::{BlobError, text_form};

/// Names a keeper public key: the first 16 bytes of SHA-256 over a label and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeeperKeyId([u8; 16]);

impl KeeperKeyId {
    /// Takes the raw bytes.
    ///
    /// # Errors
    /// [`BlobError::Length`] unless there are 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        bytes.try_into().map(Self).map_err(|_wrong_length| BlobError::Length)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// For people: 32 hexadecimal digits in eight groups of four, `1a2b-3c4d-…`.
    pub fn fingerprint(&self) -> String {
        let groups: Vec<String> =
            self.0.chunks_exact(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
        groups.join("-")
    }
}

text_form!(KeeperKeyId, 16);

/// The keeper's X25519 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeeperPublicKey([u8; 32]);

impl KeeperPublicKey {
    /// Takes the 32 bytes of RFC 7748.
    ///
    /// # Errors
    /// [`BlobError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        bytes.try_into().map(Self).map_err(|_wrong_length| BlobError::Length)
    }

    /// The 32 bytes of RFC 7748.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's id, which stands in every data key sealed to it.
    pub fn id(&self) -> KeeperKeyId {
        let digest = Sha256::new().chain_update(b"keyhold/keeper-key/v1").chain_update(self.0).finalize();
        let mut id = [0u8; 16];
        id.copy_from_slice(&digest[..16]);
        KeeperKeyId(id)
    }
}

text_form!(KeeperPublicKey, 32);

/// The ephemeral X25519 public key of one bot process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotPublicKey([u8; 32]);

impl BotPublicKey {
    /// Takes the 32 bytes of RFC 7748.
    ///
    /// # Errors
    /// [`BlobError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        bytes.try_into().map(Self).map_err(|_wrong_length| BlobError::Length)
    }

    /// The 32 bytes of RFC 7748.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

text_form!(BotPublicKey, 32);
