//! The keeper's hierarchy: root key, one key per epoch, one key per workspace, and the house key beside those.
//!
//! ```text
//! provider ─▶ root key ─▶ epoch key (one per epoch) ─▶ workspace key ── with the slot ─▶ wrapping key of a data key
//!                                                   └▶ house key     ── seal key pair, record table, audit signature
//! ```
//!
//! A key is wrapped with AES-256-GCM under a key derived from the one above it; what it is for is associated data, so
//! a wrapped key moved to another workspace, epoch or installation does not open. Which of them exist, and in which
//! file, is the keeper's business. Every label is listed in `docs/formats/envelope.md`, section 9.

use std::sync::Arc;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, Mac as _};
use keyhold_domain::{InstallId, WorkspaceId};
use keyhold_os::secret::{LockedBox, SecretError};
use keyhold_seal::EntropySource;
use keyhold_seal::schedule::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use sha2::Sha256;

use super::shield::{Shield, Shielded};
use crate::error::RewrapError;
use crate::hpke_open::scrub_stack;

/// Length of a wrapped key in bytes: nonce 12, ciphertext 32, tag 16.
pub const WRAPPED_KEY_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A key of the hierarchy, encrypted under the one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey(pub [u8; WRAPPED_KEY_BYTES]);

/// HKDF-SHA256 over `parts` (concatenated), salted with the installation's id.
pub(crate) fn derive(
    parts: &[&[u8]],
    install: InstallId,
    info: &[u8],
) -> Result<LockedBox<KEY_BYTES>, SecretError> {
    let mut derived = LockedBox::zeroed()?;
    let mut extract = HkdfExtract::<Sha256>::new(Some(&install.to_bytes()));
    for part in parts {
        extract.input_ikm(part);
    }
    let (mut extracted, hkdf): (_, Hkdf<Sha256>) = extract.finalize();
    zeroize::Zeroize::zeroize(extracted.as_mut_slice());
    hkdf.expand(info, derived.expose_mut()).expect("32 bytes are below HKDF's limit of 8160");
    drop(hkdf);
    scrub_stack();
    Ok(derived)
}

/// Encrypts a key in place.
pub(crate) fn encrypt_key(
    under: &LockedBox<KEY_BYTES>,
    aad: &[u8],
    mut key: LockedBox<KEY_BYTES>,
    entropy: &mut impl EntropySource,
) -> Result<WrappedKey, RewrapError> {
    let mut nonce = [0u8; NONCE_BYTES];
    entropy.fill(&mut nonce).map_err(|_unavailable| RewrapError::Entropy)?;
    let tag = Aes256Gcm::new(under.expose().into())
        .encrypt_inout_detached(&Nonce::from(nonce), aad, InOutBuf::from(&mut key.expose_mut()[..]))
        .expect("32 bytes are below the cipher's limit");
    scrub_stack();
    let mut bytes = [0; WRAPPED_KEY_BYTES];
    bytes[..NONCE_BYTES].copy_from_slice(&nonce);
    bytes[NONCE_BYTES..NONCE_BYTES + KEY_BYTES].copy_from_slice(key.expose());
    bytes[NONCE_BYTES + KEY_BYTES..].copy_from_slice(&tag);
    Ok(WrappedKey(bytes))
}

/// The reverse of [`encrypt_key`].
pub(crate) fn decrypt_key(
    under: &LockedBox<KEY_BYTES>,
    aad: &[u8],
    wrapped: &WrappedKey,
) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
    let (nonce, rest) = wrapped.0.split_at(NONCE_BYTES);
    let (ciphertext, tag) = rest.split_at(KEY_BYTES);
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("12 bytes");
    let tag: [u8; TAG_BYTES] = tag.try_into().expect("16 bytes");
    let mut key = LockedBox::zeroed()?;
    key.expose_mut().copy_from_slice(ciphertext);
    let opened = Aes256Gcm::new(under.expose().into()).decrypt_inout_detached(
        &Nonce::from(nonce),
        aad,
        InOutBuf::from(&mut key.expose_mut()[..]),
        &Tag::from(tag),
    );
    scrub_stack();
    opened.map_err(|_why| RewrapError::Unopenable)?;
    Ok(key)
}

