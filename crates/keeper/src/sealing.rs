//! Opening the keys: which providers are at hand, trying them, and how slowly guesses are taken.
//!
//! A file provider, a system credential, a transit key and a TPM open the keys at a start without anybody. A passphrase is typed (`unseal`),
//! and so is nothing but the operator's word after somebody sealed the keeper or asked for a canary. What the guesses are
//! recorded with is the keeper's business; this only counts and opens.

use std::time::Duration;

use keyhold_domain::InstallId;
use keyhold_os::secret::SecretBytes;
use keyhold_protocol::keeper::{Passphrase, ProviderHealth, ProviderState};
use keyhold_seal::EntropySource;

use crate::entropy::random;
use crate::files::{FilesError, StateDir};
use crate::providers::{
    CREDENTIAL, CredentialProvider, Enrollment, Fetched, FileProvider, HeldProvider, Kind, MAX_PASSPHRASE,
    Made, PassphraseProvider, ProviderError, ROOT_FILE, RootProvider,
};
use crate::ring::{KeysError, Locked, Ring};
use crate::vault::{Reached, Rollback, Vault, VaultError, open_by_files, upgrade};

/// Longest wait after a wrong guess.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Why the keys were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedBy {
    /// The operator said so.
    Operator,
}

impl SealedBy {
    /// The word for the audit file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
        }
    }
}

/// Wrong guesses, and when the next is looked at: after the n-th, 2^n seconds later, at most five minutes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guesses {
    failed: u32,
    not_before: Duration,
}

impl Guesses {
    /// Goes on from what the audit file says, so that a restart gives no new tries.
    pub fn after(failed: u32, now: Duration) -> Self {
        let mut guesses = Self { failed, not_before: now };
        if failed > 0 {
            guesses.not_before = now + guesses.pause();
        }
        guesses
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(1 << self.failed.min(16)).min(LONGEST_WAIT)
    }

    /// How long until the next guess is looked at.
    pub fn wait(&self, now: Duration) -> Duration {
        self.not_before.saturating_sub(now)
    }

    /// One more.
    pub fn failed(&mut self, now: Duration) {
        self.failed = self.failed.saturating_add(1);
        self.not_before = now + self.pause();
    }

    /// Starts anew.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// Why the keys did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No provider at hand opened them.
    #[error("no provider opened the keys")]
    Closed,
    /// They opened, but the vault cannot be used.
    #[error(transparent)]
    Vault(VaultError),
}

impl From<KeysError> for OpenError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Provider(ProviderError::Unopenable) => Self::Closed,
            other => Self::Vault(other.into()),
        }
    }
}

impl From<VaultError> for OpenError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Keys(KeysError::Provider(ProviderError::Unopenable)) => Self::Closed,
            other => Self::Vault(other),
        }
    }
}

/// The folder and the providers at hand.
#[allow(missing_debug_implementations, reason = "may hold a key")]
pub struct Opener {
    dir: StateDir,
    credential: Option<CredentialProvider>,
    fetched: Fetched,
    boot: Option<String>,
}

impl Opener {
    /// With file providers only.
    pub fn new(dir: &StateDir) -> Self {
        Self { dir: dir.clone(), credential: None, fetched: Fetched::default(), boot: None }
    }

    /// With a credential of the service manager.
    #[must_use]
    pub fn with_credential(self, credential: Option<CredentialProvider>) -> Self {
        Self { credential, ..self }
    }

    /// With what transit servers and TPMs gave.
    #[must_use]
    pub fn with_fetched(self, fetched: Fetched) -> Self {
        Self { fetched, ..self }
    }

    /// With the id of the machine's boot, for leases that outlive the keeper.
    #[must_use]
    pub fn with_boot(self, boot: Option<String>) -> Self {
        Self { boot, ..self }
    }

    /// The id of the machine's boot.
    pub fn boot(&self) -> Option<&str> {
        self.boot.as_deref()
    }

    /// The installation, as the key file says; not proven before it is open.
    pub fn install(&self) -> InstallId {
        let locked = Locked::read(&self.dir).ok().flatten();
        locked.map_or(InstallId::from_u128(0), |locked| locked.install())
    }

