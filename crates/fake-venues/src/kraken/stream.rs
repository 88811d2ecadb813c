//! What the streams say: market feeds and account feeds.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. Candles are not told: this venue has no feed of them,
//! but its prices tell the time at which a candle has closed.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, OrderKind, OrderStatus, Price, RefusalCode, Symbol, Timestamp};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, Order};
use serde_json::{Value, json};

use super::history;
use super::instruments::code;
use super::market::trade_id;
use super::shapes::{self, num};
use super::socket::CHANNEL;
use super::state::State;
use crate::book::book as levels_of;
use crate::feed::{Feed, PublicTrade};
use crate::hub::Frame;
use crate::latency::CandleClose;
use crate::world::MarketNews;

/// Levels per side of the feed.
const DEPTH: usize = 25;

/// The levels of a book as they were last sent, and the number of that state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    levels: BTreeMap<(BookSide, Price), Decimal>,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BookSide {
    Bid,
    Ask,
}

impl BookSide {
    const fn word(self) -> &'static str {
        match self {
            Self::Bid => "buy",
            Self::Ask => "sell",
        }
    }
}

fn levels(feed: &Feed) -> BTreeMap<(BookSide, Price), Decimal> {
    let (bids, asks) = levels_of(feed, DEPTH);
    let bids = bids.into_iter().map(|(price, size)| ((BookSide::Bid, price), size));
    bids.chain(asks.into_iter().map(|(price, size)| ((BookSide::Ask, price), size))).collect()
}

/// Sends what a market did to those who listen.
pub(crate) fn publish(state: &mut State, news: &MarketNews) {
    match news {
        MarketNews::Price(symbol) => {
            let now = state.core.world.now;
            publish_price(state, *symbol, now, None);
        }
        MarketNews::Closed(symbol, candle) => {
            let Some(feed) = state.core.world.feed(*symbol) else { return };
            let at = candle.close_time(feed.base);
            publish_price(state, *symbol, at, Some(CandleClose { symbol: *symbol, at }));
        }
    }
}

