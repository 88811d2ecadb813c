//! Orders over REST, in two books: the matching engine's and the Algo Service's.

use keyhold_domain::{
    OrderKind, OrderStatus, PositionEffect, RefusalCode, Side, TimeInForce, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{Amendment, CancelFilter, Input, Order, OrderName, OrderRef, OrderRequest};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes::{self, is_conditional};

/// Which of the two books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Book {
    Plain,
    Algo,
}

impl Book {
    const fn has(self, order: &Order) -> bool {
        is_conditional(order) == matches!(self, Self::Algo)
    }

    const fn number(self, order: &Order) -> fn(&keyhold_domain::VenueOrderId) -> i64 {
        if self.has(order) && is_conditional(order) { shapes::algo_id } else { shapes::order_id }
    }

    /// The parameters that name an order: the venue's number and the client's name.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("orderId", "origClientOrderId"),
            Self::Algo => ("algoId", "clientAlgoId"),
        }
    }
}

fn shown(call: &Call<'_>, book: Book, order: &Order) -> Value {
    let Some(feed) = call.state.core.world.feed(order.symbol) else { return Value::Null };
    match book {
        Book::Plain => shapes::order(order, &feed.instrument),
        Book::Algo => shapes::algo(order, &feed.instrument),
    }
}

/// The order that a call names, open or ended. A conditional order that was triggered is in both books; in the plain one
/// it is found by its number only, because its name there is the venue's.
fn named(call: &Call<'_>, book: Book, missing: fn() -> Failure) -> Result<Order, Failure> {
    let (number, name) = book.names();
    let (number, name) = (call.number::<i64>(number)?, call.text(name).map(str::to_owned));
    if number.is_none() && name.is_none() {
        return Err(Failure::missing(book.names().0));
    }
    let symbols = call.symbols()?;
    let records = call.records()?;
    let fits = |order: &&Order| {
        let by_number = number.is_none_or(|number| {
            let triggered = book == Book::Plain && is_conditional(order) && !shapes::actual(order).is_empty();
            (book.has(order) && book.number(order)(&order.venue_id) == number)
                || (triggered && shapes::order_id(&order.venue_id) == number)
        });
        let by_name = name.as_ref().is_none_or(|name| book.has(order) && shapes::name(order) == *name);
        symbols.contains(&order.symbol) && by_number && by_name
    };
    let newest_first = records.sequence.iter().rev().filter_map(|id| records.orders.get(id));
    newest_first.into_iter().find(fits).copied().ok_or_else(missing)
}

fn submit(call: &mut Call<'_>, book: Book, kind: OrderKind) -> Result<Value, Failure> {
    let instrument = call.feed()?.instrument;
    let side = side(call)?;
    if call.text("positionSide").is_some_and(|side| side != "BOTH") {
        return Err(Failure::new(-4061, "Order's position side does not match user's setting."));
    }
    let effect = if call.text("reduceOnly") == Some("true") {
        PositionEffect::ReduceOnly
    } else {
        PositionEffect::Increase
    };
    let name = match book {
        Book::Plain => call.text("newClientOrderId"),
        Book::Algo => call.text("clientAlgoId"),
    };
    let name = name.map(client_name).transpose()?;
    let quantity = call.quantity("quantity", &instrument)?;
    let order = OrderRequest { name, symbol: instrument.symbol, side, kind, quantity, effect };
    let id = call.state.core.world.exchange.next_order_id();
    let account = call.account;
    call.state.core.world.apply(&Input::Submit { account, order })?;
    // A post-only order that would take is refused and not only ended.
    let records = call.state.core.world.records.get(&account);
    let made = records.and_then(|records| records.orders.get(&id));
    if made.is_some_and(|order| order.refusal == Some(RefusalCode::PostOnlyWouldCross)) {
        let text = "Due to the order could not be executed as maker, the Post Only order will be rejected.";
        return Err(Failure::new(-5022, text));
    }
    Ok(acknowledged(call, book, &id))
}

/// What is told of an order after a change of it.
fn acknowledged(call: &Call<'_>, book: Book, id: &keyhold_domain::VenueOrderId) -> Value {
    let records = call.state.core.world.records.get(&call.account);
    let order = records.and_then(|records| records.orders.get(id)).copied();
    order.map_or_else(|| json!({ "orderId": shapes::order_id(id) }), |order| shown(call, book, &order))
}

fn side(call: &Call<'_>) -> Result<Side, Failure> {
    match call.require("side")? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(Failure::new(-1117, "Invalid side.")),
    }
}

/// At most 36 letters, digits and a few signs.
fn client_name(text: &str) -> Result<OrderName, Failure> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/_-".contains(&byte));
    let name = if plain { OrderName::parse(text) } else { None };
    name.ok_or_else(|| Failure::illegal("newClientOrderId"))
}

pub(crate) fn place(call: &mut Call<'_>) -> Result<Value, Failure> {
    let kind = match call.require("type")? {
        "MARKET" => OrderKind::Market,
        "LIMIT" => {
            let price = call.number("price")?.ok_or_else(|| Failure::missing("price"))?;
            let time_in_force = match call.require("timeInForce")? {
                "GTC" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                "GTX" => TimeInForce::PostOnly,
                _ => return Err(Failure::new(-1115, "Invalid timeInForce.")),
            };
            OrderKind::Limit { price, time_in_force }
        }
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
            let text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
            return Err(Failure::new(-4120, text));
        }
        _ => return Err(Failure::new(-1116, "Invalid orderType.")),
    };
    submit(call, Book::Plain, kind)
}

