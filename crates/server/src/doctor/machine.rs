//! What the machine gives by itself: users, control groups, swap space, tracing.

use std::fs;

use keyhold_os::cgroup::{Cgroups, Layout};
use keyhold_os::privileges::is_root;

use super::{Advice, Finding, Standing};
use crate::config::Config;

const AREA: &str = "machine";

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    vec![users(config), groups(Cgroups::detect().layout()), swap(&swaps), tracing_of_others(scope.as_deref())]
}

fn users(config: &Config) -> Finding {
    let (standing, found) = if is_root() {
        (Standing::InForce, format!("one user per bot, from {} up", config.first_uid))
    } else {
        (Standing::Degraded, "all bots run as the user of the server".to_owned())
    };
    let advice = Advice {
        means: "Files and signals of one bot are kept from another by the sandbox only, not by users.",
        remedy: "Start the server as root: it gives every bot a user of its own.",
    };
    Finding::in_force(AREA, "users", found).but(standing, advice)
}

fn groups(layout: Layout) -> Finding {
    let found = match layout {
        Layout::Unified => "version 2 is there",
        Layout::Hybrid => "versions 1 and 2 are there",
        Layout::Legacy => "version 1 is there",
        Layout::None => "the machine has none",
    };
    let advice = Advice {
        means: "Bots are not put into control groups yet: memory and processes of a bot have no bound but rlimits.",
        remedy: "Bound the whole server's group, for example with MemoryMax= in its systemd unit.",
    };
    Finding::in_force(AREA, "control groups", found).but(Standing::Absent, advice)
}

/// The first line names the columns.
fn swap(swaps: &str) -> Finding {
    let count = swaps.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    let (standing, found) = match count {
        0 => (Standing::InForce, "none".to_owned()),
        some => (Standing::Degraded, format!("{some} in use")),
    };
    let advice = Advice {
        means: "Opened keys are kept out of swap space, as \"memory of an opened key\" says; balances and orders are \
                not.",
        remedy: "Turn swap off or encrypt it.",
    };
    Finding::in_force(AREA, "swap space", found).but(standing, advice)
}

fn tracing_of_others(scope: Option<&str>) -> Finding {
    let (standing, found) = match scope.map(str::trim) {
        Some("0") => (Standing::Degraded, "kernel.yama.ptrace_scope = 0".to_owned()),
        Some(scope) => (Standing::InForce, format!("kernel.yama.ptrace_scope = {scope}")),
        None => (Standing::Degraded, "the kernel has no Yama".to_owned()),
    };
    let advice = Advice {
        means: "A process may trace others of its user. Keeper and bots refuse that themselves; the server does not.",
        remedy: "Set kernel.yama.ptrace_scope to 1 or higher.",
    };
    Finding::in_force(AREA, "tracing of other processes", found).but(standing, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_kernel_are_read_as_they_are() {
        let none = "Filename\tType\tSize\tUsed\tPriority\n";
        assert_eq!(swap(none).standing, Standing::InForce);
        let one = format!("{none}/dev/sda2 partition 8388604 0 -2\n");
        assert_eq!((swap(&one).standing, swap(&one).found.as_str()), (Standing::Degraded, "1 in use"));
        assert_eq!(tracing_of_others(Some("1\n")).standing, Standing::InForce);
        assert_eq!(tracing_of_others(Some("0\n")).standing, Standing::Degraded);
        assert_eq!(tracing_of_others(None).standing, Standing::Degraded);
        assert_eq!(groups(Layout::Unified).standing, Standing::Absent);
    }
}
