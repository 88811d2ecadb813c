//! Sweeps: which combinations, in which order, what is kept, and that threads share the work without changing it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use keyhold_domain::{Candle, Timeframe, Timestamp};
use keyhold_engine::report::Figure;
use keyhold_simulator::backtest::{Control, Funding, History, Spec, run_markets};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use keyhold_simulator::sweep::{
    Completion, HistoryUse, Job, Space, Sweep, SweepDocument, SweepError, csv, run, text,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::backtests::{START_MS, d, linear, settings, template};

pub(crate) fn recorded(count: usize) -> Vec<Candle> {
    let config = SyntheticConfig {
        seed: 5,
        stream: 0,
        start_price: "60000".parse().unwrap(),
        tick: d("0.1"),
        start: Timestamp::from_ms(START_MS),
        timeframe: Timeframe::H1,
        volatility_ppm: 4000,
    };
    Synthetic::new(config).take(count).collect()
}

pub(crate) fn spec() -> Spec {
    let exits = json!([{"kind": "hard_stop", "parameters": {"pct": 3}}, {"kind": "signal_flip"}]);
    Spec::new(template(&exits), linear(), settings("0.01", "2"), d("10000"))
}

pub(crate) fn histories(count: usize, timeframes: &[Timeframe]) -> Vec<History> {
    let history = History::new(linear(), Funding::Off, &recorded(count), timeframes.iter().copied()).unwrap();
    vec![history]
}

pub(crate) fn sweep_document(changes: &Value) -> SweepDocument {
    let mut document = json!({
        "format": 1,
        "vary": [
            {"path": "components[0].parameters.fast", "from": 2, "to": 6, "step": 2},
            {"path": "components[0].parameters.slow", "values": [3, 8, 20]}
        ],
        "keep": 2,
        "rank_by": "net_profit"
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    serde_json::from_value(document).unwrap()
}

pub(crate) fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn sweep(document: &SweepDocument, count: usize) -> Sweep {
    let (spec, histories) = (spec(), histories(600, &[Timeframe::H1]));
    let job = Job {
        spec: &spec,
        histories: &histories,
        document,
        threads: threads(count),
        history: HistoryUse::All,
    };
    run(&job, &|_| Control::Continue).unwrap()
}

#[test]
fn every_combination_is_ranked_or_listed_with_what_is_wrong() {
    let found = sweep(&sweep_document(&json!({})), 1);
    let report = &found.report;
    assert_eq!((report.grid, report.asked, report.completion), (9, 9, Completion::Complete));
    // 4 and 6 are not faster than 3; 2/3, 2/8, 2/20, 4/8, 4/20, 6/8, 6/20 are left.
    assert_eq!((report.ranked.len(), report.invalid.len()), (7, 2));
    let invalid = &report.invalid[0];
    assert_eq!((invalid.combination.number, invalid.code), (3, "BT_TEMPLATE_INVALID"));
    assert_eq!(invalid.problems[0].path, "components[0].parameters.fast");
    let profits: Vec<f64> =
        report.ranked.iter().map(|ranked| ranked.figures.get(Figure::NetProfit).unwrap()).collect();
    assert!(profits.is_sorted_by(|a, b| a >= b), "{profits:?}");
    assert!(profits.first() > profits.last(), "the combinations differ");
    // The reports of the best say what the ranking says.
    assert_eq!(found.best.len(), 2);
    for (report, ranked) in found.best.iter().zip(&report.ranked) {
        assert_eq!(Figure::NetProfit.of(&report.metrics), ranked.figures.get(Figure::NetProfit));
        assert_eq!(
            serde_json::to_value(&report.assumptions.template_document.components[0].parameters["fast"])
                .unwrap(),
            ranked.combination.values[0].value.to_string()
        );
    }
    let shown = text(report).unwrap();
    assert!(
        shown.contains("2 combinations could not be run") && shown.contains("Make fast smaller"),
        "{shown}"
    );
    assert_eq!(csv(report).lines().count(), 8);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let document = sweep_document(&json!({}));
    let one = sweep(&document, 1);
    for count in [2, 5] {
        let other = sweep(&document, count);
        assert_eq!(
            serde_json::to_string(&other.report).unwrap(),
            serde_json::to_string(&one.report).unwrap()
        );
        assert_eq!(other.best, one.best);
        assert_eq!(other.shares.iter().sum::<usize>(), 9);
    }
}

/// Two threads take turns: none begins its next backtest before the other has done as many. That each has done half of
/// a hundred in the end shows that nothing makes one wait for the other but this test.
#[test]
fn two_threads_do_half_of_the_work_each() {
    let document = sweep_document(&json!({
        "vary": [{"path": "components[0].parameters.slow", "from": 21, "to": 120}], "keep": 0
    }));
    let (spec, histories) = (spec(), histories(300, &[Timeframe::H1]));
    let job = Job {
        spec: &spec,
        histories: &histories,
        document: &document,
        threads: threads(2),
        history: HistoryUse::All,
    };
    let turns = Mutex::new(BTreeMap::<String, usize>::new());
    let changed = Condvar::new();
    let late = AtomicUsize::new(0);
    let found = run(&job, &|_| {
        let me = format!("{:?}", std::thread::current().id());
        let mut turns = turns.lock().unwrap();
        *turns.entry(me.clone()).or_default() += 1;
        changed.notify_all();
        let mine = turns[&me];
        let behind = |turns: &mut BTreeMap<String, usize>| {
            // Each backtest tells when it ends and when it is done, so both threads get to 100.
            mine < 100 && (turns.len() < 2 || turns.values().any(|other| *other < mine))
        };
        let (_turns, waited) = changed.wait_timeout_while(turns, Duration::from_mins(1), behind).unwrap();
        late.fetch_add(usize::from(waited.timed_out()), Ordering::Relaxed);
        Control::Continue
    })
    .unwrap();
    assert_eq!((late.into_inner(), found.shares), (0, vec![50, 50]));
}

#[test]
fn a_canceled_sweep_ranks_what_was_done() {
    let document =
        sweep_document(&json!({"vary": [{"path": "components[0].parameters.slow", "from": 4, "to": 50}]}));
    let (spec, histories) = (spec(), histories(300, &[Timeframe::H1]));
    let job = Job {
        spec: &spec,
        histories: &histories,
        document: &document,
        threads: threads(1),
        history: HistoryUse::All,
    };
    let found =
        run(&job, &|progress| if progress.done < 10 { Control::Continue } else { Control::Cancel }).unwrap();
    assert_eq!(found.report.completion, Completion::Canceled);
    assert!((9..=10).contains(&found.report.ranked.len()), "{}", found.report.ranked.len());
    assert_eq!((found.best.len(), found.report.asked), (0, 47));
    assert!(text(&found.report).unwrap().contains("CANCELED"));
}

#[test]
fn few_trades_and_undefined_figures_stand_last() {
    let all = sweep(&sweep_document(&json!({"rank_by": "max_drawdown_pct"})), 2).report;
    let falls: Vec<f64> = all.ranked.iter().map(|r| r.figures.get(Figure::MaxDrawdownPct).unwrap()).collect();
    assert!(falls.is_sorted(), "less is better: {falls:?}");
    let trades: Vec<f64> = all.ranked.iter().map(|r| r.figures.get(Figure::Trades).unwrap()).collect();
    let most = trades.iter().copied().fold(0.0, f64::max);
    let bound = most.round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of trades")]
    let strict =
        sweep(&sweep_document(&json!({"rank_by": "max_drawdown_pct", "min_trades": bound as u64})), 2).report;
    assert!((strict.ranked[0].figures.get(Figure::Trades).unwrap() - most).abs() < 0.5);
    assert!(strict.best().is_some());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of trades")]
    let none = sweep(&sweep_document(&json!({"min_trades": bound as u64 + 1})), 2).report;
    assert!(none.best().is_none(), "nobody has so many trades");
}

#[test]
fn timeframes_and_settings_can_vary() {
    let document = sweep_document(&json!({"vary": [
        {"path": "timeframe", "values": ["1h", "4h"]},
        {"path": "settings.leverage", "values": [1, "2.5"]},
        {"path": "settings.limits.max_trades_per_day", "values": [1, null]}
    ]}));
    let space = Space::new(&document, &spec().template, &spec().settings).unwrap();
    let frames: Vec<Timeframe> = space.timeframes().into_iter().collect();
    assert_eq!(frames, [Timeframe::H1, Timeframe::H4]);
    let (spec, histories) = (spec(), histories(2000, &frames));
    let job = Job {
        spec: &spec,
        histories: &histories,
        document: &document,
        threads: threads(2),
        history: HistoryUse::All,
    };
    let found = run(&job, &|_| Control::Continue).unwrap();
    assert_eq!((found.report.ranked.len(), found.report.invalid.len()), (8, 0));
    // A variant is the backtest of the changed documents.
    let ranked = &found.report.ranked[0];
    let (template, settings) = space.apply(&ranked.combination).unwrap();
    let market = histories[0].market(template.timeframe);
    let alone = Spec { template, settings, ..spec };
    let report = run_markets(&alone, &[market], &mut |_| Control::Continue, None).unwrap();
    assert_eq!(report, found.best[0]);
}

#[test]
fn all_problems_of_a_document_are_said_at_once() {
    let document = sweep_document(&json!({"format": 2, "keep": 1000, "vary": [
        {"path": "components[7].parameters.fast", "values": [1]},
        {"path": "components[0].parameters.fast", "values": []},
        {"path": "components[0].parameters.slow", "from": 9, "to": 5},
        {"path": "components[0].parameters.slow", "from": 5},
        {"path": "components[0].colour", "values": [1]},
        {"path": "settings.leverage", "values": ["a lot"]},
        {"path": "no such path!", "values": [1]},
        {"path": "name", "values": ["a"]},
        {"path": "name", "values": ["b"]},
        {"path": "description", "from": 1, "to": 2, "step": 0}
    ]}));
    let problems = Space::new(&document, &spec().template, &spec().settings).unwrap_err();
    let found: Vec<(&str, &str)> =
        problems.iter().map(|problem| (problem.path.as_str(), problem.code)).collect();
    let expected = [
        ("format", "FORMAT_UNSUPPORTED"),
        ("keep", "TOO_MANY"),
        ("vary[0].path", "SWEEP_PATH_UNKNOWN"),
        ("vary[1].values", "SWEEP_VALUES_INVALID"),
        ("vary[2].values", "SWEEP_VALUES_INVALID"),
        ("vary[3].values", "SWEEP_VALUES_INVALID"),
        ("vary[4].path", "SWEEP_PATH_UNKNOWN"),
        ("vary[5].values", "SWEEP_VALUES_INVALID"),
        ("vary[6].path", "SWEEP_PATH_UNKNOWN"),
        ("vary[8].path", "SWEEP_PATH_TWICE"),
        ("vary[9].values", "SWEEP_VALUES_INVALID"),
    ];
    assert_eq!(found, expected);
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    let large = sweep_document(&json!({"vary": [
        {"path": "components[0].parameters.fast", "from": 1, "to": 1000},
        {"path": "components[0].parameters.slow", "from": 1, "to": 1000}
    ]}));
    let problems = Space::new(&large, &spec().template, &spec().settings).unwrap_err();
    assert_eq!(problems[0].code, "TOO_MANY");
    let (spec, histories) = (spec(), histories(100, &[Timeframe::H1]));
    let job = Job {
        spec: &spec,
        histories: &histories,
        document: &large,
        threads: threads(1),
        history: HistoryUse::All,
    };
    assert!(matches!(run(&job, &|_| Control::Continue), Err(SweepError::Document(_))));
}

proptest! {
    /// A random choice is a part of the grid, without repetition, of the size asked for, and the same for the same seed.
    #[test]
    fn random_choices_come_from_the_grid(sizes in proptest::collection::vec(1_usize..7, 1..4), count in 1_u64..60, seed: u64) {
        let paths = ["components[0].parameters.fast", "components[0].parameters.slow", "settings.leverage"];
        let vary: Vec<Value> = sizes.iter().zip(paths)
            .map(|(size, path)| json!({"path": path, "from": 1, "to": size}))
            .collect();
        let all = Space::new(&sweep_document(&json!({"vary": vary})), &spec().template, &spec().settings).unwrap();
        let total: usize = sizes.iter().product();
        prop_assert_eq!(all.count(), total);
        let search = json!({"mode": "random", "count": count, "seed": seed});
        let document = sweep_document(&json!({"vary": vary, "search": search}));
        let some = Space::new(&document, &spec().template, &spec().settings).unwrap();
        prop_assert_eq!(some.count(), total.min(usize::try_from(count).unwrap()));
        let mut last = None;
        for place in 0..some.count() {
            let combination = some.combination(place);
            prop_assert!(last < Some(combination.number), "ascending, so never twice");
            last = Some(combination.number);
            // The number names the combination in the grid as well.
            prop_assert_eq!(&combination, &all.combination(usize::try_from(combination.number).unwrap()));
        }
        let again = Space::new(&document, &spec().template, &spec().settings).unwrap();
        prop_assert_eq!(some, again);
    }
}