fn hmac(
    key: &LockedBox<KEY_BYTES>,
    install: InstallId,
    label: &[u8],
    data: &[u8],
) -> Result<[u8; 32], RewrapError> {
    let key = derive(&[key.expose()], install, label)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(data);
    Ok(mac.finalize().into_bytes().into())
}

/// Draws 32 random bytes.
fn drawn(entropy: &mut impl EntropySource) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
    let mut key = LockedBox::zeroed()?;
    entropy.fill(key.expose_mut()).map_err(|_unavailable| RewrapError::Entropy)?;
    Ok(key)
}

/// The root key: what a provider keeps. It opens epoch keys and recognizes the key file, nothing else.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct RootKey(Shielded);

impl RootKey {
    /// Takes the key over; from here on it rests shielded.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn new(shield: &Arc<Shield>, key: LockedBox<KEY_BYTES>) -> Result<Self, RewrapError> {
        Shielded::new(shield, key).map(Self)
    }

    /// Draws one.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn draw(shield: &Arc<Shield>, entropy: &mut impl EntropySource) -> Result<Self, RewrapError> {
        Self::new(shield, drawn(entropy)?)
    }

    /// The key in clear, for a provider to wrap.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn open(&self) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        self.0.open()
    }

    /// HMAC-SHA256 under a key derived for `label`: lets the keeper recognize its key file.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn authenticate(
        &self,
        install: InstallId,
        label: &[u8],
        data: &[u8],
    ) -> Result<[u8; 32], RewrapError> {
        hmac(&self.0.open()?, install, label, data)
    }

    fn above(&self, install: InstallId, epoch: u32) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        let info = [&b"keyhold/epoch-wrap/v1"[..], &epoch.to_be_bytes()].concat();
        Ok(derive(&[self.0.open()?.expose()], install, &info)?)
    }

    /// Wraps an epoch key.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn wrap(
        &self,
        install: InstallId,
        epoch: &EpochKey,
        entropy: &mut impl EntropySource,
    ) -> Result<WrappedKey, RewrapError> {
        let above = self.above(install, epoch.epoch)?;
        encrypt_key(&above, &epoch_aad(install, epoch.epoch), epoch.key.open()?, entropy)
    }

    /// Opens the key of an epoch.
    ///
    /// # Errors
    /// [`RewrapError::Unopenable`] unless it is that epoch's key of this installation, wrapped by this root key.
    pub fn unwrap(
        &self,
        install: InstallId,
        epoch: u32,
        wrapped: &WrappedKey,
    ) -> Result<EpochKey, RewrapError> {
        let key = decrypt_key(&self.above(install, epoch)?, &epoch_aad(install, epoch), wrapped)?;
        Ok(EpochKey { epoch, key: Shielded::new(self.0.shield(), key)? })
    }
}

/// `"KHK1" || install 16 || epoch u32`.
fn epoch_aad(install: InstallId, epoch: u32) -> Vec<u8> {
    [&b"KHK1"[..], &install.to_bytes(), &epoch.to_be_bytes()].concat()
}

/// To whom a key under an epoch key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// The keeper itself.
    House,
    /// A workspace.
    Workspace(WorkspaceId),
}

impl Member {
    /// Byte that names the kind: 1 house, 2 workspace.
    pub const fn kind(self) -> u8 {
        match self {
            Self::House => 1,
            Self::Workspace(_) => 2,
        }
    }

    /// The workspace's id; zeros for the house.
    pub fn id(self) -> [u8; 16] {
        match self {
            Self::House => [0; 16],
            Self::Workspace(id) => id.to_bytes(),
        }
    }
}

