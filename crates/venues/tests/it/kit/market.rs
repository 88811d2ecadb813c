//! Data that needs no key: read in pages, and heard without gaps through a cut.

use keyhold_domain::{Candle, Decimal, Timeframe};
use keyhold_fake_venues::parse_instrument_at;
use keyhold_venues::event::CandleOrigin;
use keyhold_venues::port::{CandleRange, MarketSubscription, Series, SymbolRange, VenueStatus};
use keyhold_venues::{MarketData as _, MarketEvent};
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
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
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
