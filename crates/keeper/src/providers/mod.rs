//! Who keeps the root key: one trait for a file, a passphrase, a system credential and whatever else can wrap a key.
//!
//! The key file (`ring.rs`) holds, per enrolled provider, the root key as that provider wrapped it. Any one of them is
//! enough to open; changing the provider is one re-wrap, and nothing below the root key notices. A provider knows
//! nothing of epochs, workspaces and records.

mod credential;
mod file;
mod held;
mod outside;
mod passphrase;
mod places;
mod secret_file;
pub mod tpm;
pub mod transit;

use keyhold_domain::InstallId;
use keyhold_os::secret::{LockedBox, SecretError};
use keyhold_seal::EntropySource;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{WRAPPED_KEY_BYTES, WrappedKey};

use crate::files::FilesError;

pub use credential::{CREDENTIAL, CredentialProvider};
pub use file::{FileProvider, ROOT_FILE};
pub use held::HeldProvider;
pub use outside::{Fetched, Missing, fetch};
pub use passphrase::{Cost, MAX_PASSPHRASE, MIN_PASSPHRASE, PassphraseProvider};
pub use places::Places;

/// Which provider an enrollment is of. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 32 bytes in a file of the keeper's folder.
    File,
    /// A passphrase that somebody types.
    Passphrase,
    /// 32 bytes that the service manager hands over.
    SystemCredential,
    /// A token behind a PKCS#11 module.
    Pkcs11,
    /// The machine's TPM.
    Tpm2,
    /// A transit key of Vault or OpenBao.
    Transit,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::File, Self::Passphrase, Self::SystemCredential, Self::Pkcs11, Self::Tpm2, Self::Transit];

    /// Its byte in the key file.
    pub const fn code(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Passphrase => 2,
            Self::SystemCredential => 3,
            Self::Pkcs11 => 4,
            Self::Tpm2 => 5,
            Self::Transit => 6,
        }
    }

    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word for commands, status and the audit file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::SystemCredential => "system-credential",
            Self::Pkcs11 => "pkcs11",
            Self::Tpm2 => "tpm2",
            Self::Transit => "transit",
        }
    }
}

/// The root key as one provider wrapped it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// Of which kind.
    pub kind: Kind,
    /// Which of that kind: a file's name, a token's label. At most 255 bytes.
    pub name: String,
    /// What the provider made.
    pub blob: Vec<u8>,
}

/// Why a provider did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The blob does not open: wrong passphrase, other key, or changed.
    #[error("the root key does not open with this provider")]
    Unopenable,
    /// No random bytes, or no memory for secrets.
    #[error(transparent)]
    Rewrap(RewrapError),
    /// A transit key.
    #[error(transparent)]
    Transit(#[from] transit::TransitError),
    /// A TPM.
    #[error(transparent)]
    Tpm(#[from] tpm::TpmError),
    /// It cannot be reached or used here.
    #[error("the provider {provider} cannot be used: {reason}")]
    Unavailable {
        /// Which.
        provider: &'static str,
        /// Why, without values.
        reason: String,
    },
}

impl From<RewrapError> for ProviderError {
    fn from(error: RewrapError) -> Self {
        match error {
            RewrapError::Unopenable => Self::Unopenable,
            other => Self::Rewrap(other),
        }
    }
}

impl From<SecretError> for ProviderError {
    fn from(error: SecretError) -> Self {
        Self::Rewrap(RewrapError::Memory(error))
    }
}

/// Wraps and unwraps the root key.
pub trait RootProvider {
    /// Of which kind.
    fn kind(&self) -> Kind;

    /// Which of that kind.
    fn id(&self) -> String;

    /// Wraps the root key into a blob that only this provider opens.
    ///
    /// # Errors
    /// [`ProviderError`].
    fn wrap(
        &mut self,
        root: LockedBox<32>,
        install: InstallId,
        entropy: &mut dyn EntropySource,
    ) -> Result<Vec<u8>, ProviderError>;

    /// Opens a blob of [`wrap`](Self::wrap).
    ///
    /// # Errors
    /// [`ProviderError`].
    fn unwrap(&mut self, blob: &[u8], install: InstallId) -> Result<LockedBox<32>, ProviderError>;

    /// Whether it could do its part now, without touching the root key.
    ///
    /// # Errors
    /// [`ProviderError`] says what is missing.
    fn health(&mut self) -> Result<(), ProviderError>;

    /// Wraps and names the result.
    ///
    /// # Errors
    /// [`ProviderError`].
    fn enroll(
        &mut self,
        root: LockedBox<32>,
        install: InstallId,
        entropy: &mut dyn EntropySource,
    ) -> Result<Enrollment, ProviderError> {
        Ok(Enrollment { kind: self.kind(), name: self.id(), blob: self.wrap(root, install, entropy)? })
    }

    /// Whether an enrollment is of this very provider.
    fn made(&self, enrollment: &Enrollment) -> Made {
        if enrollment.kind == self.kind() && enrollment.name == self.id() {
            Made::Here
        } else {
            Made::Elsewhere
        }
    }
}

/// Whether an enrollment is of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is.
    Here,
    /// It is not.
    Elsewhere,
}

/// A blob that ends in a wrapped key: what is before it, and the key.
fn split(blob: &[u8], parameters: usize) -> Result<(&[u8], WrappedKey), ProviderError> {
    let (parameters, wrapped) = blob.split_at_checked(parameters).ok_or(ProviderError::Unopenable)?;
    let wrapped: [u8; WRAPPED_KEY_BYTES] = wrapped.try_into().map_err(|_length| ProviderError::Unopenable)?;
    Ok((parameters, WrappedKey(wrapped)))
}
