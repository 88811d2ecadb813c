//! Bybit's adapter against scripted answers: paging, clocks, settings, unknown outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use keyhold_domain::{
    ContractType, Environment, Exchange, Known, NewOrder, OrderKind, OrderStatus, PositionEffect,
    RefusalCode, Side, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_venues::bybit::BybitMarket;
use keyhold_venues::error::Asked;
use keyhold_venues::port::{CandleRange, PositionMode, Resolution, SymbolRange, VenueStatus};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{
    AnyMarket, AnyVenue, Endpoints, MarketData, NotSentCause, Settings, TokioDialer, TradingVenue,
    UnknownCause, VenueError,
};
use serde_json::{Value, json};

use crate::servers::{
    NOW_MS, Reaction, Seen, Server, linear, not_found, ok, patient, refusal, time_is, venue,
};
use crate::support::{StandingClock, hex, hmac_sha256, order_id, test_signer};

fn list(rows: &Value) -> Reaction {
    ok(&json!({"category": "linear", "nextPageCursor": "", "list": rows}))
}

fn symbol() -> keyhold_domain::Symbol {
    "BTCUSDT".parse().unwrap()
}

fn stop_order() -> NewOrder {
    NewOrder {
        client_id: order_id(1),
        symbol: symbol(),
        side: Side::Sell,
        kind: OrderKind::StopMarket {
            trigger: "48000.5".parse().unwrap(),
            direction: TriggerDirection::Falls,
            source: TriggerSource::Last,
        },
        quantity: "0.010".parse().unwrap(),
        effect: PositionEffect::ReduceOnly,
        purpose: keyhold_domain::OrderPurpose::ProtectiveStop,
    }
}

fn wire_order(status: &str, filled: &str) -> Value {
    json!({
        "orderId": "v-1", "orderLinkId": order_id(1).to_string(), "symbol": "BTCUSDT", "side": "Buy", "price": "30000",
        "orderType": "Limit", "orderStatus": status, "qty": "0.010", "cumExecQty": filled, "timeInForce": "GTC",
        "reduceOnly": false, "triggerPrice": "", "rejectReason": "EC_NoError", "cancelType": "UNKNOWN",
        "updatedTime": "1700000005000",
    })
}

fn wire_fill(id: &str, ms: i64, leaves: &str) -> Value {
    json!({
        "symbol": "BTCUSDT", "orderId": "v-1", "orderLinkId": order_id(1).to_string(), "side": "Buy", "execId": id,
        "execPrice": "30000.5", "execQty": "0.005", "execFee": "0.08", "execType": "Trade", "execTime": ms.to_string(),
        "feeCurrency": "", "isMaker": false, "leavesQty": leaves,
    })
}

#[tokio::test]
async fn a_stop_goes_out_signed_and_in_bybits_words() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/market/time" => time_is(NOW_MS + 7_000),
        "/v5/order/create" => ok(&json!({"orderId": "v-1", "orderLinkId": ""})),
        _ => not_found(),
    })
    .await;
    let placed = venue(server.address, patient()).place(&stop_order()).await.unwrap();
    assert_eq!(placed.venue_id.as_str(), "v-1");
    let sent = server.seen("/v5/order/create").remove(0);
    let expected = json!({
        "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "orderType": "Market", "qty": "0.01",
        "triggerPrice": "48000.5", "triggerDirection": 2, "triggerBy": "LastPrice", "reduceOnly": true,
        "positionIdx": 0, "orderLinkId": order_id(1).to_string(),
    });
    assert_eq!(sent.json(), expected);
    assert_eq!((sent.verb.as_str(), sent.header("content-type")), ("POST", Some("application/json")));
    // Our clock is seven seconds behind the venue's; the time stamp is not.
    let stamp = (NOW_MS + 7_000).to_string();
    assert_eq!(sent.header("x-bapi-timestamp"), Some(stamp.as_str()));
    let signed = format!("{stamp}TESTKEY5000{}", sent.body);
    assert_eq!(
        sent.header("x-bapi-sign"),
        Some(hex(&hmac_sha256(b"TESTSECRET", signed.as_bytes())).as_str())
    );
    assert!(!sent.head.contains("TESTSECRET") && !sent.body.contains("TESTSECRET"));
}