    /// Kinds of the enrolled providers, as the key file says.
    pub fn providers(&self) -> Vec<String> {
        let locked = Locked::read(&self.dir).ok().flatten();
        let kinds = |locked: Locked| -> Vec<String> {
            locked.providers().iter().map(|one| one.kind.as_str().to_owned()).collect()
        };
        locked.map_or_else(Vec::new, kinds)
    }

    /// Which of the enrolled providers could open the keys now.
    pub fn health(&self) -> Vec<ProviderHealth> {
        let locked = Locked::read(&self.dir).ok().flatten();
        locked.map_or_else(Vec::new, |locked| {
            locked.providers().iter().map(|one| self.health_of(one)).collect()
        })
    }

    fn health_of(&self, one: &Enrollment) -> ProviderHealth {
        let (state, reason) = match one.kind {
            Kind::Passphrase => (ProviderState::Typed, String::new()),
            Kind::File if self.dir.file(&one.name).is_file() => (ProviderState::Ready, String::new()),
            Kind::File => (ProviderState::Unavailable, "its file is not in the keeper's folder".to_owned()),
            Kind::SystemCredential if self.credential.is_some() => (ProviderState::Ready, String::new()),
            Kind::SystemCredential => {
                (ProviderState::Unavailable, format!("the service manager gave no credential `{CREDENTIAL}`"))
            }
            Kind::Tpm2 | Kind::Transit
                if self.fetched.held.iter().any(|held| held.made(one) == Made::Here) =>
            {
                (ProviderState::Ready, String::new())
            }
            Kind::Tpm2 | Kind::Transit | Kind::Pkcs11 => {
                let mut missing = self.fetched.missing.iter();
                let said = missing.find(|missing| missing.kind == one.kind && missing.name == one.name);
                let reason = said.map_or_else(|| "not asked".to_owned(), |missing| missing.error.to_string());
                (ProviderState::Unavailable, reason)
            }
        };
        ProviderHealth { kind: one.kind.as_str().to_owned(), name: one.name.clone(), state, reason }
    }

    /// What is missing and what to do about it, in one line.
    pub fn missing(&self) -> String {
        let lacking = |one: ProviderHealth| match one.state {
            ProviderState::Unavailable => Some(format!("{} {}: {}", one.kind, one.name, one.reason)),
            ProviderState::Ready | ProviderState::Typed => None,
        };
        self.health().into_iter().filter_map(lacking).collect::<Vec<_>>().join("; ")
    }

    /// Opens the vault with whatever provider can.
    ///
    /// # Errors
    /// [`OpenError::Closed`] when none could, without saying why; [`KeysError::NoSuchProvider`] when nothing was typed and
    /// a transit server or TPM had not given its part; [`OpenError::Vault`] otherwise.
    pub fn open(
        &mut self,
        passphrase: Option<&Passphrase>,
        reached: Reached,
        rollback: Rollback,
        entropy: &mut impl EntropySource,
    ) -> Result<Vault, OpenError> {
        let ring = self.open_ring(passphrase, entropy)?;
        Ok(Vault::open_with(&self.dir, ring, reached, rollback, entropy)?)
    }

    fn open_ring(
        &mut self,
        passphrase: Option<&Passphrase>,
        entropy: &mut impl EntropySource,
    ) -> Result<Ring, OpenError> {
        let Some(locked) = Locked::read(&self.dir)? else { return Ok(upgrade(&self.dir, entropy)?) };
        let enrolled = |kind| locked.providers().iter().any(|one| one.kind == kind);
        if let Some(passphrase) = passphrase
            && enrolled(Kind::Passphrase)
        {
            let root = locked.unwrap(&mut typed(passphrase)?)?;
            return Ok(locked.open(root, entropy)?);
        }
        if let Some(credential) = &mut self.credential
            && enrolled(Kind::SystemCredential)
        {
            let root = locked.unwrap(credential)?;
            return Ok(locked.open(root, entropy)?);
        }
        for held in &mut self.fetched.held {
            match locked.unwrap(held) {
                Ok(root) => return Ok(locked.open(root, entropy)?),
                Err(error) => {
                    tracing::warn!(%error, provider = held.id(), "fetched, but it does not open the keys");
                }
            }
        }
        if enrolled(Kind::File) {
            return Ok(open_by_files(&self.dir, locked, entropy)?);
        }
        if self.fetched.missing.is_empty() { Err(OpenError::Closed) } else { Err(absent()) }
    }

