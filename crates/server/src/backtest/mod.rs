//! `keyhold backtest`: templates on recorded candles, with the engine that trades live.
//!
//! One file per command: `run` one backtest, `sweep` many variants, `walk_forward` chosen on one window and traded on the
//! next, `check` look-ahead and warm-up, `compare` two results. They read files, hand candles to `simulator`, print text
//! or JSON and write files. They know no server, store or key.

mod candles;
mod check;
mod compare;
mod error;
mod files;
mod load;
mod markets;
mod options;
mod progress;
mod run;
mod series;
mod sweep;
mod walk_forward;

use std::io::Write;
use std::path::Path;

use clap::{ArgMatches, Args, FromArgMatches};
use keyhold_domain::Timestamp;

pub(crate) use candles::on_tick;
pub use error::CommandError;
pub(crate) use load::load_template;
pub use options::Assumed;

/// Run a template on recorded candles and print a report.
///
/// Example: keyhold backtest --template trend-follower --candles btc-1m.csv.gz --contract inverse --out report
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Command {
    // Read before the other, which takes its part out of the arguments.
    #[command(flatten)]
    run: OneRun,
    #[command(subcommand)]
    other: Option<Other>,
}

/// The options of one run, when no other command is given.
#[derive(Debug)]
struct OneRun(Option<run::Options>);

impl FromArgMatches for OneRun {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Ok(Self(None)),
            None => run::Options::from_arg_matches_mut(matches).map(|options| Self(Some(options))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for OneRun {
    fn augment_args(command: clap::Command) -> clap::Command {
        run::Options::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        run::Options::augment_args_for_update(command)
    }
}

/// What else can be done with recorded candles.
#[derive(Debug, clap::Subcommand)]
enum Other {
    /// Run a template in many variants on all processors and rank them.
    Sweep(Box<sweep::Options>),
    /// Choose parameters on one window, trade them on the next, and join what the next windows brought.
    WalkForward(Box<walk_forward::Options>),
    /// Check a template on its candles: does it know the future, and enough of the past?
    #[command(subcommand)]
    Check(Box<check::Options>),
    /// Compare two reports: assumptions that differ, figures side by side, the first differing trade.
    Compare(compare::Options),
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All is well: exit code 0.
    Fine,
    /// A check has found something: exit code 3.
    Found,
    /// Ctrl-C; what was done until then was printed: exit code 130.
    Canceled,
}

/// Runs the command. Results go to standard output, progress to standard error when that is a terminal.
///
/// # Errors
/// [`CommandError`]; then no file was written.
pub fn run(command: &Command, output: &mut impl Write) -> Result<Ending, CommandError> {
    match (&command.other, &command.run.0) {
        (Some(Other::Sweep(options)), _) => sweep::run(options, output),
        (Some(Other::WalkForward(options)), _) => walk_forward::run(options, output),
        (Some(Other::Check(options)), _) => check::run(options, output),
        (Some(Other::Compare(options)), _) => compare::run(options, output),
        (None, Some(options)) => run::run(options, output),
        (None, None) => Err(CommandError::Option {
            option: "template",
            what: "is needed: a file, or the name of a built-in template".to_owned(),
        }),
    }
}

/// Writes a result to standard output.
fn print(output: &mut impl Write, text: &str) -> Result<(), CommandError> {
    output.write_all(text.as_bytes()).map_err(error::file(Path::new("standard output")))
}

/// An instant given as `2022-01-31`, as RFC 3339, or as milliseconds since the epoch.
fn instant(option: &'static str, text: &str) -> Result<Timestamp, CommandError> {
    parse_instant(text).ok_or_else(|| CommandError::Option {
        option,
        what: "is an instant: 2022-01-31, 2022-01-31T13:00:00Z or milliseconds since the epoch".to_owned(),
    })
}

/// An instant given as `2022-01-31`, as RFC 3339, or as milliseconds since the epoch.
pub(crate) fn parse_instant(text: &str) -> Option<Timestamp> {
    if let Ok(ms) = text.parse() {
        return Some(Timestamp::from_ms(ms));
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().ok()
}
