//! Recorded answers and errors of Kraken Futures: what we read must be what is recorded, or be refused by name.

use std::collections::BTreeMap;

use keyhold_domain::{
    ContractType, OpenOrder, OrderKind, OrderStatus, PositionEffect, Price, RefusalCode, Side, Timestamp,
};
use keyhold_venues::kraken::wire::{self, FeedPosition, WireBooking, WireOrder, WireOrderEvent, WireSent};
use keyhold_venues::kraken::wire_market::{WireAccount, WireCandles, WireTicker};
use keyhold_venues::kraken::{convert, convert_market, endpoints, refusals};
use keyhold_venues::{VenueError, WireError};
use serde_json::Value;

use crate::counts::{self, Count, Kind};
use crate::support::{decimal, maybe_decimal, shared_json};

/// How a record was read.
enum Outcome {
    Equal,
    /// It lacks what Kraken documents for it; the error names the field.
    RefusedByName(WireError),
    NotOffered(&'static str),
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn compare_ticker(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row: WireTicker<'_> = wire::json("ticker", &text)?;
    let ticker = convert_market::ticker(&row, Timestamp::EPOCH)?;
    assert_eq!(ticker.last.map(Price::get), maybe_decimal(&parsed["last"]));
    assert_eq!(ticker.mark.map(Price::get), maybe_decimal(&parsed["markPrice"]));
    Ok(())
}

fn compare_fill(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row: wire::WireFill<'_> = wire::json("fill", &text)?;
    assert_eq!(convert::fill(&row, None), Err(WireError::Missing { what: "fill", field: "fee_paid" }));
    // Old rows carry no fee; the account's log has it.
    let booked = keyhold_domain::Money::new(decimal(&"0.5".into()), "USD".parse().unwrap());
    let fill = convert::fill(&row, Some(booked))?;
    assert_eq!(fill.fill_id.as_str(), parsed["id"].as_str().unwrap());
    assert_eq!(fill.venue_order_id.as_str(), parsed["order"].as_str().unwrap());
    assert_eq!(fill.at.ms(), parsed["timestamp"].as_i64().unwrap());
    assert_eq!(fill.side, parsed["side"].as_str().unwrap().parse::<Side>().unwrap());
    assert_eq!(fill.price.get(), decimal(&parsed["price"]));
    assert_eq!(fill.liquidity.to_string(), parsed["takerOrMaker"].as_str().unwrap());
    assert_eq!(fill.fee, booked);
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

fn compare_read_order(order: &OpenOrder, parsed: &Value) {
    assert_eq!(order.venue_id.as_str(), parsed["id"].as_str().unwrap());
    assert_eq!(order.side, parsed["side"].as_str().unwrap().parse::<Side>().unwrap());
    assert_eq!(order.quantity.get(), decimal(&parsed["amount"]));
    assert_eq!(order.effect == PositionEffect::ReduceOnly, parsed["reduceOnly"] == true);
    if !parsed["status"].is_null() {
        assert_eq!(unified_status(order), parsed["status"].as_str().unwrap());
    }
    match order.kind {
        OrderKind::StopMarket { trigger, .. } => assert_eq!(trigger.get(), decimal(&parsed["triggerPrice"])),
        OrderKind::Market => assert_eq!(parsed["type"], "market"),
        OrderKind::Limit { .. } => assert!(parsed["type"] == "limit" || parsed["timeInForce"] == "ioc"),
    }
}

/// An order is told whole, in the first event of an answer, or as a row of the open ones.
fn compare_order(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    if raw.get("unfilledSize").is_some() {
        let order = convert::open_order(&wire::json("order", &text)?)?;
        compare_read_order(&order, parsed);
        return Ok(());
    }
    let Some(event) = raw.get("orderEvents").map(|events| &events[0]) else {
        let row: WireOrder<'_> = wire::json("order", &text)?;
        compare_read_order(&convert::whole_order(&row, OrderStatus::Open)?, parsed);
        return Ok(());
    };
    let text = bytes(event);
    let event: WireOrderEvent<'_> = wire::json("event", &text)?;
    let status = match event.kind.text() {
        "PLACE" | "EDIT" => OrderStatus::Open,
        "CANCEL" => OrderStatus::Canceled,
        "EXECUTION" => OrderStatus::Filled,
        other => panic!("{other}"),
    };
    let told = [event.order, event.order_trigger, event.order_prior_execution, event.new];
    let told = told.into_iter().flatten().next().expect("every event tells an order");
    compare_read_order(&convert::whole_order(&told, status)?, parsed);
    Ok(())
}

fn compare_position(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let position = convert::position(&wire::json("position", &text)?)?;
    let sign = if parsed["side"] == "short" { "-1" } else { "1" };
    let sign = decimal(&sign.into());
    assert_eq!(position.size.get(), decimal(&parsed["contracts"]) * sign);
    assert_eq!(position.entry.map(Price::get), maybe_decimal(&parsed["entryPrice"]));
    assert_eq!(position.leverage, maybe_decimal(&parsed["leverage"]));
    assert_eq!(position.unrealized, maybe_decimal(&parsed["unrealizedPnl"]));
    assert_eq!(position.margin_mode.unwrap().to_string(), parsed["marginMode"].as_str().unwrap());
    Ok(())
}

fn compare_balance(raw: &Value, parsed: &Value) -> Result<Option<()>, WireError> {
    let text = bytes(raw);
    let row: WireAccount<'_> = wire::json("account", &text)?;
    assert_eq!(convert::balance(ContractType::Inverse, &row)?, None);
    let Some(balance) = convert::balance(ContractType::Linear, &row)? else { return Ok(None) };
    // The other client lists the coins; ours is their worth.
    assert_eq!(balance.asset.as_str(), "USD");
    assert_eq!(balance.wallet, decimal(&raw["balanceValue"]));
    assert_eq!(balance.available, decimal(&raw["availableMargin"]));
    assert!(parsed["total"].as_object().unwrap().len() == 1);
    Ok(Some(()))
}

fn compare_booking(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let row: WireBooking<'_> = wire::json("booking", &text)?;
    let (id, fee) = convert::booked_fee(&row)?.unwrap();
    assert_eq!(id.as_str(), parsed["referenceId"].as_str().unwrap());
    assert_eq!(fee.amount, decimal(&parsed["fee"]["cost"]));
    assert_eq!(fee.asset.as_str(), parsed["fee"]["currency"].as_str().unwrap());
    assert_eq!(convert::funding_payment(&row)?, None);
    Ok(())
}

fn compare_candles(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    let answer: WireCandles<'_> = wire::json("candles", &text)?;
    let rows = wire::rows(answer.candles, "candles", "candles")?;
    assert_eq!(rows.len(), parsed.as_array().unwrap().len());
    for (row, parsed) in rows.iter().zip(parsed.as_array().unwrap()) {
        let candle = convert_market::candle(row)?;
        let numbers =
            [candle.open.get(), candle.high.get(), candle.low.get(), candle.close.get(), candle.volume];
        assert_eq!(candle.open_time.ms(), parsed[0].as_i64().unwrap());
        for (index, number) in numbers.into_iter().enumerate() {
            assert_eq!(number, decimal(&parsed[index + 1]), "column {}", index + 1);
        }
    }
    Ok(())
}

fn compare_sent(raw: &Value, parsed: &Value) -> Result<(), WireError> {
    let text = bytes(raw);
    refusals::judge(endpoints::PLACE, 200, &text).unwrap();
    let sent: WireSent<'_> = wire::json("answer", &text)?;
    let status = sent.send_status.unwrap();
    assert_eq!(status.order_id.text(), parsed["id"].as_str().unwrap());
    compare_order(&raw["sendStatus"], parsed)
}

/// `None` when the kind is in no table.
fn read(kind: &str, raw: &Value, parsed: &Value) -> Option<Outcome> {
    let read = match kind {
        "parse_transfer" => return Some(Outcome::NotOffered("moves money")),
        "parse_trade" if raw.get("makerOrder").is_some() => {
            return Some(Outcome::NotOffered("public trades of the history"));
        }
        "parse_trade" if raw.get("executionId").is_some() => {
            return Some(Outcome::NotOffered("an event of an order, read as such"));
        }
        "parse_position" if raw.get("tradeable").is_some() => {
            return Some(Outcome::NotOffered("the history of positions"));
        }
        "parse_ticker" => compare_ticker(raw, parsed),
        "parse_trade" => compare_fill(raw, parsed),
        "parse_order" => compare_order(raw, parsed),
        "parse_position" => compare_position(raw, parsed),
        "parse_ledger_entry" => compare_booking(raw, parsed),
        "parse_balance" => match compare_balance(raw, parsed) {
            Ok(None) => return Some(Outcome::NotOffered("the cash wallet is no margin")),
            Ok(Some(())) => Ok(()),
            Err(error) => Err(error),
        },
        "fetchOHLCV" => compare_candles(raw, parsed),
        "createOrder" => compare_sent(raw, parsed),
        "cancelAllOrdersAfter" => {
            refusals::judge(endpoints::CANCEL_ALL_AFTER, 200, &bytes(raw)).unwrap();
            Ok(())
        }
        "fetchPositions" => raw["openPositions"]
            .as_array()
            .unwrap()
            .iter()
            .zip(parsed.as_array().unwrap())
            .try_for_each(|(row, parsed)| compare_position(row, parsed)),
        _ => return None,
    };
    Some(read.map_or_else(Outcome::RefusedByName, |()| Outcome::Equal))
}

#[test]
pub(crate) fn answers_are_read_as_recorded() {
    let Some(file) = shared_json("conformance/venues/response/krakenfutures.json") else { return };
    let (mut equal, mut suspect) = (0, 0);
    let (mut refused, mut not_offered) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
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
                println!("reading {id}");
                let read = read(kind, &case[raw_name], &case[parsed_name]);
                match read.unwrap_or_else(|| panic!("{id}: in no table")) {
                    Outcome::Equal => equal += 1,
                    Outcome::NotOffered(why) => {
                        *not_offered.entry(format!("{kind}: {why}")).or_default() += 1;
                    }
                    Outcome::RefusedByName(error) => {
                        let WireError::Missing { field, .. } = error else { panic!("{id}: {error}") };
                        assert!(case[raw_name].get(field).is_none(), "{id}: {error}, but it is there");
                        *refused.entry(format!("{kind}: {error}")).or_default() += 1;
                    }
                }
            }
        }
    }
    println!("kraken answers: {equal} equal, refused by name {refused:?}, not offered {not_offered:#?}");
    let sum = |table: &BTreeMap<String, usize>| table.values().sum::<usize>();
    let count = Count { run: equal + sum(&refused), not_offered: sum(&not_offered), suspect };
    counts::tell("krakenfutures", Kind::Response, count);
    assert!(equal >= 14, "only {equal}");
}

