//! Who the tests run as, and how a child in a role is started and heard.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use keyhold_os::privileges::{Identity, is_root};
use keyhold_os::spawn::{ChildOptions, spawn_as};

/// A user nobody else has.
pub(crate) const UNUSED: u32 = 210_001;
/// Environment variable that tells a child its role.
pub(crate) const ROLE: &str = "KEYHOLD_OS_TEST_ROLE";

/// Who a child runs as; `None` is whoever runs the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane(pub(crate) Option<Identity>);

/// All users to test as.
pub(crate) fn lanes() -> Vec<Lane> {
    if is_root() {
        return vec![Lane(None), unprivileged()];
    }
    loudly("not root: only the unprivileged half runs; dropping root is NOT PROVEN here");
    vec![Lane(None)]
}

/// The unprivileged user.
pub(crate) fn unprivileged() -> Lane {
    Lane(is_root().then(|| Identity::new(UNUSED, UNUSED).unwrap()))
}

/// Past the harness, which hides what passing tests print.
pub(crate) fn loudly(text: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {text}\n").as_bytes()).unwrap();
}

/// This binary where every user can execute it.
fn executable() -> PathBuf {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    COPY.get_or_init(|| {
        let folder = open_folder();
        let copy = folder.path().join("child");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        (folder, copy)
    })
    .1
    .clone()
}

/// A temporary folder every user can look into.
pub(crate) fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A temporary folder that belongs to the lane's user.
pub(crate) fn own_folder(lane: Lane) -> tempfile::TempDir {
    let folder = open_folder();
    if let Some(identity) = lane.0 {
        std::os::unix::fs::chown(folder.path(), Some(identity.uid()), Some(identity.gid())).unwrap();
    }
    folder
}

/// The command that starts a child in a role.
pub(crate) fn command(role: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(executable());
    command.env_clear().env(ROLE, role).envs(settings.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a child said, as `key=value` lines.
pub(crate) type Said = BTreeMap<String, String>;

/// Runs a child to its end.
pub(crate) fn run(role: &str, lane: Lane, settings: &[(&str, &str)]) -> Output {
    let options = ChildOptions { identity: lane.0, ..ChildOptions::default() };
    spawn_as(&mut command(role, settings), options).unwrap().wait_with_output().unwrap()
}

/// Runs a child that must succeed, and returns what it said.
pub(crate) fn hear(role: &str, lane: Lane, settings: &[(&str, &str)]) -> Said {
    told(&run(role, lane, settings), &format!("{role} as {lane:?}"))
}

/// What a running child says until its end, which must be a success.
pub(crate) fn heard(child: Child) -> Said {
    told(&child.wait_with_output().unwrap(), "child")
}

fn told(output: &Output, who: &str) -> Said {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{who}: {}\n{stdout}\n{stderr}", output.status);
    parse(&stdout)
}

pub(crate) fn parse(text: &str) -> Said {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// The first line a running child says.
pub(crate) fn first_line(child: &mut Child) -> String {
    let mut said = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    said
}
