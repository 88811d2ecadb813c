//! Momentum and volume indicators against the reference columns, and against `tests/data/momentum.csv`.
//!
//! The file is written by `tests/data/momentum.py`, plain code over whole lists; its series has flat stretches, candles
//! without volume and many days. A difference is measured as in [`crate::indicators`].

use keyhold_domain::{Timeframe, Timestamp};
use keyhold_engine::component::{Component, Context};
use keyhold_engine::indicator::{
    Awesome, Cci, Cmf, Market, Measured, Mfi, ObvDistance, PivotHigh, PivotLow, Roc, RollingSum, StochRsi,
    Stochastic, StochasticPeriods, Tsi, TsiPeriods, Vwap, WilliamsR,
};
use keyhold_engine::input::Ohlcv;
use keyhold_engine::reading::{Direction, Verdict};
use keyhold_engine::template::ComponentSpec;

use crate::indicators::{Column, Reference, reference};
use crate::series::{Dice, Moment, SERIES, candle, random_moments, run};

/// Sums and quotients of a few dozen numbers.
const PLAIN: f64 = 1e-13;

/// The digits written to `momentum.csv`.
const WRITTEN: f64 = 1e-12;

const PERIODS: StochasticPeriods = StochasticPeriods { range: 14, smooth: 3, signal: 3 };

/// The rows of `momentum.csv`.
struct Own {
    rows: Vec<csv::StringRecord>,
    reference: Reference,
}

fn own() -> Own {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/momentum.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(ToOwned::to_owned).collect();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let column = |index: usize| rows.iter().map(|row| row[index].parse::<f64>().ok()).collect::<Column>();
    let columns = names.iter().enumerate().map(|(index, name)| (name.clone(), column(index))).collect();
    let number = |row: &csv::StringRecord, index: usize| row[index].parse::<f64>().unwrap();
    let candles = rows
        .iter()
        .map(|row| Ohlcv {
            open: number(row, 1),
            high: number(row, 2),
            low: number(row, 3),
            close: number(row, 4),
            volume: number(row, 5),
        })
        .collect();
    Own { rows, reference: Reference { candles, columns } }
}

impl Own {
    /// Defined exactly where the file has a number, and equal to it.
    fn assert_agrees(&self, ours: &Column, name: &str, tolerance: f64) {
        let compared = self.reference.assert_values(ours, name, tolerance, 0);
        assert!(compared > 900, "{name}: only {compared} values were compared");
    }

    fn moment(&self, index: usize) -> Moment {
        let row = &self.rows[index];
        let candle = candle(self.open_time(index).ms(), [&row[1], &row[2], &row[3], &row[4], &row[5]]);
        Moment { timeframe: Timeframe::M30, ..Moment::of(candle) }
    }

    fn open_time(&self, index: usize) -> Timestamp {
        Timestamp::from_ms(self.rows[index][0].parse().unwrap())
    }
}

fn stochastic_lines(candles: &[Ohlcv]) -> (Column, Column) {
    let mut stochastic = Stochastic::new(PERIODS);
    let values: Vec<_> = candles.iter().map(|candle| stochastic.update(candle)).collect();
    let k = values.iter().map(|value| value.map(|value| value.k)).collect();
    let d = values.iter().map(|value| value.and_then(|value| value.d)).collect();
    (k, d)
}

#[test]
fn stochastic() {
    let own = own();
    let (k, d) = stochastic_lines(&own.reference.candles);
    own.assert_agrees(&k, "stoch_k", WRITTEN);
    own.assert_agrees(&d, "stoch_d", WRITTEN);
    let Some(reference) = reference() else { return };
    let (k, d) = stochastic_lines(&reference.candles);
    for source in ["talib", "pta", "ref"] {
        // TA-Lib prints %K only from the first %D on.
        let from = if source == "talib" { 17 } else { 0 };
        reference.assert_agrees(&k, &format!("{source}.STOCH_K_14_3"), PLAIN, from);
        reference.assert_agrees(&d, &format!("{source}.STOCH_D_14_3_3"), PLAIN, 0);
    }
}

