//! The signed audit file, checked by somebody who has only the public key.

use std::fs::{self, File};

use keyhold_keeper::audit::{
    Anchor, Audit, Entry, Event, Finding, PublicSegmentKey, SegmentKey, Verified, verify,
};
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_keeper::files::StateDir;
use keyhold_protocol::keeper::{Answer, Request};
use keyhold_unseal::rewrap::{MemberKey, Shield};

use crate::fixture::{Bench, INSTALL, SERVER, at, context, new_folder, state_dir};

/// A keeper that did something, was stopped in order, and went on; its public key.
fn used() -> (tempfile::TempDir, StateDir, PublicSegmentKey) {
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    let Answer::Status(status) = bench.ask(Request::Status, SERVER, 0) else { panic!() };
    for key in 1..=3 {
        bench.import(&context(key, 1));
    }
    bench.keeper.stop(at(1));
    drop(bench);
    let mut bench = Bench::on(&dir);
    bench.import(&context(4, 1));
    bench.keeper.stop(at(2));
    bench.import(&context(5, 1));
    drop(bench);
    (folder, dir, status.audit_key.parse().unwrap())
}

fn check(dir: &StateDir, key: &PublicSegmentKey, kept: &[Anchor]) -> Result<Verified, Finding> {
    verify(&File::open(dir.file("audit.jsonl")).unwrap(), INSTALL, key, kept)
}

/// The same entries under another chain, as somebody who rewrites the whole file would make it.
fn rechained(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    use sha2::{Digest as _, Sha256};
    let mut last = [0u8; 32];
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        let entry = &line[line.find("\"entry\":").unwrap() + 8..line.len() - 1];
        let entry = change(number, entry);
        last = Sha256::new()
            .chain_update(b"keyhold/audit/v1")
            .chain_update(last)
            .chain_update(entry.as_bytes())
            .finalize()
            .into();
        let hash = keyhold_keeper::audit::hex(&last);
        out += "{\"hash\":\"";
        out += &hash;
        out += "\",\"entry\":";
        out += &entry;
        out += "}\n";
    }
    out
}

#[test]
fn a_sound_file_is_sound() {
    let (_folder, dir, key) = used();
    let found = check(&dir, &key, &[]).unwrap();
    // Signed at the first start (nothing was signed before), and at each orderly end; one import came after.
    assert!(found.signatures >= 2, "{found:?}");
    assert_eq!(found.unsigned, 1);
    assert_eq!(check(&dir, &key, &[found.end]).unwrap(), found);
    assert_eq!(found.end.to_string().parse::<Anchor>().unwrap(), found.end);
    // The same after the keeper opened it again.
    drop(Audit::open(&dir).unwrap());
    assert_eq!(check(&dir, &key, &[found.end]).unwrap(), found);
}

