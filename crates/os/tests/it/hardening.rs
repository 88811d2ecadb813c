//! Early hardening, dropping root, and what a spawned child starts with.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use keyhold_os::privileges::{Identity, PrivilegeError, is_root};
use keyhold_os::spawn::{ChildOptions, OnParentDeath, Session, SpawnError, spawn_as};

use crate::lanes::{Said, UNUSED, command, hear, heard, lanes, loudly, unprivileged};

const NO_CAPABILITIES: &str = "0000000000000000";

#[test]
fn hardening_is_in_force_and_read_back() {
    for lane in lanes() {
        let said = hear("harden", lane, &[("A_SECRET", "in the environment")]);
        assert_eq!(said["dumpable_before"], "true", "exec resets it, so the program must do it itself");
        assert_eq!(said["dumpable"], "false");
        assert_eq!(said["no_new_privs"], "true");
        assert_eq!((said["stray_before"].as_str(), said["stray"].as_str()), ("0,1,2,3", "0,1,2"));
        assert_eq!(said["open_files"], "77");
        assert_ne!(said["environ_before"], "0");
        assert_eq!((said["variables"].as_str(), said["environ"].as_str()), ("0", "0"));
        assert!(said["twice"].contains("done already"));
    }
}

fn assert_powerless(said: &Said) {
    let user = format!("{UNUSED} {UNUSED} {UNUSED} {UNUSED}");
    assert_eq!((said["Uid"].as_str(), said["Gid"].as_str(), said["Groups"].as_str()), (&*user, &*user, ""));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(said[set], NO_CAPABILITIES, "{set}");
    }
    assert_eq!(said["NoNewPrivs"], "1");
}

#[test]
fn root_can_be_dropped_for_good() {
    if !is_root() {
        loudly("not root: dropping root is NOT PROVEN here");
        return;
    }
    let before = hear("status", crate::lanes::Lane(None), &[]);
    assert_ne!(before["CapEff"], NO_CAPABILITIES, "positive control: root starts with capabilities");
    let said = hear("drop", crate::lanes::Lane(None), &[]);
    assert_eq!(said["regained"], "false");
    assert_powerless(&said);
    assert_powerless(&hear("status", unprivileged(), &[]));
}

#[test]
fn a_child_starts_with_nothing_of_the_launcher() {
    // Without "close on exec", as a careless library would open it.
    let stray = File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&stray, rustix::io::FdFlags::empty()).unwrap();
    let passed: OwnedFd = File::open("/dev/null").unwrap().into();
    let (stray_number, number) = (stray.as_raw_fd(), passed.as_raw_fd());
    let options = ChildOptions { descriptors: vec![passed], ..ChildOptions::default() };
    let said = heard(spawn_as(&mut command("status", &[]), options).unwrap());
    assert_eq!(said["descriptors"], format!("0,1,2,{number}"), "and not {stray_number}");
    assert_eq!(said["session_leader"], "true");
    assert_eq!(said["core_limit"], "Some(0)");
    assert_eq!(said["parent_death"], "None", "bots survive the server");
    assert_eq!(said["NoNewPrivs"], "1");
}

#[test]
fn a_child_can_be_tied_to_its_parent() {
    let options = ChildOptions {
        identity: unprivileged().0,
        session: Session::Inherited,
        on_parent_death: OnParentDeath::Kill,
        ..ChildOptions::default()
    };
    let said = heard(spawn_as(&mut command("status", &[]), options).unwrap());
    assert!(said["parent_death"].starts_with("Some"), "{}", said["parent_death"]);
    assert_eq!(said["session_leader"], "false");
}

#[test]
fn root_is_no_identity_to_drop_to() {
    assert!(matches!(Identity::new(0, 5), Err(PrivilegeError::NotUnprivileged { .. })));
    assert!(matches!(Identity::new(5, u32::MAX), Err(PrivilegeError::NotUnprivileged { .. })));
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let mut missing = std::process::Command::new("/nonexistent/keyhold");
    assert!(matches!(spawn_as(&mut missing, ChildOptions::default()), Err(SpawnError::Start { .. })));
}

#[test]
fn a_program_that_is_still_being_written_is_waited_for() {
    let folder = crate::lanes::open_folder();
    let program = folder.path().join("true");
    std::fs::copy("/bin/true", &program).unwrap();
    let writer = std::fs::OpenOptions::new().append(true).open(&program).unwrap();
    let refused = std::process::Command::new(&program).status().unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ExecutableFileBusy, "control: it is busy");
    let started = std::thread::spawn(move || {
        let child = spawn_as(&mut std::process::Command::new(&program), ChildOptions::default());
        child.unwrap().wait().unwrap()
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    drop(writer);
    assert!(started.join().unwrap().success());
}
