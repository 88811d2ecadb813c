//! `./x storm`: whole bots at whole venues on virtual time, with everything going wrong by seed.
//!
//! What goes wrong and what is compared is in `crates/bot/tests/storm`; `./x test` plays fewer seeds of the same runs.

use std::process::{Command, Stdio};

use clap::Args;

use crate::{TaskError, paths};

/// How many runs, and which.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Runs per venue.
    #[arg(default_value_t = 1_000)]
    pub runs: u64,
    /// One venue only.
    #[arg(long)]
    pub venue: Option<String>,
    /// Play one seed again instead, and show the bot's log.
    #[arg(long, conflicts_with = "runs")]
    pub seed: Option<u64>,
}

/// Builds the storm as `./x test` does and runs it. That build optimizes the crates in which a run spends its time
/// (`profile.dev.package` in the workspace), so no other one is needed.
pub fn run(options: &Options) -> Result<(), TaskError> {
    let mut wish = vec![options.runs.to_string()];
    if let Some(venue) = &options.venue {
        wish.extend(["--venue".to_owned(), venue.clone()]);
    }
    if let Some(seed) = options.seed {
        wish.extend(["--seed".to_owned(), seed.to_string()]);
    }
    let status = Command::new("cargo")
        .args(["test", "--quiet", "--package", "keyhold-bot", "--test", "storm", "--locked", "--"])
        .args(wish)
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: String::from("cargo"), source })?;
    if status.success() { Ok(()) } else { Err(TaskError::Failed(String::from("storm"))) }
}
