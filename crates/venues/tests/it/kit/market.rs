//! Data that needs no key: read in pages, and heard without gaps through a cut.

use std::time::Duration;

use keyhold_domain::{Candle, Decimal, Timeframe};
use keyhold_fake_venues::parse_instrument_at;
use keyhold_venues::event::CandleOrigin;
use keyhold_venues::port::{CandleRange, MarketSubscription, Series, SymbolRange, VenueStatus};
use keyhold_venues::{EventStream, MarketData as _, MarketEvent};
use serde_json::{Value, json};

use super::bench::{Bench, PAST, VOLUME, candle, minute};
use super::heard::until;
use super::rows::{Lack, Row};

pub(crate) async fn the_market_is_read(row: &'static Row) {
    let bench = Bench::new(row);
    let (market, symbol) = (bench.market(), bench.symbol);
    let off = market.server_time().await.unwrap().since_ms(bench.clock.now()).abs();
    assert!(off <= 1_000, "{off}");
    assert_eq!(market.venue_status().await.unwrap(), VenueStatus::Up);
    let listed = market.instruments().await.unwrap().listed;
    let wanted = parse_instrument_at(row.exchange, row.listing).unwrap();
    assert_eq!(listed, [wanted], "what the twin lists is read whole");
    let ticker = market.ticker(symbol).await.unwrap();
    assert!(ticker.bid < ticker.last && ticker.last < ticker.ask, "{ticker:?}");
    assert!(ticker.mark.is_some() && ticker.index.is_some() && ticker.funding_rate.is_some(), "{ticker:?}");
    let range =
        |timeframe, from, until| CandleRange { symbol, timeframe, from: minute(from), until: minute(until) };
    let minutes = market.candles(&range(Timeframe::M1, 10, 390)).await.unwrap();
    assert_eq!(minutes, (10..390).map(candle).collect::<Vec<_>>());
    let threes = market.candles(&range(Timeframe::M3, 0, 99)).await.unwrap();
    assert_eq!(threes.len(), 33);
    assert_eq!((threes[1].open, threes[1].close), (candle(3).open, candle(5).close));
    assert_eq!(threes[1].volume, Decimal::from(3 * VOLUME));
    let whole = SymbolRange { symbol, from: minute(-1), until: minute(PAST) };
    assert!(!market.funding_history(&whole).await.unwrap().is_empty());
    bench.control("maintenance", &json!({ "on": true }));
    // A venue may allow this question only once in a while.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let status = market.venue_status().await;
    assert!(matches!(status, Ok(VenueStatus::Maintenance { .. })), "{status:?}");
}

/// Candles in order, each once, of the stream and of what was missed while it was cut.
pub(crate) async fn candles_are_heard_without_gaps(row: &'static Row) {
    let bench = Bench::new(row);
    let (market, symbol) = (bench.market(), bench.symbol);
    let series = |timeframe, after: i64| Series { symbol, timeframe, after: Some(minute(after)) };
    let subscription = MarketSubscription {
        series: vec![series(Timeframe::M1, PAST - 4), series(Timeframe::M3, PAST - 4 - (PAST - 4) % 3)],
        books: [symbol].into(),
        trades: [symbol].into(),
    };
    let mut events = market.market_events(subscription);
    let (mut minutes, mut threes, mut streamed): (Vec<Candle>, Vec<Candle>, u32) = (vec![], vec![], 0);
    let (mut books, mut sums) = (0, 0);
    for turn in 0..14_i64 {
        if turn > 0 {
            bench.step().await;
        }
        if turn == 6 {
            // Two candles close while nobody listens.
            bench.control("cut", &Value::Null);
            bench.control("down", &Value::Null);
            bench.step().await;
            bench.step().await;
            bench.control("up", &Value::Null);
        }
        let last = minute(PAST - 1 + turn + if turn >= 6 { 2 } else { 0 });
        until(&mut events, &format!("the candle of turn {turn}"), |event| {
            match event {
                MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, origin, .. } => {
                    minutes.push(*candle);
                    streamed += u32::from(*origin == CandleOrigin::Stream);
                    return (candle.open_time == last).then_some(());
                }
                MarketEvent::CandleClosed { candle, .. } => threes.push(*candle),
                MarketEvent::Book { book, .. } => {
                    assert!(book.bids[0].0 < book.asks[0].0);
                    books += 1;
                }
                MarketEvent::Traded { timeframe: Timeframe::M1, sums: told, .. } => {
                    // A twin's clock stands while a candle forms, so that its first trades may have been before us.
                    let heard = told.buy + told.sell;
                    let (least, most) = (Decimal::from(VOLUME * 9 / 10), Decimal::from(VOLUME));
                    assert!((least..=most).contains(&heard), "{heard}");
                    sums += 1;
                }
                MarketEvent::Gap { .. } | MarketEvent::Undecodable(_) | MarketEvent::Refused(_) => {
                    panic!("{event:?}")
                }
                MarketEvent::Traded { .. }
                | MarketEvent::CandleForming { .. }
                | MarketEvent::Ticker(_)
                | MarketEvent::Disconnected { .. }
                | MarketEvent::Resynced { .. } => {}
            }
            None
        })
        .await;
    }
    let first = PAST - 3;
    let wanted: Vec<Candle> = (first..first + i64::try_from(minutes.len()).unwrap()).map(candle).collect();
    assert_eq!(minutes, wanted);
    let steps: Vec<_> = threes.windows(2).map(|two| two[1].open_time.since_ms(two[0].open_time)).collect();
    assert!(threes.len() >= 4 && steps.iter().all(|step| *step == 180_000), "{threes:?}");
    println!(
        "{}: {} candles ({streamed} streamed), {books} books, {sums} sums of trades",
        row.name,
        minutes.len()
    );
    let wanted = if row.has(Lack::StreamedCandles) { 8 } else { 0 };
    assert!(streamed >= wanted && books >= 5 && sums >= 4, "{streamed} streamed, {books} books, {sums} sums");
}

