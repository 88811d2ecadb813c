//! The probes themselves: one harmless attempt each, classified by the kernel's answer.
//!
//! Calls are made with arguments that cannot succeed (an invalid flag, a null pointer, a file that is not there), so that
//! the answer tells whether the call got past the filters and nothing else happens. They do not know what the answer
//! means for the caller.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use libc::{c_int, c_long};

use crate::sandbox::{NameResolution, Network, Profile, UnixConnect};

use super::ProbeId;

/// How the kernel answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It went through, or failed for a reason that lies behind the filters.
    Possible,
    /// It was refused for want of permission, or does not exist for this process.
    Refused,
    /// There was nothing to try it on.
    NothingThere,
}

/// What the probes need to know, found out while files can still be looked at.
#[derive(Debug)]
pub(super) struct Surroundings {
    readable_file: Option<PathBuf>,
    writable_directory: Option<PathBuf>,
    refused_port: u16,
}

/// World-readable on practically every system; the last two always exist.
const READABLE: [&str; 4] = ["/etc/passwd", "/etc/hostname", "/proc/version", "/proc/self/status"];
const WRITABLE: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];
/// Candidates for a port outside the grants: services nobody runs any more.
const PORTS: [u16; 5] = [1, 9, 11, 13, 17];
/// A flag that neither unshare(2) nor userfaultfd(2) knows.
const INVALID: c_long = 2;
const NULL: c_long = 0;
const NO_DESCRIPTOR: c_long = -1;
/// A path at which nothing can be: a file is not a directory.
const NOTHING: &CStr = c"/proc/self/status/nothing";

impl Surroundings {
    pub(super) fn of(profile: &Profile) -> Self {
        let granted: Vec<PathBuf> = profile
            .read_paths
            .iter()
            .chain(&profile.write_paths)
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        let outside = |path: &Path| {
            path.canonicalize().is_ok_and(|path| !granted.iter().any(|granted| path.starts_with(granted)))
        };
        let allowed = profile.tcp_ports();
        Self {
            readable_file: READABLE
                .map(PathBuf::from)
                .into_iter()
                .find(|path| outside(path) && can_read(path)),
            writable_directory: WRITABLE
                .map(PathBuf::from)
                .into_iter()
                .find(|path| outside(path) && can_create_in(path)),
            refused_port: PORTS.into_iter().find(|port| !allowed.contains(port)).unwrap_or(u16::MAX),
        }
    }
}

/// Whether the profile means this probe to fail.
pub(super) fn must_fail(probe: ProbeId, profile: &Profile) -> bool {
    let resolves = matches!(profile.network, Network::TcpConnect { names: NameResolution::Allowed, .. });
    let granted = (probe == ProbeId::Udp && resolves)
        || (probe == ProbeId::Unix && profile.unix_connect != UnixConnect::Refused)
        || (probe == ProbeId::ReadShadow && grants_read(profile, Path::new("/etc/shadow")))
        || (probe == ProbeId::ReadMemoryOfInit && grants_read(profile, Path::new("/proc/1/mem")));
    !granted
}

fn grants_read(profile: &Profile, wanted: &Path) -> bool {
    profile.read_paths.iter().chain(&profile.write_paths).any(|granted| wanted.starts_with(granted))
}

