//! Random templates, settings, markets and bad venues against the engine and the simulator.
//!
//! Without arguments it plays a fixed number of cases and those that once failed (`regressions.txt`), as a part of every
//! test run. `--minutes N` plays fresh seeds on all processors until the time is over or a case fails; `--seed N` plays
//! one case again. A seed is a case for as long as the generators stay as they are. The front door is `./x fuzz`.

#![allow(clippy::print_stdout, reason = "progress is shown to people")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed demand is a failed test")]

mod case;
mod demands;
mod dice;
mod hostile;
mod markets;
mod past;
mod problems;
mod run;
mod templates;

use std::process::ExitCode;
use std::time::Duration;

/// How many cases every test run plays: about half a minute of two processors.
const CASES: u64 = 2000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    run::quiet_panics();
    if let Some(seed) = number("--seed") {
        return run::one(seed);
    }
    if let Some(minutes) = number("--minutes") {
        return run::fresh(Duration::from_secs(60 * minutes));
    }
    // `cargo test NAME` and `--list` mean the tests that have names.
    if arguments.iter().any(|argument| argument == "--list" || !argument.starts_with('-')) {
        return ExitCode::SUCCESS;
    }
    run::fixed(CASES)
}
