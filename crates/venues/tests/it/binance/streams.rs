//! Streams: two connections for USD-M, books over REST and deltas, the listen key, news of the account.

use keyhold_domain::{ContractType, OrderStatus, Timeframe};
use keyhold_venues::port::{MarketSubscription, Series};
use keyhold_venues::{AccountEvent, EventStream, MarketData, MarketEvent, TradingVenue};
use serde_json::{Value, json};

use super::support::{market, ok, time_is, venue};
use crate::servers::{NOW_MS, PATIENCE, Reaction, Seen, Server, WsPeer, WsServer, not_found, patient};
use crate::support::order_id;

use ContractType::{Inverse, Linear};

async fn next<T>(events: &mut EventStream<T>) -> T {
    tokio::time::timeout(PATIENCE, events.next_event()).await.expect("no event came").expect("the task ended")
}

fn served(seen: &Seen) -> Reaction {
    match seen.path() {
        "/fapi/v1/time" | "/dapi/v1/time" => time_is(NOW_MS),
        "/fapi/v1/depth" => {
            ok(&json!({"lastUpdateId": 100, "E": NOW_MS, "bids": [["10", "1"]], "asks": [["12", "2"]]}))
        }
        "/fapi/v1/listenKey" | "/dapi/v1/listenKey" => ok(&json!({"listenKey": "abcDEF123"})),
        "/dapi/v1/exchangeInfo" => ok(&json!({"symbols": [{"symbol": "BTCUSD_PERP", "contractSize": 100}]})),
        "/fapi/v1/income" => {
            ok(&json!([{"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.25",
            "asset": "USDT", "time": NOW_MS, "tranId": 9}]))
        }
        _ => not_found(),
    }
}

async fn confirm(peer: &mut WsPeer) -> Value {
    let frame = peer.frame().await;
    assert_eq!(frame["method"], "SUBSCRIBE");
    peer.send(&json!({"result": null, "id": frame["id"]})).await;
    frame["params"].clone()
}

fn subscription(symbol: &str) -> MarketSubscription {
    let symbol = symbol.parse().unwrap();
    let series = vec![Series { symbol, timeframe: Timeframe::M1, after: None }];
    MarketSubscription { series, books: [symbol].into(), trades: [symbol].into() }
}

fn kline(symbol: &str, open: i64) -> Value {
    json!({"e": "kline", "E": open + 60_000, "s": symbol, "k": {"t": open, "i": "1m", "o": "10", "c": "11", "h": "12",
        "l": "9", "v": "5", "x": true}})
}

fn depth(first: i64, last: i64, previous: i64, bid: &str) -> Value {
    json!({"e": "depthUpdate", "E": NOW_MS, "s": "BTCUSDT", "U": first, "u": last, "pu": previous,
        "b": [[bid, "3"]], "a": []})
}

#[tokio::test]
async fn a_book_is_joined_from_a_question_and_a_stream() {
    let (server, ws) = (Server::start(served).await, WsServer::start().await);
    let market = market(Linear, server.address, ws.address, patient());
    let mut events = market.market_events(subscription("BTCUSDT"));
    let (mut prices, mut books) = (ws.accept().await, ws.accept().await);
    let names = confirm(&mut prices).await;
    assert_eq!(
        names,
        json!(["btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@miniTicker", "btcusdt@aggTrade"])
    );
    assert_eq!(confirm(&mut books).await, json!(["btcusdt@bookTicker", "btcusdt@depth@500ms"]));
    assert!(matches!(next(&mut events).await, MarketEvent::Resynced { .. }));
    // Older than the answer, around it, and after it.
    books.send(&depth(90, 95, 89, "1")).await;
    books.send(&depth(96, 104, 95, "10.5")).await;
    books.send(&depth(105, 106, 104, "11")).await;
    books.send(&json!({"e": "bookTicker", "E": NOW_MS, "s": "BTCUSDT", "b": "11", "a": "12"})).await;
    let MarketEvent::Ticker(ticker) = next(&mut events).await else { panic!("no prices") };
    assert_eq!(ticker.bid.unwrap().to_string(), "11");
    let open = NOW_MS / 60_000 * 60_000;
    prices.send(&kline("BTCUSDT", open)).await;
    let MarketEvent::Book { book, .. } = next(&mut events).await else { panic!("no book") };
    let bids: Vec<_> = book.bids.iter().map(|(price, size)| format!("{price}x{size}")).collect();
    assert_eq!(bids, ["11x3", "10.5x3", "10x1"]);
    assert!(matches!(next(&mut events).await, MarketEvent::CandleClosed { .. }));
    assert_eq!(server.seen("/fapi/v1/depth").len(), 1);
    // One connection dies with the other.
    drop(books);
    assert!(matches!(next(&mut events).await, MarketEvent::Disconnected { .. }));
}

