//! A credential in clear, for the short time between typing and sealing.
//!
//! ```text
//! 0 layout version 1 │ 1 flags (bit 0: passphrase present) │ 2 key length u16 │ 4 secret length u16 │
//! 6 passphrase length u16 │ 8 key, secret, passphrase as UTF-8 │ zeros up to 512 or 2048
//! ```
//!
//! The type cannot be printed, copied, compared or written out; it is wiped when dropped. Reading this layout back is
//! `keyhold-unseal`'s work.

use zeroize::Zeroizing;

use crate::envelope::PaddedSize;
use crate::error::SealError;

/// Byte 0 of the credential.
pub const SECRET_LAYOUT_VERSION: u8 = 1;
const HEADER_BYTES: usize = 8;
const HAS_PASSPHRASE: u8 = 1;

/// An exchange credential in clear, already laid out and padded. Consumed by [`crate::seal`].
#[allow(missing_debug_implementations, reason = "a secret must not be printable")]
pub struct PlainSecret {
    padded: Zeroizing<Vec<u8>>,
}

impl PlainSecret {
    /// Lays out a credential. The caller still owns, and should wipe, what it passes in.
    ///
    /// # Errors
    /// [`SealError::Empty`] when key or secret is empty, [`SealError::TooLong`] when everything together exceeds
    /// 2040 bytes.
    pub fn new(api_key: &str, api_secret: &str, passphrase: Option<&str>) -> Result<Self, SealError> {
        if api_key.is_empty() || api_secret.is_empty() {
            return Err(SealError::Empty);
        }
        let phrase = passphrase.unwrap_or("");
        let used = HEADER_BYTES + api_key.len() + api_secret.len() + phrase.len();
        let size = [PaddedSize::Standard, PaddedSize::Large]
            .into_iter()
            .find(|size| used <= size.bytes())
            .ok_or(SealError::TooLong)?;
        // Allocated once at its final length: a growing buffer would leave copies behind.
        let mut padded = Zeroizing::new(vec![0u8; size.bytes()]);
        padded[0] = SECRET_LAYOUT_VERSION;
        padded[1] = if passphrase.is_some() { HAS_PASSPHRASE } else { 0 };
        let mut at = HEADER_BYTES;
        for (index, part) in [api_key, api_secret, phrase].into_iter().enumerate() {
            let length = u16::try_from(part.len()).map_err(|_above_limit| SealError::TooLong)?;
            padded[2 + 2 * index..4 + 2 * index].copy_from_slice(&length.to_be_bytes());
            padded[at..at + part.len()].copy_from_slice(part.as_bytes());
            at += part.len();
        }
        Ok(Self { padded })
    }

    /// The padded bytes, to be encrypted in place.
    pub(crate) fn into_padded(self) -> Zeroizing<Vec<u8>> {
        self.padded
    }
}
