//! Recorded answers, errors and stream messages: what we read must be what is recorded, or be named as not ours.
//!
//! The recorded files carry samples of spot, margin, options and shares, too; they are told apart by their form.

use std::collections::BTreeMap;

use keyhold_domain::{
    ContractType, Decimal, Liquidity, OpenOrder, OrderKind, OrderStatus, PositionEffect, Price, Quantity,
    RefusalCode, Side, Timestamp,
};
use keyhold_venues::binance::endpoints::{Call, endpoint};
use keyhold_venues::binance::wire::{
    self, Field, WireAccount, WireAlgo, WireExchange, WireFundingInfo, WireIncome, WireOrder, WirePosition,
    WireTicker, WireTrade,
};
use keyhold_venues::binance::{convert, convert_market, refusals};
use keyhold_venues::port::PositionMode;
use keyhold_venues::{VenueError, WireError};
use serde_json::Value;

use super::support::wire_sample;
use crate::counts::{self, Count, Kind};
use crate::support::{decimal, maybe_decimal, shared, shared_json};

/// How a sample was read.
enum Outcome {
    Equal,
    NotOffered(&'static str),
}

use Outcome::{Equal, NotOffered};

type Read = Result<Outcome, WireError>;

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn has(raw: &Value, name: &str) -> bool {
    raw.get(name).is_some()
}

fn near(ours: Decimal, theirs: &Value) {
    // The recorded side went through binary floating point.
    assert_eq!(ours.round_sf(7), decimal(theirs).round_sf(7));
}

fn ticker(raw: &Value, parsed: &Value) -> Read {
    let text = bytes(raw);
    let row: WireTicker<'_> = wire::json("ticker", &text)?;
    let ticker = convert_market::prices(&row, Timestamp::EPOCH)?;
    assert_eq!(ticker.last.map(Price::get), maybe_decimal(&parsed["last"]));
    assert_eq!(ticker.bid.map(Price::get), maybe_decimal(&parsed["bid"]));
    assert_eq!(ticker.ask.map(Price::get), maybe_decimal(&parsed["ask"]));
    Ok(Equal)
}

fn candle(raw: &Value, parsed: &Value) -> Read {
    if raw.is_object() {
        return Ok(NotOffered("candles of options"));
    }
    let text = bytes(raw);
    let row: Vec<Field<'_>> = wire::json("candle", &text)?;
    let candle = convert_market::candle_row(&row, Decimal::ONE)?;
    let numbers = [candle.open.get(), candle.high.get(), candle.low.get(), candle.close.get(), candle.volume];
    // The sample of one record was parsed as a list by the oracle and came out empty.
    if parsed[0].is_null() {
        assert_eq!(candle.open_time.ms(), raw[0].as_i64().unwrap());
        return Ok(Equal);
    }
    assert_eq!(candle.open_time.ms(), parsed[0].as_i64().unwrap());
    for (index, number) in numbers.into_iter().enumerate() {
        // The oracle tells the coins of an inverse contract; ours are the contracts, which become dollars.
        let in_coins = index == 4 && decimal(&raw[7]) == decimal(&parsed[5]);
        let theirs = if in_coins { &raw[5] } else { &parsed[index + 1] };
        assert_eq!(number, decimal(theirs), "column {}", index + 1);
    }
    Ok(Equal)
}

fn fill(raw: &Value, parsed: &Value) -> Read {
    if has(raw, "a") || has(raw, "isBuyerMaker") {
        return Ok(NotOffered("public trades over REST; they come on the stream"));
    }
    // A part of a spot order's own answer has a trade's number and no order.
    if has(raw, "isBuyer") || (has(raw, "tradeId") && !has(raw, "orderId")) {
        return Ok(NotOffered("spot"));
    }
    if has(raw, "optionSide") {
        return Ok(NotOffered("options"));
    }
    let text = bytes(raw);
    let row: WireTrade<'_> = wire::json("fill", &text)?;
    let fill = convert::fill(&row, Decimal::ONE, &BTreeMap::new())?;
    let name = format!("{}:{}", raw["symbol"].as_str().unwrap(), parsed["id"].as_str().unwrap());
    assert_eq!(fill.fill_id.as_str(), name);
    assert_eq!(fill.venue_order_id.as_str(), parsed["order"].as_str().unwrap());
    assert_eq!(fill.at.ms(), parsed["timestamp"].as_i64().unwrap());
    assert_eq!(fill.side, parsed["side"].as_str().unwrap().parse::<Side>().unwrap());
    assert_eq!(fill.price.get(), decimal(&parsed["price"]));
    assert_eq!(fill.quantity.get(), decimal(&parsed["amount"]));
    near(fill.fee.amount, &parsed["fee"]["cost"]);
    assert_eq!(fill.liquidity == Liquidity::Maker, parsed["takerOrMaker"] == "maker");
    Ok(Equal)
}

fn unified_status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Open | OrderStatus::Untriggered | OrderStatus::PartiallyFilled => "open",
        OrderStatus::Filled => "closed",
        OrderStatus::Canceled => "canceled",
        OrderStatus::Rejected => "rejected",
    }
}