/// How much earlier than a candle's close the line is cut, in steps that are shorter than any part of a reconnection.
const CUTS: u64 = 24;
const CUT_STEP: Duration = Duration::from_millis(20);
/// The program's settling time is nothing here; what remains are some answers.
const AT_ONCE_MS: i64 = 3_000;

/// Whatever a reconnection is doing when a candle closes, the candle is told at once, and not when the next one closes:
/// while nothing is connected, between two subscriptions, while the past is fetched.
pub(crate) async fn a_close_amid_a_reconnection_is_told_at_once(row: &'static Row) {
    let (mut streamed, mut slowest) = (0, 0);
    for cut in 0..CUTS {
        let bench = Bench::new(row);
        bench.control("faults", &json!({ "latency": { "model": "fixed", "ms": 40 } }));
        let mut events = listen_from(&bench, PAST - 1).await;
        bench.step().await;
        closed(&mut events, BEFORE).await;
        bench
            .step_with(CUT_STEP * u32::try_from(cut).unwrap(), |bench| {
                drop(bench.control("cut", &Value::Null));
            })
            .await;
        let origin = closed(&mut events, AMID).await;
        let late = bench.clock.now().since_ms(minute(PAST + 2));
        assert!(late <= AT_ONCE_MS, "{}: cut {cut}, told {late} ms after its close", row.name);
        slowest = slowest.max(late);
        streamed += u32::from(origin == CandleOrigin::Stream);
    }
    println!(
        "{}: {CUTS} closes amid reconnections told within {slowest} ms, {streamed} on the stream",
        row.name
    );
    assert!(u64::from(streamed) < CUTS, "none was missed: the reconnections are over too soon");
}

/// The same when the venue refuses half of what is asked: asked again, and soon.
pub(crate) async fn a_missed_close_is_asked_for_again(row: &'static Row) {
    for cut in 0..6 {
        let bench = Bench::new(row);
        let mut events = listen_from(&bench, PAST - 1).await;
        bench.step().await;
        closed(&mut events, BEFORE).await;
        let ahead = Duration::from_millis(100 * cut);
        bench
            .step_with(ahead, |bench| {
                bench.control("faults", &json!({ "unavailable": 500 }));
                bench.control("cut", &Value::Null);
            })
            .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        bench.control("calm", &Value::Null);
        closed(&mut events, AMID).await;
        let late = bench.clock.now().since_ms(minute(PAST + 2));
        assert!(late <= 15_000, "{}: cut {cut}, told {late} ms after its close", row.name);
    }
}

/// Hears minutes, and threes, which are summed where a venue has none.
async fn listen_from(bench: &Bench, after: i64) -> EventStream<MarketEvent> {
    let symbol = bench.symbol;
    let series = |timeframe, after: i64| Series { symbol, timeframe, after: Some(minute(after)) };
    let series = vec![series(Timeframe::M1, after), series(Timeframe::M3, after - 3 - after % 3)];
    let subscription = MarketSubscription { series, ..MarketSubscription::default() };
    let mut events = bench.market().market_events(subscription);
    until(&mut events, "the beginning", |event| matches!(event, MarketEvent::Resynced { .. }).then_some(()))
        .await;
    events
}

