//! Market data of the twin: over REST and on the streams, through gaps and cuts.

use std::time::Duration;

use keyhold_domain::{Candle, ContractType, Decimal, Exchange, RefusalCode, Timeframe, Timestamp};
use keyhold_fake_venues::config::RateLimits;
use keyhold_fake_venues::{Part, parse_instrument_at};
use keyhold_venues::event::{BookView, CandleOrigin};
use keyhold_venues::port::{CandleRange, SymbolRange, VenueStatus};
use keyhold_venues::{EventStream, MarketData, MarketEvent, Settings};
use serde_json::{Value, json};

use super::twin::{Bench, MINUTE, NOON, PAST, START, everything, minute, refusal, row, symbol, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_market_is_read() {
    let bench = Bench::new(RateLimits::Enforced).await;
    for product in ContractType::ALL.iter().copied() {
        let market = bench.market(product);
        let symbol = symbol(product);
        assert_eq!(market.server_time().await.unwrap().ms(), NOON);
        assert_eq!(market.venue_status().await.unwrap(), VenueStatus::Up);
        let listed = market.instruments().await.unwrap();
        assert!(listed.refused.is_empty(), "{:?}", listed.refused);
        let kind = if product == ContractType::Linear { "linear" } else { "inverse" };
        let wanted = parse_instrument_at(Exchange::Binance, &format!("{symbol}={kind}")).unwrap();
        assert_eq!(listed.listed.len(), 1);
        let found = listed.listed[0];
        assert_eq!(
            (found.tick, found.lot, found.min_notional),
            (wanted.tick, wanted.lot, wanted.min_notional)
        );
        assert_eq!((found.settle, found.contract_type), (wanted.settle, wanted.contract_type));
        assert_eq!((found.max_leverage, found.max_quantity), (wanted.max_leverage, wanted.max_quantity));
        let ticker = market.ticker(symbol).await.unwrap();
        assert_eq!(ticker.funding_rate.unwrap().to_string(), "0.0001");
        assert!(ticker.bid < ticker.last && ticker.last < ticker.ask);
        assert!(ticker.mark.is_some() && ticker.index.is_some() && ticker.open_interest.is_some());
        let from = Timestamp::from_ms(START);
        let range = |timeframe, minutes| CandleRange { symbol, timeframe, from, until: minute(minutes) };
        let minutes = market.candles(&range(Timeframe::M1, 100)).await.unwrap();
        assert_eq!(minutes, (0..100).map(row).collect::<Vec<_>>(), "contracts became our unit again");
        let threes = market.candles(&range(Timeframe::M3, 99)).await.unwrap();
        assert_eq!(threes.len(), 33);
        assert_eq!((threes[1].open, threes[1].close), (row(3).open, row(5).close));
        assert_eq!(threes[1].volume, Decimal::from(3_000));
        let hours = SymbolRange { symbol, from, until: from.plus_ms(7_200_001) };
        assert_eq!(market.funding_history(&hours).await.unwrap().len(), 1);
    }
    bench.control("maintenance", &json!({ "on": true }));
    let market = bench.market(ContractType::Linear);
    assert_eq!(market.venue_status().await.unwrap(), VenueStatus::Maintenance { until: None });
    assert_eq!(refusal(market.ticker(symbol(ContractType::Linear)).await), RefusalCode::Maintenance);
}

/// What a stream tells beside a candle.
#[derive(Debug, Default)]
struct Beside {
    book: Option<BookView>,
    traded: Option<Decimal>,
}

/// The next closed minute and what came with it. Gaps and unreadable messages are failures.
async fn next_minute(events: &mut EventStream<MarketEvent>) -> (Candle, CandleOrigin, Beside) {
    let mut beside = Beside::default();
    let (candle, origin) = until(events, "a closed minute", |event| match event {
        MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, origin, .. } => {
            Some((*candle, *origin))
        }
        MarketEvent::Book { book, .. } => {
            beside.book = Some(book.clone());
            None
        }
        MarketEvent::Traded { timeframe: Timeframe::M1, sums, .. } => {
            beside.traded = Some(sums.buy + sums.sell);
            None
        }
        MarketEvent::Gap { .. } | MarketEvent::Undecodable(_) | MarketEvent::Refused(_) => {
            panic!("{event:?}")
        }
        _ => None,
    })
    .await;
    (candle, origin, beside)
}

