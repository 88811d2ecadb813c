//! What a program that will hold a secret does to itself before anything else.
//!
//! The kernel resets "not dumpable" at every `execve`, so a launcher cannot do this on behalf of a child: each
//! program calls [`harden_early`] as the first statement of `main`, before it opens a file or starts a thread.
//! It knows nothing about users and sandboxes; see [`crate::privileges`] and [`crate::sandbox`].

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::DumpableBehavior;

use crate::limits::{Limits, LimitsError};

/// What happens to the environment variables the program was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// They stay. Other processes of the same user can read them through `/proc`.
    Keep,
    /// They are overwritten where `/proc/PID/environ` shows them, then removed.
    Clear,
}

/// Which descriptors survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptors<'a> {
    /// All of them.
    KeepAll,
    /// Standard input, output and error, and these. All others are closed.
    Keep(&'a [RawFd]),
}

/// What [`harden_early`] is to do.
#[derive(Debug, Clone, Copy)]
pub struct EarlyOptions<'a> {
    /// What happens to the environment.
    pub environment: Environment,
    /// Which descriptors survive.
    pub descriptors: Descriptors<'a>,
    /// Resource limits. A core size of zero is always applied.
    pub limits: Limits,
}

/// Whether the kernel now refuses to make writable memory executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOrExecute {
    /// In force for the life of the process and inherited by children.
    Enforced,
    /// The kernel is older than 6.3 or the architecture lacks it; the sandbox's own filter still applies.
    Unavailable,
}

/// What was reached, for the status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardened {
    /// Whether writable memory can still become executable.
    pub write_or_execute: WriteOrExecute,
}

/// Why hardening failed. The process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum HardenError {
    /// Called a second time, when descriptors already have owners.
    #[error("hardening is done once, as the first statement of main, and it was done already")]
    CalledTwice,
    /// Other threads run already.
    #[error("hardening must come before any thread is started, and {count} threads run")]
    ThreadsRunning {
        /// Threads of the process.
        count: usize,
    },
    /// A system call failed.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel accepted a setting and does not show it.
    #[error("the kernel accepted {0} but does not report it as set")]
    NotInForce(&'static str),
    /// A resource limit could not be set.
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl HardenError {
    fn during<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { doing, source: source.into() }
    }
}

static DONE: AtomicBool = AtomicBool::new(false);

/// Makes the process unreadable for its peers and unable to gain privileges: not dumpable (read back), no new
/// privileges (read back), no core file, stray descriptors closed, limits set, environment removed if asked.
///
/// Not dumpable also stops cores that go to a pipe, which a core size of zero does not (core(5)).
///
/// # Errors
/// [`HardenError::CalledTwice`] and [`HardenError::ThreadsRunning`] when it is not the first thing `main` does; the
/// others when the kernel refuses. After an error the process must exit.
pub fn harden_early(options: EarlyOptions<'_>) -> Result<Hardened, HardenError> {
    if DONE.swap(true, Ordering::SeqCst) {
        return Err(HardenError::CalledTwice);
    }
    let count = thread_count()?;
    if count != 1 {
        return Err(HardenError::ThreadsRunning { count });
    }
    forbid_dumps()?;
    forbid_new_privileges()?;
    Limits::NO_CORE.apply()?;
    options.limits.apply()?;
    if let Descriptors::Keep(kept) = options.descriptors {
        close_all_but(kept)?;
    }
    if options.environment == Environment::Clear {
        clear_environment()?;
    }
    Ok(Hardened { write_or_execute: forbid_write_and_execute()? })
}

/// How many threads the process has.
///
/// # Errors
/// [`HardenError::System`] when `/proc` is not mounted.
pub fn thread_count() -> Result<usize, HardenError> {
    let tasks = std::fs::read_dir("/proc/self/task")
        .map_err(HardenError::during::<io::Error>("counting threads in /proc/self/task"))?;
    Ok(tasks.count())
}

/// Whether the process refuses to be dumped and traced by its peers.
pub fn is_dumpable() -> Result<bool, HardenError> {
    let behavior = rustix::process::dumpable_behavior()
        .map_err(HardenError::during("reading back whether the process is dumpable"))?;
    Ok(behavior != DumpableBehavior::NotDumpable)
}

fn forbid_dumps() -> Result<(), HardenError> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(HardenError::during("making the process not dumpable"))?;
    if is_dumpable()? { Err(HardenError::NotInForce("not dumpable")) } else { Ok(()) }
}

fn forbid_new_privileges() -> Result<(), HardenError> {
    rustix::thread::set_no_new_privs(true).map_err(HardenError::during("forbidding new privileges"))?;
    let set = rustix::thread::no_new_privs().map_err(HardenError::during("reading back no_new_privs"))?;
    if set { Ok(()) } else { Err(HardenError::NotInForce("no_new_privs")) }
}

/// `PR_SET_MDWE`: prctl(2).
fn forbid_write_and_execute() -> Result<WriteOrExecute, HardenError> {
    let none: libc::c_ulong = 0;
    // SAFETY: this prctl takes flags only.
    let answer = unsafe {
        libc::prctl(libc::PR_SET_MDWE, libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN), none, none, none)
    };
    if answer == 0 {
        return Ok(WriteOrExecute::Enforced);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP) => Ok(WriteOrExecute::Unavailable),
        // The launcher may have set it already; the flags cannot be changed again.
        Some(libc::EPERM) => Ok(WriteOrExecute::Enforced),
        _ => Err(HardenError::System {
            doing: "forbidding memory that is writable and executable",
            source: error,
        }),
    }
}

/// Closes every descriptor from 3 up that is not in `kept`.
fn close_all_but(kept: &[RawFd]) -> Result<(), HardenError> {
    let mut kept: Vec<u32> =
        kept.iter().filter_map(|raw| u32::try_from(*raw).ok()).filter(|raw| *raw > 2).collect();
    kept.sort_unstable();
    kept.dedup();
    let mut first = 3;
    for descriptor in kept {
        close_range(first, descriptor - 1)?;
        first = descriptor + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), HardenError> {
    if first > last {
        return Ok(());
    }
    // SAFETY: closing a descriptor cannot corrupt memory. That nobody owns one yet is what "first statement of main,
    // one thread, only once" (checked by the caller) stands for.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if answer == 0 {
        Ok(())
    } else {
        Err(HardenError::during("closing stray descriptors")(io::Error::last_os_error()))
    }
}

fn clear_environment() -> Result<(), HardenError> {
    // SAFETY: the process has one thread (checked by the caller), so nobody else reads or writes `environ`; every entry
    // up to the null pointer is a writable NUL-terminated string placed there by the kernel or the C library.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            libc::explicit_bzero((*entry).cast(), libc::strlen(*entry));
            entry = entry.add(1);
        }
    }
    // SAFETY: one thread, as above.
    if unsafe { libc::clearenv() } == 0 {
        Ok(())
    } else {
        Err(HardenError::NotInForce("the removal of the environment"))
    }
}

unsafe extern "C" {
    /// The C library's list of environment strings, environ(7).
    static mut environ: *mut *mut libc::c_char;
}
