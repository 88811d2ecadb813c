//! Spoiled messages: no panic, every error names a field or a place, none repeats what the message said.

use keyhold_domain::{ContractType, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::bybit::wire::{self, Field, Page, StreamHead, StreamRecord, StreamRows};
use keyhold_venues::bybit::{convert, convert_market, endpoints, refusals};
use proptest::prelude::*;

/// A word that stands where values stand; no error text may hold it.
const SENTINEL: &str = "Sn7inL";

const ORDER: &str = r#"{"topic":"order","creationTime":1672364262474,"data":[{"category":"linear","symbol":"BTCUSDT",
"orderId":"o-1","orderLinkId":"kh0000000000000000000000000e","side":"Buy","orderType":"Limit","price":"30000.5","qty":"0.010",
"timeInForce":"GTC","orderStatus":"PartiallyFilled","reduceOnly":false,"cumExecQty":"0.004","triggerPrice":"1","triggerDirection":2,
"triggerBy":"MarkPrice","lastPriceOnCreated":"3","rejectReason":"EC_NoError","cancelType":"UNKNOWN","updatedTime":"1700000005000"}]}"#;

const EXECUTION: &str = r#"{"retCode":0,"retMsg":"OK","result":{"nextPageCursor":"a%3Ab","list":[{"symbol":"BTCUSDT",
"orderId":"o-1","orderLinkId":"","side":"Sell","execFee":"0.015","execId":"e-1","execPrice":"50000.00","execQty":"0.100",
"execType":"Trade","execTime":"1672282722429","feeCurrency":"USDT","isMaker":true,"leavesQty":"0"}]},"time":1}"#;

const POSITION: &str = r#"{"topic":"position","data":[{"positionIdx":0,"tradeMode":0,"symbol":"ETHUSDT","side":"Sell","size":"0.01",
"entryPrice":"3641.075","leverage":"30","markPrice":"3641.33","unrealisedPnl":"-0.00255","liqPrice":"51764.83","category":"linear"}]}"#;

const WALLET: &str = r#"{"retCode":0,"result":{"list":[{"accountType":"UNIFIED","coin":[{"coin":"USDT","equity":"1000.5",
"walletBalance":"1000.5","totalOrderIM":"1","totalPositionIM":"2","locked":"0"}]}]}}"#;

const INSTRUMENT: &str = r#"{"retCode":0,"result":{"nextPageCursor":"","list":[{"symbol":"BTCUSDT","contractType":"LinearPerpetual",
"status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"USDT","fundingInterval":480,"leverageFilter":{"maxLeverage":"100"},
"priceFilter":{"tickSize":"0.1"},"lotSizeFilter":{"maxOrderQty":"100","minOrderQty":"0.001","qtyStep":"0.001","maxMktOrderQty":"50",
"minNotionalValue":"5"}}]}}"#;

const CANDLE: &str = r#"{"topic":"kline.1.BTCUSDT","ts":1,"data":[{"start":1672324800000,"open":"16649.5","close":"16677",
"high":"16677","low":"16608","volume":"2.081","confirm":true}]}"#;

const CANDLES: &str = r#"{"retCode":0,"result":{"list":[["1670608800000","17071","17073","17027","17055.5","268611","15.7"]]}}"#;

const TICKER: &str = r#"{"topic":"tickers.BTCUSDT","type":"delta","ts":2,"data":{"symbol":"BTCUSDT","lastPrice":"17216.00",
"markPrice":"17217.33","indexPrice":"17227.36","fundingRate":"-0.000212","nextFundingTime":"1673280000000","bid1Price":"1","ask1Price":"2"}}"#;

const KEY: &str = r#"{"retCode":0,"result":{"readOnly":0,"permissions":{"ContractTrade":["Order","Position"],"Wallet":["Withdraw"],
"New":["Word"]},"ips":["*"],"deadlineDay":7,"expiredAt":"2026-01-01T00:00:00Z","uta":1}}"#;

const SAMPLES: &[&str] = &[ORDER, EXECUTION, POSITION, WALLET, INSTRUMENT, CANDLE, CANDLES, TICKER, KEY];

fn each<T>(rows: Result<Vec<T>, WireError>, read: impl Fn(&T) -> Result<(), WireError>) -> Vec<WireError> {
    match rows {
        Err(error) => vec![error],
        Ok(rows) => rows.iter().filter_map(|row| read(row).err()).collect(),
    }
}

fn rows<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<Vec<T>, WireError> {
    wire::result::<Page<'a, T>>("list", text)?.rows("list")
}

