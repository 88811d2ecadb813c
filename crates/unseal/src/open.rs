//! The bot's side: one key pair per process, one data key, one credential. Named only in the bot.
//!
//! Every failure is [`Unopenable`]. The credential's plaintext is written by the cipher straight into locked memory.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use keyhold_domain::BotId;
use keyhold_os::secret::{LockedBox, SecretBytes};
use keyhold_seal::schedule::{KEY_BYTES, NONCE_BYTES, TAG_BYTES, envelope_keys, lease_info};
use keyhold_seal::{BotPublicKey, Context, EntropySource, Envelope, LeaseAnswer};
use subtle::ConstantTimeEq as _;

use crate::credential::Credential;
use crate::error::Unopenable;
use crate::hpke_open::{PrivateKey, scrub_stack};

/// The key pair of one bot process. Made after hardening, used for one lease, gone with the process.
#[allow(missing_debug_implementations, reason = "a private key")]
pub struct EphemeralKey {
    private: PrivateKey,
    public: BotPublicKey,
}

impl EphemeralKey {
    /// Draws a key pair.
    ///
    /// # Errors
    /// [`Unopenable`] when there is no entropy or no locked memory: then nothing can be opened here.
    pub fn generate(entropy: &mut impl EntropySource) -> Result<Self, Unopenable> {
        let mut material = LockedBox::zeroed().map_err(|_no_memory| Unopenable)?;
        entropy.fill(material.expose_mut()).map_err(|_unavailable| Unopenable)?;
        let private = PrivateKey::derive(material);
        let public = BotPublicKey::from_bytes(&private.public()).map_err(|_never| Unopenable)?;
        Ok(Self { private, public })
    }

    /// What the keeper is to seal the answer to.
    pub fn public(&self) -> &BotPublicKey {
        &self.public
    }

    /// Opens the keeper's answer. Consumes the key pair: one process, one lease.
    ///
    /// # Errors
    /// [`Unopenable`].
    pub fn open_lease(
        self,
        answer: &LeaseAnswer,
        context: &Context,
        bot: BotId,
        lease: [u8; 16],
    ) -> Result<DataKey, Unopenable> {
        let info = lease_info(context.install, bot, lease);
        let room = LockedBox::zeroed().map_err(|_no_memory| Unopenable)?;
        let sealed = &answer.as_bytes()[LeaseAnswer::MAGIC.len()..];
        self.private.open(sealed, &info, &context.as_bytes(), room).map(DataKey)
    }
}

/// The data key of one envelope, in locked memory.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct DataKey(LockedBox<KEY_BYTES>);

impl DataKey {
    /// Opens the envelope. `expected` comes from the bot's own assignment, not from the envelope.
    ///
    /// # Errors
    /// [`Unopenable`] when context, commitment, tag or layout is not exactly right.
    pub fn open(self, envelope: &Envelope, expected: &Context) -> Result<Credential, Unopenable> {
        let keys = envelope_keys(self.0.expose(), expected);
        let committed = keys.commitment.ct_eq(envelope.commitment());
        if envelope.context() != expected || !bool::from(committed) {
            return Err(Unopenable);
        }
        let nonce: [u8; NONCE_BYTES] = envelope.nonce().try_into().map_err(|_never| Unopenable)?;
        let tag: [u8; TAG_BYTES] = envelope.tag().try_into().map_err(|_never| Unopenable)?;
        let ciphertext = envelope.ciphertext();
        let padded = SecretBytes::fill_with(ciphertext.len(), |room| {
            room.copy_from_slice(ciphertext);
            Aes256Gcm::new((&*keys.key).into())
                .decrypt_inout_detached(
                    &Nonce::from(nonce),
                    &expected.as_bytes(),
                    InOutBuf::from(&mut *room),
                    &Tag::from(tag),
                )
                .map_err(|_why| Unopenable)?;
            Ok::<usize, Unopenable>(ciphertext.len())
        });
        drop(keys);
        scrub_stack();
        Credential::from_padded(padded.map_err(|_why| Unopenable)?)
    }
}