fn compare_order(order: &OpenOrder, raw: &Value, parsed: &Value) {
    assert_eq!(order.venue_id.as_str().trim_start_matches('a'), parsed["id"].as_str().unwrap());
    assert_eq!(order.side, parsed["side"].as_str().unwrap().parse::<Side>().unwrap());
    assert_eq!(order.quantity.get(), decimal(&parsed["amount"]));
    assert_eq!(order.filled, decimal(&parsed["filled"]));
    assert_eq!(order.effect == PositionEffect::ReduceOnly, parsed["reduceOnly"] == true);
    let status = unified_status(order.status);
    // The oracle has a word of its own for an order that expired.
    let expired = raw["status"] == "EXPIRED" && parsed["status"] == "expired";
    assert!(expired || parsed["status"] == status, "{status} {}", parsed["status"]);
    match order.kind {
        OrderKind::Limit { price, .. } => assert_eq!(price.get(), decimal(&parsed["price"])),
        OrderKind::Market => assert_eq!(parsed["type"], "market"),
        OrderKind::StopMarket { trigger, .. } => assert_eq!(trigger.get(), decimal(&parsed["triggerPrice"])),
    }
}

fn order(raw: &Value, parsed: &Value) -> Read {
    if has(raw, "strategyId") {
        return Ok(NotOffered("portfolio margin"));
    }
    if has(raw, "cummulativeQuoteQty") || has(raw, "orderListId") {
        return Ok(NotOffered("spot"));
    }
    let text = bytes(raw);
    if has(raw, "code") && !has(raw, "algoId") {
        let refused = refusals::judge(endpoint(ContractType::Linear, Call::Place), 400, &text).unwrap_err();
        assert_eq!(refused.refusal(), Some(RefusalCode::InvalidOrder));
        assert_eq!(parsed["status"], "rejected");
        return Ok(Equal);
    }
    if has(raw, "algoId") {
        let row: WireAlgo<'_> = wire::json("conditional order", &text)?;
        if has(raw, "algoStatus") {
            compare_order(&convert::open_algo(&row, Decimal::ONE)?, raw, parsed);
        } else {
            assert_eq!(row.algo_id.whole().unwrap().to_string(), parsed["id"].as_str().unwrap());
        }
        return Ok(Equal);
    }
    if raw["orderId"].is_string() {
        return Ok(NotOffered("shares"));
    }
    let row: WireOrder<'_> = wire::json("order", &text)?;
    compare_order(&convert::open_order(&row, Decimal::ONE)?, raw, parsed);
    Ok(Equal)
}

fn income(raw: &Value, parsed: &Value) -> Read {
    let text = bytes(raw);
    let row: WireIncome<'_> = wire::json("income", &text)?;
    let payment = convert::funding(&row)?;
    assert!(payment.id.as_str().ends_with(parsed["id"].as_str().unwrap()));
    assert_eq!(payment.at.ms(), parsed["timestamp"].as_i64().unwrap());
    // Told as received, kept as paid.
    assert_eq!(-payment.paid.amount, decimal(&parsed["amount"]));
    assert_eq!(payment.paid.asset.as_str(), parsed["code"].as_str().unwrap());
    Ok(Equal)
}

fn funding_rate(raw: &Value, parsed: &Value) -> Read {
    let text = bytes(raw);
    if has(raw, "fundingIntervalHours") {
        let row: WireFundingInfo<'_> = wire::json("funding interval", &text)?;
        let (symbol, hours) = convert_market::funding_hours(&row).unwrap();
        assert_eq!(symbol.as_str(), parsed["symbol"].as_str().unwrap());
        assert_eq!(format!("{hours}h"), parsed["interval"].as_str().unwrap());
        return Ok(Equal);
    }
    let ticker = convert_market::premium(&wire::json("mark price", &text)?)?;
    near(ticker.mark.unwrap().get(), &parsed["markPrice"]);
    near(ticker.index.unwrap().get(), &parsed["indexPrice"]);
    near(ticker.funding_rate.unwrap().get(), &parsed["fundingRate"]);
    assert_eq!(ticker.next_funding.unwrap().ms(), parsed["fundingTimestamp"].as_i64().unwrap());
    Ok(Equal)
}

