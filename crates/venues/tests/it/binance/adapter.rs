//! The adapter against scripted answers: two books of orders, contracts of dollars, clocks, limits, unknown outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use keyhold_domain::{
    ContractType, Decimal, Known, MarginMode, NewOrder, OrderKind, OrderPurpose, OrderStatus, PositionEffect,
    RefusalCode, Side, Symbol, TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::port::{CandleRange, PositionMode, Resolution};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{MarketData, NotSentCause, TradingVenue, UnknownCause, VenueError};
use serde_json::{Value, json};

use super::support::{ok, refusal, time_is, venue};
use crate::servers::{NOW_MS, Reaction, Seen, Server, not_found, patient};
use crate::support::{hex, hmac_sha256, order_id};

use ContractType::{Inverse, Linear};

fn linear() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn inverse() -> Symbol {
    "BTCUSD_PERP".parse().unwrap()
}

fn stop_id() -> keyhold_domain::ClientOrderId {
    let bot = keyhold_domain::BotId::from_u128(7 << 90);
    keyhold_domain::ClientOrderId::new(bot, 1, 1, 9, OrderPurpose::ProtectiveStop).unwrap()
}

fn limit(symbol: Symbol, quantity: &str) -> NewOrder {
    NewOrder {
        client_id: order_id(1),
        symbol,
        side: Side::Buy,
        kind: OrderKind::Limit { price: "30000.5".parse().unwrap(), time_in_force: TimeInForce::PostOnly },
        quantity: quantity.parse().unwrap(),
        effect: PositionEffect::Increase,
        purpose: OrderPurpose::Entry,
    }
}

fn stop(symbol: Symbol, quantity: &str) -> NewOrder {
    NewOrder {
        client_id: stop_id(),
        side: Side::Sell,
        kind: OrderKind::StopMarket {
            trigger: "48000.5".parse().unwrap(),
            direction: TriggerDirection::Falls,
            source: TriggerSource::Mark,
        },
        effect: PositionEffect::ReduceOnly,
        purpose: OrderPurpose::ProtectiveStop,
        ..limit(symbol, quantity)
    }
}

fn form(seen: &Seen) -> std::collections::BTreeMap<String, String> {
    let text = if seen.body.is_empty() { seen.query().to_owned() } else { seen.body.clone() };
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn assert_form(seen: &Seen, expected: &[(&str, &str)]) {
    let mut form = form(seen);
    for name in ["recvWindow", "timestamp", "signature"] {
        assert!(form.remove(name).is_some(), "{name}");
    }
    let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(form, expected);
}

fn contracts() -> Reaction {
    let row = json!({"symbol": "BTCUSD_PERP", "contractType": "PERPETUAL", "contractStatus": "TRADING",
        "contractSize": 100, "baseAsset": "BTC", "quoteAsset": "USD", "marginAsset": "BTC",
        "maintMarginPercent": "2.5", "requiredMarginPercent": "5", "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000"}]});
    ok(&json!({"symbols": [row]}))
}

fn wire_order(status: &str, filled: &str) -> Value {
    json!({"orderId": 77, "symbol": "BTCUSDT", "status": status, "clientOrderId": order_id(1).to_string(),
        "price": "30000.5", "origQty": "0.010", "executedQty": filled, "timeInForce": "GTC", "type": "LIMIT",
        "reduceOnly": false, "side": "BUY", "positionSide": "BOTH", "time": 1_700_000_001_000_i64,
        "updateTime": 1_700_000_005_000_i64})
}

fn wire_fill(id: i64, order: i64, ms: i64) -> Value {
    json!({"symbol": "BTCUSDT", "id": id, "orderId": order, "side": "BUY", "price": "30000.5", "qty": "0.004",
        "commission": "0.05", "commissionAsset": "USDT", "time": ms, "maker": true, "buyer": true})
}

