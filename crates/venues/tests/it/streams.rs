//! Streams: order and completeness of candles over breaks, login, silence, news of the account.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyhold_domain::{OrderStatus, Timeframe, Timestamp};
use keyhold_venues::bybit::Bybit;
use keyhold_venues::event::CandleOrigin;
use keyhold_venues::port::{MarketSubscription, Series};
use keyhold_venues::{AccountEvent, EventStream, MarketData, MarketEvent, Settings, TradingVenue};
use serde_json::{Value, json};

use crate::adapter::candles_answer;
use crate::servers::{
    NOW_MS, PATIENCE, Reaction, Server, WsPeer, WsServer, endpoints, market, not_found, patient,
};
use crate::support::{hex, hmac_sha256, order_id, test_signer};

const STEP: i64 = 60_000;

/// The candle that is forming at the standing clock's instant.
const FORMING: i64 = NOW_MS / STEP * STEP;

async fn next<T>(events: &mut EventStream<T>) -> T {
    tokio::time::timeout(PATIENCE, events.next_event()).await.expect("no event came").expect("the task ended")
}

fn kline(open: i64, confirm: Confirm) -> Value {
    let row = json!({"start": open, "end": open + STEP - 1, "interval": "1", "open": "10", "close": "11", "high": "12",
                     "low": "9", "volume": "5", "turnover": "50", "confirm": confirm == Confirm::Closed, "timestamp": open});
    json!({"topic": "kline.1.BTCUSDT", "type": "snapshot", "ts": open, "data": [row]})
}

#[derive(Clone, Copy, PartialEq)]
enum Confirm {
    Closed,
    Forming,
}

/// Closed candles and gaps in steps before or after the forming candle; other events by name.
fn told(event: &MarketEvent) -> String {
    let step = |at: Timestamp| (at.ms() - FORMING) / STEP;
    match event {
        MarketEvent::CandleClosed { candle, origin: CandleOrigin::Stream, .. } => {
            format!("closed {}", step(candle.open_time))
        }
        MarketEvent::CandleClosed { candle, origin: CandleOrigin::Fetched, .. } => {
            format!("fetched {}", step(candle.open_time))
        }
        MarketEvent::CandleForming { candle, .. } => format!("forming {}", step(candle.open_time)),
        MarketEvent::Gap { from, until, .. } => format!("gap {}..{}", step(*from), step(*until)),
        MarketEvent::Ticker(ticker) => format!("ticker {:?} {:?}", ticker.last, ticker.mark),
        MarketEvent::Book { book, .. } => format!("book {:?} {:?}", book.bids, book.asks),
        MarketEvent::Traded { open_time, sums, .. } => {
            format!("traded {} {} {}", step(*open_time), sums.buy, sums.sell)
        }
        MarketEvent::Disconnected { .. } => "disconnected".to_owned(),
        MarketEvent::Resynced { .. } => "resynced".to_owned(),
        MarketEvent::Refused(_) => "refused".to_owned(),
        MarketEvent::Undecodable(error) => format!("undecodable: {error}"),
    }
}

async fn assert_told(events: &mut EventStream<MarketEvent>, expected: &[&str]) {
    for line in expected {
        assert_eq!(told(&next(events).await), *line);
    }
}

fn one_series(after: Option<i64>) -> MarketSubscription {
    let after = after.map(|steps| Timestamp::from_ms(FORMING + steps * STEP));
    let series = Series { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M1, after };
    MarketSubscription { series: vec![series], ..MarketSubscription::default() }
}

/// A server of candles that can be told to fail.
async fn candle_server() -> (Server, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&fails);
    let server = Server::start(move |seen| match seen.path() {
        "/v5/market/kline" if flag.load(Ordering::SeqCst) => Reaction::Answer(500, String::new()),
        "/v5/market/kline" => candles_answer(seen, STEP),
        _ => not_found(),
    })
    .await;
    (server, fails)
}

async fn subscribed(ws: &WsServer) -> WsPeer {
    let mut peer = ws.accept().await;
    let frame = peer.confirm("subscribe").await;
    assert_eq!(frame["args"], json!(["kline.1.BTCUSDT", "tickers.BTCUSDT"]));
    peer
}