fn news<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<Vec<T>, WireError> {
    let rows: StreamRows<T> = wire::json("message", text)?;
    rows.data.ok_or(WireError::Missing { what: "message", field: "data" })
}

/// Reads a text as everything it could be and gathers the errors.
fn read_as_everything(text: &[u8]) -> Vec<WireError> {
    let product = ContractType::Linear;
    let mut errors = vec![];
    errors.extend(wire::json::<StreamHead<'_>>("head", text).err());
    errors.extend(each(news(text), |row| convert::open_order(row).map(drop)));
    errors.extend(each(news(text), |row| convert::order_update(row).map(drop)));
    errors.extend(each(rows(text), |row| convert::open_order(row).map(drop)));
    errors.extend(each(news(text), |row| convert::execution(product, row).map(drop)));
    errors.extend(each(rows(text), |row| convert::execution(product, row).map(drop)));
    errors.extend(each(news(text), |row| convert::position(row).map(drop)));
    errors.extend(each(rows(text), |row| convert::position(row).map(drop)));
    errors.extend(each(rows(text), |wallet| convert::balances(wallet).map(drop)));
    errors.extend(each(rows(text), |row| convert_market::instrument(product, row).map(drop)));
    errors.extend(each(rows(text), |row: &Vec<Field<'_>>| convert_market::candle_row(row).map(drop)));
    errors.extend(each(rows(text), |row| convert_market::funding_rate(row).map(drop)));
    errors.extend(each(rows(text), |row| convert_market::fees(row).map(drop)));
    errors.extend(each(news(text), |row| {
        convert_market::candle(row).and(convert_market::is_closed(row)).map(drop)
    }));
    let ticker = wire::json::<StreamRecord<wire::WireTicker<'_>>>("ticker", text).and_then(|record| {
        let row = record.data.ok_or(WireError::Missing { what: "ticker", field: "data" })?;
        convert_market::ticker(&row, None, Timestamp::EPOCH).map(drop)
    });
    errors.extend(ticker.err());
    errors.extend(wire::result("key", text).and_then(|key| convert::key_facts(&key).map(drop)).err());
    errors.extend(
        wire::result("time", text).and_then(|time| convert_market::server_time(&time).map(drop)).err(),
    );
    errors
}

fn assert_harmless(text: &[u8]) {
    for error in read_as_everything(text) {
        assert!(!error.to_string().contains(SENTINEL), "{error}");
    }
    for endpoint in [endpoints::PLACE, endpoints::WALLET] {
        for status in [200, 403, 500] {
            drop(refusals::judge(endpoint, status, text));
        }
    }
}

#[test]
fn samples_are_read_by_their_own_readers() {
    assert!(each(news(ORDER.as_bytes()), |row| convert::open_order(row).map(drop)).is_empty());
    assert!(
        each(rows(EXECUTION.as_bytes()), |row| convert::execution(ContractType::Linear, row).map(drop))
            .is_empty()
    );
    assert!(each(news(POSITION.as_bytes()), |row| convert::position(row).map(drop)).is_empty());
    assert!(each(rows(WALLET.as_bytes()), |row| convert::balances(row).map(drop)).is_empty());
    let instruments = each(rows(INSTRUMENT.as_bytes()), |row| {
        convert_market::instrument(ContractType::Linear, row).map(drop)
    });
    assert!(instruments.is_empty(), "{instruments:?}");
    assert!(each(news(CANDLE.as_bytes()), |row| convert_market::candle(row).map(drop)).is_empty());
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
        serde_json::json!("0.0000000000000000000000000001"),
        serde_json::json!(null),
        serde_json::json!(true),
        serde_json::json!(""),
    ];
    let mut spoiled = 0;
    for sample in SAMPLES {
        let whole: serde_json::Value = serde_json::from_str(sample).unwrap();
        for path in paths(&whole, "") {
            for replacement in &replacements {
                let mut message = whole.clone();
                *message.pointer_mut(&path).unwrap() = replacement.clone();
                assert_harmless(message.to_string().as_bytes());
                spoiled += 1;
            }
        }
    }
    println!("spoiled messages: {spoiled}");
    assert!(spoiled > 1_000);
}

/// JSON pointers to every value of a message.
pub(crate) fn paths(value: &serde_json::Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        serde_json::Value::Array(list) => {
            for (n, inner) in list.iter().enumerate() {
                found.extend(paths(inner, &format!("{at}/{n}")));
            }
        }
        serde_json::Value::Object(map) => {
            for (name, inner) in map {
                found.extend(paths(inner, &format!("{at}/{name}")));
            }
        }
        _ => {}
    }
    found
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