#[tokio::test]
async fn a_wrong_time_stamp_is_corrected_once() {
    let clock = Arc::new(AtomicI64::new(NOW_MS));
    let told = Arc::clone(&clock);
    let server = Server::start(move |seen| match seen.path() {
        "/v5/market/time" => time_is(told.load(Ordering::SeqCst)),
        "/v5/order/create"
            if seen.header("x-bapi-timestamp") == Some((NOW_MS + 60_000).to_string().as_str()) =>
        {
            ok(&json!({"orderId": "v-1"}))
        }
        "/v5/order/create" => refusal(10_002),
        _ => not_found(),
    })
    .await;
    let venue = venue(server.address, patient());
    venue.server_time().await.unwrap();
    // The machine's clock jumps by a minute against the venue's.
    clock.store(NOW_MS + 60_000, Ordering::SeqCst);
    venue.place(&stop_order()).await.unwrap();
    assert_eq!(server.seen("/v5/order/create").len(), 2);
    // A skew that stays is told as what it is, after two tries.
    clock.store(NOW_MS + 120_000, Ordering::SeqCst);
    venue.server_time().await.unwrap();
    let refused = venue.place(&stop_order()).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalCode::ClockSkew));
    assert_eq!(refused.diagnosis(Asked::ToTrade), Some(keyhold_domain::ReasonCode::ClockSkew));
    assert_eq!(server.seen("/v5/order/create").len(), 4);
}

#[tokio::test]
async fn settings_that_are_set_already_are_no_errors() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/position/set-leverage" => refusal(110_043),
        "/v5/position/switch-mode" => refusal(110_025),
        "/v5/position/list" => {
            let side =
                |index: i64| json!({"symbol": "BTCUSDT", "positionIdx": index, "size": "0", "side": ""});
            list(&json!([side(1), side(2)]))
        }
        _ => not_found(),
    })
    .await;
    let venue = AnyVenue::Bybit(venue(server.address, patient()));
    let leverage = SetLeverage { symbol: symbol(), leverage: "10.0".parse().unwrap() };
    venue.set_leverage(&leverage).await.unwrap();
    let sent = server.seen("/v5/position/set-leverage").remove(0).json();
    assert_eq!((&sent["buyLeverage"], &sent["sellLeverage"]), (&json!("10"), &json!("10")));
    assert_eq!(venue.position_mode(symbol()).await.unwrap(), PositionMode::Hedge);
    venue.use_one_way_mode(symbol()).await.unwrap();
    assert_eq!(server.seen("/v5/position/switch-mode").remove(0).json()["mode"], 0);
}

#[tokio::test]
async fn orders_are_changed_and_ended_by_either_name() {
    let server = Server::start(|_| ok(&json!({"orderId": "v-1"}))).await;
    let venue = venue(server.address, patient());
    let ours = OrderRef::Client(order_id(1));
    let theirs = OrderRef::Venue("foreign-1".parse().unwrap());
    let trigger = Some("47000".parse().unwrap());
    venue
        .amend(&AmendOrder { order: ours, symbol: symbol(), quantity: None, price: None, trigger })
        .await
        .unwrap_err(); // The time cannot be read from this server's answers, so nothing is sent.
    assert!(server.seen("/v5/order/amend").is_empty());

    let server = Server::start(|seen| {
        if seen.path() == "/v5/market/time" { not_found() } else { ok(&json!({"orderId": "v-1"})) }
    })
    .await;
    let venue = crate::servers::venue(server.address, patient());
    venue
        .amend(&AmendOrder { order: ours, symbol: symbol(), quantity: None, price: None, trigger })
        .await
        .unwrap();
    venue.cancel(&CancelOrder { order: theirs, symbol: symbol() }).await.unwrap();
    let scope = Scope::Symbol(symbol());
    venue.cancel_all(&CancelAll { scope, selection: OrderSelection::All }).await.unwrap();
    let sent = |path: &str| server.seen(path).remove(0).json();
    let name = order_id(1).to_string();
    let expected =
        json!({"category": "linear", "symbol": "BTCUSDT", "orderLinkId": name, "triggerPrice": "47000"});
    assert_eq!(sent("/v5/order/amend"), expected);
    assert_eq!(
        sent("/v5/order/cancel"),
        json!({"category": "linear", "symbol": "BTCUSDT", "orderId": "foreign-1"})
    );
    assert_eq!(sent("/v5/order/cancel-all"), json!({"category": "linear", "symbol": "BTCUSDT"}));
}

/// Serves an order's three lists.
async fn lists(recent: Value, past: Value, fills: Value) -> Server {
    Server::start(move |seen| match seen.path() {
        "/v5/order/realtime" => list(&recent),
        "/v5/order/history" => list(&past),
        "/v5/execution/list" => list(&fills),
        _ => not_found(),
    })
    .await
}