#[test]
fn stochastic_rsi() {
    let own = own();
    let mut index = StochRsi::new(14, PERIODS);
    let values: Vec<_> = own.reference.candles.iter().map(|candle| index.update(candle.close)).collect();
    let k = values.iter().map(|value| value.map(|value| value.k)).collect();
    let d = values.iter().map(|value| value.and_then(|value| value.d)).collect();
    // A quotient of small differences of an index that is itself a quotient: three digits are lost.
    own.assert_agrees(&k, "stoch_rsi_k", 1e-10);
    own.assert_agrees(&d, "stoch_rsi_d", 1e-10);
    let Some(reference) = reference() else { return };
    // TA-Lib's %K is raw and printed only from the first %D on.
    let mut index = StochRsi::new(14, StochasticPeriods { range: 14, smooth: 1, signal: 3 });
    let values: Vec<_> = reference.candles.iter().map(|candle| index.update(candle.close)).collect();
    let k = values.iter().map(|value| value.map(|value| value.k)).collect();
    let d = values.iter().map(|value| value.and_then(|value| value.d)).collect();
    reference.assert_agrees(&k, "talib.STOCHRSI_K14_14", 1e-11, 29);
    reference.assert_agrees(&d, "talib.STOCHRSI_D14_14_3", 1e-11, 0);
}

#[test]
fn commodity_channel_index() {
    let own = own();
    let mut cci = Cci::new(20);
    // Near a flat stretch both parts of the quotient are small.
    own.assert_agrees(&own.reference.all(|candle| cci.update(candle)), "cci20", 1e-10);
    let Some(reference) = reference() else { return };
    let mut cci = Cci::new(20);
    let ours = reference.all(|candle| cci.update(candle));
    // The sources differ by as much among each other: mean and newest price are nearly equal.
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.CCI20"), 2e-12, 0);
    }
}

#[test]
fn williams_r() {
    let own = own();
    let mut williams_r = WilliamsR::new(14);
    own.assert_agrees(
        &own.reference.all(|candle| williams_r.update(candle).map(|measured| measured.value)),
        "williams_r14",
        WRITTEN,
    );
    let Some(reference) = reference() else { return };
    let mut williams_r = WilliamsR::new(14);
    let ours = reference.all(|candle| williams_r.update(candle).map(|measured| measured.value));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.WILLR14"), PLAIN, 0);
    }
}

#[test]
fn rate_of_change() {
    let own = own();
    let mut roc = Roc::new(10);
    own.assert_agrees(&own.reference.closes(|close| roc.update(close)), "roc10", WRITTEN);
    let Some(reference) = reference() else { return };
    let mut roc = Roc::new(10);
    let ours = reference.closes(|close| roc.update(close));
    // pandas-ta divides the difference; one subtracted from the quotient loses a digit.
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.ROC10"), PLAIN, 0);
    }
}

#[test]
fn money_flow_index() {
    let own = own();
    let mut mfi = Mfi::new(14);
    own.assert_agrees(
        &own.reference.all(|candle| mfi.update(candle).map(|measured| measured.value)),
        "mfi14",
        WRITTEN,
    );
    let Some(reference) = reference() else { return };
    let mut mfi = Mfi::new(14);
    let ours = reference.all(|candle| mfi.update(candle).map(|measured| measured.value));
    // pandas-ta counts the first candle, which has no change, and speaks one candle earlier.
    for (source, from) in [("talib", 0), ("pta", 14), ("ref", 0)] {
        reference.assert_agrees(&ours, &format!("{source}.MFI14"), PLAIN, from);
    }
}

#[test]
fn awesome_oscillator() {
    let own = own();
    let mut awesome = Awesome::new(5, 34);
    // A small difference of large averages.
    own.assert_agrees(&own.reference.all(|candle| awesome.update(candle)), "awesome_5_34", 1e-11);
}

#[test]
fn true_strength_index() {
    let own = own();
    let mut tsi = Tsi::new(TsiPeriods { long: 25, short: 13, signal: 7 });
    let values: Vec<_> = own.reference.candles.iter().map(|candle| tsi.update(candle.close)).collect();
    let line = values.iter().map(|value| value.map(|value| value.line)).collect();
    let signal = values.iter().map(|value| value.and_then(|value| value.signal)).collect();
    own.assert_agrees(&line, "tsi_25_13", WRITTEN);
    own.assert_agrees(&signal, "tsi_signal_7", WRITTEN);
}

