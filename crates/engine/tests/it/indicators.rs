//! Every indicator against the reference columns: TA-Lib, pandas-ta-classic and plain reference code.
//!
//! A difference is measured relative to the larger of the reference value and the column's standard deviation, as in
//! `indicators_agreement.json`. Each row names the tolerance; where the sources disagree, the row says which
//! definition is ours.

use std::collections::BTreeMap;

use keyhold_engine::indicator::{
    Adx, Atr, Bollinger, Choppiness, Deviation, Donchian, Ema, Macd, MacdPeriods, Rma, RollingHigh,
    RollingLow, Rsi, Sma, Supertrend, TrendSide, TrueRange,
};
use keyhold_engine::input::Ohlcv;

use crate::series::{Dice, gunzip, shared};

pub(crate) type Column = Vec<Option<f64>>;

#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) candles: Vec<Ohlcv>,
    pub(crate) columns: BTreeMap<String, Column>,
}

pub(crate) fn reference() -> Option<Reference> {
    let candles = shared("conformance/indicators/ohlcv_2000.csv.gz")?;
    let values = shared("conformance/indicators/indicators_2000.csv.gz")?;
    let candles = csv::Reader::from_reader(gunzip(&candles).as_bytes())
        .records()
        .map(|row| {
            let row = row.unwrap();
            let number = |index: usize| row[index].parse::<f64>().unwrap();
            Ohlcv { open: number(1), high: number(2), low: number(3), close: number(4), volume: number(5) }
        })
        .collect();
    let text = gunzip(&values);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(ToOwned::to_owned).collect();
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    for row in reader.records() {
        for (name, cell) in names.iter().zip(row.unwrap().iter()) {
            columns.entry(name.clone()).or_default().push(cell.parse().ok());
        }
    }
    Some(Reference { candles, columns })
}

/// The standard deviation of a column's values: the scale on which a value near zero is judged.
fn scale(column: &Column) -> f64 {
    let values: Vec<f64> = column.iter().flatten().copied().collect();
    let count = values.iter().map(|_| 1.0).sum::<f64>();
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt()
}

impl Reference {
    /// Our values must be defined exactly where the reference is, and agree from candle `from` on.
    pub(crate) fn assert_agrees(&self, ours: &Column, name: &str, tolerance: f64, from: usize) {
        let compared = self.assert_values(ours, name, tolerance, from);
        assert!(compared > 1_400, "{name}: only {compared} values were compared");
    }

    /// The same for a column of any length; how many values were compared.
    pub(crate) fn assert_values(&self, ours: &Column, name: &str, tolerance: f64, from: usize) -> u32 {
        let theirs = &self.columns[name];
        let scale = scale(theirs);
        assert_eq!(ours.len(), theirs.len());
        let mut compared = 0;
        for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
            if index < from {
                continue;
            }
            match (our, their) {
                (Some(our), Some(their)) => {
                    let difference = (our - their).abs() / their.abs().max(scale);
                    assert!(
                        difference <= tolerance,
                        "{name} on candle {index}: {our} instead of {their}, off by {difference:e}"
                    );
                    compared += 1;
                }
                (None, None) => {}
                (our, their) => panic!("{name} on candle {index}: {our:?} instead of {their:?}"),
            }
        }
        compared
    }

    pub(crate) fn closes(&self, mut update: impl FnMut(f64) -> Option<f64>) -> Column {
        self.candles.iter().map(|candle| update(candle.close)).collect()
    }

    pub(crate) fn all(&self, update: impl FnMut(&Ohlcv) -> Option<f64>) -> Column {
        self.candles.iter().map(update).collect()
    }
}

/// The precision that the sources themselves have among each other for plain averages.
const AVERAGE: f64 = 1e-14;

#[test]
fn moving_averages() {
    let Some(reference) = reference() else { return };
    let mut sma = Sma::new(20);
    let ours = reference.closes(|close| sma.update(close));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.SMA20"), AVERAGE, 0);
    }
    for period in [12, 26, 200] {
        let mut ema = Ema::new(period);
        let ours = reference.closes(|close| ema.update(close));
        for source in ["talib", "pta", "ref"] {
            reference.assert_agrees(&ours, &format!("{source}.EMA{period}"), AVERAGE, 0);
        }
    }
    let mut rma = Rma::new(14);
    let ours = reference.closes(|close| rma.update(close));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.RMA14"), AVERAGE, 0);
    }
}

#[test]
fn rsi() {
    let Some(reference) = reference() else { return };
    let mut rsi = Rsi::new(14);
    let ours = reference.closes(|close| rsi.update(close));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.RSI14"), 1e-13, 0);
    }
}