/// The key of one epoch: what the keys of workspaces are wrapped under until the next rotation.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct EpochKey {
    epoch: u32,
    key: Shielded,
}

impl EpochKey {
    /// Draws the key of an epoch.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn draw(
        shield: &Arc<Shield>,
        epoch: u32,
        entropy: &mut impl EntropySource,
    ) -> Result<Self, RewrapError> {
        Ok(Self { epoch, key: Shielded::new(shield, drawn(entropy)?)? })
    }

    /// Takes the key of an epoch over; for test vectors.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn new(shield: &Arc<Shield>, epoch: u32, key: LockedBox<KEY_BYTES>) -> Result<Self, RewrapError> {
        Ok(Self { epoch, key: Shielded::new(shield, key)? })
    }

    /// Its number.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    fn above(&self, install: InstallId) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        let info = [&b"keyhold/member-wrap/v1"[..], &self.epoch.to_be_bytes()].concat();
        Ok(derive(&[self.key.open()?.expose()], install, &info)?)
    }

    /// `"KHT1" || install 16 || epoch u32 || kind u8 || workspace 16`.
    fn aad(&self, install: InstallId, member: Member) -> Vec<u8> {
        let epoch = self.epoch.to_be_bytes();
        [&b"KHT1"[..], &install.to_bytes(), &epoch, &[member.kind()], &member.id()].concat()
    }

    /// Wraps the key of a workspace, or the house key.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn wrap(
        &self,
        install: InstallId,
        member: Member,
        key: &MemberKey,
        entropy: &mut impl EntropySource,
    ) -> Result<WrappedKey, RewrapError> {
        encrypt_key(&self.above(install)?, &self.aad(install, member), key.0.open()?, entropy)
    }

    /// Opens the key of a workspace, or the house key.
    ///
    /// # Errors
    /// [`RewrapError::Unopenable`] unless it is that member's key, of this installation and epoch.
    pub fn unwrap(
        &self,
        install: InstallId,
        member: Member,
        wrapped: &WrappedKey,
    ) -> Result<MemberKey, RewrapError> {
        let key = decrypt_key(&self.above(install)?, &self.aad(install, member), wrapped)?;
        Shielded::new(self.key.shield(), key).map(MemberKey)
    }
}

/// The key of a workspace, or the house key.
#[allow(missing_debug_implementations, reason = "a key")]
pub struct MemberKey(Shielded);

impl MemberKey {
    /// Takes the key over.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn new(shield: &Arc<Shield>, key: LockedBox<KEY_BYTES>) -> Result<Self, RewrapError> {
        Shielded::new(shield, key).map(Self)
    }

    /// Draws one.
    ///
    /// # Errors
    /// [`RewrapError::Entropy`], [`RewrapError::Memory`].
    pub fn draw(shield: &Arc<Shield>, entropy: &mut impl EntropySource) -> Result<Self, RewrapError> {
        Self::new(shield, drawn(entropy)?)
    }

    /// HKDF-SHA256 over this key and `seed` (concatenated), salted with the installation's id.
    pub(crate) fn derive(
        &self,
        seed: &[u8],
        install: InstallId,
        info: &[u8],
    ) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        Ok(derive(&[self.0.open()?.expose(), seed], install, info)?)
    }

    /// HMAC-SHA256 under a key derived for `label`: lets the keeper recognize its own files.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn authenticate(
        &self,
        install: InstallId,
        label: &[u8],
        data: &[u8],
    ) -> Result<[u8; 32], RewrapError> {
        hmac(&self.0.open()?, install, label, data)
    }

    /// The seed of the key pair that signs the audit file.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn audit_seed(&self, install: InstallId) -> Result<LockedBox<KEY_BYTES>, RewrapError> {
        self.derive(&[], install, b"keyhold/audit-sign/v1")
    }

    pub(crate) fn shield(&self) -> &Arc<Shield> {
        self.0.shield()
    }
}
