//! `./x fuzz`: random cases for some minutes. Strategies: random templates, settings, markets and bad venues against the
//! engine and the simulator. Parsers: spoiled messages of every venue against its adapter.
//!
//! What is generated and checked is in `crates/simulator/tests/fuzz` and in `crates/venues/tests/it/kit/spoil`; `./x test`
//! runs a fixed number of the same cases.

use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use crate::{TaskError, paths};

/// How the parsers' tests learn for how long they play; read in `crates/venues/tests/it/kit/spoil`.
const MINUTES: &str = "KEYHOLD_FUZZ_MINUTES";

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Strategies, then parsers, each for half of the time.
    All,
    /// Templates, settings and markets against the engine and the simulator.
    Strategies,
    /// Spoiled messages against the adapters.
    Parsers,
}

/// How long, what, or which seed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// Minutes to run.
    #[arg(default_value_t = 10)]
    pub minutes: u32,
    /// What to play.
    #[arg(long, value_enum, default_value = "all")]
    pub part: Part,
    /// Play one seed of the strategies again instead, and say what it is made of.
    #[arg(long, conflicts_with_all = ["minutes", "part"])]
    pub seed: Option<u64>,
}

/// Builds the fuzzers as the tests do and runs them.
pub fn run(options: &Options) -> Result<(), TaskError> {
    if let Some(seed) = options.seed {
        return strategies(["--seed".to_owned(), seed.to_string()]);
    }
    let minutes = options.minutes;
    let for_so_long = |minutes: u32| ["--minutes".to_owned(), minutes.to_string()];
    match options.part {
        Part::Strategies => strategies(for_so_long(minutes)),
        Part::Parsers => parsers(minutes),
        Part::All => {
            strategies(for_so_long(minutes.div_ceil(2)))?;
            parsers(minutes.div_ceil(2))
        }
    }
}

fn strategies(wish: [String; 2]) -> Result<(), TaskError> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--quiet", "--package", "keyhold-simulator", "--test", "fuzz", "--locked", "--"])
        .args(wish);
    finish(&mut cargo)
}

/// A seed that fails is written to `seeds.txt` beside the tests, and every later run plays it.
fn parsers(minutes: u32) -> Result<(), TaskError> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--quiet", "--package", "keyhold-venues", "--test", "it", "--locked", "--"])
        .args(["spoiled_messages_do_no_harm", "--nocapture"])
        .env(MINUTES, minutes.to_string());
    finish(&mut cargo)
}

fn finish(cargo: &mut Command) -> Result<(), TaskError> {
    let status = cargo
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: String::from("cargo"), source })?;
    if status.success() { Ok(()) } else { Err(TaskError::Failed(String::from("fuzz"))) }
}
