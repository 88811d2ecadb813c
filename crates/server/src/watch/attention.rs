//! What needs a person, worst first. Pure: it is given everything. Nothing to do means an empty list.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{BotId, ReasonCode, Timestamp};
use keyhold_protocol::uplink::StopPlace;
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, Headline, OpenPosition, VerificationState, Wish};
use serde::Serialize;
use utoipa::ToSchema;

/// Entries shown at most.
const MOST: usize = 20;
/// A key is worth a word when it stops working within this time.
const EXPIRES_SOON_MS: i64 = 14 * DAY_MS;

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Attention {
    /// Documented in `docs/reference/reason-codes.md`.
    pub(crate) code: String,
    pub(crate) text: String,
    /// Path in the dashboard where it can be put right.
    pub(crate) link: String,
}

/// A bot with its state.
pub(crate) struct Watched<'a> {
    pub(crate) bot: &'a Bot,
    pub(crate) status: BotStatus,
}

/// What the list is made from.
pub(crate) struct Situation<'a> {
    pub(crate) bots: &'a [Watched<'a>],
    pub(crate) keys: &'a [&'a ApiKey],
    pub(crate) positions: &'a [&'a OpenPosition],
    pub(crate) headlines: &'a [Headline],
    pub(crate) now: Timestamp,
}

/// How bad it is; the list is ordered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Money is at risk now.
    Danger,
    /// Something does not work.
    Broken,
    /// A limit or the exchange holds a bot back.
    Held,
    /// Something is missing or will be.
    Due,
}

/// Everything that needs a person, worst first.
pub(crate) fn attention(now: &Situation<'_>) -> Vec<Attention> {
    let mut found: Vec<(Weight, Attention)> = Vec::new();
    for watched in now.bots {
        state(now, watched, &mut found);
        if watched.bot.wish != Wish::Stopped && watched.bot.failure.is_none() {
            setup(now, watched.bot, &mut found);
            newest(now, watched.bot, &mut found);
        }
    }
    for key in now.keys {
        key_state(now, key, &mut found);
    }
    found.sort_by_key(|(weight, _)| *weight);
    found.truncate(MOST);
    found.into_iter().map(|(_, attention)| attention).collect()
}

fn entry(code: impl Into<String>, text: String, link: String) -> Attention {
    Attention { code: code.into(), text, link }
}

fn bot_link(bot: BotId) -> String {
    format!("/bots/{bot}")
}

/// Bots that do not run as wished, and what becomes of their positions.
fn state(now: &Situation<'_>, watched: &Watched<'_>, found: &mut Vec<(Weight, Attention)>) {
    let bot = watched.bot;
    let (code, what) = match watched.status {
        BotStatus::Offline => ("BOT_OFFLINE".to_owned(), "has not been heard of for a minute".to_owned()),
        BotStatus::Failed => {
            let (code, text) = bot.failure.clone().unwrap_or_default();
            (code, format!("failed: {}", text.trim_end_matches('.')))
        }
        BotStatus::Deploying
        | BotStatus::Online
        | BotStatus::Paused
        | BotStatus::Stopping
        | BotStatus::Stopped => return,
    };
    let open: Vec<_> = now.positions.iter().filter(|position| position.bot == bot.id).collect();
    let bare = open.iter().filter(|position| position.report.stop_at_venue != StopPlace::Venue).count();
    let text = match (open.len(), bare) {
        (0, _) => format!("{} {what}. It has no open position.", bot.label),
        (all, 0) => {
            format!("{} {what}. Stops of its {all} open position(s) rest at the exchange.", bot.label)
        }
        (all, bare) => {
            format!(
                "{} {what}. {bare} of its {all} open position(s) have no stop at the exchange.",
                bot.label
            )
        }
    };
    let weight = if bare > 0 { Weight::Danger } else { Weight::Broken };
    found.push((weight, entry(code, text, bot_link(bot.id))));
}

