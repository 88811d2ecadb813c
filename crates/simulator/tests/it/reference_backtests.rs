//! The engine gives the reference backtester's trades, one by one and to the last digit, under each set of
//! assumptions about fills.

use std::path::{Path, PathBuf};

use keyhold_domain::{Decimal, Side, Timestamp};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::trade::Trade;
use keyhold_simulator::backtest::{Control, DecisionFill, Fills, ProtectFrom, Report, Spec, run};
use keyhold_simulator::exchange::{GapFill, IntrabarRule};

use crate::reference_market::candles;
use crate::reference_strategy::{next_open_fills, spec};

const MINUTE_MS: i64 = 60_000;

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("SKIPPED: ../shared is absent ({})", file.display());
    None
}

fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn backtest(spec: &Spec, count: u64) -> Report {
    let candles: Vec<ClosedCandle> = candles(count).into_iter().map(ClosedCandle::new).collect();
    run(spec, &candles, &mut |_| Control::Continue).unwrap()
}

/// One trade as the reference writes it: entry time and ticks, stop, target, exit time, ticks, reason, fee, profit.
type Row = (i64, i64, i64, i64, i64, i64, String, Decimal, Decimal);

fn ticks(price: Decimal) -> i64 {
    i64::try_from(price * Decimal::ONE_HUNDRED).unwrap()
}

fn row(trade: &Trade, fill: DecisionFill) -> Row {
    // The reference names a candle by its open; a fill at the close itself belongs to the candle that ends.
    let candle = |at: Timestamp, at_close: bool| {
        let at = if at_close { at.ms() - 1 } else { at.ms() };
        at - at.rem_euclid(MINUTE_MS)
    };
    let same_close = fill == DecisionFill::SameClose;
    let (reason, at_close) = match trade.exit_reason.as_str() {
        "EXIT_HARD_STOP" => ("stop", false),
        "EXIT_TAKE_PROFIT" => ("tp", false),
        "EXIT_SIGNAL_FLIP" => ("signal", same_close),
        other => panic!("unexpected exit {other}"),
    };
    assert_eq!(trade.side, Side::Buy);
    (
        candle(trade.entered_at, same_close),
        ticks(trade.entry_price.get()),
        ticks(trade.initial_stop.unwrap()),
        ticks(trade.target.unwrap()),
        candle(trade.exited_at, at_close),
        ticks(trade.exit_price.get()),
        reason.to_owned(),
        trade.fees.normalize(),
        trade.net.normalize(),
    )
}

fn reference(name: &str) -> Option<(Vec<Row>, bool)> {
    let path = shared(&format!("conformance/backtests/trades_{name}.json"))?;
    let document: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rows = document["rows"].as_array().unwrap().iter().map(|row| {
        let int = |i: usize| row[i].as_i64().unwrap();
        let text = |i: usize| row[i].as_str().unwrap();
        let decimal = |i: usize| d(text(i)).normalize();
        (int(1), int(2), int(3), int(4), int(6), int(7), text(8).to_owned(), decimal(9), decimal(10))
    });
    Some((rows.collect(), document["open_at_end"].as_bool().unwrap()))
}

fn compare(name: &str, count: u64, spec: &Spec) {
    let Some((expected, open_at_end)) = reference(name) else { return };
    let report = backtest(spec, count);
    let rows: Vec<Row> = report.trades.iter().map(|trade| row(trade, spec.fills.decision)).collect();
    for (index, (got, wanted)) in rows.iter().zip(&expected).enumerate() {
        assert_eq!(got, wanted, "{name}: trade {index}");
    }
    assert_eq!(rows.len(), expected.len(), "{name}");
    assert_eq!(!report.open_at_end.is_empty(), open_at_end, "{name}");
}

#[test]
fn next_open() {
    compare("10000_next_open", 10_000, &spec("2", "3", next_open_fills()));
}

#[test]
fn next_open_over_a_hundred_thousand_candles() {
    compare("100000_next_open", 100_000, &spec("2", "3", next_open_fills()));
}

#[test]
fn tight() {
    compare("10000_tight", 10_000, &spec("0.3", "0.4", next_open_fills()));
}

#[test]
fn target_first() {
    let fills = Fills { intrabar: IntrabarRule::TargetFirst, ..next_open_fills() };
    compare("10000_next_open_tp_first", 10_000, &spec("2", "3", fills));
    compare("10000_tight_tp_first", 10_000, &spec("0.3", "0.4", fills));
    let fills = Fills { decision: DecisionFill::SameClose, ..fills };
    compare("10000_close_tp_first", 10_000, &spec("2", "3", fills));
}

#[test]
fn fills_at_the_level() {
    let fills = Fills { stop_gap: GapFill::AtOrder, target_gap: GapFill::AtOrder, ..Fills::default() };
    compare("10000_next_open_level", 10_000, &spec("2", "3", fills));
}

#[test]
fn fills_at_the_close() {
    let fills = Fills { decision: DecisionFill::SameClose, ..next_open_fills() };
    compare("10000_close", 10_000, &spec("2", "3", fills));
}

#[test]
fn protection_from_the_next_candle() {
    let fills = Fills { protect_from: ProtectFrom::NextCandle, ..next_open_fills() };
    compare("10000_next_open_no_entry_bar", 10_000, &spec("2", "3", fills));
}
