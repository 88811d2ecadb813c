//! Backtests with data recorded beside candles: they reach the components at their times and not before, and a run that
//! lacks them says which component it cannot simulate.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use keyhold_domain::{Candle, Decimal, Instrument, Rate, Timeframe, Timestamp};
use keyhold_engine::decision::Decision;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::reading::Verdict;
use keyhold_engine::template::Template;
use keyhold_simulator::backtest::{
    BacktestError, Control, Funding, Market, RecordedFacts, RecordedKind, Spec, Unsupported,
    json as json_text, run, run_interleaved, run_markets, run_recorded,
};
use keyhold_simulator::checks::play::first;
use keyhold_simulator::checks::{self, lookahead};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use keyhold_simulator::random::mix;
use serde_json::json;

use crate::backtests::{START_MS, d, linear, settings};

const HOUR_MS: i64 = 3_600_000;

/// Every component that works on more than candles and can be simulated.
fn flow_template() -> Template {
    serde_json::from_value(json!({
        "format": 1, "name": "Flow", "timeframe": "1h",
        "combination": { "mode": "min_signals", "count": 1 },
        "components": [
            { "kind": "cvd", "role": "signal", "parameters": { "period": 5 } },
            { "kind": "open_interest", "role": "signal", "parameters": { "lookback": 3, "min_change_pct": 0.5 } },
            { "kind": "basis_premium", "role": "risk_gate", "parameters": { "threshold_pct": 0.2 } },
            { "kind": "max_spread", "role": "entry_guard", "parameters": { "max_bps": 3 } },
            { "kind": "funding_window", "role": "entry_guard", "parameters": { "minutes": 60 } },
            { "kind": "funding_rate", "role": "risk_gate" }
        ],
        "exits": [{ "kind": "hard_stop", "parameters": { "pct": 2 } }, { "kind": "signal_flip" }]
    }))
    .unwrap()
}

fn market(count: usize) -> Vec<ClosedCandle> {
    let config = SyntheticConfig {
        seed: 5,
        stream: 0,
        start_price: "60000".parse().unwrap(),
        tick: d("0.1"),
        start: Timestamp::from_ms(START_MS),
        timeframe: Timeframe::H1,
        volatility_ppm: 2500,
    };
    Synthetic::new(config).take(count).map(ClosedCandle::new).collect()
}

/// Series that follow the candles with some chance in them, made from the hours that are there.
fn recorded(candles: &[ClosedCandle]) -> RecordedFacts {
    let mut texts = [
        (RecordedKind::OpenInterest, "time,open_interest\n".to_owned()),
        (RecordedKind::Mark, "time,price\n".to_owned()),
        (RecordedKind::Index, "time,price\n".to_owned()),
        (RecordedKind::Quotes, "time,bid,ask\n".to_owned()),
        (RecordedKind::TakerVolume, "open_time,buy,sell\n".to_owned()),
    ];
    for ClosedCandle { candle, .. } in candles {
        let open = candle.open_time.ms();
        let close = open + HOUR_MS;
        let chance = |what: u64, range: u64| {
            Decimal::from(mix(open.unsigned_abs().wrapping_mul(31).wrapping_add(what)) % range)
        };
        let price = candle.close.get();
        let bought = (candle.volume * chance(1, 100) / Decimal::ONE_HUNDRED).round_dp(3);
        let rows = [
            format!("{close},{}", Decimal::from(50_000) + chance(2, 2_000)),
            format!("{close},{price}"),
            format!("{close},{}", price + chance(3, 300) - Decimal::from(150)),
            format!("{close},{},{}", price - chance(4, 20), price + chance(5, 20)),
            format!("{open},{bought},{}", candle.volume - bought),
        ];
        for ((_, text), row) in texts.iter_mut().zip(rows) {
            writeln!(text, "{row}").unwrap();
        }
    }
    let mut recorded = RecordedFacts::default();
    for (kind, text) in texts {
        recorded.read(kind, &text).unwrap();
    }
    recorded
}

fn spec(recorded: RecordedFacts) -> Spec {
    let mut spec = Spec::new(flow_template(), linear(), settings("0.01", "3"), d("10000"));
    spec.funding = Funding::Constant(Rate::new(d("0.0001")));
    spec.recorded = Arc::new(recorded);
    spec
}

fn decisions(spec: &Spec, candles: &[ClosedCandle]) -> Vec<Decision> {
    let mut told = Vec::new();
    run_recorded(spec, candles, &mut |_| Control::Continue, &mut |decision| told.push(decision)).unwrap();
    told
}