#[tokio::test]
async fn an_order_is_found_in_each_of_its_lists() {
    let fill = wire_fill("e-1", NOW_MS, "0");
    let cases = [
        (json!([wire_order("New", "0")]), json!([]), json!([]), OrderStatus::Open, 0),
        (json!([]), json!([wire_order("Cancelled", "0.005")]), json!([fill]), OrderStatus::Canceled, 1),
        (json!([]), json!([]), json!([fill, wire_fill("e-0", NOW_MS - 5, "0.005")]), OrderStatus::Filled, 2),
        (json!([]), json!([]), json!([wire_fill("e-0", NOW_MS, "0.005")]), OrderStatus::PartiallyFilled, 1),
    ];
    for (recent, past, fills, status, count) in cases {
        let server = lists(recent, past, fills).await;
        let found = venue(server.address, patient()).resolve(symbol(), order_id(1)).await.unwrap();
        let Resolution::Found(report) = found else { panic!("not found, expected {status}") };
        assert_eq!((report.update.status, report.fills.len()), (status, count));
        assert!(report.fills.is_sorted_by_key(|fill| fill.at));
        assert_eq!(report.update.client_id, order_id(1));
    }
}

#[tokio::test]
async fn an_order_that_no_list_knows_never_arrived() {
    let server = lists(json!([]), json!([]), json!([])).await;
    let venue = venue(server.address, patient());
    assert_eq!(venue.resolve(symbol(), order_id(1)).await.unwrap(), Resolution::NeverArrived);
    // Every wait of the settings ends with a look at all three lists.
    assert_eq!(server.seen("/v5/order/realtime").len(), 3);
    assert_eq!(server.seen("/v5/execution/list").len(), 3);
    let asked = server.seen("/v5/order/history").remove(0);
    assert_eq!(asked.parameter("orderLinkId"), Some(order_id(1).to_string()));
    // Another order in the answer is not ours.
    let mut other = wire_order("Filled", "0.010");
    other["orderLinkId"] = order_id(2).to_string().into();
    let server = lists(json!([other]), json!([]), json!([])).await;
    let resolution = crate::servers::venue(server.address, patient()).resolve(symbol(), order_id(1)).await;
    assert_eq!(resolution.unwrap(), Resolution::NeverArrived);
}

#[tokio::test]
async fn an_order_whose_lists_cannot_be_read_stays_unknown() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/order/realtime" => Reaction::Answer(502, String::new()),
        _ => not_found(),
    })
    .await;
    let resolution = venue(server.address, patient()).resolve(symbol(), order_id(1)).await;
    assert!(matches!(resolution, Err(VenueError::Unknown { .. })), "{resolution:?}");
}

#[test]
fn looking_for_a_lost_order_outlasts_the_window_for_late_requests() {
    let total: std::time::Duration = Settings::default().resolve_waits.iter().sum();
    let window = u128::try_from(keyhold_venues::bybit::render::RECV_WINDOW_MS).unwrap();
    assert!(total.as_millis() > window + 1_000);
}

#[tokio::test]
async fn an_account_is_put_together_from_all_pages() {
    let position = |symbol: &str, size: &str, side: &str| {
        json!({"symbol": symbol, "positionIdx": 0, "size": size, "side": side, "avgPrice": "30000", "markPrice": "30100",
               "liqPrice": "", "leverage": "10", "unrealisedPnl": "1.5", "tradeMode": 0})
    };
    let server = Server::start(move |seen| match (seen.path(), seen.query()) {
        ("/v5/account/wallet-balance", "accountType=UNIFIED") => ok(&json!({"list": [{"accountType": "UNIFIED", "coin": [
            {"coin": "USDT", "walletBalance": "1000", "equity": "1001.5", "totalPositionIM": "30", "totalOrderIM": "3"},
            {"coin": "AVERYLONGCOINNAME", "walletBalance": "1", "equity": "1"},
        ]}]})),
        ("/v5/position/list", query) if query.contains("USDC") => list(&json!([])),
        ("/v5/position/list", query) if query.contains("cursor=") => {
            assert!(query.ends_with("cursor=next%3A1%2C2"), "{query}");
            list(&json!([position("ETHUSDT", "2", "Sell"), position("SOLUSDT", "0", "")]))
        }
        ("/v5/position/list", _) => {
            ok(&json!({"nextPageCursor": "next%3A1%2C2", "list": [position("BTCUSDT", "0.5", "Buy")]}))
        }
        ("/v5/order/realtime", query) if query.contains("USDC") => list(&json!([])),
        ("/v5/order/realtime", _) => list(&json!([wire_order("New", "0"), wire_order("Filled", "0.010")])),
        _ => not_found(),
    })
    .await;
    let account = venue(server.address, patient()).account().await.unwrap();
    assert_eq!(account.at.ms(), NOW_MS);
    assert_eq!(account.balances.len(), 1);
    assert_eq!(account.balance("USDT".parse().unwrap()).unwrap().available.to_string(), "967");
    let sizes: Vec<_> =
        account.positions.iter().map(|one| (one.symbol.to_string(), one.size.to_string())).collect();
    assert_eq!(sizes, [("BTCUSDT".to_owned(), "0.5".to_owned()), ("ETHUSDT".to_owned(), "-2".to_owned())]);
    assert_eq!(account.open_orders.len(), 1);
    assert_eq!(account.open_orders[0].client_id, Some(order_id(1)));
}

