//! The bodies of BitMEX's writes. Pure; every field on the wire is named here and nowhere else.
//!
//! Numbers are JSON numbers in contracts, written digit by digit from decimals. What is BitMEX's default is written out
//! where money depends on it (`timeInForce`, the price that triggers).

use keyhold_domain::{
    Decimal, MarginMode, NewOrder, OrderKind, PositionEffect, Price, Quantity, Side, Symbol, TimeInForce,
    TriggerDirection, TriggerSource,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

use super::contracts::settlement_name;
use crate::signer::{
    AmendOrder, CancelAll, CancelMany, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
    SignerRefusal,
};

/// JSON of a body or frame.
pub fn text_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("our bodies hold only texts and numbers under fixed names")
}

/// A decimal as a JSON number with exactly its digits.
fn number(value: Decimal) -> Box<RawValue> {
    RawValue::from_string(value.normalize().to_string()).expect("a decimal's text is a JSON number")
}

fn price_number(price: Option<Price>) -> Option<Box<RawValue>> {
    price.map(|price| number(price.get()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceBody {
    symbol: Symbol,
    side: &'static str,
    order_qty: Box<RawValue>,
    ord_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_px: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_in_force: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exec_inst: Option<String>,
    #[serde(rename = "clOrdID")]
    client_id: String,
}

/// A market order that waits: `Stop` when the price moves the way the order trades, `MarketIfTouched` when it moves
/// against it.
const fn waiting(side: Side, direction: TriggerDirection) -> &'static str {
    match (side, direction) {
        (Side::Buy, TriggerDirection::Rises) | (Side::Sell, TriggerDirection::Falls) => "Stop",
        (Side::Buy, TriggerDirection::Falls) | (Side::Sell, TriggerDirection::Rises) => "MarketIfTouched",
    }
}

/// A new order; its quantity is in contracts.
pub fn place(order: &NewOrder) -> String {
    let mut instructions: Vec<&str> = vec![];
    let (mut price, mut stop_px, mut time_in_force) = (None, None, None);
    let ord_type = match order.kind {
        OrderKind::Market => "Market",
        OrderKind::Limit { price: limit, time_in_force: time } => {
            price = Some(number(limit.get()));
            time_in_force = Some(match time {
                TimeInForce::Gtc | TimeInForce::PostOnly => "GoodTillCancel",
                TimeInForce::Ioc => "ImmediateOrCancel",
                TimeInForce::Fok => "FillOrKill",
            });
            if time == TimeInForce::PostOnly {
                instructions.push("ParticipateDoNotInitiate");
            }
            "Limit"
        }
        OrderKind::StopMarket { trigger, direction, source } => {
            stop_px = Some(number(trigger.get()));
            instructions.push(match source {
                TriggerSource::Last => "LastPrice",
                TriggerSource::Mark => "MarkPrice",
                TriggerSource::Index => "IndexPrice",
            });
            waiting(order.side, direction)
        }
    };
    if order.effect == PositionEffect::ReduceOnly {
        instructions.push("ReduceOnly");
    }
    text_of(&PlaceBody {
        symbol: order.symbol,
        side: match order.side {
            Side::Buy => "Buy",
            Side::Sell => "Sell",
        },
        order_qty: number(order.quantity.get()),
        ord_type,
        price,
        stop_px,
        time_in_force,
        exec_inst: (!instructions.is_empty()).then(|| instructions.join(",")),
        client_id: order.client_id.to_string(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AmendBody {
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(rename = "origClOrdID", skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_qty: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_px: Option<Box<RawValue>>,
}

/// The venue's and our name of an order; exactly one is there.
fn names(order: OrderRef) -> (Option<String>, Option<String>) {
    match order {
        OrderRef::Venue(id) => (Some(id.to_string()), None),
        OrderRef::Client(id) => (None, Some(id.to_string())),
    }
}

/// A changed order; its quantity is in contracts.
pub fn amend(amend: &AmendOrder) -> String {
    let (order_id, client_id) = names(amend.order);
    text_of(&AmendBody {
        order_id,
        client_id,
        order_qty: amend.quantity.map(Quantity::get).map(number),
        price: price_number(amend.price),
        stop_px: price_number(amend.trigger),
    })
}

#[derive(Serialize)]
struct CancelBody {
    #[serde(rename = "orderID", skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(rename = "clOrdID", skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// The end of an order.
pub fn cancel(cancel: &CancelOrder) -> String {
    let (order_id, client_id) = names(cancel.order);
    text_of(&CancelBody { order_id, client_id })
}

#[derive(Serialize)]
struct CancelManyBody {
    #[serde(rename = "orderID", skip_serializing_if = "Vec::is_empty")]
    order_ids: Vec<String>,
    #[serde(rename = "clOrdID", skip_serializing_if = "Vec::is_empty")]
    client_ids: Vec<String>,
}

/// The end of orders that are named one by one.
pub fn cancel_many(cancel: &CancelMany) -> String {
    let (order_ids, client_ids): (Vec<_>, Vec<_>) =
        cancel.orders.iter().map(|cancel| names(cancel.order)).unzip();
    let all = |names: Vec<Option<String>>| names.into_iter().flatten().collect();
    text_of(&CancelManyBody { order_ids: all(order_ids), client_ids: all(client_ids) })
}

#[derive(Serialize)]
struct CancelAllBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    settl_currency: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ord_type: Option<[&'static str; 2]>,
}

/// The end of many orders. Without a symbol or an asset BitMEX would cancel those of all contracts, which nobody asks
/// for here.
pub fn cancel_all(cancel: &CancelAll) -> Result<String, SignerRefusal> {
    let (symbol, settl_currency) = match cancel.scope {
        Scope::Symbol(symbol) => (Some(symbol), None),
        Scope::Settle(asset) => (None, Some(settlement_name(asset).ok_or(SignerRefusal::NotOffered)?)),
        Scope::Product => return Err(SignerRefusal::NotOffered),
    };
    let ord_type = match cancel.selection {
        OrderSelection::All => None,
        OrderSelection::StopOrders | OrderSelection::TriggerOrders => Some(["Stop", "MarketIfTouched"]),
    };
    let filter = (settl_currency.is_some() || ord_type.is_some())
        .then(|| text_of(&OrderFilter { settl_currency, ord_type }));
    Ok(text_of(&CancelAllBody { symbol, filter }))
}

#[derive(Serialize)]
struct LeverageBody {
    symbol: Symbol,
    leverage: Box<RawValue>,
}

/// The leverage of an instrument. Any leverage makes its margin isolated (venues.md 4.3).
pub fn leverage(set: &SetLeverage) -> String {
    text_of(&LeverageBody { symbol: set.symbol, leverage: number(set.leverage) })
}

#[derive(Serialize)]
struct IsolateBody {
    symbol: Symbol,
    enabled: bool,
}

/// Isolated or cross margin of an instrument.
pub fn isolate(symbol: Symbol, mode: MarginMode) -> String {
    text_of(&IsolateBody { symbol, enabled: mode == MarginMode::Isolated })
}

#[derive(Serialize)]
struct SwitchBody {
    timeout: u64,
}

/// The dead-man's switch of the account, in milliseconds; 0 switches it off.
pub fn switch(after: Option<Duration>) -> String {
    let timeout = after.map_or(0, |after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    text_of(&SwitchBody { timeout })
}
