//! Leases that outlive a keeper: which processes of the time before still run. Asked once, before the sandbox closes.
//!
//! A lease in the audit file names the process by number and, from Linux 6.9 on, by what the kernel calls it (the inode
//! of its descriptor), which is unique until the next boot. Where that is unknown, any process of that number counts as the
//! holder: a key may then stay taken longer than needed, and is never opened twice.

use std::os::fd::AsFd as _;

use keyhold_os::pidfd::{Identities, PidFd, Waited};

use crate::audit::{HeldLease, History};
use crate::keeper::Survivor;
use crate::leases::Lease;

/// The id of this boot, if the kernel tells.
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The leases whose processes still run.
pub fn survivors(history: &History, boot: Option<&str>, identities: Identities) -> Vec<Survivor> {
    let alive = |held: &HeldLease| {
        let earlier_boot = matches!((held.boot.as_deref(), boot), (Some(then), Some(now)) if then != now);
        if earlier_boot {
            return None;
        }
        let process = PidFd::open(held.pid).ok()?;
        let another = matches!(
            (held.process, process.identity(identities)),
            (Some(then), Some(now)) if then != now
        );
        let ended = matches!(process.wait(std::time::Duration::ZERO), Ok(Waited::Ended));
        if another || ended { None } else { process.as_fd().try_clone_to_owned().ok() }
    };
    history
        .leases()
        .filter_map(|(id, held)| {
            let handle = alive(held)?;
            let lease = Lease { id, bot: held.bot, pid: held.pid, process: held.process };
            Some(Survivor { key: held.key, lease, handle })
        })
        .collect()
}