#[test]
fn macd_follows_the_reference_seeding_and_meets_talib_later() {
    let Some(reference) = reference() else { return };
    let mut macd = Macd::new(MacdPeriods { fast: 12, slow: 26, signal: 9 });
    let values: Vec<_> = reference.candles.iter().map(|candle| macd.update(candle.close)).collect();
    let line: Column = values.iter().map(|value| value.map(|value| value.line)).collect();
    let signal: Column = values.iter().map(|value| value.and_then(|value| value.signal)).collect();
    let histogram: Column =
        line.iter().zip(&signal).map(|(line, signal)| Some((*line)? - (*signal)?)).collect();
    // The line is a small difference of large numbers, which costs digits; pandas-ta's averages differ in the last one.
    for (source, tolerance) in [("ref", 1e-13), ("pta", 2e-12)] {
        for (ours, name) in [(&line, "MACD"), (&signal, "MACDS"), (&histogram, "MACDH")] {
            reference.assert_agrees(ours, &format!("{source}.{name}_12_26_9"), tolerance, 0);
        }
    }
    // TA-Lib seeds the fast average later; from candle 500 on nothing of the seed is left.
    for (ours, name) in [(&line, "MACD"), (&signal, "MACDS"), (&histogram, "MACDH")] {
        reference.assert_agrees(ours, &format!("talib.{name}_12_26_9"), 1e-13, 500);
    }
}

#[test]
fn true_range_and_atr() {
    let Some(reference) = reference() else { return };
    let mut range = TrueRange::default();
    let ours = reference.all(|candle| range.update(candle));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.TRANGE"), 0.0, 0);
    }
    let mut atr = Atr::new(14);
    let ours = reference.all(|candle| atr.update(candle));
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&ours, &format!("{source}.ATR14"), AVERAGE, 0);
    }
    let mut atr = Atr::new(14);
    let percent = reference.all(|candle| atr.update(candle).map(|atr| 100.0 * atr / candle.close));
    for source in ["talib", "ref"] {
        reference.assert_agrees(&percent, &format!("{source}.NATR14"), AVERAGE, 0);
    }
}

#[test]
fn directional_movement() {
    let Some(reference) = reference() else { return };
    let mut adx = Adx::new(14);
    let values: Vec<_> = reference.candles.iter().map(|candle| adx.update(candle)).collect();
    let plus: Column = values.iter().map(|value| value.map(|value| value.plus_di)).collect();
    let minus: Column = values.iter().map(|value| value.map(|value| value.minus_di)).collect();
    let index: Column = values.iter().map(|value| value.and_then(|value| value.adx)).collect();
    for source in ["talib", "pta", "ref"] {
        reference.assert_agrees(&plus, &format!("{source}.PLUS_DI14"), AVERAGE, 0);
        reference.assert_agrees(&minus, &format!("{source}.MINUS_DI14"), AVERAGE, 0);
        reference.assert_agrees(&index, &format!("{source}.ADX14"), AVERAGE, 0);
    }
}

#[test]
fn deviation_and_bollinger_bands() {
    let Some(reference) = reference() else { return };
    let mut deviation = Deviation::new(20);
    let ours = reference.closes(|close| deviation.update(close).map(|spread| spread.deviation));
    // TA-Lib subtracts two large sums here and loses four digits.
    for (source, tolerance) in [("ref", 1e-13), ("pta", 1e-13), ("talib", 1e-11)] {
        reference.assert_agrees(&ours, &format!("{source}.STDDEV20"), tolerance, 0);
    }
    let mut bollinger = Bollinger::new(20, 2.0);
    let bands: Vec<_> = reference.candles.iter().map(|candle| bollinger.update(candle.close)).collect();
    let upper: Column = bands.iter().map(|bands| bands.map(|bands| bands.upper)).collect();
    let middle: Column = bands.iter().map(|bands| bands.map(|bands| bands.middle)).collect();
    let lower: Column = bands.iter().map(|bands| bands.map(|bands| bands.lower)).collect();
    for source in ["talib", "pta", "ref"] {
        for (ours, name) in [(&upper, "BBU20_2"), (&middle, "BBM20_2"), (&lower, "BBL20_2")] {
            reference.assert_agrees(ours, &format!("{source}.{name}"), AVERAGE, 0);
        }
    }
}

