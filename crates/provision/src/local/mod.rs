//! Bots as processes of this machine: one folder, one user id, one session each.
//!
//! The program is copied once into the run folder under its digest and started from there, so that bots of other
//! users can execute it wherever it was built and an upgrade on disk does not change a running installation. Bots
//! outlive the server; the next server adopts them by process id and start time.

mod inspect;
mod launch;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use keyhold_domain::{BotId, DeploymentId, Timestamp};
use keyhold_os::pidfd::{PidFd, Waited};
use keyhold_os::privileges::PrivilegeError;
use keyhold_os::spawn::SpawnError;

use crate::plan::{Instance, InstanceState};
pub use inspect::inspect;
pub use launch::{Launch, Mode};
use record::Record;

/// What a bot process is allowed to run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationPolicy {
    /// Nothing: every protection must be in force.
    Required,
    /// Missing protections are reported and tolerated.
    Degraded,
}

/// Where and how bots are started.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// The `keyhold-bot` program.
    pub program: PathBuf,
    /// The folder for bots' folders and the pinned program. Must be reachable by the bots' users.
    pub folder: PathBuf,
    /// The server's uplink socket.
    pub uplink: PathBuf,
    /// The keeper's socket.
    pub keeper: PathBuf,
    /// Ports of simulated venues that bots may dial besides those of exchanges.
    pub simulated_ports: Vec<u16>,
    /// What bots may run without.
    pub isolation: IsolationPolicy,
    /// The first user id given to bots when the server is root.
    pub first_uid: u32,
    /// What bots log to their own log file.
    pub log: String,
}

/// The first user id of bots unless configured otherwise; above what Debian and containers hand out.
pub const FIRST_UID: u32 = 210_000;
/// How many bots one machine may have.
pub const MAX_BOTS: u32 = 10_000;

/// Why something could not be done to a process or its folder.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The file system refused.
    #[error("{doing} {path}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The process could not be started.
    #[error("starting the bot's process")]
    Spawn(#[from] SpawnError),
    /// The token could not be handed over.
    #[error("handing the launch token to the bot's process")]
    Token(#[source] io::Error),
    /// A user id is out of reach.
    #[error("choosing the bot's user")]
    Identity(#[from] PrivilegeError),
    /// All user ids are in use.
    #[error("no free user id is left for another bot")]
    NoUser,
    /// The process did not end although it was killed.
    #[error("process {pid} did not end")]
    WillNotEnd {
        /// Which.
        pid: u32,
    },
    /// The program was asked what holds here and gave no answer; it said this.
    #[error("keyhold-bot check gave no answer: {0}")]
    NoAnswer(String),
    /// A process handle could not be used.
    #[error("watching process {pid}")]
    Watch {
        /// Which.
        pid: u32,
        /// Why not.
        #[source]
        source: keyhold_os::pidfd::ProcessError,
    },
}

impl LocalError {
    fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_path_buf(), source }
    }
}

/// A process and how we know when it has ended.
#[derive(Debug)]
struct Running {
    record: Record,
    /// Ours to reap when this server started it.
    child: Option<Child>,
    handle: Option<PidFd>,
    ended_at: Option<Timestamp>,
}

/// The hands on this machine.
#[derive(Debug)]
pub struct Local {
    config: LocalConfig,
    program: PathBuf,
    running: BTreeMap<BotId, Running>,
}

impl Local {
    /// Prepares the folder, pins the program and adopts processes that an earlier server left.
    pub fn open(config: LocalConfig) -> Result<Self, LocalError> {
        launch::prepare_folder(&config.folder)?;
        let program = launch::pin(&config.program, &config.folder)?;
        let mut local = Self { config, program, running: BTreeMap::new() };
        for record in record::read_all(&local.bots_folder())? {
            let handle = record::adopt(&record);
            local.running.insert(record.bot, Running { record, child: None, handle, ended_at: None });
        }
        Ok(local)
    }

    fn bots_folder(&self) -> PathBuf {
        self.config.folder.join("bots")
    }

    /// The folder of a bot: journal, snapshot, log.
    pub fn folder_of(&self, bot: BotId) -> PathBuf {
        self.bots_folder().join(bot.to_string())
    }

    /// The user a bot runs as, when the server is root and a process was started.
    pub fn uid_of(&self, bot: BotId) -> Option<u32> {
        self.running.get(&bot).map(|running| running.record.uid)
    }

