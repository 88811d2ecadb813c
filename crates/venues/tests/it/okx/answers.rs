//! Recorded errors and answers of OKX: what we read must be what is recorded, or be refused by name.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, RefusalCode};
use keyhold_venues::okx::wire::{self, Field};
use keyhold_venues::okx::{convert, convert_market, endpoints, refusals};
use keyhold_venues::{VenueError, WireError};
use serde_json::Value;

use super::sizes;
use crate::counts::{self, Count, Kind};
use crate::support::{decimal, shared_json};

/// Kinds of records and answers that the port does not read, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("parse_market", "spot"),
    ("parse_trade", "options and spot"),
    ("parse_ledger_entry", "spot"),
    ("parse_transaction", "deposits and withdrawals"),
    ("parse_transfer", "moves money"),
    ("parse_position", "closed positions"),
    ("parse_open_interest", "statistics of open interest"),
    ("fetchOrderBook", "books come on the stream"),
    ("fetchLedger", "the account's ledger but for funding"),
    ("fetchClosedOrders", "orders are looked up by name"),
    ("fetchOrder", "a dated contract"),
    ("fetchPosition", "a dated contract"),
    ("fetchPositions", "a dated contract"),
];

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn row<T>(raw: &Value, read: impl Fn(&[u8]) -> Result<T, WireError>) -> Result<T, WireError> {
    read(&bytes(raw))
}

fn compare_candle(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    row(raw, |text| {
        let fields: Vec<Field<'_>> = wire::json("candle", text)?;
        // ccxt tells contracts here: a size of one leaves them as they are.
        let (candle, _) = convert_market::candle(&fields, keyhold_domain::Decimal::ONE)?;
        assert_eq!(candle.open_time.ms(), parsed[0].as_i64().unwrap());
        let numbers = [candle.open, candle.high, candle.low, candle.close].map(keyhold_domain::Price::get);
        for (index, number) in numbers.into_iter().chain([candle.volume]).enumerate() {
            assert_eq!(number, decimal(&parsed[index + 1]), "column {}", index + 1);
        }
        Ok(())
    })
}

fn compare_funding(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    row(raw, |text| {
        let ticker = convert_market::coming_funding(
            &wire::json("funding rate", text)?,
            keyhold_domain::Timestamp::EPOCH,
        )?;
        assert_eq!(ticker.funding_rate.unwrap().get(), decimal(&parsed["fundingRate"]));
        assert_eq!(ticker.next_funding.unwrap().ms(), parsed["fundingTimestamp"].as_i64().unwrap());
        Ok(())
    })
}

fn compare_order(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    row(raw, |text| {
        let order = convert::open_order(&wire::json("order", text)?, &sizes())?;
        assert_eq!(order.venue_id.as_str(), parsed["id"].as_str().unwrap());
        assert_eq!(order.filled, decimal(&parsed["filled"]));
        Ok(())
    })
}

fn compare(method: &str, answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    match method {
        "fetchOHLCV" => {
            let rows: Vec<Vec<Field<'_>>> = wire::rows("candles", &text)?;
            for (row, parsed) in rows.iter().rev().zip(parsed.as_array().unwrap()) {
                // ccxt tells coins; at this age a contract was worth a little more or less, so only prices compare.
                let (candle, _) = convert_market::candle(row, keyhold_domain::Decimal::ONE)?;
                assert_eq!(candle.close.get(), decimal(&parsed[4]));
            }
        }
        "fetchBalance" => {
            for balance in convert::balances(&wire::first("balance", &text)?)? {
                let coin = &parsed[balance.asset.as_str()];
                assert_eq!(balance.wallet, decimal(&coin["total"]));
                assert_eq!(balance.available, decimal(&coin["free"]));
            }
        }
        "fetchOpenOrders" => {
            let stop = convert::open_stop(&wire::first("stop", &text)?, &sizes())?.unwrap();
            assert_eq!(stop.venue_id.as_str(), parsed[0]["id"].as_str().unwrap());
            assert_eq!(stop.quantity.to_string(), "0.01", "one contract of a hundredth");
        }
        "fetchOpenInterest" => {
            let row = wire::first("open interest", &text)?;
            let ticker = convert_market::open_interest(&row, &sizes(), keyhold_domain::Timestamp::EPOCH)?;
            assert_eq!(ticker.open_interest.unwrap(), decimal(&parsed["baseVolume"]));
        }
        "editOrder" | "cancelOrder" | "cancelAllOrdersAfter" | "setLeverage" | "setMarginMode" => {
            assert_eq!(refusals::judge(endpoints::PLACE, 200, &text), Ok(()), "{method}");
        }
        _ => panic!("{method}: neither read nor in the table of what is not"),
    }
    Ok(())
}

