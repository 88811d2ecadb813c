//! The key file: folders from before it, changed and restored copies, rotation and a new root key, interrupted anywhere.

use std::fs;

use keyhold_domain::WorkspaceId;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::providers::{FileProvider, Kind, ROOT_FILE};
use keyhold_keeper::ring::{FILE, KeysError, Locked, Ring};
use keyhold_keeper::vault::{Rollback, Vault, VaultError};
use keyhold_os::secret::LockedBox;
use keyhold_protocol::keeper::Answer;
use keyhold_seal::{Context, FixedEntropy, Sealed, WrapFormat, WrappedDataKey};
use keyhold_unseal::rewrap::{self, KeeperSecretKey, MemberKey, Shield, SlotSecret, Under, Wrapping};

use crate::fixture::{Bench, INSTALL, context, new_folder, open_vault, sealed_to, state_dir};

fn ring(dir: &StateDir) -> Ring {
    let locked = Locked::read(dir).unwrap().unwrap();
    let root = locked.unwrap(&mut FileProvider::new(dir, ROOT_FILE)).unwrap();
    locked.open(root, &mut SystemEntropy).unwrap()
}

fn open(dir: &StateDir, rollback: Rollback) -> Result<Vault, VaultError> {
    Vault::open(dir, rollback, &mut SystemEntropy)
}

/// As version 0.4 left a folder: a root key that is used directly, a record wrapped under it, and no key file.
fn old_folder(dir: &StateDir, context: &Context) -> (Sealed, WrappedDataKey) {
    let mut bench = Bench::on(dir);
    bench.import(context);
    drop(bench);
    let vault = open_vault(dir);
    let slot = vault.records().versions(context.key).next().unwrap().1.slot;
    let records = vault.records().clone();
    drop(vault);
    fs::remove_file(dir.file(FILE)).unwrap();
    let (_, root) = dir.root_file(ROOT_FILE).unwrap();
    let house = MemberKey::new(&Shield::new(&mut SystemEntropy).unwrap(), root).unwrap();
    let table = records.encode(INSTALL, |bytes| house.authenticate(INSTALL, b"keyhold/records/v1", bytes));
    fs::write(dir.file("records.bin"), table.unwrap()).unwrap();
    let mut slots = fs::read(dir.file("slots.bin")).unwrap();
    slots[32..64].fill(0);
    fs::write(dir.file("slots.bin"), &slots).unwrap();
    let secret = |index: usize| {
        let at = 64 + index * 64;
        let mut bytes: [u8; 32] = slots[at..at + 32].try_into().unwrap();
        SlotSecret::new(LockedBox::take_from(&mut bytes).unwrap())
    };
    let keeper = KeeperSecretKey::derive(&house, INSTALL, &secret(0)).unwrap();
    let sealed = sealed_to(keeper.public(), context);
    let wrapping = Wrapping { under: Under::House(&house), slot: &secret(slot as usize), index: slot };
    let wrapped =
        rewrap::import(&keeper, wrapping, context, &sealed.data_key, &mut FixedEntropy::new(&[5; 12]))
            .unwrap();
    assert_eq!(wrapped.format(), WrapFormat::House);
    (sealed, wrapped)
}

#[test]
fn a_folder_from_before_the_key_file_goes_on() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let (sealed, wrapped) = old_folder(&dir, &context(1, 1));
    let before = Vault::peek(&dir).unwrap();
    assert!(!dir.file(FILE).exists());
    let mut bench = Bench::on(&dir);
    assert_eq!(bench.public, before);
    assert!(bench.lease(&context(1, 1), &wrapped, 7, 0).opens(&sealed, &context(1, 1)));
    // What is imported from now on is wrapped under the workspace's own key.
    let (sealed, wrapped) = bench.import(&context(1, 2));
    assert_eq!(wrapped.format(), WrapFormat::Workspace);
    drop(bench);
    let mut bench = Bench::on(&dir);
    assert!(bench.lease(&context(1, 2), &wrapped, 8, 0).answer != Answer::Released);
    drop((bench, sealed));
    // The new file lost: not taken for an old folder again.
    fs::remove_file(dir.file(FILE)).unwrap();
    assert!(matches!(open(&dir, Rollback::Refuse), Err(VaultError::RollbackSuspected { .. })));
}

#[test]
fn a_lost_key_file_is_not_replaced_by_an_empty_one() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    Bench::on(&dir).import(&context(1, 1));
    fs::remove_file(dir.file(FILE)).unwrap();
    assert!(matches!(open(&dir, Rollback::Accept), Err(VaultError::Records(_))));
    assert!(!dir.file(FILE).exists());
}

#[test]
fn every_bit_of_the_key_file() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    Bench::on(&dir).import(&context(1, 1));
    let before = fs::read(dir.file(FILE)).unwrap();
    let mut tried = 0;
    for bit in 0..before.len() * 8 {
        let mut bytes = before.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.file(FILE), bytes).unwrap();
        let opened = Locked::read(&dir).and_then(|locked| {
            let locked = locked.unwrap();
            let root = locked.unwrap(&mut FileProvider::new(&dir, ROOT_FILE))?;
            locked.open(root, &mut SystemEntropy)
        });
        assert!(opened.is_err(), "bit {bit}");
        tried += 1;
    }
    assert_eq!(tried, before.len() * 8);
    for length in [0, 31, 39, before.len() - 1] {
        fs::write(dir.file(FILE), &before[..length]).unwrap();
        assert!(Locked::read(&dir).is_err(), "{length} bytes");
    }
    fs::write(dir.file(FILE), &before).unwrap();
    ring(&dir);
}

