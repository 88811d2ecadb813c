//! The list of allowed system calls, as data: what an asynchronous network client with threads, timers and its own
//! files needs, and nothing else.
//!
//! Calls whose danger depends on their arguments are listed with conditions. Landlock decides about paths and TCP
//! ports; here is decided which kinds of socket, memory and process can come to exist.

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::SeccompRule;

use super::SandboxError;
use super::filter::{equal, masked, null, when};
use super::profile::{Accept, Network, Profile, UnixConnect};

/// Allowed calls; an empty list of rules means "with any arguments".
pub(super) type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allowed with any arguments: descriptors and files (opening is Landlock's business).
const FILES: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_lseek,
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
];

/// The same under their names from before the `*at` calls, where the C library still uses those.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_gettimeofday,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_NAMES: &[c_long] = &[];

/// Allowed with any arguments: waiting, timers, threads, memory, and facts about oneself.
const RUNTIME: &[c_long] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    // Allowed here so that the filter that answers ENOSYS decides: see `filter.rs`.
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_memfd_secret,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    // Further filters can only make things stricter; refused once the sandbox is armed.
    libc::SYS_seccomp,
];

/// Allowed with any arguments: using sockets that exist.
const SOCKETS: &[c_long] = &[
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
];

const FCNTL: &[c_int] = &[
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
];

/// `FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ` (asm-generic/ioctls.h): non-blocking mode, and asking
/// whether output is a terminal. Nothing that changes a terminal.
const IOCTL: &[c_int] = &[0x5421, 0x541B, 0x5451, 0x5450, 0x5401, 0x5413];

/// `PR_SET_VMA` (linux/prctl.h): the C library names its memory areas with it.
const PR_SET_VMA: c_int = 0x5356_4d41;

/// `PR_SET_DUMPABLE`, `PR_SET_PTRACER`, `PR_SET_MM` and the rest stay out.
const PRCTL: &[c_int] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    PR_SET_VMA,
];

/// Options that cannot send data or change what Landlock checks. `TCP_FASTOPEN_CONNECT`, `TCP_ULP`, packet filters and
/// routing marks stay out.
const SOCKET_OPTIONS: &[(c_int, &[c_int])] = &[
    (
        libc::SOL_SOCKET,
        &[
            libc::SO_REUSEADDR,
            libc::SO_SNDBUF,
            libc::SO_RCVBUF,
            libc::SO_KEEPALIVE,
            libc::SO_LINGER,
            libc::SO_PASSCRED,
            libc::SO_RCVTIMEO,
            libc::SO_SNDTIMEO,
        ],
    ),
    (
        libc::IPPROTO_TCP,
        &[
            libc::TCP_NODELAY,
            libc::TCP_KEEPIDLE,
            libc::TCP_KEEPINTVL,
            libc::TCP_KEEPCNT,
            libc::TCP_QUICKACK,
            libc::TCP_USER_TIMEOUT,
        ],
    ),
    (libc::IPPROTO_IP, &[libc::IP_RECVERR, libc::IP_MTU_DISCOVER]),
    (libc::IPPROTO_IPV6, &[libc::IPV6_V6ONLY, libc::IPV6_RECVERR, libc::IPV6_MTU_DISCOVER]),
];

/// Flags of clone(2) that are looked at: a thread it must be, and nothing that makes a process or a namespace.
const CLONE_SEEN: c_int = libc::CLONE_THREAD
    | libc::CLONE_VFORK
    | libc::CLONE_PTRACE
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The whole list for a profile.
pub(super) fn rules(profile: &Profile) -> Result<Rules, SandboxError> {
    let mut rules: Rules =
        [FILES, OLD_NAMES, RUNTIME, SOCKETS].into_iter().flatten().map(|call| (*call, Vec::new())).collect();
    rules.extend(conditional()?);
    rules.extend(sockets(profile)?);
    Ok(rules)
}

