//! Who is at the other end of a UNIX socket.
//!
//! `SO_PEERCRED` tells who *connected*, at the time of connecting: a process that connects as root and then drops its
//! privileges still shows as root, and on an inherited socket pair the answer is whoever made the pair. So only check
//! peers that connect by themselves after their launch. This module reports facts; whether they are the right ones, and
//! the digest of the executable, is for the caller to judge.

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::pidfd::{PidFd, ProcessError, Waited};

/// Bytes of `/proc/PID/stat` read at most; the line is a few hundred bytes long.
const STAT_LIMIT: u64 = 4096;

/// What the kernel recorded about the peer when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Process number, in this process's namespace.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
}

/// Why a peer could not be identified.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The socket does not answer, for instance because it is not a UNIX socket.
    #[error("asking the socket for {asked}")]
    Socket {
        /// What was asked.
        asked: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
    /// The peer is in another process namespace and has no number here.
    #[error("the peer has no process number in this namespace")]
    ForeignNamespace,
    /// The process could not be examined.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended while it was examined, so what was read may belong to a successor of the same number.
    #[error("the peer, process {pid}, ended while it was examined")]
    Ended {
        /// Its number.
        pid: u32,
    },
    /// The kernel's description of the process was not understood.
    #[error("reading the start time of process {pid}: unexpected format")]
    Format {
        /// Its number.
        pid: u32,
    },
}

/// A peer held by descriptor, so that its number cannot come to mean another process unnoticed.
#[derive(Debug)]
pub struct Peer {
    credentials: PeerCredentials,
    handle: PidFd,
}

impl Peer {
    /// Identifies the peer of a connected UNIX socket (kernel 6.5 or newer).
    ///
    /// # Errors
    /// [`PeerError`] when the socket does not tell, or the peer has already ended.
    pub fn of(socket: impl AsFd) -> Result<Self, PeerError> {
        let credentials = credentials(&socket)?;
        let peer = Self { credentials, handle: pidfd(&socket)? };
        peer.still_alive()?;
        Ok(peer)
    }

    /// What the kernel recorded at connect.
    pub fn credentials(&self) -> PeerCredentials {
        self.credentials
    }

    /// The handle, to wait for the peer's end or to signal it.
    pub fn handle(&self) -> &PidFd {
        &self.handle
    }

    /// Opens the very file the peer runs, even if its path was replaced since, for the caller to hash.
    ///
    /// The kernel allows this to root and to the peer's own user while the peer is dumpable; a process that called
    /// [`crate::harden::harden_early`] can be examined by root only.
    ///
    /// # Errors
    /// [`PeerError::Process`] when not allowed, [`PeerError::Ended`] when the peer ended meanwhile.
    pub fn executable(&self) -> Result<File, PeerError> {
        let file = open_executable(self.credentials.pid)?;
        self.still_alive()?;
        Ok(file)
    }

    /// When the peer started, in clock ticks since boot: with the number, unique until reboot.
    ///
    /// # Errors
    /// As for [`executable`](Self::executable), and [`PeerError::Format`].
    pub fn start_ticks(&self) -> Result<u64, PeerError> {
        let ticks = start_ticks(self.credentials.pid)?;
        self.still_alive()?;
        Ok(ticks)
    }

    /// Fails when the peer has ended.
    ///
    /// # Errors
    /// [`PeerError::Ended`].
    pub fn still_alive(&self) -> Result<(), PeerError> {
        match self.handle.wait(Duration::ZERO)? {
            Waited::StillRunning => Ok(()),
            Waited::Ended => Err(PeerError::Ended { pid: self.credentials.pid }),
        }
    }
}

/// `SO_PEERCRED`, unix(7).
///
/// # Errors
/// [`PeerError::Socket`], [`PeerError::ForeignNamespace`].
pub fn credentials(socket: impl AsFd) -> Result<PeerCredentials, PeerError> {
    let mut found = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    // SAFETY: `ucred` consists of plain integers.
    unsafe { socket_option(&socket, libc::SO_PEERCRED, "the peer's credentials", &mut found) }?;
    let pid = u32::try_from(found.pid).ok().filter(|pid| *pid != 0).ok_or(PeerError::ForeignNamespace)?;
    Ok(PeerCredentials { pid, uid: found.uid, gid: found.gid })
}

/// `SO_PEERPIDFD`: the peer by descriptor.
///
/// # Errors
/// [`PeerError::Socket`]; kernels before 6.5 do not have it.
pub fn pidfd(socket: impl AsFd) -> Result<PidFd, PeerError> {
    let mut raw: libc::c_int = -1;
    // SAFETY: the option's value is one integer.
    unsafe { socket_option(&socket, libc::SO_PEERPIDFD, "the peer's process descriptor", &mut raw) }?;
    // SAFETY: the kernel just installed this descriptor for us; it has no other owner.
    let owned = unsafe { OwnedFd::from_raw_fd(raw) };
    Ok(PidFd::from_owned(owned))
}

/// Opens the file a process runs. Prefer [`Peer::executable`], which also checks that the process did not end.
///
/// # Errors
/// [`ProcessError`].
pub fn open_executable(pid: u32) -> Result<File, ProcessError> {
    File::open(format!("/proc/{pid}/exe"))
        .map_err(|source| ProcessError::new("opening the executable of", Some(pid), source))
}

/// Start time of a process in clock ticks since boot: field 22 of `/proc/PID/stat`, proc(5).
///
/// # Errors
/// [`PeerError::Process`], [`PeerError::Format`].
pub fn start_ticks(pid: u32) -> Result<u64, PeerError> {
    let failed = |source| ProcessError::new("reading the start time of", Some(pid), source);
    let mut line = Vec::new();
    File::open(format!("/proc/{pid}/stat"))
        .and_then(|file| file.take(STAT_LIMIT).read_to_end(&mut line))
        .map_err(failed)?;
    // The program's name stands in parentheses and may itself contain any character, so count from the last one.
    let after_name = line.iter().rposition(|byte| *byte == b')').ok_or(PeerError::Format { pid })?;
    let rest = std::str::from_utf8(&line[after_name + 1..]).map_err(|_| PeerError::Format { pid })?;
    // The first field after the name is the third of the line.
    rest.split_ascii_whitespace()
        .nth(22 - 3)
        .and_then(|ticks| ticks.parse().ok())
        .ok_or(PeerError::Format { pid })
}

/// Reads a socket option of level `SOL_SOCKET` into `value`.
///
/// # Safety
/// Any bytes must be a valid `T`.
unsafe fn socket_option<T: Copy>(
    socket: impl AsFd,
    option: libc::c_int,
    asked: &'static str,
    value: &mut T,
) -> Result<(), PeerError> {
    let expected = libc::socklen_t::try_from(size_of::<T>()).expect("an option's value is a few bytes long");
    let mut length = expected;
    let mut answer = MaybeUninit::new(*value);
    // SAFETY: the kernel writes at most `length` bytes to `answer`, which is that long.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            answer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 || length != expected {
        return Err(PeerError::Socket { asked, source: std::io::Error::last_os_error() });
    }
    // SAFETY: it was initialized, and the caller guarantees that whatever the kernel wrote is a valid `T`.
    *value = unsafe { answer.assume_init() };
    Ok(())
}