    /// A new root key under the providers that are enrolled; each must be at hand. File providers get a new file.
    ///
    /// # Errors
    /// [`OpenError::Closed`] for a wrong passphrase; [`KeysError::NoSuchProvider`] for a provider that is not at hand. The
    /// old root key then stays.
    pub fn rekey(
        &mut self,
        vault: &mut Vault,
        passphrase: Option<&Passphrase>,
        entropy: &mut impl EntropySource,
    ) -> Result<(), OpenError> {
        let install = vault.install();
        let (mut old_files, mut own) = (Vec::new(), Vec::<Box<dyn RootProvider>>::new());
        let (mut wants_credential, mut wants_held) = (false, Vec::<&Enrollment>::new());
        for enrolled in &vault.ring().body().providers {
            match enrolled.kind {
                Kind::File => {
                    let name = fresh_name(entropy)?;
                    self.dir.create_root_file(&name, install, entropy).map_err(VaultError::from)?;
                    own.push(Box::new(FileProvider::new(&self.dir, &name)));
                    old_files.push(enrolled.name.clone());
                }
                Kind::Passphrase => {
                    let mut typed = typed(passphrase.ok_or_else(absent)?)?;
                    typed.unwrap(&enrolled.blob, install).map_err(KeysError::from)?;
                    own.push(Box::new(typed));
                }
                Kind::SystemCredential => wants_credential = true,
                // Their secret stays: it was fetched at the start and wraps the new root key as well.
                Kind::Tpm2 | Kind::Transit => wants_held.push(enrolled),
                Kind::Pkcs11 => return Err(absent()),
            }
        }
        let mut providers: Vec<&mut dyn RootProvider> = Vec::new();
        for one in &mut own {
            providers.push(one.as_mut());
        }
        if wants_credential {
            providers.push(self.credential.as_mut().ok_or_else(absent)?);
        }
        let wanted = |held: &HeldProvider| wants_held.iter().any(|one| held.made(one) == Made::Here);
        let mut held: Vec<&mut dyn RootProvider> = Vec::new();
        for one in &mut self.fetched.held {
            if wanted(one) {
                held.push(one);
            }
        }
        if held.len() != wants_held.len() {
            return Err(absent());
        }
        providers.append(&mut held);
        vault.change_keys(|ring| ring.rekey(&mut providers, entropy))?;
        for name in old_files {
            self.dir.destroy(&name).map_err(VaultError::from)?;
        }
        Ok(())
    }
}

/// Something that is enrolled is not at hand.
fn absent() -> OpenError {
    OpenError::Vault(KeysError::NoSuchProvider.into())
}

/// Puts what was typed into secret memory.
fn typed(passphrase: &Passphrase) -> Result<PassphraseProvider, OpenError> {
    let bytes = passphrase.expose();
    if bytes.is_empty() || bytes.len() > MAX_PASSPHRASE {
        return Err(OpenError::Closed);
    }
    let mut kept =
        SecretBytes::zeroed(bytes.len()).map_err(|error| VaultError::from(FilesError::Memory(error)))?;
    kept.expose_mut().copy_from_slice(bytes);
    Ok(PassphraseProvider::new(kept))
}

/// A name no root file has: the old and the new one exist at the same time for a moment.
fn fresh_name(entropy: &mut impl EntropySource) -> Result<String, OpenError> {
    let bytes: [u8; 4] = random(entropy).map_err(|_none| VaultError::from(FilesError::Entropy))?;
    let stem = ROOT_FILE.trim_end_matches(".key");
    Ok(format!("{stem}-{:08x}.key", u32::from_be_bytes(bytes)))
}
