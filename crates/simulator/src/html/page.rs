//! The page: what was run, what came out, how it came about, and every trade.

use keyhold_engine::check::explain;
use keyhold_engine::report::digits;

use super::chart::day;
use super::price::PriceLine;
use super::style::{STYLE, STYLE_SHA256};
use super::tables::{Cell, cell, details, table, words};
use super::writer::Html;
use super::{charts, tables};
use crate::backtest::Report;

/// The report as one HTML page. Equal reports give equal bytes.
pub fn page(report: &Report, prices: &[PriceLine]) -> String {
    let mut html = Html::default();
    head(&mut html, report);
    html.raw("<main>");
    findings(&mut html, report);
    figures(&mut html, report);
    if !report.equity.is_empty() {
        html.raw("<h2>Equity</h2>");
        charts::equity(&mut html, &report.equity, report.assumptions.asset.as_str());
        html.raw("<h2>Drawdown</h2>");
        charts::drawdown(&mut html, &report.equity);
        details(&mut html, "Equity and drawdown as a table", |html| tables::course(html, &report.equity));
    }
    if prices.iter().any(|line| !line.points.is_empty()) {
        html.raw("<h2>Trades on the price</h2><p class=\"soft\">Every trade is in the table at the end.</p>");
        for (number, line) in prices.iter().enumerate() {
            charts::price(&mut html, number, line, &report.trades);
        }
    }
    results(&mut html, report);
    assumptions(&mut html, report);
    html.raw("<h2>Trades</h2>");
    tables::trades(&mut html, &report.trades);
    html.raw("</main><footer><p>Written by Keyhold. A backtest knows candles: no order book, no queue. Past results do not promise future ones.</p></footer></body></html>\n");
    html.finish()
}

fn head(html: &mut Html, report: &Report) {
    let assumed = &report.assumptions;
    let symbols: Vec<&str> = assumed.instruments.iter().map(|one| one.symbol.as_str()).collect();
    let title = format!("{} on {}", assumed.template, symbols.join(", "));
    html.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-");
    html.raw(STYLE_SHA256).raw("'; base-uri 'none'; form-action 'none'\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">");
    html.raw("<title>")
        .text(&title)
        .raw(" – backtest</title><style>")
        .raw(STYLE)
        .raw("</style></head><body>");
    html.raw("<header><h1>").text(&title).raw("</h1><p class=\"soft\">Backtest at ");
    html.text(assumed.exchange.display_name()).raw(", ").text(assumed.timeframe.as_str()).raw(" candles, ");
    html.text(&day(assumed.from)).raw(" to ").text(&day(assumed.until)).raw(". ");
    html.text(&report.candles.to_string()).raw(" candles decided on, ");
    html.text(&report.warmup_candles.to_string()).raw(" of history before them.</p></header>");
}

fn findings(html: &mut Html, report: &Report) {
    for finding in &report.findings {
        html.raw("<p class=\"notice\"><strong>").text(finding.code).raw("</strong> ");
        html.text(&finding.message).raw("</p>");
    }
}

fn figures(html: &mut Html, report: &Report) {
    let (trades, equity) = (&report.metrics.trades, &report.metrics.equity);
    let asset = report.assumptions.asset.as_str();
    let fall = equity.max_drawdown.map_or_else(
        || String::from("-"),
        |fall| format!("{} ({})", digits::pct(equity.max_drawdown_pct), digits::amount(fall.amount)),
    );
    let held = trades.average_holding_ms.map_or_else(|| String::from("-"), digits::duration);
    let net = format!("{} {asset}", digits::amount(trades.net));
    let counts = format!("{} ({} won, {} lost)", trades.count, trades.wins, trades.losses);
    let costs = format!("{}, {}", digits::amount(trades.fees), digits::amount(trades.funding));
    let streaks = format!("{} won, {} lost", trades.win_streak, trades.loss_streak);
    let all = [
        ("Net profit", net),
        ("Return", digits::pct(report.metrics.return_pct)),
        ("Price change", digits::pct(report.buy_and_hold_pct)),
        ("Trades", counts),
        ("Win rate", digits::pct(trades.win_rate_pct)),
        ("Profit factor", digits::ratio(trades.profit_factor)),
        ("Expectancy", format!("{} {asset}", digits::optional(trades.expectancy))),
        ("Greatest drawdown", fall),
        ("Sharpe", digits::ratio(equity.sharpe)),
        ("Sortino", digits::ratio(equity.sortino)),
        ("Annual growth", digits::pct(equity.cagr_pct)),
        ("Calmar", digits::ratio(equity.calmar)),
        ("Time in positions", digits::pct(equity.exposure_pct)),
        ("Average holding", held),
        ("Fees, funding", costs),
        ("Streaks", streaks),
    ];
    html.raw("<h2>Figures</h2><dl class=\"figures\">");
    for (name, value) in all {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(&value).raw("</dd></div>");
    }
    html.raw("</dl>");
}

fn results(html: &mut Html, report: &Report) {
    let metrics = &report.metrics;
    html.raw("<h2>Months</h2>");
    tables::months(html, &metrics.equity.months);
    let bars = charts::bars(&report.trades);
    if !bars.is_empty() {
        html.raw("<h2>Distribution</h2>");
        charts::distribution(html, &bars, report.assumptions.asset.as_str());
        details(html, "The distribution as a table", |html| tables::distribution(html, &bars));
    }
    html.raw("<h2>Groups</h2>");
    tables::groups(html, "By exit", &metrics.by_exit_reason);
    tables::groups(html, "By side", &metrics.by_side);
    if metrics.by_symbol.len() > 1 {
        tables::groups(html, "By instrument", &metrics.by_symbol);
    }
    tables::heat_map(html, &metrics.heat_map);
    if let Some(signals) = &report.signals {
        html.raw("<h2>Components</h2>");
        tables::signals(html, signals);
    }
    if !report.rejected.is_empty() {
        html.raw("<h2>Entries that were not made</h2>");
        let rows: Vec<Vec<Cell>> = report
            .rejected
            .iter()
            .map(|(reason, count)| vec![cell(reason.as_str()), cell(count.to_string())])
            .collect();
        table(html, "By the first reason against them", &["Reason", "Entries"], &rows);
    }
}

fn assumptions(html: &mut Html, report: &Report) {
    let assumed = &report.assumptions;
    html.raw("<h2>What it does</h2><pre>").text(&explain(&assumed.template_document)).raw("</pre>");
    html.raw("<h2>Assumptions</h2>");
    let rows = [
        ("Equity at the start", format!("{} {}", digits::amount(assumed.start_equity), assumed.asset)),
        ("Leverage", assumed.leverage.normalize().to_string()),
        ("Fee, resting orders", assumed.maker_fee.to_string()),
        ("Fee, taking orders", assumed.taker_fee.to_string()),
        ("Slippage, basis points", assumed.fills.slippage_bps.normalize().to_string()),
        ("Funding", assumed.funding.to_owned()),
    ];
    let rows: Vec<Vec<Cell>> = rows.into_iter().map(|(name, value)| vec![cell(name), words(value)]).collect();
    table(html, "What was assumed; the JSON holds everything", &["", "Value"], &rows);
}
