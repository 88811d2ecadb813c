//! Binance's protocol: forms, signatures, two books, contracts of dollars, listen keys.

use keyhold_domain::Exchange;
use keyhold_fake_venues::config::{CandleSource, MarketConfig};
use keyhold_fake_venues::parse_instrument_at;
use serde_json::{Value, json};

use crate::client::{Bench, Socket, candles, config, sign};

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

/// A key's name is all that listen keys want.
async fn listen_key(bench: &Bench, verb: &str, product: &str) -> (u16, Value) {
    let headers = [("X-MBX-APIKEY", "TESTKEY".to_owned())];
    let (head, body) = bench.send(verb, &format!("/{product}/v1/listenKey"), "", "", &headers).await.unwrap();
    (head.status().as_u16(), body)
}

async fn private(bench: &Bench, product: &str) -> Socket {
    let (_, made) = listen_key(bench, "POST", product).await;
    let key = made["listenKey"].as_str().unwrap();
    match product {
        "fapi" => bench.socket(&format!("/private/ws?listenKey={key}")).await,
        _ => bench.socket(&format!("/ws/{key}")).await,
    }
}

async fn buy(bench: &Bench, product: &str) {
    let form = match product {
        "fapi" => "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01",
        _ => "symbol=BTCUSD_PERP&side=BUY&type=MARKET&quantity=1",
    };
    let (status, placed) = call(bench, "POST", &format!("/{product}/v1/order"), form).await;
    assert_eq!(status, 200, "{placed}");
}

/// What a private stream says of an order that fills at once.
async fn story(socket: &mut Socket) -> Vec<String> {
    let mut words = vec![];
    for _ in 0..4 {
        let message = socket.hear().await;
        let told = match message["e"].as_str() {
            Some("ORDER_TRADE_UPDATE") => format!("{} {}", message["o"]["x"], message["o"]["X"]),
            Some(event) => event.to_owned(),
            None => message.to_string(),
        };
        words.push(told.replace('"', ""));
    }
    words
}

#[tokio::test]
async fn each_product_has_its_stream_and_each_fill_one_message() {
    let bench = bench().await;
    let (mut linear, mut inverse) = (private(&bench, "fapi").await, private(&bench, "dapi").await);
    let expected = ["NEW NEW", "TRADE FILLED", "ACCOUNT_UPDATE", "ACCOUNT_UPDATE"];
    buy(&bench, "fapi").await;
    assert_eq!(story(&mut linear).await, expected);
    assert!(inverse.is_silent().await, "it is the other product's");
    buy(&bench, "dapi").await;
    assert_eq!(story(&mut inverse).await, expected);
    assert!(linear.is_silent().await);
    // A resting order: new, changed, ended.
    let form =
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=40000&newClientOrderId=rest";
    call(&bench, "POST", "/fapi/v1/order", form).await;
    let change = "symbol=BTCUSDT&side=BUY&quantity=0.02&price=40000&origClientOrderId=rest";
    call(&bench, "PUT", "/fapi/v1/order", change).await;
    call(&bench, "DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=rest").await;
    for expected in ["NEW NEW", "AMENDMENT NEW", "CANCELED CANCELED"] {
        let message = linear.hear().await;
        let told = format!("{} {}", message["o"]["x"], message["o"]["X"]).replace('"', "");
        assert_eq!((told.as_str(), &message["st"]), (expected, &json!(1)));
    }
}

#[tokio::test]
async fn listen_keys_live_an_hour_and_are_renewed() {
    let bench = bench().await;
    let mut socket = private(&bench, "fapi").await;
    let minutes = |minutes: i64| {
        bench.wall.fetch_add(minutes * 60_000, std::sync::atomic::Ordering::SeqCst);
    };
    for _ in 0..3 {
        minutes(50);
        let (status, renewed) = listen_key(&bench, "PUT", "fapi").await;
        assert_eq!(status, 200, "{renewed}");
    }
    buy(&bench, "fapi").await;
    assert_eq!(story(&mut socket).await.len(), 4);
    minutes(61);
    let (status, gone) = listen_key(&bench, "PUT", "fapi").await;
    assert_eq!((status, &gone["code"]), (400, &json!(-1125)));
    assert_eq!(socket.hear().await["e"], "listenKeyExpired");
    buy(&bench, "fapi").await;
    assert!(socket.is_silent().await, "nothing is told to the bearer of a key that has ended");
    let mut fresh = private(&bench, "fapi").await;
    buy(&bench, "fapi").await;
    assert_eq!(story(&mut fresh).await.len(), 4);
    // Ended on purpose, and by the control interface.
    assert_eq!(listen_key(&bench, "DELETE", "fapi").await.0, 200);
    buy(&bench, "fapi").await;
    assert!(fresh.is_silent().await);
    let mut fresh = private(&bench, "fapi").await;
    bench.control("expire", &Value::Null);
    assert_eq!(fresh.hear().await["e"], "listenKeyExpired");
}

