//! `keyhold-bot check`: puts up the walls with nothing to protect, tries what must fail, and tells what held.
//!
//! The same walls as in a real start, as the same program; only the token and the key are missing. What is missing is an
//! answer here and no failure: the exit code says only whether there is an answer.

use std::path::PathBuf;

use keyhold_domain::{BotId, DeploymentId};
use keyhold_os::sandbox::{LandlockStatus, SeccompStatus};
use keyhold_protocol::walls::{Probe, Walls};

use crate::confine::{self, ConfineError};
use crate::launch::{IsolationOption, LogForm, NamesOption, Options};

/// What decides about the walls.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckOptions {
    /// The server's uplink socket; its folder must exist.
    #[arg(long)]
    pub uplink: PathBuf,
    /// The keeper's socket; its folder must exist.
    #[arg(long)]
    pub keeper: PathBuf,
    /// A folder that may be written.
    #[arg(long)]
    pub folder: PathBuf,
    /// Whether host names can be looked up.
    #[arg(long, value_enum, default_value_t = NamesOption::Allowed)]
    pub names: NamesOption,
}

/// Puts up the walls around this process and tells of them. Call it while there is one thread.
///
/// # Errors
/// [`ConfineError`] when the walls could not even be tried.
pub fn check(options: CheckOptions) -> Result<Walls, ConfineError> {
    let options = Options {
        bot: BotId::from_u128(0),
        deployment: DeploymentId::from_u128(0),
        uplink: options.uplink,
        keeper: options.keeper,
        folder: options.folder,
        simulated_ports: Vec::new(),
        isolation: IsolationOption::Degraded,
        names: options.names,
        log: String::new(),
        log_form: LogForm::Text,
    };
    let (memory, jailed) = confine::enter_walls(&options)?;
    let probes = jailed.report.results().iter();
    Ok(Walls {
        memory: memory.as_str().to_owned(),
        landlock: match jailed.landlock {
            LandlockStatus::Enforced { abi } => Some(abi),
            LandlockStatus::Unavailable => None,
        },
        system_calls: match jailed.seccomp {
            SeccompStatus::Enforced { allowed } => Some(u32::try_from(allowed).unwrap_or(u32::MAX)),
            SeccompStatus::Unavailable => None,
        },
        missing: confine::missing(memory, &jailed),
        limitations: jailed.limitations.iter().map(|one| one.as_str().to_owned()).collect(),
        probes: probes
            .map(|(probe, outcome)| Probe {
                name: probe.as_str().to_owned(),
                outcome: outcome.as_str().to_owned(),
            })
            .collect(),
    })
}
