//! Signatures, limits, refusals and tables, frame by frame.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use keyhold_domain::Exchange;
use keyhold_fake_venues::config::{CandleSource, MarketConfig};
use keyhold_fake_venues::parse_instrument_at;
use serde_json::{Value, json};

use crate::client::{Bench, Socket, candles, config, sign};

const KEY: (&str, &str) = ("TESTKEY", "TESTSECRET");

/// A market that moves by some hundreds a minute.
async fn bench() -> Bench {
    let row = |n: i64| {
        let (open, close) = (50_000 + n % 7 * 100, 50_000 + (n + 1) % 7 * 100);
        [open, open.max(close) + 10, open.min(close) - 10, close]
    };
    let rows: Vec<[i64; 4]> = (0..60).map(row).collect();
    let source = CandleSource::Recorded(candles(&rows));
    let mut config = config(&source, 20);
    config.venue = Exchange::Bitmex;
    let market = |name: &str| MarketConfig {
        instrument: parse_instrument_at(Exchange::Bitmex, name).unwrap(),
        source: source.clone(),
    };
    config.markets = vec![market("XBTUSDT=linear"), market("XBTUSD=inverse")];
    Bench::with(config).await
}

/// A signed request: status, headers, body.
async fn call(
    bench: &Bench,
    verb: &str,
    path: &str,
    body: &str,
    key: (&str, &str),
) -> (u16, BTreeMap<String, String>, Value) {
    let expires = bench.wall.load(Ordering::SeqCst) / 1_000 + 5;
    let signed = sign(key.1, &format!("{verb}{path}{expires}{body}"));
    send(
        bench,
        verb,
        path,
        body,
        &[("api-key", key.0.to_owned()), ("api-expires", expires.to_string()), ("api-signature", signed)],
    )
    .await
}

async fn send(
    bench: &Bench,
    verb: &str,
    path: &str,
    body: &str,
    headers: &[(&str, String)],
) -> (u16, BTreeMap<String, String>, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (head, body) = bench.send(verb, path, query, body, headers).await.unwrap();
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = head.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    (head.status().as_u16(), headers, body)
}

fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_request_must_be_signed_in_time_and_to_the_letter() {
    let bench = bench().await;
    let path = "/api/v1/user/margin?currency=all";
    let (status, headers, body) = call(&bench, "GET", path, "", KEY).await;
    assert_eq!((status, body.as_array().unwrap().len()), (200, 2));
    let usdt = body.as_array().unwrap().iter().find(|row| row["currency"] == "USDt").unwrap();
    assert_eq!(usdt["walletBalance"], 10_000_000_000_i64, "whole millionths");
    assert_eq!(headers["date"], "Sun, 27 Oct 2024 03:33:20 GMT", "the venue's clock, in whole seconds");
    assert_eq!(headers["x-ratelimit-limit"], "120");
    assert_eq!(headers["x-ratelimit-remaining"], "119");
    let (status, _, body) = send(&bench, "GET", path, "", &[]).await;
    assert_eq!((status, message(&body)), (401, "Authorization Required"));
    let (status, _, body) = call(&bench, "GET", path, "", ("TESTKEY", "WRONG")).await;
    assert_eq!((status, message(&body)), (401, "Signature not valid."));
    let late = (bench.wall.load(Ordering::SeqCst) / 1_000 - 1).to_string();
    let signed = sign("TESTSECRET", &format!("GET{path}{late}"));
    let headers = [("api-key", "TESTKEY".to_owned()), ("api-expires", late), ("api-signature", signed)];
    let (status, _, body) = send(&bench, "GET", path, "", &headers).await;
    assert!(status == 401 && message(&body).contains("has expired"), "{body}");
    for (key, text) in [
        (("FOREIGNKEY", "FOREIGNSECRET"), "This IP address is not allowed to use this key."),
        (("EXPIREDKEY", "EXPIREDSECRET"), "This key is disabled."),
    ] {
        let (status, _, body) = call(&bench, "GET", path, "", key).await;
        assert_eq!((status, message(&body)), (403, text));
    }
    let order = r#"{"symbol":"XBTUSDT","orderQty":1000}"#;
    let (status, _, body) = call(&bench, "POST", "/api/v1/order", order, ("READKEY", "READSECRET")).await;
    assert_eq!((status, message(&body)), (403, "Access Denied"));
}

