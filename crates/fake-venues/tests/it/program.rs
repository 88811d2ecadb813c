//! The program itself: starts, says where it is, ends when asked.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

#[test]
fn it_prints_its_addresses_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = folder.path().join("accounts.toml");
    std::fs::write(&accounts, crate::client::ACCOUNTS).unwrap();
    let socket = folder.path().join("control.sock");
    let mut child = Command::new(env!("CARGO_BIN_EXE_keyhold-fake-venue"))
        .args([
            "--venue",
            "bybit",
            "--speed",
            "0",
            "--print-address",
            "--history",
            "10",
            "--exit-with-parent",
            "--accounts",
        ])
        .arg(&accounts)
        .arg("--control")
        .arg(&socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses: Value = serde_json::from_str(&line).unwrap();
    let address = addresses["rest"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "the program did not end");
        std::thread::yield_now();
    };
    assert!(status.success());
    assert!(!socket.exists(), "the control socket is removed");
}

#[test]
fn a_bad_command_line_is_refused() {
    for arguments in [&["bybit"][..], &["nowhere"], &["bybit", "--accounts", "/nowhere/accounts.toml"]] {
        let program = env!("CARGO_BIN_EXE_keyhold-fake-venue");
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
