//! Every label and derivation of the format in one place, so that both halves of the vault use the same ones.
//!
//! Deriving is not opening: whoever calls these must already hold the data key. Labels end in a version and carry a
//! fixed-length tail, so no two inputs can be confused. Next: [`crate::seal`] and `keyhold-unseal`.

use hkdf::Hkdf;
use keyhold_domain::{BotId, InstallId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::blob::WrapFormat;
use crate::context::{CONTEXT_BYTES, Context};
use crate::keys::KeeperKeyId;

/// Length of every symmetric key and of slot secrets in bytes.
pub const KEY_BYTES: usize = 32;
/// Length of an AES-GCM nonce in bytes (96 bits).
pub const NONCE_BYTES: usize = 12;
/// Length of an AES-GCM tag in bytes.
pub const TAG_BYTES: usize = 16;
/// Length of the key commitment in bytes.
pub const COMMITMENT_BYTES: usize = 32;
/// Length of an X25519 encapsulated key in bytes.
pub const ENCAPSULATED_BYTES: usize = 32;

/// What a data key yields for one context.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct EnvelopeKeys {
    /// The AES-256-GCM key of the envelope.
    pub key: Zeroizing<[u8; KEY_BYTES]>,
    /// Commits to data key and context: AES-GCM alone lets one ciphertext open under two keys.
    pub commitment: [u8; COMMITMENT_BYTES],
}

/// Derives cipher key and commitment from a data key.
///
/// HKDF-SHA256 (RFC 5869), no salt, `info = "keyhold/envelope-key/v1" || context` and
/// `info = "keyhold/envelope-commitment/v1" || context`.
pub fn envelope_keys(data_key: &[u8; KEY_BYTES], context: &Context) -> EnvelopeKeys {
    let hkdf = Hkdf::<Sha256>::new(None, data_key);
    let bytes = context.as_bytes();
    let mut keys = EnvelopeKeys { key: Zeroizing::new([0; KEY_BYTES]), commitment: [0; COMMITMENT_BYTES] };
    expand(&hkdf, &[b"keyhold/envelope-key/v1", &bytes], &mut keys.key[..]);
    expand(&hkdf, &[b"keyhold/envelope-commitment/v1", &bytes], &mut keys.commitment);
    keys
}

/// Expands 32 bytes.
fn expand(hkdf: &Hkdf<Sha256>, info: &[&[u8]], out: &mut [u8]) {
    hkdf.expand_multi_info(info, out).expect("32 bytes are below HKDF's limit of 8160");
}

/// HPKE `info` of a [`SealedDataKey`](crate::SealedDataKey): `"keyhold/seal/v1" || install 16 || keeper key id 16`.
pub fn seal_info(install: InstallId, keeper: KeeperKeyId) -> Vec<u8> {
    [&b"keyhold/seal/v1"[..], &install.to_bytes(), keeper.as_bytes()].concat()
}

/// HPKE `info` of a [`LeaseAnswer`](crate::LeaseAnswer): `"keyhold/lease/v1" || install 16 || bot 16 || lease 16`.
pub fn lease_info(install: InstallId, bot: BotId, lease: [u8; 16]) -> Vec<u8> {
    [&b"keyhold/lease/v1"[..], &install.to_bytes(), &bot.to_bytes(), &lease].concat()
}

/// HKDF `info` of the key that wraps a data key: `"keyhold/wrap/v1"` (house key) or `"keyhold/wrap/v2"` (a workspace's
/// key), then `context 58 || slot u32 big endian`.
pub fn wrap_info(format: WrapFormat, context: &Context, slot: u32) -> Vec<u8> {
    let label: &[u8] = match format {
        WrapFormat::House => b"keyhold/wrap/v1",
        WrapFormat::Workspace => b"keyhold/wrap/v2",
    };
    [label, &context.as_bytes(), &slot.to_be_bytes()].concat()
}

/// Associated data of a wrapped data key: its magic, then `context 58 || slot u32 big endian`.
pub fn wrap_aad(format: WrapFormat, context: &Context, slot: u32) -> [u8; 4 + CONTEXT_BYTES + 4] {
    let mut aad = [0u8; 4 + CONTEXT_BYTES + 4];
    aad[..4].copy_from_slice(&format.magic());
    aad[4..4 + CONTEXT_BYTES].copy_from_slice(&context.as_bytes());
    aad[4 + CONTEXT_BYTES..].copy_from_slice(&slot.to_be_bytes());
    aad
}
