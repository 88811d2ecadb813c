//! Recorded answers, errors: what we read must be what is recorded, or be refused by name.

use std::collections::BTreeMap;

use keyhold_domain::{
    ContractType, Liquidity, OpenOrder, OrderKind, OrderStatus, PositionEffect, Price, RefusalCode, Side,
};
use keyhold_venues::bybit::convert::{self, Execution};
use keyhold_venues::bybit::wire::{self, Field, Page};
use keyhold_venues::bybit::{convert_market, endpoints, refusals};
use keyhold_venues::port::VenueStatus;
use keyhold_venues::{VenueError, WireError};
use serde_json::Value;

use crate::counts::{self, Count, Kind};
use crate::support::{decimal, maybe_decimal, shared_json};

/// Kinds of records and answers that the port does not read, and why.
const NOT_OFFERED: &[(&str, &str)] = &[
    ("parse_transaction", "deposits and withdrawals"),
    ("parse_ledger_entry", "the account's ledger"),
    ("parse_transfer", "moves money"),
    ("parse_open_interest", "open interest"),
    ("fetchTrades", "public trades"),
    ("fetchOrderBook", "order books"),
    ("fetchLedger", "the account's ledger"),
    ("fetchOpenInterest", "open interest"),
    ("cancelAllOrdersAfter", "for institutional clients only"),
];

#[derive(Default)]
struct Counts {
    equal: BTreeMap<String, usize>,
    refused_by_name: BTreeMap<String, usize>,
    not_offered: BTreeMap<String, usize>,
}

