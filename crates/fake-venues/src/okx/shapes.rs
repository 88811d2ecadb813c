//! Orders, fills, positions and balances in the words of OKX v5.
//!
//! Pure translation: from the exchange's types to JSON. Numbers travel as text, times as milliseconds in text, sizes as
//! counts of contracts, names as numbers. A stop has two names: that of the order that waits, and that of the order it
//! becomes.

use keyhold_domain::{
    Decimal, Instrument, Liquidity, MarginMode, OrderKind, OrderStatus, PositionEffect, RefusalCode, Side,
    TimeInForce, Timestamp, TriggerDirection, TriggerSource, VenueOrderId,
};
use keyhold_simulator::exchange::{AccountId, FillCause, FillReport, FundingPayment, Order, Refusal};
use serde_json::{Value, json};

use super::instruments::contract_size;
use crate::core::{Core, number};
use crate::feed::Feed;

/// OKX's names are numbers of nineteen digits.
const FIRST_NAME: u64 = 700_000_000_000_000_000;

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(crate) fn stamp(at: Timestamp) -> String {
    at.ms().to_string()
}

/// A quantity of the exchange as a count of contracts.
pub(crate) fn contracts(instrument: &Instrument, value: Decimal) -> String {
    number(value.checked_div(contract_size(instrument)).unwrap_or_default())
}

/// The running number in a computed name.
fn running(name: &str) -> u64 {
    let digits = name.get(name.len().saturating_sub(10)..).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or(0)
}

/// OKX's name of an order as it was sent.
pub(crate) fn name(id: &VenueOrderId) -> String {
    (FIRST_NAME + running(id.as_str()) * 10).to_string()
}

/// The name of the order that a stop becomes.
fn child_name(id: &VenueOrderId) -> String {
    (FIRST_NAME + running(id.as_str()) * 10 + 1).to_string()
}

/// A trade's number.
pub(crate) fn trade_number(report: &FillReport) -> String {
    (running(report.fill.fill_id.as_str()) + 1).to_string()
}

pub(crate) const fn is_stop(order: &Order) -> bool {
    matches!(order.kind, OrderKind::StopMarket { .. })
}

/// Whether a stop has become an order.
pub(crate) fn has_fired(order: &Order) -> bool {
    match order.status {
        OrderStatus::Untriggered | OrderStatus::Rejected => false,
        OrderStatus::Canceled => !order.filled.is_zero() || order.refusal.is_some(),
        OrderStatus::Open | OrderStatus::PartiallyFilled | OrderStatus::Filled => true,
    }
}

/// The name under which an order is known among plain orders; `None` for stops that wait.
pub(crate) fn plain_name(order: &Order) -> Option<String> {
    match (is_stop(order), has_fired(order)) {
        (false, _) => Some(name(&order.venue_id)),
        (true, true) => Some(child_name(&order.venue_id)),
        (true, false) => None,
    }
}

const fn order_type(kind: &OrderKind) -> &'static str {
    match kind {
        OrderKind::Market | OrderKind::StopMarket { .. } => "market",
        OrderKind::Limit { time_in_force, .. } => match time_in_force {
            TimeInForce::Gtc => "limit",
            TimeInForce::Ioc => "ioc",
            TimeInForce::Fok => "fok",
            TimeInForce::PostOnly => "post_only",
        },
    }
}

const fn cancel_source(order: &Order) -> &'static str {
    match (order.status, order.refusal) {
        (OrderStatus::Canceled, Some(RefusalCode::PostOnlyWouldCross)) => "31",
        (OrderStatus::Canceled, Some(RefusalCode::ReduceOnlyRejected)) => "21",
        (OrderStatus::Canceled, Some(_)) => "4",
        (OrderStatus::Canceled, None) => "1",
        (OrderStatus::Rejected, _) => "2",
        _ => "",
    }
}

pub(crate) const fn margin_word(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Isolated => "isolated",
        MarginMode::Cross => "cross",
    }
}

const fn reduces(order: &Order) -> &'static str {
    match order.effect {
        PositionEffect::ReduceOnly => "true",
        PositionEffect::Increase => "false",
    }
}

