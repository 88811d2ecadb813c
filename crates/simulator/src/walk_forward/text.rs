//! A walk-forward as text for a terminal and as CSV for a spreadsheet.

use std::fmt::{self, Write as _};

use keyhold_engine::report::{Figure, Figures, digits, text as figures};

use super::report::{WalkForwardReport, Window};
use crate::sweep::bare;

/// The windows, and what they brought together.
pub fn text(report: &WalkForwardReport) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "{}: {} windows, chosen on {} days by {}, traded for {}\n",
        report.template,
        report.windows.len(),
        report.plan.in_sample_days,
        report.sweep.rank_by.title(),
        report.plan.out_of_sample_days
    )?;
    for window in &report.windows {
        let span = window.out_of_sample;
        writeln!(text, "{} to {}: {}", day(span.from), day(span.until), chosen(window))?;
        let shown = |all: Option<Figures>, figure: Figure| digits::ratio(all.and_then(|all| all.get(figure)));
        let rank = report.sweep.rank_by;
        writeln!(
            text,
            "    chosen at {} {}, return {} %; traded {}, return {} %, {} trades; equity {}",
            rank.title(),
            shown(window.in_sample_figures, rank),
            shown(window.in_sample_figures, Figure::ReturnPct),
            shown(window.out_of_sample_figures, rank),
            shown(window.out_of_sample_figures, Figure::ReturnPct),
            window
                .out_of_sample_figures
                .and_then(|figures| figures.get(Figure::Trades))
                .map_or_else(|| String::from("no"), |trades| digits::plain(trades, 0)),
            digits::amount(window.equity)
        )?;
    }
    writeln!(text, "\nAll traded windows together")?;
    text.push_str(&figures::write(&report.metrics, report.asset.as_str())?);
    writeln!(text, "{:<24}{}", "Profitable windows", digits::pct(report.profitable_windows_pct))?;
    writeln!(
        text,
        "{:<24}{} (growth per day, traded over chosen)",
        "Efficiency",
        digits::ratio(report.efficiency)
    )?;
    if report.cut_positions > 0 {
        writeln!(
            text,
            "{} positions were open at the end of a window: they are valued at its last close, without the costs of leaving them.",
            report.cut_positions
        )?;
    }
    writeln!(text, "\nPast results do not promise future ones.")?;
    Ok(text)
}

fn day(at: keyhold_domain::Timestamp) -> String {
    let mut text = at.to_string();
    text.truncate(10);
    text
}

fn chosen(window: &Window) -> String {
    let Some(combination) = &window.chosen else {
        return String::from("nothing could be ranked, so nothing was traded");
    };
    let each = combination.values.iter().map(|set| format!("{} = {}", set.path, bare(&set.value)));
    each.collect::<Vec<_>>().join(", ")
}

/// One line per window with a heading. Values that hold commas are put in quotes.
pub fn csv(report: &WalkForwardReport) -> String {
    let mut text =
        String::from("in_sample_from,in_sample_until,out_of_sample_from,out_of_sample_until,chosen,equity");
    for figure in Figure::ALL {
        for part in [",in_", figure.name(), ",out_", figure.name()] {
            text.push_str(part);
        }
    }
    text.push('\n');
    for window in &report.windows {
        let mut line = format!(
            "{},{},{},{},\"{}\",{}",
            window.in_sample.from,
            window.in_sample.until,
            window.out_of_sample.from,
            window.out_of_sample.until,
            chosen(window).replace('"', "\"\""),
            window.equity.round_dp(10).normalize()
        );
        for figure in Figure::ALL {
            for figures in [window.in_sample_figures, window.out_of_sample_figures] {
                line.push(',');
                if let Some(value) = figures.and_then(|figures| figures.get(*figure)) {
                    line.push_str(&value.to_string());
                }
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
