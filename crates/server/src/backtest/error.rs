//! Why a command of `keyhold backtest` gave no result, in sentences that say what to do.

use std::path::{Path, PathBuf};

use keyhold_engine::problem::Problem;
use keyhold_simulator::backtest::{BacktestError, TooCoarse};
use keyhold_simulator::compare::CompareError;
use keyhold_simulator::sweep::SweepError;
use keyhold_simulator::walk_forward::WalkError;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A candle file cannot be read.
    #[error(transparent)]
    Candles(#[from] keyhold_history::HistoryError),
    /// The candles are longer than the template's.
    #[error(transparent)]
    TooCoarse(#[from] TooCoarse),
    /// A line of a CSV file is not what it should be.
    #[error("{path}, line {line}: {what}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong and what is expected.
        what: String,
    },
    /// A document is not valid JSON of its kind.
    #[error("{path} is not a {kind}: {reason}")]
    Document {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        kind: &'static str,
        /// Where it breaks.
        reason: String,
    },
    /// A document has problems; all of them are listed.
    #[error("{path} has {count} problems:{list}", count = .problems.len(), list = list(.problems))]
    Problems {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// The template is neither a file nor built in.
    #[error("there is no file and no built-in template named {name}; built in are: {known}")]
    NoTemplate {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An option has a value that makes no sense.
    #[error("--{option} {what}")]
    Option {
        /// Which.
        option: &'static str,
        /// The rule.
        what: String,
    },
    /// The run was refused.
    #[error("{code}: {0}{list}", code = .0.code(), list = plan(.0))]
    Backtest(BacktestError),
    /// The sweep was refused.
    #[error("the sweep has problems:{}", sweep(.0))]
    Sweep(SweepError),
    /// The candles cannot be divided into windows.
    #[error(transparent)]
    Windows(#[from] keyhold_simulator::walk_forward::WindowError),
    /// Two documents cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The result could not be written as text.
    #[error("the result cannot be written: {0}")]
    Render(String),
    /// Ctrl-C before there was anything to show.
    #[error("canceled")]
    Canceled,
}

impl From<BacktestError> for CommandError {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Canceled => Self::Canceled,
            error => Self::Backtest(error),
        }
    }
}

impl From<SweepError> for CommandError {
    fn from(error: SweepError) -> Self {
        Self::Sweep(error)
    }
}

impl From<WalkError> for CommandError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Sweep(error) => Self::Sweep(error),
            WalkError::Windows(error) => Self::Windows(error),
            WalkError::Backtest(error) => error.into(),
        }
    }
}

fn plan(error: &BacktestError) -> String {
    match error {
        BacktestError::Plan(problems) => list(problems),
        _ => String::new(),
    }
}

fn sweep(error: &SweepError) -> String {
    match error {
        SweepError::Document(problems) => list(problems),
    }
}

/// Problems, one per line.
pub(super) fn list(problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        format!("\n  {} {}: {} {}", problem.path, problem.code, problem.message, problem.remedy)
    };
    problems.iter().map(line).collect()
}

/// For `map_err` on operations of the file system.
pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> CommandError {
    move |source| CommandError::File { path: path.to_path_buf(), source }
}

/// For `map_err` on renderers.
pub(super) fn render(error: impl std::fmt::Display) -> CommandError {
    CommandError::Render(error.to_string())
}