#[tokio::test]
async fn a_position_in_hedge_mode_is_an_error_and_not_half_a_position() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/position/list" => list(&json!([
            {"symbol": "BTCUSDT", "positionIdx": 1, "size": "1", "side": "Buy", "avgPrice": "1"}
        ])),
        _ => not_found(),
    })
    .await;
    let error = venue(server.address, patient()).positions().await.unwrap_err();
    assert_eq!(error.refusal(), Some(RefusalCode::AccountMode));
}

#[tokio::test]
async fn a_list_without_end_is_an_error_and_not_a_short_list() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/position/list" => ok(&json!({"nextPageCursor": "again", "list": [
            {"symbol": "BTCUSDT", "positionIdx": 0, "size": "0", "side": ""}
        ]})),
        _ => not_found(),
    })
    .await;
    let outcome = venue(server.address, patient()).positions().await;
    assert!(
        matches!(outcome, Err(VenueError::Unknown { cause: UnknownCause::TooManyPages, .. })),
        "{outcome:?}"
    );
}

/// Fills of twenty days, one a day, each told twice; the server keeps to Bybit's seven days.
#[tokio::test]
async fn fills_are_asked_for_week_by_week_and_told_once() {
    const DAY: i64 = 86_400_000;
    let server = Server::start(|seen| {
        if seen.path() != "/v5/execution/list" {
            return not_found();
        }
        let bound = |name| seen.parameter(name).map(|text| text.parse::<i64>().unwrap());
        let from = bound("startTime").unwrap();
        let until = bound("endTime").unwrap_or(from + 7 * DAY);
        assert!(until - from <= 7 * DAY && until >= from, "{from} to {until}");
        let mut rows = vec![];
        for day in 0..21 {
            let at = NOW_MS - day * DAY;
            if (from..=until).contains(&at) {
                rows.push(wire_fill(&format!("e-{day}"), at, "0"));
                rows.push(wire_fill(&format!("e-{day}"), at, "0"));
            }
        }
        let mut funding = wire_fill("f-1", from, "0");
        funding["execType"] = "Funding".into();
        funding["execFee"] = "-0.5".into();
        rows.push(funding);
        list(&json!(rows))
    })
    .await;
    let venue = venue(server.address, patient());
    let from = Timestamp::from_ms(NOW_MS - 20 * DAY);
    let fills = venue.fills_since(Some(symbol()), from).await.unwrap();
    assert_eq!(fills.len(), 21);
    assert!(fills.is_sorted_by_key(|fill| fill.at));
    assert_eq!(fills[0].fee.to_string(), "0.08 USDT");
    assert_eq!(server.seen("/v5/execution/list").len(), 3);
    let funding = venue.funding_since(None, from).await.unwrap();
    assert_eq!((funding.len(), funding[0].paid.to_string()), (1, "-0.5 USDT".to_owned()));
    let ancient = venue.fills_since(None, Timestamp::EPOCH).await;
    assert!(
        matches!(ancient, Err(VenueError::NotSent { cause: NotSentCause::RangeTooLarge, .. })),
        "{ancient:?}"
    );
}