#[test]
pub(crate) fn what_is_read_is_what_is_recorded() {
    let Some(file) = shared_json("conformance/venues/response/okx.json") else { return };
    let mut equal: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused: Vec<String> = vec![];
    let (mut not_offered, mut suspect) = (0, 0);
    for kind in ["records", "responses"] {
        for (method, cases) in file[kind].as_object().unwrap() {
            for case in cases.as_array().unwrap() {
                if !case["suspect"].is_null() {
                    suspect += 1;
                    continue;
                }
                if NOT_OFFERED.iter().any(|(known, _)| known == method) {
                    not_offered += 1;
                    continue;
                }
                let result = match method.as_str() {
                    "parse_ohlcv" => compare_candle(&case["raw"], &case["parsed"]),
                    "parse_funding_rate" => compare_funding(&case["raw"], &case["parsed"]),
                    "parse_order" => compare_order(&case["raw"], &case["parsed"]),
                    _ => compare(method, &case["httpResponse"], &case["parsedResponse"]),
                };
                match result {
                    Ok(()) => *equal.entry(method).or_default() += 1,
                    Err(error) => refused.push(format!("{}: {error}", case["id"])),
                }
            }
        }
    }
    let total: usize = equal.values().sum();
    println!("answers: {total} equal, {} refused by name, {not_offered} not offered", refused.len());
    for one in &refused {
        println!("  {one}");
    }
    counts::tell("okx", Kind::Response, Count { run: total + refused.len(), not_offered, suspect });
    assert!(total >= 11, "only {total} were compared");
    // Acknowledgements and spot orders among the order records are no orders of a contract.
    assert!(refused.iter().all(|one| one.contains("parse_order")), "{refused:?}");
}

fn expected(kind: &str) -> Option<RefusalCode> {
    Some(match kind {
        "bad_key" => RefusalCode::BadKey,
        "bad_signature" => RefusalCode::BadSignature,
        "bad_passphrase" => RefusalCode::BadPassphrase,
        "expired_or_clock_skew" | "bad_timestamp" => RefusalCode::ClockSkew,
        "ip_not_allowed" => RefusalCode::IpNotAllowed,
        "insufficient_permission" => RefusalCode::InsufficientPermission,
        "wrong_environment" => RefusalCode::WrongEnvironment,
        "insufficient_margin" => RefusalCode::InsufficientMargin,
        "rate_limited" | "order_rate_limited" => RefusalCode::RateLimited,
        "maintenance" => RefusalCode::Maintenance,
        "overloaded_retry" => RefusalCode::Overloaded,
        "duplicate_client_order_id" => RefusalCode::DuplicateClientOrderId,
        "order_not_found" => RefusalCode::OrderNotFound,
        "unknown_execution_status" => return None,
        other => panic!("unknown kind {other}"),
    })
}

#[test]
pub(crate) fn every_recorded_error_has_its_meaning() {
    let Some(file) = shared_json("conformance/venues/errors/okx.json") else { return };
    let mut count = 0;
    for case in file["errors"].as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let error = refusals::judge(endpoints::PLACE, status, &bytes(&case["body"])).unwrap_err();
        assert_eq!(error.refusal(), expected(kind), "{kind}");
        assert_eq!(matches!(error, VenueError::Unknown { .. }), expected(kind).is_none(), "{kind}");
        count += 1;
    }
    println!("errors: {count}");
    counts::tell("okx", Kind::Error, Count::run(count));
    assert_eq!(count, 16);
}

#[test]
fn instruments_are_told_in_coins_and_dollars() {
    let Some(file) = shared_json("conformance/wire/okx/http_get_instruments_swap.json") else { return };
    let text = bytes(&file);
    let rows: Vec<wire::WireInstrument<'_>> = wire::rows("instruments", &text).unwrap();
    let mut seen = BTreeMap::new();
    for row in &rows {
        let product = convert_market::contract_type(row).unwrap();
        let listed = convert_market::instrument(product, row).unwrap();
        seen.insert(listed.instrument.symbol.to_string(), listed);
    }
    let linear = &seen["ETH-USDT-SWAP"];
    assert_eq!(linear.contract.to_string(), "0.1");
    assert_eq!(linear.instrument.lot.to_string(), "0.001");
    assert_eq!(linear.instrument.max_quantity.unwrap().to_string(), "2000");
    assert_eq!(linear.instrument.settle.as_str(), "USDT");
    let inverse = &seen["BTC-USD-SWAP"];
    assert_eq!(inverse.contract.to_string(), "100");
    assert_eq!(
        (inverse.instrument.lot.to_string(), inverse.instrument.settle.to_string()),
        ("100".into(), "BTC".into())
    );
    assert_eq!(inverse.instrument.contract_type, ContractType::Inverse);
}
