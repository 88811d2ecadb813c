//! `keyhold candles`: years of candles on disk, imported from files or fetched from a venue, with a report of what is missing.
//!
//! The files are Parquet ([`keyhold_history`]), so that other tools open them. It knows no server, store or key: a venue's
//! history is public.

pub(crate) mod fetch;
mod import;
mod options;
mod show;

use std::io::Write;
use std::path::Path;

use keyhold_history::HistoryError;
use keyhold_venues::VenueError;

pub use options::Command;

/// Why the command failed. What was stored before stays stored.
#[derive(Debug, thiserror::Error)]
pub enum CandlesError {
    /// Files could not be read or written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// An option has a value that makes no sense.
    #[error("--{option} {what}")]
    Option {
        /// Which.
        option: &'static str,
        /// The rule.
        what: String,
    },
    /// The venue cannot be talked to with these options.
    #[error("{0}")]
    Unsupported(String),
    /// The venue did not answer with candles. Started again, the command goes on where it stopped.
    #[error("asking the venue for candles from {from}: {source}; run the command again to go on from there")]
    Venue {
        /// The first candle of the page that failed.
        from: keyhold_domain::Timestamp,
        /// What happened.
        source: VenueError,
    },
    /// Ctrl-C.
    #[error("stopped; run the command again to go on from there")]
    Stopped,
    /// Nothing could be printed.
    #[error("writing to standard output: {0}")]
    Print(#[source] std::io::Error),
}

/// Runs one of the commands.
///
/// # Errors
/// [`CandlesError`].
pub async fn run(command: &Command, output: &mut impl Write) -> Result<(), CandlesError> {
    match command {
        Command::Import(options) => import::run(options, output),
        Command::Fetch(options) => fetch::run(options, output).await,
        Command::List(options) => show::list(options, output),
        Command::Gaps(options) => show::gaps(options, output),
        Command::Export(options) => show::export(options, output),
    }
}

/// A line of output.
fn say(output: &mut impl Write, text: &str) -> Result<(), CandlesError> {
    writeln!(output, "{text}").map_err(CandlesError::Print)
}

/// For `map_err` on operations of the file system.
fn file(path: &Path) -> impl FnOnce(std::io::Error) -> CandlesError {
    let path = path.to_path_buf();
    move |source| CandlesError::History(HistoryError::File { path, source })
}
