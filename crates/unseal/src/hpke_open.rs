//! Opening HPKE (base mode, the suite of `keyhold_seal::hpke_seal`) into locked memory, and cleaning up behind it.

use hpke::inout::InOutBuf;
use hpke::{Deserializable as _, OpModeR, Serializable as _};
use keyhold_os::secret::LockedBox;
use keyhold_seal::schedule::{ENCAPSULATED_BYTES, KEY_BYTES, TAG_BYTES};

use crate::error::Unopenable;

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::AesGcm256;

/// An X25519 private key in locked memory.
#[allow(missing_debug_implementations, reason = "a private key")]
pub(crate) struct PrivateKey(LockedBox<KEY_BYTES>);

impl PrivateKey {
    /// RFC 9180 `DeriveKeyPair`: replaces the key material by the private key derived from it.
    pub(crate) fn derive(mut material: LockedBox<KEY_BYTES>) -> Self {
        let (private, _public) = <Kem as hpke::Kem>::derive_keypair(material.expose());
        private.write_exact(material.expose_mut());
        drop(private);
        scrub_stack();
        Self(material)
    }

    /// The matching public key.
    pub(crate) fn public(&self) -> [u8; 32] {
        let public = self.with(<Kem as hpke::Kem>::sk_to_pk);
        public.to_bytes().into()
    }

    fn with<T>(&self, work: impl FnOnce(&<Kem as hpke::Kem>::PrivateKey) -> T) -> T {
        let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(self.0.expose())
            .expect("any 32 bytes are an X25519 private key");
        let result = work(&private);
        drop(private);
        scrub_stack();
        result
    }

    /// Opens `enc 32 || ciphertext 32 || tag 16` into locked memory.
    pub(crate) fn open(
        &self,
        sealed: &[u8],
        info: &[u8],
        aad: &[u8],
        mut room: LockedBox<KEY_BYTES>,
    ) -> Result<LockedBox<KEY_BYTES>, Unopenable> {
        if sealed.len() != ENCAPSULATED_BYTES + KEY_BYTES + TAG_BYTES {
            return Err(Unopenable);
        }
        let (encapsulated, rest) = sealed.split_at(ENCAPSULATED_BYTES);
        let (ciphertext, tag) = rest.split_at(KEY_BYTES);
        let encapsulated =
            <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_why| Unopenable)?;
        let tag = hpke::aead::AeadTag::<Aead>::from_bytes(tag).map_err(|_why| Unopenable)?;
        room.expose_mut().copy_from_slice(ciphertext);
        self.with(|private| {
            hpke::single_shot_open_inout_detached::<Aead, Kdf, Kem>(
                &OpModeR::Base,
                private,
                &encapsulated,
                info,
                InOutBuf::from(&mut room.expose_mut()[..]),
                aad,
                &tag,
            )
        })
        .map_err(|_why| Unopenable)?;
        Ok(room)
    }
}

/// Overwrites the part of the stack that the calls just made may have used. Libraries wipe the values they own but
/// not what the compiler spilled; the memory scan of the keeper's tests shows that this is enough there.
#[inline(never)]
pub(crate) fn scrub_stack() {
    let mut area = [0u8; 16 * 1024];
    std::hint::black_box(&mut area);
}
