//! A sweep as text for a terminal and as CSV for a spreadsheet.

use std::fmt::{self, Write as _};

use keyhold_engine::report::{Figure, digits};
use serde_json::Value;

use super::rank::{Completion, Ranked, SweepReport};
use super::space::Setting;

/// Combinations that are listed in a text.
const LISTED: usize = 10;
/// Kinds of refusals that are listed in a text.
const LISTED_INVALID: usize = 5;
/// The figures in a text.
const SHOWN: &[Figure] =
    &[Figure::ReturnPct, Figure::Trades, Figure::WinRatePct, Figure::MaxDrawdownPct, Figure::Sharpe];

/// The best combinations, and what could not be run.
pub fn text(report: &SweepReport) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{}: {} of {} combinations, ranked by {}",
        report.template,
        report.ranked.len() + report.invalid.len(),
        report.grid,
        report.sweep.rank_by.title()
    )?;
    if report.completion == Completion::Canceled {
        writeln!(text, "CANCELED: the ranking holds only what was done until then.")?;
    }
    let mut shown: Vec<Figure> = SHOWN.to_vec();
    if !shown.contains(&report.sweep.rank_by) {
        shown.push(report.sweep.rank_by);
    }
    for ranked in report.ranked.iter().take(LISTED) {
        write!(text, "\n{:>3}. {}\n    ", ranked.rank, settings(&ranked.combination.values))?;
        for figure in &shown {
            write!(text, " {} {};", figure.title(), value(ranked, *figure))?;
        }
    }
    if report.ranked.len() > LISTED {
        write!(text, "\n     and {} more", report.ranked.len() - LISTED)?;
    }
    text.push('\n');
    if !report.invalid.is_empty() {
        writeln!(text, "\n{} combinations could not be run, among them:", report.invalid.len())?;
    }
    for invalid in report.invalid.iter().take(LISTED_INVALID) {
        writeln!(text, "  {}: {} {}", settings(&invalid.combination.values), invalid.code, invalid.message)?;
        for problem in &invalid.problems {
            writeln!(text, "    {problem}")?;
        }
    }
    writeln!(
        text,
        "\nThe best of many tries looks better than it is. `keyhold backtest walk-forward` tells what it is worth on candles\nit has not seen. Past results do not promise future ones."
    )?;
    Ok(text)
}

fn settings(values: &[Setting]) -> String {
    let each = values.iter().map(|setting| format!("{} = {}", setting.path, bare(&setting.value)));
    each.collect::<Vec<_>>().join(", ")
}

/// A value without the quotes of a text.
pub(crate) fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn value(ranked: &Ranked, figure: Figure) -> String {
    let places = if figure == Figure::Trades { 0 } else { 2 };
    ranked.figures.get(figure).map_or_else(|| String::from("-"), |value| digits::plain(value, places))
}

/// One line per combination that ran, best first, with a heading.
pub fn csv(report: &SweepReport) -> String {
    let mut text = String::from("rank,number");
    for axis in &report.sweep.vary {
        text.push(',');
        text.push_str(&quoted(&axis.path));
    }
    for figure in Figure::ALL {
        text.push(',');
        text.push_str(figure.name());
    }
    text.push('\n');
    for ranked in &report.ranked {
        let mut line = format!("{},{}", ranked.rank, ranked.combination.number);
        for setting in &ranked.combination.values {
            line.push(',');
            line.push_str(&quoted(&bare(&setting.value)));
        }
        for (_, figure) in ranked.figures.iter() {
            line.push(',');
            if let Some(figure) = figure {
                line.push_str(&figure.to_string());
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A field of CSV (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
