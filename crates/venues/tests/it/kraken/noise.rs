//! Spoiled messages: no panic, every error names a field or a place, none repeats what the message said.

use keyhold_domain::{ContractType, OrderStatus, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::kraken::wire::{
    self, FeedFills, FeedOrders, FeedPositions, StreamHead, WireFills, WireKey, WireLog, WireOpenOrders,
    WireOrderStatuses, WirePositions, WireSent,
};
use keyhold_venues::kraken::wire_market::{
    FeedBalances, FeedBook, FeedBookChange, FeedTicker, FeedTrade, WireAccounts, WireCandles,
    WireFeeSchedules, WireInstruments, WireRates, WireTickerAnswer,
};
use keyhold_venues::kraken::{convert, convert_market, endpoints, refusals};
use proptest::prelude::*;

/// A word that stands where values stand; no error text may hold it.
const SENTINEL: &str = "Sn7inL";

const SAMPLES: &[&str] = &[
    r#"{"result":"success","openOrders":[{"order_id":"o-1","cliOrdId":"kh0000000000000000000000000e","symbol":"PF_XBTUSD",
    "side":"buy","orderType":"lmt","limitPrice":10640.5,"stopPrice":1.5,"unfilledSize":304,"receivedTime":"2019-09-05T17:01:17.410Z",
    "status":"untouched","filledSize":1e1,"reduceOnly":true,"triggerSignal":"mark","lastUpdateTime":"2019-09-05T17:01:17.410Z"}]}"#,
    r#"{"result":"success","fills":[{"fill_id":"f","order_id":"o","symbol":"pf_xbtusd","side":"sell","size":2000,"price":4255,
    "fillType":"maker","fillTime":"2016-02-25T09:47:01.000Z","fee_paid":1e-5,"fee_currency":"USD"}]}"#,
    r#"{"feed":"fills","fills":[{"instrument":"PF_ETHUSD","time":1765185437003,"price":3162.0,"seq":1,"buy":true,"qty":0.001,
    "remaining_order_qty":0.0,"order_id":"o","cli_ord_id":"c","fill_id":"f","fill_type":"taker","fee_paid":0.001581,"fee_currency":"USD"}]}"#,
    r#"{"feed":"open_orders","order":{"instrument":"PF_XBTUSD","time":1,"last_update_time":2,"qty":1.5,"filled":0.5,"limit_price":7.0,
    "stop_price":0.0,"type":"limit","order_id":"o","direction":1,"reduce_only":false},"is_cancel":false,"reason":"partial_fill"}"#,
    r#"{"feed":"open_positions","positions":[{"instrument":"PF_LTCUSD","balance":0.5,"pnl":-0.86,"entry_price":70.53,
    "mark_price":68.8,"liquidation_threshold":0,"max_fixed_leverage":2}],"seq":0,"timestamp":1698608414910}"#,
    r#"{"result":"success","openPositions":[{"side":"long","symbol":"pi_xrpusd","price":"0.7533","size":"230"}]}"#,
    r#"{"result":"success","accounts":{"flex":{"type":"multiCollateralMarginAccount","balanceValue":"1.5","portfolioValue":2,
    "availableMargin":-1},"fi_xbtusd":{"type":"marginAccount","currency":"xbt","balances":{"xbt":"0.5"},"auxiliary":{"pv":"1","af":"2"}}}}"#,
    r#"{"feed":"balances","futures":{"F":{"unit":"XBT","portfolio_value":1.5,"balance":1,"available":0.5}},
    "flex_futures":{"balance_value":1.0,"portfolio_value":2.0,"available_margin":3.0},"timestamp":1,"seq":2}"#,
    r#"{"result":"success","instruments":[{"symbol":"PF_ETHUSD","type":"flexible_futures","tickSize":0.1,"contractSize":1,
    "tradeable":true,"maxPositionSize":16000.0,"marginLevels":[{"initialMargin":0.02,"maintenanceMargin":0.01}],
    "contractValueTradePrecision":3,"postOnly":false,"base":"ETH","quote":"USD"}]}"#,
    r#"{"candles":[{"time":1645198500000,"open":"309.15","high":"309.15","low":"308.7","close":"308.85","volume":0}],"more_candles":true}"#,
    r#"{"result":"success","ticker":{"symbol":"PI_XBTUSD","last":1.5,"markPrice":2.5,"indexPrice":1,"bid":1,"ask":2,
    "fundingRate":-3.9e-9,"openInterest":7},"serverTime":"2022-03-03T22:51:16.566Z"}"#,
    r#"{"time":1676393235406,"product_id":"PI_XBTUSD","relative_funding_rate":-1.3e-6,"next_funding_rate_time":1676394000000,
    "feed":"ticker","bid":1.5,"ask":2,"index":1,"last":1,"openInterest":3,"markPrice":2}"#,
    r#"{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":1612269825817,"seq":3,"bids":[{"price":34892.5,"qty":6385}],
    "asks":[{"price":34911.5,"qty":1}]}"#,
    r#"{"feed":"book","product_id":"PI_XBTUSD","side":"sell","seq":326094134,"price":34981,"qty":0,"timestamp":1612269953629}"#,
    r#"{"feed":"trade","product_id":"PI_XBTUSD","uid":"u","side":"sell","type":"fill","seq":653355,"time":1612266317519,"qty":15000,"price":34969.5}"#,
    r#"{"orders":[{"order":{"orderId":"o","cliOrdId":"kh0000000000000000000000000e","type":"lmt","symbol":"PF_XBTUSD","side":"buy",
    "quantity":1,"filled":0,"limitPrice":1,"reduceOnly":false,"timestamp":"2019-09-05T17:01:17.410Z"},"status":"ENTERED_BOOK"}]}"#,
    r#"{"result":"success","sendStatus":{"order_id":"o","status":"placed","receivedTime":"2022-02-28T19:32:17.122Z","orderEvents":[
    {"type":"EXECUTION","amount":0.5,"order":{"orderId":"o","type":"lmt","symbol":"pi_xrpusd","side":"buy","quantity":1,"limitPrice":0.7}}]}}"#,
    r#"{"logs":[{"asset":"usd","booking_uid":"b","contract":"pf_dogeusd","date":"2026-08-11T19:55:24.251Z","execution":"e","fee":0.0035,
    "id":9,"info":"futures trade","realized_funding":-0.5}]}"#,
    r#"{"apiKey":"k","permissions":{"general":"full_access","withdrawal":"no access","new":"word"},"allowedCidrBlocks":["1.2.3.4/32"]}"#,
    r#"{"rates":[{"timestamp":"2018-08-31T16:00:00.000Z","fundingRate":1,"relativeFundingRate":0.00006}]}"#,
    r#"{"feeSchedules":[{"uid":"a","tiers":[{"makerFee":0.02,"takerFee":0.05,"usdVolume":0.0}]}]}"#,
];

