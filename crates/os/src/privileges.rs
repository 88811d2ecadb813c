//! Giving up root for good.
//!
//! Used by the launcher in a child between fork and exec (see [`crate::spawn`]) and by a program that was started
//! as root and wants to become somebody else. Nothing here knows which user belongs to which bot.

use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use crate::harden::{HardenError, thread_count};

/// Highest capability number tried; the kernel has 41 today and can represent 64.
const CAPABILITY_NUMBERS: u32 = 64;

/// An unprivileged user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    uid: u32,
    gid: u32,
}

/// Why privileges could not be dropped. The process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// Root, or the number the kernel reserves for "no change".
    #[error("user {uid}, group {gid} is not an unprivileged identity")]
    NotUnprivileged {
        /// The user asked for.
        uid: u32,
        /// The group asked for.
        gid: u32,
    },
    /// Only root can become another user.
    #[error("becoming user {wanted} takes root, and this process runs as user {have}")]
    NotRoot {
        /// The user asked for.
        wanted: u32,
        /// The user the process runs as.
        have: u32,
    },
    /// The change would reach one thread only.
    #[error("privileges must be dropped before any thread is started, and {count} threads run")]
    ThreadsRunning {
        /// Threads of the process.
        count: usize,
    },
    /// Threads could not be counted.
    #[error(transparent)]
    Threads(#[from] HardenError),
    /// A system call failed, or a check afterwards did.
    #[error("dropping privileges: {doing}")]
    Step {
        /// What was being done.
        doing: &'static str,
        /// The kernel's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Identity {
    /// An identity that is not root.
    ///
    /// # Errors
    /// [`PrivilegeError::NotUnprivileged`] for 0 and for `u32::MAX`.
    pub fn new(uid: u32, gid: u32) -> Result<Self, PrivilegeError> {
        let unprivileged = |number: u32| number != 0 && number != u32::MAX;
        if unprivileged(uid) && unprivileged(gid) {
            Ok(Self { uid, gid })
        } else {
            Err(PrivilegeError::NotUnprivileged { uid, gid })
        }
    }

    /// The identity the process runs as, unless it is root.
    pub fn current() -> Option<Self> {
        Self::new(geteuid().as_raw(), getegid().as_raw()).ok()
    }

    /// User number.
    pub fn uid(self) -> u32 {
        self.uid
    }

    /// Group number.
    pub fn gid(self) -> u32 {
        self.gid
    }

    /// Whether this process can become this identity: it is root, or it already is that identity.
    ///
    /// # Errors
    /// [`PrivilegeError::NotRoot`] when it cannot.
    pub fn check_reachable(self) -> Result<(), PrivilegeError> {
        if is_root() || Self::current() == Some(self) {
            Ok(())
        } else {
            Err(PrivilegeError::NotRoot { wanted: self.uid, have: geteuid().as_raw() })
        }
    }
}

/// The user whose rights this process has.
pub fn effective_user() -> u32 {
    geteuid().as_raw()
}

/// Whether the process runs as root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes `identity` for good: no supplementary groups, all three user and group numbers changed, every capability
/// set empty including the bounding set, secure bits locked, new privileges forbidden. Then checks that root cannot be
/// regained. Does nothing but the checks when the process already is that identity.
///
/// # Errors
/// [`PrivilegeError`]; the process may be half-way and must exit.
pub fn drop_to(identity: Identity) -> Result<(), PrivilegeError> {
    identity.check_reachable()?;
    let count = thread_count()?;
    if count != 1 {
        return Err(PrivilegeError::ThreadsRunning { count });
    }
    drop_this_thread(identity)
        .map_err(|failed| PrivilegeError::Step { doing: failed.doing, source: failed.errno.into() })
}

/// A step of dropping privileges that failed; holds nothing that needs allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FailedStep {
    pub(crate) doing: &'static str,
    pub(crate) errno: Errno,
}

fn step<T>(doing: &'static str, result: rustix::io::Result<T>) -> Result<T, FailedStep> {
    result.map_err(|errno| FailedStep { doing, errno })
}

/// The steps, for the calling thread only; allocates nothing, so it may run between fork and exec.
pub(crate) fn drop_this_thread(identity: Identity) -> Result<(), FailedStep> {
    if is_root() {
        step("leaving the supplementary groups", rustix::thread::set_thread_groups(&[]))?;
        // These two need a capability that changing the user takes away.
        empty_bounding_set()?;
        lock_secure_bits()?;
        step("clearing the ambient capabilities", rustix::thread::clear_ambient_capability_set())?;
        let gid = rustix::process::Gid::from_raw(identity.gid);
        step("changing the group", rustix::thread::set_thread_res_gid(gid, gid, gid))?;
        let uid = rustix::process::Uid::from_raw(identity.uid);
        step("changing the user", rustix::thread::set_thread_res_uid(uid, uid, uid))?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    step("giving up capabilities", rustix::thread::set_capabilities(None, sets))?;
    step("forbidding new privileges", rustix::thread::set_no_new_privs(true))?;
    verify(identity)
}

fn empty_bounding_set() -> Result<(), FailedStep> {
    for number in 0..CAPABILITY_NUMBERS {
        // SAFETY: this prctl takes numbers only.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
        if answer == 0 {
            continue;
        }
        match last_errno() {
            // Past the last capability of this kernel.
            Errno::INVAL => break,
            errno => return Err(FailedStep { doing: "emptying the bounding set", errno }),
        }
    }
    Ok(())
}

/// Root means nothing any more, capabilities are not kept over a change of user, none can become ambient: for good.
fn lock_secure_bits() -> Result<(), FailedStep> {
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    step("locking the secure bits", rustix::thread::set_capabilities_secure_bits(bits))
}

fn verify(identity: Identity) -> Result<(), FailedStep> {
    let broken = |doing| Err(FailedStep { doing, errno: Errno::PERM });
    if Identity::current() != Some(identity) {
        return broken("checking the new user and group");
    }
    let root = rustix::process::Uid::ROOT;
    if rustix::thread::set_thread_res_uid(root, root, root).is_ok() {
        return broken("checking that root cannot be regained");
    }
    let sets = step("reading back capabilities", rustix::thread::capabilities(None))?;
    if !(sets.effective | sets.permitted | sets.inheritable).is_empty() {
        return broken("checking that no capability is left");
    }
    Ok(())
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::PERM)
}