/// How a record was read.
enum Outcome {
    Equal,
    /// It lacks what Bybit's v5 documents for it; the error names the field.
    RefusedByName(WireError),
    NotOffered(&'static str),
}

fn side(word: &Value) -> Side {
    word.as_str().unwrap().parse().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn compare_ticker(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row = wire::json("ticker", &text)?;
    let ticker = convert_market::ticker(&row, None, keyhold_domain::Timestamp::EPOCH)?;
    assert_eq!(ticker.last.map(Price::get), maybe_decimal(&parsed["last"]));
    assert_eq!(ticker.bid.map(Price::get), maybe_decimal(&parsed["bid"]));
    assert_eq!(ticker.ask.map(Price::get), maybe_decimal(&parsed["ask"]));
    assert_eq!(ticker.mark.map(Price::get), maybe_decimal(&parsed["markPrice"]));
    assert_eq!(ticker.index.map(Price::get), maybe_decimal(&parsed["indexPrice"]));
    Ok(())
}

fn compare_candle(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row: Vec<Field<'_>> = wire::json("candle", &text)?;
    let candle = convert_market::candle_row(&row)?;
    let numbers = [candle.open.get(), candle.high.get(), candle.low.get(), candle.close.get(), candle.volume];
    assert_eq!(candle.open_time.ms(), parsed[0].as_i64().unwrap());
    for (index, number) in numbers.into_iter().enumerate() {
        assert_eq!(number, decimal(&parsed[index + 1]), "column {}", index + 1);
    }
    Ok(())
}

fn compare_fill(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row = wire::json("execution", &text)?;
    let Execution::Fill(fill, _) = convert::execution(ContractType::Linear, &row)? else {
        panic!("not read as a fill");
    };
    assert_eq!(fill.fill_id.as_str(), parsed["id"].as_str().unwrap());
    assert_eq!(fill.venue_order_id.as_str(), parsed["order"].as_str().unwrap());
    assert_eq!(fill.at.ms(), parsed["timestamp"].as_i64().unwrap());
    assert_eq!(fill.side, side(&parsed["side"]));
    assert_eq!(fill.price.get(), decimal(&parsed["price"]));
    assert_eq!(fill.quantity.get(), decimal(&parsed["amount"]));
    assert_eq!(fill.fee.amount, decimal(&parsed["fee"]["cost"]));
    let maker = fill.liquidity == Liquidity::Maker;
    assert_eq!(maker, parsed["takerOrMaker"] == "maker");
    Ok(())
}

fn compare_funding(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row = wire::json("execution", &text)?;
    let Execution::Funding(payment) = convert::execution(ContractType::Linear, &row)? else {
        panic!("not read as funding");
    };
    assert_eq!(payment.id.as_str(), parsed["id"].as_str().unwrap());
    assert_eq!(payment.at.ms(), parsed["timestamp"].as_i64().unwrap());
    assert_eq!(payment.paid.amount, decimal(&parsed["amount"]));
    assert_eq!(payment.paid.asset.as_str(), parsed["code"].as_str().unwrap());
    Ok(())
}

fn unified_status(order: &OpenOrder) -> &'static str {
    match order.status {
        OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled => "open",
        OrderStatus::Filled => "closed",
        OrderStatus::Canceled => "canceled",
        OrderStatus::Rejected => "rejected",
    }
}

fn compare_order(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row = wire::json("order", &text)?;
    let order = convert::open_order(&row)?;
    assert_eq!(order.venue_id.as_str(), parsed["id"].as_str().unwrap());
    assert_eq!(order.side, side(&parsed["side"]));
    assert_eq!(order.quantity.get(), decimal(&parsed["amount"]));
    assert_eq!(order.filled, decimal(&parsed["filled"]));
    assert_eq!(unified_status(&order), parsed["status"].as_str().unwrap());
    let reduces = order.effect == PositionEffect::ReduceOnly;
    assert_eq!(reduces, parsed["reduceOnly"] == true);
    match order.kind {
        OrderKind::Market => assert_eq!(parsed["type"], "market"),
        OrderKind::Limit { price, .. } => {
            assert_eq!(parsed["type"], "limit");
            assert_eq!(price.get(), decimal(&parsed["price"]));
        }
        OrderKind::StopMarket { trigger, .. } => assert_eq!(trigger.get(), decimal(&parsed["triggerPrice"])),
    }
    Ok(())
}

fn compare_position(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row = wire::json("position", &text)?;
    let (position, _) = convert::position(&row)?;
    let sign =
        if parsed["side"] == "short" { -keyhold_domain::Decimal::ONE } else { keyhold_domain::Decimal::ONE };
    assert_eq!(position.size.get(), decimal(&parsed["contracts"]) * sign);
    assert_eq!(position.entry.map(Price::get), maybe_decimal(&parsed["entryPrice"]));
    assert_eq!(position.mark.map(Price::get), maybe_decimal(&parsed["markPrice"]));
    assert_eq!(position.liquidation.map(Price::get), maybe_decimal(&parsed["liquidationPrice"]));
    assert_eq!(position.leverage, maybe_decimal(&parsed["leverage"]));
    if raw["unrealisedPnl"] != "" {
        assert_eq!(position.unrealized, maybe_decimal(&parsed["unrealizedPnl"]));
    }
    Ok(())
}

fn compare_balance(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    let wallets = wire::result::<Page<'_, wire::WireWallet<'_>>>("wallet", &text)?.rows("wallet")?;
    for balance in convert::balances(&wallets[0])? {
        let coin = &parsed[balance.asset.as_str()];
        assert_eq!(balance.wallet, decimal(&coin["total"]), "{}", balance.asset);
        assert_eq!(balance.available, decimal(&coin["free"]), "{}", balance.asset);
    }
    Ok(())
}

/// Every row of a list is compared with the parsed entry of the same place.
fn compare_list(
    answer: &Value,
    parsed: &Value,
    compare: fn(&Value, &Value) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let rows = answer["result"]["list"].as_array().unwrap();
    let parsed = parsed.as_array().unwrap();
    assert_eq!(rows.len(), parsed.len());
    rows.iter().zip(parsed).try_for_each(|(row, parsed)| compare(row, parsed))
}

fn compare_status(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    let rows = wire::result::<Page<'_, wire::WireMaintenance<'_>>>("status", &text)?.rows("status")?;
    let up = convert_market::venue_status(&rows) == VenueStatus::Up;
    assert_eq!(up, parsed["status"] == "ok");
    Ok(())
}

fn compare_time(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    let time = convert_market::server_time(&wire::result("time", &text)?)?;
    // ccxt takes the envelope's time; the two differ by less than a second.
    assert!((time.ms() - parsed.as_i64().unwrap()).abs() < 1_000);
    Ok(())
}

fn compare_fees(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    let rows = wire::result::<Page<'_, wire::WireFees<'_>>>("fees", &text)?.rows("fees")?;
    let fees = convert_market::fees(&rows[0])?;
    assert_eq!(fees.maker.get(), decimal(&parsed["maker"]));
    assert_eq!(fees.taker.get(), decimal(&parsed["taker"]));
    Ok(())
}

fn compare_accepted(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(answer);
    refusals::judge(endpoints::PLACE, 200, &text).unwrap();
    let accepted: wire::WireAccepted<'_> = wire::result("accepted order", &text)?;
    assert_eq!(accepted.order_id.text(), parsed["id"].as_str().unwrap());
    assert_eq!(accepted.link_id.text(), parsed["clientOrderId"].as_str().unwrap());
    Ok(())
}

fn judge_only(answer: &Value) {
    refusals::judge(endpoints::CANCEL_ALL, 200, &bytes(answer)).unwrap();
}

/// Lists come newest first, ccxt turns candles around.
fn compare_candles(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let rows: Vec<_> = answer["result"]["list"].as_array().unwrap().iter().rev().collect();
    let parsed = parsed.as_array().unwrap();
    assert_eq!(rows.len(), parsed.len());
    rows.into_iter().zip(parsed).try_for_each(|(row, parsed)| compare_candle(row, parsed))
}

fn compare_tickers(answer: &Value, parsed: &Value) -> Result<(), WireError> {
    let rows = answer["result"]["list"].as_array().unwrap();
    let parsed: Vec<_> = parsed.as_object().unwrap().values().collect();
    assert_eq!(rows.len(), parsed.len());
    rows.iter().zip(parsed).try_for_each(|(row, parsed)| compare_ticker(row, parsed))
}

/// `None` when the kind is in no table.
fn read(kind: &str, raw: &Value, parsed: &Value) -> Option<Outcome> {
    if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| *name == kind) {
        return Some(Outcome::NotOffered(why));
    }
    let read = match kind {
        "parse_trade" if raw.get("isBlockTrade").is_some() => {
            return Some(Outcome::NotOffered("public trades"));
        }
        "parse_ticker" => compare_ticker(raw, parsed),
        "parse_ohlcv" => compare_candle(raw, parsed),
        "parse_trade" => compare_fill(raw, parsed),
        "parse_income" => compare_funding(raw, parsed),
        "parse_order" => compare_order(raw, parsed),
        "parse_position" => compare_position(raw, parsed),
        "parse_balance" | "fetchBalance" => compare_balance(raw, parsed),
        "fetchStatus" => compare_status(raw, parsed),
        "fetchTime" => compare_time(raw, parsed),
        "fetchTradingFee" => compare_fees(raw, parsed),
        "fetchTicker" | "fetchFundingRate" => compare_ticker(&raw["result"]["list"][0], parsed),
        "fetchTickers" => compare_tickers(raw, parsed),
        "fetchOHLCV" => compare_candles(raw, parsed),
        "createOrder" | "cancelOrder" | "editOrder" => compare_accepted(raw, parsed),
        "cancelAllOrders" | "setPositionMode" | "setLeverage" | "setMarginMode" => {
            judge_only(raw);
            Ok(())
        }
        "fetchOpenOrders" | "fetchOrders" | "fetchClosedOrders" => compare_list(raw, parsed, compare_order),
        "fetchMyTrades" => compare_list(raw, parsed, compare_fill),
        "fetchPositions" => compare_list(raw, parsed, compare_position),
        "fetchPosition" => compare_position(&raw["result"]["list"][0], parsed),
        _ => return None,
    };
    Some(read.map_or_else(Outcome::RefusedByName, |()| Outcome::Equal))
}