#[test]
fn components_that_lack_their_series_are_named() {
    let candles = market(100);
    let nothing = spec(RecordedFacts::default());
    let refused = run(&nothing, &candles, &mut |_| Control::Continue).unwrap_err();
    let lacking = ["cvd", "open_interest", "basis_premium", "max_spread"].map(String::from).to_vec();
    assert_eq!(refused, BacktestError::ComponentUnsupported(lacking));
    let mut book = spec(recorded(&candles));
    let depth = json!({ "kind": "min_depth", "role": "entry_guard" });
    book.template.components.push(serde_json::from_value(depth).unwrap());
    let refused = run(&book, &candles, &mut |_| Control::Continue).unwrap_err();
    assert_eq!(refused, BacktestError::ComponentUnsupported(vec![String::from("min_depth")]));
    book.unsupported = Unsupported::Neutral;
    let report = run(&book, &candles, &mut |_| Control::Continue).unwrap();
    assert_eq!(report.findings[0].code, "BT_COMPONENT_UNSUPPORTED");
    let mut unfunded = spec(recorded(&candles));
    unfunded.funding = Funding::Off;
    let refused = run(&unfunded, &candles, &mut |_| Control::Continue).unwrap_err();
    let lacking = ["funding_window", "funding_rate"].map(String::from).to_vec();
    assert_eq!(refused, BacktestError::ComponentUnsupported(lacking));
}

#[test]
fn recorded_series_reach_the_components_from_the_first_decision_on() {
    let candles = market(600);
    let whole = spec(recorded(&candles));
    let report = run(&whole, &candles, &mut |_| Control::Continue).unwrap();
    assert!(report.trades.len() > 20, "{} trades", report.trades.len());
    let told = decisions(&whole, &candles);
    for decision in &told {
        for reading in &decision.readings {
            let spoke = matches!(reading.reading.verdict, Verdict::Signal { .. } | Verdict::Check { .. });
            assert!(spoke, "{} at {}: {:?}", reading.kind, decision.candle, reading.reading.verdict);
        }
    }
    // Funding at 00:00, 08:00, 16:00: with a positive rate longs are kept out in the hour before, and the candle that
    // closes at the payment itself has eight hours to go.
    let window = |decision: &Decision| {
        let reading = decision.readings.iter().find(|reading| reading.kind == "funding_window").unwrap();
        reading.reading.value.unwrap()
    };
    for decision in &told {
        let hour = decision.closed_at.ms() / HOUR_MS % 8;
        let left = f64::from(u32::try_from((8 - hour) * 60).unwrap());
        assert!((window(decision) - left).abs() < 1e-9, "{}: {}", decision.closed_at, window(decision));
    }
}

#[test]
fn rows_of_the_future_change_nothing() {
    let candles = market(400);
    let all = decisions(&spec(recorded(&candles)), &candles);
    let first = candles.len() - all.len();
    for cut in [150, 300] {
        let part = decisions(&spec(recorded(&candles[..cut])), &candles[..cut]);
        assert_eq!(part, all[..cut - first], "cut {cut}");
    }
}

#[test]
fn the_long_way_gives_the_bytes_of_a_single_run() {
    let candles = market(400);
    let spec = spec(recorded(&candles));
    let alone = run(&spec, &candles, &mut |_| Control::Continue).unwrap();
    let (instrument, funding, recorded) = (&spec.instrument, &spec.funding, &spec.recorded);
    let only = Market { instrument, funding, recorded, candles: &candles };
    let long_way = run_interleaved(&spec, &[only], &mut |_| Control::Continue).unwrap();
    assert!(alone.trades.len() > 10, "{} trades", alone.trades.len());
    assert_eq!(json_text(&long_way).unwrap(), json_text(&alone).unwrap());
    // An instrument without its own series is not judged by another's.
    let (other, nothing) = (Instrument { symbol: "ETHUSDT".parse().unwrap(), ..linear() }, Arc::default());
    let both = [only, Market { instrument: &other, recorded: &nothing, ..only }];
    let refused = run_markets(&spec, &both, &mut |_| Control::Continue, None).unwrap_err();
    let lacking = ["cvd", "open_interest", "basis_premium", "max_spread"].map(String::from).to_vec();
    assert_eq!(refused, BacktestError::ComponentUnsupported(lacking));
}

