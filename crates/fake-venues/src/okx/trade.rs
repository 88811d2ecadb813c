//! Orders over REST, in two books: plain ones, and those that wait for a trigger. Answers are acknowledgements; what
//! became of an order is told on the private channels.

use keyhold_domain::{
    OrderKind, PositionEffect, Price, Quantity, Side, Symbol, TimeInForce, TriggerDirection, TriggerSource,
};
use keyhold_simulator::exchange::{Amendment, Input, Order, OrderName, OrderRef, OrderRequest};
use serde_json::{Value, json};

use super::account::follow_mode;
use super::call::Call;
use super::failure::Failure;
use super::instruments::contract_size;
use super::params::Params;
use super::shapes;

type Rows = Result<Vec<Value>, Failure>;

/// In which book a call looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Book {
    Plain,
    Stops,
}

/// The client's own name in a set of parameters. ccxt names stops by the field of plain orders.
fn own_name(params: &Params) -> &str {
    params.text("clOrdId").or_else(|| params.text("algoClOrdId")).unwrap_or_default()
}

/// Does something with every set of parameters; what fails is one row of the answer.
fn each(call: &mut Call<'_>, deed: fn(&mut Call<'_>, &Params) -> Result<Value, Failure>) -> Rows {
    let rows = std::mem::take(&mut call.rows);
    if rows.is_empty() || rows.len() > 20 {
        return Err(Failure::params("orders"));
    }
    let answers =
        rows.iter().map(|params| deed(call, params).unwrap_or_else(|failure| failure.row(own_name(params))));
    Ok(answers.collect())
}

fn accepted(order: &Order) -> Value {
    let own = order.name.map_or_else(String::new, |name| name.to_string());
    let (stop, name) = (shapes::is_stop(order), shapes::name(&order.venue_id));
    let pick = |wanted: bool, text: &str| if wanted { text.to_owned() } else { String::new() };
    json!({
        "ordId": pick(!stop, &name), "clOrdId": pick(!stop, &own), "algoId": pick(stop, &name),
        "algoClOrdId": pick(stop, &own), "sCode": "0", "sMsg": "", "tag": "", "reqId": "",
    })
}

/// Letters and digits, 32 at most.
fn parse_name(text: &str) -> Result<Option<OrderName>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let plain = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = if plain { OrderName::parse(text) } else { None };
    name.map(Some).ok_or_else(|| Failure::new(51_000, "Parameter clOrdId error"))
}

pub(crate) fn place(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| submit(call, params, Book::Plain))
}

pub(crate) fn place_stop(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| submit(call, params, Book::Stops))
}

fn quantity(call: &Call<'_>, params: &Params, name: &str) -> Result<Option<Quantity>, Failure> {
    let Some(contracts) = params.decimal(name)? else { return Ok(None) };
    let size = contract_size(&call.feed_of(params)?.instrument);
    let value = contracts.checked_mul(size).and_then(|value| Quantity::new(value.normalize()).ok());
    value.map(Some).ok_or_else(|| Failure::params(name))
}

fn submit(call: &mut Call<'_>, params: &Params, book: Book) -> Result<Value, Failure> {
    let symbol = call.feed_of(params)?.instrument.symbol;
    if params.text("posSide").is_some_and(|side| side != "net") {
        return Err(Failure::new(51_000, "Parameter posSide error"));
    }
    let side = match params.require("side")? {
        "buy" => Side::Buy,
        "sell" => Side::Sell,
        _ => return Err(Failure::params("side")),
    };
    let order = OrderRequest {
        name: parse_name(own_name(params))?,
        symbol,
        side,
        kind: match book {
            Book::Plain => plain_kind(params)?,
            Book::Stops => stop_kind(call, params, (symbol, side))?,
        },
        quantity: quantity(call, params, "sz")?.ok_or_else(|| Failure::params("sz"))?,
        effect: if params.is_true("reduceOnly") {
            PositionEffect::ReduceOnly
        } else {
            PositionEffect::Increase
        },
    };
    let word = params.require("tdMode")?.to_owned();
    follow_mode(call, &word)?;
    let id = call.state.core.world.exchange.next_order_id();
    let account = call.account;
    call.state.core.world.apply(&Input::Submit { account, order })?;
    let made = call.records()?.orders.get(&id).copied();
    made.as_ref().map(accepted).ok_or_else(Failure::order_not_found)
}

