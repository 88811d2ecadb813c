//! `./x fuzz`: random templates, settings, markets and bad venues against the engine and the simulator, for some minutes.
//!
//! What is generated and checked is in `crates/simulator/tests/fuzz`; `./x test` runs a fixed number of the same cases.

use std::process::{Command, Stdio};

use clap::Args;

use crate::{TaskError, paths};

/// How long, or which seed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// Minutes to run.
    #[arg(default_value_t = 10)]
    pub minutes: u32,
    /// Play one seed again instead, and say what it is made of.
    #[arg(long, conflicts_with = "minutes")]
    pub seed: Option<u64>,
}

/// Builds the fuzzer as the tests do and runs it.
pub fn run(options: &Options) -> Result<(), TaskError> {
    let wish = match options.seed {
        Some(seed) => ["--seed".to_owned(), seed.to_string()],
        None => ["--minutes".to_owned(), options.minutes.to_string()],
    };
    let status = Command::new("cargo")
        .args(["test", "--quiet", "--package", "keyhold-simulator", "--test", "fuzz", "--locked", "--"])
        .args(wish)
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: String::from("cargo"), source })?;
    if status.success() { Ok(()) } else { Err(TaskError::Failed(String::from("fuzz"))) }
}
