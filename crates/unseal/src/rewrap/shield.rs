//! How long-lived keys rest in memory: encrypted under a key that is computed from 16 KiB of random bytes each time.
//!
//! Whoever reads memory imperfectly (a side channel that leaks some bits, a partial copy of a page) would need every bit
//! of the 16 KiB at once, since one wrong bit gives another key. The idea is OpenSSH's `sshkey_shield_private`. The
//! pre-key itself lies in secret memory; a key is in clear only for the time of one operation. Whoever can read all
//! of the process's memory exactly, secret memory included, is not stopped by this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use keyhold_os::secret::{LockedBox, MemoryProtection};
use keyhold_seal::EntropySource;
use keyhold_seal::schedule::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use sha2::{Digest as _, Sha256};

use crate::error::RewrapError;
use crate::hpke_open::scrub_stack;

/// Length of the pre-key in bytes, as in OpenSSH.
pub const PREKEY_BYTES: usize = 16 * 1024;

/// The pre-key of a process.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct Shield {
    prekey: LockedBox<PREKEY_BYTES>,
    /// The next nonce: never used twice under one pre-key, which lives no longer than the process.
    next: AtomicU64,
}

impl Shield {
    /// Draws the pre-key.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn new(entropy: &mut impl EntropySource) -> Result<Arc<Self>, RewrapError> {
        let mut prekey = LockedBox::zeroed()?;
        entropy.fill(prekey.expose_mut()).map_err(|_unavailable| RewrapError::Entropy)?;
        Ok(Arc::new(Self { prekey, next: AtomicU64::new(0) }))
    }

    /// How the pre-key's memory is protected.
    pub fn protection(&self) -> MemoryProtection {
        self.prekey.protection()
    }

    /// AES-256-GCM under SHA-256 of label and pre-key.
    fn cipher(&self) -> Result<Aes256Gcm, RewrapError> {
        let mut key = LockedBox::<KEY_BYTES>::zeroed()?;
        let mut hash = Sha256::new();
        hash.update(b"keyhold/shield/v1");
        hash.update(self.prekey.expose());
        hash.finalize_into(key.expose_mut().into());
        let cipher = Aes256Gcm::new(key.expose().into());
        scrub_stack();
        Ok(cipher)
    }
}

/// A key at rest in memory.
#[allow(missing_debug_implementations, reason = "a key")]
pub(crate) struct Shielded {
    shield: Arc<Shield>,
    nonce: [u8; NONCE_BYTES],
    ciphertext: [u8; KEY_BYTES],
    tag: [u8; TAG_BYTES],
}

impl Shielded {
    /// Puts a key away; its clear bytes are wiped.
    pub(crate) fn new(shield: &Arc<Shield>, mut key: LockedBox<KEY_BYTES>) -> Result<Self, RewrapError> {
        let mut nonce = [0; NONCE_BYTES];
        nonce[4..].copy_from_slice(&shield.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let tag = shield
            .cipher()?
            .encrypt_inout_detached(&Nonce::from(nonce), &[], InOutBuf::from(&mut key.expose_mut()[..]))
            .expect("32 bytes are below the cipher's limit");
        scrub_stack();
        Ok(Self { shield: Arc::clone(shield), nonce, ciphertext: *key.expose(), tag: tag.into() })
    }

    /// The key, for one operation.
    pub(crate) fn open(&self) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        let mut key = LockedBox::zeroed()?;
        key.expose_mut().copy_from_slice(&self.ciphertext);
        let opened = self.shield.cipher()?.decrypt_inout_detached(
            &Nonce::from(self.nonce),
            &[],
            InOutBuf::from(&mut key.expose_mut()[..]),
            &Tag::from(self.tag),
        );
        scrub_stack();
        opened.map_err(|_damaged| RewrapError::Damaged)?;
        Ok(key)
    }

    pub(crate) fn shield(&self) -> &Arc<Shield> {
        &self.shield
    }
}