#[test]
fn on_balance_volume_from_its_average() {
    let own = own();
    let mut distance = ObvDistance::new(20);
    own.assert_agrees(&own.reference.all(|candle| distance.update(candle)), "obv_distance20", WRITTEN);
    let Some(mut reference) = reference() else { return };
    let mut distance = ObvDistance::new(20);
    let ours = reference.all(|candle| distance.update(candle));
    // The sources have the level only; its distance from its mean is taken here.
    for source in ["talib", "pta", "ref"] {
        let level: Vec<f64> =
            reference.columns[&format!("{source}.OBV")].iter().map(|x| x.unwrap()).collect();
        let theirs = (0..level.len())
            .map(|index| {
                let window = level.get((index + 1).checked_sub(20)?..=index)?;
                Some(level[index] - window.iter().sum::<f64>() / 20.0)
            })
            .collect();
        reference.columns.insert("distance".to_owned(), theirs);
        reference.assert_agrees(&ours, "distance", 1e-12, 0);
    }
}

#[test]
fn on_balance_volume_does_not_drift() {
    let mut dice = Dice::new(12);
    let mut distance = ObvDistance::new(20);
    let mut levels: Vec<i64> = Vec::new();
    let mut close = 1_000_i64;
    let float = |number: i64| f64::from(i32::try_from(number).unwrap());
    let mut compared = 0;
    for index in 0..1_000_000_u32 {
        // Long quiet stretches, in which the distance must become a true zero.
        let quiet = index % 5_000 > 4_900;
        let step = if quiet || index == 0 { 0 } else { dice.roll(3) - 1 };
        close += step;
        // In thousandths, as venues give it: the sums are not exact in floats. Now and then a huge candle.
        let volume = dice.roll(if index % 1_000 == 0 { 2_000_000_000 } else { 100_000 });
        levels.push(levels.last().unwrap_or(&0) + step.signum() * volume);
        levels.drain(..levels.len().saturating_sub(20));
        let price = float(close);
        let candle =
            Ohlcv { open: price, high: price, low: price, close: price, volume: float(volume) / 1_000.0 };
        let ours = distance.update(&candle);
        if levels.len() == 20 {
            // Twenty times the distance, in thousandths: exact.
            let exact = levels.iter().map(|level| levels[19] - level).sum::<i64>();
            let exact = float(exact / 20_000) + float(exact % 20_000) / 20_000.0;
            let ours = ours.unwrap_or_default();
            assert!((ours - exact).abs() <= 1e-9 * exact.abs().max(1.0), "candle {index}: {ours}, {exact}");
            assert!(!quiet || index % 5_000 < 4_925 || ours == 0.0, "candle {index}: {ours}");
            compared += 1;
        }
    }
    assert!(compared > 900_000);
}

#[test]
fn chaikin_money_flow() {
    let own = own();
    let mut cmf = Cmf::new(20);
    own.assert_agrees(&own.reference.all(|candle| cmf.update(candle)), "cmf20", WRITTEN);
    let Some(reference) = reference() else { return };
    let mut cmf = Cmf::new(20);
    let ours = reference.all(|candle| cmf.update(candle));
    // pandas-ta's moving sums drift.
    for (source, tolerance) in [("talib", PLAIN), ("pta", 2e-12), ("ref", PLAIN)] {
        reference.assert_agrees(&ours, &format!("{source}.CMF20"), tolerance, 0);
    }
}

