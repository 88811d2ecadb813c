//! What the public streams say.
//!
//! Builds messages; who gets them is [`crate::hub::Hub`]'s business. Field names: the futures documentation. News of
//! accounts: [`super::told`].

use keyhold_domain::{Candle, ContractType, Rate, Side, Symbol, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::book::{Book, Change};
use super::market::{levels, worth};
use super::shapes::{contracts, number};
use super::socket::{INVERSE, LINEAR_BOOKS, LINEAR_MARKET, Topic, topic_of};
use super::state::State;
use crate::book::book;
use crate::feed::{Feed, PublicTrade};
use crate::hub::{Channel, Frame};
use crate::latency::CandleClose;
use crate::world::MarketNews;

const fn channels(kind: ContractType) -> &'static [Channel] {
    match kind {
        ContractType::Linear => &[LINEAR_BOOKS, LINEAR_MARKET],
        ContractType::Inverse => &[INVERSE],
    }
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
    let Some(change) = book_change(state, symbol) else { return };
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let now = state.core.world.now;
    let mut outgoing: Vec<(Channel, String, String)> = Vec::new();
    for channel in channels(feed.instrument.contract_type) {
        for name in state.core.hub.topics(*channel) {
            let Some((_, topic)) = topic_of(&name).filter(|(of, _)| *of == symbol) else { continue };
            if state.core.trouble.is_muted(&name) {
                continue;
            }
            let rate = state.core.world.exchange.funding(symbol).unwrap_or((Rate::ZERO, Timestamp::EPOCH));
            let messages = match topic {
                Topic::Kline(_) if forming == Forming::Left => vec![],
                Topic::Kline(frame) => feed
                    .forming(frame)
                    .map(|candle| kline(feed, frame, &candle, Confirm::No, now))
                    .into_iter()
                    .collect(),
                Topic::AggTrade | Topic::Trade => {
                    feed.untold_trades().map(|trade| trade_message(feed, topic, trade)).collect()
                }
                Topic::Depth => vec![depth(feed, &change, now)],
                Topic::Mark => mark(feed, rate, now).into_iter().collect(),
                Topic::MiniTicker | Topic::Ticker => day(feed, topic, now).into_iter().collect(),
                Topic::Book => quote(feed, change.last, now).into_iter().collect(),
            };
            outgoing
                .extend(messages.into_iter().map(|message| (*channel, name.clone(), message.to_string())));
        }
    }
    for (channel, name, message) in outgoing {
        state.core.hub.publish(channel, &name, &message, &mut state.core.trouble);
    }
    if let Some(feed) = state.core.world.feeds.iter_mut().find(|feed| feed.instrument.symbol == symbol) {
        feed.trades_told();
    }
}

/// Goes on with an instrument's book; told or not, it is what is asked for over REST from now on.
fn book_change(state: &mut State, symbol: Symbol) -> Option<Change> {
    let feed = state.core.world.feed(symbol)?;
    let book = state.books.entry(symbol).or_insert_with(|| Book::of(feed));
    Some(book.follow(feed))
}

