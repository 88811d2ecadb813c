//! The stages of `./x test` and their report. A stage that did not run is a failure, never a silence.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::postgres::Postgres;
use crate::{TaskError, paths};

/// One command of the run.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// What people call it.
    pub name: &'static str,
    /// The program and its arguments.
    pub command: &'static [&'static str],
    /// The folder below the root in which it runs.
    pub folder: &'static str,
}

/// A stage that runs `command` in `folder`.
pub const fn stage(name: &'static str, folder: &'static str, command: &'static [&'static str]) -> Stage {
    Stage { name, command, folder }
}

/// The packages that the lock file names, and nothing else.
pub const NPM_CI: Stage =
    stage("web packages", "web", &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
const RUST_FORMAT: Stage = stage("rust format", "", &["cargo", "fmt", "--all", "--check"]);
const CLIPPY: Stage = stage(
    "clippy",
    "",
    &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
);

/// Everything. The web is built before the server embeds it; the programs are built before the tests that start them.
pub const TEST: &[Stage] = &[
    RUST_FORMAT,
    NPM_CI,
    stage("web format", "web", &["npm", "run", "--silent", "format:check"]),
    stage("web lint", "web", &["npm", "run", "--silent", "lint"]),
    // Generated again into a temporary folder; the description itself is compared by the server's tests.
    stage("web api types are current", "web", &["npm", "run", "--silent", "api", "--", "--check"]),
    stage("web types", "web", &["npm", "run", "--silent", "check"]),
    stage("web unit tests", "web", &["npm", "run", "--silent", "test"]),
    stage("web build", "web", &["npm", "run", "--silent", "build"]),
    CLIPPY,
    stage("programs", "", &["cargo", "build", "--workspace", "--bins", "--locked"]),
    stage(
        "rust tests, doc tests, walls",
        "",
        &["cargo", "test", "--workspace", "--locked", "--no-fail-fast"],
    ),
    stage(
        "instructions a candle",
        "",
        &["cargo", "run", "--quiet", "--locked", "--package", "xtask", "--", "bench", "--instructions"],
    ),
    stage("browser journeys", "web", &["npm", "run", "--silent", "e2e"]),
];

/// What a commit needs at least.
pub const CHECK: &[Stage] =
    &[RUST_FORMAT, CLIPPY, stage("walls", "", &["cargo", "test", "--locked", "--package", "xtask"])];

/// Rewrites, does not check.
pub const FORMAT: &[Stage] = &[
    stage("rust format", "", &["cargo", "fmt", "--all"]),
    NPM_CI,
    stage("web format", "web", &["npm", "run", "--silent", "format"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

/// What a run of stages needs besides the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// Nothing.
    None,
    /// A PostgreSQL server for the store's tests.
    Postgres,
}

/// Runs every stage, also after a failure, and prints one line for each.
pub fn run(stages: &[Stage], services: Services) -> Result<(), TaskError> {
    let postgres = match services {
        Services::None => None,
        Services::Postgres => Some(Postgres::start()?),
    };
    let environment: Vec<(&str, String)> =
        postgres.iter().map(|postgres| ("KEYHOLD_TEST_POSTGRES_URL", postgres.url())).collect();
    let mut lines = Vec::new();
    for stage in stages {
        println!("\n==> {}: {}", stage.name, stage.command.join(" "));
        #[allow(clippy::disallowed_methods, reason = "the duration is only shown")]
        let started = Instant::now();
        let outcome = run_stage(stage, &environment)?;
        lines.push((stage.name, outcome, started.elapsed()));
    }
    report(&lines)
}

fn run_stage(stage: &Stage, environment: &[(&str, String)]) -> Result<Outcome, TaskError> {
    let (program, arguments) = stage.command.split_first().expect("a stage names its program");
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
        .current_dir(paths::root().join(stage.folder))
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: (*program).to_owned(), source })?;
    Ok(if status.success() { Outcome::Passed } else { Outcome::Failed })
}

fn report(lines: &[(&str, Outcome, Duration)]) -> Result<(), TaskError> {
    println!("\n{:<32} {:>8}  seconds", "stage", "result");
    let mut failed = Vec::new();
    for (name, outcome, took) in lines {
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => {
                failed.push(*name);
                "FAILED"
            }
        };
        println!("{name:<32} {word:>8}  {:.0}", took.as_secs_f64());
    }
    println!("\nstages: {} passed, {} failed", lines.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(TaskError::Failed(failed.join(", "))) }
}
