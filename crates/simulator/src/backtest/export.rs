//! Reports as files: JSON for programs, CSV for spreadsheets. Equal reports give equal bytes.

use std::fmt::Write as _;

use keyhold_domain::Decimal;
use keyhold_engine::report::EquityPoint;
use keyhold_engine::trade::Trade;

use super::report::Report;

/// Decimal places in a CSV: finer than any venue books, and few enough to read. The JSON keeps every digit.
const PLACES: u32 = 10;

fn amount(value: Decimal) -> String {
    value.round_dp(PLACES).normalize().to_string()
}

/// The whole report as JSON, ending with a line break.
///
/// # Errors
/// Only when a number is not finite, which the engine never lets into a report.
pub fn json(report: &Report) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

/// One line per trade of a report with a heading.
pub fn trades_csv(report: &Report) -> String {
    trade_lines(&report.trades)
}

/// One line per trade with a heading. Fields hold no commas and need no quotes.
pub fn trade_lines(trades: &[Trade]) -> String {
    let mut text = String::from(
        "id,symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,gross,fees,funding,net,asset,exit_reason,\
         initial_stop,target,r_multiple,adverse_pct,favorable_pct,slippage_in_bps,slippage_out_bps,candles\n",
    );
    let optional = |value: Option<Decimal>| value.map_or_else(String::new, amount);
    for trade in trades {
        let written = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            trade.id,
            trade.symbol,
            trade.side,
            trade.quantity,
            trade.entered_at,
            trade.entry_price,
            trade.exited_at,
            trade.exit_price,
            amount(trade.gross),
            amount(trade.fees),
            amount(trade.funding),
            amount(trade.net),
            trade.asset,
            trade.exit_reason,
            optional(trade.initial_stop),
            optional(trade.target),
            optional(trade.r_multiple),
            amount(trade.adverse_pct),
            amount(trade.favorable_pct),
            amount(trade.slippage_in_bps),
            amount(trade.slippage_out_bps),
            trade.candles,
        );
        debug_assert!(written.is_ok(), "writing into a string cannot fail");
    }
    text
}

/// The equity series of a report with a heading.
pub fn equity_csv(report: &Report) -> String {
    equity_lines(&report.equity)
}

/// An equity series with a heading.
pub fn equity_lines(points: &[EquityPoint]) -> String {
    let mut text = String::from("time,equity,drawdown\n");
    for point in points {
        let written = writeln!(text, "{},{},{}", point.at, amount(point.equity), amount(point.drawdown));
        debug_assert!(written.is_ok(), "writing into a string cannot fail");
    }
    text
}