/// The data's word for an error and ours.
const KINDS: &[(&str, RefusalCode)] = &[
    ("bad_key_or_bad_signature_or_ip", RefusalCode::BadKey),
    ("nonce", RefusalCode::ClockSkew),
    ("insufficient_permission", RefusalCode::InsufficientPermission),
    ("rate_limited", RefusalCode::RateLimited),
    ("maintenance", RefusalCode::Maintenance),
    ("market_unavailable", RefusalCode::InstrumentHalted),
    ("insufficient_margin", RefusalCode::InsufficientMargin),
    ("post_only_would_cross", RefusalCode::PostOnlyWouldCross),
    ("reduce_only_rejected", RefusalCode::ReduceOnlyRejected),
    ("duplicate_client_order_id", RefusalCode::DuplicateClientOrderId),
    ("order_not_found", RefusalCode::OrderNotFound),
];

#[test]
pub(crate) fn errors_mean_what_is_recorded() {
    let Some(file) = shared_json("conformance/venues/errors/krakenfutures.json") else { return };
    let mut count = 0;
    for row in file["errors"].as_array().unwrap() {
        let kind = row["kind"].as_str().unwrap();
        let expected = KINDS.iter().find(|(word, _)| *word == kind);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{kind} is in no table"));
        let status = u16::try_from(row["http_status"].as_u64().unwrap()).unwrap();
        let endpoint =
            if row["body"]["cancelStatus"].is_null() { endpoints::PLACE } else { endpoints::CANCEL };
        let error = refusals::judge(endpoint, status, &bytes(&row["body"])).unwrap_err();
        assert_eq!(error.refusal(), Some(*expected), "{kind}: {error}");
        assert!(matches!(error, VenueError::Refused { .. }));
        count += 1;
    }
    println!("kraken errors: {count}");
    counts::tell("krakenfutures", Kind::Error, Count::run(count));
    assert_eq!(count, file["errors"].as_array().unwrap().len());
}

#[test]
fn a_position_of_the_feed_has_its_sign_in_its_balance() {
    let text =
        br#"{"instrument":"PF_LTCUSD","balance":-0.5,"pnl":-0.86,"entry_price":70.53,"mark_price":68.8,
        "liquidation_threshold":0,"max_fixed_leverage":5.0}"#;
    let row: FeedPosition<'_> = wire::json("position", text).unwrap();
    let position = convert::feed_position(&row).unwrap();
    assert_eq!((position.size.to_string().as_str(), position.liquidation), ("-0.5", None));
    assert_eq!(position.leverage.map(|leverage| leverage.to_string()).as_deref(), Some("5.0"));
}