/// What a bot lacks to trade.
fn setup(now: &Situation<'_>, bot: &Bot, found: &mut Vec<(Weight, Attention)>) {
    let mut lacks = |code: ReasonCode, what: &str, link: String| {
        let text = format!("{} {what}", bot.label);
        found.push((Weight::Due, entry(code.as_str(), text, link)));
    };
    match &bot.key {
        None => lacks(ReasonCode::NoKey, "has no key.", bot_link(bot.id)),
        Some(assigned) => {
            let key = now.keys.iter().find(|key| key.id == assigned.id);
            if key.is_some_and(|key| key.instruments.is_empty()) {
                let link = format!("/keys/{}", assigned.id);
                lacks(ReasonCode::NoInstrument, "has a key for which no market is chosen.", link);
            }
        }
    }
    if bot.template.is_none() {
        lacks(ReasonCode::NoTemplate, "has no template.", bot_link(bot.id));
    }
}

/// What the newest decision says that only a person can change, once per bot and code.
fn newest(now: &Situation<'_>, bot: &Bot, found: &mut Vec<(Weight, Attention)>) {
    let mut seen = Vec::new();
    for headline in now.headlines.iter().filter(|headline| headline.bot == bot.id) {
        let Ok(code) = headline.code.parse::<ReasonCode>() else { continue };
        let Some((weight, what)) = worth_a_word(code) else { continue };
        if seen.contains(&code) {
            continue;
        }
        seen.push(code);
        let text = format!("{}, {}: {what}", bot.label, headline.symbol);
        found.push((weight, entry(code.as_str(), text, bot_link(bot.id))));
    }
}

const fn worth_a_word(code: ReasonCode) -> Option<(Weight, &'static str)> {
    match code {
        ReasonCode::PositionMismatch => {
            Some((Weight::Danger, "bot and exchange show different positions; nothing new is opened."))
        }
        ReasonCode::PositionExternal => Some((
            Weight::Held,
            "the exchange shows a position that is not the bot's; nothing new is opened.",
        )),
        ReasonCode::LimitDailyLoss => {
            Some((Weight::Held, "the daily loss limit is reached, until 00:00 UTC."))
        }
        ReasonCode::LimitWeeklyLoss => {
            Some((Weight::Held, "the weekly loss limit is reached, until Monday 00:00 UTC."))
        }
        ReasonCode::LimitDrawdown => {
            Some((Weight::Held, "the drawdown limit is reached; the bot waits for you."))
        }
        ReasonCode::LimitOrderErrors => {
            Some((Weight::Held, "too many orders failed; the bot waits for you."))
        }
        ReasonCode::InsufficientBalance => {
            Some((Weight::Due, "the balance does not suffice for the smallest order."))
        }
        _ => None,
    }
}

/// Keys that do not work or soon will not.
fn key_state(now: &Situation<'_>, key: &ApiKey, found: &mut Vec<(Weight, Attention)>) {
    let link = format!("/keys/{}", key.id);
    if key.verification.state == VerificationState::Failed {
        let code = key.verification.code.clone().unwrap_or_else(|| ReasonCode::KeyInvalid.to_string());
        let text = format!("The key {} failed its connection test.", key.label);
        let weight = if key.bot.is_some() { Weight::Broken } else { Weight::Due };
        found.push((weight, entry(code, text, link)));
        return;
    }
    let expires = key.verification.facts.as_ref().and_then(|facts| facts.expires_at);
    let Some(left) = expires.map(|at| at.since_ms(now.now)).filter(|left| *left < EXPIRES_SOON_MS) else {
        return;
    };
    if left <= 0 {
        let text = format!("The key {} has expired.", key.label);
        found.push((Weight::Broken, entry(ReasonCode::KeyExpired.as_str(), text, link)));
    } else {
        let text = format!("The key {} expires in {} day(s).", key.label, left / DAY_MS);
        found.push((Weight::Due, entry("KEY_EXPIRING", text, link)));
    }
}
