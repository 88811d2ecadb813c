//! A full disk: nothing new happens unrecorded, deletion works, and what waited is recorded once there is room.
//!
//! Needs root, to mount a small file system of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyhold_keeper::audit::Audit;
use keyhold_keeper::files::StateDir;
use keyhold_keeper::keeper::{After, LeaseEnd};
use keyhold_protocol::keeper::{Answer, Refusal, Request, Shred};

use crate::fixture::{BOT, Bench, SERVER, at, context, import, init, lease, refusal, sealed_to, ticket_for};
use keyhold_keeper::entropy::SystemEntropy;
use keyhold_unseal::open::EphemeralKey;

/// A mounted file system; unmounted when dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs"]).arg(path);
        command.stderr(std::process::Stdio::null());
        command.status().ok().filter(std::process::ExitStatus::success).map(|_| Self(path))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0).status().ok();
    }
}

#[test]
fn a_full_disk_stops_everything_but_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Small::mount(folder.path()) else {
        return eprintln!("NOT PROVEN ON THIS HOST: no file system can be mounted here");
    };
    let path = folder.path().join("keeper");
    init(&path);
    let dir = StateDir::open(&path).unwrap();
    let mut bench = Bench::on(&dir);
    let (one, two, three) = (context(1, 1), context(2, 1), context(3, 1));
    let (_, wrapped_one) = bench.import(&one);
    bench.import(&two);
    let leasing = bench.lease(&one, &wrapped_one, 7, 0);
    let After::HoldsLease(key, id) = leasing.after else { panic!() };
    let ticket = bench.ticket(ticket_for(&two, 8, BOT.uid), 0);

    // The audit file ends within a page, so use that up as well.
    let mut entries = 0;
    fs::write(folder.path().join("filler"), vec![1u8; 4096 * 40]).unwrap_err();
    let full = loop {
        let answer = bench.ask(Request::Ticket(ticket_for(&one, 9, BOT.uid)), SERVER, 1);
        match refusal(&answer) {
            None => entries += 1,
            Some(code) => break code,
        }
        assert!(entries < 100);
    };
    assert_eq!(full, Refusal::AuditUnavailable);
    let sealed = sealed_to(&bench.public, &three);
    let answer = bench.ask(import(&three, &sealed), SERVER, 1);
    assert_eq!(refusal(&answer), Some(Refusal::AuditUnavailable));
    let process = EphemeralKey::generate(&mut SystemEntropy).unwrap();
    let answer = bench.ask(lease(&ticket, process.public(), &wrapped_one, &two), BOT, 1);
    assert!(refusal(&answer).is_some());

    // Letting go of keys works without a byte of room.
    bench.keeper.end_lease(key, id, LeaseEnd::Released, at(2));
    let shred = |context: &keyhold_seal::Context| {
        Request::Shred(Shred { workspace: context.workspace, key: context.key, version: None })
    };
    assert_eq!(bench.ask(shred(&one), SERVER, 3), Answer::Shredded { destroyed: 1 });

    // With room again, what waited is recorded first, in order.
    fs::remove_file(folder.path().join("filler")).unwrap();
    assert_eq!(bench.ask(shred(&two), SERVER, 4), Answer::Shredded { destroyed: 1 });
    drop(bench);
    Audit::open(&dir).unwrap();
    let text = fs::read_to_string(dir.file("audit.jsonl")).unwrap();
    let release = text.find("\"release\"").unwrap();
    let shreds: Vec<usize> = text.match_indices("\"shred\"").map(|(at, _)| at).collect();
    assert!(shreds.len() == 2 && release < shreds[0]);
    // After a restart both are gone, although the table could not be written at the time.
    let mut bench = Bench::on(&dir);
    assert_eq!(refusal(&bench.lease(&one, &wrapped_one, 7, 5).answer), Some(Refusal::Shredded));
}
