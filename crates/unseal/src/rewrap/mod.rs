//! The keeper's side: takes data keys over from sealers, keeps them wrapped, answers leases. Named only in the keeper.
//!
//! A wrapping key needs three things at once: the workspace's key (`keys.rs`), the record's shred slot, and the exact
//! context. Overwriting the slot therefore destroys the data key for good, whoever holds copies of everything else. Data
//! keys pass through locked memory only; this module never gets an envelope to open.

mod keys;
mod provide;
mod shield;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use keyhold_domain::{BotId, InstallId};
use keyhold_os::secret::LockedBox;
use keyhold_seal::schedule::{
    ENCAPSULATED_BYTES, KEY_BYTES, NONCE_BYTES, TAG_BYTES, lease_info, seal_info, wrap_aad, wrap_info,
};
use keyhold_seal::{
    BotPublicKey, Context, EntropySource, KeeperPublicKey, LeaseAnswer, SealedDataKey, WrapFormat,
    WrappedDataKey, hpke_seal,
};

use crate::error::{RewrapError, Unopenable};
use crate::hpke_open::{PrivateKey, scrub_stack};

pub use keys::{EpochKey, Member, MemberKey, RootKey, WRAPPED_KEY_BYTES, WrappedKey};
pub use provide::{unwrap_root, wrap_root};
use shield::Shielded;
pub use shield::{PREKEY_BYTES, Shield};

const SLOT_AT: usize = 4;
const NONCE_AT: usize = SLOT_AT + 4;
const CIPHERTEXT_AT: usize = NONCE_AT + NONCE_BYTES;

/// The keeper's HPKE private key. Only its key material rests in memory, shielded.
#[allow(missing_debug_implementations, reason = "a private key")]
pub struct KeeperSecretKey {
    material: Shielded,
    public: KeeperPublicKey,
    install: InstallId,
}

impl KeeperSecretKey {
    /// Derives the key pair from the house key and a seed that can be destroyed on its own.
    ///
    /// # Errors
    /// [`RewrapError::Memory`] when no locked memory is left.
    pub fn derive(house: &MemberKey, install: InstallId, seed: &SlotSecret) -> Result<Self, RewrapError> {
        let material = || house.derive(seed.0.expose(), install, b"keyhold/keeper-secret/v1");
        let public = PrivateKey::derive(material()?).public();
        let public = KeeperPublicKey::from_bytes(&public).expect("32 bytes");
        Ok(Self { material: Shielded::new(house.shield(), material()?)?, public, install })
    }

    /// The public half, to be published.
    pub fn public(&self) -> &KeeperPublicKey {
        &self.public
    }

    fn private(&self) -> Result<PrivateKey, RewrapError> {
        Ok(PrivateKey::derive(self.material.open()?))
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

/// The key from which, with the slot, a wrapping key is derived.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "refers to keys")]
pub enum Under<'a> {
    /// The house key: only for data keys that were wrapped before workspaces had keys of their own.
    House(&'a MemberKey),
    /// The key of the record's workspace.
    Workspace(&'a MemberKey),
}

/// What a record's data key is wrapped under.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "refers to keys")]
pub struct Wrapping<'a> {
    /// The key it comes from.
    pub under: Under<'a>,
    /// The record's slot.
    pub slot: &'a SlotSecret,
    /// Index of the slot in its file.
    pub index: u32,
}

impl Wrapping<'_> {
    fn format(&self) -> WrapFormat {
        match self.under {
            Under::House(_) => WrapFormat::House,
            Under::Workspace(_) => WrapFormat::Workspace,
        }
    }

    fn cipher(&self, context: &Context) -> Result<Aes256Gcm, RewrapError> {
        let (Under::House(key) | Under::Workspace(key)) = self.under;
        let info = wrap_info(self.format(), context, self.index);
        let key = key.derive(self.slot.expose(), context.install, &info)?;
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
                &wrap_aad(self.format(), context, self.index),
                InOutBuf::from(&mut data_key.expose_mut()[..]),
            )
            .expect("32 bytes are below the cipher's limit");
        scrub_stack();
        let bytes =
            [&self.format().magic()[..], &self.index.to_be_bytes(), &nonce, data_key.expose(), &tag].concat();
        Ok(WrappedDataKey::from_bytes(&bytes).expect("magic and length are ours"))
    }

    fn unwrap(
        &self,
        context: &Context,
        wrapped: &WrappedDataKey,
    ) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        let bytes = wrapped.as_bytes();
        if wrapped.format() != self.format() || bytes[SLOT_AT..NONCE_AT] != self.index.to_be_bytes() {
            return Err(RewrapError::Unopenable);
        }
        let nonce = array::<NONCE_BYTES>(&bytes[NONCE_AT..CIPHERTEXT_AT]);
        let tag = array::<TAG_BYTES>(&bytes[CIPHERTEXT_AT + KEY_BYTES..]);
        let mut data_key = LockedBox::zeroed()?;
        data_key.expose_mut().copy_from_slice(&bytes[CIPHERTEXT_AT..CIPHERTEXT_AT + KEY_BYTES]);
        let opened = self.cipher(context)?.decrypt_inout_detached(
            &Nonce::from(nonce),
            &wrap_aad(self.format(), context, self.index),
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
    let data_key = keeper.private()?.open(ciphertext, &info, &context.as_bytes(), LockedBox::zeroed()?)?;
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
