//! What the streams say: market data and account channels.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. A topic is the argument of its subscription as
//! text, which every message repeats.

use std::collections::BTreeMap;

use keyhold_domain::{Candle, Decimal, MarginMode, Price, Symbol};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent, FillCause, FillReport, Order};
use serde_json::{Value, json};

use super::market::{self, BARS, bar};
use super::shapes;
use super::socket::{BUSINESS, PRIVATE, PUBLIC};
use super::state::State;
use crate::book::book;
use crate::feed::Feed;
use crate::hub::{Channel, Frame};
use crate::latency::CandleClose;
use crate::world::MarketNews;

/// Levels of a book on the channel `books`.
const DEPTH: usize = 400;
/// Levels that the checksum is made of.
const SUMMED: usize = 25;

/// The levels of one book as they were last sent, and the number of that state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    bids: BTreeMap<Price, Decimal>,
    asks: BTreeMap<Price, Decimal>,
    number: u64,
}

/// What a channel tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Market,
    Account,
}

fn word<'a>(arg: &'a Value, name: &str) -> &'a str {
    arg[name].as_str().unwrap_or_default()
}

/// Whether a channel is there, and of what it tells.
pub(crate) fn kind_of(channel: Channel, arg: &Value) -> Option<Kind> {
    let name = word(arg, "channel");
    let market =
        ["tickers", "mark-price", "funding-rate", "open-interest", "index-tickers", "books", "trades"];
    let swaps = matches!(word(arg, "instType"), "SWAP" | "ANY");
    match name {
        _ if channel == PUBLIC && market.contains(&name) => Some(Kind::Market),
        _ if channel == BUSINESS && name.strip_prefix("candle").is_some_and(|name| bar(name).is_some()) => {
            Some(Kind::Market)
        }
        "orders-algo" if channel == BUSINESS && swaps => Some(Kind::Account),
        "orders" | "positions" if channel == PRIVATE && swaps => Some(Kind::Account),
        "account" if channel == PRIVATE => Some(Kind::Account),
        _ => None,
    }
}

/// The instrument of a market channel, or the one whose index it is.
pub(crate) fn feed_of<'a>(state: &'a State, arg: &Value) -> Option<&'a Feed> {
    let name = word(arg, "instId");
    let symbol: Symbol = match word(arg, "channel") {
        "index-tickers" => format!("{name}-SWAP").parse().ok()?,
        _ => name.parse().ok()?,
    };
    state.core.world.feed(symbol)
}

fn message(arg: &Value, data: &[Value]) -> String {
    json!({ "arg": arg, "data": data }).to_string()
}

/// Sends what a market did to those who listen.
pub(crate) fn publish(state: &mut State, news: &MarketNews) {
    match news {
        MarketNews::Price(symbol) => {
            publish_price(state, *symbol);
            publish_forming(state, *symbol);
        }
        MarketNews::Closed(symbol, candle) => {
            // The last trades of a candle are told before its end.
            publish_price(state, *symbol);
            publish_close(state, *symbol, candle);
        }
    }
}

/// The topics of a channel that somebody listens to and that are about an instrument.
fn topics(state: &State, channel: Channel, symbol: Symbol) -> Vec<(String, Value)> {
    let all = state.core.hub.topics(channel).into_iter();
    let read = all.filter_map(|topic| serde_json::from_str::<Value>(&topic).ok().map(|arg| (topic, arg)));
    let about = |arg: &Value| {
        kind_of(channel, arg) == Some(Kind::Market)
            && feed_of(state, arg).is_some_and(|feed| feed.instrument.symbol == symbol)
    };
    read.filter(|(_, arg)| about(arg)).collect()
}

