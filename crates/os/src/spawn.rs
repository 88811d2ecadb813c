//! Starting a child as somebody else, with nothing of the launcher's left in it.
//!
//! A safe face for what `std::process::Command` offers only as `unsafe`: code that runs between fork and exec.
//! It does not know what is started or why. The child still has to call [`crate::harden::harden_early`] itself,
//! because exec resets "not dumpable".

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::io::{Errno, FdFlags};
use rustix::process::Signal;

use crate::limits::Limits;
use crate::privileges::{Identity, PrivilegeError, drop_this_thread};

/// Which session the child belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Session {
    /// Its own: Ctrl-C and a closing terminal reach the launcher only.
    #[default]
    New,
    /// The launcher's.
    Inherited,
}

/// What happens to the child when the thread that started it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnParentDeath {
    /// It goes on. Bots must: a restart of the server is not a reason to leave a position unwatched.
    #[default]
    Survive,
    /// It is killed. Mind that the kernel means the *thread* that started it, prctl(2).
    Kill,
}

/// How a child is started.
#[derive(Debug, Default)]
pub struct ChildOptions {
    /// Who the child runs as; `None` keeps the launcher's user. Dropping takes root.
    pub identity: Option<Identity>,
    /// Which session it belongs to.
    pub session: Session,
    /// Whether it outlives the launcher.
    pub on_parent_death: OnParentDeath,
    /// Its resource limits. A core size of zero is always applied.
    pub limits: Limits,
    /// Descriptors the child gets besides standard input, output and error, under the same numbers as here.
    pub descriptors: Vec<OwnedFd>,
    /// Files into which the child writes itself before anything else: `cgroup.procs` of the groups it joins.
    pub join_groups: Vec<File>,
}

/// Why a child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The identity is out of reach.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// Fork, one of the steps in the child, or exec failed; the kernel tells only the number.
    #[error("starting {program} as user {user}")]
    Start {
        /// The program.
        program: String,
        /// Number of the user, or `same`.
        user: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Waits, in milliseconds, for a program file that is still open for writing: together a second and a half.
const BUSY_WAITS_MS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512];

/// Starts `command` as `options` say. See [`prepare`] for what is guaranteed.
///
/// A program that was written a moment ago may be busy: any other thread that forked while it was written holds the
/// file open until its own exec. That passes by itself, so it is waited for, blocking the thread.
///
/// # Errors
/// [`SpawnError`]; no child is left behind.
pub fn spawn_as(command: &mut Command, options: ChildOptions) -> Result<Child, SpawnError> {
    let user = options.identity.map_or_else(|| "same".to_owned(), |identity| identity.uid().to_string());
    prepare(command, options)?;
    let mut spawned = command.spawn();
    for wait_ms in BUSY_WAITS_MS {
        match &spawned {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(wait_ms));
            }
            Ok(_) | Err(_) => break,
        }
        spawned = command.spawn();
    }
    spawned.map_err(|source| SpawnError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        user,
        source,
    })
}

/// Arranges that `command`, however it is spawned later (also through an async runtime's own type made from it), starts
/// its child with: the groups joined, the limits set, a mask that keeps new files private, its own session if asked,
/// every privilege dropped, new privileges forbidden, and all descriptors closed but 0, 1, 2 and those listed.
///
/// Does not touch the environment: call `command.env_clear()`. Call `prepare` once per command: the
/// descriptors listed stay open in this process until `command` is dropped.
///
/// # Errors
/// [`SpawnError::Privileges`] when the identity is out of reach.
pub fn prepare(command: &mut Command, options: ChildOptions) -> Result<(), SpawnError> {
    if let Some(identity) = options.identity {
        identity.check_reachable()?;
    }
    let launcher = rustix::process::getpid();
    let in_child = move || become_child(&options, launcher).map_err(io::Error::from);
    // SAFETY: the closure runs in the forked child before exec. It makes system calls on values prepared here,
    // allocates nothing, takes no lock and returns errors that are plain numbers.
    unsafe { command.pre_exec(in_child) };
    Ok(())
}

/// Runs in the child. Nothing here may allocate or lock.
fn become_child(options: &ChildOptions, launcher: rustix::process::Pid) -> Result<(), Errno> {
    for group in &options.join_groups {
        // "0" stands for the writing process itself, cgroups(7).
        let mut group: &File = group;
        group.write_all(b"0").map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    }
    Limits::NO_CORE.apply_in_child()?;
    options.limits.apply_in_child()?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if options.session == Session::New {
        rustix::process::setsid()?;
    }
    match options.identity {
        Some(identity) => drop_this_thread(identity).map_err(|failed| failed.errno)?,
        None => rustix::thread::set_no_new_privs(true)?,
    }
    // After the change of user, which resets it.
    if options.on_parent_death == OnParentDeath::Kill {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(launcher) {
            return Err(Errno::SRCH);
        }
    }
    close_others_on_exec()?;
    options.descriptors.iter().try_for_each(|kept| keep_on_exec(kept.as_fd()))
}

/// Marks every descriptor from 3 up as "close on exec" instead of closing it: the standard library still needs its own
/// to report a failed exec.
fn close_others_on_exec() -> Result<(), Errno> {
    // SAFETY: the flag only changes what happens at exec.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if answer == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}

fn keep_on_exec(descriptor: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::io::fcntl_setfd(descriptor, FdFlags::empty())
}
