//! Recorded messages of OKX's streams and lists, and noise made of them.

use keyhold_domain::{Decimal, Liquidity, OrderKind, OrderStatus, PositionEffect, Side, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::common::market_feed::News;
use keyhold_venues::okx::wire::{self, WireFill, WireOrder, WirePosition, WireStop};
use keyhold_venues::okx::{convert, convert_market, market_stream};
use serde_json::Value;

use super::sizes;
use crate::support::shared;

/// The text of a recorded message about the contract that the tests know.
fn recorded(name: &str) -> Option<String> {
    let path = shared(&format!("conformance/wire/okx/{name}.json"))?;
    Some(std::fs::read_to_string(path).unwrap())
}

fn number(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

#[test]
fn an_orders_news_tell_its_fill_in_coins() {
    let Some(text) = recorded("ws_orders") else { return };
    let rows: Vec<WireOrder<'_>> = wire::rows("orders", text.as_bytes()).unwrap();
    let (fill, forced) = convert::fill_of_order(&rows[0], &sizes()).unwrap().unwrap();
    assert_eq!(fill.quantity.get(), number("0.0003"), "three hundredths of a contract of a hundredth");
    assert_eq!((fill.side, fill.liquidity, forced), (Side::Buy, Liquidity::Maker, None));
    assert_eq!(fill.fee.amount, number("0.021776769"), "what is paid is positive");
    assert_eq!(fill.fill_id.as_str(), "2497956918703120384-1518905529");
    assert_eq!(fill.client_id, None, "it is not one of our names");
    assert_eq!(convert::order_update(&rows[0], &sizes()), Ok(None));
}

#[test]
fn forced_orders_are_told_apart() {
    let Some(text) = recorded("ws_orders_liquidation") else { return };
    let rows: Vec<WireOrder<'_>> = wire::rows("orders", text.as_bytes()).unwrap();
    let forced = rows.iter().filter_map(|row| convert::fill_of_order(row, &sizes()).ok().flatten()?.1);
    assert!(forced.count() > 0, "none was recognized");
}

#[test]
fn stops_wait_for_the_price_from_the_right_side() {
    let Some(text) = recorded("ws_orders_algo") else { return };
    let rows: Vec<WireStop<'_>> = wire::rows("stops", text.as_bytes()).unwrap();
    let stop = convert::open_stop(&rows[0], &sizes()).unwrap().unwrap();
    let OrderKind::StopMarket { trigger, direction, .. } = stop.kind else { panic!("not a stop") };
    assert_eq!((trigger.to_string(), direction.as_str()), ("95000".to_owned(), "falls"));
    assert_eq!((stop.status, stop.effect), (OrderStatus::Untriggered, PositionEffect::ReduceOnly));
    let states: Vec<_> = rows
        .iter()
        .filter_map(|row| convert::open_stop(row, &sizes()).unwrap())
        .map(|one| one.status)
        .collect();
    assert!(states.contains(&OrderStatus::Open) && states.contains(&OrderStatus::Canceled), "{states:?}");
}

#[test]
fn a_stop_without_a_size_is_no_order_of_ours() {
    let Some(text) = recorded("http_get_orders_algo_pending_close_fraction") else { return };
    let row: WireStop<'_> = wire::first("stops", text.as_bytes()).unwrap();
    assert_eq!(convert::open_stop(&row, &sizes()), Ok(None));
}

#[test]
fn positions_of_two_sides_are_recognized() {
    let Some(text) = recorded("http_get_positions") else { return };
    let row: WirePosition<'_> = wire::first("positions", text.as_bytes()).unwrap();
    let (position, mode) = convert::position(&row, &sizes()).unwrap();
    assert_eq!(position.size.get(), number("0.005"));
    assert_eq!(mode, keyhold_venues::port::PositionMode::Hedge);
}

#[test]
fn lists_read_as_recorded() {
    if let Some(text) = recorded("http_get_account_balance") {
        let balances = convert::balances(&wire::first("balance", text.as_bytes()).unwrap()).unwrap();
        assert_eq!(balances[0].equity, number("99.89469657000001"));
    }
    if let Some(text) = recorded("http_get_funding_rate_history") {
        let rate = convert_market::funding_rate(&wire::first("funding", text.as_bytes()).unwrap()).unwrap();
        assert_eq!(rate.rate.get(), number("0.00015"));
    }
    if let Some(text) = recorded("http_get_trade_fee_response") {
        let fees = convert_market::fees(&wire::first("fees", text.as_bytes()).unwrap(), "USDT").unwrap();
        assert_eq!((fees.maker.get(), fees.taker.get()), (number("0.0008"), number("0.001")));
    }
    if let Some(text) = recorded("http_transaction_detail") {
        let swap = text.replace("BTC-USDT", "BTC-USDT-SWAP");
        let row: WireFill<'_> = wire::json("fill", swap.as_bytes()).unwrap();
        let fill = convert::fill(&row, None, &sizes()).unwrap();
        assert_eq!((fill.quantity.get(), fill.fee.amount), (number("0.00001"), number("-0.042")));
    }
}

#[test]
fn market_messages_say_what_they_say() {
    let now = Timestamp::from_ms(1_700_000_000_000);
    let read = |name: &str| {
        let text = recorded(name)?.replace("\"BTC-USDT\"", "\"BTC-USDT-SWAP\"");
        let text = text.replace("\"BTC-USD\"", "\"BTC-USD-SWAP\"").replace("candle1D", "candle1Dutc");
        Some(market_stream::read(&text, &sizes(), now))
    };
    let Some(snapshot) = read("ws_books_snapshot") else { return };
    let mut book = keyhold_venues::book::LocalBook::default();
    for news in snapshot.iter().chain(&read("ws_books_update").unwrap()) {
        if let News::Book(_, update) = news {
            // The two were recorded at different times; whether they fit is not the question.
            let _fits = book.take(update);
            assert!(!update.bids.is_empty() && !update.asks.is_empty());
        }
    }
    let candles = read("ws_candle").unwrap();
    assert!(candles.iter().any(|news| matches!(news, News::Candle(..))), "{candles:?}");
    let trades = read("ws_trades").unwrap();
    let Some(News::Trades { id, rows, .. }) = trades.get(1) else { panic!("{trades:?}") };
    assert_eq!((id.as_str(), rows[0].quantity), ("130639474", number("12.060306")));
    assert!(matches!(read("ws_funding_rate").unwrap().last(), Some(News::Ticker(_) | News::Unreadable(..))));
}

/// Every way to spoil a value.
fn spoilt(value: &Value) -> Vec<Value> {
    let junk = ["null", "\"\"", "\"x\"", "-1", "\"-1\"", "true", "[]", "{}", "\"1e400\"", "1.5"];
    let junk = junk.map(|text| serde_json::from_str::<Value>(text).unwrap());
    let Value::Object(row) = value else { return vec![] };
    let mut all = vec![];
    for name in row.keys() {
        let mut without = row.clone();
        without.remove(name);
        all.push(Value::Object(without));
        for one in &junk {
            let mut with = row.clone();
            with.insert(name.clone(), one.clone());
            all.push(Value::Object(with));
        }
    }
    let mut more = row.clone();
    more.insert("brandNew".to_owned(), serde_json::json!({ "a": [1, { "b": null }] }));
    all.push(Value::Object(more));
    all
}

/// Rows of a recording, each spoilt in every way, read by something that must not panic.
fn hear_noise(name: &str, read: impl Fn(&[u8]) -> Result<(), WireError>) -> usize {
    let Some(text) = recorded(name) else { return 0 };
    let message: Value = serde_json::from_str(&text).unwrap();
    let mut heard = 0;
    for row in message["data"].as_array().unwrap().iter().flat_map(spoilt) {
        let text = serde_json::to_vec(&row).unwrap();
        if let Err(error) = read(&text) {
            // An error names a record and a field and repeats nothing of the message.
            assert!(!error.to_string().contains("1e400"), "{error}");
        }
        heard += 1;
    }
    heard
}

#[test]
fn noise_is_refused_by_name_and_harms_nobody() {
    let all = sizes();
    let heard = [
        hear_noise("ws_orders", |text| {
            let row: WireOrder<'_> = wire::json("order", text)?;
            let _order = convert::open_order(&row, &all);
            let _update = convert::order_update(&row, &all);
            convert::fill_of_order(&row, &all).map(drop)
        }),
        hear_noise("ws_orders_algo", |text| {
            let row: WireStop<'_> = wire::json("stop", text)?;
            let _update = convert::stop_update(&row);
            convert::open_stop(&row, &all).map(drop)
        }),
        hear_noise("http_get_positions", |text| {
            convert::position(&wire::json("position", text)?, &all).map(drop)
        }),
        hear_noise("http_get_account_balance", |text| {
            convert::balances(&wire::json("balance", text)?).map(drop)
        }),
        hear_noise("http_get_instruments_swap", |text| {
            let row = wire::json("instrument", text)?;
            let _inverse = convert_market::instrument(keyhold_domain::ContractType::Inverse, &row);
            convert_market::instrument(keyhold_domain::ContractType::Linear, &row).map(drop)
        }),
    ];
    let spoilt: usize = heard.iter().sum();
    println!("spoilt records: {spoilt}");
    let whole = recorded("ws_orders").is_some();
    assert!(!whole || spoilt > 1_000, "only {spoilt}");
    for text in
        ["", "pong", "{", "[]", "null", "{\"arg\":{}}", "{\"arg\":{\"channel\":\"books\",\"instId\":\"X\"}}"]
    {
        drop(market_stream::read(text, &all, Timestamp::EPOCH));
    }
}
