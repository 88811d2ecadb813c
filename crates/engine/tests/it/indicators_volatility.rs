//! Indicators of volatility, mean reversion and structure against the reference columns, against values of plain Python code
//! (`tests/data/volatility_reference.py`) and against looking at the whole window.

use std::fs;
use std::path::Path;

use keyhold_domain::Timeframe;
use keyhold_engine::indicator::{
    Atr, Coil, HistVol, Keltner, LineFit, PivotLevels, Ranking, Squeeze, SqueezeMomentum,
};
use keyhold_engine::input::Ohlcv;

use crate::indicators::{Column, Reference, reference};
use crate::series::{Dice, random_moments};

#[test]
fn keltner_channel_of_closes_and_wilders_range() {
    let Some(reference) = reference() else { return };
    let mut keltner = Keltner::new(20, 10, 2.0);
    let bands: Vec<_> = reference.candles.iter().map(|candle| keltner.update(candle)).collect();
    // Our definition (EMA of the close, ATR of another period) has one column; TA-Lib and pandas-ta average the typical
    // price or have one period for both, see KCU20_10_2_TYP and KCU20_2_PTA.
    for (name, pick) in [
        ("KCU20_10_2", (|bands| bands.upper) as fn(keyhold_engine::indicator::Bands) -> f64),
        ("KCM20_10_2", |bands| bands.middle),
        ("KCL20_10_2", |bands| bands.lower),
    ] {
        let ours: Column = bands.iter().map(|bands| bands.map(pick)).collect();
        // The middle line alone is there a little earlier in the reference, never later.
        reference.assert_agrees(&ours, &format!("ref.{name}"), 1e-12, 20);
    }
    assert!(bands[18].is_none() && bands[19].is_some());
}

#[test]
fn the_regression_line_stays_exact_over_a_million_numbers_and_huge_moves() {
    let mut dice = Dice::new(3);
    let mut line = LineFit::new(20);
    let mut window: Vec<f64> = Vec::new();
    for index in 0..1_000_000_u32 {
        let size = if index % 1_000 == 500 { 1e12 } else { 1e3 };
        let value = size + f64::from(i32::try_from(dice.roll(1_000)).unwrap()) / 1_000.0;
        window.push(value);
        if window.len() > 20 {
            window.remove(0);
        }
        let ours = line.update(value);
        // Away from the huge number, which may disturb until the window has been replaced twice.
        if index % 1_000 == 499 {
            let mut weight = -9.5;
            let (mut sum, mut slope) = (0.0, 0.0);
            for value in &window {
                sum += value;
                slope += weight * value;
                weight += 1.0;
            }
            let exact = sum / 20.0 + slope / 665.0 * 9.5;
            assert!((ours.unwrap().end - exact).abs() < 1e-9, "{index}: {ours:?} instead of {exact}");
        }
    }
}

/// The rows of the table made by Python: candle, then the cells.
fn python() -> Vec<(usize, Vec<Option<f64>>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/volatility_reference.csv");
    let text = fs::read_to_string(path).unwrap();
    csv::Reader::from_reader(text.as_bytes())
        .records()
        .map(|row| {
            let row = row.unwrap();
            (row[0].parse().unwrap(), row.iter().skip(1).map(|cell| cell.parse().ok()).collect())
        })
        .collect()
}

