//! Commands that work on the folder of a keeper that is not running, or on a copy of its audit file.

use std::fs::File;
use std::path::Path;

use keyhold_domain::InstallId;
use keyhold_protocol::keeper::{Passphrase, ProviderState};
use keyhold_seal::KeeperPublicKey;

use super::outside::{OutsideArguments, fetched};
use super::typing::{Typing, passphrase};
use super::{CliError, ProviderChoice, credential, say, system};
use crate::audit::{Anchor, Audit, Entry, Event, PublicSegmentKey, SegmentKey, verify};
use crate::clock::{Clock as _, SystemClock};
use crate::entropy::{SystemEntropy, random};
use crate::files::{FilesError, StateDir};
use crate::providers::{FileProvider, Kind, PassphraseProvider, ProviderError, ROOT_FILE, RootProvider};
use crate::ring::{KeysError, Locked, Ring};
use crate::sealing::{OpenError, Opener};
use crate::vault::{Reached, Rollback, Vault, VaultError};

impl ProviderChoice {
    const fn kind(self) -> Kind {
        match self {
            Self::File => Kind::File,
            Self::Passphrase => Kind::Passphrase,
            Self::SystemCredential => Kind::SystemCredential,
            Self::Transit => Kind::Transit,
            Self::Tpm2 => Kind::Tpm2,
        }
    }
}

/// A provider to be enrolled, and what is said about it.
pub(super) struct Wanted<'a> {
    pub(super) provider: ProviderChoice,
    pub(super) outside: OutsideArguments,
    pub(super) credentials: Option<&'a Path>,
}

impl Wanted<'_> {
    /// The provider, ready to wrap: its file made, its passphrase read, its secret with the TPM or server.
    fn make(&self, dir: &StateDir, install: InstallId) -> Result<Box<dyn RootProvider>, CliError> {
        use ProviderChoice as Choice;
        match self.provider {
            Choice::File => {
                dir.create_root_file(ROOT_FILE, install, &mut SystemEntropy)?;
                Ok(Box::new(FileProvider::new(dir, ROOT_FILE)))
            }
            Choice::Passphrase => {
                let typed = passphrase("New passphrase", Typing::New)?;
                Ok(Box::new(PassphraseProvider::new(typed)))
            }
            Choice::SystemCredential => {
                let Some(credential) = credential(self.credentials)? else {
                    let reason = "the service manager gave no credential `keyhold-root`".to_owned();
                    let provider = Kind::SystemCredential.as_str();
                    return Err(ProviderError::Unavailable { provider, reason }.into());
                };
                Ok(Box::new(credential))
            }
            Choice::Transit => Ok(Box::new(self.outside.transit(dir, self.credentials)?)),
            Choice::Tpm2 => Ok(Box::new(self.outside.tpm(dir, self.credentials)?)),
        }
    }
}

pub(super) fn init(dir: &Path, install: Option<InstallId>, wanted: &Wanted<'_>) -> Result<(), CliError> {
    let dir = StateDir::create(dir)?;
    let _lock = dir.lock()?;
    let drawn = || random(&mut SystemEntropy).map(InstallId::from_bytes).map_err(|_none| FilesError::Entropy);
    let install = install.map_or_else(drawn, Ok)?;
    if Locked::read(&dir)?.is_some() {
        return Err(FilesError::Exists { path: dir.file(crate::ring::FILE) }.into());
    }
    let mut made = wanted.make(&dir, install)?;
    let now = SystemClock::start().now().wall_ms;
    let ring = Ring::create(&dir, install, made.as_mut(), None, now, &mut SystemEntropy)?;
    Vault::furnish(&dir, &ring, &mut SystemEntropy)?;
    let key: KeeperPublicKey = Vault::public_key_of(&dir, &ring)?;
    say(&format!("install {install}\nfingerprint {}", key.id().fingerprint()))
}