#[test]
fn volume_weighted_average_price() {
    let own = own();
    let mut vwap = Vwap::default();
    let (mut average, mut deviation) = (Column::new(), Column::new());
    for (index, candle) in own.reference.candles.iter().enumerate() {
        let day = own.open_time(index).start_of_day();
        if index > 0 && own.open_time(index - 1).start_of_day() != day {
            vwap = Vwap::default();
        }
        let value = vwap.update(candle);
        average.push(value.map(|value| value.average));
        deviation.push(value.map(|value| value.deviation));
    }
    own.assert_agrees(&average, "vwap", WRITTEN);
    own.assert_agrees(&deviation, "vwap_deviation", WRITTEN);
    let Some(reference) = reference() else { return };
    // The reference series begins at midnight and has a candle for every minute.
    let (mut today, mut ever, mut minute) = (Vwap::default(), Vwap::default(), 0);
    let ours = reference.all(|candle| {
        if minute % 1_440 == 0 {
            today = Vwap::default();
        }
        minute += 1;
        today.update(candle).map(|value| value.average)
    });
    for source in ["pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.VWAP_DAY"), PLAIN, 0);
    }
    let ours = reference.all(|candle| ever.update(candle).map(|value| value.average));
    for source in ["talib", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.VWAP_ALL"), PLAIN, 0);
    }
}

#[test]
fn the_vwap_component_begins_anew_every_day() {
    let own = own();
    let spec: ComponentSpec =
        serde_json::from_value(serde_json::json!({ "kind": "vwap", "role": "signal" })).unwrap();
    let mut component = Component::build(&spec, Context::new(Timeframe::M30)).unwrap();
    assert_eq!(component.warmup_candles(), 48);
    let limits =
        (0..own.rows.len()).map(|index| component.update(&own.moment(index).inputs()).limit).collect();
    // The file averages from its first candle on, in the midst of a day; the component waits until it has seen a midnight.
    own.reference.assert_values(&limits, "vwap", WRITTEN, 47);
}

#[test]
fn rsi_divergences() {
    let own = own();
    let spec: ComponentSpec =
        serde_json::from_value(serde_json::json!({ "kind": "rsi_divergence", "role": "signal" })).unwrap();
    let mut component = Component::build(&spec, Context::new(Timeframe::M30)).unwrap();
    let (mut bullish, mut bearish) = (0, 0);
    for (index, row) in own.rows.iter().enumerate() {
        let says = match component.update(&own.moment(index).inputs()).verdict {
            Verdict::Signal { direction: Direction::Long } => "1",
            Verdict::Signal { direction: Direction::Short } => "-1",
            Verdict::Signal { direction: Direction::Neutral } => "0",
            Verdict::WarmingUp | Verdict::NoData | Verdict::Check { .. } => "",
        };
        assert_eq!(says, &row[row.len() - 1], "candle {index}");
        bullish += u32::from(says == "1");
        bearish += u32::from(says == "-1");
    }
    assert_eq!((bullish, bearish), (11, 11));
}

#[test]
fn a_market_that_has_stopped_gives_no_more_signals() {
    let none = serde_json::json!({});
    // Lines of which one hardly forgets and the other comes to rest at once.
    let unequal = serde_json::json!({ "long": 200, "short": 2, "signal": 2 });
    let mut cases = vec![("tsi", unequal)];
    for kind in ["rsi", "stochastic", "stoch_rsi", "cci", "williams_r", "mfi", "tsi", "rsi_divergence"] {
        cases.push((kind, none.clone()));
    }
    let mut spoken = 0;
    for (seed, (kind, parameters)) in (1..20).flat_map(|seed| cases.iter().map(move |case| (seed, case))) {
        let spec = serde_json::json!({ "kind": kind, "role": "signal", "parameters": parameters });
        let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
        let mut component = Component::build(&spec, SERIES).unwrap();
        let mut moments = random_moments(seed, 300);
        let last = moments[299].clone();
        let floats = last.candle.floats;
        let open_time = last.candle.candle.open_time.ms();
        let close = floats.close.to_string();
        for index in 1..=2_000 {
            let candle =
                candle(open_time + index * SERIES.timeframe.ms(), [&close, &close, &close, &close, "0"]);
            moments.push(Moment { candle, ..last.clone() });
        }
        for (index, reading) in run(&mut component, &moments).iter().enumerate() {
            let says = !matches!(
                reading.verdict,
                Verdict::WarmingUp | Verdict::Signal { direction: Direction::Neutral }
            );
            // Smoothed lines take their time to come to rest.
            assert!(!says || index < 450, "{kind} with seed {seed} on candle {index}: {reading:?}");
            spoken += u32::from(says);
        }
    }
    assert!(spoken > 1_000, "{spoken}");
}