/// A plain order, or the one that a stop has become, as REST and the channel `orders` show it; with a fill when one is
/// told.
pub(crate) fn order(
    order: &Order,
    instrument: &Instrument,
    (mode, leverage): (MarginMode, Decimal),
    fill: Option<&FillReport>,
) -> Value {
    let own = order.name.map_or_else(String::new, |name| name.to_string());
    let (client, algo_client, algo) = if is_stop(order) {
        (String::new(), own, name(&order.venue_id))
    } else {
        (own, String::new(), String::new())
    };
    let state = match order.status {
        OrderStatus::Open | OrderStatus::Untriggered => "live",
        OrderStatus::PartiallyFilled => "partially_filled",
        OrderStatus::Filled => "filled",
        OrderStatus::Canceled | OrderStatus::Rejected => "canceled",
    };
    let price = match order.kind {
        OrderKind::Limit { price, .. } => price.to_string(),
        OrderKind::Market | OrderKind::StopMarket { .. } => String::new(),
    };
    let told = |text: &dyn Fn(&FillReport) -> String| fill.map_or_else(String::new, text);
    let liquidation = fill.is_some_and(|report| report.cause == FillCause::Liquidation);
    json!({
        "accFillSz": contracts(instrument, order.filled), "algoClOrdId": algo_client, "algoId": algo,
        "attachAlgoClOrdId": "", "attachAlgoOrds": [],
        "avgPx": order.average_price().map_or_else(String::new, |price| number(price.round_dp(8))),
        "cTime": stamp(order.created_at), "cancelSource": cancel_source(order), "cancelSourceReason": "",
        "category": if liquidation { "full_liquidation" } else { "normal" }, "ccy": instrument.settle,
        "clOrdId": client, "execType": told(&|report| liquidity(report).to_owned()),
        "fee": number(-order.fees), "feeCcy": instrument.settle,
        "fillFee": told(&|report| number(-report.fill.fee.amount)), "fillFeeCcy": told(&|_| instrument.settle.to_string()),
        "fillPx": told(&|report| report.fill.price.to_string()),
        "fillSz": fill.map_or_else(|| "0".to_owned(), |report| contracts(instrument, report.fill.quantity.get())),
        "fillTime": told(&|report| stamp(report.fill.at)), "instId": order.symbol, "instType": "SWAP",
        "lever": number(leverage), "ordId": plain_name(order).unwrap_or_default(), "ordType": order_type(&order.kind),
        "pnl": "0", "posSide": "net", "px": price, "rebate": "0", "rebateCcy": instrument.settle,
        "reduceOnly": reduces(order), "side": side(order.side), "slOrdPx": "", "slTriggerPx": "",
        "slTriggerPxType": "", "source": "", "state": state, "sz": contracts(instrument, order.quantity.get()),
        "tag": "", "tdMode": margin_word(mode), "tgtCcy": "", "tpOrdPx": "", "tpTriggerPx": "",
        "tpTriggerPxType": "", "tradeId": told(&trade_number), "uTime": stamp(order.updated_at),
    })
}

pub(crate) const fn liquidity(report: &FillReport) -> &'static str {
    match report.fill.liquidity {
        Liquidity::Maker => "M",
        Liquidity::Taker => "T",
    }
}

const fn source_word(source: TriggerSource) -> &'static str {
    match source {
        TriggerSource::Last => "last",
        TriggerSource::Mark => "mark",
        TriggerSource::Index => "index",
    }
}

