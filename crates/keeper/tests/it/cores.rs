//! A crash of the keeper leaves no core file, even where cores are wanted; the control leaves one, with its secret in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyhold_os::pidfd::{PidFd, Signal, Waited};

use crate::fixture::new_folder;
use crate::process::WITHIN;

/// The shell asks for cores of any size, then becomes the program.
const WANTING_CORES: &str = "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"";

fn shell(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", WANTING_CORES, program]).args(arguments).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command
}

fn cores(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("core")))
        .collect()
}

/// Ends a process with a signal whose default is a core (signal(7)), and which nothing here handles.
fn crash(pid: u32) {
    let process = PidFd::open(pid).unwrap();
    process.signal(Signal::ABORT).unwrap();
    assert_eq!(process.wait(WITHIN).unwrap(), Waited::Ended);
}

#[test]
fn a_crash_leaves_no_core() {
    const MARKER: &str = "made-up-secret-in-the-environment-of-the-control";
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with(['|', '/', '@']) {
        return eprintln!("NOT PROVEN ON THIS HOST: cores go elsewhere ({})", pattern.trim());
    }
    let control = tempfile::tempdir().unwrap();
    let mut child = shell(control.path(), "sleep", &["60"]).env("MARKER", MARKER).spawn().unwrap();
    // The shell has become the program once the environment shows nothing of the shell's own arguments.
    let deadline = Instant::now() + WITHIN;
    while !fs::read_to_string(format!("/proc/{}/comm", child.id())).is_ok_and(|name| name.trim() == "sleep") {
        assert!(Instant::now() < deadline, "the control does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    crash(child.id());
    child.wait().unwrap();
    let Some(core) = cores(control.path()).pop() else {
        return eprintln!("NOT PROVEN ON THIS HOST: the control left no core file either");
    };
    let bytes = fs::read(core).unwrap();
    assert!(
        bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()),
        "the control's secret is found"
    );

    let folder = new_folder();
    let (dir, socket) = (folder.path().join("keeper"), folder.path().join("socket"));
    let arguments = ["serve", "--dir", dir.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    let mut child = shell(folder.path(), env!("CARGO_BIN_EXE_keyhold-keeper"), &arguments).spawn().unwrap();
    let deadline = Instant::now() + WITHIN;
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(
            child.try_wait().unwrap().is_none() && Instant::now() < deadline,
            "the keeper does not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    crash(child.id());
    child.wait().unwrap();
    assert_eq!(cores(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(cores(&dir), Vec::<PathBuf>::new());
}
