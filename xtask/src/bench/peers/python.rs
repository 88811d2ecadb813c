//! Environments of Python for the peers, made once with pip and used again, and the candles that all programs share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::TaskError;
use crate::dist::said;

/// A virtual environment with a peer's packages.
#[derive(Debug)]
pub(super) struct Environment(PathBuf);

impl Environment {
    /// The environment of this name below `home`, made when it is not there. Otherwise why it cannot be had.
    pub(super) fn at(home: &Path, name: &str, packages: &[&str]) -> Result<Self, String> {
        let environment = Self(home.join(name).join("venv"));
        let complete = home.join(name).join("complete");
        if complete.exists() {
            return Ok(environment);
        }
        println!("Making the environment of {name} ...");
        quietly(Command::new("python3").args(["-m", "venv"]).arg(&environment.0))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        quietly(Command::new(environment.python()).args(pip).args(packages))?;
        std::fs::write(&complete, packages.join("\n")).map_err(|error| error.to_string())?;
        Ok(environment)
    }

    pub(super) fn python(&self) -> PathBuf {
        self.0.join("bin").join("python")
    }

    /// The file with so many candles of the shared market, made when it is not there.
    pub(super) fn candles(&self, scripts: &Path, home: &Path, count: u32) -> Result<PathBuf, TaskError> {
        let file = home.join("data").join(format!("ohlcv_{count}.csv"));
        if !file.exists() {
            println!("Making {count} candles ...");
            let mut command = Command::new(self.python());
            command.arg(scripts.join("gen_data.py")).arg(count.to_string()).env("PEERS_HOME", home);
            said(&mut command)?;
        }
        Ok(file)
    }
}

/// Runs a command; its complaint when it fails, without the many lines before it.
fn quietly(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
}
