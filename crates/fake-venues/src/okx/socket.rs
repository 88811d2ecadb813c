//! The client's side of a stream: login, subscriptions, pings.

use serde_json::{Value, json};

use super::auth::{self, Access};
use super::failure::Failure;
use super::state::State;
use super::stream;
use crate::config::AccountConfig;
use crate::hub::Channel;
use crate::protocol::Sender;
use crate::trouble::Service;

/// Market data but for candles.
pub(crate) const PUBLIC: Channel = Channel("public");
/// Candles, and stops of accounts.
pub(crate) const BUSINESS: Channel = Channel("business");
/// Orders, positions, balances.
pub(crate) const PRIVATE: Channel = Channel("private");

/// The most topics of one socket.
const MAX_TOPICS: usize = 480;

/// Which stream a path is.
pub(crate) fn channel_of(path: &str) -> Option<Channel> {
    match path.trim_end_matches('/') {
        "/ws/v5/public" => Some(PUBLIC),
        "/ws/v5/business" => Some(BUSINESS),
        "/ws/v5/private" => Some(PRIVATE),
        _ => None,
    }
}

fn error(sender: Sender, failure: &Failure) -> String {
    let number = format!("fake{}", sender.number);
    json!({ "event": "error", "code": failure.code.to_string(), "msg": failure.text, "connId": number })
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
    let wrong = || vec![error(sender, &Failure::new(60_012, format!("Illegal request: {text}")))];
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return wrong() };
    let args = frame["args"].as_array().cloned().unwrap_or_default();
    match frame["op"].as_str() {
        Some("login") => vec![match login(state, accounts, sender, args.first().unwrap_or(&Value::Null)) {
            Ok(()) => json!({ "event": "login", "code": "0", "msg": "", "connId": "fake" }).to_string(),
            Err(failure) => error(sender, &failure),
        }],
        Some("subscribe") => args.iter().flat_map(|arg| subscribe(state, sender, arg)).collect(),
        Some("unsubscribe") => args.iter().map(|arg| unsubscribe(state, sender, arg)).collect(),
        _ => wrong(),
    }
}

fn login(state: &mut State, accounts: &[AccountConfig], sender: Sender, arg: &Value) -> Result<(), Failure> {
    let text = |name: &str| arg[name].as_str().unwrap_or_default();
    if state.core.trouble.service == Service::Maintenance {
        return Err(Failure::new(50_001, "Service temporarily unavailable."));
    }
    let parts = [text("apiKey"), text("passphrase"), text("timestamp"), text("sign")];
    let (account, key) = auth::check_login(accounts, parts, sender.wall)?;
    auth::permit(key, Access::Read, sender.peer, sender.wall).map_err(|failure| match failure.code {
        50_110 => Failure::new(60_022, "The IP is not in the whitelist"),
        _ => failure,
    })?;
    let socket = state.core.hub.socket(sender.number).filter(|socket| socket.channel != PUBLIC);
    let socket = socket.ok_or_else(|| Failure::new(60_009, "Login failed."))?;
    socket.account = Some(account);
    Ok(())
}

fn unsubscribe(state: &mut State, sender: Sender, arg: &Value) -> String {
    if let Some(socket) = state.core.hub.socket(sender.number) {
        socket.topics.remove(&arg.to_string());
    }
    json!({ "event": "unsubscribe", "arg": arg, "connId": "fake" }).to_string()
}

/// The confirmation and, where there is one, the first message.
fn subscribe(state: &mut State, sender: Sender, arg: &Value) -> Vec<String> {
    let Some(socket) = state.core.hub.socket(sender.number) else { return vec![] };
    let (channel, account, count) = (socket.channel, socket.account, socket.topics.len());
    let refused = |code, text: String| vec![error(sender, &Failure::new(code, text))];
    if count >= MAX_TOPICS {
        return refused(60_014, "Requests too frequent".to_owned());
    }
    let first = match stream::kind_of(channel, arg) {
        None => return refused(60_018, format!("Wrong URL or channel:{arg} doesn't exist.")),
        Some(stream::Kind::Account) if account.is_none() => {
            return refused(60_011, "Please log in".to_owned());
        }
        Some(stream::Kind::Account) => None,
        Some(stream::Kind::Market) if stream::feed_of(state, arg).is_none() => {
            return refused(60_018, format!("Wrong URL or channel:{arg} doesn't exist."));
        }
        Some(stream::Kind::Market) => Some(channel),
    };
    if let Some(socket) = state.core.hub.socket(sender.number) {
        socket.topics.insert(arg.to_string());
    }
    let mut answers = vec![json!({ "event": "subscribe", "arg": arg, "connId": "fake" }).to_string()];
    match (first, account) {
        (Some(channel), _) => answers.extend(stream::first_message(state, channel, arg)),
        (None, Some(account)) => answers.extend(stream::first_of_account(state, account, arg)),
        (None, None) => {}
    }
    answers
}