fn publish_close(state: &mut State, symbol: Symbol, candle: &Candle) {
    let Some(feed) = state.core.world.feed(symbol) else { return };
    let base = feed.base;
    let closed_at = candle.close_time(base);
    let mut outgoing = Vec::new();
    for frame in Timeframe::ALL.iter().copied().filter(|frame| frame.ms() >= base.ms()) {
        let open_time = frame.open_of(candle.open_time);
        if open_time.plus_ms(frame.ms()) != closed_at {
            continue;
        }
        if let Some(whole) = feed.candles(frame, open_time, open_time, 1).pop() {
            let name = format!("{}@kline_{frame}", symbol.as_str().to_ascii_lowercase());
            let text = kline(feed, frame, &whole, Confirm::Yes, closed_at).to_string();
            outgoing.push((
                name,
                Frame { text: text.into(), closes: Some(CandleClose { symbol, at: closed_at }) },
            ));
        }
    }
    let channel = match feed.instrument.contract_type {
        ContractType::Linear => LINEAR_MARKET,
        ContractType::Inverse => INVERSE,
    };
    for (name, frame) in outgoing {
        state.core.hub.publish_frame(channel, &name, &frame, &mut state.core.trouble);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirm {
    Yes,
    No,
}

fn kline(feed: &Feed, frame: Timeframe, candle: &Candle, confirm: Confirm, now: Timestamp) -> Value {
    let symbol = feed.instrument.symbol;
    json!({ "e": "kline", "E": now.ms(), "s": symbol, "k": {
        "t": candle.open_time.ms(), "T": candle.close_time(frame).ms() - 1, "s": symbol, "i": frame.as_str(), "f": 1,
        "L": 2, "o": candle.open, "c": candle.close, "h": candle.high, "l": candle.low,
        "v": contracts(candle.volume, &feed.instrument), "n": 1, "x": confirm == Confirm::Yes,
        "q": number(worth(feed, candle)), "V": "0", "Q": "0", "B": "0",
    } })
}

fn trade_message(feed: &Feed, topic: Topic, trade: &PublicTrade) -> Value {
    let size = contracts(trade.size, &feed.instrument);
    // The buyer was the maker when the taker sold.
    let maker = trade.taker == Side::Sell;
    let (symbol, at) = (feed.instrument.symbol, trade.at.ms());
    if topic == Topic::AggTrade {
        return json!({ "e": "aggTrade", "E": at, "a": trade.number, "s": symbol, "p": trade.price, "q": size,
            "f": trade.number, "l": trade.number, "T": at, "m": maker });
    }
    json!({ "e": "trade", "E": at, "T": at, "s": symbol, "t": trade.number, "p": trade.price, "q": size, "X": "MARKET",
        "m": maker })
}

fn depth(feed: &Feed, change: &Change, now: Timestamp) -> Value {
    let rows = |side| levels(side, &feed.instrument);
    json!({ "e": "depthUpdate", "E": now.ms(), "T": now.ms(), "s": feed.instrument.symbol, "U": change.first,
        "u": change.last, "pu": change.previous, "b": rows(&change.bids), "a": rows(&change.asks) })
}

fn mark(feed: &Feed, (rate, next): (Rate, Timestamp), now: Timestamp) -> Option<Value> {
    Some(json!({ "e": "markPriceUpdate", "E": now.ms(), "s": feed.instrument.symbol, "p": feed.last()?,
        "P": feed.last()?, "i": feed.index(now)?, "r": rate.to_string(), "T": next.ms().max(0) }))
}

fn day(feed: &Feed, topic: Topic, now: Timestamp) -> Option<Value> {
    let (last, day) = (feed.last()?, feed.day()?);
    let event = if topic == Topic::Ticker { "24hrTicker" } else { "24hrMiniTicker" };
    Some(
        json!({ "e": event, "E": now.ms(), "s": feed.instrument.symbol, "c": last, "o": day.open, "h": day.high,
        "l": day.low, "v": contracts(day.volume, &feed.instrument), "q": number(worth(feed, &day)), "p": "0", "P": "0",
        "w": last, "Q": "1", "O": day.open_time.ms(), "C": now.ms(), "F": 1, "L": 2, "n": 2 }),
    )
}

fn quote(feed: &Feed, number: i64, now: Timestamp) -> Option<Value> {
    let (bids, asks) = book(feed, 1);
    let ((bid, bid_size), (ask, ask_size)) = (bids.first()?, asks.first()?);
    Some(
        json!({ "e": "bookTicker", "u": number, "E": now.ms(), "T": now.ms(), "s": feed.instrument.symbol, "b": bid,
        "B": contracts(*bid_size, &feed.instrument), "a": ask, "A": contracts(*ask_size, &feed.instrument) }),
    )
}
