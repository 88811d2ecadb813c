//! `keyhold backtest compare`: two reports side by side.

use std::io::Write;
use std::path::PathBuf;

use keyhold_simulator::compare::{compare, text};
use serde_json::Value;

use super::error::render;
use super::load::document;
use super::{CommandError, Ending, files, print};

/// Options of a comparison.
///
/// Example: keyhold backtest compare before/report.json after/report.json
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The first report.json.
    a: PathBuf,
    /// The second report.json.
    b: PathBuf,
    /// Print the comparison as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, output: &mut impl Write) -> Result<Ending, CommandError> {
    let (a, b): (Value, Value) = (document(&options.a, "report")?, document(&options.b, "report")?);
    let found = compare(&a, &b)?;
    let names = [options.a.display().to_string(), options.b.display().to_string()];
    let rendered = if options.json {
        files::json(&found)?
    } else {
        text(&found, [&names[0], &names[1]]).map_err(render)?
    };
    print(output, &rendered)?;
    Ok(Ending::Fine)
}
