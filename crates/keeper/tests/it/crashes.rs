//! What a crash leaves behind: every step of import and shred, and the real program killed again and again.

use std::fs;
use std::time::Duration;

use keyhold_domain::KeyId;
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::records::{FILE, Records};
use keyhold_keeper::slots::SlotFile;
use keyhold_keeper::vault::{Rollback, Vault};
use keyhold_protocol::keeper::{Answer, Describe, RecordState, Refusal, Request, Shred};
use keyhold_seal::{Sealed, WrappedDataKey};
use std::collections::BTreeMap;

use crate::fixture::{
    Bench, INSTALL, SERVER, context, import, new_folder, open_vault, refusal, sealed_to, state_dir,
};
use crate::process::{Program, WITHIN};

fn state(vault: &Vault, key: u128) -> Option<RecordState> {
    vault.records().versions(KeyId::from_u128(key)).next().map(|(_, record)| record.state)
}

/// Import writes slot, records, generation: stop after the first step.
#[test]
fn import_stopped_after_the_slot() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    bench.import(&context(1, 1));
    let table = fs::read(dir.file(FILE)).unwrap();
    let header = fs::read(dir.file("slots.bin")).unwrap()[..64].to_vec();
    let (sealed, _) = bench.import(&context(2, 1));
    drop(bench);
    let mut slots = fs::read(dir.file("slots.bin")).unwrap();
    slots[..64].copy_from_slice(&header);
    let orphan = slots[64 * 3..64 * 4].to_vec();
    fs::write(dir.file("slots.bin"), &slots).unwrap();
    fs::write(dir.file(FILE), table).unwrap();

    let vault = open_vault(&dir);
    assert_eq!((state(&vault, 1), state(&vault, 2)), (Some(RecordState::Live), None));
    assert_ne!(fs::read(dir.file("slots.bin")).unwrap()[64 * 3..64 * 4], orphan);
    drop(vault);
    // Nobody was answered, so the same version may be imported again.
    let answer = Bench::on(&dir).ask(import(&context(2, 1), &sealed), SERVER, 0);
    assert!(matches!(answer, Answer::Imported { .. }));
}

/// Stop before the generation in the slot header: the table is one ahead.
#[test]
fn import_stopped_before_the_generation() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let (_, first) = bench.import(&context(1, 1));
    let header = fs::read(dir.file("slots.bin")).unwrap()[..64].to_vec();
    let (sealed, wrapped) = bench.import(&context(2, 1));
    drop(bench);
    let mut slots = fs::read(dir.file("slots.bin")).unwrap();
    slots[..64].copy_from_slice(&header);
    fs::write(dir.file("slots.bin"), &slots).unwrap();
    let mut bench = Bench::on(&dir);
    assert!(bench.lease(&context(2, 1), &wrapped, 7, 0).opens(&sealed, &context(2, 1)));
    assert!(matches!(bench.lease(&context(1, 1), &first, 7, 0).answer, Answer::Leased { .. }));
}

/// Shred stopped after the slot: gone for good, and the next start completes the table.
#[test]
fn shred_stopped_after_the_slot() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let (_, wrapped) = Bench::on(&dir).import(&context(1, 1));
    SlotFile::open(&dir, INSTALL).unwrap().shred(1, &mut SystemEntropy).unwrap();
    let before = fs::read(dir.file(FILE)).unwrap();
    let mut bench = Bench::on(&dir);
    assert_ne!(fs::read(dir.file(FILE)).unwrap(), before);
    assert_eq!(refusal(&bench.lease(&context(1, 1), &wrapped, 7, 0).answer), Some(Refusal::Shredded));
    // Complete means complete: another start changes nothing.
    let complete = fs::read(dir.file(FILE)).unwrap();
    drop(bench);
    open_vault(&dir);
    assert_eq!(fs::read(dir.file(FILE)).unwrap(), complete);
}

/// A torn write of a slot, and of the file's last page while it grows.
#[test]
fn torn_slots_are_empty_slots() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    Bench::on(&dir).import(&context(1, 1));
    let mut slots = fs::read(dir.file("slots.bin")).unwrap();
    slots[64 * 2 + 40..64 * 3].fill(0);
    slots.extend_from_slice(&[7; 100]);
    fs::write(dir.file("slots.bin"), &slots).unwrap();
    assert_eq!(state(&open_vault(&dir), 1), Some(RecordState::Shredded));
    let (sealed, wrapped) = Bench::on(&dir).import(&context(2, 1));
    assert!(Bench::on(&dir).lease(&context(2, 1), &wrapped, 7, 0).opens(&sealed, &context(2, 1)));
}