/// Calls whose danger depends on their arguments, the same for every profile.
fn conditional() -> Result<Rules, SandboxError> {
    let own_process = rustix::process::getpid().as_raw_nonzero().get();
    Ok(Rules::from([
        (libc::SYS_fcntl, any_of(1, FCNTL)?),
        (libc::SYS_ioctl, any_of(1, IOCTL)?),
        (libc::SYS_prctl, any_of(0, PRCTL)?),
        (libc::SYS_setsockopt, socket_options()?),
        (libc::SYS_clone, vec![when(vec![masked(0, CLONE_SEEN, libc::CLONE_THREAD)?])?]),
        // No memory becomes executable.
        (libc::SYS_mmap, vec![when(vec![masked(2, libc::PROT_EXEC, 0)?])?]),
        (libc::SYS_mprotect, vec![when(vec![masked(2, libc::PROT_EXEC, 0)?])?]),
        // Limits can be read, not changed.
        (libc::SYS_prlimit64, vec![when(vec![null(2)?])?]),
        // Signals go to oneself, as abort() needs.
        (libc::SYS_kill, vec![when(vec![equal(0, own_process)?])?]),
        (libc::SYS_tgkill, vec![when(vec![equal(0, own_process)?])?]),
        // Data in the connection request would pass Landlock's port rule.
        (libc::SYS_sendto, vec![when(vec![masked(3, libc::MSG_FASTOPEN, 0)?])?]),
        (libc::SYS_sendmsg, vec![when(vec![masked(2, libc::MSG_FASTOPEN, 0)?])?]),
        (libc::SYS_sendmmsg, vec![when(vec![masked(3, libc::MSG_FASTOPEN, 0)?])?]),
        (libc::SYS_socketpair, vec![kind(libc::AF_UNIX, libc::SOCK_STREAM, 0)?]),
    ]))
}

/// Which sockets can come to exist.
fn sockets(profile: &Profile) -> Result<Rules, SandboxError> {
    let mut kinds = Vec::new();
    if let UnixConnect::To(_) = profile.unix_connect {
        kinds.push(kind(libc::AF_UNIX, libc::SOCK_STREAM, 0)?);
    }
    if let Network::TcpConnect { .. } = profile.network {
        for family in [libc::AF_INET, libc::AF_INET6] {
            // The protocol is named, so that Multipath TCP, which Landlock does not see, stays out.
            kinds.push(kind(family, libc::SOCK_STREAM, 0)?);
            kinds.push(kind(family, libc::SOCK_STREAM, libc::IPPROTO_TCP)?);
            if profile.resolves_names() {
                kinds.push(kind(family, libc::SOCK_DGRAM, 0)?);
                kinds.push(kind(family, libc::SOCK_DGRAM, libc::IPPROTO_UDP)?);
            }
        }
    }
    let mut rules = Rules::new();
    if !kinds.is_empty() {
        rules.insert(libc::SYS_socket, kinds);
        rules.insert(libc::SYS_connect, Vec::new());
    }
    match profile.accept {
        Accept::Refused => {}
        Accept::FromOpenListeners => {
            rules.insert(libc::SYS_accept4, Vec::new());
        }
    }
    Ok(rules)
}

/// A kind of socket: the type's low bits may carry "non-blocking" and "close on exec" besides.
fn kind(family: c_int, kind: c_int, protocol: c_int) -> Result<SeccompRule, SandboxError> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    when(vec![equal(0, family)?, masked(1, !flags, kind)?, equal(2, protocol)?])
}

fn any_of(index: u8, values: &[c_int]) -> Result<Vec<SeccompRule>, SandboxError> {
    values.iter().map(|value| when(vec![equal(index, *value)?])).collect()
}

fn socket_options() -> Result<Vec<SeccompRule>, SandboxError> {
    SOCKET_OPTIONS
        .iter()
        .flat_map(|(level, names)| {
            names.iter().map(move |name| when(vec![equal(1, *level)?, equal(2, *name)?]))
        })
        .collect()
}