#[tokio::test]
async fn limits_are_told_and_kept() {
    let bench = bench().await;
    let body = r#"{"symbol":"XBTUSDT","side":"Buy","orderQty":1000,"ordType":"Limit","price":40000}"#;
    let mut left = Vec::new();
    for _ in 0..10 {
        let (status, headers, answer) = call(&bench, "POST", "/api/v1/order", body, KEY).await;
        assert_eq!(status, 200, "{answer}");
        left.push(headers["x-ratelimit-remaining-1s"].clone());
    }
    assert_eq!((left[0].as_str(), left[9].as_str()), ("9", "0"));
    let (status, headers, answer) = call(&bench, "POST", "/api/v1/order", body, KEY).await;
    assert_eq!((status, headers["retry-after"].as_str()), (429, "1"));
    assert_eq!(answer["error"]["name"], "RateLimitError");
    bench.wall.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(call(&bench, "POST", "/api/v1/order", body, KEY).await.0, 200);
    // Twelve of the minute's 120 are used up.
    for _ in 0..108 {
        assert_eq!(call(&bench, "GET", "/api/v1/position", "", KEY).await.0, 200);
    }
    let (status, headers, _) = call(&bench, "GET", "/api/v1/position", "", KEY).await;
    assert_eq!((status, headers["x-ratelimit-remaining"].as_str()), (429, "0"));
    let reset: i64 = headers["x-ratelimit-reset"].parse().unwrap();
    bench.wall.store(reset * 1_000 + 1_000, Ordering::SeqCst);
    assert_eq!(call(&bench, "GET", "/api/v1/position", "", KEY).await.0, 200);
}