fn position(raw: &Value, parsed: &Value) -> Read {
    let text = bytes(raw);
    let row: WirePosition<'_> = wire::json("position", &text)?;
    let (position, mode) = convert::position(&row, Decimal::ONE)?;
    assert_eq!(position.size.get().abs(), maybe_decimal(&parsed["contracts"]).unwrap_or_default());
    assert_eq!(mode == PositionMode::Hedge, parsed["hedged"] == true);
    if !position.size.is_flat() {
        near(position.entry.unwrap().get(), &parsed["entryPrice"]);
        near(position.mark.unwrap().get(), &parsed["markPrice"]);
        near(position.liquidation.unwrap().get(), &parsed["liquidationPrice"]);
        near(position.leverage.unwrap(), &parsed["leverage"]);
    }
    Ok(Equal)
}

fn instruments(raw: &Value, parsed: &Value) -> Read {
    let text = bytes(raw);
    let exchange: WireExchange<'_> = wire::json("instrument list", &text)?;
    let rows = exchange.symbols.unwrap();
    if !rows.iter().any(convert_market::is_perpetual) {
        return Ok(NotOffered("no perpetual contract among them"));
    }
    for row in rows.iter().filter(|row| convert_market::is_perpetual(row)) {
        let ours = convert_market::instrument(ContractType::Inverse, row, &BTreeMap::new())?;
        let theirs = parsed.as_array().unwrap().iter().find(|it| it["id"] == ours.symbol.as_str()).unwrap();
        let size = decimal(&theirs["contractSize"]);
        assert_eq!(ours.lot, decimal(&theirs["precision"]["amount"]) * size, "dollars, not contracts");
        assert_eq!(ours.min_quantity.get(), decimal(&theirs["limits"]["amount"]["min"]) * size);
        assert_eq!(
            ours.max_quantity.map(Quantity::get),
            Some(decimal(&theirs["limits"]["amount"]["max"]) * size)
        );
        assert_eq!(ours.tick, decimal(&theirs["precision"]["price"]));
        let names = [(ours.base, "base"), (ours.quote, "quote"), (ours.settle, "settle")];
        assert!(names.iter().all(|(asset, name)| theirs[*name] == asset.as_str()));
    }
    Ok(Equal)
}

fn balances(raw: &Value, parsed: &Value) -> Read {
    if raw.is_array() {
        return Ok(NotOffered(
            "balances are read from the account; these are of other wallets or the same again",
        ));
    }
    if !has(raw, "assets") {
        return Ok(NotOffered("margin accounts"));
    }
    let text = bytes(raw);
    let account: WireAccount<'_> = wire::json("account", &text)?;
    for row in account.assets.unwrap() {
        let balance = convert::balance(&row)?.unwrap();
        let theirs = &parsed[balance.asset.as_str()];
        assert_eq!(balance.wallet, decimal(&theirs["total"]));
        assert_eq!(balance.available, decimal(&theirs["free"]));
    }
    Ok(Equal)
}

fn order_book(raw: &Value, parsed: &Value) -> Read {
    if !has(raw, "lastUpdateId") {
        return Ok(NotOffered("options"));
    }
    let text = bytes(raw);
    let book = convert_market::depth(&wire::json("order book", &text)?, Decimal::ONE, Timestamp::EPOCH)?;
    for (ours, name) in [(&book.bids, "bids"), (&book.asks, "asks")] {
        for ((price, size), theirs) in ours.iter().zip(parsed[name].as_array().unwrap()) {
            assert_eq!((price.get(), *size), (decimal(&theirs[0]), decimal(&theirs[1])));
        }
    }
    assert_eq!(book.number, raw["lastUpdateId"].as_i64().unwrap());
    Ok(Equal)
}

fn fees(raw: &Value, parsed: &Value) -> Read {
    if raw.is_array() {
        return Ok(NotOffered("spot"));
    }
    let text = bytes(raw);
    let fees = convert_market::fees(&wire::json("fees", &text)?)?;
    assert_eq!((fees.maker.get(), fees.taker.get()), (decimal(&parsed["maker"]), decimal(&parsed["taker"])));
    Ok(Equal)
}