fn publish_price(state: &mut State, symbol: Symbol, at: Timestamp, closes: Option<CandleClose>) {
    // Trades and books first: a client that hears the time of a close has heard what came before it.
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let trades: Vec<String> = feed.untold_trades().map(|trade| trade_message(feed, trade, "trade")).collect();
    send(state, &format!("trade:{symbol}"), trades);
    if state.core.hub.listeners(CHANNEL, &format!("book:{symbol}")) > 0 {
        let messages = book_changes(state, symbol, at);
        send(state, &format!("book:{symbol}"), messages);
    }
    for name in ["ticker", "ticker_lite"] {
        let topic = format!("{name}:{symbol}");
        let Some(text) = ticker(state, name, symbol, at).filter(|_| !state.core.trouble.is_muted(&topic))
        else {
            continue;
        };
        let frame = Frame { text: text.into(), closes };
        state.core.hub.publish_frame(CHANNEL, &topic, &frame, &mut state.core.trouble);
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

fn send(state: &mut State, topic: &str, messages: Vec<String>) {
    if state.core.trouble.is_muted(topic) {
        return;
    }
    for message in messages {
        state.core.hub.publish(CHANNEL, topic, &message, &mut state.core.trouble);
    }
}

fn ticker(state: &State, name: &str, symbol: Symbol, at: Timestamp) -> Option<String> {
    let world = &state.core.world;
    let feed = world.feed(symbol)?;
    let (last, day) = (feed.last()?, feed.day()?);
    let (bids, asks) = levels_of(feed, 1);
    let (bid, ask) = (bids.first()?, asks.first()?);
    let (rate, next) = world.exchange.funding(symbol)?;
    let relative = num(rate.get());
    let pair = format!("{}:{}", code(feed.instrument.base), feed.instrument.quote);
    let message = json!({
        "time": at.ms(), "product_id": symbol, "feed": name, "bid": num(bid.0.get()), "ask": num(ask.0.get()),
        "bid_size": num(bid.1), "ask_size": num(ask.1), "volume": num(day.volume), "dtm": 0,
        "leverage": format!("{}x", feed.instrument.max_leverage.normalize()), "index": num(feed.index(at)?.get()),
        "premium": 0.0, "last": num(last.get()), "change": 0.0, "suspended": false, "tag": "perpetual",
        "pair": pair, "openInterest": num(feed.open_interest(at)), "markPrice": num(last.get()),
        "maturityTime": 0, "post_only": false, "volumeQuote": num(day.volume), "open": num(day.open.get()),
        "high": num(day.high.get()), "low": num(day.low.get()), "funding_rate": relative,
        "funding_rate_prediction": relative, "relative_funding_rate": relative,
        "relative_funding_rate_prediction": relative, "next_funding_rate_time": next.ms(),
    });
    Some(message.to_string())
}

fn trade_value(feed: &Feed, trade: &PublicTrade, name: &str) -> Value {
    json!({
        "feed": name, "product_id": feed.instrument.symbol, "uid": trade_id(feed, trade),
        "side": trade.taker.as_str(), "type": "fill", "seq": trade.number, "time": trade.at.ms(),
        "qty": num(trade.size), "price": num(trade.price.get()),
    })
}

fn trade_message(feed: &Feed, trade: &PublicTrade, name: &str) -> String {
    trade_value(feed, trade, name).to_string()
}

/// One message per level that changed, each with the number after the one before it.
fn book_changes(state: &mut State, symbol: Symbol, at: Timestamp) -> Vec<String> {
    let Some(feed) = state.core.world.feed(symbol) else { return Vec::new() };
    let now = levels(feed);
    let book = state.books.entry(symbol).or_default();
    let gone =
        book.levels.keys().filter(|level| !now.contains_key(level)).map(|level| (*level, Decimal::ZERO));
    let new = now.iter().filter(|(level, size)| book.levels.get(level) != Some(size));
    // What is gone goes first, so that the book never crosses.
    let changes: Vec<_> = gone.chain(new.map(|(level, size)| (*level, *size))).collect();
    let mut messages = Vec::with_capacity(changes.len());
    for ((side, price), size) in changes {
        book.number += 1;
        let message = json!({
            "feed": "book", "product_id": symbol, "side": side.word(), "seq": book.number,
            "price": num(price.get()), "qty": num(size), "timestamp": at.ms(),
        });
        messages.push(message.to_string());
    }
    book.levels = now;
    messages
}

/// The first message of a new subscription.
pub(crate) fn first_message(state: &mut State, feed_name: &str, symbol: Symbol) -> Option<String> {
    let now = state.core.world.now;
    match feed_name {
        "ticker" | "ticker_lite" => ticker(state, feed_name, symbol, now),
        "trade" => {
            let feed = state.core.world.feed(symbol)?;
            let told = feed.trades.len() - feed.untold_trades().count();
            let recent = feed.trades.iter().take(told).rev().take(100);
            let rows: Vec<Value> = recent.map(|trade| trade_value(feed, trade, "trade")).collect();
            Some(json!({ "feed": "trade_snapshot", "product_id": symbol, "trades": rows }).to_string())
        }
        "book" => {
            // Changes for all listeners follow the last sent book; a snapshot brings the newcomer to the same state.
            let others = state.core.hub.listeners(CHANNEL, &format!("book:{symbol}")) > 1;
            if !others || !state.books.contains_key(&symbol) {
                let now = levels(state.core.world.feed(symbol)?);
                let book = state.books.entry(symbol).or_default();
                book.number += 1;
                book.levels = now;
            }
            let book = state.books.get(&symbol)?;
            let side = |wanted: BookSide| {
                let mut rows: Vec<Value> = book
                    .levels
                    .iter()
                    .filter(|((side, _), _)| *side == wanted)
                    .map(|((_, price), size)| json!({ "price": num(price.get()), "qty": num(*size) }))
                    .collect();
                if wanted == BookSide::Bid {
                    rows.reverse();
                }
                rows
            };
            let message = json!({
                "feed": "book_snapshot", "product_id": symbol, "timestamp": now.ms(), "seq": book.number,
                "tickSize": null, "bids": side(BookSide::Bid), "asks": side(BookSide::Ask),
            });
            Some(message.to_string())
        }
        _ => None,
    }
}

/// The state of an account feed when somebody begins to listen.
pub(crate) fn snapshot(state: &mut State, account: AccountId, feed: &str) -> Value {
    let now = state.core.world.now.ms();
    let name = account.0.to_string();
    match feed {
        "open_orders" | "open_orders_verbose" => {
            let orders: Vec<Order> = state.core.world.exchange.open_orders(account).copied().collect();
            // From now on what happens to them is news of known orders.
            state.told.extend(orders.iter().map(|order| (order.venue_id, order.filled)));
            let rows: Vec<Value> = orders.iter().map(shapes::feed_order).collect();
            json!({ "feed": format!("{feed}_snapshot"), "account": name, "orders": rows })
        }
        "fills" => {
            let records = state.core.world.records.get(&account);
            let rows: Vec<Value> = records.map_or_else(Vec::new, |records| {
                let recent = records.fills.iter().rev().take(100);
                recent
                    .map(|report| {
                        let order = records.orders.get(&report.fill.venue_order_id);
                        shapes::feed_fill(report, order, order.map_or(Decimal::ZERO, Order::remaining), 0)
                    })
                    .collect()
            });
            json!({ "feed": "fills_snapshot", "account": name, "fills": rows })
        }
        "open_positions" => positions(state, account),
        "account_log" => {
            let records = state.core.world.records.get(&account);
            let paid = records.into_iter().flat_map(|records| records.funding.iter().rev().take(100));
            let rows: Vec<Value> = paid.map(history::funding_row).collect();
            json!({ "feed": "account_log_snapshot", "logs": rows })
        }
        _ => {
            let mut value = balances(state, account);
            value["feed"] = json!("balances_snapshot");
            value["holding"] = json!({});
            value["timestamp"] = json!(now);
            value
        }
    }
}

fn positions(state: &mut State, account: AccountId) -> Value {
    state.sequence += 1;
    let feeds = state.core.world.feeds.iter();
    let rows: Vec<Value> =
        feeds.filter_map(|feed| shapes::feed_position(state, account, feed).ok().flatten()).collect();
    json!({
        "feed": "open_positions", "account": account.0.to_string(), "positions": rows, "seq": state.sequence,
        "timestamp": state.core.world.now.ms(),
    })
}

fn balances(state: &mut State, account: AccountId) -> Value {
    state.sequence += 1;
    json!({
        "feed": "balances", "account": account.0.to_string(),
        "flex_futures": shapes::feed_flex(state, account).unwrap_or_default(),
        "futures": shapes::feed_futures(state, account).unwrap_or_default(),
        "timestamp": state.core.world.now.ms(), "seq": state.sequence,
    })
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    match event {
        ExchangeEvent::Order(order) => tell_order(state, order),
        ExchangeEvent::Fill(_, report) => {
            let id = report.fill.venue_order_id;
            let sum = state.filled.entry(id).or_default();
            *sum += report.fill.quantity.get();
            let sum = *sum;
            state.sequence += 1;
            let records = state.core.world.records.get(&account);
            let order = records.and_then(|records| records.orders.get(&id));
            let left = order.map_or(Decimal::ZERO, |order| order.quantity.get() - sum);
            let row = shapes::feed_fill(report, order, left.max(Decimal::ZERO), state.sequence);
            let text = json!({ "feed": "fills", "username": account.0.to_string(), "fills": [row] });
            tell(state, account, "fills", &text);
        }
        ExchangeEvent::Position(..) => {
            let text = positions(state, account);
            tell(state, account, "open_positions", &text);
        }
        ExchangeEvent::Balance(..) => {
            let text = balances(state, account);
            tell(state, account, "balances", &text);
        }
        // Of the account's log only what no other feed tells.
        ExchangeEvent::Funding(_, payment) => {
            let text = json!({ "feed": "account_log", "new_entry": history::funding_row(payment) });
            tell(state, account, "account_log", &text);
        }
        // Told as a fill already.
        ExchangeEvent::Liquidation(..) => {}
    }
}

fn tell(state: &mut State, account: AccountId, feed: &str, message: &Value) {
    let text = message.to_string();
    state.core.hub.tell(account, &[feed], &text, &mut state.core.trouble);
}

fn tell_orders(state: &mut State, account: AccountId, message: &Value) {
    for feed in ["open_orders", "open_orders_verbose"] {
        let mut message = message.clone();
        message["feed"] = json!(feed);
        tell(state, account, feed, &message);
    }
}

/// News of an order that rests, rested or waits. Orders by market are told by their fills, and by their end when a part
/// was not done.
fn tell_order(state: &mut State, order: &Order) {
    let id = order.venue_id;
    let before = state.told.get(&id).copied();
    let is_stop = matches!(order.kind, OrderKind::StopMarket { .. });
    if order.status.is_final() {
        state.told.remove(&id);
        return tell_end(state, order, before);
    }
    if is_stop && order.status != OrderStatus::Untriggered {
        return tell_trigger(state, order);
    }
    if matches!(order.kind, OrderKind::Market) {
        return;
    }
    let reason = match before {
        None if order.filled.is_zero() => "new_placed_order_by_user",
        Some(filled) if filled == order.filled => "edited_by_user",
        None | Some(_) => "partial_fill",
    };
    state.told.insert(id, order.filled);
    let message = json!({ "order": shapes::feed_order(order), "is_cancel": false, "reason": reason });
    tell_orders(state, order.account, &message);
}

fn tell_trigger(state: &mut State, order: &Order) {
    if state.triggered.insert(order.venue_id) {
        tell_orders(state, order.account, &gone(order, "stop_order_triggered"));
    }
}

fn gone(order: &Order, reason: &str) -> Value {
    let mut message = json!({ "order_id": order.venue_id, "is_cancel": true, "reason": reason });
    if let Some(name) = order.name {
        message["cli_ord_id"] = json!(name.to_string());
    }
    message
}

/// `before`: what was filled when the order was told as open.
fn tell_end(state: &mut State, order: &Order, before: Option<Decimal>) {
    let told = before.is_some() || state.triggered.contains(&order.venue_id);
    let is_stop = matches!(order.kind, OrderKind::StopMarket { .. });
    let given = state.reasons.remove(&order.venue_id);
    let reason = match (order.status, order.refusal) {
        (OrderStatus::Filled, _) if is_stop => return tell_trigger(state, order),
        (OrderStatus::Filled, _) => "full_fill",
        (_, Some(RefusalCode::PostOnlyWouldCross)) => "post_order_failed_because_it_would_be_filled",
        (_, Some(RefusalCode::ReduceOnlyRejected)) => "would_not_reduce_position",
        (_, Some(_)) => "not_enough_margin",
        (_, None) if matches!(order.kind, OrderKind::Market) => "partial_fill",
        (_, None) => given.unwrap_or("cancelled_by_user"),
    };
    let post = reason == "post_order_failed_because_it_would_be_filled";
    // An order that never rested is told of only when nothing else would.
    if !told && !post && order.filled.is_zero() {
        return;
    }
    if !told && order.status == OrderStatus::Filled {
        return;
    }
    if order.status == OrderStatus::Filled || !told {
        let message = json!({ "order": shapes::feed_order(order), "is_cancel": true, "reason": reason });
        if post {
            let mut message = message;
            message["feed"] = json!("open_orders_verbose");
            return tell(state, order.account, "open_orders_verbose", &message);
        }
        return tell_orders(state, order.account, &message);
    }
    tell_orders(state, order.account, &gone(order, reason));
}
