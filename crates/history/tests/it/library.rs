//! A folder of months: merged, resumed, and its gaps.

use keyhold_domain::{ContractType, Exchange, Timeframe, Timestamp};
use keyhold_history::{Added, Gap, HistoryError, Library, Market, Month, missing};

use crate::candle;

const MARKET: fn() -> Market = || Market {
    exchange: Exchange::Bybit,
    contract_type: ContractType::Inverse,
    symbol: "BTCUSD".parse().unwrap(),
    timeframe: Timeframe::M1,
};
/// Minutes from 1970 to 2022-01-31T23:58:00Z.
const END_OF_JANUARY: i64 = 27_394_558;

#[test]
fn candles_are_kept_by_month_and_read_across_months() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path());
    let shelf = library.shelf(MARKET());
    let candles: Vec<_> = (0..4).map(|step| candle(END_OF_JANUARY + step, "101")).collect();
    let shuffled = [candles[2], candles[0], candles[3], candles[1]];
    assert_eq!(shelf.add(&shuffled).unwrap(), Added { new: 4, changed: 0, known: 0 });
    let names: Vec<_> = shelf.months().unwrap().iter().map(Month::to_string).collect();
    assert_eq!(names, ["2022-01", "2022-02"]);
    assert_eq!(shelf.all().unwrap(), candles);
    let some = shelf.candles(candles[1].open_time, candles[3].open_time).unwrap();
    assert_eq!(some, candles[1..3]);
    assert_eq!(library.markets().unwrap(), [MARKET()]);
}

#[test]
fn adding_again_changes_nothing_and_corrections_count() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Library::new(folder.path()).shelf(MARKET());
    let candles: Vec<_> = (0..3).map(|minute| candle(minute, "101")).collect();
    shelf.add(&candles).unwrap();
    let file = shelf.folder().join("1970-01.parquet");
    let before = std::fs::read(&file).unwrap();
    assert_eq!(shelf.add(&candles).unwrap(), Added { new: 0, changed: 0, known: 3 });
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let corrected = candle(1, "102");
    assert_eq!(shelf.add(&[candles[1], corrected]).unwrap(), Added { new: 0, changed: 1, known: 0 });
    assert_eq!(shelf.all().unwrap(), [candles[0], corrected, candles[2]]);
}

#[test]
fn an_interrupted_write_leaves_the_old_month() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Library::new(folder.path()).shelf(MARKET());
    shelf.add(&[candle(1, "101")]).unwrap();
    std::fs::write(shelf.folder().join(".1970-01.parquet.new"), b"half").unwrap();
    assert_eq!(shelf.all().unwrap(), [candle(1, "101")]);
    shelf.add(&[candle(2, "101")]).unwrap();
    assert_eq!(shelf.all().unwrap().len(), 2);
    assert!(!shelf.folder().join(".1970-01.parquet.new").exists());
}

#[test]
fn only_one_program_writes_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Library::new(folder.path()).shelf(MARKET());
    shelf.add(&[candle(1, "101")]).unwrap();
    let held = std::fs::File::create(shelf.folder().join(".lock")).unwrap();
    held.lock().unwrap();
    assert!(matches!(shelf.add(&[candle(2, "101")]), Err(HistoryError::Busy { .. })));
    drop(held);
    shelf.add(&[candle(2, "101")]).unwrap();
}

#[test]
fn a_candle_between_the_minutes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Library::new(folder.path()).shelf(MARKET());
    let mut off = candle(1, "101");
    off.open_time = off.open_time.plus_ms(1);
    assert!(matches!(shelf.add(&[candle(0, "101"), off]), Err(HistoryError::OffGrid { .. })));
    assert_eq!(shelf.all().unwrap(), []);
}

#[test]
fn an_empty_or_absent_folder_is_an_empty_library() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path().join("none"));
    assert_eq!(library.markets().unwrap(), []);
    assert_eq!(library.shelf(MARKET()).all().unwrap(), []);
}

#[test]
fn gaps_are_found_at_both_ends_and_between() {
    let minute = |number: i64| Timestamp::from_ms(number * 60_000);
    let candles = [2, 3, 6].map(|number| candle(number, "101"));
    let found = missing(&candles, Timeframe::M1, minute(0), minute(9));
    let expected =
        [(0, 2), (4, 6), (7, 9)].map(|(from, until)| Gap { from: minute(from), until: minute(until) });
    assert_eq!(found, expected);
    assert_eq!(found.iter().map(|gap| gap.candles(Timeframe::M1)).sum::<i64>(), 6);
    assert_eq!(missing(&candles, Timeframe::M1, minute(2), minute(4)), []);
    assert_eq!(missing(&[], Timeframe::M1, minute(1), minute(1)), []);
}

/// Days around the ends of months, leap years and centuries, counted on a calendar.
#[test]
fn months_are_those_of_the_calendar() {
    for (ms, name) in [
        (0, "1970-01"),
        (951_782_400_000, "2000-02"),
        (951_868_800_000, "2000-03"),
        (1_709_164_800_000, "2024-02"),
        (1_709_251_200_000, "2024-03"),
        (1_735_689_599_999, "2024-12"),
        (1_735_689_600_000, "2025-01"),
        (-1, "1969-12"),
    ] {
        assert_eq!(Month::of(Timestamp::from_ms(ms)).to_string(), name);
    }
}