/// Candles as Bybit tells them: within the asked bounds, newest first, at most a thousand.
pub(crate) fn candles_answer(seen: &Seen, step: i64) -> Reaction {
    let bound = |name| seen.parameter(name).unwrap().parse::<i64>().unwrap();
    let (start, end) = (bound("start"), bound("end"));
    let first = start.div_euclid(step) * step + if start.rem_euclid(step) == 0 { 0 } else { step };
    let mut opens: Vec<i64> =
        (0..=(end - first).max(-1) / step).map(|n| first + n * step).filter(|open| *open <= end).collect();
    opens.reverse();
    opens.truncate(usize::try_from(bound("limit")).unwrap());
    let rows: Vec<_> =
        opens.iter().map(|open| json!([open.to_string(), "10", "12", "9", "11", "5", "50"])).collect();
    list(&json!(rows))
}

#[tokio::test]
async fn candles_come_whole_and_in_order_over_many_pages() {
    let step = Timeframe::M5.ms();
    let server = Server::start(move |seen| match seen.path() {
        "/v5/market/kline" => candles_answer(seen, step),
        _ => not_found(),
    })
    .await;
    let venue = venue(server.address, patient());
    let from = Timestamp::from_ms(1_600_000_200_000 + 1);
    let until = from.plus_ms(2_500 * step);
    let range = CandleRange { symbol: symbol(), timeframe: Timeframe::M5, from, until };
    let candles = venue.candles(&range).await.unwrap();
    assert_eq!(candles.len(), 2_500);
    assert_eq!(candles[0].open_time.ms(), 1_600_000_200_000 + step);
    assert!(candles.windows(2).all(|pair| pair[1].open_time.since_ms(pair[0].open_time) == step));
    assert!(candles.iter().all(|candle| candle.open_time >= from && candle.open_time < until));
    assert_eq!(server.seen("/v5/market/kline").len(), 3);
    let empty = CandleRange { until: from, ..range };
    assert_eq!(venue.candles(&empty).await.unwrap(), []);
    let huge = CandleRange { from: Timestamp::EPOCH, ..range };
    assert!(matches!(venue.candles(&huge).await, Err(VenueError::NotSent { .. })));
}

#[tokio::test]
async fn funding_history_is_paged_backwards() {
    const HOURS_8: i64 = 28_800_000;
    let server = Server::start(|seen| {
        if seen.path() != "/v5/market/funding/history" {
            return not_found();
        }
        let bound = |name| seen.parameter(name).unwrap().parse::<i64>().unwrap();
        let (start, end) = (bound("startTime"), bound("endTime"));
        let newest = end.div_euclid(HOURS_8) * HOURS_8;
        let times = (0..200).map(|n| newest - n * HOURS_8).take_while(|at| *at >= start);
        let rows: Vec<_> = times
            .map(|at| json!({"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": at.to_string()}))
            .collect();
        list(&json!(rows))
    })
    .await;
    let until = Timestamp::from_ms(HOURS_8 * 60_000);
    let range = SymbolRange { symbol: symbol(), from: until.plus_ms(-450 * HOURS_8), until };
    let rates = venue(server.address, patient()).funding_history(&range).await.unwrap();
    assert_eq!(rates.len(), 450);
    assert!(rates.windows(2).all(|pair| pair[1].at.since_ms(pair[0].at) == HOURS_8));
    assert_eq!((rates[0].at, rates[449].at), (range.from, until.plus_ms(-HOURS_8)));
}

#[tokio::test]
async fn instruments_that_cannot_be_expressed_are_named() {
    let contract = |symbol: &str, base: &str, kind: &str| {
        json!({"symbol": symbol, "contractType": kind, "status": "Trading", "baseCoin": base, "quoteCoin": "USDT",
               "settleCoin": "USDT", "fundingInterval": 240, "leverageFilter": {"maxLeverage": "50.00"},
               "priceFilter": {"tickSize": "0.05"}, "lotSizeFilter": {"qtyStep": "0.01", "minOrderQty": "0.01",
               "maxOrderQty": "8000", "maxMktOrderQty": "1500", "minNotionalValue": "5"}})
    };
    let server = Server::start(move |seen| match (seen.path(), seen.query().contains("cursor")) {
        ("/v5/market/instruments-info", false) => ok(&json!({"nextPageCursor": "p2", "list": [
            contract("ETHUSDT", "ETH", "LinearPerpetual"), contract("BTC-26DEC25", "BTC", "LinearFutures"),
        ]})),
        ("/v5/market/instruments-info", true) => {
            list(&json!([contract("1000000BABYDOGEUSDT", "1000000BABYDOGE", "LinearPerpetual")]))
        }
        ("/v5/system/status", _) => {
            list(&json!([{"state": "ongoing", "end": "1700000090000", "product": [1], "env": 1}]))
        }
        _ => not_found(),
    })
    .await;
    let venue = venue(server.address, patient());
    let instruments = venue.instruments().await.unwrap();
    let [eth] = instruments.listed.as_slice() else { panic!("{instruments:?}") };
    assert_eq!((eth.max_quantity.unwrap().to_string(), eth.funding_interval_hours), ("1500".to_owned(), 4));
    assert_eq!(
        (eth.maintenance_margin.to_string(), eth.taker_fee.to_string()),
        ("0.01".to_owned(), "0.00055".to_owned())
    );
    assert_eq!(instruments.refused.len(), 1);
    assert!(instruments.refused[0].why.to_string().contains("baseCoin"));
    let maintenance = VenueStatus::Maintenance { until: Some(Timestamp::from_ms(1_700_000_090_000)) };
    assert_eq!(venue.venue_status().await.unwrap(), maintenance);
}

