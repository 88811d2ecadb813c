//! What of a report is kept: the document for the page, the trades in parts, the page as a file, a line for the list.
//!
//! Everything here follows from the report, so equal runs keep equal bytes. What a reader should doubt is said here too,
//! in words, so that no page has to think of it.

use keyhold_domain::{Decimal, Timestamp};
use keyhold_engine::report::digits;
use keyhold_engine::why::blocked;
use keyhold_simulator::backtest::Report;
use keyhold_simulator::html::{PriceLine, page};
use keyhold_store::BacktestResult;
use serde::Serialize;
use serde_json::{Value, json};

/// Trades in one part.
pub(crate) const PART: u32 = 200;
/// Trades that are kept at most; figures are of all.
const MOST_TRADES: usize = 10_000;
/// Fewer trades say little.
const FEW_TRADES: u64 = 30;
/// A shorter range is one kind of market.
const SHORT_RANGE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// What every result says.
const DISCLAIMER: &str = "Past results do not promise future ones.";

/// What a run brought.
pub(super) struct Output {
    pub(super) result: BacktestResult,
    pub(super) summary: Value,
    /// A code for the list, when the result is special.
    pub(super) code: Option<&'static str>,
    pub(super) candles: u64,
}

/// A reason to doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Caution {
    code: &'static str,
    text: String,
}

/// The worth of a position that was only held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct HeldPoint {
    at: Timestamp,
    equity: String,
}

impl Output {
    pub(super) fn new(report: Report, prices: &[PriceLine]) -> Result<Self, serde_json::Error> {
        let html = page(&report, prices);
        let total = report.trades.len();
        let mut kept = Vec::with_capacity(total.min(MOST_TRADES));
        for (number, trade) in (1_u64..).zip(&report.trades).take(MOST_TRADES) {
            let mut value = serde_json::to_value(trade)?;
            if let Some(fields) = value.as_object_mut() {
                // Recorded runs hold every component's reading there: many times the trade itself.
                fields.remove("entry_decision");
                fields.insert("number".to_owned(), number.into());
            }
            value.sort_all_objects();
            kept.push(value);
        }
        let part = usize::try_from(PART).unwrap_or(usize::MAX);
        let parts = kept.chunks(part).map(serde_json::to_string).collect::<Result<_, _>>()?;
        let candles = report.candles.saturating_add(report.warmup_candles);
        let summary = summary(&report);
        let code = (total == 0).then_some("BT_NO_TRADES");
        let document = document(report, prices, [total, kept.len()])?;
        let result = BacktestResult { report: document.to_string(), page: html, trades: parts };
        Ok(Self { result, summary, code, candles })
    }
}

/// The report without its trades, with what a page shows beside it.
fn document(
    mut report: Report,
    prices: &[PriceLine],
    trades: [usize; 2],
) -> Result<Value, serde_json::Error> {
    let [total, kept] = trades;
    let verdict = verdict(&report);
    let cautions = cautions(&report);
    let blocked = blocked(&report.rejected);
    let held = held(&report, prices);
    report.trades = Vec::new();
    let mut value = serde_json::to_value(&report)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("trades");
        fields.remove("rejected");
        fields.entry("signals").or_insert(Value::Null);
        fields.insert("verdict".to_owned(), verdict.into());
        fields.insert("disclaimer".to_owned(), DISCLAIMER.into());
        fields.insert("cautions".to_owned(), serde_json::to_value(cautions)?);
        fields.insert("blocked".to_owned(), serde_json::to_value(blocked)?);
        fields.insert("buy_and_hold".to_owned(), serde_json::to_value(held)?);
        fields.insert("trades_total".to_owned(), total.into());
        fields.insert("trades_kept".to_owned(), kept.into());
    }
    // The order of fields depends on a feature that another crate may turn on; that of names does not.
    value.sort_all_objects();
    Ok(value)
}

