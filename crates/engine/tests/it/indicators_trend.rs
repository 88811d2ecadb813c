//! The trend indicators against TA-Lib, pandas-ta and plain reference code, and `mtf_trend` against whole resampling.
//!
//! `tests/data/trend_reference.csv` was computed from the definitions with exact fractions (`trend_reference.py` beside
//! it says how) and agrees with TA-Lib and pandas-ta-classic to 1e-11 wherever they know the indicator.

use std::collections::BTreeMap;
use std::path::Path;

use keyhold_domain::Timeframe;
use keyhold_engine::check::check_template;
use keyhold_engine::component::{Component, Context};
use keyhold_engine::indicator::{
    Aroon, HeikinAshi, HigherCandles, Hull, Ichimoku, IchimokuPeriods, IchimokuValue, Line, LineFit,
    ParabolicSar, SwingPoints, Vortex, Wma,
};
use keyhold_engine::input::Ohlcv;
use keyhold_engine::reading::{Direction, Reading, Verdict};
use keyhold_engine::template::{ComponentSpec, Template};
use serde_json::json;

use crate::indicators::{Column, reference};
use crate::series::{CONTEXT, Dice, Moment, candle, run};

/// The candles of our own file and the columns beside them.
struct Own {
    moments: Vec<Moment>,
    columns: BTreeMap<String, Column>,
}

fn own() -> Own {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trend_reference.csv");
    let mut reader = csv::Reader::from_path(file).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(ToOwned::to_owned).collect();
    let mut own = Own { moments: Vec::new(), columns: BTreeMap::new() };
    for row in reader.records() {
        let row = row.unwrap();
        let minute: i64 = row[0].parse().unwrap();
        own.moments.push(Moment::of(candle(minute * 60_000, [&row[1], &row[2], &row[3], &row[4], "1"])));
        for (name, cell) in names.iter().zip(row.iter()) {
            own.columns.entry(name.clone()).or_default().push(cell.parse().ok());
        }
    }
    own
}

impl Own {
    fn candles(&self) -> impl Iterator<Item = &Ohlcv> {
        self.moments.iter().map(|moment| &moment.candle.floats)
    }

    /// Ours must be defined where the reference is, and off by at most `tolerance` of the larger of value and `unit`.
    fn assert_agrees(&self, ours: &Column, name: &str, unit: f64, tolerance: f64) {
        let theirs = &self.columns[name];
        assert_eq!(ours.len(), theirs.len());
        assert!(theirs.iter().flatten().count() > 250, "{name} says too little");
        for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
            match (our, their) {
                (Some(our), Some(their)) => {
                    let off = (our - their).abs() / their.abs().max(unit);
                    assert!(off <= tolerance, "{name} on candle {index}: {our} instead of {their}");
                }
                (None, None) => {}
                (our, their) => panic!("{name} on candle {index}: {our:?} instead of {their:?}"),
            }
        }
    }
}

fn component(kind: &str, role: &str, parameters: serde_json::Value) -> Component {
    let mut spec = json!({ "kind": kind, "role": role });
    spec["parameters"] = parameters;
    let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
    Component::build(&spec, CONTEXT).unwrap()
}

#[test]
fn weighted_averages_and_the_regression_line() {
    let Some(reference) = reference() else { return };
    let mut wma = Wma::new(20);
    let mut hull = Hull::new(16);
    let mut fit = LineFit::new(14);
    let weighted = reference.closes(|close| wma.update(close));
    let hulls = reference.closes(|close| hull.update(close));
    let ends = reference.closes(|close| fit.update(close).map(|line| line.end));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&weighted, &format!("{source}.WMA20"), 1e-13, 0);
        reference.assert_agrees(&hulls, &format!("{source}.HMA16"), 1e-13, 0);
        reference.assert_agrees(&ends, &format!("{source}.LINREG14"), 1e-12, 0);
    }
}

#[test]
fn parabolic_sar_begins_as_talib_does() {
    let Some(reference) = reference() else { return };
    let mut sar = ParabolicSar::new(0.02, 0.2);
    let ours = reference.all(|candle| sar.update(candle));
    // pandas-ta's own column (SAR_PTA) chooses the first direction otherwise and is not followed.
    for source in ["talib", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.SAR"), 1e-14, 0);
    }
}

#[test]
fn aroon() {
    let Some(reference) = reference() else { return };
    let mut aroon = Aroon::new(25);
    let values: Vec<_> = reference.candles.iter().map(|candle| aroon.update(candle)).collect();
    let up: Column = values.iter().map(|value| value.map(|value| value.up)).collect();
    let down: Column = values.iter().map(|value| value.map(|value| value.down)).collect();
    let difference: Column = values.iter().map(|value| value.map(|value| value.up - value.down)).collect();
    for source in ["talib", "pta", "ref"] {
        for (ours, name) in [(&up, "AROON_UP25"), (&down, "AROON_DOWN25"), (&difference, "AROON_OSC25")] {
            reference.assert_agrees(ours, &format!("{source}.{name}"), 1e-14, 0);
        }
    }
}

