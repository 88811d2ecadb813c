//! What bots leave on the machine: processes, folders, connections. Read from the kernel, not from our own programs.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;

use crate::house::House;

/// What is there of all bots of a house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Processes that run the pinned bot program.
    pub processes: Vec<u32>,
    /// What stands in the bots' folder: one folder and one record per bot.
    pub files: Vec<String>,
    /// Ends of UNIX connections on the sockets of server and keeper, without the listening ones.
    pub lines: usize,
    /// TCP connections to the fake exchange that belong to users of bots.
    pub dialed: usize,
}

/// A bot's process as the server has recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

impl House {
    /// Looks for everything that belongs to bots. `users` are the users they run or ran as.
    ///
    /// # Panics
    /// When the kernel's tables cannot be read.
    pub fn traces(&self, users: &[u32]) -> Traces {
        let folder = self.folder().join("run").join("bots");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the server makes the bots' folder")
            .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let ports =
            self.stack.venues.first().map_or([0; 2], |venue| [port_of(&venue.rest), port_of(&venue.stream)]);
        Traces {
            processes: self.stack.bots(),
            files,
            lines: lines(self.folder()),
            dialed: dialed(&ports, users),
        }
    }

    /// The recorded process of a bot.
    pub fn instance(&self, bot: &str) -> Option<Instance> {
        let path = self.folder().join("run").join("bots").join(format!("{bot}.json"));
        let record: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let number = |name: &str| record[name].as_u64().and_then(|number| u32::try_from(number).ok());
        Some(Instance { pid: number("pid")?, uid: number("uid")? })
    }
}

fn port_of(address: &str) -> u16 {
    let digits = address.rsplit(':').next().unwrap_or("");
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("the exchange's address has a port")
}

/// Connected ends; a listening socket has the flag `__SO_ACCEPTCON`.
fn lines(folder: &Path) -> usize {
    let table = std::fs::read_to_string("/proc/net/unix").expect("the kernel lists its sockets");
    let folder = folder.display().to_string();
    let is_ours = |line: &&str| line.contains(&folder) && line.split_whitespace().nth(3) != Some("00010000");
    table.lines().filter(is_ours).count()
}

/// Closing connections count until the kernel alone keeps them: then they belong to no user any more.
fn dialed(ports: &[u16], users: &[u32]) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel lists its sockets");
    let local = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
    let remotes: Vec<String> = ports.iter().map(|port| format!("{local:08X}:{port:04X}")).collect();
    let is_theirs = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let user = words.get(7).and_then(|word| word.parse().ok());
        words.get(2).is_some_and(|remote| remotes.iter().any(|one| one == remote))
            && user.is_some_and(|user| users.contains(&user))
            && words.get(9) != Some(&"0")
    };
    table.lines().filter(is_theirs).count()
}

/// Whether this process may look into others.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