#[tokio::test]
async fn orders_are_counted_in_contracts_and_money_in_minor_units() {
    let bench = bench().await;
    let post = async |body: Value| call(&bench, "POST", "/api/v1/order", &body.to_string(), KEY).await;
    let (_, _, order) =
        post(json!({"symbol": "XBTUSD", "side": "Buy", "orderQty": 1000, "ordType": "Market"})).await;
    assert_eq!((order["ordStatus"].as_str(), order["cumQty"].as_i64()), (Some("Filled"), Some(1_000)));
    let (_, _, fills) = call(&bench, "GET", "/api/v1/execution/tradeHistory?symbol=XBTUSD", "", KEY).await;
    let fill = &fills[0];
    // venues.md 8: the value is a whole number of satoshis.
    let price = fill["lastPx"].as_f64().unwrap();
    let value = (1000.0 / price * 1e8).round();
    assert!((fill["execCost"].as_f64().unwrap() - value).abs() < 1.0, "{fill}");
    assert!(fill["execComm"].is_i64() && fill["execComm"].as_i64().unwrap() > 0, "{fill}");
    assert_eq!(fill["settlCurrency"], "XBt");
    for (wrong, text) in [
        (json!({"symbol": "XBTUSDT", "side": "Buy", "orderQty": 1500, "ordType": "Market"}), "lot size"),
        (
            json!({"symbol": "XBTUSDT", "side": "Buy", "orderQty": 0.5, "ordType": "Market"}),
            "Invalid orderQty",
        ),
        (json!({"symbol": "ETHUSD", "side": "Buy", "orderQty": 1, "ordType": "Market"}), "symbol is invalid"),
        (
            json!({"symbol": "XBTUSDT", "side": "Buy", "orderQty": 900_000_000, "ordType": "Market"}),
            "insufficient",
        ),
    ] {
        let (status, _, body) = post(wrong).await;
        assert!(status == 400 && message(&body).contains(text), "{body}");
    }
    let (status, _, _) = call(&bench, "DELETE", "/api/v1/order", r#"{"orderID":"nobody"}"#, KEY).await;
    assert_eq!(status, 404);
}

async fn until(socket: &mut Socket, table: &str, action: &str) -> Value {
    loop {
        let frame = socket.hear().await;
        if frame["table"] == table && frame["action"] == action {
            return frame["data"].clone();
        }
    }
}

/// Ids of levels, sides and sizes as a client keeps them.
fn take(book: &mut BTreeMap<(i64, String), i64>, frame: &Value) {
    for row in frame["data"].as_array().unwrap() {
        let key = (row["id"].as_i64().unwrap(), row["side"].as_str().unwrap().to_owned());
        match frame["action"].as_str().unwrap() {
            "delete" => assert!(book.remove(&key).is_some(), "only known levels go"),
            "update" => {
                assert!(
                    book.insert(key, row["size"].as_i64().unwrap()).is_some(),
                    "only known levels change"
                );
            }
            _ => assert!(book.insert(key, row["size"].as_i64().unwrap()).is_none(), "a level comes once"),
        }
    }
}

#[tokio::test]
async fn tables_begin_with_a_partial_and_go_on_with_changes() {
    let bench = bench().await;
    let mut socket = bench.socket("/realtime").await;
    assert!(socket.hear().await["info"].as_str().unwrap().starts_with("Welcome"));
    socket.say(&json!({"op": "subscribe", "args": ["order"]})).await;
    assert_eq!(socket.hear().await["status"], 401, "the account's tables need a login");
    socket.say(&json!({"op": "subscribe", "args": ["orderBookL2_25:XBTUSDT", "nothing:XBTUSDT"]})).await;
    assert_eq!(socket.hear().await["subscribe"], "orderBookL2_25:XBTUSDT");
    let mut book = BTreeMap::new();
    take(&mut book, &socket.hear().await);
    assert_eq!(book.len(), 50);
    assert_eq!(socket.hear().await["status"], 400);
    for _ in 0..3 {
        bench.venue.step();
    }
    socket.say(&json!({"op": "subscribe", "args": ["tradeBin1m:XBTUSDT"]})).await;
    loop {
        let frame = socket.hear().await;
        if frame["subscribe"] == "tradeBin1m:XBTUSDT" {
            break;
        }
        take(&mut book, &frame);
    }
    assert_eq!(book.len(), 50);
    let (_, _, rest) = send(&bench, "GET", "/api/v1/orderBook/L2?symbol=XBTUSDT&depth=25", "", &[]).await;
    let rest: BTreeMap<(i64, String), i64> = rest
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let key = (row["id"].as_i64().unwrap(), row["side"].as_str().unwrap().to_owned());
            (key, row["size"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(book, rest);
    let before = until(&mut socket, "tradeBin1m", "partial").await;
    bench.venue.step();
    let candle = until(&mut socket, "tradeBin1m", "insert").await;
    assert_eq!(candle[0]["timestamp"], "2024-01-01T00:24:00.000Z", "the end of the bucket");
    assert_eq!(candle[0]["open"], before[0]["close"], "the close before it");
}

#[tokio::test]
async fn the_account_hears_what_changed() {
    let bench = bench().await;
    let mut socket = bench.socket("/realtime").await;
    socket.hear().await;
    let expires = bench.wall.load(Ordering::SeqCst) / 1_000 + 10;
    let signed = sign("TESTSECRET", &format!("GET/realtime{expires}"));
    socket.say(&json!({"op": "authKeyExpires", "args": ["TESTKEY", expires, signed]})).await;
    assert_eq!(socket.hear().await["success"], true);
    socket.say(&json!({"op": "subscribe", "args": ["order", "execution"]})).await;
    assert_eq!(until(&mut socket, "order", "partial").await, json!([]));
    let body = r#"{"symbol":"XBTUSDT","side":"Buy","orderQty":1000,"price":40000,"clOrdID":"mine"}"#;
    let (_, _, order) = call(&bench, "POST", "/api/v1/order", body, KEY).await;
    let row = until(&mut socket, "order", "insert").await;
    assert_eq!((&row[0]["orderID"], &row[0]["price"]), (&order["orderID"], &json!(40_000)));
    let body = json!({"origClOrdID": "mine", "price": 41_000}).to_string();
    assert_eq!(call(&bench, "PUT", "/api/v1/order", &body, KEY).await.0, 200);
    let row = until(&mut socket, "order", "update").await;
    assert_eq!(row[0]["price"], 41_000);
    assert!(row[0].get("side").is_none() && row[0].get("orderQty").is_none(), "{row}");
    socket.say(&json!({"op": "cancelAllAfter", "args": 5_000})).await;
    assert!(socket.hear().await["cancelTime"].is_string());
    bench.wall.fetch_add(6_000, Ordering::SeqCst);
    assert_eq!(until(&mut socket, "order", "update").await[0]["ordStatus"], "Canceled");
}