type Named = (&'static str, fn(&IchimokuValue) -> Option<f64>);

const LINES: [Named; 4] = [
    ("conversion", |value| value.conversion),
    ("base", |value| value.base),
    ("span_a", |value| value.span_a),
    ("span_b", |value| value.span_b),
];

#[test]
fn ichimoku() {
    let Some(reference) = reference() else { return };
    let mut lines = Ichimoku::new(IchimokuPeriods { conversion: 9, base: 26, span: 52 });
    let values: Vec<_> = reference.candles.iter().map(|candle| lines.update(candle)).collect();
    for source in ["pta", "ref"] {
        for ((_, line), name) in LINES.iter().zip(["TENKAN", "KIJUN", "SPAN_A", "SPAN_B"]) {
            let ours: Column = values.iter().map(line).collect();
            reference.assert_agrees(&ours, &format!("{source}.ICH_{name}"), 0.0, 0);
        }
    }
}

#[test]
fn averages_on_gaps_jumps_and_flat_stretches() {
    let own = own();
    let mut wma = Wma::new(10);
    let weighted: Column = own.candles().map(|candle| wma.update(candle.close)).collect();
    own.assert_agrees(&weighted, "wma_10", 1.0, 1e-14);
    for period in [2, 16, 55] {
        let mut hull = Hull::new(period);
        let ours: Column = own.candles().map(|candle| hull.update(candle.close)).collect();
        own.assert_agrees(&ours, &format!("hull_{period}"), 1.0, 1e-13);
        let first = ours.iter().position(Option::is_some).unwrap();
        assert_eq!(first + 1, usize::try_from(Hull::warmup_candles(period)).unwrap());
    }
    for period in [3, 20] {
        let mut fit = LineFit::new(period);
        let lines: Vec<Option<Line>> = own.candles().map(|candle| fit.update(candle.close)).collect();
        let column = |pick: fn(Line) -> f64| -> Column { lines.iter().map(|line| line.map(pick)).collect() };
        own.assert_agrees(&column(|line| line.slope), &format!("slope_{period}"), 1.0, 1e-12);
        own.assert_agrees(&column(|line| line.end), &format!("end_{period}"), 1.0, 1e-13);
        own.assert_agrees(&column(|line| line.r_squared), &format!("r2_{period}"), 1.0, 1e-9);
    }
}

#[test]
fn lines_of_candles_on_gaps_jumps_and_flat_stretches() {
    let own = own();
    let mut vortex = Vortex::new(14);
    let mut aroon = Aroon::new(10);
    let mut averaged = HeikinAshi::default();
    let mut sar = ParabolicSar::new(0.05, 0.3);
    let mut lines = Ichimoku::new(IchimokuPeriods { conversion: 5, base: 13, span: 30 });
    let movements: Vec<_> = own.candles().map(|candle| vortex.update(candle)).collect();
    let freshness: Vec<_> = own.candles().map(|candle| aroon.update(candle)).collect();
    let bodies: Vec<_> = own.candles().map(|candle| averaged.update(candle)).collect();
    let stops: Column = own.candles().map(|candle| sar.update(candle)).collect();
    let cloud: Vec<_> = own.candles().map(|candle| lines.update(candle)).collect();
    let columns: [(&str, Column); 7] = [
        ("vi_plus_14", movements.iter().map(|value| value.map(|value| value.plus)).collect()),
        ("vi_minus_14", movements.iter().map(|value| value.map(|value| value.minus)).collect()),
        ("aroon_up_10", freshness.iter().map(|value| value.map(|value| value.up)).collect()),
        ("aroon_down_10", freshness.iter().map(|value| value.map(|value| value.down)).collect()),
        ("ha_open", bodies.iter().map(|body| Some(body.open)).collect()),
        ("ha_close", bodies.iter().map(|body| Some(body.close)).collect()),
        ("sar", stops),
    ];
    for (name, ours) in columns {
        own.assert_agrees(&ours, name, 1.0, 1e-13);
    }
    for (name, line) in LINES {
        own.assert_agrees(&cloud.iter().map(line).collect(), name, 1.0, 1e-15);
    }
}

#[test]
fn swings_are_known_late_and_never_change() {
    let own = own();
    let mut swings = SwingPoints::new(3);
    let mut columns: [Column; 4] = Default::default();
    for candle in own.candles() {
        swings.update(candle);
        let (highs, lows) = (swings.highs(), swings.lows());
        for (column, price) in columns.iter_mut().zip([highs.newest, highs.before, lows.newest, lows.before])
        {
            column.push(price);
        }
    }
    let names = ["swing_high", "swing_high_before", "swing_low", "swing_low_before"];
    for (column, name) in columns.iter().zip(names) {
        own.assert_agrees(column, name, 1.0, 0.0);
    }
}

#[test]
fn sums_do_not_drift_in_a_hundred_thousand_candles() {
    let mut dice = Dice::new(11);
    let (mut wma, mut fit) = (Wma::new(37), LineFit::new(37));
    let mut cents = 3_000_000;
    let mut closes = Vec::new();
    for index in 0..100_000 {
        // A spike of a thousand times the price now and then must leave no trace.
        cents = (cents + dice.roll(4_001) - 2_000).max(10_000);
        let spike = if index % 997 == 0 { 1_000.0 } else { 1.0 };
        let close = spike * f64::from(i32::try_from(cents).unwrap()) / 100.0;
        closes.push(close);
        let (ours, line) = (wma.update(close), fit.update(close));
        if index % 997 != 996 {
            continue;
        }
        let window = &closes[closes.len() - 37..];
        let (mut fresh_wma, mut fresh_fit) = (Wma::new(37), LineFit::new(37));
        let fresh = window.iter().map(|close| (fresh_wma.update(*close), fresh_fit.update(*close))).last();
        let (Some(fresh), Some(fresh_line)) = fresh.unwrap() else { panic!("37 closes are enough") };
        let (ours, line) = (ours.unwrap(), line.unwrap());
        assert!((ours - fresh).abs() <= 1e-12 * fresh, "candle {index}: {ours} instead of {fresh}");
        assert!((line.slope - fresh_line.slope).abs() <= 1e-8, "{index}: {line:?}, {fresh_line:?}");
        assert!((line.r_squared - fresh_line.r_squared).abs() <= 1e-8, "{index}: {line:?}, {fresh_line:?}");
    }
}

#[test]
fn a_market_that_stands_still_has_no_slope() {
    let mut moments = own().moments;
    let last = *moments.last().unwrap();
    // A wild trade before it must leave nothing behind but its place in the windows.
    let from = moments.len() + 1;
    for index in 1..=200 {
        let close = if index == 1 { "107713.7" } else { "1077.13" };
        let at = last.candle.candle.open_time.plus_ms(index * 60_000).ms();
        moments.push(Moment::of(candle(at, [close, close, close, close, "0"])));
    }
    let mut fit = LineFit::new(37);
    let lines: Vec<_> = moments.iter().map(|moment| fit.update(moment.candle.floats.close)).collect();
    let level = Line { slope: 0.0, end: 1077.13, r_squared: 0.0 };
    assert!(lines[from + 36..].iter().all(|line| *line == Some(level)));
    // Heikin-Ashi halves the distance with every candle; the others forget what has left their window.
    for (kind, parameters, candles) in [
        ("hull_slope", json!({}), 63),
        ("linreg_slope", json!({ "min_r2": 0.01 }), 50),
        ("linreg_slope", json!({ "min_r2": 0.01, "period": 37 }), 37),
        ("vortex", json!({}), 15),
        ("heikin_ashi", json!({}), 60),
    ] {
        let readings = run(&mut component(kind, "signal", parameters), &moments);
        for (index, reading) in readings.iter().enumerate().skip(from + candles - 1) {
            let still = Verdict::Signal { direction: Direction::Neutral };
            assert_eq!(reading.verdict, still, "{kind} on candle {index}: {reading:?}");
        }
    }
}

#[test]
fn higher_candles_follow_whole_resampling() {
    let own = own();
    let mut count: usize = 0;
    let mut higher = HigherCandles::new(Timeframe::M15);
    let mut closes: Column = Vec::new();
    let mut newest = None;
    for (index, moment) in own.moments.iter().enumerate() {
        let inputs = moment.inputs();
        higher.update(inputs.candle, inputs.closed_at, |candle| {
            count += 1;
            newest = Some(candle.close);
        });
        closes.push(newest);
        let expected = own.columns["mtf_count"][index].unwrap();
        assert!((f64::from(u32::try_from(count).unwrap()) - expected).abs() < 0.5, "candle {index}");
    }
    own.assert_agrees(&closes, "mtf_close", 1.0, 0.0);
    assert!(count > 20);
}

#[test]
fn mtf_trend_says_what_the_last_closed_higher_candle_says() {
    let own = own();
    let parameters = json!({ "timeframe": "15m", "type": "ema", "period": 4 });
    let mut trend = component("mtf_trend", "signal", parameters);
    assert_eq!(trend.warmup_candles(), 5 * 15 - 1);
    let readings = run(&mut trend, &own.moments);
    let mut directions = [0, 0];
    for (index, reading) in readings.iter().enumerate() {
        if index + 1 < 74 {
            assert_eq!(*reading, Reading::WARMING_UP, "candle {index}");
            continue;
        }
        let (close, average) =
            (own.columns["mtf_close"][index].unwrap(), own.columns["mtf_ema_4"][index].unwrap());
        let direction = if close > average { Direction::Long } else { Direction::Short };
        directions[usize::from(direction == Direction::Long)] += 1;
        assert_eq!(reading.verdict, Verdict::Signal { direction }, "candle {index}");
        assert_eq!(reading.value, Some(close), "candle {index}");
        assert!((reading.limit.unwrap() - average).abs() <= 1e-12 * average, "candle {index}: {reading:?}");
    }
    assert!(directions.iter().all(|count| *count > 40), "{directions:?}");
}

#[test]
fn mtf_trend_answers_in_time_wherever_the_history_begins() {
    // The declared warm-up suffices for every start inside a higher candle, also with candles missing.
    let all = own().moments;
    for start in 0..40 {
        let mut trend = component("mtf_trend", "filter", json!({ "timeframe": "30m", "period": 3 }));
        let warmup = usize::try_from(trend.warmup_candles()).unwrap();
        assert_eq!(warmup, 4 * 30 - 1);
        let readings = run(&mut trend, &all[start..]);
        for (index, reading) in readings.iter().enumerate() {
            let silent = reading.verdict == Verdict::WarmingUp;
            assert_eq!(silent, index + 1 < warmup, "start {start}, candle {index}");
        }
    }
}

#[test]
fn a_longer_timeframe_must_be_a_whole_multiple() {
    let cases = [
        (Timeframe::M1, "3m", true),
        (Timeframe::M3, "15m", true),
        (Timeframe::M3, "5m", false),
        (Timeframe::H4, "4h", false),
        (Timeframe::H4, "6h", false),
        (Timeframe::H6, "1d", true),
        (Timeframe::H12, "1h", false),
        (Timeframe::D1, "1d", false),
    ];
    for (timeframe, longer, fine) in cases {
        let spec = json!({ "kind": "mtf_trend", "role": "filter", "parameters": { "timeframe": longer } });
        let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
        let built = Component::build(&spec, Context::new(timeframe));
        assert_eq!(built.is_ok(), fine, "{longer} from {timeframe}: {built:?}");
        let Err(problems) = built else { continue };
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].path.as_str(), problems[0].code), ("parameters.timeframe", "CONTRADICTION"));
        let way_out = if timeframe == Timeframe::D1 { "remove the component" } else { "Use one of: " };
        assert!(problems[0].remedy.contains(way_out), "{}", problems[0]);
    }
}

