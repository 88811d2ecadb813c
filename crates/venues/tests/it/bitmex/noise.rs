//! Spoiled messages: no panic, every error names a field or a place, none repeats what the message said.

use std::sync::Arc;

use keyhold_domain::{Timeframe, Timestamp};
use keyhold_venues::WireError;
use keyhold_venues::bitmex::contracts::Contracts;
use keyhold_venues::bitmex::wire::{self, StreamHead, WireFunding, WireInstrument};
use keyhold_venues::bitmex::{
    account_stream, bins, convert, convert_market, endpoints, market_stream, refusals,
};
use keyhold_venues::common::market_feed::{News, Want, Wanted};
use keyhold_venues::event::AccountEvent;
use proptest::prelude::*;

use super::inverse;

/// A word that stands where values stand; no error text may hold it.
const SENTINEL: &str = "Sn7inL";

const ORDER: &str = r#"{"table":"order","action":"partial","keys":["orderID"],"data":[{"orderID":"o-1",
"clOrdID":"kh00000000000000000000000e","symbol":"XBTUSD","side":"Buy","orderQty":100,"price":30000.5,"stopPx":1.5,
"ordType":"Stop","timeInForce":"GoodTillCancel","execInst":"ReduceOnly,LastPrice","ordStatus":"New","triggered":"",
"cumQty":40,"text":"Submitted via API.","transactTime":"2024-11-25T10:30:00.000Z","timestamp":"2024-11-25T10:30:00.123Z"}]}"#;
const EXECUTION: &str = r#"{"table":"execution","action":"insert","data":[{"execID":"e-1","orderID":"o-1","clOrdID":"",
"symbol":"XBTUSD","side":"Sell","lastQty":100,"lastPx":98950.0,"lastLiquidityInd":"RemovedLiquidity","execType":"Trade",
"leavesQty":0,"execComm":76,"settlCurrency":"XBt","text":"x","transactTime":"2024-11-25T10:35:00.789Z"}]}"#;
const POSITION: &str = r#"{"table":"position","action":"partial","data":[{"symbol":"XBTUSD","currentQty":-100,
"avgEntryPrice":98390.88,"markPrice":98000,"liquidationPrice":99999.5,"leverage":10,"crossMargin":false,"unrealisedPnl":1350}]}"#;
const MARGIN: &str = r#"{"table":"margin","action":"partial","data":[{"currency":"XBt","walletBalance":100005180,
"marginBalance":100010360,"availableMargin":99994411,"excessMargin":1}]}"#;
const INSTRUMENT: &str = r#"{"table":"instrument","action":"update","data":[{"symbol":"XBTUSD","state":"Open","typ":"FFWCSX",
"underlying":"XBT","quoteCurrency":"USD","settlCurrency":"XBt","lotSize":100,"tickSize":0.1,"maxOrderQty":10000000,
"multiplier":-100000000,"underlyingToPositionMultiplier":1000000,"isQuanto":false,"isInverse":true,"initMargin":0.01,
"maintMargin":0.005,"makerFee":0.0005,"takerFee":0.0005,"fundingInterval":"2000-01-01T08:00:00.000Z","fundingRate":0.00011,
"fundingTimestamp":"2024-11-25T04:00:00.000Z","lastPrice":97893.7,"bidPrice":1,"askPrice":2,"markPrice":3,
"indicativeSettlePrice":4,"openInterest":411647400,"timestamp":"2024-11-24T23:33:19.034Z"}]}"#;
const CANDLE: &str = r#"{"table":"tradeBin1m","action":"insert","data":[{"timestamp":"2024-11-23T20:07:00.000Z","symbol":"XBTUSD",
"open":97550.0,"high":97584.4,"low":97550,"close":97570.1,"volume":84000}]}"#;
const TRADE: &str = r#"{"table":"trade","action":"insert","data":[{"timestamp":"2024-11-25T10:35:00.789Z","symbol":"XBTUSD",
"side":"Buy","size":100,"price":98950.0,"trdMatchID":"t-1"}]}"#;
const BOOK: &str = r#"{"table":"orderBookL2_25","action":"partial","data":[{"symbol":"XBTUSD","id":62400580205,"side":"Sell",
"size":33000,"price":98459.9,"timestamp":"2024-11-24T08:26:22.356Z"}]}"#;
const KEY: &str = r#"{"id":"k","permissions":["order","withdraw","NewWord"],"cidr":"","cidrs":["203.0.113.7/32"],"enabled":true}"#;

