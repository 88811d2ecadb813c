//! The client's side of a stream: addresses, listen keys, subscriptions.
//!
//! USD-M has three addresses, `/public`, `/market` and `/private`; COIN-M has one for everything.

use keyhold_domain::{ContractType, Symbol, Timeframe};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::state::{KEY_LIFE_MS, ListenKey, State};
use super::told::topic;
use crate::hub::Channel;
use crate::protocol::{Line, Sender};

/// The most streams of one socket.
const MAX_TOPICS: usize = 1_024;

/// The public streams of the products. Which address of USD-M serves which kind is checked when a stream is asked for.
pub(crate) const LINEAR_BOOKS: Channel = Channel("linear books");
pub(crate) const LINEAR_MARKET: Channel = Channel("linear market");
pub(crate) const INVERSE: Channel = Channel("inverse");
pub(crate) const PRIVATE: Channel = Channel("private");

/// Which stream an address is. What comes after `/ws` is ignored on public streams, as the venue does with names that
/// it does not know.
pub(crate) fn line_of(state: &State, path: &str, query: &str) -> Option<Line> {
    let key = |text: &str| {
        let ((account, product), _) = state.keys.iter().find(|(_, key)| key.text == text)?;
        let topics = vec![topic(*product).to_owned()];
        Some(Line { channel: PRIVATE, account: Some(*account), topics })
    };
    let below = |base: &str| path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if below("/public/ws").is_some() {
        return Some(Line::plain(LINEAR_BOOKS));
    }
    if below("/market/ws").is_some() {
        return Some(Line::plain(LINEAR_MARKET));
    }
    if below("/private/ws").is_some() {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let text = pairs.find(|(name, _)| name == "listenKey").map(|(_, value)| value.into_owned());
        let below = path.rsplit('/').next().unwrap_or_default();
        return key(text.as_deref().unwrap_or(below));
    }
    let rest = below("/ws")?;
    key(rest.trim_start_matches('/')).or(Some(Line::plain(INVERSE)))
}

/// A stream's name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Kline(Timeframe),
    Mark,
    MiniTicker,
    Ticker,
    AggTrade,
    Trade,
    Book,
    Depth,
}

/// The instrument and the kind of a stream such as `btcusdt@kline_1m`.
pub(crate) fn topic_of(name: &str) -> Option<(Symbol, Topic)> {
    let (symbol, kind) = name.split_once('@')?;
    let symbol = symbol.to_ascii_uppercase().parse().ok()?;
    let topic = match kind {
        "markPrice" | "markPrice@1s" => Topic::Mark,
        "miniTicker" => Topic::MiniTicker,
        "ticker" => Topic::Ticker,
        "aggTrade" => Topic::AggTrade,
        "trade" => Topic::Trade,
        "bookTicker" => Topic::Book,
        "depth" | "depth@100ms" | "depth@500ms" => Topic::Depth,
        other => Topic::Kline(other.strip_prefix("kline_")?.parse().ok()?),
    };
    Some((symbol, topic))
}

/// Whether an address serves a kind of stream.
const fn serves(channel: Channel, topic: Topic) -> bool {
    let books = matches!(topic, Topic::Book | Topic::Depth | Topic::Trade);
    match channel.0.as_bytes() {
        b"linear books" => books,
        b"linear market" => !books,
        b"inverse" => true,
        _ => false,
    }
}

/// Answers one text frame.
pub(crate) fn answer(state: &mut State, sender: Sender, text: &str) -> Vec<String> {
    let refused = |id: &Value, code: i64, what: &str| {
        vec![json!({ "error": { "code": code, "msg": what }, "id": id }).to_string()]
    };
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return refused(&Value::Null, 3, "Invalid JSON: expected value");
    };
    let id = frame["id"].clone();
    let names: Vec<String> = frame["params"]
        .as_array()
        .map(|names| names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let listed = |state: &State, channel: Channel, name: &String| {
        let kind = if channel == INVERSE { ContractType::Inverse } else { ContractType::Linear };
        topic_of(name).is_some_and(|(symbol, topic)| {
            let feed = state.core.world.feed(symbol);
            serves(channel, topic) && feed.is_some_and(|feed| feed.instrument.contract_type == kind)
        })
    };
    let Some(channel) = state.core.hub.socket(sender.number).map(|socket| socket.channel) else {
        return Vec::new();
    };
    match frame["method"].as_str() {
        Some("SUBSCRIBE") if names.iter().all(|name| listed(state, channel, name)) => {
            if let Some(socket) = state.core.hub.socket(sender.number) {
                if socket.topics.len() + names.len() > MAX_TOPICS {
                    return refused(&id, 4, "Too many streams");
                }
                socket.topics.extend(names);
            }
            vec![json!({ "result": null, "id": id }).to_string()]
        }
        Some("SUBSCRIBE") => refused(&id, 2, "Invalid request: unknown stream"),
        Some("UNSUBSCRIBE") => {
            if let Some(socket) = state.core.hub.socket(sender.number) {
                for name in &names {
                    socket.topics.remove(name);
                }
            }
            vec![json!({ "result": null, "id": id }).to_string()]
        }
        _ => refused(&id, 2, "Invalid request: unknown method"),
    }
}

/// Makes a listen key, or tells the present one and lets it live on.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn make_key(call: &mut Call<'_>) -> Result<Value, Failure> {
    let until = call.wall.plus_ms(KEY_LIFE_MS);
    let letter = match call.product {
        ContractType::Linear => 'U',
        ContractType::Inverse => 'C',
    };
    // The number tells keys of one instant apart.
    call.state.keys_made += 1;
    let text = format!("fakeListenKey{}{letter}{}x{}", call.account.0, call.state.keys_made, call.wall.ms());
    let key = call.state.keys.entry((call.account, call.product)).or_insert(ListenKey { text, until });
    key.until = until;
    Ok(json!({ "listenKey": key.text }))
}

pub(crate) fn renew_key(call: &mut Call<'_>) -> Result<Value, Failure> {
    let until = call.wall.plus_ms(KEY_LIFE_MS);
    let key = call.state.keys.get_mut(&(call.account, call.product));
    let key = key.ok_or_else(|| Failure::new(-1125, "This listenKey does not exist."))?;
    key.until = until;
    Ok(json!({ "listenKey": key.text }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn end_key(call: &mut Call<'_>) -> Result<Value, Failure> {
    let _ended = call.state.end_key((call.account, call.product));
    Ok(json!({}))
}