#[tokio::test]
async fn a_stop_goes_to_the_algo_service_signed() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v1/time" => time_is(NOW_MS + 7_000),
        "/fapi/v1/algoOrder" => ok(&json!({"algoId": 3358, "clientAlgoId": "x", "algoStatus": "NEW"})),
        _ => not_found(),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let placed = venue.place(&stop(linear(), "0.010")).await.unwrap();
    assert_eq!(placed.venue_id.as_str(), "a3358");
    let sent = server.seen("/fapi/v1/algoOrder").remove(0);
    assert_form(
        &sent,
        &[
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("algoType", "CONDITIONAL"),
            ("type", "STOP_MARKET"),
            ("quantity", "0.01"),
            ("triggerPrice", "48000.5"),
            ("workingType", "MARK_PRICE"),
            ("reduceOnly", "true"),
            ("clientAlgoId", &stop_id().to_string()),
            ("newOrderRespType", "ACK"),
        ],
    );
    // Our clock is seven seconds behind the venue's; the time stamp is not.
    assert_eq!(form(&sent)["timestamp"], (NOW_MS + 7_000).to_string());
    let (text, signature) = sent.body.rsplit_once("&signature=").unwrap();
    assert_eq!(signature, hex(&hmac_sha256(b"TESTSECRET", text.as_bytes())));
    assert_eq!(sent.header("x-mbx-apikey"), Some("TESTKEY"));
    assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(!sent.head.contains("TESTSECRET") && !sent.body.contains("TESTSECRET"));
}

#[tokio::test]
async fn dollars_travel_as_contracts() {
    let server = Server::start(|seen| match seen.path() {
        "/dapi/v1/time" => time_is(NOW_MS),
        "/dapi/v1/exchangeInfo" => contracts(),
        "/dapi/v1/order" => ok(&json!({"orderId": 5})),
        "/dapi/v1/positionRisk" => ok(&json!([
            {"symbol": "BTCUSD_PERP", "positionAmt": "-3", "entryPrice": "50000", "markPrice": "50010",
             "unRealizedProfit": "-0.0001", "liquidationPrice": "90000", "leverage": "20", "positionSide": "BOTH",
             "marginType": "isolated"},
            {"symbol": "BTCUSD_270625", "positionAmt": "0", "entryPrice": "0", "positionSide": "BOTH"}])),
        "/dapi/v1/klines" => ok(&json!([[NOW_MS / 60_000 * 60_000 - 60_000, "10", "12", "9", "11", "7", 0]])),
        _ => not_found(),
    })
    .await;
    let venue = venue(Inverse, server.address, server.address, patient());
    venue.place(&limit(inverse(), "300")).await.unwrap();
    assert_eq!(form(&server.seen("/dapi/v1/order")[0])["quantity"], "3");
    let refused = venue.place(&limit(inverse(), "350")).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalCode::InvalidOrder));
    assert_eq!(server.seen("/dapi/v1/order").len(), 1, "half a contract never leaves");
    let positions = venue.positions().await.unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0].size.get(), Decimal::from(-300));
    assert_eq!(positions[0].margin_mode, Some(MarginMode::Isolated));
    let instruments = venue.instruments().await.unwrap();
    let listed = &instruments.listed[0];
    assert_eq!((listed.lot, listed.min_quantity.get()), (Decimal::from(100), Decimal::from(100)));
    let minute = Timeframe::M1;
    let now = Timestamp::from_ms(NOW_MS);
    let range = CandleRange {
        symbol: inverse(),
        timeframe: minute,
        from: minute.open_of(now).plus_ms(-60_000),
        until: now,
    };
    assert_eq!(venue.candles(&range).await.unwrap()[0].volume, Decimal::from(700));
    // The sizes are read once.
    assert_eq!(server.seen("/dapi/v1/exchangeInfo").len(), 2, "once by itself and once for the list");
}