#[test]
fn donchian_channel() {
    let Some(reference) = reference() else { return };
    let mut donchian = Donchian::new(20);
    let channels: Vec<_> = reference.candles.iter().map(|candle| donchian.update(candle)).collect();
    let upper: Column = channels.iter().map(|channel| channel.map(|channel| channel.upper)).collect();
    let middle: Column =
        channels.iter().map(|channel| channel.map(keyhold_engine::indicator::Channel::middle)).collect();
    let lower: Column = channels.iter().map(|channel| channel.map(|channel| channel.lower)).collect();
    for source in ["talib", "pta", "ref"] {
        for (ours, name) in [(&upper, "DCU20"), (&middle, "DCM20"), (&lower, "DCL20")] {
            reference.assert_agrees(ours, &format!("{source}.{name}"), 0.0, 0);
        }
    }
}

#[test]
fn supertrend_follows_talib() {
    let Some(reference) = reference() else { return };
    let mut supertrend = Supertrend::new(10, 3.0);
    let values: Vec<_> = reference.candles.iter().map(|candle| supertrend.update(candle)).collect();
    let line: Column = values.iter().map(|value| value.map(|value| value.line)).collect();
    let side: Column = values
        .iter()
        .map(|value| value.map(|value| if value.side == TrendSide::Up { 1.0 } else { -1.0 }))
        .collect();
    for source in ["talib", "ref"] {
        reference.assert_agrees(&line, &format!("{source}.SUPERTREND10_3"), AVERAGE, 0);
    }
    // TA-Lib prints a direction already before its line exists; pandas-ta keeps the side while a band is touched.
    reference.assert_agrees(&side, "ref.SUPERTREND_DIR10_3", 0.0, 0);
    reference.assert_agrees(&side, "talib.SUPERTREND_DIR10_3", 0.0, 10);
}

#[test]
fn z_score_with_the_population_deviation() {
    let Some(reference) = reference() else { return };
    let mut deviation = Deviation::new(20);
    let ours =
        reference.closes(|close| deviation.update(close).map(keyhold_engine::indicator::Spread::score));
    // pandas-ta divides by n - 1 instead; only the reference has our definition.
    reference.assert_agrees(&ours, "ref.ZSCORE20_POP", 1e-12, 0);
}

#[test]
fn choppiness_agrees_with_its_formula() {
    let Some(reference) = reference() else { return };
    // No source has a column for it: the formula is written out, with the platform's logarithm.
    let candles = &reference.candles;
    let mut choppiness = Choppiness::new(14);
    for (index, candle) in candles.iter().enumerate() {
        let ours = choppiness.update(candle);
        if index < 14 {
            assert_eq!(ours, None);
            continue;
        }
        let window = &candles[index - 13..=index];
        let before = &candles[index - 14..index];
        let way: f64 = window
            .iter()
            .zip(before)
            .map(|(now, then)| now.high.max(then.close) - now.low.min(then.close))
            .sum();
        let high = window.iter().map(|candle| candle.high).fold(f64::MIN, f64::max);
        let low = window.iter().map(|candle| candle.low).fold(f64::MAX, f64::min);
        let exact = 100.0 * (way / (high - low)).log10() / 14.0_f64.log10();
        assert!((ours.unwrap() - exact).abs() <= 1e-9, "candle {index}: {ours:?} instead of {exact}");
    }
}

#[test]
fn chandelier_levels_from_extreme_and_atr() {
    let Some(reference) = reference() else { return };
    let (mut high, mut atr) = (RollingHigh::new(22), Atr::new(22));
    let long = reference.all(|candle| {
        let (high, atr) = (high.update(candle.high), atr.update(candle));
        Some(high? - 3.0 * atr?)
    });
    let (mut low, mut atr) = (RollingLow::new(22), Atr::new(22));
    let short = reference.all(|candle| {
        let (low, atr) = (low.update(candle.low), atr.update(candle));
        Some(low? + 3.0 * atr?)
    });
    for source in ["pta", "ref"] {
        reference.assert_agrees(&long, &format!("{source}.CHANDELIER_LONG22_3"), AVERAGE, 0);
        reference.assert_agrees(&short, &format!("{source}.CHANDELIER_SHORT22_3"), AVERAGE, 0);
    }
}