#[test]
fn an_older_key_file_is_noticed() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let old = fs::read(dir.file(FILE)).unwrap();
    drop(open_vault(&dir));
    let (sealed, wrapped) = Bench::on(&dir).import(&context(1, 1));
    let new = fs::read(dir.file(FILE)).unwrap();
    fs::write(dir.file(FILE), old).unwrap();
    let refused = open(&dir, Rollback::Refuse);
    assert!(matches!(refused, Err(VaultError::RollbackSuspected { file: "keys.bin", .. })));
    // The control: with the right file it opens.
    fs::write(dir.file(FILE), new).unwrap();
    assert!(Bench::on(&dir).lease(&context(1, 1), &wrapped, 7, 0).opens(&sealed, &context(1, 1)));
}

/// Interrupted before and after every replacement of the file: everything opens, always, and it can be finished.
#[test]
fn a_rotation_can_stop_anywhere() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let (sealed, wrapped) = Bench::on(&dir).import(&context(1, 1));
    let mut first = ring(&dir);
    for workspace in 0..10u128 {
        first.workspace_or_new(WorkspaceId::from_u128(0x1000 + workspace), &mut SystemEntropy).unwrap();
        if workspace == 0 {
            first.destroy(WorkspaceId::from_u128(0x999)).unwrap();
        }
    }
    drop(first);
    drop(open_vault(&dir));
    let mut states = vec![fs::read(dir.file(FILE)).unwrap()];
    let mut steps = ring(&dir);
    let mut remaining = Vec::new();
    while {
        let step = steps.rotate(5, 1, &mut SystemEntropy).unwrap();
        states.push(fs::read(dir.file(FILE)).unwrap());
        remaining.push(step.remaining);
        steps.epochs() > 1
    } {}
    assert_eq!((steps.epoch(), remaining.len()), (2, 4), "{remaining:?}");
    // The house, the workspace of the record, and the ten; the destroyed one has nothing to move.
    assert_eq!(remaining, [12, 7, 2, 0]);
    for (number, state) in states.iter().enumerate() {
        fs::write(dir.file(FILE), state).unwrap();
        fs::write(dir.file("keys.bin.next"), &state[..state.len() / 2]).unwrap();
        let mut again = ring(&dir);
        assert_eq!(again.verify().unwrap(), 12, "state {number}");
        while again.epochs() > 1 {
            again.rotate(3, 2, &mut SystemEntropy).unwrap();
        }
        assert_eq!(again.verify().unwrap(), 12);
        assert!(matches!(again.workspace(WorkspaceId::from_u128(0x999)), Err(KeysError::Destroyed)));
        let mut bench = Bench::on(&dir);
        assert!(bench.lease(&context(1, 1), &wrapped, 7, 0).opens(&sealed, &context(1, 1)), "state {number}");
        // The folder as a crash would have left it: slots know of no later file.
        drop(bench);
        let mut slots = fs::read(dir.file("slots.bin")).unwrap();
        slots[32..40].fill(0);
        fs::write(dir.file("slots.bin"), slots).unwrap();
    }
}

#[test]
fn a_new_root_key_leaves_records_alone_and_the_old_one_opens_nothing() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let (sealed, wrapped) = Bench::on(&dir).import(&context(1, 1));
    let locked = Locked::read(&dir).unwrap().unwrap();
    let old = locked.unwrap(&mut FileProvider::new(&dir, ROOT_FILE)).unwrap();
    let mut keys = ring(&dir);
    dir.create_root_file("root-2.key", INSTALL, &mut SystemEntropy).unwrap();
    let mut second = FileProvider::new(&dir, "root-2.key");
    keys.enroll(&mut second, &mut SystemEntropy).unwrap();
    // Two at once: either opens.
    for name in [ROOT_FILE, "root-2.key"] {
        let locked = Locked::read(&dir).unwrap().unwrap();
        assert!(locked.unwrap(&mut FileProvider::new(&dir, name)).is_ok(), "{name}");
    }
    keys.rekey(&mut [&mut second], &mut SystemEntropy).unwrap();
    dir.destroy(ROOT_FILE).unwrap();
    let locked = Locked::read(&dir).unwrap().unwrap();
    assert!(locked.unwrap(&mut FileProvider::new(&dir, ROOT_FILE)).is_err());
    assert!(locked.open(old, &mut SystemEntropy).is_err(), "the old root key recognizes nothing");
    assert!(matches!(keys.remove(Kind::File, "root-2.key"), Err(KeysError::LastProvider)));
    assert!(matches!(keys.remove(Kind::File, "root-3.key"), Err(KeysError::NoSuchProvider)));
    drop(keys);
    let mut bench = Bench::on(&dir);
    assert!(bench.lease(&context(1, 1), &wrapped, 7, 0).opens(&sealed, &context(1, 1)));
}
