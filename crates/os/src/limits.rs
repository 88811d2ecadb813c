//! Resource limits of a process: a bound on what a runaway or hostile bot can take from its neighbors.
//!
//! Limits are per process (per user for `processes`); bounds for a group of processes are the business of
//! [`crate::cgroup`]. No limit on address space: secret memory and thread stacks reserve far more than they use.

use rustix::process::{Resource, Rlimit};

/// Limits to set; `None` leaves one as it is. Both the soft and the hard limit are set, so they cannot be raised again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Largest core file in bytes (`RLIMIT_CORE`).
    pub core_bytes: Option<u64>,
    /// Open descriptors (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Processes and threads of the *user* (`RLIMIT_NPROC`); root is exempt. Sensible only with one user per bot.
    pub processes: Option<u64>,
    /// Largest file written, in bytes (`RLIMIT_FSIZE`); exceeding it raises SIGXFSZ.
    pub file_bytes: Option<u64>,
    /// Memory locked in place, in bytes (`RLIMIT_MEMLOCK`); secret memory counts against it.
    pub locked_bytes: Option<u64>,
}

/// A limit that could not be set.
#[derive(Debug, thiserror::Error)]
#[error("limiting {what} to {value}")]
pub struct LimitsError {
    what: &'static str,
    value: u64,
    #[source]
    source: std::io::Error,
}

impl Limits {
    /// No core files and nothing else.
    pub const NO_CORE: Self =
        Self { core_bytes: Some(0), open_files: None, processes: None, file_bytes: None, locked_bytes: None };

    /// Sets the limits for the calling process. A limit above the present hard limit is lowered to it: a program that
    /// asks for 256 files where the operator allows 100 gets 100.
    ///
    /// # Errors
    /// [`LimitsError`] when the kernel refuses.
    pub fn apply(&self) -> Result<(), LimitsError> {
        for (what, resource, value) in self.wanted() {
            set(resource, value).map_err(|errno| LimitsError { what, value, source: errno.into() })?;
        }
        Ok(())
    }

    /// As [`apply`](Self::apply), for use between fork and exec: allocates nothing.
    pub(crate) fn apply_in_child(&self) -> rustix::io::Result<()> {
        self.wanted().try_for_each(|(_, resource, value)| set(resource, value))
    }

    fn wanted(&self) -> impl Iterator<Item = (&'static str, Resource, u64)> {
        [
            ("core file size", Resource::Core, self.core_bytes),
            ("open files", Resource::Nofile, self.open_files),
            ("processes of the user", Resource::Nproc, self.processes),
            ("file size", Resource::Fsize, self.file_bytes),
            ("locked memory", Resource::Memlock, self.locked_bytes),
        ]
        .into_iter()
        .filter_map(|(what, resource, value)| value.map(|value| (what, resource, value)))
    }
}

fn set(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let value = rustix::process::getrlimit(resource).maximum.map_or(value, |maximum| value.min(maximum));
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}
