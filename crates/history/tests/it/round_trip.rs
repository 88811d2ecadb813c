//! Any candles, to the last digit.

use keyhold_domain::{Candle, Decimal, Price, Timestamp};
use keyhold_history::{HistoryError, read, write};
use proptest::prelude::*;

use crate::candle;

/// Prices and volumes with up to eight decimal places.
fn candles() -> impl Strategy<Value = Vec<Candle>> {
    let price = (1_i64..9_000_000_000, 0_u32..8);
    let row = (1_i64..50, price.clone(), price, 0_i64..1_000_000_000, 0_u32..8);
    proptest::collection::vec(row, 1..60).prop_map(|rows| {
        let mut at = 0;
        let made = rows.into_iter().map(|(step, (a, a_scale), (b, b_scale), volume, scale)| {
            at += step * 60_000;
            let [a, b] = [(a, a_scale), (b, b_scale)].map(|(units, scale)| Decimal::new(units, scale));
            let price = |value: Decimal| Price::new(value).unwrap();
            Candle {
                open_time: Timestamp::from_ms(at),
                open: price(a),
                high: price(a.max(b)),
                low: price(a.min(b)),
                close: price(b),
                volume: Decimal::new(volume, scale),
            }
        });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(candles in candles()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candles.parquet");
        write(&path, &candles, &[("symbol", "BTCUSDT".to_owned())]).unwrap();
        prop_assert_eq!(read(&path).unwrap(), candles);
    }
}

#[test]
fn volumes_may_have_many_digits_and_prices_eighteen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut large = candle(0, "100");
    large.volume = "1234567890.123456789".parse().unwrap();
    let mut small = candle(1, "100");
    small.volume = "0.0000000000000001".parse().unwrap();
    write(&path, &[large, small], &[]).unwrap();
    assert_eq!(read(&path).unwrap(), [large, small]);
    small.volume = "0.0000000000000000000000001".parse().unwrap();
    let refused = write(&path, &[large, small], &[]);
    assert!(matches!(refused, Err(HistoryError::TooManyDigits { what: "volume", .. })), "{refused:?}");
    large.low = "49.00000000000000001".parse().unwrap();
    let refused = write(&path, &[large], &[]);
    assert!(matches!(refused, Err(HistoryError::TooManyDigits { what: "price", .. })), "{refused:?}");
}

#[test]
fn no_candles_are_a_file_without_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, &[], &[]).unwrap();
    assert_eq!(read(&path).unwrap(), Vec::new());
}

#[test]
fn a_damaged_file_is_an_error_and_never_other_candles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let candles: Vec<_> = (0..500).map(|minute| candle(minute, "101.5")).collect();
    write(&path, &candles, &[]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(read(&path), Err(HistoryError::Parquet { .. })), "cut at {cut}");
    }
}
