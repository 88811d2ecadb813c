//! A report as text for a terminal.

use std::fmt::{self, Write as _};

use super::report::Report;

/// What was assumed, what came out, and what a reader must know.
///
/// # Errors
/// Writing into a string does not fail; the type is that of [`fmt::Write`].
pub fn text(report: &Report) -> Result<String, fmt::Error> {
    let assumed = &report.assumptions;
    let mut text = String::new();
    writeln!(
        text,
        "{} v{} on {} {} {}",
        assumed.template,
        assumed.template_version,
        assumed.exchange.display_name(),
        assumed.symbol,
        assumed.timeframe
    )?;
    writeln!(
        text,
        "{} to {}: {} candles, {} of history before them",
        assumed.from, assumed.until, report.candles, report.warmup_candles
    )?;
    writeln!(
        text,
        "Start {} {}, leverage {}, fees {} / {}, slippage {} bp, funding {}\n",
        assumed.start_equity.normalize(),
        assumed.asset,
        assumed.leverage.normalize(),
        assumed.maker_fee,
        assumed.taker_fee,
        assumed.fills.slippage_bps.normalize(),
        assumed.funding
    )?;
    text.push_str(&keyhold_engine::report::text::write(&report.metrics, assumed.asset.as_str())?);
    if let Some(pct) = report.buy_and_hold_pct {
        writeln!(text, "{:<24}{pct:.2} %", "Price change")?;
    }
    for (reason, count) in &report.rejected {
        writeln!(text, "{:<24}{reason:<28}{count:>8}", "Rejected")?;
    }
    if let Some(open) = &report.open_at_end {
        writeln!(text, "{:<24}{} at {} since {}", "Open at the end", open.size, open.entry, open.since)?;
    }
    for finding in &report.findings {
        writeln!(text, "{}: {}", finding.code, finding.message)?;
    }
    writeln!(text, "\nPast results do not promise future ones.")?;
    Ok(text)
}