fn each<T>(rows: Option<Vec<T>>, read: impl Fn(&T) -> Result<(), WireError>) -> Vec<WireError> {
    match wire::rows(rows, "list", "list") {
        Err(error) => vec![error],
        Ok(rows) => rows.iter().filter_map(|row| read(row).err()).collect(),
    }
}

macro_rules! read_list {
    ($text:expr, $errors:expr, $answer:ident . $field:ident, $read:expr) => {
        match wire::json::<$answer<'_>>("message", $text) {
            Ok(answer) => $errors.extend(each(answer.$field, $read)),
            Err(error) => $errors.push(error),
        }
    };
}

macro_rules! read_one {
    ($text:expr, $errors:expr, $answer:ident, $read:expr) => {
        match wire::json::<$answer<'_>>("message", $text) {
            Ok(answer) => $errors.extend($read(answer).err()),
            Err(error) => $errors.push(error),
        }
    };
}

/// Reads a text as everything it could be and gathers the errors.
fn read_as_everything(text: &[u8]) -> Vec<WireError> {
    let mut errors: Vec<WireError> = vec![];
    errors.extend(wire::json::<StreamHead<'_>>("head", text).err());
    read_list!(text, errors, WireOpenOrders.list, |row| convert::open_order(row).map(drop));
    read_list!(text, errors, WireFills.list, |row| convert::fill(row, None).map(drop));
    read_list!(text, errors, FeedFills.list, |row| convert::feed_fill(row).map(drop));
    read_list!(text, errors, FeedPositions.list, |row| convert::feed_position(row).map(drop));
    read_list!(text, errors, WirePositions.list, |row| convert::position(row).map(drop));
    read_list!(text, errors, WireLog.list, |row| {
        convert::booked_fee(row)?;
        convert::funding_payment(row).map(drop)
    });
    read_list!(text, errors, WireOrderStatuses.list, |row| {
        if let Some(order) = &row.order {
            convert::whole_order(order, OrderStatus::Open)?;
        }
        convert::order_status(row).map(drop)
    });
    read_one!(text, errors, WireKey, |row| convert::key_facts(&row).map(drop));
    errors.extend(read_as_news(text));
    errors.extend(read_as_market(text));
    errors
}

/// Reads a text as everything of the market that it could be.
fn read_as_market(text: &[u8]) -> Vec<WireError> {
    let mut errors: Vec<WireError> = vec![];
    read_list!(text, errors, WireInstruments.list, |row| {
        convert_market::instrument(ContractType::Linear, row).map(drop)
    });
    read_list!(text, errors, WireCandles.candles, |row| convert_market::candle(row).map(drop));
    read_list!(text, errors, WireRates.list, |row| convert_market::funding_rate(row).map(drop));
    read_list!(text, errors, WireFeeSchedules.list, |row| {
        convert_market::fees(row, keyhold_domain::Decimal::ZERO).map(drop)
    });
    read_one!(text, errors, FeedBook, |row| convert_market::book_snapshot(&row).map(drop));
    read_one!(text, errors, FeedBookChange, |row| convert_market::book_change(&row).map(drop));
    read_one!(text, errors, FeedTrade, |row| convert_market::trade(&row).map(drop));
    read_one!(text, errors, FeedTicker, |row| convert_market::feed_ticker(&row).map(drop));
    read_one!(text, errors, WireTickerAnswer, |answer: WireTickerAnswer<'_>| {
        answer.ticker.map_or(Ok(()), |row| convert_market::ticker(&row, Timestamp::EPOCH).map(drop))
    });
    errors
}