#[tokio::test]
async fn a_cancel_looks_into_the_other_book() {
    let server = Server::start(|seen| match (seen.path(), seen.verb.as_str()) {
        ("/fapi/v1/order", "DELETE") => ok(&wire_order("CANCELED", "0")),
        ("/fapi/v1/algoOrder", "DELETE") => refusal(400, -2011),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let cancel = |order| CancelOrder { order, symbol: linear() };
    venue.cancel(&cancel(OrderRef::Client(stop_id()))).await.unwrap();
    assert_eq!(server.seen("/fapi/v1/algoOrder").len(), 1);
    assert_form(
        &server.seen("/fapi/v1/order")[0],
        &[("symbol", "BTCUSDT"), ("origClientOrderId", &stop_id().to_string())],
    );
    // The venue's own number says which book it is of, and there is nowhere else to look.
    let foreign = venue.cancel(&cancel(OrderRef::Venue("a99".parse().unwrap()))).await.unwrap_err();
    assert_eq!(foreign.refusal(), Some(RefusalCode::OrderNotFound));
    assert_form(&server.seen("/fapi/v1/algoOrder")[1], &[("symbol", "BTCUSDT"), ("algoId", "99")]);
    assert_eq!(server.seen("/fapi/v1/order").len(), 1);
}

fn not_found_or_time(seen: &Seen) -> Reaction {
    if seen.path().ends_with("/v1/time") { time_is(NOW_MS) } else { not_found() }
}

#[tokio::test]
async fn both_books_are_listed_and_emptied() {
    let algo = json!({"algoId": 11, "clientAlgoId": stop_id().to_string(), "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "algoStatus": "NEW", "triggerPrice": "25000",
        "workingType": "MARK_PRICE", "reduceOnly": true, "closePosition": false, "updateTime": NOW_MS});
    // Another program's stop for a whole position names no quantity.
    let whole = json!({"algoId": 12, "clientAlgoId": "web", "orderType": "STOP_MARKET", "symbol": "BTCUSDT",
        "side": "SELL", "quantity": "0", "algoStatus": "NEW", "triggerPrice": "25000", "closePosition": true});
    let server = Server::start(move |seen| match seen.path() {
        "/fapi/v1/openOrders" => ok(&json!([wire_order("PARTIALLY_FILLED", "0.004")])),
        "/fapi/v1/openAlgoOrders" => ok(&json!([algo, whole])),
        "/fapi/v1/allOpenOrders" | "/fapi/v1/algoOpenOrders" => ok(&json!({"code": 200, "msg": "done"})),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let orders = venue.open_orders(None).await.unwrap();
    let told: Vec<_> = orders.iter().map(|order| (order.venue_id.as_str(), order.status)).collect();
    assert_eq!(told, [("77", OrderStatus::PartiallyFilled), ("a11", OrderStatus::Untriggered)]);
    let trigger = OrderKind::StopMarket {
        trigger: "25000".parse().unwrap(),
        direction: TriggerDirection::Falls,
        source: TriggerSource::Mark,
    };
    assert_eq!(orders[1].kind, trigger);
    let all = CancelAll { scope: Scope::Symbol(linear()), selection: OrderSelection::All };
    venue.cancel_all(&all).await.unwrap();
    venue.cancel_all(&CancelAll { scope: Scope::Product, ..all }).await.unwrap();
    assert_eq!(server.seen("/fapi/v1/allOpenOrders").len(), 2);
    assert_eq!(server.seen("/fapi/v1/algoOpenOrders").len(), 2);
}

#[tokio::test]
async fn a_change_repeats_what_it_leaves() {
    let server = Server::start(|seen| match (seen.path(), seen.verb.as_str()) {
        ("/fapi/v1/order", "GET" | "PUT") => ok(&wire_order("NEW", "0")),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let order = OrderRef::Client(order_id(1));
    let amend =
        AmendOrder { order, symbol: linear(), quantity: None, price: "29000".parse().ok(), trigger: None };
    venue.amend(&amend).await.unwrap();
    let changed = server.seen("/fapi/v1/order").into_iter().find(|seen| seen.verb == "PUT").unwrap();
    assert_form(
        &changed,
        &[
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("origClientOrderId", &order_id(1).to_string()),
            ("quantity", "0.01"),
            ("price", "29000"),
        ],
    );
    let trigger = AmendOrder { trigger: "1".parse().ok(), price: None, ..amend };
    let refused = venue.amend(&trigger).await.unwrap_err();
    assert!(matches!(refused, VenueError::NotSent { cause: NotSentCause::Signer(_), .. }), "{refused}");
}

#[tokio::test]
async fn an_order_of_unknown_fate_is_looked_for_until_it_is_found() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |seen| match (seen.path(), seen.verb.as_str()) {
        ("/fapi/v1/order", "POST") => {
            Reaction::Answer(503, "Unknown error, please check your request or try again later.".to_owned())
        }
        ("/fapi/v1/order", "GET") if count.fetch_add(1, Ordering::SeqCst) == 0 => refusal(400, -2013),
        ("/fapi/v1/order", "GET") => ok(&wire_order("PARTIALLY_FILLED", "0.004")),
        ("/fapi/v1/algoOrder", "GET") => refusal(400, -2013),
        ("/fapi/v1/userTrades", "GET") => ok(&json!([wire_fill(1, 77, NOW_MS), wire_fill(2, 78, NOW_MS)])),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let lost = venue.place(&limit(linear(), "0.010")).await.unwrap_err();
    assert!(matches!(lost, VenueError::Unknown { cause: UnknownCause::ServerError, .. }), "{lost}");
    assert_eq!(server.seen("/fapi/v1/order").len(), 1, "an order goes out once");
    let Resolution::Found(report) = venue.resolve(linear(), order_id(1)).await.unwrap() else {
        panic!("not found")
    };
    assert_eq!(
        (report.update.status, report.update.filled.to_string()),
        (OrderStatus::PartiallyFilled, "0.004".into())
    );
    let fills: Vec<_> = report.fills.iter().map(|fill| (fill.fill_id.as_str(), fill.client_id)).collect();
    assert_eq!(fills, [("BTCUSDT:1", Some(order_id(1)))], "another order's fill is left out");
    assert_eq!(server.seen("/fapi/v1/algoOrder").len(), 1, "both books were asked the first time");
}

#[tokio::test]
async fn only_a_last_look_that_finds_nothing_in_both_books_means_never_arrived() {
    let fails = Arc::new(AtomicUsize::new(0));
    let flag = Arc::clone(&fails);
    let server = Server::start(move |seen| match seen.path() {
        "/fapi/v1/algoOrder" if flag.load(Ordering::SeqCst) > 0 => Reaction::Answer(400, "x".to_owned()),
        "/fapi/v1/order" | "/fapi/v1/algoOrder" => refusal(400, -2013),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    assert_eq!(venue.resolve(linear(), order_id(1)).await, Ok(Resolution::NeverArrived));
    fails.store(1, Ordering::SeqCst);
    let error = venue.resolve(linear(), order_id(1)).await.unwrap_err();
    assert!(matches!(error, VenueError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn a_triggered_stop_is_followed_into_the_matching_engine() {
    let algo = json!({"algoId": 11, "clientAlgoId": stop_id().to_string(), "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.004", "algoStatus": "FINISHED", "triggerPrice": "25000",
        "actualOrderId": "88", "updateTime": NOW_MS});
    let server = Server::start(move |seen| match seen.path() {
        "/fapi/v1/algoOrder" => ok(&algo),
        // The engine's order has a name of the venue's.
        "/fapi/v1/order" => ok(&json!({"orderId": 88, "symbol": "BTCUSDT", "status": "FILLED",
            "clientOrderId": "autogenerated", "price": "0", "origQty": "0.004", "executedQty": "0.004",
            "timeInForce": "GTC", "type": "MARKET", "side": "SELL", "updateTime": NOW_MS})),
        "/fapi/v1/userTrades" => ok(&json!([wire_fill(5, 88, NOW_MS)])),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let report = venue.order(linear(), stop_id()).await.unwrap().unwrap();
    assert_eq!((report.update.client_id, report.update.status), (stop_id(), OrderStatus::Filled));
    assert_eq!(report.fills[0].client_id, Some(stop_id()));
    // What was learned once names the fills of later questions.
    let fills = venue.fills_since(Some(linear()), Timestamp::from_ms(NOW_MS - 1_000)).await.unwrap();
    assert_eq!(fills[0].client_id, Some(stop_id()));
}

#[tokio::test]
async fn fills_of_a_stop_find_their_name_after_a_restart() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v1/userTrades" => ok(&json!([wire_fill(5, 88, NOW_MS)])),
        "/fapi/v1/order" => ok(&json!({"orderId": 88, "symbol": "BTCUSDT", "status": "FILLED",
            "clientOrderId": "autogenerated", "type": "MARKET", "origType": "STOP_MARKET", "side": "SELL"})),
        "/fapi/v1/allAlgoOrders" => ok(&json!([
            {"algoId": 10, "clientAlgoId": "web", "symbol": "BTCUSDT", "actualOrderId": ""},
            {"algoId": 11, "clientAlgoId": stop_id().to_string(), "symbol": "BTCUSDT", "actualOrderId": "88"}])),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let fills = venue.fills_since(Some(linear()), Timestamp::from_ms(NOW_MS - 1_000)).await.unwrap();
    assert_eq!(fills[0].client_id, Some(stop_id()));
    assert_form(&server.seen("/fapi/v1/allAlgoOrders")[0], &[("symbol", "BTCUSDT")]);
}

#[tokio::test]
async fn fills_are_paged_by_time_and_named() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v1/userTrades" => {
            let from: i64 = seen.parameter("startTime").unwrap().parse().unwrap();
            let row = |n: i64| wire_fill(n, 70 + n % 2, NOW_MS - 2_000 + n);
            let rows: Vec<Value> =
                (0..1_500).filter(|n| NOW_MS - 2_000 + n >= from).take(1_000).map(row).collect();
            ok(&json!(rows))
        }
        "/fapi/v1/order" if seen.parameter("orderId").as_deref() == Some("70") => ok(&wire_order("NEW", "0")),
        "/fapi/v1/order" => refusal(400, -2013),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let fills = venue.fills_since(Some(linear()), Timestamp::from_ms(NOW_MS - 2_000)).await.unwrap();
    assert_eq!(fills.len(), 1_500, "each once");
    assert!(fills.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let ours = fills.iter().filter(|fill| fill.client_id == Some(order_id(1))).count();
    assert_eq!(ours, 750);
    assert_eq!(server.seen("/fapi/v1/order").len(), 2, "each order is looked up once");
    let again = venue.fills_since(Some(linear()), Timestamp::from_ms(NOW_MS - 2_000)).await.unwrap();
    assert_eq!(again.len(), 1_500);
    assert_eq!(server.seen("/fapi/v1/order").len(), 2, "and remembered");
}

#[tokio::test]
async fn a_page_full_of_one_instant_is_an_error_and_not_a_short_list() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v1/income" => {
            let row = |n: i64| {
                json!({"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "1",
                "asset": "USDT", "time": NOW_MS, "tranId": n})
            };
            ok(&json!((0..1_000).map(row).collect::<Vec<_>>()))
        }
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let error = venue.funding_since(None, Timestamp::from_ms(NOW_MS)).await.unwrap_err();
    assert!(matches!(error, VenueError::Unknown { cause: UnknownCause::TooManyPages, .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_time_stamp_is_corrected_once() {
    let clock = Arc::new(AtomicI64::new(NOW_MS));
    let told = Arc::clone(&clock);
    let server = Server::start(move |seen| match seen.path() {
        "/fapi/v1/time" => time_is(told.load(Ordering::SeqCst)),
        "/fapi/v1/order" if form(seen)["timestamp"] == (NOW_MS + 60_000).to_string() => {
            ok(&json!({"orderId": 5}))
        }
        "/fapi/v1/order" => refusal(400, -1021),
        _ => not_found(),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    venue.server_time().await.unwrap();
    clock.store(NOW_MS + 60_000, Ordering::SeqCst);
    venue.place(&limit(linear(), "0.01")).await.unwrap();
    assert_eq!(server.seen("/fapi/v1/order").len(), 2);
}

#[tokio::test]
async fn settings_that_are_set_already_are_no_errors() {
    let server = Server::start(|seen| match (seen.path(), seen.verb.as_str()) {
        ("/fapi/v1/positionSide/dual", "GET") => ok(&json!({"dualSidePosition": true})),
        ("/fapi/v1/positionSide/dual", "POST") => refusal(400, -4059),
        ("/fapi/v1/marginType", _) => refusal(400, -4046),
        ("/fapi/v1/leverage", _) => ok(&json!({"leverage": 5, "symbol": "BTCUSDT"})),
        ("/fapi/v1/countdownCancelAll", _) => ok(&json!({"symbol": "BTCUSDT", "countdownTime": "5000"})),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    assert_eq!(venue.position_mode(linear()).await, Ok(PositionMode::Hedge));
    venue.use_one_way_mode(linear()).await.unwrap();
    venue.set_margin_mode_of(linear(), MarginMode::Isolated).await.unwrap();
    assert!(venue.set_margin_mode(MarginMode::Isolated).await.is_err(), "each instrument has its own");
    venue.set_leverage(&SetLeverage { symbol: linear(), leverage: Decimal::new(50, 1) }).await.unwrap();
    assert_form(&server.seen("/fapi/v1/leverage")[0], &[("symbol", "BTCUSDT"), ("leverage", "5")]);
    venue.dead_mans_switch(linear(), Some(Duration::from_secs(5))).await.unwrap();
    venue.dead_mans_switch(linear(), None).await.unwrap();
    let sent = server.seen("/fapi/v1/countdownCancelAll");
    assert_form(&sent[0], &[("symbol", "BTCUSDT"), ("countdownTime", "5000")]);
    assert_form(&sent[1], &[("symbol", "BTCUSDT"), ("countdownTime", "0")]);
}

#[tokio::test]
async fn a_pool_that_the_venue_calls_used_up_holds_everything_back() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v3/account" => {
            let headers = "x-mbx-used-weight-1m: 2400\r\n";
            Reaction::AnswerWith(200, headers, json!({"assets": []}).to_string())
        }
        _ => not_found_or_time(seen),
    })
    .await;
    let mut settings = patient();
    settings.limit_patience = Duration::ZERO;
    let venue = venue(Linear, server.address, server.address, settings);
    // The first of three questions tells it; the second does not leave.
    let waits = venue.account().await.unwrap_err();
    assert!(matches!(waits, VenueError::NotSent { cause: NotSentCause::RateLimit, .. }), "{waits}");
    assert!(server.seen("/fapi/v3/positionRisk").is_empty());
}

#[tokio::test]
async fn a_ban_of_the_address_stops_questions_but_not_exits() {
    let server = Server::start(|seen| match (seen.path(), seen.verb.as_str()) {
        ("/fapi/v1/order", "POST") => {
            let body = json!({"code": -1003, "msg": "Way too many requests; IP banned."}).to_string();
            Reaction::AnswerWith(418, "retry-after: 120\r\n", body)
        }
        ("/fapi/v1/order", _) => ok(&wire_order("CANCELED", "0")),
        _ => not_found_or_time(seen),
    })
    .await;
    let mut settings = patient();
    settings.limit_patience = Duration::ZERO;
    let venue = venue(Linear, server.address, server.address, settings);
    let banned = venue.place(&limit(linear(), "0.01")).await.unwrap_err();
    assert_eq!(banned.refusal(), Some(RefusalCode::IpBanned));
    let waits = venue.position_mode(linear()).await.unwrap_err();
    let VenueError::NotSent { retry_after, cause: NotSentCause::RateLimit } = waits else {
        panic!("{waits}")
    };
    assert!(retry_after > Duration::from_secs(100), "as long as the venue said: {retry_after:?}");
    let cancel = CancelOrder { order: OrderRef::Client(order_id(1)), symbol: linear() };
    venue.cancel(&cancel).await.unwrap();
}

#[tokio::test]
async fn both_products_spend_from_the_same_pools() {
    let server = Server::start(|seen| match seen.path() {
        "/fapi/v3/account" => {
            let headers = "x-mbx-used-weight-1m: 2400\r\n";
            Reaction::AnswerWith(200, headers, json!({"assets": []}).to_string())
        }
        "/dapi/v1/exchangeInfo" => contracts(),
        _ => not_found_or_time(seen),
    })
    .await;
    let mut settings = patient();
    settings.limit_patience = Duration::ZERO;
    let market = super::support::market(Linear, server.address, server.address, settings.clone());
    let other = super::support::config(Inverse, server.address, server.address, settings);
    let inverse_market = market.sibling(other).unwrap();
    inverse_market.instruments().await.unwrap();
    let signer = Arc::new(super::support::TestSigner(Linear));
    drop(keyhold_venues::binance::Binance::new(market, signer).account().await);
    let waits = inverse_market.instruments().await.unwrap_err();
    assert!(matches!(waits, VenueError::NotSent { cause: NotSentCause::RateLimit, .. }), "{waits}");
}

#[tokio::test]
async fn a_keys_rights_are_read_back() {
    let key = json!({"ipRestrict": true, "createTime": 1, "enableReading": true, "enableWithdrawals": false,
        "enableInternalTransfer": true, "enableFutures": true, "permitsUniversalTransfer": false,
        "enableMargin": false, "enableSomethingNew": true, "enableSpotAndMarginTrading": false});
    let server = Server::start(move |seen| match seen.path() {
        "/sapi/v1/account/apiRestrictions" => ok(&key),
        "/sapi/v1/system/status" => ok(&json!({"status": 1, "msg": "system_maintenance"})),
        _ => not_found_or_time(seen),
    })
    .await;
    let venue = venue(Linear, server.address, server.address, patient());
    let facts = venue.inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade, facts.withdraw), (Known::Yes, Known::Yes, Known::No));
    assert_eq!((facts.transfer, facts.ip_bound), (Known::Yes, Known::Yes));
    assert_eq!(facts.unknown_permissions, ["[cut]"], "a long word is cut like anything that could be a key");
    assert_eq!(facts.contract_types, ContractType::ALL);
    let status = venue.venue_status().await.unwrap();
    assert_eq!(status, keyhold_venues::port::VenueStatus::Maintenance { until: None });
}
