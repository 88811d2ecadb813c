//! The keeper's side: takes data keys over from sealers, keeps them wrapped, answers leases. Named only in the keeper.
//!
//! A wrapping key needs three things at once: the root key, the record's shred slot, and the exact context. Overwriting
//! the slot therefore destroys the data key for good, whoever holds copies of everything else. Data keys pass through
//! locked memory only; this module never gets an envelope to open.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, Mac as _};
use keyhold_domain::{BotId, InstallId};
use keyhold_os::secret::{LockedBox, SecretError};
use keyhold_seal::schedule::{
    ENCAPSULATED_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES, lease_info, seal_info, wrap_aad, wrap_info,
};
use keyhold_seal::{
    BotPublicKey, Context, EntropySource, KeeperPublicKey, LeaseAnswer, SealedDataKey, WrappedDataKey,
    hpke_seal,
};
use sha2::Sha256;

use crate::error::{RewrapError, Unopenable};
use crate::hpke_open::{PrivateKey, scrub_stack};

const SLOT_AT: usize = 4;
const NONCE_AT: usize = SLOT_AT + 4;
const CIPHERTEXT_AT: usize = NONCE_AT + NONCE_BYTES;

/// The root key: the one long-lived secret of a keeper.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct RootKey(LockedBox<KEY_BYTES>);

impl RootKey {
    /// Takes the key over; from here on it exists only in locked memory.
    pub fn new(key: LockedBox<KEY_BYTES>) -> Self {
        Self(key)
    }

    /// HKDF-SHA256 over root key and `seed` (concatenated), salted with the installation's id.
    fn derive(
        &self,
        seed: &[u8],
        install: InstallId,
        info: &[u8],
    ) -> Result<LockedBox<KEY_BYTES>, SecretError> {
        let mut derived = LockedBox::zeroed()?;
        let mut extract = HkdfExtract::<Sha256>::new(Some(&install.to_bytes()));
        extract.input_ikm(self.0.expose());
        extract.input_ikm(seed);
        let (mut extracted, hkdf): (_, Hkdf<Sha256>) = extract.finalize();
        zeroize::Zeroize::zeroize(extracted.as_mut_slice());
        hkdf.expand(info, derived.expose_mut()).expect("32 bytes are below HKDF's limit of 8160");
        drop(hkdf);
        scrub_stack();
        Ok(derived)
    }

    /// HMAC-SHA256 under a key derived for `label`: lets the keeper recognize its own files.
    ///
    /// # Errors
    /// [`SecretError`] when no locked memory is left.
    pub fn authenticate(
        &self,
        install: InstallId,
        label: &[u8],
        data: &[u8],
    ) -> Result<[u8; 32], SecretError> {
        let key = self.derive(&[], install, label)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
        mac.update(data);
        Ok(mac.finalize().into_bytes().into())
    }
}

/// The keeper's HPKE private key.
#[allow(missing_debug_implementations, reason = "a private key")]
pub struct KeeperSecretKey {
    private: PrivateKey,
    public: KeeperPublicKey,
    install: InstallId,
}

impl KeeperSecretKey {
    /// Derives the key pair from root key and a seed that can be destroyed on its own.
    ///
    /// # Errors
    /// [`SecretError`] when no locked memory is left.
    pub fn derive(root: &RootKey, install: InstallId, seed: &SlotSecret) -> Result<Self, SecretError> {
        let material = root.derive(seed.0.expose(), install, b"keyhold/keeper-secret/v1")?;
        let private = PrivateKey::derive(material);
        let public = KeeperPublicKey::from_bytes(&private.public()).expect("32 bytes");
        Ok(Self { private, public, install })
    }

    /// The public half, to be published.
    pub fn public(&self) -> &KeeperPublicKey {
        &self.public
    }
}

/// The secret half of a shred slot.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct SlotSecret(LockedBox<KEY_BYTES>);

impl SlotSecret {
    /// Takes the bytes over.
    pub fn new(secret: LockedBox<KEY_BYTES>) -> Self {
        Self(secret)
    }

    /// The bytes, for writing them into the slot file.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }
}

/// What a record's data key is wrapped under.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "refers to keys")]
pub struct Wrapping<'a> {
    /// The root key.
    pub root: &'a RootKey,
    /// The record's slot.
    pub slot: &'a SlotSecret,
    /// Index of the slot in its file.
    pub index: u32,
}