fn plain_kind(params: &Params) -> Result<OrderKind, Failure> {
    let time_in_force = match params.require("ordType")? {
        "market" => return Ok(OrderKind::Market),
        "limit" => TimeInForce::Gtc,
        "post_only" => TimeInForce::PostOnly,
        "ioc" => TimeInForce::Ioc,
        "fok" => TimeInForce::Fok,
        _ => return Err(Failure::params("ordType")),
    };
    Ok(OrderKind::Limit { price: params.price("px")?.ok_or_else(|| Failure::params("px"))?, time_in_force })
}

fn source(word: Option<&str>) -> Result<TriggerSource, Failure> {
    match word {
        None | Some("last") => Ok(TriggerSource::Last),
        Some("mark") => Ok(TriggerSource::Mark),
        Some("index") => Ok(TriggerSource::Index),
        Some(_) => Err(Failure::params("triggerPxType")),
    }
}

/// A stop loss waits on the far side of the position's fortune, a take profit on the near one; a trigger waits from
/// wherever the price is now.
fn stop_kind(call: &Call<'_>, params: &Params, (symbol, side): (Symbol, Side)) -> Result<OrderKind, Failure> {
    use TriggerDirection::{Falls, Rises};
    let against = if side == Side::Sell { Falls } else { Rises };
    let with = if side == Side::Sell { Rises } else { Falls };
    let at_market = |name: &str| match params.text(name) {
        Some("-1") => Ok(()),
        // Stops that become limit orders are not simulated.
        Some(_) | None => Err(Failure::params(name)),
    };
    let from_here = |trigger: Price| match call.state.core.world.exchange.last_price(symbol) {
        Some(last) if trigger < last => Falls,
        _ => Rises,
    };
    let (trigger, direction, by) = match params.require("ordType")? {
        "conditional" => match (params.price("slTriggerPx")?, params.price("tpTriggerPx")?) {
            (Some(trigger), None) => {
                at_market("slOrdPx")?;
                (trigger, against, params.text("slTriggerPxType"))
            }
            (None, Some(trigger)) => {
                at_market("tpOrdPx")?;
                (trigger, with, params.text("tpTriggerPxType"))
            }
            (Some(_), Some(_)) | (None, None) => return Err(Failure::params("slTriggerPx")),
        },
        "trigger" => {
            at_market("orderPx")?;
            let trigger = params.price("triggerPx")?.ok_or_else(|| Failure::params("triggerPx"))?;
            (trigger, from_here(trigger), params.text("triggerPxType"))
        }
        _ => return Err(Failure::params("ordType")),
    };
    Ok(OrderKind::StopMarket { trigger, direction, source: source(by)? })
}

/// One of the account's orders of a book, open or ended.
fn find(call: &Call<'_>, params: &Params, book: Book) -> Result<Option<Order>, Failure> {
    let (id, own) = match book {
        Book::Plain => (params.text("ordId"), params.text("clOrdId")),
        Book::Stops => (params.text("algoId"), params.text("algoClOrdId").or_else(|| params.text("clOrdId"))),
    };
    let symbol = params.symbol()?;
    let is_it = |order: &&Order| {
        let name = match book {
            Book::Plain => shapes::plain_name(order),
            Book::Stops => shapes::is_stop(order).then(|| shapes::name(&order.venue_id)),
        };
        // A stop's own name is not that of the order it becomes.
        let named = book == Book::Stops || !shapes::is_stop(order);
        let by_own = |own: &str| named && order.name.is_some_and(|name| name.to_string() == own);
        symbol.is_none_or(|symbol| order.symbol == symbol)
            && name.is_some_and(|name| id.map_or_else(|| own.is_some_and(by_own), |id| name == id))
    };
    let records = call.records()?;
    Ok(records.sequence.iter().rev().filter_map(|id| records.orders.get(id)).find(is_it).copied())
}

fn open(call: &Call<'_>, params: &Params, book: Book, gone: fn() -> Failure) -> Result<Order, Failure> {
    let order = find(call, params, book)?.filter(|order| !order.status.is_final());
    // A stop that has fired is no stop any more.
    order.filter(|order| book == Book::Plain || !shapes::has_fired(order)).ok_or_else(gone)
}

fn change(call: &mut Call<'_>, params: &Params, book: Book) -> Result<Value, Failure> {
    let order = open(call, params, book, || {
        Failure::new(51_503, "Order modification failed as the order does not exist.")
    })?;
    let mut trigger = None;
    for name in ["newSlTriggerPx", "newTpTriggerPx", "newTriggerPx"] {
        trigger = trigger.or(params.price(name)?);
    }
    let amendment =
        Amendment { quantity: quantity(call, params, "newSz")?, price: params.price("newPx")?, trigger };
    let (account, symbol) = (call.account, order.symbol);
    let order_ref = OrderRef::Venue(order.venue_id);
    call.state.core.world.apply(&Input::Amend { account, symbol, order: order_ref, amendment })?;
    Ok(accepted(&order))
}