/// Reads a text as every answer and all news of the account that it could be.
fn read_as_news(text: &[u8]) -> Vec<WireError> {
    let mut errors: Vec<WireError> = vec![];
    read_one!(text, errors, FeedOrders, |news: FeedOrders<'_>| {
        news.order.map_or(Ok(()), |row| convert::feed_order(&row).map(drop))
    });
    read_one!(text, errors, WireSent, |sent: WireSent<'_>| sent
        .send_status
        .as_ref()
        .map_or(Ok(()), read_events));
    read_one!(text, errors, WireAccounts, |answer: WireAccounts<'_>| {
        for account in answer.map.iter().flat_map(|all| all.values()) {
            convert::balance(ContractType::Linear, account)?;
            convert::balance(ContractType::Inverse, account)?;
        }
        Ok::<(), WireError>(())
    });
    read_one!(text, errors, FeedBalances, |news: FeedBalances<'_>| {
        for account in news.futures.iter().flat_map(|all| all.values()) {
            convert::feed_balance(account)?;
        }
        news.flex_futures.map_or(Ok(()), |flex| convert::feed_flex(&flex).map(drop))
    });
    errors
}

fn read_events(status: &wire::WireSendStatus<'_>) -> Result<(), WireError> {
    for event in status.order_events.iter().flatten() {
        if let Some(order) = &event.order {
            convert::whole_order(order, OrderStatus::Open)?;
        }
    }
    let order = keyhold_domain::NewOrder {
        client_id: crate::support::order_id(1),
        symbol: "PF_XBTUSD".parse().unwrap(),
        side: keyhold_domain::Side::Buy,
        kind: keyhold_domain::OrderKind::Market,
        quantity: "1".parse().unwrap(),
        effect: keyhold_domain::PositionEffect::Increase,
        purpose: keyhold_domain::OrderPurpose::Entry,
    };
    convert::sent_update(&order, status).map(drop)
}

fn assert_harmless(text: &[u8]) {
    for error in read_as_everything(text) {
        assert!(!error.to_string().contains(SENTINEL), "{error}");
    }
    for endpoint in [endpoints::PLACE, endpoints::ACCOUNTS, endpoints::CANCEL] {
        for status in [200, 403, 500] {
            drop(refusals::judge(endpoint, status, text));
        }
    }
}

#[test]
fn every_sample_is_read_by_its_own_reader() {
    // Each sample fits one reader at least: fewer errors than readers, and none that says "not".
    let readers = read_as_everything(b"[").len();
    for sample in SAMPLES {
        let errors = read_as_everything(sample.as_bytes());
        assert!(errors.len() < readers - 1, "{sample}: {errors:?}");
        assert!(
            !errors.iter().any(|error| matches!(error, WireError::Malformed { .. })),
            "{sample}: {errors:?}"
        );
    }
}

/// Every value of every sample, replaced by something else.
#[test]
fn no_value_is_repeated_in_an_error() {
    let replacements = [
        serde_json::json!(SENTINEL),
        serde_json::json!([SENTINEL]),
        serde_json::json!({SENTINEL: SENTINEL}),
        serde_json::json!(1.5),
        serde_json::json!(-1),
        serde_json::json!(u64::MAX),
        serde_json::json!("79228162514264337593543950335"),
        serde_json::json!("-79228162514264337593543950335"),
        serde_json::json!("1e300"),
        serde_json::json!(1e-300),
        serde_json::json!("0.0000000000000000000000000001"),
        serde_json::json!(null),
        serde_json::json!(true),
        serde_json::json!(""),
        serde_json::json!("é"),
    ];
    let mut spoiled = 0;
    for sample in SAMPLES {
        let whole: serde_json::Value = serde_json::from_str(sample).unwrap();
        for path in crate::noise::paths(&whole, "") {
            for replacement in &replacements {
                let mut message = whole.clone();
                *message.pointer_mut(&path).unwrap() = replacement.clone();
                assert_harmless(message.to_string().as_bytes());
                spoiled += 1;
            }
        }
    }
    println!("kraken spoiled messages: {spoiled}");
    assert!(spoiled > 2_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_bytes_do_no_harm(
        sample in 0..SAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..8),
    ) {
        let mut text = SAMPLES[sample].as_bytes().to_vec();
        for (place, byte, kind) in edits {
            if text.is_empty() {
                break;
            }
            let place = place.index(text.len());
            match kind {
                0 => text[place] = byte,
                1 => { text.remove(place); }
                2 => text.insert(place, byte),
                _ => text.truncate(place),
            }
        }
        assert_harmless(&text);
    }
}