async fn resynced(events: &mut EventStream<MarketEvent>) {
    until(events, "a session", |event| matches!(event, MarketEvent::Resynced { .. }).then_some(())).await;
}

async fn disconnected(events: &mut EventStream<MarketEvent>) {
    until(events, "the cut", |event| matches!(event, MarketEvent::Disconnected { .. }).then_some(())).await;
}

/// Plays the candle that forms in its parts, so that the book is known at its close.
async fn play_minute(bench: &Bench, events: &mut EventStream<MarketEvent>) -> (Candle, CandleOrigin, Beside) {
    bench.twin.play(Part::Path);
    bench.twin.play(Part::Close);
    let told = next_minute(events).await;
    bench.twin.play(Part::Open);
    bench.wait(Duration::from_mins(1));
    told
}

/// One tick around a price of the candle. Candles and books come by different sockets, so a book may be of the instant
/// before the close; that of an older minute is too old. Returns whether it is of the close.
fn is_of_the_close(book: &BookView, candle: &Candle) -> bool {
    let tick: Decimal = "0.1".parse().unwrap();
    let (bid, ask) = (book.bids[0].0.get(), book.asks[0].0.get());
    assert_eq!(ask - bid, tick + tick);
    assert!((candle.low.get()..=candle.high.get()).contains(&(bid + tick)), "{bid} is not of {candle:?}");
    bid + tick == candle.close.get()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_come_when_they_close_with_book_and_trades() {
    let bench = Bench::new(RateLimits::Off).await;
    for product in ContractType::ALL.iter().copied() {
        let past = PAST + if product == ContractType::Linear { 0 } else { 6 };
        let market = bench.market(product);
        let mut events = market.market_events(everything(product, Some(minute(past - 4))));
        let mut filled = vec![];
        until(&mut events, "the beginning", |event| {
            if let MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, origin, .. } = event {
                filled.push((*candle, *origin));
            }
            matches!(event, MarketEvent::Resynced { .. }).then_some(())
        })
        .await;
        let expected = [past - 3, past - 2, past - 1].map(|n| (row(n), CandleOrigin::Fetched));
        assert_eq!(filled, expected, "what the program lacks comes first");
        let (mut books, mut sums) = (0, 0);
        for n in past..past + 6 {
            let (candle, origin, beside) = play_minute(&bench, &mut events).await;
            assert_eq!(
                (candle, origin),
                (row(n), CandleOrigin::Stream),
                "it comes before the next one opens"
            );
            if let Some(book) = beside.book {
                books += usize::from(is_of_the_close(&book, &candle));
            }
            // The stream began inside of the first candle.
            if let Some(traded) = beside.traded {
                assert_eq!(traded, Decimal::from(1_000));
                sums += 1;
            }
        }
        println!("{product}: 6 candles, {books} books, {sums} sums of trades");
        assert!(books >= 1 && sums >= 4, "books: {books}, sums of trades: {sums}");
    }
}

