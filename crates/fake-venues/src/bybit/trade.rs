//! Orders over REST. Answers are acknowledgements; what became of an order is told on the private stream.

use keyhold_domain::{
    OrderKind, OrderStatus, PositionEffect, Side, Symbol, TimeInForce, TriggerDirection, TriggerSource,
    VenueOrderId,
};
use keyhold_simulator::exchange::{
    Amendment, CancelFilter, Input, Order, OrderName, OrderRef, OrderRequest, PositionMode, Refusal,
};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes;
use super::state::Tag;

pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, Failure> {
    let order = request(call)?;
    if let Some(index) = call.params.number::<u8>("positionIdx")? {
        let hedge = call.state.core.world.exchange.position_mode(call.account)? == PositionMode::Hedge;
        if (index > 0) != hedge {
            return Err(Refusal::HedgeMode.into());
        }
    }
    let tag = Tag {
        stop: None,
        stop_loss: call.params.price("stopLoss")?,
        take_profit: call.params.price("takeProfit")?,
    };
    let id = call.state.core.world.exchange.next_order_id();
    if tag != Tag::default() {
        call.state.set_tag(id, tag);
    }
    let account = call.account;
    call.state.core.world.apply(&Input::Submit { account, order }).map_err(|refusal| {
        match (refusal, order.kind) {
            (
                Refusal::TriggerReached { current },
                OrderKind::StopMarket { trigger, direction: TriggerDirection::Rises, .. },
            ) => Failure::new(
                110_092,
                format!("expect Rising, but trigger_price[{trigger}] <= current[{current}]??LastPrice"),
            ),
            (
                Refusal::TriggerReached { current },
                OrderKind::StopMarket { trigger, direction: TriggerDirection::Falls, .. },
            ) => Failure::new(
                110_093,
                format!("expect Falling, but trigger_price[{trigger}] >= current[{current}]??LastPrice"),
            ),
            (refusal, _) => refusal.into(),
        }
    })?;
    let link = order.name.map_or_else(String::new, |name| name.to_string());
    Ok(json!({ "orderId": id, "orderLinkId": link }))
}

fn request(call: &Call<'_>) -> Result<OrderRequest, Failure> {
    let params = &call.params;
    let symbol = call.feed()?.instrument.symbol;
    let side = match params.require("side")? {
        "Buy" => Side::Buy,
        "Sell" => Side::Sell,
        _ => return Err(Failure::params("side invalid")),
    };
    let quantity = params.quantity("qty")?.ok_or_else(|| Failure::params("qty is required"))?;
    let effect = if params.is_true("reduceOnly") || params.is_true("closeOnTrigger") {
        PositionEffect::ReduceOnly
    } else {
        PositionEffect::Increase
    };
    let name = params.text("orderLinkId").map(link_id).transpose()?;
    Ok(OrderRequest { name, symbol, side, kind: kind(call, symbol)?, quantity, effect })
}

/// At most 36 letters, digits, dashes and underscores.
fn link_id(text: &str) -> Result<OrderName, Failure> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let name = if plain { OrderName::parse(text) } else { None };
    name.ok_or_else(|| Failure::params("orderLinkId invalid"))
}

fn kind(call: &Call<'_>, symbol: Symbol) -> Result<OrderKind, Failure> {
    let params = &call.params;
    let trigger = params.price("triggerPrice")?;
    match (params.require("orderType")?, trigger) {
        ("Market", None) => Ok(OrderKind::Market),
        ("Market", Some(trigger)) => {
            let direction = match params.text("triggerDirection") {
                Some("1") => TriggerDirection::Rises,
                Some("2") => TriggerDirection::Falls,
                Some(_) => return Err(Failure::params("triggerDirection invalid")),
                // The venue then compares with the last price.
                None => match call.state.core.world.exchange.last_price(symbol) {
                    Some(last) if trigger < last => TriggerDirection::Falls,
                    _ => TriggerDirection::Rises,
                },
            };
            let source = match params.text("triggerBy") {
                None | Some("LastPrice") => TriggerSource::Last,
                Some("MarkPrice") => TriggerSource::Mark,
                Some("IndexPrice") => TriggerSource::Index,
                Some(_) => return Err(Failure::params("triggerBy invalid")),
            };
            Ok(OrderKind::StopMarket { trigger, direction, source })
        }
        ("Limit", None) => {
            let price = params.price("price")?.ok_or_else(|| Failure::params("price is required"))?;
            let time_in_force = match params.text("timeInForce") {
                None | Some("GTC") => TimeInForce::Gtc,
                Some("IOC") => TimeInForce::Ioc,
                Some("FOK") => TimeInForce::Fok,
                Some("PostOnly") => TimeInForce::PostOnly,
                Some(_) => return Err(Failure::params("timeInForce invalid")),
            };
            Ok(OrderKind::Limit { price, time_in_force })
        }
        ("Limit", Some(_)) => Err(Failure::params("conditional limit orders are not simulated")),
        _ => Err(Failure::params("orderType invalid")),
    }
}

