//! Orders over REST. `success` says that the request was understood; what became of the order is a word in its status.

use keyhold_domain::{
    OrderKind, OrderStatus, PositionEffect, RefusalCode, Side, TimeInForce, Timestamp, TriggerDirection,
    TriggerSource, VenueOrderId,
};
use keyhold_simulator::exchange::{Amendment, Input, Order, OrderName, OrderRef, OrderRequest, Refusal};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::{Failure, status_of};
use super::params::named;
use super::shapes::{self, num};

/// Orders that ended are told among the recent ones for so long, in replay time.
const RECENT_MS: i64 = 5_000;

fn refused(word: &str) -> Value {
    json!({ "sendStatus": { "status": word } })
}

/// A request that came after the time its sender gave it.
fn too_late(call: &Call<'_>) -> Result<bool, Failure> {
    let bound: Option<Timestamp> = call.params.number("processBefore")?;
    Ok(bound.is_some_and(|bound| call.wall > bound))
}

pub(crate) fn send(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut order = request(call)?;
    if too_late(call)? {
        return Ok(refused("wouldProcessAfterSpecifiedTime"));
    }
    let account = call.account;
    let id = call.state.core.world.exchange.next_order_id();
    let mut result = call.state.core.world.apply(&Input::Submit { account, order });
    if let Err(Refusal::TriggerReached { .. }) = result {
        // Kraken starts it at once.
        order.kind = OrderKind::Market;
        result = call.state.core.world.apply(&Input::Submit { account, order });
    }
    if let Err(refusal) = result {
        return Ok(refused(status_of(&refusal)?));
    }
    let Some(order) = call.records()?.orders.get(&id).copied() else {
        return Err(Failure::new("unknownError"));
    };
    let status = match (order.status, order.refusal) {
        (OrderStatus::Canceled | OrderStatus::Rejected, Some(RefusalCode::PostOnlyWouldCross)) => {
            "postWouldExecute"
        }
        (OrderStatus::Canceled | OrderStatus::Rejected, Some(RefusalCode::ReduceOnlyRejected))
            if order.filled.is_zero() =>
        {
            "wouldNotReducePosition"
        }
        (OrderStatus::Rejected, _) => "insufficientAvailableFunds",
        (OrderStatus::Canceled, _) if order.filled.is_zero() => "iocWouldNotExecute",
        _ => "placed",
    };
    let events = events_of(call, &order, status)?;
    Ok(json!({ "sendStatus": {
        "status": status, "order_id": id, "cliOrdId": order.name.map(|name| name.to_string()),
        "receivedTime": order.created_at.to_string(), "orderEvents": events,
    } }))
}

/// What an order met at once: executions, and the rest in the book.
fn events_of(call: &Call<'_>, order: &Order, status: &str) -> Result<Vec<Value>, Failure> {
    if status != "placed" {
        return Ok(vec![json!({
            "type": "REJECT", "uid": order.venue_id, "reason": shapes::end_word(order),
            "order": shapes::event_order(order, order.filled),
        })]);
    }
    let mut events = vec![];
    let mut filled = keyhold_domain::Decimal::ZERO;
    let own = call.records()?.fills.iter().filter(|report| report.fill.venue_order_id == order.venue_id);
    for report in own {
        events.push(json!({
            "type": "EXECUTION", "executionId": report.fill.fill_id, "price": num(report.fill.price.get()),
            "amount": num(report.fill.quantity.get()), "orderPriorEdit": null,
            "orderPriorExecution": shapes::event_order(order, filled), "takerReducedQuantity": null,
        }));
        filled += report.fill.quantity.get();
    }
    match order.status {
        OrderStatus::Untriggered => {
            events.push(json!({ "type": "PLACE", "orderTrigger": shapes::event_trigger(order) }));
        }
        OrderStatus::Open | OrderStatus::PartiallyFilled => events.push(json!({
            "type": "PLACE", "order": shapes::event_order(order, order.filled), "reducedQuantity": null,
        })),
        OrderStatus::Filled | OrderStatus::Canceled | OrderStatus::Rejected => {}
    }
    Ok(events)
}