/// Opens the vault of a folder; reads the passphrase when nothing else opens it.
fn opened(dir: &StateDir, audit: &Audit, credentials: Option<&Path>) -> Result<Vault, CliError> {
    let fetched = fetched(dir, credentials)?;
    let mut opener = Opener::new(dir).with_credential(credential(credentials)?).with_fetched(fetched);
    let health = opener.health();
    let has = |state| health.iter().any(|one| one.state == state);
    let typed = if has(ProviderState::Typed) && !has(ProviderState::Ready) {
        let typed = passphrase("Passphrase", Typing::Known)?;
        let text = std::str::from_utf8(typed.expose()).map_err(|_not_text| CliError::Passphrase)?;
        Some(Passphrase::new(text.to_owned()))
    } else {
        None
    };
    let history = audit.history();
    let reached = Reached { records: history.generation(), keys: history.keys_generation() };
    let vault = opener.open(typed.as_ref(), reached, Rollback::Refuse, &mut SystemEntropy);
    vault.map_err(|error| match error {
        OpenError::Vault(VaultError::Keys(KeysError::NoSuchProvider)) => CliError::Missing(opener.missing()),
        other => other.into(),
    })
}

pub(super) fn enroll(dir: &Path, wanted: &Wanted<'_>) -> Result<(), CliError> {
    let provider = wanted.provider;
    let dir = StateDir::open(dir)?;
    let _lock = dir.lock()?;
    let mut audit = Audit::open(&dir)?;
    let mut vault = opened(&dir, &audit, wanted.credentials)?;
    let mut made = wanted.make(&dir, vault.install())?;
    note(&mut audit, &format!("enrolling {}", provider.kind().as_str()))?;
    vault.change_keys(|ring| ring.enroll(made.as_mut(), &mut SystemEntropy))?;
    say(&format!("{} can open the keys", provider.kind().as_str()))
}

pub(super) fn unenroll(
    dir: &Path,
    provider: ProviderChoice,
    credentials: Option<&Path>,
) -> Result<(), CliError> {
    let dir = StateDir::open(dir)?;
    let _lock = dir.lock()?;
    let mut audit = Audit::open(&dir)?;
    let mut vault = opened(&dir, &audit, credentials)?;
    let kind = provider.kind();
    note(&mut audit, &format!("removing {}", kind.as_str()))?;
    let mut names = Vec::new();
    for one in vault.ring().body().providers.iter().filter(|one| one.kind == kind) {
        names.push(one.name.clone());
    }
    if names.is_empty() {
        return Err(KeysError::NoSuchProvider.into());
    }
    for name in names {
        vault.change_keys(|ring| ring.remove(kind, &name))?;
        if kind == Kind::File {
            dir.destroy(&name)?;
        }
    }
    say(&format!(
        "{} no longer opens the keys; draw a new root key if it may have been copied",
        kind.as_str()
    ))
}

fn note(audit: &mut Audit, detail: &str) -> Result<(), CliError> {
    let now = SystemClock::start().now().wall_ms;
    Ok(audit.record(Entry { detail: Some(detail.to_owned()), ..Entry::new(Event::Provider, now) })?)
}

pub(super) fn audit_key(dir: &Path, credentials: Option<&Path>) -> Result<(), CliError> {
    let dir = StateDir::open(dir)?;
    let _lock = dir.lock()?;
    let audit = Audit::open(&dir)?;
    let vault = opened(&dir, &audit, credentials)?;
    let key = SegmentKey::derive(vault.ring().house(), vault.install()).map_err(KeysError::from)?;
    say(&format!("install {}\npublic key {}", vault.install(), key.public().to_text()))
}

/// Needs no folder, no secret and no running keeper.
pub(super) fn audit_verify(
    file: &Path,
    install: InstallId,
    key: &PublicSegmentKey,
    anchors: &[Anchor],
) -> Result<(), CliError> {
    let file = File::open(file).map_err(system("opening the audit file"))?;
    let found = verify(&file, install, key, anchors)?;
    say(&format!(
        "sound: {} entries, {} signatures, {} entries after the last one\nanchor {}",
        found.entries, found.signatures, found.unsigned, found.end
    ))
}
