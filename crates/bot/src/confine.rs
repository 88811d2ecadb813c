//! The walls this process puts around itself before it hears of any secret.
//!
//! It may write its own folder, reach the uplink's and the keeper's sockets, and dial the ports at which exchanges
//! listen and the simulated ports it was told. What the kernel cannot enforce ends the process, unless the operator has
//! accepted a degraded start. How the walls are built is `keyhold_os::sandbox`; this file only says what a bot needs.

use std::path::{Path, PathBuf};

use keyhold_os::harden::{Descriptors, EarlyOptions, Environment, HardenError, harden_early};
use keyhold_os::limits::Limits;
use keyhold_os::sandbox::{
    Accept, IsolationPolicy, Jailed, NameResolution, Network, Profile, SandboxError, UnixConnect, enter,
};
use keyhold_os::secret::{MemoryProtection, SecretError, reserve};
use keyhold_os::self_test;
use keyhold_protocol::uplink::Isolation;

use crate::launch::{IsolationOption, NamesOption, Options};

/// Why the walls do not stand. The process must end.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Memory for secrets could not be reserved.
    #[error("reserving memory for secrets")]
    Memory(#[from] SecretError),
    /// Secrets could reach swap space, and the operator has not accepted that.
    #[error("memory for secrets cannot be locked; --isolation degraded accepts that")]
    MemoryNotLocked,
    /// The sandbox.
    #[error("entering the sandbox")]
    Sandbox(#[from] SandboxError),
}

/// Open descriptors at most: connections, streams, journal, a little room.
const OPEN_FILES: u64 = 256;
/// Longest file: the journal is made anew long before.
const LONGEST_FILE_BYTES: u64 = 256 << 20;
/// Room for one key pair, one data key, one credential and the cipher's working keys.
const SECRET_BYTES: usize = 64 << 10;

/// The first statement of `main`.
pub fn harden() -> Result<(), HardenError> {
    let limits =
        Limits { open_files: Some(OPEN_FILES), file_bytes: Some(LONGEST_FILE_BYTES), ..Limits::default() };
    let options =
        EarlyOptions { environment: Environment::Clear, descriptors: Descriptors::Keep(&[]), limits };
    harden_early(options).map(|_| ())
}

/// Reserves secret memory, closes the sandbox and tells what is in force. Call it while there is one thread.
pub fn confine(options: &Options) -> Result<Isolation, ConfineError> {
    let (memory, jailed) = enter_walls(options)?;
    let missing = missing(memory, &jailed);
    let limitations: Vec<_> = jailed.limitations.iter().map(|one| one.as_str()).collect();
    tracing::info!(memory = memory.as_str(), ?missing, ?limitations, "the sandbox is closed");
    Ok(if missing.is_empty() { Isolation::Full } else { Isolation::Degraded { missing } })
}

/// The walls themselves.
pub(crate) fn enter_walls(options: &Options) -> Result<(MemoryProtection, Jailed), ConfineError> {
    let memory = reserve(SECRET_BYTES)?;
    let policy = match options.isolation {
        IsolationOption::Required => IsolationPolicy::RequireFull,
        IsolationOption::Degraded => IsolationPolicy::AcceptDegraded,
    };
    if memory == MemoryProtection::Plain && policy == IsolationPolicy::RequireFull {
        return Err(ConfineError::MemoryNotLocked);
    }
    Ok((memory, enter(&profile(options), policy)?))
}

/// What is missing, in words for status pages.
pub(crate) fn missing(memory: MemoryProtection, jailed: &Jailed) -> Vec<String> {
    let mut missing = match &jailed.isolation {
        self_test::Isolation::Full => Vec::new(),
        self_test::Isolation::Degraded(missing) => {
            missing.iter().map(|one| one.as_str().to_owned()).collect()
        }
    };
    if memory == MemoryProtection::Plain {
        missing.push("locked_memory".to_owned());
    }
    missing
}

/// What a bot needs, and nothing else.
fn profile(options: &Options) -> Profile {
    let names = match options.names {
        NamesOption::Allowed => NameResolution::Allowed,
        NamesOption::Refused => NameResolution::Refused,
    };
    let ports =
        keyhold_venues::hosts::ports().into_iter().chain(options.simulated_ports.iter().copied()).collect();
    Profile {
        read_paths: Vec::new(),
        write_paths: vec![options.folder.clone()],
        network: Network::TcpConnect { ports, names },
        // Folders rather than sockets: a restarted server or keeper makes a new socket under the old name.
        unix_connect: UnixConnect::To(folders_of(&[&options.uplink, &options.keeper])),
        accept: Accept::Refused,
    }
}

fn folders_of(sockets: &[&Path]) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = sockets
        .iter()
        .filter_map(|socket| socket.parent())
        .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() })
        .filter(|folder| folder.is_dir())
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{Cli, CliCommand};
    use clap::Parser as _;

    fn options(more: &[&str]) -> Options {
        let id = "0".repeat(32);
        let mut words = vec!["keyhold-bot", "run", "--bot", &id, "--deployment", &id];
        words.extend(["--uplink", "/tmp/u", "--keeper", "/tmp/k", "--folder", "/tmp"]);
        words.extend(more);
        match Cli::try_parse_from(words).unwrap().command {
            CliCommand::Run(options) | CliCommand::Verify(options) => options,
            CliCommand::Check(_) => panic!("it was not asked for"),
        }
    }

    #[test]
    fn ports_and_names_are_granted_as_told() {
        let ports = |options: &Options| match profile(options).network {
            Network::TcpConnect { ports, names } => (ports, names),
            Network::None => panic!("a bot dials out"),
        };
        assert_eq!(ports(&options(&[])), (vec![443, 8443], NameResolution::Allowed));
        let simulated = options(&["--simulated-port", "7001", "--names", "refused"]);
        assert_eq!(ports(&simulated), (vec![443, 8443, 7001], NameResolution::Refused));
    }
}