fn request(call: &Call<'_>) -> Result<OrderRequest, Failure> {
    let params = &call.params;
    let symbol = call.feed()?.instrument.symbol;
    let side = match params.require("side")? {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => return Err(Failure::argument("invalidArgument", "side")),
    };
    let missing = || Failure::argument("requiredArgumentMissing", "size");
    let quantity = params.quantity("size")?.ok_or_else(missing)?;
    let effect =
        if params.is_true("reduceOnly") { PositionEffect::ReduceOnly } else { PositionEffect::Increase };
    let name = |text| OrderName::parse(text).ok_or_else(|| Failure::argument("invalidArgument", "cliOrdId"));
    let name = params.text("cliOrdId").map(name).transpose()?;
    Ok(OrderRequest { name, symbol, side, kind: kind(call, side)?, quantity, effect })
}

fn kind(call: &Call<'_>, side: Side) -> Result<OrderKind, Failure> {
    let params = &call.params;
    let limit = |time_in_force| {
        let missing = || Failure::argument("requiredArgumentMissing", "limitPrice");
        let price = params.price("limitPrice")?.ok_or_else(missing)?;
        Ok(OrderKind::Limit { price, time_in_force })
    };
    match params.require("orderType")? {
        "mkt" => Ok(OrderKind::Market),
        "lmt" => limit(TimeInForce::Gtc),
        "post" => limit(TimeInForce::PostOnly),
        "ioc" => limit(TimeInForce::Ioc),
        word @ ("stp" | "take_profit") => {
            if params.text("limitPrice").is_some() {
                return Err(Failure::argument("invalidArgument", "limitPrice"));
            }
            let missing = || Failure::argument("requiredArgumentMissing", "stopPrice");
            let trigger = params.price("stopPrice")?.ok_or_else(missing)?;
            let direction = match (word, side) {
                ("stp", Side::Buy) | ("take_profit", Side::Sell) => TriggerDirection::Rises,
                _ => TriggerDirection::Falls,
            };
            let source = match params.text("triggerSignal") {
                None | Some("mark") => TriggerSource::Mark,
                Some("last") => TriggerSource::Last,
                Some("index" | "spot") => TriggerSource::Index,
                Some(_) => return Err(Failure::argument("invalidArgument", "triggerSignal")),
            };
            Ok(OrderKind::StopMarket { trigger, direction, source })
        }
        _ => Err(Failure::argument("invalidArgument", "orderType")),
    }
}

fn reference(call: &Call<'_>, id_name: &'static str) -> Result<OrderRef, Failure> {
    if let Some(id) = call.params.text(id_name) {
        let id: VenueOrderId = id.parse().map_err(|_| Failure::argument("invalidArgument", id_name))?;
        return Ok(OrderRef::Venue(id));
    }
    let name = call.params.text("cliOrdId").and_then(OrderName::parse).map(OrderRef::Name);
    name.ok_or_else(|| Failure::argument("requiredArgumentMissing", id_name))
}

fn open(call: &Call<'_>, reference: &OrderRef) -> Option<Order> {
    call.state.core.world.exchange.open_order(call.account, reference).copied()
}

