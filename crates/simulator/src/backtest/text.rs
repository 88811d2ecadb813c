//! A report as text for a terminal.

use std::fmt::{self, Write as _};

use keyhold_engine::report::{digits, text as figures};

use super::report::Report;

/// What was assumed, what came out, and what a reader must know.
///
/// # Errors
/// Writing into a string does not fail; the type is that of [`fmt::Write`].
pub fn text(report: &Report) -> Result<String, fmt::Error> {
    let assumed = &report.assumptions;
    let mut text = String::new();
    let symbols: Vec<&str> =
        assumed.instruments.iter().map(|instrument| instrument.symbol.as_str()).collect();
    writeln!(
        text,
        "{} v{} on {} {} {}",
        assumed.template,
        assumed.template_version,
        assumed.exchange.display_name(),
        symbols.join(", "),
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
    text.push_str(&figures::write(&report.metrics, assumed.asset.as_str())?);
    text.push_str(&figures::write_execution(&report.execution)?);
    if let Some(pct) = report.buy_and_hold_pct {
        writeln!(text, "{:<24}{}", "Price change", digits::pct(Some(pct)))?;
    }
    for (reason, count) in &report.rejected {
        writeln!(text, "{:<24}{reason:<28}{count:>8}", "Rejected")?;
    }
    for open in &report.open_at_end {
        let worth = digits::optional(open.unrealized);
        let value =
            format!("{} {} at {} since {}, worth {worth}", open.symbol, open.size, open.entry, open.since);
        writeln!(text, "{:<24}{value}", "Open at the end")?;
    }
    if let Some(signals) = &report.signals {
        text.push('\n');
        text.push_str(&figures::write_signals(signals)?);
    }
    for finding in &report.findings {
        writeln!(text, "{}: {}", finding.code, finding.message)?;
    }
    writeln!(text, "\nPast results do not promise future ones.")?;
    Ok(text)
}