/// Every change of a book follows the one before it, and together they lead to what REST tells.
#[tokio::test]
async fn books_can_be_kept_by_the_documented_rule() {
    let bench = bench().await;
    let mut socket = bench.socket("/public/ws/0").await;
    socket.say(&json!({ "method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1 })).await;
    assert_eq!(socket.hear().await, json!({ "result": null, "id": 1 }));
    let depth =
        async || bench.send("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000", "", &[]).await.unwrap().1;
    let snapshot = depth().await;
    let read = |rows: &Value| -> std::collections::BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
    };
    let mut sides = [read(&snapshot["bids"]), read(&snapshot["asks"])];
    assert_eq!(sides[0].len(), 100);
    let mut last = snapshot["lastUpdateId"].as_i64().unwrap();
    for price in ["50001.3", "49000", "52000", "52000.1"] {
        bench.control("price", &json!({ "symbol": "BTCUSDT", "price": price }));
        let change = socket.hear().await;
        assert_eq!(change["pu"], last);
        assert!(change["U"].as_i64().unwrap() > last && change["u"].as_i64().unwrap() > last);
        last = change["u"].as_i64().unwrap();
        for (side, name) in sides.iter_mut().zip(["b", "a"]) {
            for (price, size) in read(&change[name]) {
                if size == "0" {
                    side.remove(&price);
                } else {
                    side.insert(price, size);
                }
            }
        }
        let whole = depth().await;
        assert_eq!(sides, [read(&whole["bids"]), read(&whole["asks"])], "after {price}");
        assert_eq!(whole["lastUpdateId"], last);
    }
    // A silent topic goes on without its listeners: a gap.
    bench.control("mute", &json!({ "topics": ["btcusdt@depth"] }));
    bench.control("price", &json!({ "symbol": "BTCUSDT", "price": "51000" }));
    bench.control("mute", &json!({ "topics": [] }));
    bench.control("price", &json!({ "symbol": "BTCUSDT", "price": "51001" }));
    assert!(socket.hear().await["pu"].as_i64().unwrap() > last);
}

#[tokio::test]
async fn limits_are_told_and_those_who_go_on_are_banned() {
    let bench = bench().await;
    let ask = async || bench.send("GET", "/fapi/v1/depth", "symbol=BTCUSDT", "", &[]).await.unwrap();
    let header = |head: &hyper::Response<()>, name: &str| -> i64 {
        head.headers()[name].to_str().unwrap().parse().unwrap()
    };
    let mut statuses = std::collections::BTreeMap::new();
    for number in 1..=190 {
        let (head, body) = ask().await;
        let status = head.status().as_u16();
        *statuses.entry(status).or_insert(0) += 1;
        match status {
            200 => assert_eq!(header(&head, "x-mbx-used-weight-1m"), 20 * number),
            429 => assert_eq!((&body["code"], header(&head, "retry-after")), (&json!(-1003), 60)),
            418 => assert_eq!((&body["code"], header(&head, "retry-after")), (&json!(-1003), 120)),
            other => panic!("{other} {body}"),
        }
    }
    assert_eq!(statuses, [(200, 120), (418, 19), (429, 51)].into());
    let minutes = |minutes: i64| bench.wall.fetch_add(minutes * 60_000, std::sync::atomic::Ordering::SeqCst);
    minutes(1);
    assert_eq!(ask().await.0.status().as_u16(), 418, "the window has ended, the ban has not");
    minutes(1);
    assert_eq!(ask().await.0.status().as_u16(), 200);
    // Orders of both products are counted together, by themselves.
    for number in 1..=300 {
        let product = if number % 2 == 0 { "fapi" } else { "dapi" };
        let (_, lost) = call(&bench, "POST", &format!("/{product}/v1/order"), "symbol=NONE").await;
        assert!(lost["code"].as_i64().unwrap() > -1_200 && lost["code"] != -1_015, "{lost}");
    }
    let (status, late) = call(&bench, "POST", "/fapi/v1/order", "symbol=NONE").await;
    assert_eq!((status, &late["code"]), (429, &json!(-1_015)));
}

/// Each knob of the control interface acts here as at every other venue, in this venue's words.
#[tokio::test]
async fn every_trouble_acts() {
    let bench = bench().await;
    let time = async || bench.send("GET", "/dapi/v1/time", "", "", &[]).await;
    let control = |name: &str, body: &Value| bench.control(name, body);
    let mut acted = 0;
    for (status, code) in
        [(429, Some(-1_003)), (418, Some(-1_003)), (408, Some(-1_007)), (503, None), (403, None)]
    {
        control("script", &json!({ "path": "/dapi/v1/time", "fate": "status", "status": status }));
        let (head, body) = time().await.unwrap();
        assert_eq!((head.status().as_u16(), body["code"].as_i64()), (status, code), "{body}");
        acted += 1;
    }
    for (fate, fills) in [("lost_request", 0), ("lost_answer", 1)] {
        control("script", &json!({ "path": "/fapi/v1/order", "fate": fate }));
        let form =
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&timestamp=1730000000123&recvWindow=60000";
        let body = format!("{form}&signature={}", sign("TESTSECRET", form));
        let headers = [("X-MBX-APIKEY", "TESTKEY".to_owned())];
        assert!(bench.send("POST", "/fapi/v1/order", "", &body, &headers).await.is_none(), "{fate}");
        assert_eq!(bench.truth()["fills"].as_array().unwrap().len(), fills, "{fate}");
        acted += 1;
    }
    for plan in ["too_many_requests", "unavailable", "forbidden", "lose_request", "lose_answer"] {
        control("faults", &json!({ plan: 1000 }));
        let answer = time().await.map(|(head, _)| head.status().as_u16());
        let expected = match plan {
            "too_many_requests" => Some(429),
            "unavailable" => Some(503),
            "forbidden" => Some(403),
            _ => None,
        };
        assert_eq!(answer, expected, "{plan}");
        acted += 1;
    }
    let began = std::time::Instant::now();
    control("faults", &json!({ "latency": { "model": "fixed", "ms": 60 } }));
    time().await.unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_millis(60), "answers come late");
    acted += 1;
    control("faults", &json!({}));
    control("maintenance", &json!({ "on": true }));
    assert_eq!(time().await.unwrap().1["code"], -1_016);
    let (_, status) = bench.send("GET", "/sapi/v1/system/status", "", "", &[]).await.unwrap();
    assert_eq!(status["status"], 1);
    control("maintenance", &json!({ "on": false }));
    control("clock", &json!({ "skew_ms": 6_000 }));
    let (status, late) = call(&bench, "GET", "/fapi/v3/account", "").await;
    assert_eq!((status, &late["code"]), (400, &json!(-1_021)));
    control("clock", &json!({ "skew_ms": 0 }));
    acted += 2;
    eprintln!("{acted} troubles of requests acted");
}

/// The same for messages.
#[tokio::test]
async fn every_trouble_of_messages_acts() {
    let bench = bench().await;
    let control = |name: &str, body: &Value| bench.control(name, body);
    let mut socket = private(&bench, "fapi").await;
    control("faults", &json!({ "duplicate_message": 1000 }));
    buy(&bench, "fapi").await;
    let heard = story(&mut socket).await;
    assert_eq!(heard, ["NEW NEW", "NEW NEW", "TRADE FILLED", "TRADE FILLED"]);
    story(&mut socket).await;
    control("faults", &json!({ "reorder_message": 1000 }));
    buy(&bench, "fapi").await;
    assert_eq!(story(&mut socket).await[..2], ["TRADE FILLED", "NEW NEW"]);
    control("faults", &json!({ "lose_message": 1000 }));
    buy(&bench, "fapi").await;
    assert!(socket.is_silent().await);
    control("faults", &json!({}));
    control("freeze", &Value::Null);
    buy(&bench, "fapi").await;
    assert!(socket.is_silent().await, "half open");
    let mut fresh = private(&bench, "fapi").await;
    control("cut", &Value::Null);
    assert!(fresh.try_hear().await.is_none(), "cut");
}