#[tokio::test]
async fn a_refused_stream_does_not_silence_the_others() {
    let (server, ws) = (Server::start(served).await, WsServer::start().await);
    let market = market(Inverse, server.address, ws.address, patient());
    let mut wanted = subscription("BTCUSD_PERP");
    wanted.books.clear();
    wanted.trades.clear();
    let mut events = market.market_events(wanted);
    let mut peer = ws.accept().await;
    let frame = peer.frame().await;
    assert_eq!(frame["params"][0], "btcusd_perp@kline_1m");
    peer.send(&json!({"error": {"code": -1121, "msg": "Invalid symbol."}, "id": frame["id"]})).await;
    let MarketEvent::Refused(error) = next(&mut events).await else { panic!("not refused") };
    assert_eq!(error.refusal(), Some(keyhold_domain::RefusalCode::InvalidOrder));
    assert!(matches!(next(&mut events).await, MarketEvent::Resynced { .. }));
    peer.send(&kline("BTCUSD_PERP", NOW_MS / 60_000 * 60_000)).await;
    let MarketEvent::CandleClosed { candle, .. } = next(&mut events).await else { panic!("no candle") };
    assert_eq!(candle.volume.to_string(), "500", "contracts became dollars");
}

fn order_message(status: &str, execution: &str) -> Value {
    json!({"e": "ORDER_TRADE_UPDATE", "E": NOW_MS, "T": NOW_MS, "o": {"s": "BTCUSDT", "c": order_id(1).to_string(),
        "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.01", "p": "30000", "x": execution, "X": status, "i": 77,
        "l": if execution == "TRADE" { "0.004" } else { "0" }, "z": "0.004", "L": "30000", "N": "USDT", "n": "0.02",
        "T": NOW_MS, "t": 5, "m": true, "R": false, "ps": "BOTH"}})
}

#[tokio::test]
async fn news_of_the_account_come_behind_a_listen_key() {
    let (server, ws) = (Server::start(served).await, WsServer::start().await);
    let mut settings = patient();
    settings.ping_interval = std::time::Duration::from_millis(20);
    let venue = venue(Linear, server.address, ws.address, settings);
    let mut events = venue.account_events();
    let mut peer = ws.accept().await;
    let made = server.seen("/fapi/v1/listenKey").remove(0);
    assert_eq!((made.verb.as_str(), made.header("x-mbx-apikey")), ("POST", Some("TESTKEY")));
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
    peer.send(&order_message("NEW", "NEW")).await;
    let AccountEvent::OrderUpdate(update) = next(&mut events).await else { panic!("no update") };
    assert_eq!((update.client_id, update.status), (order_id(1), OrderStatus::Open));
    peer.send(&order_message("PARTIALLY_FILLED", "TRADE")).await;
    let AccountEvent::Fill(fill) = next(&mut events).await else { panic!("no fill") };
    assert_eq!((fill.fill_id.as_str(), fill.client_id), ("BTCUSDT:5", Some(order_id(1))));
    assert!(matches!(next(&mut events).await, AccountEvent::OrderUpdate(_)));
    peer.send(&json!({"e": "ACCOUNT_UPDATE", "E": NOW_MS, "T": NOW_MS, "a": {"m": "FUNDING_FEE",
        "B": [{"a": "USDT", "wb": "100", "cw": "90", "bc": "-0.25"}], "P": []}}))
        .await;
    assert!(matches!(next(&mut events).await, AccountEvent::Balance(_)));
    // Whose funding it was is asked for.
    let AccountEvent::Funding(payment) = next(&mut events).await else { panic!("no funding") };
    assert_eq!((payment.symbol.as_str(), payment.paid.amount.to_string()), ("BTCUSDT", "0.25".to_owned()));
    peer.send(&json!({"e": "listenKeyExpired", "E": NOW_MS, "listenKey": "abcDEF123"})).await;
    assert!(matches!(next(&mut events).await, AccountEvent::Disconnected { .. }));
    let _peer = ws.accept().await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
    assert_eq!(server.seen("/fapi/v1/listenKey").len(), 2, "a new key for a new session");
}