    /// Chooses the user for a bot's next process: the one it has, or the lowest free one. Without root it is our own.
    pub fn choose_uid(&self, bot: BotId) -> Result<u32, LocalError> {
        if !keyhold_os::privileges::is_root() {
            return Ok(launch::own_uid());
        }
        if let Some(uid) = self.uid_of(bot) {
            return Ok(uid);
        }
        let taken: BTreeSet<u32> = self.running.values().map(|running| running.record.uid).collect();
        (self.config.first_uid..self.config.first_uid + MAX_BOTS)
            .find(|uid| !taken.contains(uid))
            .ok_or(LocalError::NoUser)
    }

    /// Starts a process. Its folder is kept when it exists: a start is a recovery.
    pub fn launch(&mut self, launch: &Launch<'_>, now: Timestamp) -> Result<u32, LocalError> {
        let folder = self.folder_of(launch.bot);
        let (child, record) = launch::start(&self.config, &self.program, &folder, launch, now)?;
        let pid = record.pid;
        let handle = PidFd::open(pid).map_err(|source| LocalError::Watch { pid, source })?;
        let running = Running { record, child: Some(child), handle: Some(handle), ended_at: None };
        self.running.insert(launch.bot, running);
        Ok(pid)
    }

    /// What is there. Ended processes are reaped.
    pub fn observe(&mut self, now: Timestamp) -> Vec<Instance> {
        self.running.values_mut().map(|running| running.observe(now)).collect()
    }

    /// Asks a process to end in its own time: it flushes its journal and leaves positions as they are.
    pub fn ask_to_end(&self, bot: BotId) -> Result<(), LocalError> {
        self.signal(bot, rustix::process::Signal::TERM)
    }

    fn signal(&self, bot: BotId, signal: rustix::process::Signal) -> Result<(), LocalError> {
        let Some(running) = self.running.get(&bot) else { return Ok(()) };
        let Some(handle) = &running.handle else { return Ok(()) };
        match handle.signal(signal) {
            Err(error) if !error.is_gone() => {
                Err(LocalError::Watch { pid: running.record.pid, source: error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Kills the process if it still lives, waits for its end and removes its folder. Idempotent. A later run of the
    /// same bot is not touched.
    pub fn remove(&mut self, bot: BotId, deployment: DeploymentId) -> Result<(), LocalError> {
        let Some(running) =
            self.running.get_mut(&bot).filter(|running| running.record.deployment == deployment)
        else {
            return Ok(());
        };
        running.kill()?;
        let folder = self.folder_of(bot);
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LocalError::file("removing", &folder)(error)),
        }
        let record = launch::record_path(&folder);
        std::fs::remove_file(&record).map_err(LocalError::file("removing", &record))?;
        self.running.remove(&bot);
        Ok(())
    }
}

const KILL_LIMIT: Duration = Duration::from_secs(10);

impl Running {
    fn observe(&mut self, now: Timestamp) -> Instance {
        if self.ended_at.is_none() && self.has_ended() {
            self.ended_at = Some(now);
        }
        let state = self.ended_at.map_or(InstanceState::Up, |at| InstanceState::Ended { at });
        Instance {
            bot: self.record.bot,
            deployment: self.record.deployment,
            state,
            started_at: self.record.started_at,
            restarts: self.record.restarts,
        }
    }

    fn has_ended(&mut self) -> bool {
        if let Some(child) = &mut self.child {
            // An error means the child is not ours to wait for any more: it has been reaped.
            return child.try_wait().map_or(true, |status| status.is_some());
        }
        self.handle
            .as_ref()
            .is_none_or(|handle| matches!(handle.wait(Duration::ZERO), Ok(Waited::Ended) | Err(_)))
    }

    fn kill(&mut self) -> Result<(), LocalError> {
        let pid = self.record.pid;
        if let Some(handle) = &self.handle {
            match handle.signal(rustix::process::Signal::KILL) {
                Err(source) if !source.is_gone() => return Err(LocalError::Watch { pid, source }),
                Ok(()) | Err(_) => {}
            }
            match handle.wait(KILL_LIMIT) {
                Ok(Waited::StillRunning) => return Err(LocalError::WillNotEnd { pid }),
                Err(source) if !source.is_gone() => return Err(LocalError::Watch { pid, source }),
                Ok(Waited::Ended) | Err(_) => {}
            }
        }
        if let Some(child) = &mut self.child {
            child.wait().map_err(|source| LocalError::File {
                doing: "waiting for",
                path: PathBuf::from(format!("/proc/{pid}")),
                source,
            })?;
        }
        Ok(())
    }
}