impl Wrapping<'_> {
    fn cipher(&self, context: &Context) -> Result<Aes256Gcm, SecretError> {
        let key = self.root.derive(self.slot.expose(), context.install, &wrap_info(context, self.index))?;
        Ok(Aes256Gcm::new(key.expose().into()))
    }

    /// Encrypts `data_key` in place and assembles the blob.
    fn wrap(
        &self,
        context: &Context,
        mut data_key: LockedBox<KEY_BYTES>,
        entropy: &mut impl EntropySource,
    ) -> Result<WrappedDataKey, RewrapError> {
        let mut nonce = [0u8; NONCE_BYTES];
        entropy.fill(&mut nonce).map_err(|_unavailable| RewrapError::Entropy)?;
        let tag = self
            .cipher(context)?
            .encrypt_inout_detached(
                &Nonce::from(nonce),
                &wrap_aad(context, self.index),
                InOutBuf::from(&mut data_key.expose_mut()[..]),
            )
            .expect("32 bytes are below the cipher's limit");
        scrub_stack();
        let bytes =
            [&WrappedDataKey::MAGIC[..], &self.index.to_be_bytes(), &nonce, data_key.expose(), &tag].concat();
        Ok(WrappedDataKey::from_bytes(&bytes).expect("magic and length are ours"))
    }

    fn unwrap(
        &self,
        context: &Context,
        wrapped: &WrappedDataKey,
    ) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        let bytes = wrapped.as_bytes();
        if bytes[SLOT_AT..NONCE_AT] != self.index.to_be_bytes() {
            return Err(RewrapError::Unopenable);
        }
        let nonce = array::<NONCE_BYTES>(&bytes[NONCE_AT..CIPHERTEXT_AT]);
        let tag = array::<TAG_BYTES>(&bytes[CIPHERTEXT_AT + KEY_BYTES..]);
        let mut data_key = LockedBox::zeroed()?;
        data_key.expose_mut().copy_from_slice(&bytes[CIPHERTEXT_AT..CIPHERTEXT_AT + KEY_BYTES]);
        let opened = self.cipher(context)?.decrypt_inout_detached(
            &Nonce::from(nonce),
            &wrap_aad(context, self.index),
            InOutBuf::from(&mut data_key.expose_mut()[..]),
            &Tag::from(tag),
        );
        scrub_stack();
        opened.map_err(|_why| RewrapError::Unopenable)?;
        Ok(data_key)
    }
}

/// `N` bytes of a blob whose length is fixed by its type.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the ranges above have these lengths")
}

/// The slot index that a wrapped data key names.
pub fn slot_index(wrapped: &WrappedDataKey) -> u32 {
    u32::from_be_bytes(array(&wrapped.as_bytes()[SLOT_AT..NONCE_AT]))
}

/// Opens a data key that was sealed to this keeper and wraps it under the record's slot.
///
/// # Errors
/// [`RewrapError::Unopenable`] unless it was sealed to this key, in this installation, for exactly this context.
pub fn import(
    keeper: &KeeperSecretKey,
    wrapping: Wrapping<'_>,
    context: &Context,
    sealed: &SealedDataKey,
    entropy: &mut impl EntropySource,
) -> Result<WrappedDataKey, RewrapError> {
    let id = keeper.public.id();
    let (named, ciphertext) = sealed.as_bytes()[SealedDataKey::MAGIC.len()..].split_at(id.as_bytes().len());
    if named != id.as_bytes() || context.install != keeper.install {
        return Err(RewrapError::Unopenable);
    }
    let info = seal_info(keeper.install, id);
    let data_key = keeper.private.open(ciphertext, &info, &context.as_bytes(), LockedBox::zeroed()?)?;
    wrapping.wrap(context, data_key, entropy)
}

/// To whom a lease is answered.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The bot.
    pub bot: BotId,
    /// Number of this lease.
    pub lease: [u8; 16],
    /// The process's ephemeral public key.
    pub key: BotPublicKey,
}

/// Unwraps a data key and seals it to one bot process.
///
/// # Errors
/// [`RewrapError::Unopenable`] unless key, slot and context are those of the import.
pub fn lease(
    wrapping: Wrapping<'_>,
    context: &Context,
    wrapped: &WrappedDataKey,
    to: &Recipient,
    entropy: &mut impl EntropySource,
) -> Result<LeaseAnswer, RewrapError> {
    let mut data_key = wrapping.unwrap(context, wrapped)?;
    let info = lease_info(context.install, to.bot, to.lease);
    let sealed = hpke_seal(to.key.as_bytes(), &info, &context.as_bytes(), data_key.expose_mut(), entropy);
    scrub_stack();
    let bytes = [&LeaseAnswer::MAGIC[..], &sealed?].concat();
    Ok(LeaseAnswer::from_bytes(&bytes).expect("magic and length are ours"))
}

const _: () = assert!(ENCAPSULATED_BYTES + KEY_BYTES + TAG_BYTES + 4 == LeaseAnswer::BYTES);
const _: () = assert!(CIPHERTEXT_AT + KEY_BYTES + TAG_BYTES == WrappedDataKey::BYTES);

impl From<RewrapError> for Unopenable {
    fn from(_error: RewrapError) -> Self {
        Self
    }
}
