//! Everything that goes wrong on purpose.

use serde_json::{Value, json};

use crate::client::{Bench, NOON};

const ORDER: &str = r#"{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Market","qty":"0.01","orderLinkId":"once"}"#;
const KEY: (&str, &str) = ("TESTKEY", "TESTSECRET");

async fn order(bench: &Bench) -> Option<Value> {
    let answer = bench.try_call("POST", "/v5/order/create", "", ORDER, KEY, NOON).await;
    answer.map(|(_, body)| body)
}

fn fills(bench: &Bench) -> usize {
    bench.truth()["fills"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_lost_answer_leaves_an_executed_order() {
    let bench = Bench::quiet().await;
    bench.control("script", &json!({ "path": "/v5/order/create", "fate": "lost_answer" }));
    assert_eq!(order(&bench).await, None);
    assert_eq!(fills(&bench), 1);
    // The same order again: the name is taken. Asking by name finds it.
    assert_eq!(order(&bench).await.unwrap()["retCode"], 110_072);
    let found = bench.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT&orderLinkId=once").await;
    assert_eq!(found["result"]["list"][0]["orderStatus"], "Filled");
}

#[tokio::test]
async fn a_lost_request_and_a_refused_one_leave_nothing() {
    let bench = Bench::quiet().await;
    bench.control("script", &json!({ "path": "/v5/order/create", "fate": "lost_request" }));
    assert_eq!(order(&bench).await, None);
    bench.control("script", &json!({ "path": "/v5/order", "fate": "status", "status": 503, "times": 2 }));
    for _ in 0..2 {
        let (head, _) = bench.try_call("POST", "/v5/order/create", "", ORDER, KEY, NOON).await.unwrap();
        assert_eq!(head.status().as_u16(), 503);
    }
    assert_eq!(fills(&bench), 0);
    assert_eq!(order(&bench).await.unwrap()["retCode"], 0);
}

#[tokio::test]
async fn chances_of_trouble_repeat_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let bench = Bench::quiet().await;
        bench.control("faults", &json!({ "too_many_requests": 300, "lose_request": 200 }));
        let mut seen = Vec::new();
        for _ in 0..40 {
            let answer = bench.send("GET", "/v5/market/time", "", "", &[]).await;
            seen.push(answer.map(|(head, _)| head.status().as_u16()));
        }
        runs.push(seen);
    }
    assert_eq!(runs[0], runs[1]);
    for fate in [None, Some(200), Some(429)] {
        assert!(runs[0].contains(&fate), "{fate:?} never happened");
    }
}

#[tokio::test]
async fn a_venue_that_is_down_refuses_connections_and_comes_back_on_the_same_port() {
    let bench = Bench::quiet().await;
    let mut socket = bench.socket("/v5/public/linear").await;
    bench.control("down", &Value::Null);
    assert!(socket.try_hear().await.is_none(), "open sockets are cut");
    let address = bench.venue.address();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the port is still open");
        tokio::task::yield_now().await;
    }
    bench.control("up", &Value::Null);
    while order(&bench).await.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the port stays closed");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_half_open_socket_says_nothing_and_stays_open() {
    let bench = Bench::quiet().await;
    let mut socket = bench.private(&["order"]).await;
    bench.control("freeze", &Value::Null);
    assert_eq!(bench.buy("0.01", "unheard").await["retCode"], 0);
    socket.say(&json!({ "op": "ping" })).await;
    assert!(socket.is_silent().await);
    let mut fresh = bench.private(&["order"]).await;
    assert_eq!(bench.buy("0.01", "heard").await["retCode"], 0);
    assert_eq!(fresh.until("order", |_| true).await["data"][0]["orderLinkId"], "heard");
    bench.control("cut", &Value::Null);
    // The rest of what was sent, then the end.
    while fresh.try_hear().await.is_some() {}
}

#[tokio::test]
async fn messages_are_doubled_and_lost_on_demand() {
    let bench = Bench::quiet().await;
    let mut socket = bench.private(&["execution"]).await;
    bench.control("faults", &json!({ "duplicate_message": 1000 }));
    assert_eq!(bench.buy("0.01", "twice").await["retCode"], 0);
    let (first, second) = (socket.hear().await, socket.hear().await);
    assert_eq!(first["data"][0]["execId"], second["data"][0]["execId"]);
    bench.control("faults", &json!({ "lose_message": 1000 }));
    assert_eq!(bench.buy("0.01", "never").await["retCode"], 0);
    assert!(socket.is_silent().await);
}

#[tokio::test]
async fn maintenance_and_a_wrong_clock_are_told_in_the_venues_words() {
    let bench = Bench::quiet().await;
    bench.control("maintenance", &json!({ "on": true }));
    assert_eq!(order(&bench).await.unwrap()["retCode"], 10016);
    let status = bench.send("GET", "/v5/system/status", "", "", &[]).await.unwrap().1;
    assert_eq!(status["result"]["list"][0]["state"], "ongoing");
    bench.control("maintenance", &json!({ "on": false }));
    bench.control("clock", &json!({ "skew_ms": 6_000 }));
    assert_eq!(order(&bench).await.unwrap()["retCode"], 10002);
    let time = bench.send("GET", "/v5/market/time", "", "", &[]).await.unwrap().1;
    assert_eq!(time["time"], NOON + 6_000);
}

#[tokio::test]
async fn thin_books_fill_parts() {
    let bench = Bench::quiet().await;
    bench.control("fills", &json!({ "depth": "0.004" }));
    assert_eq!(order(&bench).await.unwrap()["retCode"], 0);
    let found = bench.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT&orderLinkId=once").await;
    let row = &found["result"]["list"][0];
    assert_eq!((&row["orderStatus"], &row["cumExecQty"]), (&json!("Cancelled"), &json!("0.004")));
}
