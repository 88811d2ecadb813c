//! The client's side of the stream: login, subscriptions, pings.

use serde_json::{Value, json};

use super::auth::{self, Credentials};
use super::failure::Failure;
use super::state::{REALTIME, State};
use super::stream;
use super::units::stamp;
use crate::config::AccountConfig;
use crate::protocol::{Line, Sender};
use crate::trouble::Service;

/// The most topics of one socket.
const MAX_TOPICS: usize = 1_000;

/// Which stream an address is; topics may stand in its query.
pub(crate) fn line_of(path: &str, query: &str) -> Option<Line> {
    if path.trim_end_matches('/') != "/realtime" {
        return None;
    }
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let wanted = pairs.filter(|(name, _)| name == "subscribe").map(|(_, topics)| topics.into_owned());
    // Only market tables can be had so; the account's need a login first.
    let topics = wanted.flat_map(|topics| topics.split(',').map(ToOwned::to_owned).collect::<Vec<_>>());
    let topics = topics.filter(|topic| !stream::is_account_topic(topic)).collect();
    Some(Line { channel: REALTIME, account: None, topics })
}

/// Said to everybody who connects.
pub(crate) fn welcome(sender: Sender) -> String {
    json!({
        "info": "Welcome to the BitMEX Realtime API.", "version": "fake", "timestamp": stamp(sender.wall),
        "docs": "https://www.bitmex.com/app/wsAPI", "limit": { "remaining": 179 },
    })
    .to_string()
}

/// Answers one text frame; the answers are in order.
pub(crate) fn answer(
    state: &mut State,
    accounts: &[AccountConfig],
    sender: Sender,
    text: &str,
) -> Vec<String> {
    if text == "ping" {
        return vec!["pong".to_owned()];
    }
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return vec![refusal(&Failure::new(400, "Unrecognized request. See docs."), &Value::Null)];
    };
    let args: Vec<String> = match &frame["args"] {
        Value::Array(args) => {
            args.iter().map(|arg| arg.as_str().map_or_else(|| arg.to_string(), ToOwned::to_owned)).collect()
        }
        Value::String(one) => vec![one.clone()],
        Value::Number(one) => vec![one.to_string()],
        Value::Null | Value::Bool(_) | Value::Object(_) => vec![],
    };
    match frame["op"].as_str() {
        Some("authKeyExpires") => match login(state, accounts, sender, &args) {
            Ok(()) => vec![json!({ "success": true, "request": frame }).to_string()],
            Err(failure) => vec![refusal(&failure, &frame)],
        },
        Some("subscribe") => args.iter().flat_map(|topic| subscribe(state, sender, topic, &frame)).collect(),
        Some("unsubscribe") => args.iter().map(|topic| unsubscribe(state, sender, topic, &frame)).collect(),
        Some("cancelAllAfter") => vec![switch(state, sender, &args, &frame)],
        Some(_) | None => vec![refusal(&Failure::new(400, "Unrecognized request. See docs."), &frame)],
    }
}

fn refusal(failure: &Failure, request: &Value) -> String {
    json!({ "status": failure.status, "error": failure.text, "meta": {}, "request": request }).to_string()
}

fn login(
    state: &mut State,
    accounts: &[AccountConfig],
    sender: Sender,
    args: &[String],
) -> Result<(), Failure> {
    let [key, expires, signature] = args else {
        return Err(Failure::new(400, "authKeyExpires wants a key, an expiry and a signature"));
    };
    if state.core.trouble.service == Service::Maintenance {
        return Err(Failure::maintenance());
    }
    let credentials = Credentials { key, expires, signature };
    let (account, _) = auth::check_login(accounts, credentials, sender.peer, sender.wall)?;
    if let Some(socket) = state.core.hub.socket(sender.number) {
        socket.account = Some(account);
    }
    Ok(())
}

fn subscribe(state: &mut State, sender: Sender, topic: &str, request: &Value) -> Vec<String> {
    let Some(socket) = state.core.hub.socket(sender.number) else { return Vec::new() };
    let account = socket.account;
    if stream::is_account_topic(topic) && account.is_none() {
        let text = "User requested an account-locked subscription but no authorization was provided.";
        return vec![refusal(&Failure::new(401, text), request)];
    }
    if socket.topics.contains(topic) {
        let text = format!("You are already subscribed to this topic: {topic}");
        return vec![refusal(&Failure::new(400, text), request)];
    }
    if socket.topics.len() >= MAX_TOPICS {
        return vec![refusal(&Failure::new(429, "Too many subscriptions"), request)];
    }
    if !stream::is_topic(state, topic) {
        let table = topic.split(':').next().unwrap_or_default();
        return vec![refusal(
            &Failure::new(400, format!("Unknown or expired symbol or table: {table}")),
            request,
        )];
    }
    if let Some(socket) = state.core.hub.socket(sender.number) {
        socket.topics.insert(topic.to_owned());
    }
    let confirmed = json!({ "success": true, "subscribe": topic, "request": request }).to_string();
    vec![confirmed, stream::partial(state, topic, account)]
}

fn unsubscribe(state: &mut State, sender: Sender, topic: &str, request: &Value) -> String {
    if let Some(socket) = state.core.hub.socket(sender.number) {
        socket.topics.remove(topic);
    }
    json!({ "success": true, "unsubscribe": topic, "request": request }).to_string()
}

/// The dead-man's switch over the stream.
fn switch(state: &mut State, sender: Sender, args: &[String], request: &Value) -> String {
    let account = state.core.hub.socket(sender.number).and_then(|socket| socket.account);
    let timeout: Option<i64> =
        args.first().and_then(|text| text.parse().ok()).filter(|timeout| *timeout >= 0);
    let (Some(account), Some(timeout)) = (account, timeout) else {
        return refusal(&Failure::new(401, "cancelAllAfter wants a login and a timeout"), request);
    };
    let at = sender.wall.plus_ms(timeout);
    state.switch(account, (timeout > 0).then_some(at));
    json!({ "now": stamp(sender.wall), "cancelTime": stamp(at), "request": request }).to_string()
}