/// Records that are older than v5 lack its fields; ccxt still knows them. Each field that may lack is named here.
fn lacks(raw: &Value, field: &str) -> bool {
    match field {
        "list" => raw["result"]["list"].is_null(),
        "feeCurrency" => {
            raw.get("feeCurrency").is_none() && !raw["symbol"].as_str().unwrap().ends_with("USDT")
        }
        _ => raw.get(field).is_none_or(|value| value == ""),
    }
}

#[test]
pub(crate) fn answers_are_read_as_recorded() {
    let Some(file) = shared_json("conformance/venues/response/bybit.json") else { return };
    let (mut counts, mut suspect) = (Counts::default(), 0);
    for (group, raw_name, parsed_name) in
        [("records", "raw", "parsed"), ("responses", "httpResponse", "parsedResponse")]
    {
        for (kind, cases) in file[group].as_object().unwrap() {
            for case in cases.as_array().unwrap() {
                if !case["suspect"].is_null() {
                    suspect += 1;
                    continue;
                }
                let id = case["id"].as_str().unwrap();
                let (raw, parsed) = (&case[raw_name], &case[parsed_name]);
                println!("reading {id}");
                match read(kind, raw, parsed).unwrap_or_else(|| panic!("{id}: in no table")) {
                    Outcome::Equal => *counts.equal.entry(kind.clone()).or_default() += 1,
                    Outcome::NotOffered(why) => {
                        *counts.not_offered.entry(format!("{kind}: {why}")).or_default() += 1;
                    }
                    Outcome::RefusedByName(error) => {
                        let WireError::Missing { field, .. } = error else { panic!("{id}: {error}") };
                        assert!(lacks(raw, field), "{id}: {error}, but it is there");
                        *counts.refused_by_name.entry(format!("{kind}: {error}")).or_default() += 1;
                    }
                }
            }
        }
    }
    let sum = |table: &BTreeMap<String, usize>| table.values().sum::<usize>();
    let run = sum(&counts.equal) + sum(&counts.refused_by_name);
    counts::tell("bybit", Kind::Response, Count { run, not_offered: sum(&counts.not_offered), suspect });
    println!("answers: {} equal {:?}", sum(&counts.equal), counts.equal);
    println!("answers: {} refused by name {:#?}", sum(&counts.refused_by_name), counts.refused_by_name);
    println!("answers: {} not offered {:#?}", sum(&counts.not_offered), counts.not_offered);
    assert!(sum(&counts.equal) >= 15);
}