fn reference(call: &Call<'_>) -> Result<OrderRef, Failure> {
    if let Some(id) = call.params.text("orderId") {
        let id: VenueOrderId = id.parse().map_err(|_| Failure::order_not_found())?;
        return Ok(OrderRef::Venue(id));
    }
    call.params
        .text("orderLinkId")
        .and_then(OrderName::parse)
        .map(OrderRef::Name)
        .ok_or_else(|| Failure::params("orderId or orderLinkId is required"))
}

fn acknowledged(order: &Order) -> Value {
    let link = order.name.map_or_else(String::new, |name| name.to_string());
    json!({ "orderId": order.venue_id, "orderLinkId": link })
}

fn open(call: &Call<'_>, reference: &OrderRef) -> Result<Order, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let order = call.state.core.world.exchange.open_order(call.account, reference);
    order.filter(|order| order.symbol == symbol).copied().ok_or_else(Failure::order_not_found)
}

pub(crate) fn amend(call: &mut Call<'_>) -> Result<Value, Failure> {
    let reference = reference(call)?;
    let order = open(call, &reference)?;
    let amendment = Amendment {
        quantity: call.params.quantity("qty")?,
        price: call.params.price("price")?,
        trigger: call.params.price("triggerPrice")?,
    };
    let (account, symbol) = (call.account, order.symbol);
    call.state.core.world.apply(&Input::Amend { account, symbol, order: reference, amendment })?;
    Ok(acknowledged(&order))
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Value, Failure> {
    let reference = reference(call)?;
    let order = open(call, &reference)?;
    let (account, symbol) = (call.account, order.symbol);
    call.state.core.world.apply(&Input::Cancel { account, symbol, order: reference })?;
    Ok(acknowledged(&order))
}

pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbols = call.wanted_symbols()?;
    let filter = match call.params.text("orderFilter") {
        None => CancelFilter::All,
        Some("Order") => CancelFilter::Active,
        Some("StopOrder" | "tpslOrder") => CancelFilter::Conditional,
        Some(_) => return Err(Failure::params("orderFilter invalid")),
    };
    let mut list = Vec::new();
    for symbol in symbols {
        let account = call.account;
        let before: Vec<Order> = call
            .state
            .core
            .world
            .exchange
            .open_orders(account)
            .filter(|order| order.symbol == symbol)
            .copied()
            .collect();
        call.state.core.world.apply(&Input::CancelAll { account, symbol: Some(symbol), filter })?;
        let exchange = &call.state.core.world.exchange;
        let gone = |order: &&Order| exchange.open_order(account, &OrderRef::Venue(order.venue_id)).is_none();
        list.extend(before.iter().filter(gone).map(acknowledged));
    }
    Ok(json!({ "list": list, "success": "1" }))
}

/// Open orders; an order asked for by its id or name is shown even when it is finished.
pub(crate) fn realtime(call: &mut Call<'_>) -> Result<Value, Failure> {
    let named = call.params.text("orderId").is_some() || call.params.text("orderLinkId").is_some();
    let closed_too = call.params.text("openOnly").is_some_and(|value| value != "0");
    list(call, |order| named || closed_too || !order.status.is_final(), 50)
}

/// Finished orders, newest first.
pub(crate) fn history(call: &mut Call<'_>) -> Result<Value, Failure> {
    list(call, |order| order.status.is_final() || order.status == OrderStatus::PartiallyFilled, 50)
}

fn list(call: &Call<'_>, wanted: impl Fn(&Order) -> bool, most: usize) -> Result<Value, Failure> {
    let symbols = call.wanted_symbols()?;
    let params = &call.params;
    let id = params.text("orderId");
    let link = params.text("orderLinkId");
    let status = params.text("orderStatus");
    let stops = params.text("orderFilter").map(|filter| filter != "Order");
    let from = params.number::<i64>("startTime")?.unwrap_or(i64::MIN);
    let to = params.number::<i64>("endTime")?.unwrap_or(i64::MAX);
    let records = call.records()?;
    let matching = records.sequence.iter().rev().filter_map(|id| records.orders.get(id)).filter(|order| {
        let is_stop = matches!(order.kind, OrderKind::StopMarket { .. });
        symbols.contains(&order.symbol)
            && wanted(order)
            && id.is_none_or(|id| order.venue_id.as_str() == id)
            && link.is_none_or(|link| order.name.is_some_and(|name| name.to_string() == link))
            && stops.is_none_or(|stops| stops == is_stop)
            && (from..=to).contains(&order.created_at.ms())
    });
    let shown = matching.filter_map(|order| {
        let instrument = &call.state.core.world.feed(order.symbol)?.instrument;
        let tag = call.state.tag(&order.venue_id);
        let value = shapes::order(order, instrument.contract_type, instrument.settle.as_str(), tag);
        (status.is_none_or(|status| value["orderStatus"] == status)).then_some(value)
    });
    call.page(shown, most)
}
