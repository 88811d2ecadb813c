//! Bounds for a group of processes: memory and number of processes, and a way to end them all.
//!
//! Works with version 2 of the kernel's control groups, with version 1, and with both side by side. What is possible
//! depends on who runs the launcher and how the machine was booted, so nothing here fails for want of a limit: the group
//! says what it could not do ([`Group::missing`]), and the caller shows it. It knows nothing of what runs in a group.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::pidfd::{PidFd, ProcessError, Signal};

/// How often [`Group::kill`] looks for processes that were born meanwhile, where the kernel cannot kill a group at once.
const KILL_ROUNDS: usize = 16;
/// Longest name of a group.
const NAME_LIMIT: usize = 64;

/// What control groups this system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Version 2 only.
    Unified,
    /// Version 2 beside version 1, which holds the controllers.
    Hybrid,
    /// Version 1 only.
    Legacy,
    /// None that can be found.
    None,
}

/// Where new groups can be made: below the group this process is in.
#[derive(Debug, Clone, Default)]
pub struct Cgroups {
    unified: Option<PathBuf>,
    memory: Option<PathBuf>,
    processes: Option<PathBuf>,
}

/// Bounds of a group; `None` sets none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupLimits {
    /// Memory of all processes together in bytes, without any swap space on top.
    pub memory_bytes: Option<u64>,
    /// Processes and threads together.
    pub processes: Option<u64>,
}

/// Something a group cannot do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMissing {
    /// Memory is not bounded.
    MemoryLimit,
    /// Memory is bounded, but swap space comes on top.
    SwapLimit,
    /// The number of processes is not bounded.
    ProcessLimit,
    /// The kernel cannot kill the group at once; it is done process by process.
    KillAtOnce,
}

impl GroupMissing {
    /// The word for status pages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemoryLimit => "cgroup_memory",
            Self::SwapLimit => "cgroup_swap",
            Self::ProcessLimit => "cgroup_processes",
            Self::KillAtOnce => "cgroup_kill",
        }
    }
}

/// Why a group could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Names are 1 to 64 of `a-z A-Z 0-9 - _ .`, and start with a letter or digit.
    #[error("{0:?} is not a name for a control group")]
    Name(String),
    /// A file or directory of the group could not be used.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A process of the group could not be killed.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// A group of processes. Dropping it leaves the group in place, because the processes may outlive the launcher.
#[derive(Debug)]
pub struct Group {
    directories: Vec<PathBuf>,
    missing: Vec<GroupMissing>,
}

impl Cgroups {
    /// Finds out what there is. Finds nothing where `/proc` is not mounted.
    pub fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::from_text(&mounts, &own)
    }

    fn from_text(mounts: &str, own: &str) -> Self {
        let mut found = Self::default();
        for mount in mounts.lines().filter_map(Mount::parse) {
            if mount.kind == "cgroup2" {
                found.unified = mount.directory_of(own, "");
            } else if mount.kind == "cgroup" {
                let has = |name: &str| mount.options.split(',').any(|option| option == name);
                if has("memory") {
                    found.memory = mount.directory_of(own, "memory");
                }
                if has("pids") {
                    found.processes = mount.directory_of(own, "pids");
                }
            }
        }
        found
    }

    /// Which kind of system this is.
    pub fn layout(&self) -> Layout {
        match (self.unified.is_some(), self.memory.is_some() || self.processes.is_some()) {
            (true, false) => Layout::Unified,
            (true, true) => Layout::Hybrid,
            (false, true) => Layout::Legacy,
            (false, false) => Layout::None,
        }
    }

    /// Makes a group below this process's own, or takes the one of that name that is there, and sets its bounds as far
    /// as this process may. What could not be done is in [`Group::missing`].
    ///
    /// # Errors
    /// [`CgroupError::Name`].
    pub fn create(&self, name: &str, limits: GroupLimits) -> Result<Group, CgroupError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.len() > NAME_LIMIT
            || !name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            || !name.bytes().all(allowed)
        {
            return Err(CgroupError::Name(name.to_owned()));
        }
        if let Some(base) = &self.unified {
            // Hands the controllers down. Refused where this group itself has processes; then the files below are absent
            // and the bounds count as missing.
            for controller in ["+memory", "+pids"] {
                set(&base.join("cgroup.subtree_control"), controller);
            }
        }
        let directory =
            |base: &Option<PathBuf>| base.as_ref().map(|base| base.join(name)).filter(|path| make(path));
        let unified = directory(&self.unified);
        let memory = directory(&self.memory);
        let processes = directory(&self.processes);
        let missing = [
            memory_limits(limits, unified.as_deref(), memory.as_deref()),
            process_limit(limits, unified.as_deref().into_iter().chain(processes.as_deref())),
            (!unified.as_ref().is_some_and(|path| path.join("cgroup.kill").exists()))
                .then_some(GroupMissing::KillAtOnce),
        ];
        let mut directories: Vec<PathBuf> = [unified, memory, processes].into_iter().flatten().collect();
        directories.dedup();
        Ok(Group { directories, missing: missing.into_iter().flatten().collect() })
    }
}

fn memory_limits(limits: GroupLimits, unified: Option<&Path>, legacy: Option<&Path>) -> Option<GroupMissing> {
    let bytes = limits.memory_bytes?.to_string();
    if unified.is_some_and(|path| set(&path.join("memory.max"), &bytes)) {
        let swap = unified.is_some_and(|path| set(&path.join("memory.swap.max"), "0"));
        return (!swap).then_some(GroupMissing::SwapLimit);
    }
    if legacy.is_some_and(|path| set(&path.join("memory.limit_in_bytes"), &bytes)) {
        // Version 1 bounds memory and swap space together.
        let swap = legacy.is_some_and(|path| set(&path.join("memory.memsw.limit_in_bytes"), &bytes));
        return (!swap).then_some(GroupMissing::SwapLimit);
    }
    Some(GroupMissing::MemoryLimit)
}

