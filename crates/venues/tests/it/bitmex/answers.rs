//! Recorded answers and errors: what we read must be what is recorded, or be refused by name.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, RefusalCode};
use keyhold_venues::bitmex::bins::{self, Bin};
use keyhold_venues::bitmex::wire::{self, WireBucket, WireMargin};
use keyhold_venues::bitmex::{convert, convert_market, endpoints, refusals};
use serde_json::Value;

use super::{inverse, linear};
use crate::counts::{self, Count, Kind};
use crate::support::{decimal, maybe_decimal, shared_json};

/// Kinds of records and answers that the port does not read, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("parse_ledger_entry", "the account's ledger"),
    ("parse_trade", "a template: every value is the name of its type"),
];

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// ccxt takes the stamp as it is in single records and moves it to the opening time in whole answers.
fn compare_candle(raw: &Value, parsed: &Value, stamp_moved: i64) {
    let text = bytes(raw);
    let row: WireBucket<'_> = wire::json("candle", &text).unwrap();
    let candle = bins::candle(&row, Bin::M1, inverse()).unwrap().unwrap();
    assert_eq!(candle.open_time.ms(), parsed[0].as_i64().unwrap() - 60_000 + stamp_moved);
    let numbers = [candle.open.get(), candle.high.get(), candle.low.get(), candle.close.get(), candle.volume];
    for (index, number) in numbers.into_iter().enumerate() {
        assert_eq!(number, decimal(&parsed[index + 1]), "column {}", index + 1);
    }
}

fn compare_position(raw: &Value, parsed: &Value) {
    let text = bytes(raw);
    let position = convert::position(&wire::json("position", &text).unwrap(), linear("1")).unwrap();
    assert_eq!(parsed["side"], "long");
    assert_eq!(position.size.get(), decimal(&parsed["contracts"]));
    assert_eq!(position.entry.map(Price::get), maybe_decimal(&parsed["entryPrice"]));
    assert_eq!(position.mark.map(Price::get), maybe_decimal(&parsed["markPrice"]));
    assert_eq!(position.liquidation.map(Price::get), maybe_decimal(&parsed["liquidationPrice"]));
    assert_eq!(position.leverage, maybe_decimal(&parsed["leverage"]));
    // ccxt leaves the millionths.
    let millionths = position.unrealized.map(|amount| amount * Decimal::from(1_000_000));
    assert_eq!(millionths, maybe_decimal(&parsed["unrealizedPnl"]));
}

fn compare_balance(raw: &Value, parsed: &Value) {
    let text = bytes(raw);
    let rows: Vec<WireMargin<'_>> = wire::json("margin list", &text).unwrap();
    for balance in rows.iter().filter_map(|row| convert::balance(row).unwrap()) {
        let coin = &parsed[balance.asset.as_str()];
        assert_eq!(balance.wallet, decimal(&coin["total"]), "{}", balance.asset);
        assert_eq!(balance.available, decimal(&coin["free"]), "{}", balance.asset);
    }
    assert_eq!(rows.len(), 1);
}

fn compare_funding(raw: &Value, parsed: &Value) {
    let text = bytes(raw);
    let rows: Vec<wire::WireFunding<'_>> = wire::json("funding list", &text).unwrap();
    assert_eq!(rows.len(), parsed.as_array().unwrap().len());
    for (row, parsed) in rows.iter().zip(parsed.as_array().unwrap()) {
        let rate = convert_market::funding_rate(row).unwrap();
        assert_eq!(rate.at.ms(), parsed["timestamp"].as_i64().unwrap());
        assert_eq!(rate.rate.get(), decimal(&parsed["fundingRate"]));
    }
}

/// False when the kind is in no table.
fn compare(kind: &str, raw: &Value, parsed: &Value) -> bool {
    match kind {
        "parse_ohlcv" => compare_candle(raw, parsed, 0),
        "fetchOHLCV" => {
            let rows = raw.as_array().unwrap().iter().zip(parsed.as_array().unwrap());
            rows.for_each(|(row, parsed)| compare_candle(row, parsed, 60_000));
        }
        "parse_position" => compare_position(raw, parsed),
        "fetchBalance" => compare_balance(raw, parsed),
        "fetchFundingRateHistory" => compare_funding(raw, parsed),
        _ => return false,
    }
    true
}

#[test]
pub(crate) fn answers_are_read_as_recorded() {
    let Some(file) = shared_json("conformance/venues/response/bitmex.json") else { return };
    let (mut equal, mut suspect, mut not_offered) = (0, 0, BTreeMap::<String, usize>::new());
    for (group, raw, parsed) in
        [("records", "raw", "parsed"), ("responses", "httpResponse", "parsedResponse")]
    {
        for (kind, cases) in file[group].as_object().unwrap() {
            for case in cases.as_array().unwrap() {
                if !case["suspect"].is_null() {
                    suspect += 1;
                    continue;
                }
                println!("reading {}", case["id"]);
                if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| name == kind) {
                    *not_offered.entry(format!("{kind}: {why}")).or_default() += 1;
                    continue;
                }
                assert!(compare(kind, &case[raw], &case[parsed]), "{}: in no table", case["id"]);
                equal += 1;
            }
        }
    }
    println!("answers: {equal} equal, not offered {not_offered:#?}");
    let left_out = not_offered.values().sum();
    counts::tell("bitmex", Kind::Response, Count { run: equal, not_offered: left_out, suspect });
    assert!(equal >= 5);
}

/// The data's word for an error and ours.
const KINDS: &[(&str, RefusalCode)] = &[
    ("bad_key", RefusalCode::BadKey),
    ("bad_signature", RefusalCode::BadSignature),
    ("expired_or_clock_skew", RefusalCode::ClockSkew),
    ("ip_not_allowed", RefusalCode::IpNotAllowed),
    ("insufficient_permission", RefusalCode::InsufficientPermission),
    // A key that works no more, as an expired one.
    ("key_disabled", RefusalCode::KeyExpired),
    ("insufficient_margin", RefusalCode::InsufficientMargin),
    ("rate_limited", RefusalCode::RateLimited),
    ("overloaded_order_not_accepted", RefusalCode::Overloaded),
    ("duplicate_client_order_id", RefusalCode::DuplicateClientOrderId),
    // It has ended: there is nothing to amend or cancel any more.
    ("order_not_open", RefusalCode::OrderNotFound),
];

#[test]
pub(crate) fn errors_mean_what_is_recorded() {
    let Some(file) = shared_json("conformance/venues/errors/bitmex.json") else { return };
    let cases = file["errors"].as_array().unwrap();
    for case in cases {
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let kind = case["kind"].as_str().unwrap();
        let word =
            KINDS.iter().find(|(word, _)| *word == kind).unwrap_or_else(|| panic!("no word for {kind}"));
        // None of them leaves an order's outcome open.
        for endpoint in [endpoints::PLACE, endpoints::MARGIN] {
            let error = refusals::judge(endpoint, status, &bytes(&case["body"])).unwrap_err();
            assert_eq!(error.refusal(), Some(word.1), "{kind}");
        }
    }
    println!("errors: {} refusals", cases.len());
    counts::tell("bitmex", Kind::Error, Count::run(cases.len()));
    assert_eq!(cases.len(), 11);
}
