//! The folder's rights, the root key file, and what copies of files are worth.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::{FilesError, StateDir};
use keyhold_keeper::vault::{Rollback, Vault, VaultError};
use keyhold_protocol::keeper::Refusal;

use crate::fixture::{Bench, INSTALL, SERVER, context, new_folder, open_vault, refusal, state_dir};

fn open(dir: &StateDir, rollback: Rollback) -> Result<Vault, VaultError> {
    Vault::open(dir, rollback, &mut SystemEntropy)
}

#[test]
fn a_folder_or_key_open_to_others_is_refused() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let refused = |result: Result<Vault, VaultError>| {
        matches!(result, Err(VaultError::Files(FilesError::Permissions { .. })))
    };
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(dir.file("root.key"), Permissions::from_mode(mode)).unwrap();
        assert!(refused(open(&dir, Rollback::Refuse)), "{mode:o}");
    }
    fs::set_permissions(dir.file("root.key"), Permissions::from_mode(0o600)).unwrap();
    assert!(open(&dir, Rollback::Refuse).is_ok());
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(StateDir::open(dir.path()), Err(FilesError::Permissions { .. })));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    // Somebody else's file: only root can make one.
    match std::os::unix::fs::chown(dir.file("root.key"), Some(12345), None) {
        Ok(()) => assert!(refused(open(&dir, Rollback::Refuse))),
        Err(_not_root) => eprintln!("NOT PROVEN ON THIS HOST: only root can give a file away"),
    }
}

#[test]
fn a_root_key_is_never_overwritten_and_damage_is_seen() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let before = fs::read(dir.file("root.key")).unwrap();
    let again = Vault::create(&dir, INSTALL, &mut SystemEntropy);
    assert!(matches!(again, Err(VaultError::Files(FilesError::Exists { .. }))));
    assert_eq!(fs::read(dir.file("root.key")).unwrap(), before);
    for (at, length) in [(0, 64), (30, 64), (63, 64), (0, 63), (0, 65)] {
        let mut bytes = before.clone();
        bytes.resize(length, 0);
        if length == 64 {
            bytes[at] ^= 1;
        }
        fs::write(dir.file("root.key"), bytes).unwrap();
        let result = open(&dir, Rollback::Refuse);
        assert!(matches!(result, Err(VaultError::Files(FilesError::Format { .. }))));
    }
}

#[test]
fn one_keeper_per_folder() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let lock = dir.lock().unwrap();
    assert!(matches!(dir.lock(), Err(FilesError::InUse { .. })));
    drop(lock);
    dir.lock().unwrap();
}

#[test]
fn a_changed_record_table_is_refused() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    Bench::on(&dir).import(&context(1, 1));
    let before = fs::read(dir.file("records.bin")).unwrap();
    for at in 0..before.len() {
        let mut bytes = before.clone();
        bytes[at] ^= 1;
        fs::write(dir.file("records.bin"), bytes).unwrap();
        assert!(matches!(open(&dir, Rollback::Refuse), Err(VaultError::Records(_))), "byte {at}");
    }
}

/// The promise of deletion: with everything but the slot restored from before, the record does not open.
#[test]
fn an_old_record_table_does_not_bring_a_record_back() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let context = context(1, 1);
    let mut bench = Bench::on(&dir);
    let (sealed, wrapped) = bench.import(&context);
    let old_table = fs::read(dir.file("records.bin")).unwrap();
    let old_slots = fs::read(dir.file("slots.bin")).unwrap();
    let request =
        keyhold_protocol::keeper::Shred { workspace: context.workspace, key: context.key, version: None };
    bench.ask(keyhold_protocol::keeper::Request::Shred(request), SERVER, 0);
    drop(bench);

    // The slot's secret is nowhere in the file any more.
    let slots = fs::read(dir.file("slots.bin")).unwrap();
    let secret = &old_slots[2 * 64..2 * 64 + 32];
    assert!(old_slots.windows(32).any(|window| window == secret));
    assert!(!slots.windows(8).any(|window| secret.windows(8).any(|part| part == window)));

    fs::write(dir.file("records.bin"), &old_table).unwrap();
    assert!(matches!(open(&dir, Rollback::Refuse), Err(VaultError::RollbackSuspected { .. })));
    // On the operator's word, and even with the generation in the slot header forged, the record stays dead.
    drop(open(&dir, Rollback::Accept).unwrap());
    let mut forged = slots.clone();
    forged[..64].copy_from_slice(&old_slots[..64]);
    fs::write(dir.file("slots.bin"), forged).unwrap();
    fs::write(dir.file("records.bin"), &old_table).unwrap();
    let mut bench = Bench::on(&dir);
    let leasing = bench.lease(&context, &wrapped, 7, 0);
    assert_eq!(refusal(&leasing.answer), Some(Refusal::Shredded));

    // The control: with the slot itself restored it would open, so it was the slot that mattered.
    drop(bench);
    fs::write(dir.file("slots.bin"), &old_slots).unwrap();
    fs::write(dir.file("records.bin"), &old_table).unwrap();
    assert!(Bench::on(&dir).lease(&context, &wrapped, 7, 0).opens(&sealed, &context));
}

#[test]
fn a_new_seal_key_does_not_touch_records() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let (sealed, wrapped) = bench.import(&context(1, 1));
    let late = crate::fixture::sealed_to(&bench.public, &context(2, 1));
    drop(bench);
    let before = Vault::peek(&dir).unwrap();
    Vault::rotate_seal_key(&dir, &mut SystemEntropy).unwrap();
    assert_ne!(Vault::peek(&dir).unwrap(), before);
    let mut bench = Bench::on(&dir);
    let refused = bench.ask(crate::fixture::import(&context(2, 1), &late), SERVER, 0);
    assert_eq!(refusal(&refused), Some(Refusal::Unopenable));
    assert!(bench.lease(&context(1, 1), &wrapped, 7, 0).opens(&sealed, &context(1, 1)));
}

#[test]
fn slots_grow_and_are_used_again() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    for key in 1..=80 {
        bench.import(&context(key, 1));
    }
    assert_eq!(fs::metadata(dir.file("slots.bin")).unwrap().len(), 64 + 128 * 64);
    let shred = |key: u128| {
        let context = context(key, 1);
        keyhold_protocol::keeper::Shred { workspace: context.workspace, key: context.key, version: None }
    };
    for key in 1..=80 {
        bench.ask(keyhold_protocol::keeper::Request::Shred(shred(key)), SERVER, 0);
    }
    for key in 101..=180 {
        bench.import(&context(key, 1));
    }
    assert_eq!(fs::metadata(dir.file("slots.bin")).unwrap().len(), 64 + 128 * 64);
    drop(bench);
    assert_eq!(open_vault(&dir).records().entries.len(), 160);
}
