//! The seccomp half of the sandbox: which system calls exist for the program at all.
//!
//! Three filters, of which the kernel obeys the strictest answer:
//! * the list of what is allowed; anything else fails with EPERM;
//! * `clone3` fails with ENOSYS, because its flags lie in memory where no filter can see them; the C library then falls
//!   back to `clone`, whose flags can be checked;
//! * once armed, calls that only an attacker makes end the process (see [`ARMED`]).
//!
//! Arming is a second step so that the self-test can try those calls, execve among them, and read the refusal. A process
//! that is killed by its own self-test could not tell a working sandbox from any other crash.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::SandboxError;
use super::allowed::Rules;
use super::profile::Profile;

/// Whether the system-call filter is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeccompStatus {
    /// In force for all threads.
    Enforced {
        /// Number of system calls allowed, some only with certain arguments.
        allowed: usize,
    },
    /// The kernel was built without it.
    Unavailable,
}

/// Calls that end the process once the sandbox is armed: running programs, reading or steering other processes, and
/// interfaces that would go around the other filters.
pub(super) const ARMED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
];

/// Installs the list of what is allowed, for all threads.
pub(super) fn restrict(profile: &Profile) -> Result<SeccompStatus, SandboxError> {
    if !available() {
        return Ok(SeccompStatus::Unavailable);
    }
    let rules = super::allowed::rules(profile)?;
    let allowed = rules.len();
    let no_system_call = SeccompAction::Errno(errno(libc::ENOSYS));
    install(&compile(everywhere(&[libc::SYS_clone3]), SeccompAction::Allow, no_system_call)?)?;
    install(&compile(rules, refuse(), SeccompAction::Allow)?)?;
    Ok(SeccompStatus::Enforced { allowed })
}

/// Installs the deadly list and then refuses any further filter.
pub(super) fn arm() -> Result<(), SandboxError> {
    install(&compile(everywhere(ARMED), SeccompAction::Allow, SeccompAction::KillProcess)?)?;
    install(&compile(everywhere(&[libc::SYS_seccomp]), SeccompAction::Allow, refuse())?)
}

fn everywhere(calls: &[libc::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect::<BTreeMap<_, _>>()
}

fn refuse() -> SeccompAction {
    SeccompAction::Errno(errno(libc::EPERM))
}

fn errno(number: libc::c_int) -> u32 {
    number.unsigned_abs()
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(SandboxError::Compile)?;
    SeccompFilter::new(rules, otherwise, listed, architecture)
        .and_then(BpfProgram::try_from)
        .map_err(SandboxError::Compile)
}

fn install(program: &BpfProgram) -> Result<(), SandboxError> {
    seccompiler::apply_filter_all_threads(program).map_err(SandboxError::Install)
}

/// Asks the kernel whether it can end a process by filter: seccomp(2), `SECCOMP_GET_ACTION_AVAIL`.
fn available() -> bool {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: this operation reads one integer behind the pointer, which outlives the call.
    let answer = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, std::ptr::from_ref(&action))
    };
    answer == 0
}

/// A rule: all conditions must hold.
pub(super) fn when(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, SandboxError> {
    SeccompRule::new(conditions).map_err(SandboxError::Compile)
}

/// The low 32 bits of argument `index` equal `value`. The kernel ignores the high ones where it declares an `int`.
pub(super) fn equal(index: u8, value: libc::c_int) -> Result<SeccompCondition, SandboxError> {
    condition(index, Width::Dword, Op::Eq, bits(value))
}

/// The low 32 bits of argument `index`, reduced to `mask`, equal `value`.
pub(super) fn masked(
    index: u8,
    mask: libc::c_int,
    value: libc::c_int,
) -> Result<SeccompCondition, SandboxError> {
    condition(index, Width::Dword, Op::MaskedEq(bits(mask)), bits(value))
}

/// Argument `index` is a null pointer.
pub(super) fn null(index: u8) -> Result<SeccompCondition, SandboxError> {
    condition(index, Width::Qword, Op::Eq, 0)
}

fn condition(index: u8, width: Width, operation: Op, value: u64) -> Result<SeccompCondition, SandboxError> {
    SeccompCondition::new(index, width, operation, value).map_err(SandboxError::Compile)
}

fn bits(value: libc::c_int) -> u64 {
    u64::from(u32::from_ne_bytes(value.to_ne_bytes()))
}