/// Compares a column of the table: defined where the table is, and equal within a share of the values' usual size.
fn assert_python(ours: &Column, column: usize, tolerance: f64) {
    let rows = python();
    let values: Vec<f64> = rows.iter().filter_map(|(_, cells)| cells[column]).collect();
    let count = f64::from(u32::try_from(values.len()).unwrap());
    let scale = values.iter().map(|value| value.abs()).sum::<f64>() / count;
    assert!(values.len() > 150, "only {} values to compare", values.len());
    for (candle, cells) in rows {
        let (our, their) = (ours[candle], cells[column]);
        match (our, their) {
            (Some(our), Some(their)) => {
                assert!(
                    (our - their).abs() <= tolerance * scale,
                    "candle {candle}: {our} instead of {their}"
                );
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => panic!("candle {candle}: {our:?} instead of {their:?}"),
        }
    }
}

#[test]
fn squeeze_and_its_momentum() {
    let Some(Reference { candles, .. }) = reference() else { return };
    let mut squeeze = Squeeze::new((20, 2.0), (20, 2.5));
    let coil: Column = candles
        .iter()
        .map(|candle| {
            let value = squeeze.update(candle)?;
            Some(if value.coil == Coil::Squeezed { 1.0 } else { 0.0 })
        })
        .collect();
    assert_python(&coil, 0, 0.0);
    let mut momentum = SqueezeMomentum::new(20);
    let momentum: Column = candles.iter().map(|candle| momentum.update(candle)).collect();
    assert_python(&momentum, 1, 1e-11);
}

#[test]
fn historical_volatility_of_logarithmic_returns() {
    let Some(Reference { candles, .. }) = reference() else { return };
    let mut volatility = HistVol::new(30, Timeframe::M1);
    let ours: Column = candles.iter().map(|candle| volatility.update(candle.close)).collect();
    // The platform's logarithm of a rounded quotient is what differs.
    assert_python(&ours, 2, 1e-11);
    let mut hourly = HistVol::new(30, Timeframe::H1);
    let longer: Column = candles.iter().map(|candle| hourly.update(candle.close)).collect();
    let ratio = ours[100].unwrap() / longer[100].unwrap();
    assert!((ratio - 60.0_f64.sqrt()).abs() < 1e-12, "the square root of time");
}

#[test]
fn percentile_of_volatility() {
    let Some(Reference { candles, .. }) = reference() else { return };
    let (mut atr, mut ranking) = (Atr::new(14), Ranking::new(500));
    let ours: Column =
        candles.iter().map(|candle| ranking.update(100.0 * atr.update(candle)? / candle.close)).collect();
    assert_python(&ours, 3, 1e-14);
}

#[test]
fn ranks_agree_with_counting_the_whole_window() {
    let mut dice = Dice::new(21);
    let values: Vec<f64> = (0..4_000)
        .map(|index| if index % 900 < 200 { 7.0 } else { f64::from(i32::try_from(dice.roll(40)).unwrap()) })
        .collect();
    for period in [2_u32, 3, 50, 333] {
        let window = usize::try_from(period).unwrap();
        let mut ranking = Ranking::new(period);
        for (index, value) in values.iter().enumerate() {
            // A snapshot in between changes nothing.
            if index % 701 == 0 {
                ranking = serde_json::from_str(&serde_json::to_string(&ranking).unwrap()).unwrap();
            }
            let expected = (index + 1 >= window).then(|| {
                let held = &values[index + 1 - window..=index];
                let count = |wanted: fn(&f64, &f64) -> bool| {
                    f64::from(u32::try_from(held.iter().filter(|held| wanted(held, value)).count()).unwrap())
                };
                let (below, equal) = (count(|held, value| held < value), count(|held, value| held <= value));
                100.0 * (below + 0.5 * (equal - below - 1.0)) / (f64::from(period) - 1.0)
            });
            assert_eq!(ranking.update(*value), expected, "period {period}, number {index}");
        }
    }
}

/// All levels by the definition, looking at every candle with its neighbors.
fn levels_by_definition(candles: &[Ohlcv], lookback: usize, strength: usize) -> Vec<f64> {
    let newest = candles.len() - 1;
    let mut levels = Vec::new();
    for place in strength..=newest.saturating_sub(strength) {
        if place + lookback <= newest || place + strength > newest {
            continue;
        }
        let (before, after) = (&candles[place - strength..place], &candles[place + 1..=place + strength]);
        let (high, low) = (candles[place].high, candles[place].low);
        if before.iter().all(|other| other.high < high) && after.iter().all(|other| other.high <= high) {
            levels.push(high);
        }
        if before.iter().all(|other| other.low > low) && after.iter().all(|other| other.low >= low) {
            levels.push(low);
        }
    }
    levels.sort_unstable_by(f64::total_cmp);
    levels
}

#[test]
fn levels_agree_with_looking_at_every_candle() {
    let candles: Vec<Ohlcv> = random_moments(14, 500).iter().map(|moment| moment.candle.floats).collect();
    for (lookback, strength) in [(100, 5), (30, 1), (60, 12), (5, 2)] {
        let mut levels = PivotLevels::new(lookback, strength);
        let mut found = 0;
        for index in 0..candles.len() {
            let ready = levels.update(&candles[index]);
            assert_eq!(ready, index + 1 >= usize::try_from(lookback + strength).unwrap());
            let (lookback, strength) =
                (usize::try_from(lookback).unwrap(), usize::try_from(strength).unwrap());
            let all = levels_by_definition(&candles[..=index], lookback, strength);
            found = found.max(all.len());
            let close = candles[index].close;
            let lower = all.iter().rev().copied().find(|level| *level <= close);
            let higher = all.iter().copied().find(|level| *level >= close);
            assert_eq!((levels.at_or_below(close), levels.at_or_above(close)), (lower, higher), "{index}");
            for level in &all {
                let next = all.iter().copied().find(|other| other > level);
                let last = all.iter().rev().copied().find(|other| other < level);
                assert_eq!((levels.above(*level), levels.below(*level)), (next, last), "{index}");
            }
        }
        assert!(found >= 1, "no levels: the series proves nothing");
    }
}

#[test]
fn a_market_that_stands_still_is_neither_squeezed_nor_volatile_nor_ranked() {
    let flat = Ohlcv { open: 0.1, high: 0.1, low: 0.1, close: 0.1, volume: 0.0 };
    let mut squeeze = Squeeze::new((20, 2.0), (20, 1.5));
    let mut volatility = HistVol::new(10, Timeframe::H1);
    let mut ranking = Ranking::new(10);
    let mut levels = PivotLevels::new(20, 3);
    for _ in 0..60 {
        let value = squeeze.update(&flat);
        let (volatility, rank) = (volatility.update(flat.close), ranking.update(0.0));
        levels.update(&flat);
        if let Some(value) = value {
            assert_eq!((value.coil, value.ratio, volatility, rank), (Coil::Free, 0.0, Some(0.0), Some(50.0)));
        }
    }
    assert_eq!((levels.at_or_below(1.0), levels.at_or_above(0.0)), (None, None));
}