/// The data's word for an error and ours.
const KINDS: &[(&str, RefusalCode)] = &[
    ("bad_key", RefusalCode::BadKey),
    ("bad_signature", RefusalCode::BadSignature),
    ("expired_or_clock_skew", RefusalCode::ClockSkew),
    ("ip_not_allowed", RefusalCode::IpNotAllowed),
    ("insufficient_permission", RefusalCode::InsufficientPermission),
    ("key_expired", RefusalCode::KeyExpired),
    ("insufficient_margin", RefusalCode::InsufficientMargin),
    ("rate_limited", RefusalCode::RateLimited),
    ("ip_rate_limited", RefusalCode::IpBanned),
    ("maintenance_or_server_error", RefusalCode::Maintenance),
    ("duplicate_client_order_id", RefusalCode::DuplicateClientOrderId),
    ("order_not_found", RefusalCode::OrderNotFound),
    ("no_change", RefusalCode::NoChange),
    ("reduce_only_rejected", RefusalCode::ReduceOnlyRejected),
    ("post_only_would_cross", RefusalCode::PostOnlyWouldCross),
    ("invalid_order", RefusalCode::InvalidOrder),
    ("region_forbidden", RefusalCode::RegionForbidden),
];

#[test]
pub(crate) fn errors_mean_what_is_recorded() {
    let Some(file) = shared_json("conformance/venues/errors/bybit.json") else { return };
    let (mut refused, mut unknown) = (0, 0);
    for case in file["errors"].as_array().unwrap() {
        let body =
            case["body"].as_str().map_or_else(|| bytes(&case["body"]), |text| text.as_bytes().to_vec());
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let kind = case["kind"].as_str().unwrap();
        let question = refusals::judge(endpoints::WALLET, status, &body).unwrap_err();
        if kind == "outcome_unknown" {
            assert!(matches!(question, VenueError::Unknown { .. }), "{kind}");
            unknown += 1;
            continue;
        }
        let (_, expected) =
            KINDS.iter().find(|(word, _)| *word == kind).unwrap_or_else(|| panic!("no word for {kind}"));
        assert_eq!(question.refusal(), Some(*expected), "{kind}");
        refused += 1;
        // The signed text must not come back to us in a message.
        assert!(!question.to_string().contains("origin_string"), "{question}");
    }
    println!("errors: {refused} refusals, {unknown} unknown outcomes");
    counts::tell("bybit", Kind::Error, Count::run(refused + unknown));
    assert!(refused >= 10);
}
