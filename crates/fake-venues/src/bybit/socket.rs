//! The client's side of a stream: login, subscriptions, pings.

use keyhold_domain::ContractType;
use serde_json::{Value, json};

use super::auth::{self, Access};
use super::state::State;
use super::stream;
use crate::config::AccountConfig;
use crate::hub::Channel;
use crate::protocol::Sender;
use crate::trouble::Service;

/// The account topics; each may be narrowed to a category.
const ACCOUNT_TOPICS: [&str; 4] = ["order", "execution", "position", "wallet"];
/// The most topics of one socket.
const MAX_TOPICS: usize = 1_000;

/// The streams of each category and the account's.
pub(crate) const LINEAR: Channel = Channel("linear");
pub(crate) const INVERSE: Channel = Channel("inverse");
const PRIVATE: Channel = Channel("private");

/// The public stream of a category.
pub(crate) const fn public(kind: ContractType) -> Channel {
    match kind {
        ContractType::Linear => LINEAR,
        ContractType::Inverse => INVERSE,
    }
}

/// The category of a public stream.
fn category_of(channel: Channel) -> Option<ContractType> {
    ContractType::ALL.iter().copied().find(|kind| public(*kind) == channel)
}

/// Which stream a path is.
pub(crate) fn channel_of(path: &str) -> Option<Channel> {
    match path.trim_end_matches('/') {
        "/v5/public/linear" => Some(LINEAR),
        "/v5/public/inverse" => Some(INVERSE),
        "/v5/private" => Some(PRIVATE),
        _ => None,
    }
}

/// Answers one text frame; the answers are in order.
pub(crate) fn answer(
    state: &mut State,
    accounts: &[AccountConfig],
    sender: Sender,
    text: &str,
) -> Vec<String> {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return vec![reply(sender, "", &Value::Null, Err("Params Error".to_owned()))];
    };
    let id = &frame["req_id"];
    let args: Vec<String> = frame["args"]
        .as_array()
        .map(|args| {
            args.iter().map(|arg| arg.as_str().map_or_else(|| arg.to_string(), ToOwned::to_owned)).collect()
        })
        .unwrap_or_default();
    match frame["op"].as_str() {
        Some("ping") => vec![pong(state, sender, id)],
        Some("auth") => vec![reply(sender, "auth", id, login(state, accounts, sender, &args))],
        Some("subscribe") => subscribe(state, sender, id, &args),
        Some("unsubscribe") => {
            if let Some(socket) = state.core.hub.socket(sender.number) {
                for topic in &args {
                    socket.topics.remove(topic);
                }
            }
            vec![reply(sender, "unsubscribe", id, Ok(()))]
        }
        other => {
            let what = format!("unknown op {}", other.unwrap_or(""));
            vec![reply(sender, other.unwrap_or(""), id, Err(what))]
        }
    }
}

fn reply(sender: Sender, op: &str, id: &Value, result: Result<(), String>) -> String {
    let success = result.is_ok();
    let text = result.err().unwrap_or_default();
    let number = format!("fake-{}", sender.number);
    json!({ "success": success, "ret_msg": text, "op": op, "req_id": id, "conn_id": number }).to_string()
}

/// Public streams answer pings as `pong` in `ret_msg`, the private stream as an operation.
fn pong(state: &mut State, sender: Sender, id: &Value) -> String {
    let number = format!("fake-{}", sender.number);
    let private = state.core.hub.socket(sender.number).is_some_and(|socket| socket.channel == PRIVATE);
    if private {
        let now = sender.wall.ms().to_string();
        return json!({ "req_id": id, "op": "pong", "args": [now], "conn_id": number }).to_string();
    }
    json!({ "success": true, "ret_msg": "pong", "conn_id": number, "req_id": id, "op": "ping" }).to_string()
}

fn login(
    state: &mut State,
    accounts: &[AccountConfig],
    sender: Sender,
    args: &[String],
) -> Result<(), String> {
    let [key, expires, signature] = args else { return Err("Params Error".to_owned()) };
    if state.core.trouble.service == Service::Maintenance {
        return Err("Server error.".to_owned());
    }
    let (account, found) = auth::check_login(accounts, [key, expires, signature], sender.wall)
        .map_err(|failure| failure.text)?;
    auth::permit(found, Access::Read, sender.peer, sender.wall).map_err(|failure| failure.text)?;
    let socket = state.core.hub.socket(sender.number).filter(|socket| socket.channel == PRIVATE);
    let socket = socket.ok_or_else(|| "Request not authorized".to_owned())?;
    socket.account = Some(account);
    Ok(())
}

fn subscribe(state: &mut State, sender: Sender, id: &Value, args: &[String]) -> Vec<String> {
    let Some((channel, account)) =
        state.core.hub.socket(sender.number).map(|socket| (socket.channel, socket.account))
    else {
        return Vec::new();
    };
    let refused = |what: String| vec![reply(sender, "subscribe", id, Err(what))];
    for topic in args {
        let is_account_topic = || {
            let (word, category) = topic.split_once('.').unwrap_or((topic, "linear"));
            ACCOUNT_TOPICS.contains(&word) && matches!(category, "linear" | "inverse")
        };
        let kind = category_of(channel);
        if !kind.map_or_else(is_account_topic, |kind| stream::is_topic(state, kind, topic)) {
            return refused(format!("Invalid topic: {topic}"));
        }
    }
    if channel == PRIVATE && account.is_none() {
        return refused("Request not authorized".to_owned());
    }
    if let Some(socket) = state.core.hub.socket(sender.number) {
        if socket.topics.len() + args.len() > MAX_TOPICS {
            return refused("too many topics".to_owned());
        }
        socket.topics.extend(args.iter().cloned());
    }
    let mut answers = vec![reply(sender, "subscribe", id, Ok(()))];
    if let Some(kind) = category_of(channel) {
        answers.extend(args.iter().filter_map(|topic| stream::first_message(state, kind, topic)));
    }
    answers
}