#[test]
fn pivots_against_plain_search() {
    let mut dice = Dice::new(4);
    // Few different numbers, so that equal lows are frequent.
    let lows: Vec<f64> = (0..3_000).map(|_| f64::from(i32::try_from(dice.roll(12)).unwrap())).collect();
    for strength in [1_u32, 2, 3, 8] {
        let side = usize::try_from(strength).unwrap();
        let (mut finder, mut mirror) = (PivotLow::new(strength), PivotHigh::new(strength));
        let mut found = 0;
        for (index, low) in lows.iter().enumerate() {
            let expected = index.checked_sub(2 * side).and_then(|first| {
                let pivot = lows[first + side];
                let stands_out = lows[first..first + side].iter().all(|before| pivot < *before)
                    && lows[first + side + 1..=index].iter().all(|after| pivot <= *after);
                stands_out.then_some(pivot)
            });
            found += u32::from(expected.is_some());
            assert_eq!(finder.update(*low), expected, "strength {strength}, number {index}");
            assert_eq!(mirror.update(-*low), expected.map(|low| -low), "strength {strength}, number {index}");
        }
        assert!(found > 10, "strength {strength}: {found}");
    }
}

#[test]
fn a_rolling_sum_of_zeros_is_zero() {
    let mut sum = RollingSum::new(3);
    let feed = [0.1, 0.2, 1e17, 0.3, 0.0, 0.0, 0.0];
    let sums: Vec<_> = feed.iter().map(|value| sum.update(*value)).collect();
    assert_eq!(&sums[..2], [None, None]);
    assert_eq!((sums[5], sums[6]), (Some(0.3), Some(0.0)));
}

#[test]
fn a_market_that_stands_still_is_in_the_middle() {
    let flat = Ohlcv { open: 0.1, high: 0.1, low: 0.1, close: 0.1, volume: 0.0 };
    let moving = Ohlcv { high: 0.3, close: 0.2, volume: 7.7, ..flat };
    let mut stochastic = Stochastic::new(PERIODS);
    let mut stoch_rsi = StochRsi::new(14, PERIODS);
    let (mut williams_r, mut cci, mut mfi) = (WilliamsR::new(14), Cci::new(14), Mfi::new(14));
    let (mut awesome, mut cmf, mut obv) = (Awesome::new(5, 34), Cmf::new(14), ObvDistance::new(14));
    let (mut tsi, mut roc) = (Tsi::new(TsiPeriods { long: 5, short: 4, signal: 3 }), Roc::new(14));
    let moving_zero = Measured { value: 0.0, market: Market::Moving };
    for step in 0..200 {
        // A little life before the calm, whose traces must vanish.
        let candle = if step < 50 && step % 3 == 1 { moving } else { flat };
        let lines = (stochastic.update(&candle), stoch_rsi.update(candle.close));
        let middles =
            (williams_r.update(&candle).unwrap_or(moving_zero), mfi.update(&candle).unwrap_or(moving_zero));
        let zeros = [cci.update(&candle), awesome.update(&candle), cmf.update(&candle), obv.update(&candle)];
        let (tsi, roc) =
            (tsi.update(candle.close).map(|value| value.line.abs() <= 100.0), roc.update(candle.close));
        if step > 100 {
            let (stochastic, stoch_rsi) = (lines.0.unwrap(), lines.1.unwrap());
            assert_eq!((stochastic.k, stochastic.d), (50.0, Some(50.0)), "step {step}");
            assert_eq!((stoch_rsi.k, stoch_rsi.d), (50.0, Some(50.0)), "step {step}");
            let still = |value: f64| Measured { value, market: Market::Still };
            assert_eq!(middles, (still(-50.0), still(50.0)), "step {step}");
            assert_eq!((stochastic.market, stoch_rsi.market), (Market::Still, Market::Still), "step {step}");
            assert_eq!(zeros, [Some(0.0); 4], "step {step}");
            assert_eq!((tsi, roc), (Some(true), Some(0.0)), "step {step}");
        }
    }
}
