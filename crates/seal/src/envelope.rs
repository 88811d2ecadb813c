//! The envelope: the one form in which a credential is ever stored.
//!
//! ```text
//! 0 magic "KHE1" 4 │ 4 context 58 │ 62 commitment 32 │ 94 nonce 12 │ 106 ciphertext 512 or 2048 │ tag 16
//! ```
//!
//! Parsing checks the form only. Whether the context is the one expected is for the reader to say: compare
//! [`Envelope::context`] with what your own records know, never trust it alone.

use crate::blob::{BlobError, text_form};
use crate::context::{CONTEXT_BYTES, Context};
use crate::schedule::{COMMITMENT_BYTES, NONCE_BYTES, TAG_BYTES};

const MAGIC: [u8; 4] = *b"KHE1";
const COMMITMENT_AT: usize = 4 + CONTEXT_BYTES;
const NONCE_AT: usize = COMMITMENT_AT + COMMITMENT_BYTES;
const CIPHERTEXT_AT: usize = NONCE_AT + NONCE_BYTES;

/// To which length a credential is padded, so that an envelope's length tells only which of two sizes it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaddedSize {
    /// 512 bytes: shared-secret keys.
    Standard,
    /// 2048 bytes: private keys in PEM form.
    Large,
}

impl PaddedSize {
    /// Length of the padded credential in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Standard => 512,
            Self::Large => 2048,
        }
    }

    /// Length of the whole envelope in bytes: 634 or 2170.
    pub const fn envelope_bytes(self) -> usize {
        CIPHERTEXT_AT + self.bytes() + TAG_BYTES
    }
}

/// A sealed credential, checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    context: Context,
}

impl Envelope {
    /// Puts the parts together; `ciphertext` includes the tag.
    pub(crate) fn assemble(
        context: Context,
        commitment: &[u8; COMMITMENT_BYTES],
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
    ) -> Self {
        let bytes = [&MAGIC[..], &context.as_bytes(), commitment, nonce, ciphertext].concat();
        Self { bytes, context }
    }

    /// Reads bytes of one of the two lengths.
    ///
    /// # Errors
    /// [`BlobError::Length`], [`BlobError::Format`] for a wrong magic or an unreadable context.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlobError> {
        let known = [PaddedSize::Standard, PaddedSize::Large];
        if !known.iter().any(|size| bytes.len() == size.envelope_bytes()) {
            return Err(BlobError::Length);
        }
        if bytes[..4] != MAGIC {
            return Err(BlobError::Format);
        }
        let context = Context::from_bytes(&bytes[4..COMMITMENT_AT])?;
        Ok(Self { bytes: bytes.to_vec(), context })
    }

    /// All bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the envelope says it belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The key commitment.
    pub fn commitment(&self) -> &[u8] {
        &self.bytes[COMMITMENT_AT..NONCE_AT]
    }

    /// The nonce.
    pub fn nonce(&self) -> &[u8] {
        &self.bytes[NONCE_AT..CIPHERTEXT_AT]
    }

    /// The ciphertext without its tag.
    pub fn ciphertext(&self) -> &[u8] {
        &self.bytes[CIPHERTEXT_AT..self.bytes.len() - TAG_BYTES]
    }

    /// The authentication tag.
    pub fn tag(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - TAG_BYTES..]
    }
}

text_form!(Envelope, PaddedSize::Large.envelope_bytes());
