//! Binance's protocol: forms, signatures, two books, contracts of dollars, listen keys.

use keyhold_domain::Exchange;
use keyhold_fake_venues::config::{CandleSource, MarketConfig};
use keyhold_fake_venues::parse_instrument_at;
use serde_json::{Value, json};

use crate::client::{Bench, candles, config, sign};

async fn bench() -> Bench {
    let source = CandleSource::Recorded(candles(&vec![[50_000, 50_010, 49_990, 50_000]; 60]));
    let market = |name: &str| MarketConfig {
        instrument: parse_instrument_at(Exchange::Binance, name).unwrap(),
        source: source.clone(),
    };
    let mut config = config(&source, 20);
    config.venue = Exchange::Binance;
    config.markets = vec![market("BTCUSDT=linear"), market("BTCUSD_PERP=inverse")];
    Bench::with(config).await
}

/// A signed call: in the query for reads and ends, in the body for what is posted or put.
async fn call(bench: &Bench, verb: &str, path: &str, form: &str) -> (u16, Value) {
    let at = bench.wall.load(std::sync::atomic::Ordering::SeqCst);
    let separator = if form.is_empty() { "" } else { "&" };
    let text = format!("{form}{separator}recvWindow=5000&timestamp={at}");
    let signed = format!("{text}&signature={}", sign("TESTSECRET", &text));
    let (query, body) =
        if matches!(verb, "POST" | "PUT") { ("", signed.as_str()) } else { (signed.as_str(), "") };
    let headers = [("X-MBX-APIKEY", "TESTKEY".to_owned())];
    let (head, value) = bench.send(verb, path, query, body, &headers).await.unwrap();
    (head.status().as_u16(), value)
}

#[tokio::test]
async fn orders_go_to_the_book_of_their_kind() {
    let bench = bench().await;
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=one";
    let (status, placed) = call(&bench, "POST", "/fapi/v1/order", market).await;
    assert_eq!((status, &placed["clientOrderId"]), (200, &json!("one")), "{placed}");
    bench.venue.step();
    let (_, positions) = call(&bench, "GET", "/fapi/v3/positionRisk", "symbol=BTCUSDT").await;
    assert_eq!(positions[0]["positionAmt"], "0.01");
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_MARKET&quantity=0.01&triggerPrice=48000&reduceOnly=true";
    let (status, refused) = call(&bench, "POST", "/fapi/v1/order", stop).await;
    assert_eq!((status, &refused["code"]), (400, &json!(-4120)));
    let algo = format!("{stop}&algoType=CONDITIONAL&clientAlgoId=two");
    let (status, placed) = call(&bench, "POST", "/fapi/v1/algoOrder", &algo).await;
    assert_eq!((status, &placed["algoStatus"]), (200, &json!("NEW")), "{placed}");
    let (_, open) = call(&bench, "GET", "/fapi/v1/openOrders", "").await;
    assert_eq!(open, json!([]));
    let (_, open) = call(&bench, "GET", "/fapi/v1/openAlgoOrders", "").await;
    assert_eq!(open[0]["clientAlgoId"], "two");
    let (_, lost) = call(&bench, "DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=two").await;
    assert_eq!(lost["code"], -2011);
    let (status, _) = call(&bench, "DELETE", "/fapi/v1/algoOrder", "symbol=BTCUSDT&clientAlgoId=two").await;
    assert_eq!(status, 200);
    let (_, fills) = call(&bench, "GET", "/fapi/v1/userTrades", "symbol=BTCUSDT").await;
    assert_eq!((fills.as_array().unwrap().len(), &fills[0]["qty"]), (1, &json!("0.01")));
}

#[tokio::test]
async fn inverse_contracts_are_counted_and_not_their_dollars() {
    let bench = bench().await;
    let market = "symbol=BTCUSD_PERP&side=SELL&type=MARKET&quantity=3";
    let (status, placed) = call(&bench, "POST", "/dapi/v1/order", market).await;
    assert_eq!(status, 200, "{placed}");
    bench.venue.step();
    let (_, positions) = call(&bench, "GET", "/dapi/v1/positionRisk", "").await;
    assert_eq!(positions[0]["positionAmt"], "-3");
    let truth = bench.truth();
    assert!(truth.to_string().contains("-300"), "three hundred dollars inside: {truth}");
    let (status, refused) = call(&bench, "POST", "/fapi/v1/order", market).await;
    assert_eq!((status, &refused["code"]), (400, &json!(-1121)), "not a contract of the other product");
}

#[tokio::test]
async fn keys_and_signatures_are_checked() {
    let bench = bench().await;
    let headers = |key: &str| [("X-MBX-APIKEY", key.to_owned())];
    let at = bench.wall.load(std::sync::atomic::Ordering::SeqCst);
    let form = format!("timestamp={at}");
    let cases = [
        ("NOBODY", "X", form.clone(), -2015),
        ("TESTKEY", "wrong", form.clone(), -1022),
        ("TESTKEY", "TESTSECRET", format!("timestamp={}", at - 60_000), -1021),
        ("FOREIGNKEY", "FOREIGNSECRET", form, -2015),
    ];
    for (key, secret, form, code) in cases {
        let query = format!("{form}&signature={}", sign(secret, &form));
        let (_, refused) = bench.send("GET", "/fapi/v3/account", &query, "", &headers(key)).await.unwrap();
        assert_eq!(refused["code"], code, "{key} {secret}");
    }
}