/// A stop as REST and the channel `orders-algo` show it. `None` for orders that are none.
pub(crate) fn stop(
    order: &Order,
    instrument: &Instrument,
    (mode, leverage): (MarginMode, Decimal),
) -> Option<Value> {
    let OrderKind::StopMarket { trigger, direction, source } = order.kind else { return None };
    let fired = has_fired(order);
    let state = match order.status {
        _ if fired => "effective",
        OrderStatus::Rejected => "order_failed",
        OrderStatus::Canceled => "canceled",
        OrderStatus::Untriggered | OrderStatus::Open | OrderStatus::PartiallyFilled | OrderStatus::Filled => {
            "live"
        }
    };
    let conditional = order.effect == PositionEffect::ReduceOnly;
    let is_loss = (order.side == Side::Sell) == (direction == TriggerDirection::Falls);
    let (sl, tp, plain) = match (conditional, is_loss) {
        (true, true) => (trigger.to_string(), String::new(), String::new()),
        (true, false) => (String::new(), trigger.to_string(), String::new()),
        (false, _) => (String::new(), String::new(), trigger.to_string()),
    };
    let with = |text: &str, value: &'static str| if text.is_empty() { "" } else { value };
    let by = source_word(source);
    Some(json!({
        "actualPx": order.average_price().map_or_else(String::new, |price| number(price.round_dp(8))),
        "actualSide": "", "actualSz": contracts(instrument, order.filled),
        "algoClOrdId": order.name.map_or_else(String::new, |name| name.to_string()), "algoId": name(&order.venue_id),
        "cTime": stamp(order.created_at), "ccy": "", "clOrdId": "", "closeFraction": "",
        "failCode": if order.status == OrderStatus::Rejected { "51008" } else { "" }, "instId": order.symbol,
        "instType": "SWAP", "last": order.price_at_creation.map_or_else(String::new, |price| price.to_string()),
        "lever": number(leverage), "notionalUsd": "", "ordId": if fired { child_name(&order.venue_id) } else { String::new() },
        "ordPx": with(&plain, "-1"), "ordType": if conditional { "conditional" } else { "trigger" }, "posSide": "net",
        "reduceOnly": reduces(order), "side": side(order.side), "slOrdPx": with(&sl, "-1"),
        "slTriggerPx": sl, "slTriggerPxType": with(&sl, by), "state": state,
        "sz": contracts(instrument, order.quantity.get()), "tag": "", "tdMode": margin_word(mode),
        "tpOrdPx": with(&tp, "-1"), "tpTriggerPx": tp, "tpTriggerPxType": with(&tp, by),
        "triggerPx": plain, "triggerPxType": with(&plain, by),
        "triggerTime": if fired { stamp(order.updated_at) } else { String::new() }, "uTime": stamp(order.updated_at),
    }))
}

/// The order by which a position was liquidated, on the channel `orders`. Nobody has placed it.
pub(crate) fn liquidation(
    report: &FillReport,
    instrument: &Instrument,
    (mode, leverage): (MarginMode, Decimal),
) -> Value {
    let fill = &report.fill;
    let (at, size) = (stamp(fill.at), contracts(instrument, fill.quantity.get()));
    let fee = number(-fill.fee.amount);
    json!({
        "accFillSz": size, "algoClOrdId": "", "algoId": "", "attachAlgoClOrdId": "", "attachAlgoOrds": [],
        "avgPx": fill.price, "cTime": at, "cancelSource": "", "cancelSourceReason": "",
        "category": "full_liquidation", "ccy": instrument.settle, "clOrdId": "", "execType": liquidity(report),
        "fee": fee, "feeCcy": instrument.settle, "fillFee": fee, "fillFeeCcy": fill.fee.asset,
        "fillPx": fill.price, "fillSz": size, "fillTime": at, "instId": fill.symbol, "instType": "SWAP",
        "lever": number(leverage), "ordId": name(&fill.venue_order_id), "ordType": "market",
        "pnl": number(report.realized), "posSide": "net", "px": "", "rebate": "0", "rebateCcy": instrument.settle,
        "reduceOnly": "true", "side": side(fill.side), "slOrdPx": "", "slTriggerPx": "", "slTriggerPxType": "",
        "source": "", "state": "filled", "sz": size, "tag": "", "tdMode": margin_word(mode), "tgtCcy": "",
        "tpOrdPx": "", "tpTriggerPx": "", "tpTriggerPxType": "", "tradeId": trade_number(report), "uTime": at,
    })
}

/// A fill of the lists.
pub(crate) fn fill(report: &FillReport, of: Option<&Order>, instrument: &Instrument) -> Value {
    let fill = &report.fill;
    let own = of.filter(|order| !is_stop(order)).and_then(|order| order.name);
    json!({
        "instType": "SWAP", "instId": fill.symbol, "tradeId": trade_number(report),
        "ordId": of.and_then(plain_name).unwrap_or_else(|| name(&fill.venue_order_id)),
        "clOrdId": own.map_or_else(String::new, |name| name.to_string()), "billId": trade_number(report),
        "subType": match report.cause { FillCause::Order => "1", FillCause::Liquidation => "100" }, "tag": "",
        "fillPx": fill.price, "fillSz": contracts(instrument, fill.quantity.get()), "fillIdxPx": fill.price,
        "fillPnl": number(report.realized), "fillPxVol": "", "fillMarkPx": fill.price, "side": side(fill.side),
        "posSide": "net", "execType": liquidity(report), "feeCcy": fill.fee.asset, "fee": number(-fill.fee.amount),
        "ts": stamp(fill.at), "fillTime": stamp(fill.at), "feeRate": "",
    })
}