const SAMPLES: &[&str] = &[ORDER, EXECUTION, POSITION, MARGIN, INSTRUMENT, CANDLE, TRADE, BOOK, KEY];

fn contracts() -> Arc<Contracts> {
    Arc::new([("XBTUSD".parse().unwrap(), inverse())].into_iter().collect())
}

fn tables() -> (account_stream::Tables, market_stream::Tables) {
    let want = Want {
        symbol: "XBTUSD".parse().unwrap(),
        timeframes: [Timeframe::M1, Timeframe::M3].into(),
        book: Wanted::Yes,
        trades: Wanted::Yes,
    };
    (account_stream::Tables::new(contracts()), market_stream::Tables::new(contracts(), &[want]))
}

/// Reads a text as everything it could be and gathers the errors and how much was understood.
fn read_as_everything(text: &str) -> (Vec<WireError>, usize) {
    let (mut account, mut market) = tables();
    let (mut errors, mut understood) = (vec![], 0);
    errors.extend(wire::json::<StreamHead<'_>>("head", text.as_bytes()).err());
    for event in account.read(text) {
        match event {
            AccountEvent::Undecodable(error) => errors.push(error),
            _ => understood += 1,
        }
    }
    for news in market.read(text, Timestamp::EPOCH) {
        match news {
            News::Unreadable(error, _) => errors.push(error),
            _ => understood += 1,
        }
    }
    let rows = wire::json::<wire::StreamRows<WireInstrument<'_>>>("rows", text.as_bytes());
    for row in rows.ok().and_then(|rows| rows.data).unwrap_or_default() {
        let read = convert_market::contract(&row).and_then(|one| convert_market::instrument(&row, one));
        errors.extend(read.err());
    }
    let key = wire::json("key", text.as_bytes()).and_then(|key| convert::key_facts(&key));
    understood += usize::from(key.is_ok());
    errors.extend(key.err());
    let funding = wire::json::<WireFunding<'_>>("funding", text.as_bytes());
    errors.extend(funding.and_then(|row| convert_market::funding_rate(&row)).err());
    let bucket = wire::json("candle", text.as_bytes());
    errors.extend(bucket.and_then(|row| bins::candle(&row, bins::Bin::M1, inverse())).err());
    (errors, understood)
}

fn assert_harmless(text: &str) {
    for error in read_as_everything(text).0 {
        assert!(!error.to_string().contains(SENTINEL), "{error}");
    }
    for endpoint in [endpoints::PLACE, endpoints::CANCEL, endpoints::MARGIN] {
        for status in [200, 400, 403, 503] {
            drop(refusals::judge(endpoint, status, text.as_bytes()));
        }
    }
}

#[test]
fn samples_are_understood() {
    for sample in SAMPLES {
        assert!(read_as_everything(sample).1 > 0, "{sample}");
    }
}

/// Every value of every sample, replaced by something else, and every field left out.
#[test]
fn no_value_is_repeated_in_an_error() {
    let replacements = [
        serde_json::json!(SENTINEL),
        serde_json::json!([SENTINEL]),
        serde_json::json!({SENTINEL: SENTINEL}),
        serde_json::json!(1.5e300),
        serde_json::json!(-1),
        serde_json::json!(u64::MAX),
        serde_json::json!(1e-28),
        serde_json::json!("79228162514264337593543950335"),
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
                assert_harmless(&message.to_string());
                spoiled += 1;
            }
        }
    }
    println!("spoiled messages: {spoiled}");
    assert!(spoiled > 800);
}

/// JSON pointers to every value of a message.
fn paths(value: &serde_json::Value, at: &str) -> Vec<String> {
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

#[test]
fn missing_fields_are_named() {
    let without = |text: &str, field: &str| {
        let mut message: serde_json::Value = serde_json::from_str(text).unwrap();
        message["data"][0].as_object_mut().unwrap().remove(field).unwrap();
        read_as_everything(&message.to_string()).0
    };
    let cases = [
        (ORDER, "ordStatus"),
        (EXECUTION, "execComm"),
        (EXECUTION, "lastLiquidityInd"),
        (POSITION, "currentQty"),
        (MARGIN, "walletBalance"),
        (CANDLE, "high"),
        (TRADE, "size"),
        (BOOK, "price"),
    ];
    for (sample, field) in cases {
        let named = without(sample, field)
            .iter()
            .any(|error| matches!(error, WireError::Missing { field: missing, .. } if *missing == field));
        assert!(named, "{field} of {sample}");
    }
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
        assert_harmless(&String::from_utf8_lossy(&text));
    }
}
