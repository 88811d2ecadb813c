//! The audit file's chain.

use std::fs;

use keyhold_keeper::audit::{Audit, AuditError, Entry, Event};
use keyhold_keeper::files::StateDir;

fn filled(lines: u64) -> (tempfile::TempDir, StateDir) {
    let folder = crate::fixture::new_folder();
    let dir = crate::fixture::state_dir(&folder);
    let mut audit = Audit::open(&dir).unwrap();
    for number in 1..=lines {
        let detail = Some(format!("number {number}"));
        audit.record(Entry { detail, ..Entry::new(Event::Shred, number) }).unwrap();
    }
    assert_eq!(audit.entries(), lines);
    (folder, dir)
}

fn broken_at(dir: &StateDir) -> Option<u64> {
    match Audit::open(dir) {
        Ok(_) => None,
        Err(AuditError::Broken { line }) => Some(line),
        Err(AuditError::Files(error)) => panic!("{error}"),
    }
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let (_folder, dir) = filled(3);
    let mut audit = Audit::open(&dir).unwrap();
    audit.record(Entry::new(Event::Stopped, 9)).unwrap();
    let hash = audit.last_hash();
    let again = Audit::open(&dir).unwrap();
    assert_eq!((again.entries(), again.last_hash()), (4, hash));
    let text = fs::read_to_string(dir.file("audit.jsonl")).unwrap();
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn changing_removing_and_reordering_lines_is_seen() {
    let (_folder, dir) = filled(5);
    let path = dir.file("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let changes = [
        (text.replace("number 3", "number 8"), 3),
        (text.replacen("\"hash\":\"", "\"hash\":\"0", 1), 1),
        (join(&[lines[0], lines[2], lines[3], lines[4]]), 2),
        (join(&[lines[0], lines[1], lines[3], lines[2], lines[4]]), 3),
        (join(&[lines[1], lines[0]]), 1),
        (format!("{text}{{}}\n"), 6),
        (format!("{text}{}\n", lines[4]), 6),
        (format!("{text}{}\n", "x".repeat(5000)), 6),
    ];
    for (index, (changed, line)) in changes.iter().enumerate() {
        fs::write(&path, changed).unwrap();
        assert_eq!(broken_at(&dir), Some(*line), "change {index}");
    }
    fs::write(&path, &text).unwrap();
    assert_eq!(broken_at(&dir), None);
}

#[test]
fn part_of_a_line_left_by_a_crash_is_cut_off() {
    let (_folder, dir) = filled(3);
    let path = dir.file("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for cut in [last + 1, last + 40, text.len() - 1] {
        fs::write(&path, &text[..cut]).unwrap();
        let mut audit = Audit::open(&dir).unwrap();
        assert_eq!(audit.entries(), 2);
        audit.record(Entry::new(Event::Stopped, 9)).unwrap();
        assert_eq!(broken_at(&dir), None);
    }
}
