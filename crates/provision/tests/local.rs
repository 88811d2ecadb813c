//! The local hands on real processes. The program is a script that shows what it was given: the launcher does not
//! care what it starts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_provision::local::{FIRST_UID, IsolationPolicy, Launch, Mode};
use keyhold_provision::{InstanceState, Local, LocalConfig};

const BOT: BotId = BotId::from_u128(7);
const RUN: DeploymentId = DeploymentId::from_u128(70);
const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Writes what it sees into its folder (the ninth argument) and waits to be killed.
const PROGRAM: &str = "#!/bin/sh
read token
folder=$(echo \"$@\" | sed 's/.*--folder \\([^ ]*\\).*/\\1/')
umask 022
{ echo \"token=$token\"; echo \"uid=$(id -u)\"; echo \"arguments=$*\"; echo \"environment=$(tr '\\0' ' ' < /proc/$$/environ)\"; } > \"$folder/seen.new\"
mv \"$folder/seen.new\" \"$folder/seen\"
exec sleep 600
";

fn config(folder: &Path) -> LocalConfig {
    let program = folder.join("program");
    std::fs::write(&program, PROGRAM).unwrap();
    LocalConfig {
        program,
        folder: folder.join("run"),
        uplink: PathBuf::from("/uplink.sock"),
        keeper: PathBuf::from("/keeper.sock"),
        simulated_ports: vec![4711],
        isolation: IsolationPolicy::Required,
        first_uid: FIRST_UID,
        log: "info".to_owned(),
    }
}

fn launch(local: &mut Local) -> u32 {
    let uid = local.choose_uid(BOT).unwrap();
    let launch = Launch { bot: BOT, deployment: RUN, mode: Mode::Run, uid, token: TOKEN, restarts: 0 };
    local.launch(&launch, Timestamp::from_ms(5)).unwrap()
}

/// Waits until `ready` gives something; the limit only ends a hopeless test.
fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < limit, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn temporary() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

#[test]
fn a_process_is_started_as_somebody_else_with_nothing_of_ours_and_leaves_nothing() {
    let folder = temporary();
    let mut local = Local::open(config(folder.path())).unwrap();
    let pid = launch(&mut local);
    let seen =
        wait_for("the program's report", || std::fs::read_to_string(local.folder_of(BOT).join("seen")).ok());
    assert!(seen.contains(&format!("token={TOKEN}\n")), "{seen}");
    let arguments = seen.lines().find(|line| line.starts_with("arguments=")).unwrap();
    assert!(!arguments.contains(TOKEN) && arguments.contains("--simulated-port 4711"), "{arguments}");
    let environment = seen.lines().find(|line| line.starts_with("environment=")).unwrap();
    assert!(!environment.contains("HOME=") && !environment.contains(TOKEN), "{environment}");
    if keyhold_os::privileges::is_root() {
        assert!(seen.contains(&format!("uid={FIRST_UID}\n")), "{seen}");
    } else {
        eprintln!("SKIPPED: bots get users of their own only when the server is root");
    }
    assert_eq!(local.observe(Timestamp::from_ms(6))[0].state, InstanceState::Up);
    local.remove(BOT, RUN).unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the process is gone");
    assert_eq!(
        std::fs::read_dir(folder.path().join("run/bots")).unwrap().count(),
        0,
        "nothing of it is left"
    );
    assert!(local.observe(Timestamp::from_ms(7)).is_empty());
}

#[test]
fn the_next_server_adopts_what_runs_and_notices_what_died() {
    let folder = temporary();
    let mut first = Local::open(config(folder.path())).unwrap();
    let pid = launch(&mut first);
    let mut second = Local::open(config(folder.path())).unwrap();
    assert_eq!(second.observe(Timestamp::from_ms(8))[0].state, InstanceState::Up);
    assert_eq!(second.observe(Timestamp::from_ms(8))[0].deployment, RUN);
    let handle = keyhold_os::pidfd::PidFd::open(pid).unwrap();
    handle.signal(rustix::process::Signal::KILL).unwrap();
    wait_for("the death", || {
        let state = second.observe(Timestamp::from_ms(9))[0].state;
        (state == InstanceState::Ended { at: Timestamp::from_ms(9) }).then_some(())
    });
    // The one that started it must reap it for the folder to go without a zombie left behind.
    assert_eq!(
        first.observe(Timestamp::from_ms(9))[0].state,
        InstanceState::Ended { at: Timestamp::from_ms(9) }
    );
    second.remove(BOT, RUN).unwrap();
    assert!(second.observe(Timestamp::from_ms(9)).is_empty());
}

#[test]
fn removing_an_earlier_run_does_not_touch_a_later_one() {
    let folder = temporary();
    let mut local = Local::open(config(folder.path())).unwrap();
    launch(&mut local);
    local.remove(BOT, DeploymentId::from_u128(69)).unwrap();
    assert_eq!(local.observe(Timestamp::from_ms(6)).len(), 1);
    local.remove(BOT, RUN).unwrap();
}