#[tokio::test]
async fn a_triggered_stop_keeps_our_name_on_the_stream() {
    let (server, ws) = (Server::start(served).await, WsServer::start().await);
    let venue = venue(Linear, server.address, ws.address, patient());
    let mut events = venue.account_events();
    let mut peer = ws.accept().await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
    let algo = |status: &str, actual: &str| {
        json!({"e": "ALGO_UPDATE", "E": NOW_MS, "T": NOW_MS, "o": {"caid": order_id(2).to_string(), "aid": 11,
            "s": "BTCUSDT", "X": status, "ai": actual, "aq": "0", "q": "0.01"}})
    };
    peer.send(&algo("NEW", "")).await;
    let AccountEvent::OrderUpdate(update) = next(&mut events).await else { panic!("no update") };
    assert_eq!((update.status, update.venue_id.unwrap().as_str()), (OrderStatus::Untriggered, "a11"));
    peer.send(&algo("TRIGGERED", "77")).await;
    let AccountEvent::OrderUpdate(update) = next(&mut events).await else { panic!("no update") };
    assert_eq!(update.status, OrderStatus::Open);
    let mut fill = order_message("FILLED", "TRADE");
    fill["o"]["c"] = json!("a-name-of-the-venues");
    peer.send(&fill).await;
    let AccountEvent::Fill(fill) = next(&mut events).await else { panic!("no fill") };
    assert_eq!(fill.client_id, Some(order_id(2)));
    let AccountEvent::OrderUpdate(update) = next(&mut events).await else { panic!("no update") };
    assert_eq!((update.client_id, update.status), (order_id(2), OrderStatus::Filled));
}

/// The venue may tell a stop's fill before it tells that the stop has fired, or never tell the latter.
#[tokio::test]
async fn a_fill_that_comes_before_its_name_waits_for_it() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v1/order" => ok(&json!({"orderId": 78, "symbol": "BTCUSDT", "status": "FILLED",
            "clientOrderId": "a-name-of-the-venues", "type": "MARKET", "origType": "STOP_MARKET", "side": "SELL"})),
        "/fapi/v1/allAlgoOrders" => ok(&json!([
            {"algoId": 12, "clientAlgoId": order_id(3).to_string(), "symbol": "BTCUSDT", "actualOrderId": "78"}])),
        _ => served(seen),
    })
    .await;
    let ws = WsServer::start().await;
    let mut settings = patient();
    settings.ping_interval = std::time::Duration::from_millis(20);
    let venue = venue(Linear, server.address, ws.address, settings);
    let mut events = venue.account_events();
    let mut peer = ws.accept().await;
    assert!(matches!(next(&mut events).await, AccountEvent::Resynced { .. }));
    let fill = |order: i64| {
        let mut fill = order_message("FILLED", "TRADE");
        fill["o"]["c"] = json!("a-name-of-the-venues");
        fill["o"]["ot"] = json!("STOP_MARKET");
        fill["o"]["i"] = json!(order);
        fill["o"]["t"] = json!(order);
        fill
    };
    peer.send(&fill(77)).await;
    let algo = json!({"e": "ALGO_UPDATE", "E": NOW_MS, "T": NOW_MS, "o": {"caid": order_id(2).to_string(), "aid": 11,
        "s": "BTCUSDT", "X": "TRIGGERED", "ai": "77", "aq": "0", "q": "0.01"}});
    peer.send(&algo).await;
    // The second one's name is asked for.
    peer.send(&fill(78)).await;
    let mut fills = std::collections::BTreeMap::new();
    let mut filled = std::collections::BTreeSet::new();
    while fills.len() < 2 || filled.len() < 2 {
        match next(&mut events).await {
            AccountEvent::Fill(fill) => {
                fills.insert(fill.venue_order_id.as_str().to_owned(), fill.client_id);
            }
            AccountEvent::OrderUpdate(update) if update.status == OrderStatus::Filled => {
                filled.insert(update.client_id);
            }
            AccountEvent::OrderUpdate(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let named = [("77", order_id(2)), ("78", order_id(3))];
    assert_eq!(fills, named.map(|(order, name)| (order.to_owned(), Some(name))).into());
    assert_eq!(filled, named.map(|(_, name)| name).into());
}
