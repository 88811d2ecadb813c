//! Trades, books, open interest: consistent with the candles and with each other, in the venue's words.

use std::collections::BTreeMap;

use keyhold_domain::Decimal;
use serde_json::{Value, json};

use crate::client::{Bench, Socket, candles, config};
use keyhold_fake_venues::config::CandleSource;

const START: i64 = 1_704_067_200_000;
const MINUTE: i64 = 60_000;

fn d(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// A market that moves: every candle rises or falls by some hundreds.
async fn moving() -> Bench {
    let row = |n: i64| {
        let (open, close) = (50_000 + n % 7 * 100, 50_000 + (n + 1) % 7 * 100);
        [open, open.max(close) + 10, open.min(close) - 10, close]
    };
    let rows: Vec<[i64; 4]> = (0..60).map(row).collect();
    Bench::with(config(&CandleSource::Recorded(candles(&rows)), 20)).await
}

async fn listening(bench: &Bench, topics: &[&str]) -> Socket {
    let mut socket = bench.socket("/v5/public/linear").await;
    socket.say(&json!({ "op": "subscribe", "args": topics })).await;
    assert_eq!(socket.hear().await["success"], true);
    socket
}

#[tokio::test]
async fn the_trades_of_a_candle_are_its_volume() {
    let bench = moving().await;
    let mut socket = listening(&bench, &["publicTrade.BTCUSDT", "kline.1.BTCUSDT"]).await;
    for _ in 0..8 {
        bench.venue.step();
    }
    let (mut bought, mut sold) = (BTreeMap::<i64, Decimal>::new(), BTreeMap::<i64, Decimal>::new());
    let mut whole = Vec::new();
    while whole.len() < 8 {
        let frame = socket.hear().await;
        for row in frame["data"].as_array().unwrap() {
            if frame["topic"] == "publicTrade.BTCUSDT" {
                let minute = row["T"].as_i64().unwrap() / MINUTE * MINUTE;
                let side = if row["S"] == "Buy" { &mut bought } else { &mut sold };
                *side.entry(minute).or_default() += d(&row["v"]);
            } else if row["confirm"] == true {
                // Every trade of the candle came before its end.
                let start = row["start"].as_i64().unwrap();
                let (buy, sell) = (bought[&start], sold.get(&start).copied().unwrap_or_default());
                let volume = d(&row["volume"]);
                let missed = volume - buy - sell;
                // What was traded at the first open was before we listened.
                assert!(missed.is_zero() || (start == START + 20 * MINUTE && missed <= Decimal::new(1, 3)));
                whole.push(buy / volume);
            }
        }
    }
    assert!(whole.iter().any(|share| *share > Decimal::new(5, 1)), "{whole:?}");
    assert!(whole.iter().any(|share| *share < Decimal::new(5, 1)), "{whole:?}");
}

/// A book as a client keeps it, strictly: every number follows the one before it.
#[derive(Default)]
struct Kept {
    number: i64,
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

impl Kept {
    fn take(&mut self, frame: &Value) {
        let number = frame["data"]["u"].as_i64().unwrap();
        if frame["type"] == "snapshot" {
            *self = Self::default();
        } else {
            assert_eq!(number, self.number + 1, "no change is left out");
        }
        self.number = number;
        for (side, rows) in [(&mut self.bids, "b"), (&mut self.asks, "a")] {
            for row in frame["data"][rows].as_array().unwrap() {
                let (price, size) = (d(&row[0]), d(&row[1]));
                if size.is_zero() {
                    side.remove(&price)
                } else {
                    side.insert(price, size)
                };
            }
        }
        assert_eq!((self.bids.len(), self.asks.len()), (50, 50));
    }
}

#[tokio::test]
async fn a_book_kept_from_changes_is_the_venues_book() {
    let bench = moving().await;
    let mut socket = listening(&bench, &["orderbook.50.BTCUSDT", "tickers.BTCUSDT"]).await;
    let (mut kept, mut heard) = (Kept::default(), 0);
    for _ in 0..6 {
        bench.venue.step();
    }
    // A second listener does not disturb the first and begins with the same book.
    let mut late = listening(&bench, &["orderbook.50.BTCUSDT"]).await;
    let mut second = Kept::default();
    second.take(&late.until("orderbook.50.BTCUSDT", |_| true).await);
    for _ in 0..6 {
        bench.venue.step();
    }
    while heard < 25 {
        let frame = socket.hear().await;
        if frame["topic"] == "orderbook.50.BTCUSDT" {
            kept.take(&frame);
            heard += 1;
            if kept.number == second.number {
                assert_eq!((&kept.bids, &kept.asks), (&second.bids, &second.asks));
            }
        }
    }
    let ticker = bench.get("/v5/market/tickers", "category=linear&symbol=BTCUSDT").await;
    let ticker = &ticker["result"]["list"][0];
    let (bid, bid_size) = kept.bids.last_key_value().unwrap();
    let (ask, ask_size) = kept.asks.first_key_value().unwrap();
    assert_eq!((*bid, *bid_size), (d(&ticker["bid1Price"]), d(&ticker["bid1Size"])));
    assert_eq!((*ask, *ask_size), (d(&ticker["ask1Price"]), d(&ticker["ask1Size"])));
    assert!(*bid < d(&ticker["lastPrice"]) && d(&ticker["lastPrice"]) < *ask);
    let premium = d(&ticker["markPrice"]) / d(&ticker["indexPrice"]) - Decimal::ONE;
    assert!(premium.abs() <= Decimal::new(6, 4), "{premium}");
}

#[tokio::test]
async fn open_interest_moves_and_its_past_agrees_with_its_present() {
    let bench = moving().await;
    let mut seen = Vec::new();
    for _ in 0..30 {
        bench.venue.step();
        let ticker = bench.get("/v5/market/tickers", "category=linear&symbol=BTCUSDT").await;
        seen.push(d(&ticker["result"]["list"][0]["openInterest"]));
    }
    let past =
        bench.get("/v5/market/open-interest", "category=linear&symbol=BTCUSDT&intervalTime=5min").await;
    let past: Vec<Decimal> =
        past["result"]["list"].as_array().unwrap().iter().map(|row| d(&row["openInterest"])).collect();
    assert_eq!(seen.last(), past.first());
    seen.dedup();
    assert!(seen.len() > 4, "{seen:?}");
    assert!(seen.iter().all(|interest| past.contains(interest)));
}

#[tokio::test]
async fn muted_topics_are_silent_and_come_back_with_a_gap() {
    let bench = moving().await;
    let mut socket = listening(&bench, &["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"]).await;
    let first = socket.until("orderbook.50.BTCUSDT", |_| true).await["data"]["u"].as_i64().unwrap();
    bench.control("mute", &json!({ "topics": ["orderbook"] }));
    bench.venue.step();
    bench.control("mute", &json!({ "topics": [] }));
    bench.venue.step();
    let next = socket.until("orderbook.50.BTCUSDT", |_| true).await;
    assert_eq!(next["type"], "delta");
    assert!(next["data"]["u"].as_i64().unwrap() > first + 1, "the listener can see that it missed something");
}