fn publish_price(state: &mut State, symbol: Symbol) {
    for (topic, arg) in topics(state, PUBLIC, symbol) {
        let text = match word(&arg, "channel") {
            "books" => book_message(state, &topic, &arg, Whole::No),
            "trades" => {
                let Some(feed) = state.core.world.feed(symbol) else { return };
                let rows: Vec<Value> = feed.untold_trades().map(|one| market::trade(feed, one)).collect();
                (!rows.is_empty()).then(|| message(&arg, &rows))
            }
            _ => price_message(state, &arg),
        };
        if let Some(text) = text.filter(|_| !state.core.trouble.is_muted(word(&arg, "channel"))) {
            let core = &mut state.core;
            core.hub.publish(PUBLIC, &topic, &text, &mut core.trouble);
        }
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

fn price_message(state: &State, arg: &Value) -> Option<String> {
    let feed = feed_of(state, arg)?;
    let world = &state.core.world;
    let row = match word(arg, "channel") {
        "tickers" => market::prices(feed, world.now)?,
        "mark-price" => market::mark(feed, world.now)?,
        "index-tickers" => market::index(feed, world.now)?,
        "open-interest" => market::interest(feed, world.now),
        "funding-rate" => {
            market::coming_funding(feed, world.exchange.funding(feed.instrument.symbol), world.now)
        }
        _ => return None,
    };
    Some(message(arg, &[row]))
}

fn publish_forming(state: &mut State, symbol: Symbol) {
    for (topic, arg) in topics(state, BUSINESS, symbol) {
        if let Some(text) =
            forming_message(state, &arg).filter(|_| !state.core.trouble.is_muted(word(&arg, "channel")))
        {
            let core = &mut state.core;
            core.hub.publish(BUSINESS, &topic, &text, &mut core.trouble);
        }
    }
}

fn forming_message(state: &State, arg: &Value) -> Option<String> {
    let feed = feed_of(state, arg)?;
    let candle = feed.forming(bar(word(arg, "channel").strip_prefix("candle")?)?)?;
    Some(message(arg, &[market::candle_row(feed, &candle, "0")]))
}

fn publish_close(state: &mut State, symbol: Symbol, candle: &Candle) {
    let Some(base) = state.core.world.feed(symbol).map(|feed| feed.base) else { return };
    let closed_at = candle.close_time(base);
    for (name, frame) in BARS {
        let open_time = frame.open_of(candle.open_time);
        if open_time.plus_ms(frame.ms()) != closed_at || frame.ms() < base.ms() {
            continue;
        }
        for (topic, arg) in topics(state, BUSINESS, symbol) {
            if word(&arg, "channel").strip_prefix("candle") != Some(name) {
                continue;
            }
            let Some(feed) = state.core.world.feed(symbol) else { return };
            if let Some(whole) = feed.candles(frame, open_time, open_time, 1).pop() {
                let text = message(&arg, &[market::candle_row(feed, &whole, "1")]);
                let closes = Some(CandleClose { symbol, at: closed_at });
                let core = &mut state.core;
                let frame = Frame { text: text.into(), closes };
                core.hub.publish_frame(BUSINESS, &topic, &frame, &mut core.trouble);
            }
        }
    }
}

/// Whether the whole book is wanted or what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

type Side = BTreeMap<Price, Decimal>;

/// What has changed, with zero for levels that are gone.
fn changes(before: &Side, now: &Side) -> Side {
    let mut changed: Side =
        now.iter().filter(|(price, size)| before.get(price) != Some(size)).map(|(p, s)| (*p, *s)).collect();
    changed
        .extend(before.keys().filter(|price| !now.contains_key(price)).map(|price| (*price, Decimal::ZERO)));
    changed
}

/// CRC-32 of the best levels of both sides in turn, as a signed number.
fn checksum(feed: &Feed, bids: &Side, asks: &Side) -> i32 {
    let text =
        |(price, size): (&Price, &Decimal)| format!("{price}:{}", shapes::contracts(&feed.instrument, *size));
    let bids: Vec<String> = bids.iter().rev().take(SUMMED).map(text).collect();
    let asks: Vec<String> = asks.iter().take(SUMMED).map(text).collect();
    let pairs = (0..bids.len().max(asks.len())).flat_map(|row| [bids.get(row), asks.get(row)]);
    let whole: Vec<&str> = pairs.flatten().map(String::as_str).collect();
    let mut sum = flate2::Crc::new();
    sum.update(whole.join(":").as_bytes());
    sum.sum().cast_signed()
}

/// A whole book does not move the state that changes are reckoned from, when others listen to it already.
fn book_message(state: &mut State, topic: &str, arg: &Value, whole: Whole) -> Option<String> {
    let feed = feed_of(state, arg)?;
    let now = shapes::stamp(state.core.world.now);
    let before = state.books.get(topic);
    let others = state.core.hub.listeners(PUBLIC, topic) > 1;
    let (bids, asks) = book(feed, DEPTH);
    let mut next =
        Book { bids: bids.into_iter().collect(), asks: asks.into_iter().collect(), number: feed.updates + 1 };
    let (action, previous, shown) = match before {
        Some(before) if whole == Whole::No => {
            next.number = before.number + 1;
            let number = i64::try_from(before.number).unwrap_or(0);
            ("update", number, (changes(&before.bids, &next.bids), changes(&before.asks, &next.asks)))
        }
        Some(before) if others => {
            next = before.clone();
            ("snapshot", -1, (next.bids.clone(), next.asks.clone()))
        }
        Some(_) | None => ("snapshot", -1, (next.bids.clone(), next.asks.clone())),
    };
    let level = |(price, size): (&Price, &Decimal)| market::level(feed, *price, *size);
    let data = json!([{
        "asks": shown.1.iter().map(level).collect::<Vec<_>>(),
        "bids": shown.0.iter().rev().map(level).collect::<Vec<_>>(), "ts": now,
        "checksum": checksum(feed, &next.bids, &next.asks), "seqId": next.number, "prevSeqId": previous,
    }]);
    state.books.insert(topic.to_owned(), next);
    Some(json!({ "arg": arg, "action": action, "data": data }).to_string())
}

/// The first message of a new subscription, so that a client need not wait for the next move.
pub(crate) fn first_message(state: &mut State, channel: Channel, arg: &Value) -> Option<String> {
    if channel == BUSINESS {
        return forming_message(state, arg);
    }
    match word(arg, "channel") {
        "books" => book_message(state, &arg.to_string(), arg, Whole::Yes),
        // The newest that others have heard of; what comes is told to all.
        "trades" => {
            let feed = feed_of(state, arg)?;
            feed.last_told_trade().map(|one| message(arg, &[market::trade(feed, one)]))
        }
        _ => price_message(state, arg),
    }
}

/// Positions and balances are told whole at first.
pub(crate) fn first_of_account(state: &State, account: AccountId, arg: &Value) -> Option<String> {
    let core = &state.core;
    match word(arg, "channel") {
        "account" => Some(message(arg, &[shapes::balance(core, account, core.world.now).ok()?])),
        "positions" => {
            let rows = core.world.feeds.iter().filter_map(|feed| shapes::position(core, account, feed).ok());
            Some(message(arg, &rows.filter(|row| row["pos"] != "0").collect::<Vec<_>>()))
        }
        _ => None,
    }
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    match event {
        ExchangeEvent::Order(order) => {
            if let Some(row) = stop_row(state, order) {
                tell(state, account, (BUSINESS, "orders-algo"), &row);
            }
            if let Some(row) = order_row(state, order, None) {
                tell(state, account, (PRIVATE, "orders"), &row);
            }
        }
        ExchangeEvent::Fill(_, report) => {
            let records = state.core.world.records.get(&account);
            let order = records.and_then(|records| records.order_at(report));
            let row = match order {
                Some(order) => order_row(state, &order, Some(report)),
                None => liquidation_row(state, account, report),
            };
            if let Some(row) = row {
                tell(state, account, (PRIVATE, "orders"), &row);
            }
        }
        ExchangeEvent::Position(_, position) => {
            let feed = state.core.world.feed(position.symbol);
            if let Some(row) = feed.and_then(|feed| shapes::position(&state.core, account, feed).ok()) {
                tell(state, account, (PRIVATE, "positions"), &row);
            }
        }
        ExchangeEvent::Balance(..) => {
            if let Ok(row) = shapes::balance(&state.core, account, state.core.world.now) {
                tell(state, account, (PRIVATE, "account"), &row);
            }
        }
        // Told by balance and bills; by the fill.
        ExchangeEvent::Funding(..) | ExchangeEvent::Liquidation(..) => {}
    }
}

fn margin(state: &State, account: AccountId, symbol: Symbol) -> Option<(MarginMode, Decimal)> {
    let exchange = &state.core.world.exchange;
    let held = exchange.position_state(account, symbol).ok()?;
    Some((exchange.margin_mode(account).ok()?, held.leverage))
}

fn liquidation_row(state: &State, account: AccountId, report: &FillReport) -> Option<Value> {
    if report.cause != FillCause::Liquidation {
        return None;
    }
    let symbol = report.fill.symbol;
    let feed = state.core.world.feed(symbol)?;
    Some(shapes::liquidation(report, &feed.instrument, margin(state, account, symbol)?))
}

fn order_row(state: &State, order: &Order, fill: Option<&FillReport>) -> Option<Value> {
    shapes::plain_name(order)?;
    let feed = state.core.world.feed(order.symbol)?;
    let margin = margin(state, order.account, order.symbol)?;
    Some(shapes::order(order, &feed.instrument, margin, fill))
}

fn stop_row(state: &State, order: &Order) -> Option<Value> {
    let feed = state.core.world.feed(order.symbol)?;
    shapes::stop(order, &feed.instrument, margin(state, order.account, order.symbol)?)
}

/// Sends a row to every subscription of the account that it fits.
fn tell(state: &mut State, account: AccountId, (channel, name): (Channel, &str), row: &Value) {
    let fits = |arg: &Value| {
        let wanted = word(arg, "instId");
        word(arg, "channel") == name && (wanted.is_empty() || row["instId"] == wanted)
    };
    for topic in state.core.hub.topics(channel) {
        let Ok(arg) = serde_json::from_str::<Value>(&topic) else { continue };
        if fits(&arg) {
            let text = message(&arg, std::slice::from_ref(row));
            let core = &mut state.core;
            core.hub.tell(account, &[&topic], &text, &mut core.trouble);
        }
    }
}
