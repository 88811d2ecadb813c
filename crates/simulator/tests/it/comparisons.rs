//! Two results side by side, from the documents that runs write.

use keyhold_simulator::backtest::{Control, Report, json, run_markets};
use keyhold_simulator::compare::{CompareError, compare, text};
use serde_json::Value;

use crate::backtests::d;
use crate::sweeps::{histories, spec};

fn report(change: impl FnOnce(&mut keyhold_simulator::backtest::Spec)) -> Report {
    let mut spec = spec();
    change(&mut spec);
    let histories = histories(600, &[spec.template.timeframe]);
    let markets = keyhold_simulator::backtest::markets(&histories, spec.template.timeframe);
    run_markets(&spec, &markets, &mut |_| Control::Continue, None).unwrap()
}

fn read(report: &Report) -> Value {
    serde_json::from_str(&json(report).unwrap()).unwrap()
}

#[test]
fn equal_runs_have_no_difference() {
    let a = report(|_| {});
    let found = compare(&read(&a), &read(&a)).unwrap();
    assert!(found.assumptions.is_empty() && found.first_difference.is_none());
    assert_eq!((found.equal_trades, found.trades), (a.trades.len(), [a.trades.len(); 2]));
    assert!(found.figures.iter().all(|pair| pair.a == pair.b));
    assert!(text(&found, ["a", "b"]).unwrap().contains("Both assumed the same."));
}

#[test]
fn the_first_differing_trade_and_the_changed_settings_are_named() {
    let a = report(|_| {});
    let b = report(|spec| {
        spec.template.exits[0].parameters.insert("pct".to_owned(), serde_json::from_str("\"0.5\"").unwrap());
        spec.settings.leverage = d("3");
    });
    let found = compare(&read(&a), &read(&b)).unwrap();
    let paths: Vec<&str> = found.assumptions.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(paths, ["leverage", "settings.leverage", "template_document.exits[0].parameters.pct"]);
    let first = found.first_difference.as_ref().unwrap();
    assert_eq!(first.number, found.equal_trades + 1);
    assert_eq!(first.a["entered_at"], first.b["entered_at"], "a tighter stop leaves earlier");
    assert!(first.fields.iter().any(|field| field.path == "exit_reason"), "{:?}", first.fields);
    assert_eq!(read(&a)["trades"][found.equal_trades]["exit_price"], first.a["exit_price"]);
    let shown = text(&found, ["one.json", "two.json"]).unwrap();
    assert!(shown.contains("settings.leverage: 2 | 3") && shown.contains("differing in"), "{shown}");
}

#[test]
fn one_trade_more_is_a_difference() {
    let a = report(|_| {});
    let mut shorter = read(&a);
    let trades = shorter["trades"].as_array_mut().unwrap();
    let gone = trades.pop().unwrap();
    let found = compare(&read(&a), &shorter).unwrap();
    let first = found.first_difference.unwrap();
    assert_eq!(first.a["entered_at"], gone["entered_at"]);
    assert!(first.b.is_null() && first.fields.is_empty());
}

#[test]
fn other_documents_are_refused() {
    let a = read(&report(|_| {}));
    let error = compare(&a, &serde_json::json!({"metrics": 1})).unwrap_err();
    assert!(matches!(error, CompareError::NotAReport { which: "second", .. }), "{error}");
}