#[test]
fn the_lookahead_check_passes_on_every_series() {
    let candles = market(400);
    let all = recorded(&candles);
    let rates = (0..60).map(|n| (Timestamp::from_ms(START_MS + n * 8 * HOUR_MS), Rate::new(d("0.0001"))));
    let one = checks::Recorded {
        instrument: linear(),
        funding: Funding::History(rates.collect()),
        besides: Arc::new(all.clone()),
        candles: candles.clone(),
    };
    let spec = spec(all);
    let recorded = [one];
    let play = |count: usize, told: &mut dyn FnMut(Decision) -> Control| first(&spec, &recorded, count, told);
    let threads = NonZeroUsize::MIN;
    let report = lookahead((100, 400), 7, threads, &play, &|_, _| Control::Continue).unwrap();
    assert_eq!(report.leaks, []);
    assert!(report.compared > 7 * 50, "{}", report.compared);
}

#[test]
fn a_hole_in_a_series_is_a_hole_in_the_readings() {
    let candles = market(60);
    let mut holed = candles.clone();
    holed.drain(30..40);
    let told = decisions(&spec(recorded(&holed)), &candles);
    let silent: Vec<i64> = told
        .iter()
        .filter(|decision| {
            let of_spread = decision.readings.iter().find(|reading| reading.kind == "max_spread").unwrap();
            of_spread.reading.verdict == Verdict::NoData
        })
        .map(|decision| (decision.candle.ms() - START_MS) / HOUR_MS)
        .collect();
    // A value counts for two steps after its own time; the hours from the third on have none.
    assert_eq!(silent, (32..40).collect::<Vec<_>>());
}

fn shared(name: &str) -> Option<String> {
    let root = std::env::var_os("KEYHOLD_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let file = root.join("data").join(name);
    if !file.exists() {
        eprintln!("SKIPPED: ../shared is absent ({})", file.display());
        return None;
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut GzDecoder::new(std::fs::File::open(file).unwrap()), &mut text)
        .unwrap();
    Some(text)
}

/// Real candles, mark candles and funding of some days. No index was recorded, so the last price stands in for it: what is
/// shown is that the files are read as they are and that the premium is small, as it must be.
#[test]
fn real_mark_candles_and_funding_are_usable() {
    let Some(candles) = shared("xrpusdt-1h.csv.gz") else { return };
    let (mark, funding) =
        (shared("xrpusdt-1h-mark.csv.gz").unwrap(), shared("xrpusdt-funding-8h.csv.gz").unwrap());
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let closed: Vec<ClosedCandle> = candles
        .lines()
        .skip(1)
        .map(|line| {
            let row = cells(line);
            let price = |column: usize| row[column].parse().unwrap();
            ClosedCandle::new(Candle {
                open_time: Timestamp::from_ms(row[0].parse().unwrap()),
                open: price(1),
                high: price(2),
                low: price(3),
                close: price(4),
                volume: Decimal::from_str_exact(&row[5]).unwrap(),
            })
        })
        .collect();
    let mut recorded = RecordedFacts::default();
    recorded.read(RecordedKind::Mark, &mark).unwrap();
    recorded.read(RecordedKind::Index, &candles).unwrap();
    let rates = funding
        .lines()
        .skip(1)
        .map(|line| {
            let row = cells(line);
            (
                Timestamp::from_ms(row[0].parse().unwrap()),
                Rate::new(
                    Decimal::from_scientific(&row[1]).or_else(|_| Decimal::from_str_exact(&row[1])).unwrap(),
                ),
            )
        })
        .collect();
    let mut spec = spec(recorded);
    spec.instrument.symbol = "XRPUSDT".parse().unwrap();
    spec.instrument.base = "XRP".parse().unwrap();
    spec.instrument.tick = d("0.0001");
    spec.instrument.lot = d("1");
    spec.settings = settings("100", "3");
    spec.funding = Funding::History(rates);
    spec.template.components = serde_json::from_value(json!([
        { "kind": "ema_cross", "role": "signal", "parameters": { "fast": 2, "slow": 5, "trigger": "state" } },
        { "kind": "basis_premium", "role": "risk_gate", "parameters": { "threshold_pct": 0.3 } },
        { "kind": "funding_window", "role": "entry_guard" },
        { "kind": "funding_rate", "role": "risk_gate" }
    ]))
    .unwrap();
    let report = run(&spec, &closed, &mut |_| Control::Continue).unwrap();
    assert!(!report.trades.is_empty());
    let told = decisions(&spec, &closed);
    let premiums: Vec<f64> = told
        .iter()
        .filter_map(|decision| decision.readings.iter().find(|reading| reading.kind == "basis_premium"))
        .filter_map(|reading| reading.reading.value)
        .collect();
    // Candles of 56 hours have a mark candle; two hours more may go by without one.
    assert!((48..=58).contains(&premiums.len()), "{} of {}", premiums.len(), told.len());
    assert!(premiums.iter().all(|premium| premium.abs() < 2.0), "{premiums:?}");
}