pub(crate) fn place_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    if call.require("algoType")? != "CONDITIONAL" {
        return Err(Failure::illegal("algoType"));
    }
    let side = side(call)?;
    let direction = match (call.require("type")?, side) {
        ("STOP_MARKET", Side::Buy) | ("TAKE_PROFIT_MARKET", Side::Sell) => TriggerDirection::Rises,
        ("STOP_MARKET", Side::Sell) | ("TAKE_PROFIT_MARKET", Side::Buy) => TriggerDirection::Falls,
        ("STOP" | "TAKE_PROFIT" | "TRAILING_STOP_MARKET", _) => {
            return Err(Failure::new(-4000, "this kind of conditional order is not simulated"));
        }
        _ => return Err(Failure::new(-1116, "Invalid orderType.")),
    };
    let source = match call.text("workingType") {
        None | Some("CONTRACT_PRICE") => TriggerSource::Last,
        Some("MARK_PRICE") => TriggerSource::Mark,
        Some(_) => return Err(Failure::illegal("workingType")),
    };
    let trigger = call.number("triggerPrice")?.ok_or_else(|| Failure::missing("triggerPrice"))?;
    submit(call, Book::Algo, OrderKind::StopMarket { trigger, direction, source })
}

/// Quantity and price must both be there, and one of them must change.
pub(crate) fn amend(call: &mut Call<'_>) -> Result<Value, Failure> {
    let order = named(call, Book::Plain, Failure::no_order)?;
    if side(call)? != order.side {
        return Err(Failure::new(-5026, "The side does not match."));
    }
    let instrument = call.feed()?.instrument;
    let quantity = call.quantity("quantity", &instrument)?;
    let price = call.number("price")?.ok_or_else(|| Failure::missing("price"))?;
    let amendment = Amendment {
        quantity: Some(quantity).filter(|quantity| *quantity != order.quantity),
        price: Some(price)
            .filter(|price| !matches!(order.kind, OrderKind::Limit { price: now, .. } if now == *price)),
        trigger: None,
    };
    let (account, symbol, id) = (call.account, order.symbol, OrderRef::Venue(order.venue_id));
    call.state.core.world.apply(&Input::Amend { account, symbol, order: id, amendment })?;
    Ok(acknowledged(call, Book::Plain, &order.venue_id))
}

fn end(call: &mut Call<'_>, book: Book) -> Result<Value, Failure> {
    let order = named(call, book, Failure::unknown_order)?;
    let (account, symbol, id) = (call.account, order.symbol, OrderRef::Venue(order.venue_id));
    call.state.core.world.apply(&Input::Cancel { account, symbol, order: id })?;
    Ok(match book {
        Book::Plain => acknowledged(call, book, &order.venue_id),
        Book::Algo => json!({
            "algoId": shapes::algo_id(&order.venue_id), "clientAlgoId": shapes::name(&order), "code": "200",
            "msg": "success",
        }),
    })
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Result<Value, Failure> {
    end(call, Book::Plain)
}

pub(crate) fn cancel_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    end(call, Book::Algo)
}

pub(crate) fn one(call: &mut Call<'_>) -> Result<Value, Failure> {
    named(call, Book::Plain, Failure::no_order).map(|order| shown(call, Book::Plain, &order))
}

pub(crate) fn one_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    named(call, Book::Algo, Failure::no_order).map(|order| shown(call, Book::Algo, &order))
}

fn list(call: &Call<'_>, book: Book, wanted: fn(OrderStatus) -> bool) -> Result<Value, Failure> {
    let (limit, range, symbols) = (call.limit(500, 1_000)?, call.range()?, call.symbols()?);
    let records = call.records()?;
    let orders = records.sequence.iter().filter_map(|id| records.orders.get(id)).filter(|order| {
        book.has(order)
            && wanted(order.status)
            && symbols.contains(&order.symbol)
            && range.contains(&order.created_at.ms())
    });
    Ok(orders.take(limit).map(|order| shown(call, book, order)).collect())
}

pub(crate) fn open(call: &mut Call<'_>) -> Result<Value, Failure> {
    list(call, Book::Plain, |status| !status.is_final())
}

pub(crate) fn all(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.feed()?;
    list(call, Book::Plain, |_| true)
}

pub(crate) fn open_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    list(call, Book::Algo, |status| status == OrderStatus::Untriggered)
}

pub(crate) fn all_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    call.feed()?;
    list(call, Book::Algo, |_| true)
}

fn end_all(call: &mut Call<'_>, filter: CancelFilter, text: &str) -> Result<Value, Failure> {
    let (account, symbol) = (call.account, call.feed()?.instrument.symbol);
    call.state.core.world.apply(&Input::CancelAll { account, symbol: Some(symbol), filter })?;
    Ok(json!({ "code": 200, "msg": text }))
}

pub(crate) fn cancel_all(call: &mut Call<'_>) -> Result<Value, Failure> {
    end_all(call, CancelFilter::Active, "The operation of cancel all open order is done.")
}

pub(crate) fn cancel_all_algo(call: &mut Call<'_>) -> Result<Value, Failure> {
    end_all(call, CancelFilter::Conditional, "The operation of cancel all conditional open order is done.")
}

/// Sets or, with zero, clears the dead man's switch of an instrument.
pub(crate) fn countdown(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = call.feed()?.instrument.symbol;
    let ms: i64 = call.number("countdownTime")?.ok_or_else(|| Failure::missing("countdownTime"))?;
    let whose = (call.account, symbol);
    if ms > 0 {
        call.state.switches.insert(whose, call.wall.plus_ms(ms));
    } else {
        call.state.switches.remove(&whose);
    }
    Ok(json!({ "symbol": symbol, "countdownTime": ms.to_string() }))
}
