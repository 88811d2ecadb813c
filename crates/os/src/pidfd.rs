//! A handle on a process that cannot come to mean another one.
//!
//! Process numbers are reused; a descriptor from pidfd_open(2) or `SO_PEERPIDFD` is not. Knows nothing about what the
//! process does.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

pub use rustix::process::Signal;

/// A process, by descriptor. Readable (`POLLIN`) once the process has ended, so an async runtime can wait on it.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

/// What waiting found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The process has ended. Its parent may not have collected it yet.
    Ended,
    /// It still ran when the time was up.
    StillRunning,
}

/// A process could not be opened, awaited or signaled.
#[derive(Debug, thiserror::Error)]
#[error("{doing} process {pid}")]
pub struct ProcessError {
    doing: &'static str,
    pid: String,
    #[source]
    source: std::io::Error,
}

impl ProcessError {
    pub(crate) fn new(doing: &'static str, pid: Option<u32>, source: impl Into<std::io::Error>) -> Self {
        let pid = pid.map_or_else(|| "behind a descriptor".to_owned(), |pid| pid.to_string());
        Self { doing, pid, source: source.into() }
    }

    /// Whether the reason is that no such process exists any more.
    pub fn is_gone(&self) -> bool {
        self.source.raw_os_error() == Some(libc::ESRCH) || self.source.kind() == std::io::ErrorKind::NotFound
    }
}

impl PidFd {
    /// Opens a process by number. Check afterwards, by start time or executable, that it is the one you meant.
    ///
    /// # Errors
    /// [`ProcessError`], with [`ProcessError::is_gone`] when there is no such process.
    pub fn open(pid: u32) -> Result<Self, ProcessError> {
        let number = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| ProcessError::new("opening", Some(pid), Errno::SRCH))?;
        rustix::process::pidfd_open(number, PidfdFlags::empty())
            .map(Self)
            .map_err(|errno| ProcessError::new("opening", Some(pid), errno))
    }

    pub(crate) fn from_owned(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// What the kernel calls the process: unique until the next boot, also after the number was reused. `None` on kernels
    /// before 6.9, where process descriptors had no inodes of their own; see [`identities_are_unique`].
    pub fn identity(&self, unique: Identities) -> Option<u64> {
        match unique {
            Identities::Unique => rustix::fs::fstat(&self.0).ok().map(|facts| facts.st_ino),
            Identities::Unknown => None,
        }
    }

    /// Waits at most `limit` (whole milliseconds) for the process to end. `Duration::ZERO` asks without waiting.
    ///
    /// # Errors
    /// [`ProcessError`] when the kernel refuses; an interruption by a signal counts as time up.
    pub fn wait(&self, limit: Duration) -> Result<Waited, ProcessError> {
        let timeout = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        let mut waiting = [PollFd::new(&self.0, PollFlags::IN)];
        match rustix::event::poll(&mut waiting, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => Ok(Waited::StillRunning),
            Ok(_) => Ok(Waited::Ended),
            Err(errno) => Err(ProcessError::new("waiting for", None, errno)),
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// [`ProcessError`], with [`ProcessError::is_gone`] when the process has ended and been collected.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        rustix::process::pidfd_send_signal(&self.0, signal)
            .map_err(|errno| ProcessError::new("signaling", None, errno))
    }
}

/// Whether a process descriptor's inode tells processes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identities {
    /// It does: pidfs, Linux 6.9 and newer.
    Unique,
    /// It does not.
    Unknown,
}

/// Asks the kernel. To be called before a sandbox in which file systems cannot be told apart.
pub fn identities_are_unique() -> Identities {
    /// `PID_FS_MAGIC`, linux/magic.h.
    const PID_FS: u64 = 0x5049_4446;
    let own = PidFd::open(std::process::id()).ok().and_then(|own| rustix::fs::fstatfs(&own.0).ok());
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "type and sign differ between platforms"
    )]
    let unique = own.is_some_and(|facts| facts.f_type as u64 == PID_FS);
    if unique { Identities::Unique } else { Identities::Unknown }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