#[test]
fn too_long_a_history_is_refused() {
    let spec =
        json!({ "kind": "mtf_trend", "role": "signal", "parameters": { "timeframe": "1d", "period": 70 } });
    let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
    let problems = Component::build(&spec, CONTEXT).unwrap_err();
    assert_eq!((problems[0].path.as_str(), problems[0].code), ("parameters.period", "OUT_OF_RANGE"));
    assert!(problems[0].message.contains("102239 candles of 1m"), "{}", problems[0]);
    assert!(Component::build(&spec, Context::new(Timeframe::M3)).is_ok());
}

#[test]
fn a_template_checks_its_longer_timeframe_when_its_own_changes() {
    let template = |timeframe: &str| -> Template {
        serde_json::from_value(json!({
            "format": 1, "name": "Test", "timeframe": timeframe,
            "combination": { "mode": "any" },
            "components": [
                { "kind": "ema_cross", "role": "signal" },
                { "kind": "mtf_trend", "role": "filter", "parameters": { "timeframe": "6h" } }
            ],
            "exits": [{ "kind": "hard_stop" }]
        }))
        .unwrap()
    };
    assert!(check_template(&template("2h")).is_ok());
    let problems = check_template(&template("4h")).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["components[1].parameters.timeframe"]);
}

#[test]
fn rules_over_several_parameters() {
    let cases = [
        (json!({ "kind": "parabolic_sar", "parameters": { "step": 0.3 } }), vec!["parameters.step"]),
        (
            json!({ "kind": "ichimoku", "parameters": { "conversion": 26, "span": 26 } }),
            vec!["parameters.conversion", "parameters.base"],
        ),
    ];
    for (mut spec, paths) in cases {
        spec["role"] = json!("signal");
        let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
        let problems = Component::build(&spec, CONTEXT).unwrap_err();
        let found: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(found, paths);
        assert!(problems.iter().all(|problem| problem.code == "CONTRADICTION"), "{problems:?}");
    }
}