fn summary(report: &Report) -> Value {
    let metrics = &report.metrics;
    json!({
        "asset": report.assumptions.asset,
        "net": metrics.trades.net.normalize().to_string(),
        "return_pct": metrics.return_pct,
        "max_drawdown_pct": metrics.equity.max_drawdown_pct,
        "trades": metrics.trades.count,
        "win_rate_pct": metrics.trades.win_rate_pct,
        "profit_factor": metrics.trades.profit_factor,
        "sharpe": metrics.equity.sharpe,
        "buy_and_hold_pct": report.buy_and_hold_pct,
    })
}

/// The result in one sentence.
fn verdict(report: &Report) -> String {
    let (trades, equity) = (&report.metrics.trades, &report.metrics.equity);
    let asset = report.assumptions.asset;
    let held = match report.buy_and_hold_pct {
        Some(pct) => format!("; the price changed by {}", digits::pct(Some(pct))),
        None => String::new(),
    };
    if trades.count == 0 {
        return format!("No trade was made{held}.");
    }
    let what = match trades.net.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => "Earned",
        std::cmp::Ordering::Less => "Lost",
        std::cmp::Ordering::Equal => "Neither earned nor lost:",
    };
    let days = equity.until.since_ms(equity.from).div_euclid(86_400_000).max(1);
    let times = if trades.count == 1 { "trade" } else { "trades" };
    let over = if days == 1 { "day" } else { "days" };
    format!(
        "{what} {} {asset} ({}) in {} {times} over {days} {over}, with a greatest drawdown of {}{held}.",
        digits::amount(trades.net.abs()),
        digits::pct(report.metrics.return_pct),
        trades.count,
        digits::pct(Some(equity.max_drawdown_pct.unwrap_or(0.0))),
    )
}

fn cautions(report: &Report) -> Vec<Caution> {
    let mut found = Vec::new();
    let mut say = |code, text: String| found.push(Caution { code, text });
    let (trades, equity) = (&report.metrics.trades, &report.metrics.equity);
    if (1..FEW_TRADES).contains(&trades.count) {
        let text = format!("Only {} trades: chance decides more than the strategy.", trades.count);
        say("BT_FEW_TRADES", text);
    }
    if let Some(best) = trades.best.filter(|best| trades.net > Decimal::ZERO && *best > Decimal::ZERO) {
        let rest = trades.net.saturating_sub(best);
        if rest <= trades.net / Decimal::TWO && trades.count > 1 {
            let share = (best * Decimal::ONE_HUNDRED).checked_div(trades.net).unwrap_or_default().round();
            let text = format!(
                "The best trade alone makes {share} % of the profit; without it the rest earned {}.",
                digits::amount(rest)
            );
            say("BT_ONE_TRADE_DECIDES", text);
        }
    }
    if equity.until.since_ms(equity.from) < SHORT_RANGE_MS {
        let text = "Less than 30 days: one kind of market says little about others.";
        say("BT_SHORT_RANGE", text.to_owned());
    }
    if !report.open_at_end.is_empty() {
        let text = "A position was still open at the end: it is in the equity and in no trade.";
        say("BT_OPEN_AT_END", text.to_owned());
    }
    let text =
        "If the parameters were chosen by looking at this range, the result says little about any other.";
    say("BT_IN_SAMPLE", text.to_owned());
    found
}

/// What the starting equity would be worth in the markets, in equal parts, leverage and costs apart.
fn held(report: &Report, prices: &[PriceLine]) -> Vec<HeldPoint> {
    let lines: Vec<&PriceLine> = prices.iter().filter(|line| !line.points.is_empty()).collect();
    let Some(longest) = lines.iter().max_by_key(|line| line.points.len()) else { return Vec::new() };
    let start = keyhold_engine::input::decimal_to_f64(report.assumptions.start_equity);
    let point = |at: Timestamp| {
        let worth = |line: &&PriceLine| {
            let place = line.points.partition_point(|point| point.at <= at);
            // Before its first candle a market stands where it will begin.
            let price = place.checked_sub(1).map_or(line.points[0].close, |place| line.points[place].close);
            price / line.points[0].close
        };
        let count: f64 = lines.iter().map(|_| 1.0).sum();
        let mean = lines.iter().map(worth).sum::<f64>() / count;
        HeldPoint { at, equity: format!("{:.2}", start * mean) }
    };
    longest.points.iter().map(|one| point(one.at)).collect()
}
