//! The client's side of a stream: challenge, subscriptions.

use keyhold_domain::Symbol;
use keyhold_simulator::exchange::AccountId;
use keyhold_simulator::random::mix;
use serde_json::{Value, json};

use super::auth::{self, Access};
use super::params::named;
use super::state::State;
use super::stream;
use crate::config::{AccountConfig, find_key};
use crate::hub::Channel;
use crate::protocol::Sender;
use crate::trouble::Service;

/// The one stream, public and private feeds together.
pub(crate) const CHANNEL: Channel = Channel("v1");

const PUBLIC_FEEDS: [&str; 4] = ["ticker", "ticker_lite", "trade", "book"];
const ACCOUNT_FEEDS: [&str; 6] =
    ["open_orders", "open_orders_verbose", "fills", "open_positions", "balances", "account_log"];

/// The most topics of one socket.
const MAX_TOPICS: usize = 1_000;

fn error(text: &str) -> Vec<String> {
    vec![json!({ "event": "error", "message": text }).to_string()]
}

/// Answers one text frame; the answers are in order.
pub(crate) fn answer(
    state: &mut State,
    accounts: &[AccountConfig],
    sender: Sender,
    text: &str,
) -> Vec<String> {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return vec![json!({ "event": "alert", "message": "Bad websocket message" }).to_string()];
    };
    let word = |name: &str| frame[name].as_str().unwrap_or_default();
    let feed = word("feed");
    match word("event") {
        "challenge" => challenge(state, accounts, sender, word("api_key")),
        "subscribe" if feed == "heartbeat" => {
            if let Some(socket) = state.core.hub.socket(sender.number) {
                socket.topics.insert("heartbeat".to_owned());
            }
            vec![json!({ "event": "subscribed", "feed": "heartbeat" }).to_string()]
        }
        "subscribe" | "unsubscribe" if PUBLIC_FEEDS.contains(&feed) => public(state, sender, &frame),
        "subscribe" | "unsubscribe" if ACCOUNT_FEEDS.contains(&feed) => {
            private(state, accounts, sender, &frame)
        }
        "subscribe" | "unsubscribe" => error("Invalid feed"),
        "ping" => vec![json!({ "event": "pong" }).to_string()],
        _ => vec![json!({ "event": "alert", "message": "Bad websocket message" }).to_string()],
    }
}

fn challenge(state: &mut State, accounts: &[AccountConfig], sender: Sender, key: &str) -> Vec<String> {
    if state.core.trouble.service == Service::Maintenance || find_key(accounts, key).is_none() {
        return error("Invalid api key");
    }
    // Any text will do that the client could not have known.
    let number = sender.number ^ sender.wall.ms().unsigned_abs();
    let text = format!("{:016x}-{:016x}", mix(number), mix(mix(number)));
    state.challenges.insert(sender.number, text.clone());
    vec![json!({ "event": "challenge", "message": text }).to_string()]
}

fn public(state: &mut State, sender: Sender, frame: &Value) -> Vec<String> {
    let (event, feed) =
        (frame["event"].as_str().unwrap_or_default(), frame["feed"].as_str().unwrap_or_default());
    let names = frame["product_ids"].as_array().cloned().unwrap_or_default();
    let symbols: Option<Vec<Symbol>> = names
        .iter()
        .map(|name| named(name.as_str()?).ok().filter(|symbol| state.core.world.feed(*symbol).is_some()))
        .collect();
    let Some(symbols) = symbols.filter(|symbols| !symbols.is_empty()) else {
        return error("Invalid product id");
    };
    let topics = symbols.iter().map(|symbol| format!("{feed}:{symbol}"));
    let Some(socket) = state.core.hub.socket(sender.number) else { return Vec::new() };
    if event == "unsubscribe" {
        for topic in topics {
            socket.topics.remove(&topic);
        }
        return vec![json!({ "event": "unsubscribed", "feed": feed, "product_ids": symbols }).to_string()];
    }
    if socket.topics.len() + symbols.len() > MAX_TOPICS {
        return error("Too many subscriptions");
    }
    socket.topics.extend(topics);
    let mut answers =
        vec![json!({ "event": "subscribed", "feed": feed, "product_ids": symbols }).to_string()];
    answers.extend(symbols.iter().filter_map(|symbol| stream::first_message(state, feed, *symbol)));
    answers
}

fn private(state: &mut State, accounts: &[AccountConfig], sender: Sender, frame: &Value) -> Vec<String> {
    let word = |name: &str| frame[name].as_str().unwrap_or_default();
    let feed = word("feed");
    let given = word("original_challenge");
    if state.challenges.get(&sender.number).is_none_or(|challenge| challenge != given) {
        return error("Invalid challenge");
    }
    let signed = [word("api_key"), given, word("signed_challenge")];
    let Some((account, key)) = auth::check_challenge(accounts, signed) else {
        return error("Challenge signature is not valid");
    };
    if auth::permit(key, Access::Read, sender.peer, sender.wall).is_err() {
        return error("Unauthenticated api key");
    }
    let Some(socket) = state.core.hub.socket(sender.number) else { return Vec::new() };
    let mut reply = json!({
        "event": "subscribed", "feed": feed, "api_key": word("api_key"), "original_challenge": given,
        "signed_challenge": word("signed_challenge"),
    });
    if word("event") == "unsubscribe" {
        socket.topics.remove(feed);
        reply["event"] = json!("unsubscribed");
        return vec![reply.to_string()];
    }
    socket.account = Some(account);
    socket.topics.insert(feed.to_owned());
    vec![reply.to_string(), snapshot(state, account, feed)]
}

fn snapshot(state: &mut State, account: AccountId, feed: &str) -> String {
    stream::snapshot(state, account, feed).to_string()
}