/// Makes the attempt.
pub(super) fn attempt(probe: ProbeId, around: &Surroundings) -> Attempt {
    let here = c_long::from(libc::AT_FDCWD);
    match probe {
        ProbeId::ReadOutside => around.readable_file.as_deref().map_or(Attempt::NothingThere, read),
        ProbeId::ReadShadow => read(Path::new("/etc/shadow")),
        ProbeId::ReadMemoryOfInit => read(Path::new("/proc/1/mem")),
        ProbeId::CreateOutside => {
            around.writable_directory.as_deref().map_or(Attempt::NothingThere, create_in)
        }
        ProbeId::ConnectOutside => connect(around.refused_port),
        ProbeId::Listen => on_tcp_socket(listen),
        ProbeId::MultipathTcp => socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP),
        ProbeId::FastOpenSend => on_tcp_socket(|socket| send_fast_open(socket, around.refused_port)),
        ProbeId::FastOpenOption => on_tcp_socket(set_fast_open),
        ProbeId::Udp => socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
        ProbeId::Unix => socket(libc::AF_UNIX, libc::SOCK_STREAM, 0),
        ProbeId::UnixDatagram => socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0),
        ProbeId::RawIp => socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        ProbeId::Packet => socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        ProbeId::Netlink => socket(libc::AF_NETLINK, libc::SOCK_RAW, 0),
        ProbeId::Vsock => socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        ProbeId::KernelCrypto => socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        ProbeId::Execute => inert(libc::SYS_execve, [nothing(), NULL, NULL, 0]),
        ProbeId::ExecuteAt => inert(libc::SYS_execveat, [here, nothing(), NULL, NULL]),
        // Sharing signal handlers without sharing memory is invalid, and does not make a thread.
        ProbeId::Fork => inert(libc::SYS_clone, [c_long::from(libc::CLONE_SIGHAND), NULL, NULL, NULL]),
        ProbeId::Fork3 => inert(libc::SYS_clone3, [NULL, 0, 0, 0]),
        // To a process that cannot exist.
        ProbeId::Trace => inert(libc::SYS_ptrace, [c_long::from(libc::PTRACE_ATTACH), -1, NULL, NULL]),
        // Nothing, from itself.
        ProbeId::ReadProcess => inert(libc::SYS_process_vm_readv, [own_pid(), NULL, 0, NULL]),
        ProbeId::TakeDescriptor => inert(libc::SYS_pidfd_getfd, [NO_DESCRIPTOR, 0, 0, 0]),
        ProbeId::SignalParent => signal_parent(),
        ProbeId::IoUring => inert(libc::SYS_io_uring_setup, [0, NULL, 0, 0]),
        ProbeId::Bpf => inert(libc::SYS_bpf, [-1, NULL, 0, 0]),
        ProbeId::Perf => inert(libc::SYS_perf_event_open, [NULL, 0, -1, -1]),
        ProbeId::UserFault => inert(libc::SYS_userfaultfd, [INVALID, 0, 0, 0]),
        ProbeId::KeyRing => inert(libc::SYS_keyctl, [-1, 0, 0, 0]),
        ProbeId::Namespaces => inert(libc::SYS_unshare, [INVALID, 0, 0, 0]),
        ProbeId::EnterNamespace => inert(libc::SYS_setns, [NO_DESCRIPTOR, 0, 0, 0]),
        ProbeId::Mount => inert(libc::SYS_mount, [NULL, nothing(), NULL, 0]),
        ProbeId::OpenByHandle => inert(libc::SYS_open_by_handle_at, [NO_DESCRIPTOR, NULL, 0, 0]),
        ProbeId::ExecutableMemory => map_executable(),
        // 3 is no valid value, so that not even success would change anything.
        ProbeId::BecomeDumpable => inert(libc::SYS_prctl, [c_long::from(libc::PR_SET_DUMPABLE), 3, 0, 0]),
        ProbeId::SetLimit => set_limit(),
    }
}

fn nothing() -> c_long {
    NOTHING.as_ptr().addr().cast_signed() as c_long
}

fn own_pid() -> c_long {
    c_long::from(rustix::process::getpid().as_raw_nonzero().get())
}

/// Makes a system call that cannot do anything.
fn inert(number: c_long, a: [c_long; 4]) -> Attempt {
    // SAFETY: `attempt`, the only caller, passes calls whose arguments the kernel rejects, or which do nothing:
    // null pointers are not written to, the one string is static, no descriptor is valid, no flag is meaningful.
    let answer = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], 0, 0) };
    classify(answer)
}

fn classify(answer: c_long) -> Attempt {
    if answer >= 0 { Attempt::Possible } else { from_error(&io::Error::last_os_error()) }
}