#[test]
fn a_table_that_was_never_finished_is_ignored() {
    let folder = new_folder();
    let dir = state_dir(&folder);
    Bench::on(&dir).import(&context(1, 1));
    fs::write(dir.file("records.bin.next"), b"half a table").unwrap();
    assert_eq!(state(&open_vault(&dir), 1), Some(RecordState::Live));
    Bench::on(&dir).import(&context(2, 1));
    let vault = Vault::open(&dir, Rollback::Refuse, &mut SystemEntropy).unwrap();
    assert_eq!(state(&vault, 2), Some(RecordState::Live));
    assert_eq!(Records::default().entries.len(), 0);
}

/// What the client knows of a key.
enum Known {
    Live(Box<Sealed>, WrappedDataKey),
    Shredded,
    /// Asked for when the program was killed.
    Unsure,
}

/// Kills the program in the middle of imports and shreds; what was answered must hold, always.
#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let folder = new_folder();
    let mut known: BTreeMap<u128, Known> = BTreeMap::new();
    for round in 0..8u64 {
        let program = Program::start(&folder, &[]).await;
        check(&program, &known, round).await;
        let (under_way, started) = tokio::sync::oneshot::channel();
        let kill = program.kill_after(started, Duration::from_millis(5 + round * 23));
        hammer(&program, &mut known, under_way).await;
        kill.await.unwrap();
    }
    let program = Program::start(&folder, &[]).await;
    check(&program, &known, 99).await;
    let (live, gone) = known.values().fold((0, 0), |(live, gone), one| match one {
        Known::Live(..) => (live + 1, gone),
        Known::Shredded => (live, gone + 1),
        Known::Unsure => (live, gone),
    });
    assert!(live > 5 && gone > 2, "too little happened to prove anything: {live} live, {gone} shredded");
}

/// Imports, and shreds every third key, until the program stops answering. Says when four keys are through, so that
/// something happens in every round however slow the machine is.
async fn hammer(
    program: &Program,
    known: &mut BTreeMap<u128, Known>,
    under_way: tokio::sync::oneshot::Sender<()>,
) {
    let (mut under_way, before) = (Some(under_way), known.len());
    let mut client = program.connect().await;
    let public = program.public_key().await;
    let Some(public) = public else { return };
    loop {
        if known.len() == before + 4
            && let Some(under_way) = under_way.take()
        {
            under_way.send(()).unwrap();
        }
        let key = known.len() as u128 + 1;
        let context = context(key, 1);
        let sealed = sealed_to(&public, &context);
        known.insert(key, Known::Unsure);
        match client.ask(&import(&context, &sealed), WITHIN).await {
            Ok(Answer::Imported { wrapped_data_key }) => {
                known.insert(key, Known::Live(Box::new(sealed), wrapped_data_key));
            }
            Ok(other) => panic!("{other:?}"),
            Err(_killed) => return,
        }
        if key.is_multiple_of(3) {
            let shred = Shred { workspace: context.workspace, key: context.key, version: None };
            known.insert(key, Known::Unsure);
            match client.ask(&Request::Shred(shred), WITHIN).await {
                Ok(Answer::Shredded { destroyed: 1 }) => known.insert(key, Known::Shredded),
                Ok(other) => panic!("{other:?}"),
                Err(_killed) => return,
            };
        }
    }
}

async fn check(program: &Program, known: &BTreeMap<u128, Known>, round: u64) {
    let mut client = program.connect().await;
    let mut leased = 0;
    for (key, state) in known {
        let context = context(*key, 1);
        let describe = Request::Describe(Describe { workspace: context.workspace, key: context.key });
        let answer = client.ask(&describe, WITHIN).await.unwrap();
        let found = match &answer {
            Answer::Described { versions } => Some(versions[0].state),
            _ => None,
        };
        match state {
            Known::Live(sealed, wrapped) => {
                assert_eq!(found, Some(RecordState::Live), "round {round}, key {key}: {answer:?}");
                // A few are opened for real; the rate limit allows no more.
                if leased < 3 {
                    leased += 1;
                    assert!(program.lease_and_open(&context, wrapped, sealed).await);
                }
            }
            Known::Shredded => {
                assert_eq!(found, Some(RecordState::Shredded), "round {round}, key {key}: {answer:?}");
            }
            Known::Unsure => {}
        }
    }
}
