//! `keyhold backtest`: a template on a candle file, with the engine that trades live.
//!
//! Reads files, hands candles to `simulator::backtest`, prints the report and writes it as JSON and CSV. It knows no
//! server, store or key.

mod candles;
mod options;

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use keyhold_domain::{Decimal, Rate, Timestamp};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::problem::Problem;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::system_templates;
use keyhold_engine::template::Template;
use keyhold_simulator::backtest::{self, BacktestError, Control, Funding, Progress, Report, Spec};
use keyhold_simulator::market::aggregate;

pub use options::Options;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A candle file cannot be read.
    #[error(transparent)]
    Candles(#[from] keyhold_history::HistoryError),
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
    #[error("{code}: {source}{list}", code = .source.code(), list = list(.source))]
    Backtest {
        /// Why.
        #[from]
        source: BacktestError,
    },
    /// The report could not be written as text.
    #[error("the report cannot be written: {0}")]
    Render(String),
}

fn list(error: &BacktestError) -> String {
    match error {
        BacktestError::Plan(problems) => problems.iter().map(problem).collect(),
        _ => String::new(),
    }
}

fn problem(problem: &Problem) -> String {
    format!("\n  {} {}: {} {}", problem.path, problem.code, problem.message, problem.remedy)
}

/// Runs the command. The report goes to standard output, progress to standard error when that is a terminal.
///
/// # Errors
/// [`CommandError`]; then no file was written.
pub fn run(options: &Options, output: &mut impl Write) -> Result<(), CommandError> {
    let template = load_template(&options.template)?;
    let instrument = options.instrument()?;
    let recorded = candles::read(&options.candles, &instrument)?;
    let made = aggregate(&recorded, template.timeframe);
    let closed: Vec<ClosedCandle> = made.into_iter().map(ClosedCandle::new).collect();
    let mut spec = Spec::new(template, instrument, load_settings(options)?, options.equity);
    spec.from = options.from()?;
    spec.until = options.until()?;
    spec.fills.slippage_bps = options.slippage_bps;
    spec.funding = funding(options)?;
    spec.unsupported = options.unsupported.into();
    let report = backtest::run(&spec, &closed, &mut progress())?;
    if let Some(folder) = &options.out {
        write_files(folder, &report)?;
    }
    let text = if options.json {
        backtest::json(&report).map_err(|error| CommandError::Render(error.to_string()))? + "\n"
    } else {
        backtest::text(&report).map_err(|error| CommandError::Render(error.to_string()))?
    };
    output.write_all(text.as_bytes()).map_err(file(Path::new("standard output")))
}

pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> CommandError {
    move |source| CommandError::File { path: path.to_path_buf(), source }
}

fn load_template(name: &str) -> Result<Template, CommandError> {
    let built_in = system_templates::all();
    if let Some(found) = built_in.iter().find(|template| template.id == name) {
        return Ok(found.template.clone());
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<&str> = built_in.iter().map(|template| template.id).collect();
        return Err(CommandError::NoTemplate { name: name.to_owned(), known: known.join(", ") });
    }
    document(path, "template")
}

fn document<T: serde::de::DeserializeOwned>(path: &Path, kind: &'static str) -> Result<T, CommandError> {
    let text = fs::read(path).map_err(file(path))?;
    serde_json::from_slice(&text).map_err(|error| CommandError::Document {
        path: path.to_path_buf(),
        kind,
        reason: error.to_string(),
    })
}

fn load_settings(options: &Options) -> Result<BotSettings, CommandError> {
    match &options.settings {
        Some(path) => document(path, "settings document"),
        None => Ok(BotSettings::new(options.sizing(), options.leverage)),
    }
}

fn funding(options: &Options) -> Result<Funding, CommandError> {
    match options.funding.as_deref() {
        None | Some("off") => Ok(Funding::Off),
        Some(text) => match Decimal::from_str_exact(text) {
            Ok(rate) => Ok(Funding::Constant(Rate::new(rate))),
            Err(_) => candles::read_funding(Path::new(text)).map(Funding::History),
        },
    }
}

/// A line on the terminal that overwrites itself; nothing when standard error is a file.
fn progress() -> impl FnMut(Progress) -> Control {
    let shown = std::io::stderr().is_terminal();
    move |progress| {
        if shown {
            let percent = (progress.done * 100).checked_div(progress.all).unwrap_or(100);
            let line = format!("\r{percent:>3} %  candle {} of {}", progress.done, progress.all);
            let end = if progress.done >= progress.all { "\n" } else { "" };
            // A terminal that has gone away does not end a backtest.
            let _ = std::io::stderr().write_all((line + end).as_bytes());
        }
        Control::Continue
    }
}

fn write_files(folder: &Path, report: &Report) -> Result<(), CommandError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    let json = backtest::json(report).map_err(|error| CommandError::Render(error.to_string()))?;
    for (name, text) in [
        ("report.json", json),
        ("trades.csv", backtest::trades_csv(report)),
        ("equity.csv", backtest::equity_csv(report)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(file(&path))?;
    }
    Ok(())
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
