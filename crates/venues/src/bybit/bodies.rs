//! The bodies of Bybit's writes. Pure; every field on the wire is named here and nowhere else.
//!
//! Numbers are texts, as Bybit wants them. What is Bybit's default is written out where money depends on it
//! (`timeInForce`, `triggerBy`, `positionIdx`).

use keyhold_domain::{
    Asset, MarginMode, NewOrder, OrderKind, PositionEffect, Price, Quantity, Side, Symbol, TimeInForce,
    TriggerDirection, TriggerSource,
};
use serde::Serialize;

use crate::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage, SignerRefusal,
};

/// JSON of a body or frame.
pub fn text_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("our bodies hold only texts and whole numbers under fixed names")
}

/// Bybit's word for a choice of orders; all without a word.
pub const fn order_filter(selection: OrderSelection) -> Option<&'static str> {
    match selection {
        OrderSelection::All => None,
        OrderSelection::StopOrders | OrderSelection::TriggerOrders => Some("StopOrder"),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceBody<'a> {
    category: &'a str,
    symbol: Symbol,
    side: &'static str,
    order_type: &'static str,
    qty: Quantity,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_in_force: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_price: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_direction: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduce_only: Option<bool>,
    position_idx: u8,
    order_link_id: String,
}

/// Bybit's word for how long a limit order stays.
const fn time_in_force(time: TimeInForce) -> &'static str {
    match time {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::PostOnly => "PostOnly",
    }
}

/// A new order.
pub fn place(category: &str, order: &NewOrder) -> String {
    let mut body = PlaceBody {
        category,
        symbol: order.symbol,
        side: match order.side {
            Side::Buy => "Buy",
            Side::Sell => "Sell",
        },
        order_type: "Market",
        qty: order.quantity,
        price: None,
        time_in_force: None,
        trigger_price: None,
        trigger_direction: None,
        trigger_by: None,
        reduce_only: match order.effect {
            PositionEffect::Increase => None,
            PositionEffect::ReduceOnly => Some(true),
        },
        // 0 is the one net position; an account in hedge mode refuses it, which is what we want.
        position_idx: 0,
        order_link_id: order.client_id.to_string(),
    };
    match order.kind {
        OrderKind::Market => {}
        OrderKind::Limit { price, time_in_force: time } => {
            body.order_type = "Limit";
            body.price = Some(price);
            body.time_in_force = Some(time_in_force(time));
        }
        OrderKind::StopMarket { trigger, direction, source } => {
            body.trigger_price = Some(trigger);
            body.trigger_direction = Some(match direction {
                TriggerDirection::Rises => 1,
                TriggerDirection::Falls => 2,
            });
            body.trigger_by = Some(match source {
                TriggerSource::Last => "LastPrice",
                TriggerSource::Mark => "MarkPrice",
                TriggerSource::Index => "IndexPrice",
            });
        }
    }
    text_of(&body)
}

/// The two names of an order in a body; exactly one is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderName {
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_link_id: Option<String>,
}

impl From<OrderRef> for OrderName {
    fn from(order: OrderRef) -> Self {
        match order {
            OrderRef::Client(id) => Self { order_id: None, order_link_id: Some(id.to_string()) },
            OrderRef::Venue(id) => Self { order_id: Some(id.to_string()), order_link_id: None },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AmendBody<'a> {
    category: &'a str,
    symbol: Symbol,
    #[serde(flatten)]
    order: OrderName,
    #[serde(skip_serializing_if = "Option::is_none")]
    qty: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_price: Option<Price>,
}

/// A changed order.
pub fn amend(category: &str, amend: &AmendOrder) -> String {
    text_of(&AmendBody {
        category,
        symbol: amend.symbol,
        order: amend.order.into(),
        qty: amend.quantity,
        price: amend.price,
        trigger_price: amend.trigger,
    })
}

#[derive(Serialize)]
struct CancelBody<'a> {
    category: &'a str,
    symbol: Symbol,
    #[serde(flatten)]
    order: OrderName,
}

/// The end of an order.
pub fn cancel(category: &str, cancel: &CancelOrder) -> String {
    text_of(&CancelBody { category, symbol: cancel.symbol, order: cancel.order.into() })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelAllBody<'a> {
    category: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Symbol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settle_coin: Option<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_filter: Option<&'static str>,
}

/// The end of many orders.
pub fn cancel_all(category: &str, cancel: &CancelAll) -> Result<String, SignerRefusal> {
    let (symbol, settle_coin) = match cancel.scope {
        Scope::Symbol(symbol) => (Some(symbol), None),
        Scope::Settle(asset) => (None, Some(asset)),
        // Bybit refuses it without a symbol, base coin or settle coin.
        Scope::Product => return Err(SignerRefusal::NotOffered),
    };
    let order_filter = order_filter(cancel.selection);
    Ok(text_of(&CancelAllBody { category, symbol, settle_coin, order_filter }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeverageBody<'a> {
    category: &'a str,
    symbol: Symbol,
    buy_leverage: String,
    sell_leverage: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MarginModeBody {
    set_margin_mode: &'static str,
}

#[derive(Serialize)]
struct PositionModeBody<'a> {
    category: &'a str,
    symbol: Symbol,
    mode: u8,
}

/// The leverage of an instrument, both directions alike.
pub fn leverage(category: &str, set: &SetLeverage) -> String {
    let leverage = set.leverage.normalize().to_string();
    let (buy_leverage, sell_leverage) = (leverage.clone(), leverage);
    text_of(&LeverageBody { category, symbol: set.symbol, buy_leverage, sell_leverage })
}

/// The margin mode of the account.
pub fn margin_mode(mode: MarginMode) -> String {
    let set_margin_mode = match mode {
        MarginMode::Isolated => "ISOLATED_MARGIN",
        MarginMode::Cross => "REGULAR_MARGIN",
    };
    text_of(&MarginModeBody { set_margin_mode })
}

/// One net position for an instrument; 3 would be hedge mode.
pub fn one_way(category: &str, symbol: Symbol) -> String {
    text_of(&PositionModeBody { category, symbol, mode: 0 })
}
