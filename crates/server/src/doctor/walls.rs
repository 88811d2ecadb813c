//! The walls around a bot, as a bot's own program reports them.

use keyhold_protocol::walls::Walls;
use keyhold_provision::local::inspect;

use super::{Advice, Finding, Standing};
use crate::config::Config;

const AREA: &str = "bots";
const KERNEL: &str = "Use a kernel of version 6.12 or newer with Landlock and seccomp.";

/// Starts the program once and judges what it tells.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let local = config.local();
    let told = tokio::task::spawn_blocking(move || inspect(&local)).await;
    match told {
        Ok(Ok(walls)) => judge(&walls),
        Ok(Err(error)) => vec![no_answer(&error)],
        Err(error) => vec![no_answer(&error)],
    }
}

fn no_answer(error: &dyn std::error::Error) -> Finding {
    let mut found = error.to_string();
    if let Some(cause) = error.source() {
        found = format!("{found}: {cause}");
    }
    Finding::in_force(AREA, "walls", found).but(
        Standing::Absent,
        Advice {
            means: "Nothing is known about the walls around bots; bots may not start either.",
            remedy: "Look at the path of keyhold-bot (--bot-program) and at the folder for bots (--run).",
        },
    )
}

fn judge(walls: &Walls) -> Vec<Finding> {
    vec![files(walls), calls(walls), memory(walls), attempts(walls), network(walls)]
}

fn files(walls: &Walls) -> Finding {
    let missing: Vec<&str> =
        walls.missing.iter().map(String::as_str).filter(|word| word.starts_with("landlock")).collect();
    let (standing, found) = match (walls.landlock, missing.as_slice()) {
        (None, _) => (Standing::Absent, "the kernel has no Landlock".to_owned()),
        (Some(version), []) => (Standing::InForce, format!("Landlock, version {version}")),
        (Some(version), some) => {
            (Standing::Degraded, format!("Landlock, version {version}, without {}", some.join(", ")))
        }
    };
    let means =
        "A bot that was taken over could reach files, ports or processes of its user that it does not need.";
    Finding::in_force(AREA, "files and ports", found).but(standing, Advice { means, remedy: KERNEL })
}

fn calls(walls: &Walls) -> Finding {
    let (standing, found) = match walls.system_calls {
        Some(count) => (Standing::InForce, format!("seccomp, {count} system calls are left")),
        None => (Standing::Absent, "the kernel has no seccomp".to_owned()),
    };
    let means = "A bot that was taken over could use every system call.";
    Finding::in_force(AREA, "system calls", found).but(standing, Advice { means, remedy: KERNEL })
}

fn memory(walls: &Walls) -> Finding {
    let (standing, found) = match walls.memory.as_str() {
        "sealed" => (Standing::InForce, "memfd_secret, descriptor closed"),
        "locked" => (Standing::Degraded, "locked, left out of core dumps; the kernel has no memfd_secret"),
        _ => (Standing::Absent, "ordinary memory"),
    };
    let means = if standing == Standing::Absent {
        "An opened key may be written to swap space."
    } else {
        "Root can read an opened key through the memory of a process, without tracing it."
    };
    let remedy =
        "Boot the kernel with secretmem.enable=1 and raise the limit on locked memory (RLIMIT_MEMLOCK).";
    Finding::in_force(AREA, "memory of an opened key", found).but(standing, Advice { means, remedy })
}

fn attempts(walls: &Walls) -> Finding {
    let allowed: Vec<&str> = walls
        .probes
        .iter()
        .filter(|probe| !matches!(probe.outcome.as_str(), "refused" | "refused before" | "nothing to try"))
        .map(|probe| probe.name.as_str())
        .collect();
    let (standing, found) = if allowed.is_empty() {
        (Standing::InForce, format!("{} attempts to break out failed", walls.probes.len()))
    } else {
        (Standing::Absent, format!("succeeded: {}", allowed.join(", ")))
    };
    let means = "The sandbox does not hold here. Bots do not start unless `isolation = \"degraded\"` is set.";
    Finding::in_force(AREA, "attempts from inside", found).but(standing, Advice { means, remedy: KERNEL })
}

fn network(walls: &Walls) -> Finding {
    let (standing, found) = if walls.limitations.is_empty() {
        (Standing::InForce, "only ports of exchanges".to_owned())
    } else {
        (Standing::Degraded, walls.limitations.join(", "))
    };
    let means = "While a bot looks up names itself, data can leave it by UDP, and UNIX sockets are told apart by file \
                 permissions only.";
    let remedy =
        "Keep sockets of other programs closed to the bots' users; let a firewall pass only DNS by UDP.";
    Finding::in_force(AREA, "network", found).but(standing, Advice { means, remedy })
}

#[cfg(test)]
mod tests {
    use keyhold_protocol::walls::Probe;

    use super::*;

    fn whole() -> Walls {
        Walls {
            memory: "sealed".to_owned(),
            landlock: Some(7),
            system_calls: Some(80),
            missing: vec![],
            limitations: vec![],
            probes: vec![Probe { name: "execve".to_owned(), outcome: "refused".to_owned() }],
        }
    }

    fn standings(walls: &Walls) -> Vec<Standing> {
        judge(walls).iter().map(|finding| finding.standing).collect()
    }

    #[test]
    fn every_weakness_is_told_at_its_place() {
        use Standing::{Absent, Degraded, InForce};
        assert_eq!(standings(&whole()), [InForce; 5]);
        let old = Walls { landlock: Some(3), missing: vec!["landlock_tcp_ports".to_owned()], ..whole() };
        assert_eq!(standings(&old), [Degraded, InForce, InForce, InForce, InForce]);
        let bare = Walls { landlock: None, system_calls: None, memory: "plain".to_owned(), ..whole() };
        assert_eq!(standings(&bare), [Absent, Absent, Absent, InForce, InForce]);
        let open = Walls { limitations: vec!["udp_to_any_host".to_owned()], ..whole() };
        assert_eq!(standings(&open)[4], Degraded);
        let broken = Probe { name: "ptrace".to_owned(), outcome: "a new word".to_owned() };
        let findings = judge(&Walls { probes: vec![broken], ..whole() });
        assert_eq!((findings[3].standing, findings[3].found.as_str()), (Absent, "succeeded: ptrace"));
        assert!(findings[3].remedy.is_some());
    }
}