/// A funding payment of the ledger. What is received is positive there.
pub(crate) fn funding(payment: &FundingPayment, instrument: &Instrument) -> Value {
    let received = payment.amount.amount;
    json!({
        "instType": "SWAP", "instId": payment.symbol, "billId": format!("{}{}", payment.at.ms(), payment.symbol.as_str().len()),
        "type": "8", "subType": if received < Decimal::ZERO { "173" } else { "174" }, "ccy": payment.amount.asset,
        "balChg": number(received), "bal": "", "pnl": number(received), "fee": "0", "px": payment.mark,
        "sz": contracts(instrument, payment.size.abs()), "mgnMode": "", "ordId": "", "ts": stamp(payment.at),
        "from": "", "to": "", "notes": "", "execType": "",
    })
}

/// A position as REST and the channel `positions` show it; flat ones have size zero.
pub(crate) fn position(core: &Core, account: AccountId, feed: &Feed) -> Result<Value, Refusal> {
    let exchange = &core.world.exchange;
    let instrument = &feed.instrument;
    let held = exchange.position_state(account, instrument.symbol)?;
    let news = exchange.position(account, instrument.symbol)?;
    let text =
        |price: Option<keyhold_domain::Price>| price.map_or_else(String::new, |price| price.to_string());
    let mark = text(news.mark);
    let open = !held.size.is_zero();
    let shown = |value: String| if open { value } else { String::new() };
    Ok(json!({
        "adl": "1", "availPos": contracts(instrument, held.size.abs()),
        "avgPx": shown(held.entry.map_or_else(String::new, |entry| number(entry.get().round_dp(8)))), "baseBal": "",
        "cTime": stamp(held.opened_at), "ccy": instrument.settle, "fee": "0", "fundingFee": "0", "idxPx": mark,
        "imr": "", "instId": instrument.symbol, "instType": "SWAP", "interest": "", "last": mark,
        "lever": number(held.leverage), "liab": "", "liabCcy": "", "liqPenalty": "0",
        "liqPx": shown(text(held.liquidation)), "margin": number(held.margin.round_dp(8)), "markPx": mark,
        "mgnMode": margin_word(exchange.margin_mode(account)?), "mgnRatio": "", "mmr": "", "notionalUsd": "",
        "optVal": "", "pnl": number(held.realized), "pos": contracts(instrument, held.size), "posCcy": "",
        "posId": "1", "posSide": "net",
        "realizedPnl": number(held.realized), "tradeId": "", "uTime": stamp(held.updated_at),
        "upl": shown(number(news.unrealized.unwrap_or_default())), "uplRatio": "", "usdPx": "",
    }))
}

/// The balance as REST and the channel `account` show it. Values in USD use the last price of the coin's market.
pub(crate) fn balance(core: &Core, account: AccountId, now: Timestamp) -> Result<Value, Refusal> {
    let mut total = Decimal::ZERO;
    let mut details = Vec::new();
    for balance in core.world.exchange.balances(account)? {
        let worth = (balance.equity * core.usd_price(balance.asset)).round_dp(8);
        total += worth;
        let available = number(balance.available.round_dp(8));
        details.push(json!({
            "availBal": available, "availEq": available, "cashBal": number(balance.wallet), "ccy": balance.asset,
            "eq": number(balance.equity), "eqUsd": number(worth),
            "frozenBal": number((balance.equity - balance.available).max(Decimal::ZERO).round_dp(8)),
            "isoEq": "0", "ordFrozen": "0", "upl": number(balance.equity - balance.wallet), "liab": "", "interest": "",
            "uTime": stamp(now),
        }));
    }
    Ok(
        json!({ "adjEq": "", "details": details, "imr": "", "isoEq": "0", "mmr": "", "totalEq": number(total), "uTime": stamp(now) }),
    )
}
