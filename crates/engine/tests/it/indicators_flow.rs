//! Order flow: the slope of a running total against plain least squares, sums over a book, and what counts as stale.
//!
//! `tests/data/cumulative_slope.csv` was made by a script of its own with exact fractions: a line of least squares
//! through the newest 2, 7 and 50 totals of a series of made-up numbers (a linear congruential generator, every
//! seventeenth number a thousand times larger).

use keyhold_domain::{Contract, Decimal, Rate, Timestamp};
use keyhold_engine::catalog::DataNeeds;
use keyhold_engine::event::Event;
use keyhold_engine::indicator::CumulativeSlope;
use keyhold_engine::market::{BookAsk, BookSums, Level, MarketFacts, Quote, STALE_AFTER_MS, Seen};
use keyhold_engine::template::Number;

/// Exact fractions against sums of floats that grew to 1e9 on the way; bounded because the sums are made afresh.
const TOLERANCE: f64 = 1e-11;

#[test]
fn the_slope_of_a_running_total_is_that_of_least_squares() {
    let table = include_str!("../data/cumulative_slope.csv");
    for (column, period) in [(1, 2), (2, 7), (3, 50)] {
        let mut slope = CumulativeSlope::new(period);
        let mut compared = 0;
        for (number, line) in table.lines().skip(1).enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            let ours = slope.update(cells[0].parse().unwrap());
            let reference: Option<f64> = cells[column].parse().ok();
            assert_eq!(ours.is_some(), reference.is_some(), "period {period}, number {number}");
            let (Some(ours), Some(reference)) = (ours, reference) else { continue };
            let near = (ours - reference).abs() <= TOLERANCE * 1e6_f64.max(reference.abs());
            assert!(near, "period {period}, number {number}: {ours} instead of {reference}");
            compared += 1;
        }
        assert_eq!(compared, 121 - period, "period {period}");
    }
}

#[test]
fn rounding_does_not_add_up_over_a_million_numbers() {
    let mut slope = CumulativeSlope::new(50);
    let mut fresh = CumulativeSlope::new(50);
    let mut dice = crate::series::Dice::new(4);
    for number in 0..1_000_000_u32 {
        let size = if number % 1_000 == 0 { 1e9 } else { 1.0 };
        let value = f64::from(i32::try_from(dice.roll(20_001) - 10_000).unwrap()) / 100.0 * size;
        let long = slope.update(value);
        if number >= 999_000 {
            let short = fresh.update(value);
            if number >= 999_951 {
                let (long, short) = (long.unwrap(), short.unwrap());
                assert!((long - short).abs() <= 1e-6 * short.abs().max(1.0), "{long} and {short}");
            }
        }
    }
}

fn side(rows: &[(&str, &str)]) -> Vec<Level> {
    rows.iter().map(|(price, quantity)| (price.parse().unwrap(), quantity.parse().unwrap())).collect()
}

fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// By hand: the middle is 100, so 10 basis points reach from 99.9 to 100.1 and 100 from 99 to 101.
#[test]
fn a_book_is_summed_by_levels_and_by_distance() {
    let bids = side(&[("99.95", "1"), ("99.9", "2"), ("99.8", "4")]);
    let asks = side(&[("100.05", "3"), ("100.2", "5"), ("101.5", "7")]);
    let asked = [BookAsk::Levels(2), BookAsk::Within(d("10")), BookAsk::Levels(2), BookAsk::Within(d("100"))];
    let linear = Contract::Linear { multiplier: Decimal::ONE };
    let sums = BookSums::of(&asked, &bids, &asks, linear).unwrap();
    assert_eq!(sums.levels.len(), 1, "asked for twice, summed once");
    assert_eq!((sums.levels[0].bid, sums.levels[0].ask), (Number(d("3")), Number(d("8"))));
    let values: Vec<_> = sums.depth.iter().map(|sum| (sum.bid.0, sum.ask.0)).collect();
    // 99.95 + 2 * 99.9 = 299.75; 3 * 100.05 = 300.15. Then 4 * 99.8 and 5 * 100.2 more.
    assert_eq!(values, [(d("299.75"), d("300.15")), (d("698.95"), d("801.15"))]);
    // Inverse contracts are worth one dollar each, whatever the price.
    let inverse = Contract::Inverse { multiplier: Decimal::ONE };
    let sums = BookSums::of(&asked, &bids, &asks, inverse).unwrap();
    assert_eq!((sums.depth[0].bid.0, sums.depth[0].ask.0), (d("3"), d("3")));
    assert_eq!(BookSums::of(&asked, &[], &asks, linear), None, "a book with an empty side says nothing");
}

#[test]
fn what_is_older_than_a_minute_is_missing_and_what_is_exactly_a_minute_old_is_not() {
    let at = Timestamp::from_ms(1_700_000_000_000);
    let quote = Quote { bid: "99".parse().unwrap(), ask: "101".parse().unwrap() };
    let with_age = |age: i64| MarketFacts {
        quote: Some(Seen { value: quote, at: at.plus_ms(-age) }),
        funding: Some(Seen { value: Rate::new(d("0.0001")), at: at.plus_ms(-age) }),
        ..MarketFacts::none(at, at)
    };
    let (fresh, stale) = (with_age(STALE_AFTER_MS), with_age(STALE_AFTER_MS + 1));
    assert_eq!(fresh.spread_bps(), Some(200.0));
    assert_eq!(stale.spread_bps(), None);
    assert_eq!(fresh.funding(), Some(Rate::new(d("0.0001"))));
    assert_eq!(stale.funding(), None);
    assert_eq!(with_age(-STALE_AFTER_MS - 1).spread_bps(), None, "a time that lies ahead is wrong");
}

#[test]
fn facts_are_written_without_what_is_missing_and_read_back() {
    let at = Timestamp::from_ms(60_000);
    let none = Event::Market(Box::new(MarketFacts::none(Timestamp::EPOCH, at)));
    let text = serde_json::to_string(&none).unwrap();
    assert_eq!(text, r#"{"market":{"candle":0,"at":60000}}"#);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), none);
}

#[test]
fn needs_add_up() {
    let both = DataNeeds::QUOTE.or(DataNeeds::TRADES);
    assert!(both.quote && both.trades && !both.book && both.is_any());
    assert!(!DataNeeds::CANDLES.is_any());
}