#[test]
fn edits_removals_and_moved_lines_are_seen() {
    let (_folder, dir, key) = used();
    let path = dir.file("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut tried = 0;
    for index in 0..lines.len() {
        let mut edited = lines.clone();
        let changed = lines[index].replacen("\"at_ms\":1", "\"at_ms\":2", 1);
        assert_ne!(changed, lines[index]);
        edited[index] = &changed;
        let mut removed = lines.clone();
        removed.remove(index);
        let mut cases = vec![edited.join("\n") + "\n"];
        // The last line removed is an end cut off, which is another matter.
        if index + 1 < lines.len() {
            cases.push(removed.join("\n") + "\n");
            let mut moved = lines.clone();
            moved.swap(index, index + 1);
            cases.push(moved.join("\n") + "\n");
        }
        for case in cases {
            fs::write(&path, case).unwrap();
            assert!(matches!(check(&dir, &key, &[]), Err(Finding::Broken { .. })), "line {index}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn another_history_by_somebody_without_the_key_is_seen() {
    let (_folder, dir, key) = used();
    let path = dir.file("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let end = check(&dir, &key, &[]).unwrap().end;
    // The control: rewriting the same entries gives the same file.
    assert_eq!(rechained(&text, |_, entry| entry.to_owned()), text);
    let changed = rechained(&text, |number, entry| {
        if number == 1 { entry.replacen("\"at_ms\":1", "\"at_ms\":2", 1) } else { entry.to_owned() }
    });
    fs::write(&path, &changed).unwrap();
    assert!(Audit::open(&dir).is_ok(), "its chain is whole");
    assert!(matches!(check(&dir, &key, &[]), Err(Finding::Forged { .. })));
    // Signed by another key, and of another installation.
    fs::write(&path, &text).unwrap();
    let shield = Shield::new(&mut SystemEntropy).unwrap();
    let other = SegmentKey::derive(&MemberKey::draw(&shield, &mut SystemEntropy).unwrap(), INSTALL).unwrap();
    assert!(matches!(check(&dir, &other.public(), &[]), Err(Finding::Forged { .. })));
    let file = File::open(&path).unwrap();
    let elsewhere = verify(&file, keyhold_domain::InstallId::from_u128(7), &key, &[]);
    assert!(matches!(elsewhere, Err(Finding::Forged { .. })));
    // All signatures left out: the chain alone convinces nobody.
    let unsigned: Vec<&str> = text.lines().take_while(|line| !line.contains("\"anchor\"")).collect();
    fs::write(&path, unsigned.join("\n") + "\n").unwrap();
    assert!(matches!(check(&dir, &key, &[]), Err(Finding::Unsigned | Finding::Truncated { .. })));
    assert!(matches!(check(&dir, &key, &[end]), Err(Finding::Truncated { .. })));
}

#[test]
fn an_end_cut_off_after_an_anchor_that_was_kept_is_seen() {
    let (_folder, dir, key) = used();
    let path = dir.file("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let end = check(&dir, &key, &[]).unwrap().end;
    let lines: Vec<&str> = text.lines().collect();
    let signed = lines.iter().rposition(|line| line.contains("\"event\":\"anchor\"")).unwrap() + 1;
    // Cut right behind a signature: sound in itself, and seen by whoever kept the end.
    fs::write(&path, lines[..signed].join("\n") + "\n").unwrap();
    assert!(check(&dir, &key, &[]).is_ok());
    assert!(matches!(check(&dir, &key, &[end]), Err(Finding::Truncated { .. })));
    // Cut and continued by the keeper itself.
    let mut audit = Audit::open(&dir).unwrap();
    for _ in 0..5 {
        audit.record(Entry::new(Event::Started, 5)).unwrap();
    }
    assert!(matches!(check(&dir, &key, &[end]), Err(Finding::Another { .. })));
}

/// The audit file knows how far the others were: put back together, older ones are noticed all the same.
#[test]
fn table_and_slots_put_back_together_are_noticed() {
    use keyhold_keeper::vault::{Reached, Rollback};
    let folder = new_folder();
    let dir = state_dir(&folder);
    let mut bench = Bench::on(&dir);
    bench.import(&context(1, 1));
    let copies: Vec<(&str, Vec<u8>)> =
        ["records.bin", "slots.bin", "keys.bin"].map(|name| (name, fs::read(dir.file(name)).unwrap())).into();
    bench.import(&context(2, 1));
    bench.keeper.stop(at(1));
    drop(bench);
    for (name, copy) in &copies {
        fs::write(dir.file(name), copy).unwrap();
    }
    let audit = Audit::open(&dir).unwrap();
    let reached = Reached { records: audit.history().generation(), keys: audit.history().keys_generation() };
    let mut opener = keyhold_keeper::sealing::Opener::new(&dir);
    // Among themselves they agree; only the audit file says otherwise.
    assert!(opener.open(None, Reached::default(), Rollback::Refuse, &mut SystemEntropy).is_ok());
    assert!(opener.open(None, reached, Rollback::Refuse, &mut SystemEntropy).is_err());
    let vault = opener.open(None, reached, Rollback::Accept, &mut SystemEntropy).unwrap();
    assert_eq!(vault.accepted().len(), 1);
    drop(audit);
}
