//! Who can give the root key: each opens what it wrapped and nothing else, and a passphrase is guessed slowly.

use std::fs;
use std::time::Duration;

use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::providers::{
    Cost, CredentialProvider, FileProvider, Kind, PassphraseProvider, ProviderError, ROOT_FILE, RootProvider,
};
use keyhold_keeper::ring::{Locked, Ring};
use keyhold_keeper::sealing::Guesses;
use keyhold_os::secret::{LockedBox, SecretBytes};

use crate::fixture::INSTALL;

/// Cheap enough for a test; the standard cost is tried once below.
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn typed(text: &str) -> SecretBytes {
    SecretBytes::take_from(&mut text.as_bytes().to_vec()).unwrap()
}

fn root() -> LockedBox<32> {
    LockedBox::take_from(&mut [0x5A; 32]).unwrap()
}

fn credential(folder: &std::path::Path, content: &[u8]) -> Result<CredentialProvider, ProviderError> {
    fs::write(folder.join("keyhold-root"), content).unwrap();
    CredentialProvider::read(folder)
}

#[test]
fn every_provider_opens_its_own_blob_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&folder.path().join("keeper")).unwrap();
    dir.create_root_file(ROOT_FILE, INSTALL, &mut SystemEntropy).unwrap();
    dir.create_root_file("root-2.key", INSTALL, &mut SystemEntropy).unwrap();
    let mut providers: Vec<Box<dyn RootProvider>> = vec![
        Box::new(FileProvider::new(&dir, ROOT_FILE)),
        Box::new(FileProvider::new(&dir, "root-2.key")),
        Box::new(PassphraseProvider::with_cost(typed("correct horse battery"), CHEAP)),
        Box::new(PassphraseProvider::with_cost(typed("correct horse batterz"), CHEAP)),
        Box::new(credential(folder.path(), &[1; 32]).unwrap()),
        Box::new(credential(folder.path(), &[2; 32]).unwrap()),
    ];
    let blobs: Vec<Vec<u8>> =
        providers.iter_mut().map(|one| one.wrap(root(), INSTALL, &mut SystemEntropy).unwrap()).collect();
    let mut tried = 0;
    for (number, provider) in providers.iter_mut().enumerate() {
        assert!(provider.health().is_ok());
        for (of, blob) in blobs.iter().enumerate() {
            let opened = provider.unwrap(blob, INSTALL);
            match opened {
                Ok(opened) => assert!(number == of && *opened.expose() == [0x5A; 32]),
                Err(ProviderError::Unopenable) => assert_ne!(number, of),
                Err(other) => panic!("{other}"),
            }
            tried += 1;
        }
        let elsewhere = provider.unwrap(&blobs[number], keyhold_domain::InstallId::from_u128(2));
        assert!(matches!(elsewhere, Err(ProviderError::Unopenable)));
        // Every bit of every blob, the passphrase's cost and salt included; the tried costs stay cheap.
        for bit in 0..blobs[number].len() * 8 {
            let mut changed = blobs[number].clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let expensive = provider.kind() == Kind::Passphrase && bit / 8 < 12 && bit / 8 % 4 < 3;
            if !expensive {
                assert!(matches!(provider.unwrap(&changed, INSTALL), Err(ProviderError::Unopenable)));
            }
        }
    }
    assert_eq!(tried, 36);
}

/// A changed blob must not make the keeper take all the memory there is.
#[test]
fn a_blob_cannot_ask_for_any_cost() {
    let mut provider = PassphraseProvider::with_cost(typed("correct horse battery"), CHEAP);
    let blob = provider.wrap(root(), INSTALL, &mut SystemEntropy).unwrap();
    for at in [0, 4, 8] {
        let mut greedy = blob.clone();
        greedy[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(provider.unwrap(&greedy, INSTALL), Err(ProviderError::Unopenable)));
    }
}

#[test]
fn the_standard_cost_is_what_it_says() {
    assert_eq!(Cost::STANDARD, Cost { memory_kib: 256 * 1024, passes: 4, lanes: 1 });
    let mut provider = PassphraseProvider::new(typed("correct horse battery"));
    let blob = provider.wrap(root(), INSTALL, &mut SystemEntropy).unwrap();
    assert_eq!(blob[..12], [0, 4, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1]);
    assert_eq!(*provider.unwrap(&blob, INSTALL).unwrap().expose(), [0x5A; 32]);
}

#[test]
fn a_credential_has_a_sensible_length() {
    let folder = tempfile::tempdir().unwrap();
    for (length, good) in [(0, false), (31, false), (32, true), (4096, true), (4097, false)] {
        assert_eq!(credential(folder.path(), &vec![7; length]).is_ok(), good, "{length}");
    }
    fs::remove_file(folder.path().join("keyhold-root")).unwrap();
    assert!(CredentialProvider::read(folder.path()).is_err());
}

#[test]
fn two_providers_at_once_and_a_change_of_provider() {
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::create(&folder.path().join("keeper")).unwrap();
    let mut passphrase = PassphraseProvider::with_cost(typed("correct horse battery"), CHEAP);
    let mut second = credential(folder.path(), &[1; 40]).unwrap();
    let mut ring = Ring::create(&dir, INSTALL, &mut passphrase, None, 0, &mut SystemEntropy).unwrap();
    ring.enroll(&mut second, &mut SystemEntropy).unwrap();
    let opens = |provider: &mut dyn RootProvider| {
        let locked = Locked::read(&dir).unwrap().unwrap();
        let root = locked.unwrap(provider);
        root.is_ok_and(|root| locked.open(root, &mut SystemEntropy).is_ok())
    };
    assert!(opens(&mut passphrase) && opens(&mut second));
    // Enrolling a provider of the same name again replaces its blob: a new passphrase.
    let mut changed = PassphraseProvider::with_cost(typed("another passphrase"), CHEAP);
    ring.enroll(&mut changed, &mut SystemEntropy).unwrap();
    assert_eq!(ring.body().providers.len(), 2);
    assert!(!opens(&mut passphrase) && opens(&mut changed) && opens(&mut second));
    ring.remove(Kind::Passphrase, "passphrase").unwrap();
    assert!(!opens(&mut changed) && opens(&mut second));
}

#[test]
fn guesses_come_slower_and_slower_and_a_restart_does_not_help() {
    let at = Duration::from_secs;
    let mut guesses = Guesses::default();
    assert!(guesses.wait(at(0)).is_zero());
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..12 {
        guesses.failed(now);
        waits.push(guesses.wait(now).as_secs());
        now += guesses.wait(now);
        assert!(guesses.wait(now).is_zero());
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    assert_eq!(Guesses::after(5, at(0)).wait(at(0)), at(32));
    assert!(Guesses::after(0, at(0)).wait(at(0)).is_zero());
    guesses.succeeded();
    guesses.failed(now);
    assert_eq!(guesses.wait(now), at(2));
}
