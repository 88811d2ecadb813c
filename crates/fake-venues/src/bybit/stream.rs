//! What the streams say: market data topics and account topics.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. Field names: the v5 documentation.

use std::collections::BTreeMap;

use keyhold_domain::{Candle, ContractType, Decimal, Price, Symbol, Timeframe, Timestamp};
use keyhold_simulator::exchange::{AccountId, ExchangeEvent};
use serde_json::{Value, json};

use super::market::{INTERVALS, interval, ticker, trade_id, trade_side, turnover};
use super::shapes::{self, number};
use super::socket::public;
use super::state::State;
use crate::book::book;
use crate::feed::{Feed, PublicTrade};
use crate::hub::{Channel, Frame};
use crate::latency::CandleClose;
use crate::world::MarketNews;

/// The levels of one book topic as they were last sent, and the number of that state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    levels: BTreeMap<(Side, Price), Decimal>,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Bid,
    Ask,
}

const fn channel(feed: &Feed) -> Channel {
    public(feed.instrument.contract_type)
}

/// Sends what a market did to those who listen.
pub(crate) fn publish(state: &mut State, news: &MarketNews) {
    match news {
        MarketNews::Price(symbol) => publish_price(state, *symbol, Forming::Told),
        MarketNews::Closed(symbol, candle) => {
            // The last trades of a candle are told before its end.
            publish_price(state, *symbol, Forming::Left);
            publish_close(state, *symbol, candle);
        }
    }
}

/// Whether the candle that forms is told, too. Right after a close it is the next one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forming {
    Told,
    Left,
}

