//! The streams: login, subscriptions, candles, account news.

use serde_json::json;

use crate::client::{Bench, NOON, sign};

#[tokio::test]
async fn a_stream_needs_a_valid_login_and_known_topics() {
    let bench = Bench::quiet().await;
    let mut socket = bench.socket("/v5/private").await;
    socket.say(&json!({ "op": "subscribe", "args": ["order"] })).await;
    assert_eq!(socket.hear().await["success"], false);
    for (key, secret, expires) in [
        ("TESTKEY", "WRONG", NOON + 1),
        ("NOKEY", "TESTSECRET", NOON + 1),
        ("TESTKEY", "TESTSECRET", NOON - 1),
    ] {
        let signature = sign(secret, &format!("GET/realtime{expires}"));
        socket.say(&json!({ "op": "auth", "args": [key, expires, signature] })).await;
        assert_eq!(socket.hear().await["success"], false, "{key} {secret} {expires}");
    }
    let mut socket = bench.socket("/v5/public/linear").await;
    socket.say(&json!({ "op": "subscribe", "args": ["kline.7.BTCUSDT"], "req_id": "a" })).await;
    let answer = socket.hear().await;
    assert_eq!((&answer["success"], &answer["req_id"]), (&json!(false), &json!("a")));
    assert_eq!(answer["ret_msg"], "Invalid topic: kline.7.BTCUSDT");
    socket.say(&json!({ "op": "ping", "req_id": "b" })).await;
    assert_eq!(socket.hear().await["ret_msg"], "pong");
}

#[tokio::test]
async fn candles_are_confirmed_when_they_close() {
    let bench = Bench::quiet().await;
    let mut socket = bench.socket("/v5/public/inverse").await;
    let topics = ["kline.1.BTCUSD", "kline.5.BTCUSD", "tickers.BTCUSD", "publicTrade.BTCUSD"];
    socket.say(&json!({ "op": "subscribe", "args": topics })).await;
    assert_eq!(socket.hear().await["success"], true);
    // The first candle after the history opens at 00:20; five steps close one candle of five minutes.
    for _ in 0..5 {
        bench.venue.step();
    }
    let minute = socket.until("kline.1.BTCUSD", |data| data[0]["confirm"] == true).await;
    assert_eq!(minute["data"][0]["start"], 1_704_067_200_000_i64 + 20 * 60_000);
    let five = socket.until("kline.5.BTCUSD", |data| data[0]["confirm"] == true).await;
    assert_eq!(five["data"][0]["start"], 1_704_067_200_000_i64 + 20 * 60_000);
    assert_eq!(five["data"][0]["volume"], "50");
    assert_eq!(five["ts"], 1_704_067_200_000_i64 + 25 * 60_000);
}

#[tokio::test]
async fn an_account_hears_of_its_orders_fills_position_and_wallet() {
    let bench = Bench::quiet().await;
    let mut socket = bench.private(&["order", "execution", "position", "wallet"]).await;
    let answer = bench.buy("0.1", "kh-test").await;
    let id = answer["result"]["orderId"].clone();
    let accepted = socket.until("order", |_| true).await;
    assert_eq!(accepted["data"][0]["orderStatus"], "New");
    let execution = socket.until("execution", |_| true).await;
    let row = &execution["data"][0];
    assert_eq!((&row["orderId"], &row["orderLinkId"]), (&id, &json!("kh-test")));
    assert_eq!(
        (&row["execPrice"], &row["execFee"], &row["isMaker"]),
        (&json!("50000"), &json!("2.75"), &json!(false))
    );
    let filled = socket.until("order", |data| data[0]["orderStatus"] == "Filled").await;
    assert_eq!(filled["data"][0]["avgPrice"], "50000");
    let position = socket.until("position", |_| true).await;
    assert_eq!((&position["data"][0]["size"], &position["data"][0]["side"]), (&json!("0.1"), &json!("Buy")));
    let wallet = socket.until("wallet", |_| true).await;
    let usdt =
        wallet["data"][0]["coin"].as_array().unwrap().iter().find(|coin| coin["coin"] == "USDT").unwrap();
    assert_eq!(usdt["walletBalance"], "9997.25");
}

#[tokio::test]
async fn the_time_from_a_closed_candle_to_the_first_order_is_measured() {
    let bench = Bench::quiet().await;
    let mut socket = bench.socket("/v5/public/linear").await;
    socket.say(&json!({ "op": "subscribe", "args": ["kline.1.BTCUSDT"] })).await;
    assert_eq!(socket.hear().await["success"], true);
    bench.buy("0.1", "kh-before").await;
    assert_eq!(bench.control("latency", &json!({})), json!({ "answers": [] }), "no candle has closed");
    let told = std::time::Instant::now();
    bench.venue.step();
    socket.until("kline.1.BTCUSDT", |data| data[0]["confirm"] == true).await;
    let refused = bench.buy("not a number", "kh-refused").await;
    assert_ne!(refused["retCode"], 0);
    assert_eq!(bench.buy("0.1", "kh-first").await["retCode"], 0);
    let most = told.elapsed();
    bench.buy("0.1", "kh-second").await;
    let measured = bench.control("latency", &json!({}));
    assert_eq!(measured["answers"].as_array().unwrap().len(), 1, "{measured}");
    let answer = &measured["answers"][0];
    assert_eq!(answer["symbol"], "BTCUSDT");
    assert_eq!(answer["closed_ms"], 1_704_067_200_000_i64 + 21 * 60_000);
    let nanos = answer["nanos"].as_u64().unwrap();
    assert!(nanos > 0 && u128::from(nanos) < most.as_nanos(), "{nanos} of {most:?}");
}

#[tokio::test]
async fn accounts_do_not_hear_each_other() {
    let bench = Bench::quiet().await;
    let mut other = bench.socket("/v5/private").await;
    let expires = NOON + 10_000;
    let signature = sign("HEDGESECRET", &format!("GET/realtime{expires}"));
    other.say(&json!({ "op": "auth", "args": ["HEDGEKEY", expires.to_string(), signature] })).await;
    assert_eq!(other.hear().await["success"], true);
    other.say(&json!({ "op": "subscribe", "args": ["order", "execution", "position", "wallet"] })).await;
    assert_eq!(other.hear().await["success"], true);
    assert_eq!(bench.buy("0.1", "mine").await["retCode"], 0);
    assert!(other.is_silent().await);
}
