//! The root key under a passphrase that somebody types: nothing on the machine opens anything by itself.
//!
//! Argon2id (RFC 9106) with 256 MiB and four passes makes a guess cost about a second and that memory; cost and salt
//! stand in the blob, so that they can be raised by enrolling anew. That guesses against a running keeper come slowly is
//! `sealing.rs`'s work.

use argon2::{Algorithm, Argon2, Params, Version};
use keyhold_domain::InstallId;
use keyhold_os::secret::{LockedBox, SecretBytes};
use keyhold_seal::EntropySource;
use keyhold_unseal::RewrapError;
use keyhold_unseal::rewrap::{unwrap_root, wrap_root};

use super::{Kind, ProviderError, RootProvider, split};

/// Memory u32 in KiB, passes u32, lanes u32, salt 16.
const PARAMETER_BYTES: usize = 28;
/// Longest passphrase in bytes.
pub const MAX_PASSPHRASE: usize = 1024;
/// Shortest passphrase in characters when one is chosen.
pub const MIN_PASSPHRASE: usize = 12;

/// How much a guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// 256 MiB, four passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 256 * 1024, passes: 4, lanes: 1 };
    /// No blob may ask for more than this, so that a changed one cannot exhaust the machine.
    const MOST: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 8 };
}

/// A passphrase, at a cost for new blobs.
#[allow(missing_debug_implementations, reason = "holds a passphrase")]
pub struct PassphraseProvider {
    passphrase: SecretBytes,
    cost: Cost,
}

impl PassphraseProvider {
    /// Takes the passphrase over.
    pub fn new(passphrase: SecretBytes) -> Self {
        Self::with_cost(passphrase, Cost::STANDARD)
    }

    /// The same with another cost for new blobs; those that exist say theirs themselves.
    pub fn with_cost(passphrase: SecretBytes, cost: Cost) -> Self {
        Self { passphrase, cost }
    }

    fn stretch(&self, cost: Cost, salt: &[u8]) -> Result<LockedBox<32>, ProviderError> {
        let unusable = |_out_of_range| ProviderError::Unopenable;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(unusable)?;
        let mut secret = LockedBox::<32>::zeroed()?;
        // The working memory is wiped by the library (feature `zeroize`) and by the program's allocator.
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.passphrase.expose(), salt, secret.expose_mut())
            .map_err(unusable)?;
        Ok(secret)
    }
}

impl RootProvider for PassphraseProvider {
    fn kind(&self) -> Kind {
        Kind::Passphrase
    }

    fn id(&self) -> String {
        "passphrase".to_owned()
    }

    fn wrap(
        &mut self,
        root: LockedBox<32>,
        install: InstallId,
        mut entropy: &mut dyn EntropySource,
    ) -> Result<Vec<u8>, ProviderError> {
        let mut parameters = Vec::with_capacity(PARAMETER_BYTES);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            parameters.extend_from_slice(&number.to_be_bytes());
        }
        let mut salt = [0u8; 16];
        entropy.fill(&mut salt).map_err(|_unavailable| RewrapError::Entropy)?;
        parameters.extend_from_slice(&salt);
        let secret = self.stretch(self.cost, &salt)?;
        let wrapped = wrap_root(&secret, install, self.kind().code(), &parameters, root, &mut entropy)?;
        parameters.extend_from_slice(&wrapped.0);
        Ok(parameters)
    }

    fn unwrap(&mut self, blob: &[u8], install: InstallId) -> Result<LockedBox<32>, ProviderError> {
        let (parameters, wrapped) = split(blob, PARAMETER_BYTES)?;
        let number = |at: usize| {
            u32::from_be_bytes(parameters[at..at + 4].try_into().expect("the length was checked"))
        };
        let cost = Cost { memory_kib: number(0), passes: number(4), lanes: number(8) };
        let most = Cost::MOST;
        if cost.memory_kib > most.memory_kib || cost.passes > most.passes || cost.lanes > most.lanes {
            return Err(ProviderError::Unopenable);
        }
        let secret = self.stretch(cost, &parameters[12..])?;
        Ok(unwrap_root(&secret, install, self.kind().code(), parameters, &wrapped)?)
    }

    fn health(&mut self) -> Result<(), ProviderError> {
        Ok(())
    }
}
