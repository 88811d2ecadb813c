//! Control groups: bounds that hold, and the end of a whole group.

use std::time::Duration;

use keyhold_os::cgroup::{Cgroups, GroupLimits, GroupMissing};
use keyhold_os::pidfd::{PidFd, Waited};
use keyhold_os::spawn::{ChildOptions, spawn_as};

use crate::lanes::{command, loudly, parse, unprivileged};

const DEADLINE: Duration = Duration::from_secs(30);
const PROCESSES: u64 = 3;

#[test]
fn a_group_bounds_its_processes_and_ends_together() {
    let name = format!("keyhold-test-{}", std::process::id());
    let limits = GroupLimits { memory_bytes: Some(256 << 20), processes: Some(PROCESSES) };
    let group = Cgroups::detect().create(&name, limits).unwrap();
    for missing in group.missing() {
        loudly(&format!("{} is NOT PROVEN here: not possible on this system", missing.as_str()));
    }
    if group.join_files().unwrap().is_empty() {
        loudly("no control group could be made here: groups are NOT PROVEN");
        return;
    }
    let options = ChildOptions {
        identity: unprivileged().0,
        join_groups: group.join_files().unwrap(),
        ..ChildOptions::default()
    };
    let mut child = spawn_as(&mut command("threads", &[]), options).unwrap();
    let said = crate::lanes::first_line(&mut child);
    assert_eq!(group.processes().unwrap(), vec![child.id()]);
    if !group.missing().contains(&GroupMissing::ProcessLimit) {
        // The process itself is one of them.
        assert_eq!(parse(&said)["threads"], (PROCESSES - 1).to_string());
    }
    let handle = PidFd::open(child.id()).unwrap();
    group.kill().unwrap();
    assert_eq!(handle.wait(DEADLINE).unwrap(), Waited::Ended);
    assert!(!child.wait().unwrap().success());
    group.remove().unwrap();
}
