//! Sealing: one credential in, an envelope and a sealed data key out.
//!
//! Random bytes are drawn in a fixed order (data key 32, nonce 12, ephemeral key material 32) so that both languages
//! produce the same bytes from the same entropy. The data key is used for one envelope and then forgotten here.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, OpModeS, Serializable as _};
use std::convert::Infallible;
use zeroize::Zeroizing;

use crate::blob::SealedDataKey;
use crate::context::Context;
use crate::entropy::EntropySource;
use crate::envelope::Envelope;
use crate::error::SealError;
use crate::keys::KeeperPublicKey;
use crate::schedule::{ENCAPSULATED_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES, envelope_keys, seal_info};
use crate::secret::PlainSecret;

/// What sealing yields: two blobs, useless without each other and without the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The credential, to be stored.
    pub envelope: Envelope,
    /// Its data key, to be handed to the keeper once and not stored.
    pub data_key: SealedDataKey,
}

/// Seals a credential to a keeper.
///
/// # Errors
/// [`SealError::Entropy`], [`SealError::BadPublicKey`]; [`SealError::Cipher`] cannot occur for these lengths.
pub fn seal(
    keeper: &KeeperPublicKey,
    context: &Context,
    secret: PlainSecret,
    entropy: &mut impl EntropySource,
) -> Result<Sealed, SealError> {
    let mut data_key = Zeroizing::new([0u8; KEY_BYTES]);
    entropy.fill(&mut data_key[..])?;
    let mut nonce = [0u8; NONCE_BYTES];
    entropy.fill(&mut nonce)?;

    let keys = envelope_keys(&data_key, context);
    let mut buffer = secret.into_padded();
    let tag = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*keys.key))
        .encrypt_inout_detached(&Nonce::from(nonce), &context.as_bytes(), InOutBuf::from(&mut buffer[..]))
        .map_err(|_beyond_limits| SealError::Cipher)?;
    buffer.extend_from_slice(&tag);
    let envelope = Envelope::assemble(*context, &keys.commitment, &nonce, &buffer);

    let id = keeper.id();
    let info = seal_info(context.install, id);
    let sealed = hpke_seal(keeper.as_bytes(), &info, &context.as_bytes(), &mut data_key, entropy)?;
    let bytes = [&SealedDataKey::MAGIC[..], id.as_bytes(), &sealed].concat();
    let data_key = SealedDataKey::from_bytes(&bytes).expect("magic and length are ours");
    Ok(Sealed { envelope, data_key })
}

/// HPKE base mode (RFC 9180), DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message: `enc || ct || tag`.
///
/// Encrypts `data_key` in place, so it holds ciphertext afterwards and no copy of the key is made.
///
/// # Errors
/// [`SealError::Entropy`]; [`SealError::BadPublicKey`] for a public key of low order.
pub fn hpke_seal(
    recipient: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    data_key: &mut [u8; KEY_BYTES],
    entropy: &mut impl EntropySource,
) -> Result<[u8; ENCAPSULATED_BYTES + KEY_BYTES + TAG_BYTES], SealError> {
    let mut rng = OneDraw::take(entropy)?;
    let recipient =
        <Kem as hpke::Kem>::PublicKey::from_bytes(recipient).map_err(|_unusable| SealError::BadPublicKey)?;
    let (encapsulated, tag) = hpke::single_shot_seal_inout_detached_with_rng::<Aead, Kdf, Kem>(
        &OpModeS::Base,
        &recipient,
        info,
        InOutBuf::from(&mut data_key[..]),
        aad,
        &mut rng,
    )
    .map_err(|_unusable| SealError::BadPublicKey)?;
    if !rng.was_used_exactly() {
        return Err(SealError::Entropy);
    }
    let mut out = [0u8; ENCAPSULATED_BYTES + KEY_BYTES + TAG_BYTES];
    out[..ENCAPSULATED_BYTES].copy_from_slice(&encapsulated.to_bytes());
    out[ENCAPSULATED_BYTES..ENCAPSULATED_BYTES + KEY_BYTES].copy_from_slice(data_key);
    out[ENCAPSULATED_BYTES + KEY_BYTES..].copy_from_slice(&tag.to_bytes());
    Ok(out)
}

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::AesGcm256;

/// Hands HPKE the 32 bytes of ephemeral key material it asks for, once. A library that asked for anything else would
/// be given zeros and then refused by [`OneDraw::was_used_exactly`].
struct OneDraw {
    material: Zeroizing<[u8; 32]>,
    draws: usize,
    misused: bool,
}

impl OneDraw {
    fn take(entropy: &mut impl EntropySource) -> Result<Self, SealError> {
        let mut material = Zeroizing::new([0u8; 32]);
        entropy.fill(&mut material[..])?;
        Ok(Self { material, draws: 0, misused: false })
    }

    fn was_used_exactly(&self) -> bool {
        self.draws == 1 && !self.misused
    }
}

impl TryRng for OneDraw {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.misused = true;
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.misused = true;
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.draws += 1;
        if out.len() == self.material.len() && self.draws == 1 {
            out.copy_from_slice(&self.material[..]);
        } else {
            self.misused = true;
            out.fill(0);
        }
        Ok(())
    }
}

impl TryCryptoRng for OneDraw {}