pub(crate) fn amend(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| change(call, params, Book::Plain))
}

pub(crate) fn amend_stop(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| change(call, params, Book::Stops))
}

fn end(call: &mut Call<'_>, params: &Params, book: Book) -> Result<Value, Failure> {
    let order = open(call, params, book, Failure::ended)?;
    let (account, symbol) = (call.account, order.symbol);
    let order_ref = OrderRef::Venue(order.venue_id);
    call.state.core.world.apply(&Input::Cancel { account, symbol, order: order_ref })?;
    Ok(accepted(&order))
}

pub(crate) fn cancel(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| end(call, params, Book::Plain))
}

pub(crate) fn cancel_stops(call: &mut Call<'_>) -> Rows {
    each(call, |call, params| end(call, params, Book::Stops))
}

/// 0 switches it off; otherwise 10 to 120 seconds.
pub(crate) fn cancel_all_after(call: &mut Call<'_>) -> Rows {
    let seconds = call.params().number::<i64>("timeOut")?.ok_or_else(|| Failure::params("timeOut"))?;
    let trigger = match seconds {
        0 => {
            call.state.switches.remove(&call.account);
            "0".to_owned()
        }
        10..=120 => {
            let at = call.wall.plus_ms(seconds * 1_000);
            call.state.switches.insert(call.account, at);
            shapes::stamp(at)
        }
        _ => return Err(Failure::params("timeOut")),
    };
    Ok(vec![json!({ "triggerTime": trigger, "tag": "", "ts": shapes::stamp(call.wall) })])
}

pub(crate) fn one(call: &mut Call<'_>) -> Rows {
    let order = find(call, call.params(), Book::Plain)?;
    let shown = order.and_then(|order| call.shown(&order));
    shown.map(|row| vec![row]).ok_or_else(Failure::order_not_found)
}

pub(crate) fn one_stop(call: &mut Call<'_>) -> Rows {
    let order = find(call, call.params(), Book::Stops)?;
    let shown = order.and_then(|order| call.shown_stop(&order));
    shown.map(|row| vec![row]).ok_or_else(Failure::order_not_found)
}

/// The account's orders of the wanted instruments, newest first.
fn orders<'a>(call: &'a Call<'_>) -> Result<impl Iterator<Item = &'a Order>, Failure> {
    let symbols: Vec<Symbol> = call.feeds()?.iter().map(|feed| feed.instrument.symbol).collect();
    let records = call.records()?;
    let all = records.sequence.iter().rev().filter_map(|id| records.orders.get(id));
    Ok(all.filter(move |order| symbols.contains(&order.symbol)))
}

pub(crate) fn pending(call: &mut Call<'_>) -> Rows {
    let rows = orders(call)?.filter(|order| !order.status.is_final()).filter_map(|order| call.shown(order));
    call.page(rows, "ordId", 100)
}

pub(crate) fn history(call: &mut Call<'_>) -> Rows {
    let state = call.params().text("state");
    let rows = orders(call)?.filter(|order| order.status.is_final()).filter_map(|order| call.shown(order));
    call.page(rows.filter(|row| state.is_none_or(|state| row["state"] == state)), "ordId", 100)
}

pub(crate) fn pending_stops(call: &mut Call<'_>) -> Rows {
    let kinds: Vec<&str> = call.params().require("ordType")?.split(',').collect();
    let waiting = orders(call)?.filter(|order| !order.status.is_final() && !shapes::has_fired(order));
    let rows = waiting.filter_map(|order| call.shown_stop(order));
    call.page(rows.filter(|row| kinds.iter().any(|kind| row["ordType"] == *kind)), "algoId", 100)
}

pub(crate) fn fills(call: &mut Call<'_>) -> Rows {
    let params = call.params();
    let symbols: Vec<Symbol> = call.feeds()?.iter().map(|feed| feed.instrument.symbol).collect();
    let order = params.text("ordId");
    let from = params.number::<i64>("begin")?.unwrap_or(i64::MIN);
    let to = params.number::<i64>("end")?.unwrap_or(i64::MAX);
    let records = call.records()?;
    let wanted = records
        .fills
        .iter()
        .filter(|report| symbols.contains(&report.fill.symbol) && (from..=to).contains(&report.fill.at.ms()));
    let rows = wanted.filter_map(|report| {
        let feed = call.state.core.world.feed(report.fill.symbol)?;
        Some(shapes::fill(report, records.orders.get(&report.fill.venue_order_id), &feed.instrument))
    });
    call.page(rows.filter(|row| order.is_none_or(|order| row["ordId"] == order)), "billId", 100)
}