/// Without `qtyMode` the size is what shall be left open; `ABSOLUTE` counts what is filled.
pub(crate) fn edit(call: &mut Call<'_>) -> Result<Value, Failure> {
    let status = |word: &str| json!({ "editStatus": { "status": word } });
    let reference = reference(call, "orderId")?;
    if too_late(call)? {
        return Ok(status("wouldProcessAfterSpecifiedTime"));
    }
    let Some(before) = open(call, &reference) else { return Ok(status("orderForEditNotFound")) };
    let size = call.params.quantity("size")?;
    let quantity = match (size, call.params.text("qtyMode")) {
        (Some(size), None | Some("RELATIVE")) => {
            keyhold_domain::Quantity::new(size.get() + before.filled).ok()
        }
        (size, Some("ABSOLUTE") | None) => size,
        _ => return Err(Failure::argument("invalidArgument", "qtyMode")),
    };
    let trigger = call.params.price("stopPrice")?;
    if trigger.is_some() && !matches!(before.kind, OrderKind::StopMarket { .. }) {
        return Ok(status("orderForEditNotAStop"));
    }
    let amendment = Amendment { quantity, price: call.params.price("limitPrice")?, trigger };
    let (account, symbol) = (call.account, before.symbol);
    match call.state.core.world.apply(&Input::Amend { account, symbol, order: reference, amendment }) {
        // Nothing to change is no error at Kraken.
        Ok(()) | Err(Refusal::NoChange) => {}
        Err(refusal) => return Ok(status(status_of(&refusal)?)),
    }
    let after = call.records()?.orders.get(&before.venue_id).copied().unwrap_or(before);
    let event = json!({
        "type": "EDIT", "old": shapes::event_order(&before, before.filled),
        "new": shapes::event_order(&after, after.filled), "reducedQuantity": null,
    });
    Ok(json!({ "editStatus": {
        "status": "edited", "orderId": after.venue_id, "receivedTime": after.updated_at.to_string(),
        "orderEvents": [event],
    } }))
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Value, Failure> {
    let reference = reference(call, "order_id")?;
    let time = call.state.core.world.now.to_string();
    let Some(order) = open(call, &reference) else {
        let known = call.records()?.orders.values().find(|order| reference.matches(order));
        let filled = known.is_some_and(|order| order.status == OrderStatus::Filled);
        let word = if filled { "filled" } else { "notFound" };
        return Ok(json!({ "cancelStatus": { "status": word, "receivedTime": time } }));
    };
    let (account, symbol) = (call.account, order.symbol);
    call.state.core.world.apply(&Input::Cancel { account, symbol, order: reference })?;
    let event = json!({ "type": "CANCEL", "uid": order.venue_id, "order": shapes::event_order(&order, order.filled) });
    Ok(json!({ "cancelStatus": {
        "status": "cancelled", "order_id": order.venue_id, "receivedTime": time, "orderEvents": [event],
    } }))
}

pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = match call.params.symbol()? {
        Some(symbol) => Some(call.feed_of(symbol)?.instrument.symbol),
        None => None,
    };
    let ids = call.state.cancel_all(call.account, symbol, "cancelled_by_user")?;
    let gone: Vec<Value> = ids.iter().map(|id| json!({ "order_id": id })).collect();
    let orders = &call.records()?.orders;
    let events: Vec<Value> = ids
        .iter()
        .filter_map(|id| orders.get(id))
        .map(|order| json!({ "type": "CANCEL", "uid": order.venue_id, "order": shapes::event_order(order, order.filled) }))
        .collect();
    Ok(json!({ "cancelStatus": {
        "status": if ids.is_empty() { "noOrdersToCancel" } else { "cancelled" },
        "cancelOnly": symbol.map_or_else(|| "all".to_owned(), |symbol| symbol.to_string()),
        "receivedTime": call.state.core.world.now.to_string(), "cancelledOrders": gone, "orderEvents": events,
    } }))
}

/// The dead-man's switch, in seconds of the wall clock; 0 switches it off.
pub(crate) fn cancel_after(call: &mut Call<'_>) -> Result<Value, Failure> {
    let missing = || Failure::argument("requiredArgumentMissing", "timeout");
    let seconds: i64 = call.params.number("timeout")?.ok_or_else(missing)?;
    if !(0..=86_400).contains(&seconds) {
        return Err(Failure::argument("invalidArgument", "timeout"));
    }
    let due = (seconds > 0).then(|| call.wall.plus_ms(seconds * 1_000));
    call.state.set_switch(call.account, due);
    let trigger = due.map_or_else(|| "0".to_owned(), |due| due.to_string());
    Ok(json!({ "status": { "currentTime": call.wall.to_string(), "triggerTime": trigger } }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn open_orders(call: &mut Call<'_>) -> Result<Value, Failure> {
    let list: Vec<Value> =
        call.state.core.world.exchange.open_orders(call.account).map(shapes::open_order).collect();
    Ok(json!({ "openOrders": list }))
}

/// Orders that are open or ended a moment ago; all of them, or by id or name.
pub(crate) fn statuses(call: &mut Call<'_>) -> Result<Value, Failure> {
    let list =
        |name| call.params.text(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    let (ids, names) = (list("orderIds"), list("cliOrdIds"));
    let symbol = call.params.text("symbol").map(named).transpose()?;
    let now = call.state.core.world.now;
    let records = call.records()?;
    let rows: Vec<Value> = records
        .orders
        .values()
        .filter(|order| !order.status.is_final() || now.since_ms(order.updated_at) <= RECENT_MS)
        .filter(|order| symbol.is_none_or(|symbol| order.symbol == symbol))
        .filter(|order| {
            let by_id = ids.as_ref().is_some_and(|ids| ids.iter().any(|id| id == order.venue_id.as_str()));
            let name = order.name.map(|name| name.to_string());
            let by_name = names.as_ref().is_some_and(|names| name.is_some_and(|name| names.contains(&name)));
            (ids.is_none() && names.is_none()) || by_id || by_name
        })
        .map(shapes::order_status)
        .collect();
    Ok(json!({ "orders": rows }))
}
