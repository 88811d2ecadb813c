//! The command line. One file per command; a new one is a variant here, an arm in [`run`] and a file beside.
//!
//! Exit codes: 0 all is well, 1 it failed, 2 the command line is wrong, 3 a check has found something, 130 Ctrl-C.

mod claim_code;
mod doctor;
mod openapi;
mod options;
mod serve;
mod templates;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backtest::Ending;
use crate::config::ConfigError;
use crate::start::StartError;

/// Keyhold: trading bots that keep your exchange keys sealed.
#[derive(Debug, Parser)]
#[command(name = "keyhold", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(Box<serve::Serve>),
    /// Print a fresh one-time code for claiming a new installation.
    ClaimCode(Box<options::Options>),
    /// Say of every protection whether it is in force on this machine. Exit code 3 when one is not.
    Doctor(Box<doctor::Doctor>),
    /// Run a template over recorded candles.
    Backtest(Box<crate::backtest::Command>),
    /// Check, explain and write templates.
    #[command(subcommand)]
    Templates(templates::Command),
    /// Keep candles on disk for backtests.
    #[command(subcommand)]
    Candles(Box<crate::candles::Command>),
    /// Print the description of the HTTP API.
    Openapi,
    /// Print the version.
    Version,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Backtest(#[from] crate::backtest::CommandError),
    #[error(transparent)]
    Candles(#[from] crate::candles::CandlesError),
    #[error("the installation has an owner already")]
    Claimed,
    #[error("{0}")]
    Io(&'static str, #[source] std::io::Error),
}

/// Reads the arguments, runs the command, prints what went wrong with its causes.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let mut text = format!("keyhold: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(source) = cause {
                text.push_str(": ");
                text.push_str(&source.to_string());
                cause = source.source();
            }
            eprintln!("{text}");
            if matches!(error, CliError::Backtest(crate::backtest::CommandError::Canceled)) {
                ended(Ending::Canceled)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(command) => runtime()?.block_on(command.run())?,
        Command::ClaimCode(options) => runtime()?.block_on(claim_code::run(*options))?,
        Command::Doctor(command) => return Ok(ended(runtime()?.block_on(doctor::run(*command))?)),
        Command::Backtest(command) => {
            return Ok(ended(crate::backtest::run(&command, &mut std::io::stdout().lock())?));
        }
        Command::Templates(command) => {
            return Ok(ended(templates::run(&command, &mut std::io::stdout().lock())?));
        }
        Command::Candles(command) => {
            let mut output = std::io::stdout();
            runtime()?.block_on(crate::candles::run(&command, &mut output))?;
        }
        Command::Openapi => print(&openapi::text())?,
        Command::Version => print(env!("CARGO_PKG_VERSION"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of an ending.
fn ended(ending: Ending) -> ExitCode {
    match ending {
        Ending::Fine => ExitCode::SUCCESS,
        Ending::Found => ExitCode::from(3),
        Ending::Canceled => ExitCode::from(130),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Runtime::new().map_err(|error| CliError::Io("starting the runtime", error))
}

/// Writes a line to standard output.
fn print(text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| CliError::Io("writing to standard output", error))
}