fn open_interest(raw: &Value, parsed: &Value) -> Read {
    if raw.is_array() {
        return Ok(NotOffered("options"));
    }
    let text = bytes(raw);
    let row = wire::json("open interest", &text)?;
    let ticker = convert_market::open_interest(&row, Decimal::ONE, Timestamp::EPOCH)?;
    let theirs = maybe_decimal(&parsed["openInterestAmount"]).or(maybe_decimal(&parsed["baseVolume"]));
    assert_eq!(ticker.open_interest, theirs);
    Ok(Equal)
}

/// Answers that only say yes or no.
fn verdict(raw: &Value, call: Call) -> Outcome {
    if !has(raw, "code") {
        return NotOffered("spot and portfolio margin");
    }
    let refused = raw["code"].as_i64().is_some_and(|code| code < 0);
    let status = if refused { 400 } else { 200 };
    let judged = refusals::judge(endpoint(ContractType::Linear, call), status, &bytes(raw));
    assert_eq!(judged.is_err(), refused);
    if let Err(error) = judged {
        assert_eq!(error.refusal(), Some(RefusalCode::AccountMode));
    }
    Equal
}

fn each(raw: &Value, parsed: &Value, read: fn(&Value, &Value) -> Read) -> Read {
    let mut outcome = NotOffered("an empty list");
    for (raw, parsed) in raw.as_array().unwrap().iter().zip(parsed.as_array().unwrap()) {
        outcome = read(raw, parsed)?;
    }
    Ok(outcome)
}

fn compare(method: &str, raw: &Value, parsed: &Value) -> Read {
    match method {
        "parse_ticker" => ticker(raw, parsed),
        // One sample is a list of one row.
        "parse_ohlcv" if raw[0].is_array() => candle(&raw[0], parsed),
        "parse_ohlcv" => candle(raw, parsed),
        "parse_trade" => fill(raw, parsed),
        "parse_order" => order(raw, parsed),
        "parse_income" => income(raw, parsed),
        "parse_funding_rate" | "fetchFundingRate" => funding_rate(raw, parsed),
        "parse_account_position" => position(raw, parsed),
        "parse_transaction" | "parse_transfer" => Ok(NotOffered("moves money")),
        "parse_ledger_entry" | "fetchLedger" => Ok(NotOffered("the account's ledger")),
        "fetchMarkets" => instruments(raw, parsed),
        "fetchBalance" => balances(raw, parsed),
        "fetchOrderBook" => order_book(raw, parsed),
        "fetchOHLCV" => each(raw, parsed, candle),
        "fetchTrades" | "fetchMyTrades" => each(raw, parsed, fill),
        "fetchOrders" => each(raw, parsed, order),
        "fetchTradingFee" => fees(raw, parsed),
        "fetchPositions" => each(raw, parsed, position),
        "fetchOpenInterest" => open_interest(raw, parsed),
        "cancelAllOrders" => Ok(verdict(raw, Call::CancelAll)),
        "setMarginMode" => Ok(verdict(raw, Call::MarginMode)),
        "setPositionMode" => Ok(verdict(raw, Call::PositionMode)),
        other => panic!("{other} is in no table"),
    }
}

/// Futures samples that lack what Binance documents for them: id and the field that is named.
const INCOMPLETE: &[(&str, &str)] = &[];

fn recorded_answers(name: &'static str, least: usize) {
    let Some(file) = shared_json(&format!("conformance/venues/response/{name}.json")) else { return };
    let mut equal: BTreeMap<&str, usize> = BTreeMap::new();
    let mut not_offered: BTreeMap<String, usize> = BTreeMap::new();
    let (mut incomplete, mut suspect) = (0, 0);
    for (part, raw, parsed) in [("records", "raw", "parsed"), ("responses", "httpResponse", "parsedResponse")]
    {
        for (method, cases) in file[part].as_object().unwrap() {
            for case in cases.as_array().unwrap() {
                if !case["suspect"].is_null() {
                    suspect += 1;
                    continue;
                }
                let id = case["id"].as_str().unwrap();
                match compare(method, &case[raw], &case[parsed]) {
                    Ok(Equal) => *equal.entry(method).or_default() += 1,
                    Ok(NotOffered(why)) => *not_offered.entry(format!("{method}: {why}")).or_default() += 1,
                    Err(error) => {
                        let named = INCOMPLETE
                            .iter()
                            .any(|(known, field)| id.ends_with(known) && error.to_string().contains(field));
                        assert!(named, "{id}: {error}");
                        incomplete += 1;
                    }
                }
            }
        }
    }
    let sum = |table: Vec<usize>| table.into_iter().sum::<usize>();
    let (same, left_out) =
        (sum(equal.values().copied().collect()), sum(not_offered.values().copied().collect()));
    let count = Count { run: same + incomplete, not_offered: left_out, suspect };
    counts::tell(name, Kind::Response, count);
    println!("{name}: {same} equal {equal:?}");
    println!("{name}: {left_out} not offered {not_offered:#?}, {incomplete} incomplete");
    assert!(same >= least, "{same}");
}

