//! Signatures over the chain: who has the key can say how far it had come, and nobody else can.
//!
//! Ed25519 (RFC 8032). The key pair is derived from the house key; its public half is printed by `keyhold-keeper
//! status` and `audit key`, and is all a verifier needs. It outlives rotations and new root keys.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use keyhold_domain::InstallId;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::MemberKey;

use super::chain::hex;

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The installation.
    pub install: InstallId,
    /// Lines covered: all before the one that carries the signature.
    pub entries: u64,
    /// Hash of the last of these.
    pub last: [u8; 32],
    /// Generation of the record table.
    pub generation: u64,
    /// Generation of the key file.
    pub keys_generation: u64,
}

impl Statement {
    /// `"keyhold/audit-anchor/v1" || install 16 || entries u64 || hash 32 || generation u64 || keys' generation u64`.
    fn bytes(&self) -> Vec<u8> {
        [
            &b"keyhold/audit-anchor/v1"[..],
            &self.install.to_bytes(),
            &self.entries.to_be_bytes(),
            &self.last,
            &self.generation.to_be_bytes(),
            &self.keys_generation.to_be_bytes(),
        ]
        .concat()
    }
}

/// The private half, for the time of one signature.
#[allow(missing_debug_implementations, reason = "a private key")]
pub struct SegmentKey {
    key: SigningKey,
    install: InstallId,
}

impl SegmentKey {
    /// Derives the key pair from the house key.
    ///
    /// # Errors
    /// [`RewrapError::Memory`].
    pub fn derive(house: &MemberKey, install: InstallId) -> Result<Self, RewrapError> {
        let seed = house.audit_seed(install)?;
        Ok(Self { key: SigningKey::from_bytes(seed.expose()), install })
    }

    /// The installation it signs for.
    pub fn install(&self) -> InstallId {
        self.install
    }

    /// The public half.
    pub fn public(&self) -> PublicSegmentKey {
        PublicSegmentKey(self.key.verifying_key())
    }

    /// Signs.
    pub fn sign(&self, statement: &Statement) -> [u8; 64] {
        self.key.sign(&statement.bytes()).to_bytes()
    }
}

/// The public half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicSegmentKey(VerifyingKey);

/// The text is not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an Ed25519 public key of 64 hexadecimal digits")]
pub struct PublicKeyError;

impl PublicSegmentKey {
    /// 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// Whether the signature is over the statement. Strict: no malleable or small-order forms.
    pub fn verify(&self, statement: &Statement, signature: &str) -> Result<(), SignatureError> {
        let bytes = unhex::<64>(signature).ok_or(SignatureError)?;
        let verified = self.0.verify_strict(&statement.bytes(), &Signature::from_bytes(&bytes));
        verified.map_err(|_why| SignatureError)
    }
}

impl std::str::FromStr for PublicSegmentKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let bytes = unhex::<32>(text).ok_or(PublicKeyError)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_not_a_point| PublicKeyError)
    }
}

/// The signature is not over the statement, or not by this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold")]
pub struct SignatureError;

/// The bytes of `2 * N` lower-case hexadecimal digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
