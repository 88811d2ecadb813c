//! The developer's tool behind `./x`: tests, demo, benchmarks. It knows no trading; it starts programs and reads text.

#![allow(clippy::print_stdout, reason = "a command-line tool talks on standard output")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::stages::{self, Services};

/// Keyhold's front door.
#[derive(Debug, Parser)]
#[command(name = "x", bin_name = "./x")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check: format, lints, Rust and doc tests, walls, web, browser journeys.
    Test,
    /// The fast checks: format, lints, walls.
    Check,
    /// Format everything.
    Fmt,
    /// Write the API's description and the dashboard's types anew from the server's handlers.
    Api,
    /// Write the pages of docs/reference anew from the engine's catalog.
    Docs,
    /// Random templates, markets and venues against the engine and the simulator, until the time is over or one fails.
    Fuzz(xtask::fuzz::Options),
    /// Whole bots at simulated venues with every fault on; at the end both must have the same books.
    Storm(xtask::storm::Options),
    /// Start server, keeper and a fake exchange, and print one address.
    Demo(xtask::demo::Options),
    /// Build the programs as they are distributed, arranged by what a training run counts.
    Dist,
    /// Measure and print the figures of the README.
    Bench(xtask::bench::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test => stages::run(stages::TEST, Services::Postgres),
        Command::Check => stages::run(stages::CHECK, Services::None),
        Command::Fmt => stages::run(stages::FORMAT, Services::None),
        Command::Api => xtask::api::run(),
        Command::Docs => xtask::docs::run(),
        Command::Fuzz(options) => xtask::fuzz::run(&options),
        Command::Storm(options) => xtask::storm::run(&options),
        Command::Demo(options) => xtask::demo::run(&options),
        Command::Dist => xtask::dist::run(),
        Command::Bench(options) => xtask::bench::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("x: {error}");
            ExitCode::FAILURE
        }
    }
}