/// A change that names another change before it than the last one heard: the book is thrown away and fetched anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_in_the_book_is_noticed_and_closed() {
    let bench = Bench::new(RateLimits::Off).await;
    for product in ContractType::ALL.iter().copied() {
        let market = bench.market(product);
        let mut events = market.market_events(everything(product, None));
        resynced(&mut events).await;
        for _ in 0..3 {
            play_minute(&bench, &mut events).await;
        }
        let (candle, _, beside) = play_minute(&bench, &mut events).await;
        is_of_the_close(&beside.book.expect("a whole book"), &candle);
        let depth = format!("{}@depth", symbol(product).as_str().to_ascii_lowercase());
        bench.control("mute", &json!({ "topics": [depth] }));
        play_minute(&bench, &mut events).await;
        bench.control("mute", &json!({ "topics": [] }));
        // The next change does not follow. What stands beside a candle now is either nothing or right.
        let mut right = 0;
        for _ in 0..5 {
            let (candle, _, beside) = play_minute(&bench, &mut events).await;
            if let Some(book) = beside.book {
                right += usize::from(is_of_the_close(&book, &candle));
            }
        }
        println!("{product}: {right} of 5 books after the gap");
        assert!(right >= 1, "{right}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_of_a_pause_are_fetched_after_it() {
    let bench = Bench::new(RateLimits::Off).await;
    for product in ContractType::ALL.iter().copied() {
        let market = bench.market(product);
        let mut events = market.market_events(everything(product, None));
        resynced(&mut events).await;
        let (first, _, _) = play_minute(&bench, &mut events).await;
        bench.control("down", &Value::Null);
        disconnected(&mut events).await;
        for _ in 0..3 {
            bench.step();
        }
        bench.control("up", &Value::Null);
        for n in 1..4 {
            let (candle, origin, _) = next_minute(&mut events).await;
            assert_eq!(candle.open_time, first.open_time.plus_ms(n * MINUTE));
            assert_eq!(origin, CandleOrigin::Fetched);
        }
        resynced(&mut events).await;
        let (candle, origin, _) = play_minute(&bench, &mut events).await;
        assert_eq!(candle.open_time, first.open_time.plus_ms(4 * MINUTE));
        assert_eq!(origin, CandleOrigin::Stream);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_stream_is_given_up() {
    let bench = Bench::new(RateLimits::Off).await;
    let settings = Settings { silence_limit: Duration::from_millis(600), ..Bench::settings() };
    let market = bench.market_with(ContractType::Linear, settings);
    let mut events = market.market_events(everything(ContractType::Linear, None));
    resynced(&mut events).await;
    bench.control("freeze", &Value::Null);
    disconnected(&mut events).await;
    resynced(&mut events).await;
    play_minute(&bench, &mut events).await;
}

/// Doubled, swapped and lost messages: every candle comes once and in order, and no book is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disorder_on_the_way_leaves_candles_in_order() {
    for faults in [
        json!({ "duplicate_message": 1000 }),
        json!({ "reorder_message": 300 }),
        json!({ "lose_message": 150, "duplicate_message": 200, "reorder_message": 200 }),
    ] {
        let bench = Bench::new(RateLimits::Off).await;
        let market = bench.market(ContractType::Linear);
        let mut events = market.market_events(everything(ContractType::Linear, Some(minute(PAST - 1))));
        resynced(&mut events).await;
        bench.control("faults", &faults);
        let mut expected = PAST;
        for _ in 0..40 {
            bench.step();
        }
        // The last close of all may be lost; the next one after it is not.
        bench.control("faults", &json!({}));
        bench.step();
        bench.step();
        let mut books = 0;
        while expected < PAST + 41 {
            let mut beside = None;
            let (candle, _) = until(&mut events, "a closed minute", |event| match event {
                MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, origin, .. } => {
                    Some((*candle, *origin))
                }
                MarketEvent::Book { book, .. } => {
                    beside = Some(book.clone());
                    None
                }
                MarketEvent::Gap { .. } | MarketEvent::Undecodable(_) => panic!("{event:?}"),
                _ => None,
            })
            .await;
            assert_eq!(candle, row(expected), "{faults}");
            if let Some(book) = beside {
                assert!(book.bids[0].0 < book.asks[0].0);
                books += 1;
            }
            expected += 1;
        }
        println!("{faults}: {} candles, {books} books", expected - PAST);
    }
}
