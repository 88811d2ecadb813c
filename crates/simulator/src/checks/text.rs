//! The results of the checks as text for a terminal.

use std::fmt::{self, Write as _};

use keyhold_engine::catalog;
use keyhold_engine::report::digits;

use super::lookahead::LookaheadReport;
use super::warmup::{Settling, WarmupReport};

/// Fields that are listed of one changed decision.
const LISTED: usize = 8;

/// What a look-ahead check found.
pub fn lookahead_text(report: &LookaheadReport) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{} decisions; cut at {} places; {} decisions compared.",
        report.decisions,
        report.cuts.len(),
        report.compared
    )?;
    if report.leaks.is_empty() {
        writeln!(text, "No decision before a cut changed: the strategy does not know the future.")?;
        return Ok(text);
    }
    writeln!(text, "LOOK-AHEAD: {} cuts changed decisions that were made before them.", report.leaks.len())?;
    for leak in &report.leaks {
        writeln!(
            text,
            "\nWith the first {} recorded candles, {} decisions differ; the first on {} at {}:",
            leak.cut, leak.changed, leak.symbol, leak.candle
        )?;
        for difference in leak.differences.iter().take(LISTED) {
            writeln!(
                text,
                "  {}: {} with all candles, {} without the later ones",
                difference.path, difference.a, difference.b
            )?;
        }
    }
    Ok(text)
}

/// What a warm-up check found.
pub fn warmup_text(report: &WarmupReport) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "The strategy decides from candle {} of its history on. Begun again at {} places and compared up to candle {}:\n",
        report.stated_candles,
        report.starts.len(),
        report.compared_until
    )?;
    for component in &report.components {
        writeln!(text, "{}: {}", title(component), settling(component, report.stated_candles))?;
    }
    let direction = report
        .direction_equal_from
        .map_or_else(|| String::from("differs to the end"), |from| format!("is equal from candle {from} on"));
    writeln!(text, "\nThe wanted direction {direction}.")?;
    match report.recommended {
        _ if report.settles_in_time() => {
            writeln!(
                text,
                "Every component says the same from its first verdict on: the warm-up is long enough."
            )?;
        }
        Some(candles) => writeln!(
            text,
            "NOT SETTLED at the start: write \"warmup_candles\": {candles} into the settings to begin with settled components."
        )?,
        None => writeln!(
            text,
            "NOT SETTLED: a component differs up to the last candle compared. Use more candles, or shorter periods."
        )?,
    }
    Ok(text)
}

fn title(component: &Settling) -> String {
    let title = catalog::component(&component.kind).map_or(component.kind.as_str(), |entry| entry.title);
    format!("{title} ({}, components[{}])", component.role.name().replace('_', " "), component.component)
}

fn settling(component: &Settling, stated: u32) -> String {
    let says = match component.says_the_same_from {
        Some(from) if from <= stated => String::from("says the same at once"),
        Some(from) => format!("says the same from candle {from} on"),
        None => String::from("differs to the end"),
    };
    let off = component.off_at_first_pct.map_or_else(String::new, |off| {
        let from = component.value_equal_from.map_or_else(
            || String::from("never within a millionth"),
            |from| format!("within a millionth from candle {from} on"),
        );
        format!("; its value is off by {} % at first, {from}", digits::plain(off, 4))
    });
    format!("{says}{off}")
}
