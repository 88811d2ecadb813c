//! The sandbox a program puts itself into before it touches a secret: [`Profile`] says what remains possible,
//! [`enter`] closes everything else, proves it, and arms the trap.
//!
//! Two layers, because each has holes the other closes: Landlock for files, TCP ports and signals (`files.rs`), seccomp
//! for everything else (`filter.rs`, `allowed.rs`). Neither needs root. What the layers cannot do on the running kernel
//! is reported as [`Missing`]; what they cannot do on any kernel as [`Limitation`].
//!
//! Known to work inside: a multi-threaded tokio runtime with TCP, UNIX sockets, files, timers and signals; rustls with
//! aws-lc-rs; name resolution where granted. Known not to: `std::fs::copy` and setting permissions (use read and write),
//! name-service plug-ins the C library would have to load, and processor quotas, which cannot be read.
//!
//! It does not close descriptors that are already open, does not hide the existence of files (stat works), and is no
//! substitute for one user per bot.

mod allowed;
mod files;
mod filter;
mod profile;

use std::path::PathBuf;

use crate::harden::{HardenError, thread_count};
use crate::self_test::{Baseline, Isolation, ProbeId, Report};

pub use files::LandlockStatus;
pub use filter::SeccompStatus;
pub use profile::{Accept, Limitation, NameResolution, Network, Profile, UnixConnect};

/// A protection the profile asks for and the running system does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No Landlock: files outside the grants are protected by permissions only.
    Landlock,
    /// No Landlock rule for truncating files (kernel before 6.2).
    TruncateRule,
    /// No Landlock rule for TCP ports (kernel before 6.7): any port can be reached.
    TcpPortRule,
    /// No Landlock scoping (kernel before 6.12): abstract sockets and signals to processes of the same user.
    SocketAndSignalScope,
    /// No seccomp: every system call is there.
    Seccomp,
    /// The self-test succeeded in something that must fail.
    Probe(ProbeId),
}

impl Missing {
    /// The word for status pages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landlock => "landlock",
            Self::TruncateRule => "landlock_truncate",
            Self::TcpPortRule => "landlock_tcp_ports",
            Self::SocketAndSignalScope => "landlock_scopes",
            Self::Seccomp => "seccomp",
            Self::Probe(probe) => probe.as_str(),
        }
    }
}