#[test]
fn a_bare_slice_of_definitions() {
    // Small enough to check by hand.
    let feed = |mut update: Box<dyn FnMut(f64) -> Option<f64>>, values: &[f64]| -> Vec<Option<f64>> {
        values.iter().map(|value| update(*value)).collect()
    };
    let mut sma = Sma::new(3);
    assert_eq!(
        feed(Box::new(move |x| sma.update(x)), &[1.0, 2.0, 6.0, 4.0]),
        [None, None, Some(3.0), Some(4.0)]
    );
    let mut ema = Ema::new(3);
    assert_eq!(
        feed(Box::new(move |x| ema.update(x)), &[1.0, 2.0, 6.0, 5.0]),
        [None, None, Some(3.0), Some(4.0)]
    );
    let mut rma = Rma::new(2);
    assert_eq!(feed(Box::new(move |x| rma.update(x)), &[1.0, 3.0, 6.0]), [None, Some(2.0), Some(4.0)]);
    let mut high = RollingHigh::new(2);
    assert_eq!(
        feed(Box::new(move |x| high.update(x)), &[5.0, 3.0, 2.0, 9.0]),
        [None, Some(5.0), Some(3.0), Some(9.0)]
    );
    let mut low = RollingLow::new(2);
    assert_eq!(
        feed(Box::new(move |x| low.update(x)), &[5.0, 3.0, 7.0, 9.0]),
        [None, Some(3.0), Some(3.0), Some(7.0)]
    );
    let mut rsi = Rsi::new(2);
    assert_eq!(
        feed(Box::new(move |x| rsi.update(x)), &[4.0, 4.0, 4.0, 6.0]),
        [None, None, Some(50.0), Some(100.0)]
    );
    let mut deviation = Deviation::new(4);
    let spread = [2.0, 4.0, 4.0, 6.0].map(|x| deviation.update(x))[3].unwrap();
    assert!((spread.mean - 4.0).abs() < 1e-15 && (spread.deviation - 2.0_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn sliding_extremes_agree_with_looking_at_the_whole_window() {
    let mut dice = Dice::new(7);
    let values: Vec<f64> = (0..5_000).map(|_| f64::from(i32::try_from(dice.roll(50)).unwrap())).collect();
    for period in [1_u32, 2, 3, 20, 333] {
        let window = usize::try_from(period).unwrap();
        let (mut high, mut low) = (RollingHigh::new(period), RollingLow::new(period));
        for (index, value) in values.iter().enumerate() {
            let slice = (index + 1 >= window).then(|| &values[index + 1 - window..=index]);
            let highest = slice.map(|slice| slice.iter().copied().fold(f64::MIN, f64::max));
            let lowest = slice.map(|slice| slice.iter().copied().fold(f64::MAX, f64::min));
            assert_eq!(high.update(*value), highest, "period {period}, number {index}");
            assert_eq!(low.update(*value), lowest, "period {period}, number {index}");
        }
    }
}

#[test]
fn averages_and_deviations_stay_exact_over_a_million_numbers_and_huge_moves() {
    let mut dice = Dice::new(11);
    let (mut sma, mut deviation) = (Sma::new(20), Deviation::new(20));
    let mut window: Vec<f64> = Vec::new();
    for index in 0..1_000_000_u32 {
        // Now and then a number a billion times larger passes through the window.
        let size = if index % 1_000 == 500 { 1e12 } else { 1e3 };
        let value = size + f64::from(i32::try_from(dice.roll(1_000)).unwrap()) / 1_000.0;
        window.push(value);
        if window.len() > 20 {
            window.remove(0);
        }
        let (mean, spread) = (sma.update(value), deviation.update(value));
        if index % 997 == 0 && window.len() == 20 {
            let exact_mean = window.iter().map(|x| x - value).sum::<f64>() / 20.0 + value;
            let exact =
                (window.iter().map(|x| (x - exact_mean) * (x - exact_mean)).sum::<f64>() / 20.0).sqrt();
            assert!((mean.unwrap() / exact_mean - 1.0).abs() < 1e-14, "mean on {index}");
            assert!((spread.unwrap().deviation / exact - 1.0).abs() < 1e-10, "deviation on {index}");
        }
    }
}

#[test]
fn a_flat_market_has_no_deviation_no_range_and_an_rsi_of_fifty() {
    let flat = Ohlcv { open: 0.1, high: 0.1, low: 0.1, close: 0.1, volume: 0.0 };
    let (mut deviation, mut atr, mut rsi, mut adx) =
        (Deviation::new(7), Atr::new(7), Rsi::new(7), Adx::new(7));
    for step in 0..100 {
        let spread = deviation.update(flat.close);
        let values = (atr.update(&flat), rsi.update(flat.close), adx.update(&flat));
        if step > 20 {
            let spread = spread.unwrap();
            assert_eq!((spread.deviation, spread.newest_from_mean), (0.0, 0.0));
            assert_eq!((values.0, values.1), (Some(0.0), Some(50.0)));
            assert_eq!(values.2.unwrap().adx, Some(0.0));
        }
    }
}