fn from_error(error: &io::Error) -> Attempt {
    match error.raw_os_error() {
        Some(
            libc::EPERM
            | libc::EACCES
            | libc::ENOSYS
            | libc::EAFNOSUPPORT
            | libc::EPROTONOSUPPORT
            | libc::ESOCKTNOSUPPORT,
        ) => Attempt::Refused,
        _ => Attempt::Possible,
    }
}

fn read(path: &Path) -> Attempt {
    match std::fs::File::open(path) {
        Ok(_opened) => Attempt::Possible,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Attempt::NothingThere,
        Err(error) => from_error(&error),
    }
}

fn can_read(path: &Path) -> bool {
    read(path) == Attempt::Possible
}

fn can_create_in(directory: &Path) -> bool {
    create_in(directory) == Attempt::Possible
}

fn create_in(directory: &Path) -> Attempt {
    let path = directory.join(format!(".keyhold-self-test-{}", own_pid()));
    match std::fs::File::options().write(true).create_new(true).open(&path) {
        Ok(_created) => match std::fs::remove_file(&path) {
            Ok(()) => Attempt::Possible,
            // Left behind, but the answer is the same: it could be created.
            Err(_could_not_remove) => Attempt::Possible,
        },
        Err(error) => from_error(&error),
    }
}

fn open_socket(family: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers and returns a new descriptor or an error.
    let raw = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn socket(family: c_int, kind: c_int, protocol: c_int) -> Attempt {
    open_socket(family, kind, protocol)
        .map_or_else(|error| from_error(&error), |_closed_again| Attempt::Possible)
}

fn on_tcp_socket(then: impl FnOnce(&OwnedFd) -> Attempt) -> Attempt {
    match open_socket(libc::AF_INET, libc::SOCK_STREAM, 0) {
        Ok(socket) => then(&socket),
        Err(error) => from_error(&error),
    }
}

fn connect(port: u16) -> Attempt {
    match std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)) {
        Ok(_connected) => Attempt::Possible,
        Err(error) => from_error(&error),
    }
}

fn listen(socket: &OwnedFd) -> Attempt {
    // SAFETY: the call takes numbers; the socket is closed right afterwards.
    classify(c_long::from(unsafe { libc::listen(socket.as_raw_fd(), 1) }))
}

fn set_fast_open(socket: &OwnedFd) -> Attempt {
    let on: c_int = 1;
    // SAFETY: the kernel reads one integer behind the pointer, which outlives the call.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN_CONNECT,
            (&raw const on).cast(),
            4,
        )
    };
    classify(c_long::from(answer))
}

fn send_fast_open(socket: &OwnedFd, port: u16) -> Attempt {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().expect("the number of the family is small"),
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(std::net::Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address)).expect("an address is 16 bytes long");
    // SAFETY: no data is read, and the address outlives the call.
    let answer = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            std::ptr::null(),
            0,
            libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL,
            (&raw const address).cast(),
            length,
        )
    };
    classify(answer as c_long)
}

fn map_executable() -> Attempt {
    const LENGTH: usize = 4096;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice overlaps nothing.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return from_error(&io::Error::last_os_error());
    }
    // SAFETY: it was mapped just now, with this length, and nothing refers to it.
    unsafe { libc::munmap(mapped, LENGTH) };
    Attempt::Possible
}

fn signal_parent() -> Attempt {
    let Some(parent) = rustix::process::getppid() else { return Attempt::NothingThere };
    match rustix::process::test_kill_process(parent) {
        Ok(()) => Attempt::Possible,
        Err(errno) => from_error(&errno.into()),
    }
}

/// Sets the core file limit to what it is.
fn set_limit() -> Attempt {
    let now = rustix::process::getrlimit(rustix::process::Resource::Core);
    match rustix::process::setrlimit(rustix::process::Resource::Core, now) {
        Ok(()) => Attempt::Possible,
        Err(errno) => from_error(&errno.into()),
    }
}