/// Why the sandbox could not be entered. The process may be half-way in and must exit.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Threads that run already would stay outside.
    #[error("the sandbox must be entered before any thread is started, and {count} threads run")]
    ThreadsRunning {
        /// Threads of the process.
        count: usize,
    },
    /// Threads could not be counted.
    #[error(transparent)]
    Threads(#[from] HardenError),
    /// A path of the profile could not be granted.
    #[error("granting {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Landlock refused.
    #[error("Landlock: {doing}")]
    Landlock {
        /// What was being done.
        doing: &'static str,
        /// The reason.
        #[source]
        source: Box<landlock::RulesetError>,
    },
    /// A layer reported success without being fully in force.
    #[error("{0} is not fully in force")]
    NotEnforced(&'static str),
    /// The system-call filter could not be made.
    #[error("compiling the system-call filter")]
    Compile(#[source] seccompiler::BackendError),
    /// The system-call filter could not be installed.
    #[error("installing the system-call filter")]
    Install(#[source] seccompiler::Error),
    /// The sandbox is weaker than asked for and the policy does not accept that.
    #[error("the sandbox lacks: {}", names(.0))]
    Insufficient(Vec<Missing>),
}

fn names(missing: &[Missing]) -> String {
    missing.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
}

/// What to do when the running system cannot give everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationPolicy {
    /// Refuse to go on.
    RequireFull,
    /// Go on and report. Only on the operator's explicit word.
    AcceptDegraded,
}

/// The restrictions are in force; the trap for hostile calls is not armed yet.
#[derive(Debug)]
#[must_use = "run the self-test, then arm"]
pub struct Applied {
    /// The file and port layer.
    pub landlock: LandlockStatus,
    /// The system-call layer.
    pub seccomp: SeccompStatus,
    /// What the kernel lacks for this profile.
    pub missing: Vec<Missing>,
    /// What the profile grants more widely than it says.
    pub limitations: Vec<Limitation>,
    baseline: Baseline,
}

/// A process inside the sandbox, tested and armed.
#[derive(Debug)]
pub struct Jailed {
    /// The file and port layer.
    pub landlock: LandlockStatus,
    /// The system-call layer.
    pub seccomp: SeccompStatus,
    /// Whether anything is missing.
    pub isolation: Isolation,
    /// What the profile grants more widely than it says.
    pub limitations: Vec<Limitation>,
    /// What was tried and how it ended.
    pub report: Report,
}

/// Applies the profile, tests it, refuses to go on if the policy says so, and arms the trap: the whole way in.
///
/// Must be called while the process has one thread (before an async runtime is built). Open log files and listening
/// sockets before. The paths of the profile must exist, and are meant as they are now: a file that is later replaced by
/// another of the same name is not granted, a directory's new files are.
///
/// # Errors
/// [`SandboxError`]; the process must exit, since some restrictions may be in force and others not.
pub fn enter(profile: &Profile, policy: IsolationPolicy) -> Result<Jailed, SandboxError> {
    let applied = apply(profile)?;
    let report = applied.self_test();
    let isolation = applied.isolation(&report);
    if let (Isolation::Degraded(missing), IsolationPolicy::RequireFull) = (&isolation, policy) {
        return Err(SandboxError::Insufficient(missing.clone()));
    }
    let Applied { landlock, seccomp, limitations, .. } = applied;
    arm(seccomp)?;
    Ok(Jailed { landlock, seccomp, isolation, limitations, report })
}

/// Applies the profile without testing or arming; [`enter`] is what programs call.
///
/// # Errors
/// [`SandboxError`], except [`SandboxError::Insufficient`].
pub fn apply(profile: &Profile) -> Result<Applied, SandboxError> {
    let count = thread_count()?;
    if count != 1 {
        return Err(SandboxError::ThreadsRunning { count });
    }
    // The library for system calls reads /proc/self/auxv when it first needs this, and panics if it cannot.
    rustix::param::page_size();
    // What could be done before: a refusal afterwards proves something only if the same was possible now.
    let baseline = Baseline::take(profile);
    let limitations = limitations(profile);
    let landlock = files::restrict(profile)?;
    let seccomp = filter::restrict(profile)?;
    let mut missing = landlock.missing(profile);
    if seccomp == SeccompStatus::Unavailable {
        missing.push(Missing::Seccomp);
    }
    Ok(Applied { landlock, seccomp, missing, limitations, baseline })
}

impl Applied {
    /// Tries what must fail now. Changes nothing; see [`crate::self_test`].
    pub fn self_test(&self) -> Report {
        self.baseline.test()
    }

    /// Judges the layers and a report together.
    pub fn isolation(&self, report: &Report) -> Isolation {
        let missing: Vec<Missing> =
            self.missing.iter().copied().chain(report.allowed().map(Missing::Probe)).collect();
        if missing.is_empty() { Isolation::Full } else { Isolation::Degraded(missing) }
    }

    /// From now on, execve and its like end the process; see [`enter`].
    ///
    /// # Errors
    /// [`SandboxError::Install`].
    pub fn arm(self) -> Result<(), SandboxError> {
        arm(self.seccomp)
    }
}

fn arm(seccomp: SeccompStatus) -> Result<(), SandboxError> {
    match seccomp {
        SeccompStatus::Enforced { .. } => filter::arm(),
        SeccompStatus::Unavailable => Ok(()),
    }
}

fn limitations(profile: &Profile) -> Vec<Limitation> {
    let udp = profile.resolves_names().then_some(Limitation::UdpToAnyHost);
    let unix = match profile.unix_connect {
        UnixConnect::Refused => None,
        UnixConnect::To(_) => {
            (!files::tells_paths_of_unix_sockets_apart()).then_some(Limitation::AnyUnixSocket)
        }
    };
    udp.into_iter().chain(unix).collect()
}