#[tokio::test]
async fn a_keys_rights_are_read_back() {
    let server = Server::start(|seen| match seen.path() {
        "/v5/user/query-api" => ok(&json!({"readOnly": 0, "permissions": {"ContractTrade": ["Order", "Position"],
            "Wallet": ["Withdraw"], "Novelty": ["Teleport"]}, "ips": ["*"], "expiredAt": "2026-01-01T00:00:00Z", "uta": 1})),
        _ => not_found(),
    })
    .await;
    let facts = venue(server.address, patient()).inspect_key().await.unwrap();
    assert_eq!((facts.trade, facts.withdraw, facts.transfer), (Known::Yes, Known::Yes, Known::No));
    assert_eq!((facts.ip_bound, facts.ip_addresses.len()), (Known::No, 0));
    assert_eq!(facts.unknown_permissions, ["Novelty.Teleport"]);
    assert_eq!(facts.expires_at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!(facts.contract_types, ContractType::ALL);
}

#[test]
fn an_adapter_for_another_exchanges_addresses_cannot_be_made() {
    let clock = || Arc::new(StandingClock(NOW_MS));
    let dialer = || Arc::new(TokioDialer::default());
    for exchange in Exchange::ALL.iter().copied().filter(|exchange| *exchange != Exchange::Bybit) {
        let config = linear(
            Endpoints::simulated(exchange, ContractType::Linear, "http://127.0.0.1:7001").unwrap(),
            Settings::default(),
        );
        assert!(BybitMarket::from_config(config.clone(), dialer(), clock()).is_err());
        assert_eq!(AnyMarket::new(config, dialer(), clock()).unwrap().venue().exchange, exchange);
    }
    let ours = linear(
        Endpoints::simulated(Exchange::Bybit, ContractType::Linear, "http://127.0.0.1:7001").unwrap(),
        Settings::default(),
    );
    let venue = AnyMarket::new(ours, dialer(), clock()).unwrap().with_key(test_signer()).venue();
    assert_eq!((venue.exchange, venue.environment), (Exchange::Bybit, Environment::Simulated));
    for environment in [Environment::Testnet, Environment::Simulated] {
        let live = keyhold_venues::hosts::Addresses {
            rest: "https://api.bybit.com",
            key_check: None,
            public_ws: "wss://stream.bybit.com/v5/public",
            market_ws: None,
            private_ws: "wss://stream.bybit.com/v5/private",
        };
        assert!(Endpoints::new(Exchange::Bybit, environment, live).is_err(), "{environment}");
    }
}

#[tokio::test]
async fn a_ban_of_the_address_stops_questions_but_not_exits() {
    let orders = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&orders);
    let server = Server::start(move |seen| match seen.path() {
        "/v5/account/wallet-balance" => Reaction::Answer(403, "403, access too frequent".to_owned()),
        "/v5/order/cancel" => {
            count.fetch_add(1, Ordering::SeqCst);
            ok(&json!({"orderId": "v-1"}))
        }
        _ => not_found(),
    })
    .await;
    let mut settings = patient();
    settings.limit_patience = std::time::Duration::ZERO;
    let venue = venue(server.address, settings);
    let banned = venue.account().await.unwrap_err();
    assert_eq!(banned.refusal(), Some(RefusalCode::IpBanned));
    let held_back = venue.account_settings().await;
    assert!(
        matches!(held_back, Err(VenueError::NotSent { cause: NotSentCause::RateLimit, .. })),
        "{held_back:?}"
    );
    venue.cancel(&CancelOrder { order: OrderRef::Client(order_id(1)), symbol: symbol() }).await.unwrap();
    assert_eq!(orders.load(Ordering::SeqCst), 1);
}