fn process_limit<'a>(
    limits: GroupLimits,
    mut places: impl Iterator<Item = &'a Path>,
) -> Option<GroupMissing> {
    let most = limits.processes?.to_string();
    (!places.any(|path| set(&path.join("pids.max"), &most))).then_some(GroupMissing::ProcessLimit)
}

/// Whether the directory is there now.
fn make(path: &Path) -> bool {
    match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
    }
}

/// Whether the file took the value. Never creates one: a controller that is not there has no file.
fn set(path: &Path, value: &str) -> bool {
    use std::io::Write;
    File::options().write(true).open(path).and_then(|mut file| file.write_all(value.as_bytes())).is_ok()
}

impl Group {
    /// What this group cannot do.
    pub fn missing(&self) -> &[GroupMissing] {
        &self.missing
    }

    /// Files for [`crate::spawn::ChildOptions::join_groups`].
    ///
    /// # Errors
    /// [`CgroupError::File`].
    pub fn join_files(&self) -> Result<Vec<File>, CgroupError> {
        self.directories
            .iter()
            .map(|directory| {
                let path = directory.join("cgroup.procs");
                let opened = File::options().write(true).open(&path);
                opened.map_err(|source| CgroupError::File { doing: "opening", path, source })
            })
            .collect()
    }

    /// Numbers of the processes in the group.
    ///
    /// # Errors
    /// [`CgroupError::File`].
    pub fn processes(&self) -> Result<Vec<u32>, CgroupError> {
        let mut numbers = Vec::new();
        for directory in &self.directories {
            let path = directory.join("cgroup.procs");
            let text = fs::read_to_string(&path).map_err(|source| CgroupError::File {
                doing: "reading",
                path,
                source,
            })?;
            numbers.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// Kills every process in the group. They may still be listed for a moment afterwards.
    ///
    /// # Errors
    /// [`CgroupError`] when one could not be killed.
    pub fn kill(&self) -> Result<(), CgroupError> {
        if self.directories.iter().any(|directory| set(&directory.join("cgroup.kill"), "1")) {
            return Ok(());
        }
        for _round in 0..KILL_ROUNDS {
            let numbers = self.processes()?;
            if numbers.is_empty() {
                break;
            }
            for number in numbers {
                match PidFd::open(number).and_then(|process| process.signal(Signal::KILL)) {
                    Ok(()) => {}
                    Err(error) if error.is_gone() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Removes the group, which must be empty.
    ///
    /// # Errors
    /// [`CgroupError::File`], for instance while processes are left.
    pub fn remove(self) -> Result<(), CgroupError> {
        for path in self.directories {
            match fs::remove_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(CgroupError::File { doing: "removing", path, source }),
            }
        }
        Ok(())
    }
}

/// A line of `/proc/self/mountinfo`, proc(5).
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        // The number of fields before the dash varies.
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            root: before.next()?,
            point: before.next()?,
            kind: after.next()?,
            options: after.nth(1).unwrap_or_default(),
        })
    }

    /// The directory of the group that `own`, the text of `/proc/self/cgroup`, names for the controller.
    fn directory_of(&self, own: &str, controller: &str) -> Option<PathBuf> {
        let path = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let listed = fields.next()?.split(',').any(|name| name == controller);
            listed.then(|| fields.next()).flatten()
        })?;
        // In a container the mount may show only a part of the tree.
        let below = Path::new(path).strip_prefix(self.root).unwrap_or(Path::new(""));
        Some(Path::new(self.point).join(below))
    }
}

#[cfg(test)]
mod tests {
    use super::{CgroupError, Cgroups, GroupLimits, Layout};
    use std::path::PathBuf;

    #[test]
    fn version_2_is_recognized() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = Cgroups::from_text(mounts, "0::/system.slice/keyhold.service\n");
        assert_eq!(found.layout(), Layout::Unified);
        assert_eq!(found.unified, Some(PathBuf::from("/sys/fs/cgroup/system.slice/keyhold.service")));
    }

    #[test]
    fn both_versions_side_by_side_are_recognized() {
        let mounts = "35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\n\
                      39 31 0:36 / /cg/pids rw - cgroup cgroup rw,pids\n\
                      41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n";
        let found = Cgroups::from_text(mounts, "8:pids:/\n4:memory:/some/where\n0::/\n");
        assert_eq!(found.layout(), Layout::Hybrid);
        assert_eq!(found.memory, Some(PathBuf::from("/cg/memory/some/where")));
        assert_eq!(found.processes, Some(PathBuf::from("/cg/pids")));
    }

    #[test]
    fn a_container_that_shows_only_its_own_part_is_understood() {
        let mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        let found = Cgroups::from_text(mounts, "0::/docker/abc/inner\n");
        assert_eq!(found.unified, Some(PathBuf::from("/sys/fs/cgroup/inner")));
    }

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in ["", "..", ".hidden", "a/b", "-x", "a b", &"x".repeat(65)] {
            let made = Cgroups::default().create(name, GroupLimits::default());
            assert!(matches!(made, Err(CgroupError::Name(_))), "{name:?}");
        }
        assert_eq!(Cgroups::default().layout(), Layout::None);
    }
}