/// The candles that open at these minutes, and whether the first of them came on the stream.
async fn closed(events: &mut EventStream<MarketEvent>, wanted: &[(Timeframe, i64)]) -> CandleOrigin {
    let mut missing = wanted.to_vec();
    let mut first = None;
    until(events, &format!("candles {wanted:?}"), |event| match event {
        MarketEvent::CandleClosed { timeframe, candle: told, origin, .. } => {
            let is_it = |(one, open): &(Timeframe, i64)| one == timeframe && minute(*open) == told.open_time;
            if is_it(&wanted[0]) {
                assert_eq!(*told, candle(wanted[0].1));
                first = Some(*origin);
            }
            missing.retain(|one| !is_it(one));
            missing.is_empty().then_some(first).flatten()
        }
        MarketEvent::Gap { .. } => panic!("{event:?}"),
        _ => None,
    })
    .await
}

/// Of the minute before the cut, and those that close amid the reconnection.
const BEFORE: &[(Timeframe, i64)] = &[(Timeframe::M1, PAST)];
const AMID: &[(Timeframe, i64)] = &[(Timeframe::M1, PAST + 1), (Timeframe::M3, PAST - 1)];

/// The connection stays open and nothing comes any more: it is given up, and made anew.
pub(crate) async fn a_silent_market_is_heard_again(row: &'static Row) {
    let bench = Bench::new(row);
    let mut events = listen_from(&bench, PAST - 1).await;
    bench.step().await;
    closed(&mut events, BEFORE).await;
    bench.control("freeze", &Value::Null);
    bench.step().await;
    until(&mut events, "the end", |event| matches!(event, MarketEvent::Disconnected { .. }).then_some(()))
        .await;
    closed(&mut events, AMID).await;
    let late = bench.clock.now().since_ms(minute(PAST + 2));
    assert!(late <= AT_ONCE_MS, "{}: told {late} ms after its close", row.name);
}

/// Messages are lost, come twice and change places: every candle is told all the same, soon and once, and when the weather
/// is fair again, so is the book.
pub(crate) async fn lost_messages_leave_no_gap(row: &'static Row) {
    const ROUGH: i64 = 12;
    let bench = Bench::new(row);
    let symbol = bench.symbol;
    let series = vec![Series { symbol, timeframe: Timeframe::M1, after: Some(minute(PAST - 1)) }];
    let subscription = MarketSubscription { series, books: [symbol].into(), ..MarketSubscription::default() };
    let mut events = bench.market().market_events(subscription);
    until(&mut events, "the beginning", |event| matches!(event, MarketEvent::Resynced { .. }).then_some(()))
        .await;
    bench
        .control("faults", &json!({ "lose_message": 300, "duplicate_message": 100, "reorder_message": 100 }));
    let (mut books, mut fetched) = (0, 0);
    for turn in 0..ROUGH + 2 {
        if turn == ROUGH {
            bench.control("calm", &Value::Null);
            // A book is asked for anew once in a while.
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        bench.step().await;
        let wanted = candle(PAST + turn);
        books = 0;
        until(&mut events, &format!("candle {turn}"), |event| match event {
            MarketEvent::CandleClosed { candle, origin, .. } => {
                assert_eq!(*candle, wanted, "{}: each once and in order", row.name);
                fetched += u32::from(*origin == CandleOrigin::Fetched);
                Some(())
            }
            MarketEvent::Book { book, .. } => {
                assert!(book.bids[0].0 < book.asks[0].0);
                books += 1;
                None
            }
            // A change of a level that nobody has told of cannot be read.
            MarketEvent::Undecodable(_) if turn < ROUGH => None,
            MarketEvent::Gap { .. } | MarketEvent::Undecodable(_) => panic!("{event:?}"),
            _ => None,
        })
        .await;
        let late = bench.clock.now().since_ms(minute(PAST + turn + 1));
        assert!(late <= 15_000, "{}: candle {turn} told {late} ms after its close", row.name);
    }
    println!("{}: {fetched} of {} candles were lost and fetched", row.name, ROUGH + 2);
    assert_eq!(books, 1, "{}: no whole book in fair weather", row.name);
}

/// A candle is shown while it forms.
pub(crate) async fn candles_form(row: &'static Row) {
    let bench = Bench::new(row);
    let mut events = listen_from(&bench, PAST - 1).await;
    bench.step().await;
    closed(&mut events, BEFORE).await;
    for (price, is_high) in [("51000", true), ("49000", false)] {
        bench.move_price(price);
        let moved: keyhold_domain::Price = price.parse().unwrap();
        let shown = until(&mut events, price, |event| match event {
            MarketEvent::CandleForming { timeframe: Timeframe::M1, candle, .. } => {
                (candle.close == moved).then_some(*candle)
            }
            _ => None,
        })
        .await;
        assert_eq!(shown.open_time, minute(PAST + 1), "{}", row.name);
        let extreme = if is_high { shown.high } else { shown.low };
        assert_eq!(extreme, moved, "{shown:?}");
        shown.check().unwrap();
    }
}
