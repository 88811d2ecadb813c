//! The checks find what they look for: a strategy that knows the future, an average that has not settled.

use std::ops::Range;
use std::sync::Arc;

use keyhold_domain::{Candle, Rate, Timestamp};
use keyhold_engine::decision::Decision;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::system_templates;
use keyhold_simulator::backtest::{BacktestError, Control, Funding, History, Spec, Unsupported, markets};
use keyhold_simulator::checks::play::{first, part};
use keyhold_simulator::checks::{Recorded, lookahead, lookahead_text, warmup, warmup_text};
use serde_json::json;

use crate::backtests::{HOUR_MS, START_MS, d, linear, market, settings, template};
use crate::sweeps::{recorded, spec, threads};

fn all(candles: Vec<Candle>) -> Vec<Recorded> {
    let rates = (0..200).map(|n| (Timestamp::from_ms(START_MS + n * 8 * HOUR_MS), Rate::new(d("0.0001"))));
    let funding = Funding::History(rates.collect());
    let candles = candles.into_iter().map(ClosedCandle::new).collect();
    vec![Recorded { instrument: linear(), funding, besides: Arc::default(), candles }]
}

#[test]
fn no_system_template_knows_the_future() {
    for system in system_templates::all() {
        let candles = market(&system.template, 3, 1500).iter().map(|candle| candle.candle).collect();
        let mut spec = Spec::new(system.template, linear(), settings("0.01", "3"), d("10000"));
        spec.unsupported = Unsupported::Neutral;
        let recorded = all(candles);
        let play =
            |count: usize, told: &mut dyn FnMut(Decision) -> Control| first(&spec, &recorded, count, told);
        let report = lookahead((900, 1500), 5, threads(2), &play, &|_, _| Control::Continue).unwrap();
        assert_eq!((report.cuts.len(), report.leaks.len()), (5, 0), "{}", system.id);
        assert!(report.compared > 5 * 300, "{}: {}", system.id, report.compared);
        assert!(lookahead_text(&report).unwrap().contains("does not know the future"));
    }
}

#[test]
fn a_reading_of_the_next_candle_is_found_and_named() {
    let (spec, recorded) = (spec(), all(recorded(300)));
    let closes: Vec<Candle> = recorded[0].candles.iter().map(|one| one.candle).collect();
    // From the candle of number 150 on, the first component looks at the next close, where there is one.
    let play = |count: usize, told: &mut dyn FnMut(Decision) -> Control| -> Result<(), BacktestError> {
        first(&spec, &recorded, count, &mut |mut decision| {
            let number = closes.iter().position(|candle| candle.open_time == decision.candle).unwrap();
            let next = closes[..count].get(number + 1).filter(|_| number >= 150);
            if let Some(next) = next {
                decision.readings[0].reading.value = Some(next.close.get().try_into().unwrap());
            }
            told(decision)
        })
    };
    let report = lookahead((50, 300), 4, threads(1), &play, &|_, _| Control::Continue).unwrap();
    assert_eq!(report.cuts, [100, 150, 200, 250]);
    // Cuts at 100 and 150 end before it looks ahead; at the others only the last decision before the cut changes.
    assert_eq!(
        report.leaks.iter().map(|leak| (leak.cut, leak.changed)).collect::<Vec<_>>(),
        [(200, 1), (250, 1)]
    );
    assert_eq!(report.leaks[0].candle, closes[199].open_time);
    let paths: Vec<&str> = report.leaks[0].differences.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["readings[0].reading.value"]);
    assert!(lookahead_text(&report).unwrap().contains("LOOK-AHEAD: 2 cuts"));
}

#[test]
fn a_canceled_check_says_so() {
    let (spec, recorded) = (spec(), all(recorded(300)));
    let play = |count: usize, told: &mut dyn FnMut(Decision) -> Control| first(&spec, &recorded, count, told);
    let stop = |done: usize, _: usize| if done < 2 { Control::Continue } else { Control::Cancel };
    let canceled = lookahead((50, 300), 8, threads(1), &play, &stop);
    assert_eq!(canceled.unwrap_err(), BacktestError::Canceled);
}

fn check_warmup(
    components: &serde_json::Value,
    stated: Option<u32>,
) -> keyhold_simulator::checks::WarmupReport {
    let mut spec = spec();
    spec.template = template(&json!([{"kind": "hard_stop"}]));
    spec.template.components = serde_json::from_value(components.clone()).unwrap();
    spec.settings.warmup_candles = stated;
    let timeframe = spec.template.timeframe;
    let history = History::new(linear(), Funding::Off, &recorded(4000), [timeframe]).unwrap();
    let histories = [history];
    let markets = markets(&histories, timeframe);
    let needed = keyhold_engine::check::check_template(&spec.template).unwrap().warmup_candles();
    let play = |candles: Range<usize>, told: &mut dyn FnMut(Decision) -> Control| {
        part(&spec, &markets, candles, told)
    };
    warmup(needed.max(stated.unwrap_or(0)), 4000, 5, threads(2), &play).unwrap()
}

#[test]
fn a_window_settles_at_once_and_an_average_that_never_forgets_does_not() {
    let simple = json!([{"kind": "sma_cross", "role": "signal", "parameters": {"fast": 10, "slow": 50}}]);
    let report = check_warmup(&simple, None);
    assert_eq!((report.stated_candles, report.starts.len()), (50, 5));
    assert!(report.settles_in_time() && report.recommended.is_none(), "{report:?}");
    assert_eq!(report.components[0].says_the_same_from, Some(50));
    assert_eq!(report.components[0].value_equal_from, Some(50));
    assert!(warmup_text(&report).unwrap().contains("long enough"));

    let slow = json!([{"kind": "ema_cross", "role": "signal", "parameters": {"fast": 100, "slow": 110}}]);
    let report = check_warmup(&slow, None);
    let found = &report.components[0];
    assert_eq!(report.stated_candles, 110);
    // The average was begun with a mean of 100 closes, so it is not the one of the whole history yet.
    assert!(found.off_at_first_pct.unwrap() > 0.0);
    assert!(found.value_equal_from.unwrap() > 110, "{found:?}");
    let settled = found.says_the_same_from.unwrap();
    assert!(settled > 110 && !report.settles_in_time(), "{report:?}");
    assert_eq!(report.recommended, found.value_equal_from.max(Some(settled)));
    assert!(report.starts.iter().any(|start| start.different > 0));
    // With what is recommended it is long enough.
    let again = check_warmup(&slow, report.recommended);
    assert!(again.settles_in_time(), "{again:?}");
}

#[test]
fn too_few_candles_to_check_are_said() {
    let spec = spec();
    let histories = [History::new(linear(), Funding::Off, &recorded(4), [spec.template.timeframe]).unwrap()];
    let markets = markets(&histories, spec.template.timeframe);
    let play = |candles: Range<usize>, told: &mut dyn FnMut(Decision) -> Control| {
        part(&spec, &markets, candles, told)
    };
    let error = warmup(3, 3, 5, threads(1), &play).unwrap_err();
    assert_eq!(error.code(), "BT_RANGE_TOO_SHORT");
}