#[test]
pub(crate) fn linear_answers_are_read_as_recorded() {
    recorded_answers("binanceusdm", 25);
}

#[test]
pub(crate) fn inverse_answers_are_read_as_recorded() {
    recorded_answers("binancecoinm", 25);
}

/// The data's word for an error and ours.
const KINDS: &[(&str, RefusalCode)] = &[
    ("bad_key", RefusalCode::BadKey),
    ("bad_key_or_ip_not_allowed_or_insufficient_permission", RefusalCode::BadKey),
    ("bad_signature", RefusalCode::BadSignature),
    ("expired_or_clock_skew", RefusalCode::ClockSkew),
    ("insufficient_margin", RefusalCode::InsufficientMargin),
    ("rate_limited", RefusalCode::RateLimited),
    ("order_rate_limited", RefusalCode::RateLimited),
    ("ip_banned", RefusalCode::IpBanned),
    ("maintenance", RefusalCode::Maintenance),
    ("overloaded_retry", RefusalCode::Overloaded),
    ("use_algo_endpoint", RefusalCode::InvalidOrder),
    ("reduce_only_rejected", RefusalCode::ReduceOnlyRejected),
    ("post_only_would_cross", RefusalCode::PostOnlyWouldCross),
    ("min_notional", RefusalCode::InvalidOrder),
    ("no_change", RefusalCode::NoChange),
    ("order_not_found", RefusalCode::OrderNotFound),
    ("duplicate_client_order_id", RefusalCode::DuplicateClientOrderId),
];

#[test]
pub(crate) fn errors_mean_what_is_recorded() {
    let Some(file) = shared_json("conformance/venues/errors/binance-futures.json") else { return };
    let (mut refused, mut unknown) = (0, 0);
    for case in file["errors"].as_array().unwrap() {
        let body =
            case["body"].as_str().map_or_else(|| bytes(&case["body"]), |text| text.as_bytes().to_vec());
        let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
        let kind = case["kind"].as_str().unwrap();
        for product in ContractType::ALL {
            for call in [Call::Place, Call::PlaceAlgo, Call::Cancel, Call::Amend, Call::Account] {
                let error = refusals::judge(endpoint(*product, call), status, &body).unwrap_err();
                if kind == "unknown_execution_status" {
                    assert!(matches!(error, VenueError::Unknown { .. }), "{kind}");
                    continue;
                }
                let known = KINDS.iter().find(|(word, _)| *word == kind);
                let (_, expected) = known.unwrap_or_else(|| panic!("no word for {kind}"));
                assert_eq!(error.refusal(), Some(*expected), "{kind}");
            }
        }
        if kind == "unknown_execution_status" { unknown += 1 } else { refused += 1 }
    }
    println!("errors: {refused} refusals, {unknown} unknown outcomes");
    counts::tell("binance-futures", Kind::Error, Count::run(refused + unknown));
    assert!(refused >= 19 && unknown >= 1);
}

/// Samples of `conformance/wire/binance` that are not of futures or not of ours, by the beginning of their names.
const WIRE_NOT_OFFERED: &[(&str, &str)] = &[
    ("spot__", "spot"),
    ("futures__http_json__balance", "balances are read from the account"),
    ("futures__market_data_json__trade_stream", "single trades; the aggregated ones are taken"),
    ("futures__market_data_json__liquidation_stream", "liquidations of others"),
    ("futures__user_data_json__order_update_delivery", "dated contracts"),
];

#[test]
pub(crate) fn recorded_messages_are_read() {
    let Some(folder) = shared("conformance/wire/binance") else { return };
    let (mut read, mut left_out) = (0, BTreeMap::<&str, usize>::new());
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some((_, why)) = WIRE_NOT_OFFERED.iter().find(|(start, _)| name.starts_with(start)) {
            *left_out.entry(why).or_default() += 1;
            continue;
        }
        wire_sample(&name, &std::fs::read_to_string(&path).unwrap());
        read += 1;
    }
    println!("wire samples: {read} read, not offered {left_out:#?}");
    let not_offered = left_out.values().sum();
    counts::tell("binance", Kind::Wire, Count { run: read, not_offered, suspect: 0 });
    assert!(read >= 14);
}
