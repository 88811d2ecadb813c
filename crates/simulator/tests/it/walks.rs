//! Walk-forward: windows are traded with what was chosen before them, and joined without a gap.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Timeframe, Timestamp};
use keyhold_engine::report::Figure;
use keyhold_simulator::backtest::Control;
use keyhold_simulator::sweep::SweepError;
use keyhold_simulator::walk_forward::{Anchor, Plan, Walk, WalkError, WalkForwardReport, csv, run, text};
use serde_json::json;

use crate::sweeps::{histories, spec, sweep_document, threads};

fn walk(plan: Plan, count: usize, changes: &serde_json::Value) -> Result<WalkForwardReport, WalkError> {
    let (spec, histories) = (spec(), histories(24 * 60, &[Timeframe::H1]));
    let document = sweep_document(changes);
    let walk =
        Walk { spec: &spec, histories: &histories, document: &document, plan, threads: threads(count) };
    run(&walk, &|_| Control::Continue)
}

const ROLLING: Plan = Plan { in_sample_days: 20, out_of_sample_days: 8, anchor: Anchor::Rolling };

#[test]
fn windows_are_joined_to_one_course() {
    let report = walk(ROLLING, 1, &json!({})).unwrap();
    // Sixty days of candles, the first of them the history: 39 days are traded in windows of eight.
    assert_eq!(report.windows.len(), 5);
    let mut equity = spec().start_equity;
    for pair in report.windows.windows(2) {
        assert_eq!(pair[0].out_of_sample.until, pair[1].out_of_sample.from);
        assert_eq!(pair[1].in_sample.from.since_ms(pair[0].in_sample.from), 8 * DAY_MS);
    }
    for window in &report.windows {
        assert_eq!(window.in_sample.until, window.out_of_sample.from, "nothing is chosen on what is traded");
        let chosen = window.chosen.as_ref().unwrap();
        assert_eq!(chosen.values.len(), 2);
        assert_eq!(window.invalid, 2);
        // The window's return is its own: on the equity it began with.
        let gained = window.out_of_sample_figures.unwrap().get(Figure::NetProfit).unwrap();
        let made: f64 = (window.equity - equity).to_string().parse().unwrap();
        let cut_is_open = report.cut_positions > 0;
        assert!(cut_is_open || (gained - made).abs() < 0.01, "{gained} against {made}");
        equity = window.equity;
    }
    assert_eq!(report.metrics.equity.end, equity);
    assert_eq!(report.metrics.equity.from, report.windows[0].out_of_sample.from);
    assert_eq!(report.metrics.equity.until, report.windows[4].out_of_sample.until);
    let first = report.windows[0].out_of_sample.from;
    assert!(!report.trades.is_empty());
    assert!(report.trades.iter().all(|trade| trade.entered_at >= first));
    assert!(report.trades.is_sorted_by_key(|trade| trade.exited_at));
    let counted: f64 =
        report.windows.iter().filter_map(|window| window.out_of_sample_figures?.get(Figure::Trades)).sum();
    assert!((counted - f64::from(u32::try_from(report.trades.len()).unwrap())).abs() < 0.5);
    assert!(text(&report).unwrap().contains("5 windows"));
    assert_eq!(csv(&report).lines().count(), 6);
}

#[test]
fn anchored_windows_grow_and_threads_change_nothing() {
    let anchored = Plan { anchor: Anchor::Anchored, ..ROLLING };
    let one = walk(anchored, 1, &json!({})).unwrap();
    assert!(one.windows.iter().all(|window| window.in_sample.from == one.windows[0].in_sample.from));
    let two = walk(anchored, 3, &json!({})).unwrap();
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
}

#[test]
fn the_choice_does_not_see_the_window_it_is_traded_on() {
    let whole = walk(ROLLING, 2, &json!({})).unwrap();
    let document = sweep_document(&json!({}));
    // Without the candles after the second window nothing about the first two may change.
    let mut short = spec();
    short.until = Some(whole.windows[1].out_of_sample.until);
    let histories = histories(24 * 60, &[Timeframe::H1]);
    let walk =
        Walk { spec: &short, histories: &histories, document: &document, plan: ROLLING, threads: threads(1) };
    let cut = run(&walk, &|_| Control::Continue).unwrap();
    assert_eq!(cut.windows, whole.windows[..2]);
}

#[test]
fn what_cannot_be_walked_is_said() {
    let long = Plan { in_sample_days: 90, ..ROLLING };
    assert!(matches!(walk(long, 1, &json!({})), Err(WalkError::Windows(_))));
    let wrong = walk(ROLLING, 1, &json!({"vary": []}));
    assert!(matches!(wrong, Err(WalkError::Sweep(SweepError::Document(_)))));
    // When nothing can be ranked, nothing is traded, and the equity stays what it was.
    let nothing = walk(ROLLING, 1, &json!({"min_trades": 100_000})).unwrap();
    assert!(nothing.windows.iter().all(|window| window.chosen.is_none()));
    assert_eq!(nothing.trades.len(), 0);
    assert_eq!(nothing.metrics.equity.end, spec().start_equity);
    let (spec, histories) = (spec(), histories(24 * 60, &[Timeframe::H1]));
    let document = sweep_document(&json!({}));
    let walk =
        Walk { spec: &spec, histories: &histories, document: &document, plan: ROLLING, threads: threads(1) };
    let canceled =
        run(&walk, &|progress| if progress.done < 12 { Control::Continue } else { Control::Cancel });
    assert!(matches!(canceled, Err(WalkError::Backtest(error)) if error.code() == "BT_CANCELED"));
    assert!(spec.from.is_none_or(|from| from > Timestamp::EPOCH));
}