fn publish_price(state: &mut State, symbol: Symbol, forming: Forming) {
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let channel = channel(feed);
    let suffix = format!(".{symbol}");
    let topics = state.core.hub.topics(channel);
    let now = state.core.world.now;
    for topic in topics.iter().filter(|topic| topic.ends_with(&suffix)) {
        let Some(feed) = state.core.world.feed(symbol) else { return };
        let words: Vec<&str> = topic.split('.').collect();
        let message = match words.as_slice() {
            ["tickers", _] => ticker(feed, state.core.world.exchange.funding(symbol), now)
                .map(|data| envelope(topic, "snapshot", &data, now)),
            ["publicTrade", _] => trade_message(feed, topic, now),
            ["kline", ..] if forming == Forming::Left => None,
            ["kline", name, _] => interval(name)
                .and_then(|frame| feed.forming(frame).map(|candle| (frame, candle)))
                .map(|(frame, candle)| kline_message(feed, topic, (name, frame), &candle, Confirm::No, now)),
            ["orderbook", depth, _] => {
                let depth = depth.parse().unwrap_or(50);
                let (update, book) = book_update(feed, topic, depth, state.books.get(topic), now);
                state.books.insert(topic.clone(), book);
                Some(update)
            }
            _ => None,
        };
        if let Some(message) = message.filter(|_| !state.core.trouble.is_muted(topic)) {
            state.core.hub.publish(channel, topic, &message, &mut state.core.trouble);
        }
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

fn publish_close(state: &mut State, symbol: Symbol, candle: &Candle) {
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let channel = channel(feed);
    let base = feed.base;
    let closed_at = candle.close_time(base);
    for (name, frame) in INTERVALS {
        let topic = format!("kline.{name}.{symbol}");
        let open_time = frame.open_of(candle.open_time);
        let complete = open_time.plus_ms(frame.ms()) == closed_at;
        if !complete || frame.ms() < base.ms() {
            continue;
        }
        let Some(feed) = state.core.world.feed(symbol) else { return };
        if let Some(whole) = feed.candles(frame, open_time, open_time, 1).pop() {
            let message = kline_message(feed, &topic, (name, frame), &whole, Confirm::Yes, closed_at);
            let frame = Frame { text: message.into(), closes: Some(CandleClose { symbol, at: closed_at }) };
            state.core.hub.publish_frame(channel, &topic, &frame, &mut state.core.trouble);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirm {
    Yes,
    No,
}

fn envelope(topic: &str, kind: &str, data: &Value, now: Timestamp) -> String {
    json!({ "topic": topic, "type": kind, "data": data, "ts": now.ms(), "cs": now.ms() }).to_string()
}

fn kline_message(
    feed: &Feed,
    topic: &str,
    (name, frame): (&str, Timeframe),
    candle: &Candle,
    confirm: Confirm,
    now: Timestamp,
) -> String {
    let data = json!([{
        "start": candle.open_time.ms(), "end": candle.close_time(frame).ms() - 1, "interval": name,
        "open": candle.open, "high": candle.high, "low": candle.low, "close": candle.close,
        "volume": number(candle.volume), "turnover": number(turnover(feed, candle)),
        "confirm": confirm == Confirm::Yes, "timestamp": now.ms(),
    }]);
    envelope(topic, "snapshot", &data, now)
}

fn trade_message(feed: &Feed, topic: &str, now: Timestamp) -> Option<String> {
    trades_message(feed, topic, feed.untold_trades(), now)
}

fn trades_message<'a>(
    feed: &Feed,
    topic: &str,
    trades: impl Iterator<Item = &'a PublicTrade>,
    now: Timestamp,
) -> Option<String> {
    let row = |trade: &PublicTrade| {
        json!({
            "T": trade.at.ms(), "s": feed.instrument.symbol, "S": trade_side(trade), "v": number(trade.size),
            "p": trade.price, "L": "PlusTick", "i": trade_id(feed, trade), "BT": false, "RPI": false,
            "seq": trade.number,
        })
    };
    let rows: Vec<Value> = trades.map(row).collect();
    (!rows.is_empty()).then(|| envelope(topic, "snapshot", &Value::Array(rows), now))
}

/// A side's price and the size there.
type Level = ((Side, Price), Decimal);

/// Level 1 always sends snapshots; deeper books send what changed, size 0 for levels that are gone. Every message carries
/// the number after the one before it.
fn book_update(
    feed: &Feed,
    topic: &str,
    depth: usize,
    before: Option<&Book>,
    now: Timestamp,
) -> (String, Book) {
    let (bids, asks) = book(feed, depth);
    let mut levels = BTreeMap::new();
    levels.extend(bids.into_iter().map(|(price, size)| ((Side::Bid, price), size)));
    levels.extend(asks.into_iter().map(|(price, size)| ((Side::Ask, price), size)));
    let number = before.map_or(feed.updates, |book| book.number) + 1;
    let before = before.filter(|_| depth > 1).map(|book| &book.levels);
    let mut changed: Vec<Level> = Vec::new();
    for (level, size) in &levels {
        if before.and_then(|book| book.get(level)) != Some(size) {
            changed.push((*level, *size));
        }
    }
    for level in before.into_iter().flat_map(BTreeMap::keys) {
        if !levels.contains_key(level) {
            changed.push((*level, Decimal::ZERO));
        }
    }
    let kind = if before.is_some() { "delta" } else { "snapshot" };
    (book_message(feed, topic, kind, (&changed, number), now), Book { levels, number })
}

fn book_message(
    feed: &Feed,
    topic: &str,
    kind: &str,
    (changed, number): (&[Level], u64),
    now: Timestamp,
) -> String {
    let side = |wanted: Side| {
        let mut rows: Vec<(Price, Decimal)> = changed
            .iter()
            .filter(|((side, _), _)| *side == wanted)
            .map(|((_, price), size)| (*price, *size))
            .collect();
        if wanted == Side::Bid {
            rows.reverse();
        }
        rows.into_iter().map(|(price, size)| json!([price, shapes::number(size)])).collect::<Vec<_>>()
    };
    let data = json!({
        "s": feed.instrument.symbol, "b": side(Side::Bid), "a": side(Side::Ask), "u": number,
        "seq": number,
    });
    envelope(topic, kind, &data, now)
}

/// The first message of a new subscription, so that a client need not wait for the next move.
pub(crate) fn first_message(state: &mut State, kind: ContractType, topic: &str) -> Option<String> {
    let words: Vec<&str> = topic.split('.').collect();
    let symbol: Symbol = words.last()?.parse().ok()?;
    let now = state.core.world.now;
    let feed = state.core.world.feed(symbol).filter(|feed| feed.instrument.contract_type == kind)?;
    match words.as_slice() {
        ["tickers", _] => ticker(feed, state.core.world.exchange.funding(symbol), now)
            .map(|data| envelope(topic, "snapshot", &data, now)),
        ["kline", name, _] => {
            let frame = interval(name)?;
            let candle = feed.forming(frame)?;
            Some(kline_message(feed, topic, (name, frame), &candle, Confirm::No, now))
        }
        ["orderbook", depth, _] => {
            // Changes for all listeners follow the last sent book; a snapshot brings the newcomer to the same state.
            let others = state.core.hub.listeners(channel(feed), topic) > 1;
            if let Some(book) = state.books.get(topic).filter(|_| others) {
                let levels: Vec<_> = book.levels.iter().map(|(level, size)| (*level, *size)).collect();
                return Some(book_message(feed, topic, "snapshot", (&levels, book.number), now));
            }
            let (message, book) = book_update(feed, topic, depth.parse().ok()?, None, now);
            state.books.insert(topic.to_owned(), book);
            Some(message)
        }
        // The newest that others have heard of; what comes is told to all.
        ["publicTrade", _] => trades_message(feed, topic, feed.last_told_trade().into_iter(), now),
        _ => None,
    }
}

/// Whether a public topic exists in a category.
pub(crate) fn is_topic(state: &State, kind: ContractType, topic: &str) -> bool {
    let words: Vec<&str> = topic.split('.').collect();
    let known = match words.as_slice() {
        ["tickers" | "publicTrade", _] => true,
        ["kline", name, _] => interval(name).is_some(),
        ["orderbook", depth, _] => matches!(*depth, "1" | "50" | "200" | "500" | "1000"),
        _ => false,
    };
    let symbol = words.last().and_then(|name| name.parse::<Symbol>().ok());
    let feed = symbol.and_then(|symbol| state.core.world.feed(symbol));
    known && feed.is_some_and(|feed| feed.instrument.contract_type == kind)
}

/// Tells an account what happened to it.
pub(crate) fn tell_event(state: &mut State, event: &ExchangeEvent) {
    let account = event.account();
    let Some((topic, kind, data)) = account_news(state, account, event) else { return };
    let by_kind = kind.map(|kind| format!("{topic}.{}", kind.as_str()));
    let now = state.core.world.now.ms();
    let id = format!("{}-{now}", account.0);
    let text = json!({ "id": id, "topic": topic, "creationTime": now, "data": [data] }).to_string();
    let topics = [topic, by_kind.as_deref().unwrap_or(topic)];
    state.core.hub.tell(account, &topics, &text, &mut state.core.trouble);
}

type AccountNews = (&'static str, Option<ContractType>, Value);

fn account_news(state: &State, account: AccountId, event: &ExchangeEvent) -> Option<AccountNews> {
    let feed = |symbol: Symbol| state.core.world.feed(symbol);
    match event {
        ExchangeEvent::Order(order) => {
            let instrument = &feed(order.symbol)?.instrument;
            let kind = instrument.contract_type;
            let tag = state.tag(&order.venue_id);
            let data = shapes::order(order, kind, instrument.settle.as_str(), tag);
            Some(("order", Some(kind), data))
        }
        ExchangeEvent::Fill(_, report) => {
            let kind = feed(report.fill.symbol)?.instrument.contract_type;
            let order = state.core.world.records.get(&account)?.orders.get(&report.fill.venue_order_id);
            let data = shapes::execution(report, order, kind, report.fill.price.get());
            Some(("execution", Some(kind), data))
        }
        ExchangeEvent::Funding(_, payment) => {
            let kind = feed(payment.symbol)?.instrument.contract_type;
            Some(("execution", Some(kind), shapes::funding(payment, kind)))
        }
        ExchangeEvent::Position(_, position) => {
            let feed = feed(position.symbol)?;
            let data = shapes::position(state, account, feed).ok()?;
            Some(("position", Some(feed.instrument.contract_type), data))
        }
        ExchangeEvent::Balance(..) => Some(("wallet", None, shapes::wallet(state, account).ok()?)),
        // Told as a fill of type BustTrade already.
        ExchangeEvent::Liquidation(..) => None,
    }
}