#[tokio::test]
async fn candles_are_whole_over_gaps_repeats_and_breaks() {
    let (server, fails) = candle_server().await;
    let ws = WsServer::start().await;
    let market = market(endpoints(server.address, ws.address), patient());
    let mut events = market.market_events(one_series(Some(-4)));
    let mut peer = subscribed(&ws).await;
    // What the program missed before it listened.
    assert_told(&mut events, &["fetched -3", "fetched -2", "fetched -1", "resynced"]).await;
    peer.send(&kline(FORMING, Confirm::Forming)).await;
    peer.send(&kline(FORMING, Confirm::Closed)).await;
    peer.send(&kline(FORMING, Confirm::Closed)).await;
    peer.send(&kline(FORMING + 3 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["forming 0", "closed 0", "fetched 1", "fetched 2", "closed 3"]).await;
    // A gap that cannot be filled is told, and the stream goes on.
    fails.store(true, Ordering::SeqCst);
    peer.send(&kline(FORMING + 6 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["gap 4..6", "closed 6"]).await;
    fails.store(false, Ordering::SeqCst);
    drop(peer);
    assert_told(&mut events, &["disconnected"]).await;
    let mut peer = subscribed(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    peer.send(&kline(FORMING + 8 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["fetched 7", "closed 8"]).await;
}

#[tokio::test]
async fn prices_are_kept_together_from_their_changes() {
    let (server, _) = candle_server().await;
    let ws = WsServer::start().await;
    let market = market(endpoints(server.address, ws.address), patient());
    let mut events = market.market_events(one_series(None));
    let mut peer = subscribed(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    let change = |kind: &str, fields: Value| json!({"topic": "tickers.BTCUSDT", "type": kind, "ts": NOW_MS, "data": fields});
    peer.send(&change("snapshot", json!({"symbol": "BTCUSDT", "lastPrice": "10", "markPrice": "11"}))).await;
    peer.send(&change("delta", json!({"symbol": "BTCUSDT", "lastPrice": "12"}))).await;
    peer.send(&change("delta", json!({"symbol": "BTCUSDT", "lastPrice": "12 USDT"}))).await;
    assert_told(
        &mut events,
        &[
            "ticker Some(10) Some(11)",
            "ticker Some(12) Some(11)",
            "undecodable: the field lastPrice of the ticker is not a price",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_refused_topic_does_not_silence_the_others() {
    let (server, _) = candle_server().await;
    let ws = WsServer::start().await;
    let market = market(endpoints(server.address, ws.address), patient());
    let series =
        |symbol: &str| Series { symbol: symbol.parse().unwrap(), timeframe: Timeframe::M1, after: None };
    let subscription = MarketSubscription {
        series: vec![series("AAAUSDT"), series("BTCUSDT")],
        ..MarketSubscription::default()
    };
    let mut events = market.market_events(subscription);
    let mut peer = ws.accept().await;
    peer.frame().await;
    peer.send(&json!({"success": false, "ret_msg": "Invalid topic", "op": "subscribe"})).await;
    peer.confirm("subscribe").await;
    assert_told(&mut events, &["refused", "resynced"]).await;
    peer.send(&kline(FORMING, Confirm::Closed)).await;
    assert_told(&mut events, &["closed 0"]).await;
}

fn book(kind: &str, number: i64, bids: &[[&str; 2]], asks: &[[&str; 2]]) -> Value {
    json!({"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": FORMING + 500, "cts": FORMING + 490,
           "data": {"s": "BTCUSDT", "b": bids, "a": asks, "u": number, "seq": number * 3}})
}

fn trades(id: &str, rows: &[(&str, &str, i64)]) -> Value {
    let row = |(side, size, at): &(&str, &str, i64)| json!({"T": at, "s": "BTCUSDT", "S": side, "v": size, "p": "11", "L": "PlusTick", "i": id, "BT": false});
    let rows: Vec<Value> = rows.iter().map(row).collect();
    json!({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": FORMING, "data": rows})
}

async fn everything(ws: &WsServer) -> WsPeer {
    let mut peer = ws.accept().await;
    let frame = peer.confirm("subscribe").await;
    let topics = ["kline.1.BTCUSDT", "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT"];
    assert_eq!(frame["args"], json!(topics));
    peer
}

#[tokio::test]
async fn books_and_trades_are_told_with_the_candle_that_closed() {
    let (server, _) = candle_server().await;
    let ws = WsServer::start().await;
    let market = market(endpoints(server.address, ws.address), patient());
    let symbol = "BTCUSDT".parse().unwrap();
    let subscription =
        MarketSubscription { books: [symbol].into(), trades: [symbol].into(), ..one_series(None) };
    let mut events = market.market_events(subscription);
    let mut peer = everything(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    // The first message says that all later trades will be heard: this candle is summed from its first trade on.
    peer.send(&book("snapshot", 7, &[["10", "1"], ["9.5", "2"]], &[["10.5", "3"]])).await;
    peer.send(&trades("a", &[("Buy", "3", FORMING + 100), ("Sell", "1", FORMING + STEP - 1)])).await;
    // The same message twice, and a trade of the next candle.
    peer.send(&trades("b", &[("Sell", "1", FORMING + STEP - 1), ("Buy", "9", FORMING + STEP)])).await;
    peer.send(&trades("b", &[("Sell", "1", FORMING + STEP - 1), ("Buy", "9", FORMING + STEP)])).await;
    peer.send(&book("delta", 8, &[["10", "0"]], &[["10.25", "4"]])).await;
    peer.send(&kline(FORMING, Confirm::Closed)).await;
    // The first message came within the candle: its trades may not be all.
    assert_told(&mut events, &["book [(9.5, 2)] [(10.25, 4), (10.5, 3)]", "closed 0"]).await;
    peer.send(&kline(FORMING + STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["book [(9.5, 2)] [(10.25, 4), (10.5, 3)]", "traded 1 9 0", "closed 1"]).await;
    // A change is missing: the book says nothing more and is asked for anew.
    peer.send(&book("delta", 10, &[["9", "1"]], &[])).await;
    let frames = [peer.frame().await, peer.frame().await];
    let asked: Vec<(&Value, &Value)> = frames.iter().map(|frame| (&frame["op"], &frame["args"])).collect();
    let topic = json!(["orderbook.50.BTCUSDT"]);
    assert_eq!(asked, [(&json!("unsubscribe"), &topic), (&json!("subscribe"), &topic)]);
    peer.send(&kline(FORMING + 2 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["closed 2"]).await;
    peer.send(&json!({"success": true, "op": "subscribe", "req_id": "3"})).await;
    peer.send(&book("snapshot", 20, &[["10", "1"]], &[["11", "1"]])).await;
    peer.send(&kline(FORMING + 3 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["book [(10, 1)] [(11, 1)]", "closed 3"]).await;
    // Nothing survives a break.
    drop(peer);
    assert_told(&mut events, &["disconnected"]).await;
    let mut peer = everything(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    peer.send(&kline(FORMING + 4 * STEP, Confirm::Closed)).await;
    assert_told(&mut events, &["closed 4"]).await;
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let (server, _) = candle_server().await;
    let ws = WsServer::start().await;
    let settings = Settings {
        ping_interval: Duration::from_millis(100),
        silence_limit: Duration::from_millis(400),
        ..patient()
    };
    let market = market(endpoints(server.address, ws.address), settings);
    let mut events = market.market_events(one_series(None));
    // Kept open, but nothing is said and no ping is answered.
    let _silent = subscribed(&ws).await;
    assert_told(&mut events, &["resynced", "disconnected"]).await;
    let mut peer = subscribed(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    // A peer that answers pings stays.
    let answering = tokio::spawn(async move { peer.frame().await });
    tokio::time::timeout(Duration::from_secs(1), events.next_event()).await.unwrap_err();
    answering.abort();
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let (server, _) = candle_server().await;
    let ws = WsServer::start().await;
    let market = market(endpoints(server.address, ws.address), patient());
    let mut events = market.market_events(one_series(None));
    let peer = subscribed(&ws).await;
    assert_told(&mut events, &["resynced"]).await;
    drop(events);
    peer.gone().await;
}

async fn logged_in(ws: &WsServer) -> WsPeer {
    let mut peer = ws.accept().await;
    let login = peer.confirm("auth").await;
    let expires = login["args"][1].as_i64().unwrap();
    assert_eq!(expires, NOW_MS + 10_000);
    let signed = hmac_sha256(b"TESTSECRET", format!("GET/realtime{expires}").as_bytes());
    assert_eq!((&login["args"][0], &login["args"][2]), (&json!("TESTKEY"), &json!(hex(&signed))));
    let topics = peer.confirm("subscribe").await;
    assert_eq!(topics["args"], json!(["order", "execution", "position", "wallet"]));
    peer
}

fn order_news(link: &str, category: &str) -> Value {
    json!({"category": category, "symbol": "BTCUSDT", "orderId": "v-1", "orderLinkId": link, "orderStatus": "Filled",
           "cumExecQty": "0.01", "updatedTime": "1700000005000", "rejectReason": "EC_NoError", "cancelType": "UNKNOWN"})
}

fn execution_news(kind: &str, fee: &str) -> Value {
    json!({"category": "linear", "symbol": "BTCUSDT", "orderId": "v-1", "orderLinkId": "", "side": "Sell", "execId": "e-1",
           "execPrice": "30000", "execQty": "0.01", "execFee": fee, "execType": kind, "execTime": "1700000005000",
           "isMaker": false, "leavesQty": "0"})
}

#[tokio::test]
async fn news_of_the_account_arrive_in_order() {
    let server = Server::start(|_| not_found()).await;
    let ws = WsServer::start().await;
    let venue = Bybit::new(market(endpoints(server.address, ws.address), patient()), test_signer());
    let mut events = venue.account_events();
    let mut peer = logged_in(&ws).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));

    let ours = order_id(1).to_string();
    let orders = [order_news(&ours, "spot"), order_news("foreign", "linear"), order_news(&ours, "linear")];
    peer.send(&json!({"topic": "order", "data": orders})).await;
    let AccountEvent::OrderUpdate(update) = next(&mut events).await else { panic!("no order") };
    assert_eq!((update.client_id, update.status), (order_id(1), OrderStatus::Filled));

    let executions =
        [execution_news("BustTrade", "0.5"), execution_news("Funding", "-0.25"), execution_news("Trade", "")];
    peer.send(&json!({"topic": "execution", "data": executions})).await;
    let AccountEvent::Fill(fill) = next(&mut events).await else { panic!("no fill") };
    assert_eq!((fill.client_id, fill.fee.to_string()), (None, "0.5 USDT".to_owned()));
    assert!(matches!(next(&mut events).await, AccountEvent::Forced { .. }));
    let AccountEvent::Funding(payment) = next(&mut events).await else { panic!("no funding") };
    assert_eq!(payment.paid.to_string(), "-0.25 USDT");
    let AccountEvent::Undecodable(error) = next(&mut events).await else { panic!("no error") };
    assert!(error.to_string().contains("execFee"));

    let position = json!({"category": "linear", "symbol": "BTCUSDT", "positionIdx": 0, "side": "", "size": "0", "entryPrice": "0"});
    peer.send(&json!({"topic": "position", "data": [position]})).await;
    let AccountEvent::Position(position) = next(&mut events).await else { panic!("no position") };
    assert!(position.size.is_flat() && position.entry.is_none());

    let coin = json!({"coin": "USDT", "walletBalance": "10", "equity": "9", "totalPositionIM": "1"});
    peer.send(&json!({"topic": "wallet", "data": [{"accountType": "UNIFIED", "coin": [coin]}]})).await;
    let AccountEvent::Balance(balance) = next(&mut events).await else { panic!("no balance") };
    assert_eq!(balance.available.to_string(), "8");

    drop(peer);
    assert!(matches!(next(&mut events).await, AccountEvent::Disconnected { .. }));
    let _peer = logged_in(&ws).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
}

#[tokio::test]
async fn a_refused_login_is_told_and_tried_again() {
    let server = Server::start(|_| not_found()).await;
    let ws = WsServer::start().await;
    let venue = Bybit::new(market(endpoints(server.address, ws.address), patient()), test_signer());
    let mut events = venue.account_events();
    let mut peer = ws.accept().await;
    peer.frame().await;
    peer.send(&json!({"success": false, "retCode": 10003, "ret_msg": "API key is invalid.", "op": "auth"}))
        .await;
    let AccountEvent::Refused(error) = next(&mut events).await else { panic!("not refused") };
    assert_eq!(error.refusal(), Some(keyhold_domain::RefusalCode::BadKey));
    let _peer = logged_in(&ws).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
}
