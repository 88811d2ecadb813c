//! On what was measured, and how busy it was.

use std::process::Command;

use crate::{TaskError, paths};

/// The machine at one moment.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// UTC, `2026-01-31T12:00:00Z`.
    pub(super) time: String,
    /// Processes that wanted a processor, averaged over the last minute.
    pub(super) load: String,
}

impl Moment {
    /// Now.
    pub(super) fn now() -> Result<Self, TaskError> {
        let time = said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?;
        let load = read("/proc/loadavg")?;
        Ok(Self { time, load: load.split(' ').next().unwrap_or("").to_owned() })
    }
}

/// What does not change during a run.
#[derive(Debug)]
pub(super) struct Machine {
    /// The processor's name.
    pub(super) processor: String,
    /// How many threads run at one time.
    pub(super) processors: usize,
    /// Memory in GiB, rounded.
    pub(super) memory_gib: u64,
    /// The kernel's release.
    pub(super) kernel: String,
    /// The compiler.
    pub(super) compiler: String,
    /// Which state of the sources was built.
    pub(super) commit: String,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Result<Self, TaskError> {
        let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"])?;
        let unknown = || TaskError::Failed("/proc does not say what this machine is".to_owned());
        let processor = field(&read("/proc/cpuinfo")?, "model name").ok_or_else(unknown)?;
        let memory = field(&read("/proc/meminfo")?, "MemTotal").ok_or_else(unknown)?;
        let kib: u64 = memory.split(' ').next().and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
        Ok(Self {
            processor,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            compiler: said("rustc", &["--version"])?,
            commit: if changed { format!("{commit} with uncommitted changes") } else { commit },
        })
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        format!(
            "{}, {} processors, {} GiB, Linux {}, {}, commit {}",
            self.processor, self.processors, self.memory_gib, self.kernel, self.compiler, self.commit
        )
    }
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn read(path: &str) -> Result<String, TaskError> {
    std::fs::read_to_string(path).map_err(|source| TaskError::File { path: path.to_owned(), source })
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> Result<String, TaskError> {
    let output = Command::new(program).args(arguments).current_dir(paths::root()).output();
    let output = output.map_err(|source| TaskError::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        return Err(TaskError::Failed(format!("{program} {}", arguments.join(" "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "processor\t: 0\nmodel name\t: Abacus: fast\nmodel name\t: other\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Abacus: fast"));
        assert_eq!(field(text, "flags"), None);
    }
}
