//! An opened credential: it signs, names its public key id, and gives away nothing else.
//!
//! It cannot be printed, cloned, compared or serialized; compile-fail tests hold that. It knows no exchange; the bot
//! wraps it for the venues' `Signer`. The layout read here is written by `keyhold_seal::PlainSecret`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyhold_os::secret::SecretBytes;
use keyhold_seal::SECRET_LAYOUT_VERSION;
use sha2::{Sha256, Sha512};
use std::ops::Range;

use crate::capability::PassphraseAccess;
use crate::error::Unopenable;
use crate::hpke_open::scrub_stack;

const HEADER_BYTES: usize = 8;

/// Which message authentication code to compute, and how the secret becomes its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// HMAC-SHA256 keyed with the secret's characters (Bybit, Binance, OKX, BitMEX).
    HmacSha256,
    /// HMAC-SHA512 keyed with the secret's characters.
    HmacSha512,
    /// HMAC-SHA512 keyed with the bytes that the secret is the base64 of (Kraken, Kraken Futures).
    HmacSha512Base64Secret,
}

/// The secret is not base64, so it cannot be this exchange's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret does not have the form this exchange issues")]
pub struct NotBase64;

/// One exchange credential, in locked memory.
#[allow(missing_debug_implementations, reason = "a secret must not be printable")]
pub struct Credential {
    padded: SecretBytes,
    api_key: Range<usize>,
    secret: Range<usize>,
    passphrase: Option<Range<usize>>,
}

impl Credential {
    /// Reads the layout. Everything is authenticated by now, so a fault here is a faulty sealer; it is refused all
    /// the same, without saying why.
    pub(crate) fn from_padded(padded: SecretBytes) -> Result<Self, Unopenable> {
        let bytes = padded.expose();
        let header = bytes.get(..HEADER_BYTES).ok_or(Unopenable)?;
        let length = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
        let api_key = HEADER_BYTES..HEADER_BYTES + length(2);
        let secret = api_key.end..api_key.end + length(4);
        let phrase = secret.end..secret.end + length(6);
        let passphrase = match header[1] {
            0 if phrase.is_empty() => None,
            1 => Some(phrase.clone()),
            _ => return Err(Unopenable),
        };
        let text = bytes.get(HEADER_BYTES..phrase.end).ok_or(Unopenable)?;
        let padding = &bytes[phrase.end..];
        let sound = header[0] == SECRET_LAYOUT_VERSION
            && !api_key.is_empty()
            && !secret.is_empty()
            && padding.iter().all(|byte| *byte == 0)
            && std::str::from_utf8(text).is_ok()
            && [&api_key, &secret, &phrase]
                .iter()
                .all(|part| std::str::from_utf8(&bytes[(*part).clone()]).is_ok());
        if sound { Ok(Self { padded, api_key, secret, passphrase }) } else { Err(Unopenable) }
    }

    /// The public key id, which goes into request headers.
    pub fn api_key(&self) -> &str {
        self.text(&self.api_key)
    }

    /// The passphrase, for exchanges that want it in a header; see [`PassphraseAccess`].
    pub fn passphrase(&self, _access: &PassphraseAccess) -> Option<&str> {
        self.passphrase.as_ref().map(|part| self.text(part))
    }

    /// Signs a message: 32 bytes for SHA-256, 64 for SHA-512.
    ///
    /// # Errors
    /// [`NotBase64`], only for [`MacAlgorithm::HmacSha512Base64Secret`].
    pub fn mac(&self, algorithm: MacAlgorithm, message: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let secret = &self.padded.expose()[self.secret.clone()];
        let signature = match algorithm {
            MacAlgorithm::HmacSha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            MacAlgorithm::HmacSha512 => sha512(secret, message),
            MacAlgorithm::HmacSha512Base64Secret => sha512(decode(secret)?.expose(), message),
        };
        scrub_stack();
        Ok(signature)
    }

    fn text(&self, part: &Range<usize>) -> &str {
        std::str::from_utf8(&self.padded.expose()[part.clone()])
            .expect("checked when the credential was opened")
    }
}

fn sha512(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Decodes into locked memory. Running out of that memory is reported as an undecodable secret; both end the bot.
fn decode(secret: &[u8]) -> Result<SecretBytes, NotBase64> {
    SecretBytes::fill_with(secret.len(), |room| {
        STANDARD.decode_slice(secret, room).map_err(|_quotes| NotBase64)
    })
    .map_err(|_either| NotBase64)
}
