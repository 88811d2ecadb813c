//! Lockstep replay: what an order sent between two steps gets, and that equal runs are equal.

use keyhold_fake_venues::config::{CandleSource, VenueConfig};
use serde_json::{Value, json};

use crate::client::{Bench, candles, config};

fn stop(trigger: &str) -> Value {
    json!({
        "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "orderType": "Market", "qty": "0.1",
        "triggerPrice": trigger, "triggerDirection": 2, "reduceOnly": true, "orderLinkId": "stop",
    })
}

async fn bench() -> Bench {
    let rows = [
        [50_000, 50_010, 49_990, 50_000],
        [50_000, 50_100, 49_900, 50_050],
        [50_060, 50_500, 49_500, 50_200],
        [50_210, 50_300, 50_100, 50_250],
    ];
    Bench::with(config(&CandleSource::Recorded(candles(&rows)), 1)).await
}

#[tokio::test]
async fn orders_fill_at_the_next_open_and_stops_inside_the_next_candle() {
    let bench = bench().await;
    // Candle 1 has opened at 50000. A step plays it, closes it and opens candle 2 at 50060.
    let status = bench.control("step", &Value::Null);
    assert_eq!(status["prices"]["BTCUSDT"], "50060");
    assert_eq!(status["time"], "2024-01-01T00:02:00.000Z");
    assert_eq!(bench.buy("0.1", "entry").await["retCode"], 0);
    assert_eq!(bench.post("/v5/order/create", &stop("49600")).await["retCode"], 0);
    let truth = bench.truth();
    assert_eq!(truth["fills"][0]["fill"]["price"], "50060");
    assert_eq!(truth["fills"].as_array().unwrap().len(), 1, "nothing of candle 2 is played before the step");
    bench.control("step", &Value::Null);
    let truth = bench.truth();
    assert_eq!(truth["fills"][1]["fill"]["price"], "49600");
    assert_eq!(truth["fills"][1]["realized"], "-46");
    assert_eq!(truth["positions"][0]["size"], "0");
    assert_eq!(bench.control("imbalance", &Value::Null), json!({ "BTC": "0", "USDT": "0" }));
}

#[tokio::test]
async fn klines_end_with_the_forming_candle() {
    let bench = bench().await;
    bench.venue.step();
    let query = "category=linear&symbol=BTCUSDT&interval=1&limit=3";
    let answer = bench.get("/v5/market/kline", query).await;
    let starts: Vec<_> =
        answer["result"]["list"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(starts, ["1704067320000", "1704067260000", "1704067200000"]);
    assert_eq!(answer["result"]["list"][0][4], "50060", "the forming candle has seen its open only");
    assert_eq!(answer["result"]["list"][1][2], "50100");
    let query = "category=linear&symbol=BTCUSDT&interval=5";
    let answer = bench.get("/v5/market/kline", query).await;
    assert_eq!(
        answer["result"]["list"],
        // One lot has been traded at the third open.
        json!([["1704067200000", "50000", "50100", "49900", "50060", "20.001", "1001250.06"]])
    );
}

#[tokio::test]
async fn the_recording_ends_and_the_market_stays_open() {
    let bench = bench().await;
    let status = bench.control("step", &json!({ "candles": 10 }));
    assert_eq!(status["ended"], true);
    assert_eq!(status["played"], 3);
    assert_eq!(bench.buy("0.1", "late").await["retCode"], 0);
    assert_eq!(bench.truth()["fills"][0]["fill"]["price"], "50250");
}

#[tokio::test]
async fn a_recording_brings_its_own_time() {
    let rows = [
        [50_000, 50_010, 49_990, 50_000],
        [50_000, 50_100, 49_900, 50_050],
        [50_060, 50_500, 49_500, 50_200],
    ];
    let told = config(&CandleSource::Recorded(candles(&rows)), 1);
    let bench = Bench::with(VenueConfig { start: None, ..told }).await;
    assert_eq!(bench.control("status", &Value::Null)["time"], "2024-01-01T00:01:00.000Z");
    assert_eq!(bench.buy("0.1", "entry").await["retCode"], 0);
    bench.control("step", &Value::Null);
    assert_eq!(bench.control("status", &Value::Null)["time"], "2024-01-01T00:02:00.000Z");
    assert_eq!(bench.truth()["fills"][0]["fill"]["at"], 1_704_067_260_000_i64);
}

#[tokio::test]
async fn equal_runs_are_equal_to_the_last_id() {
    let mut truths = Vec::new();
    for _ in 0..2 {
        let source = CandleSource::Synthetic { start_price: "60000".parse().unwrap(), volatility_ppm: 800 };
        let bench = Bench::with(config(&source, 100)).await;
        for round in 0..5 {
            assert_eq!(bench.buy("0.01", &format!("round-{round}")).await["retCode"], 0);
            bench.venue.step();
        }
        truths.push(bench.truth().to_string());
    }
    assert!(truths[0].contains("round-4"));
    assert_eq!(truths[0], truths[1]);
}

#[tokio::test]
async fn stops_attached_to_a_position_follow_it() {
    let bench = bench().await;
    bench.venue.step();
    let body = json!({
        "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1",
        "stopLoss": "49700",
    });
    assert_eq!(bench.post("/v5/order/create", &body).await["retCode"], 0);
    let tp = json!({ "category": "linear", "symbol": "BTCUSDT", "takeProfit": "50400" });
    assert_eq!(bench.post("/v5/position/trading-stop", &tp).await["retCode"], 0);
    let query = "category=linear&symbol=BTCUSDT";
    let position = bench.get("/v5/position/list", query).await["result"]["list"][0].clone();
    assert_eq!((&position["stopLoss"], &position["takeProfit"]), (&json!("49700"), &json!("50400")));
    bench.venue.step();
    let truth = bench.truth();
    assert_eq!(truth["fills"][1]["fill"]["price"], "49700", "the stop comes before the target");
    assert_eq!(truth["open_orders"], json!([]), "the target goes with the position");
}
