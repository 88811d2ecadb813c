//! Every condition between a bot and its next entry, in the order in which they are looked at, complete even behind the
//! first one that blocks. Pure: it is given everything. What cannot be known is said to be unknown, never assumed good.
//!
//! The first half is about the bot as it is now; the second, in [`super::verdicts`], reads the newest decision's record.

use keyhold_domain::{ReasonCode, Symbol, Timestamp};
use keyhold_engine::decision::Decision;
use keyhold_engine::session::Calendar;
use keyhold_engine::template::Template;
use keyhold_protocol::uplink::{DecisionReport, Phase};
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, VerificationState, Wish};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::verdicts;

/// A bot decides within this time after a candle closed; later the data counts as stale.
const DECIDES_WITHIN_MS: i64 = 30_000;

/// Whether a condition lets an entry pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepState {
    /// It does.
    Pass,
    /// It does not.
    Block,
    /// Nobody knows yet.
    Unknown,
}

/// A figure: decimal text, or a number of an indicator.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Figure {
    /// Exact.
    Text(String),
    /// A statistic.
    Number(f64),
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct WhyStep {
    /// Which: `process`, `pause`, `key`, `key_test`, `markets`, `template`, `phase`, `data`, `session`, `history`,
    /// `signals`, `direction`, `filter`, `entry_guard`, `risk_gate`, `limits`, `position`, `size`, `other`.
    pub(crate) step: &'static str,
    pub(crate) state: StepState,
    /// Documented in `docs/reference/reason-codes.md`; only where it blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    pub(crate) text: String,
    /// What was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Figure>,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Figure>,
    /// How many candles of the last 24 hours had this code as their first reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) candles_24h: Option<i64>,
}

impl WhyStep {
    fn new(step: &'static str, state: StepState, code: Option<String>, text: String) -> Self {
        Self { step, state, code, text, value: None, limit: None, candles_24h: None }
    }

    pub(crate) fn pass(step: &'static str, text: impl Into<String>) -> Self {
        Self::new(step, StepState::Pass, None, text.into())
    }

    pub(crate) fn block(step: &'static str, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(step, StepState::Block, Some(code.into()), text.into())
    }

    pub(crate) fn reason(step: &'static str, code: ReasonCode, text: impl Into<String>) -> Self {
        Self::block(step, code.as_str(), text)
    }

    pub(crate) fn unknown(step: &'static str, text: impl Into<String>) -> Self {
        Self::new(step, StepState::Unknown, None, text.into())
    }

    pub(crate) fn with(mut self, value: Option<Figure>, limit: Option<Figure>) -> Self {
        self.value = value;
        self.limit = limit;
        self
    }
}

/// What the chain is computed from.
pub(crate) struct Facts<'a> {
    pub(crate) bot: &'a Bot,
    pub(crate) status: BotStatus,
    /// The assigned key.
    pub(crate) key: Option<&'a ApiKey>,
    /// The assigned template.
    pub(crate) template: Option<&'a Template>,
    /// Which of the bot's markets is looked at.
    pub(crate) symbol: Option<Symbol>,
    /// The newest decision in it.
    pub(crate) newest: Option<&'a DecisionReport>,
    /// First reasons of the last 24 hours, by code.
    pub(crate) counts: &'a BTreeMap<String, i64>,
    pub(crate) now: Timestamp,
}

/// The whole chain.
pub(crate) fn chain(facts: &Facts<'_>) -> Vec<WhyStep> {
    let mut steps = vec![
        process(facts),
        pause(facts.bot),
        key(facts.bot),
        key_test(facts.key),
        markets(facts),
        template(facts),
        phase(facts),
        data(facts),
        session(facts),
    ];
    // A record of another version of the engine cannot be read; then nothing is said about what it holds.
    let record = facts.newest.map(|report| serde_json::from_value::<Decision>(report.record.clone()));
    match (facts.newest, record) {
        (Some(report), Some(Ok(decision))) => verdicts::steps(report, &decision, &mut steps),
        (Some(report), Some(Err(_)) | None) => {
            let text = format!("The record of the candle of {} cannot be read.", report.candle.open_time);
            steps.extend(verdicts::STEPS.map(|step| WhyStep::unknown(step, text.clone())));
        }
        (None, _) => {
            let text = "No candle has been decided on yet.";
            steps.extend(verdicts::STEPS.map(|step| WhyStep::unknown(step, text)));
        }
    }
    for step in &mut steps {
        step.candles_24h = step.code.as_ref().and_then(|code| facts.counts.get(code).copied());
    }
    steps
}

/// Whole seconds, minutes, hours or days.
pub(crate) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn process(facts: &Facts<'_>) -> WhyStep {
    let heard = facts.bot.last_heartbeat_at.map(|at| span(facts.now.since_ms(at)));
    let beat = match &heard {
        Some(ago) => format!("The last heartbeat was {ago} ago."),
        None => "There was no heartbeat yet.".to_owned(),
    };
    match facts.status {
        BotStatus::Online | BotStatus::Paused => WhyStep::pass("process", beat),
        BotStatus::Deploying => {
            WhyStep::reason("process", ReasonCode::BotDeploying, "The bot's process is being started.")
        }
        BotStatus::Offline => WhyStep::reason("process", ReasonCode::BotOffline, beat),
        BotStatus::Failed => {
            let (code, text) = facts
                .bot
                .failure
                .clone()
                .unwrap_or_else(|| (ReasonCode::BotFailed.to_string(), "The bot has failed.".to_owned()));
            WhyStep::block("process", code, text)
        }
        BotStatus::Stopping => WhyStep::block("process", "BOT_STOPPED", "The bot is winding down."),
        BotStatus::Stopped => {
            WhyStep::block("process", "BOT_STOPPED", "The bot is stopped. Deploy it to trade again.")
        }
    }
}

fn pause(bot: &Bot) -> WhyStep {
    match bot.wish {
        Wish::Running => WhyStep::pass("pause", "The bot is not paused."),
        Wish::Paused => {
            let text = "The bot is paused: it manages open positions and opens nothing new.";
            WhyStep::reason("pause", ReasonCode::BotPaused, text)
        }
        Wish::Stopped => WhyStep::unknown("pause", "Nothing is decided while the bot is stopped."),
    }
}

fn key(bot: &Bot) -> WhyStep {
    match &bot.key {
        None => WhyStep::reason("key", ReasonCode::NoKey, "No key is assigned."),
        Some(key) if key.active => WhyStep::pass("key", format!("{} ({}) is active.", key.label, key.hint)),
        Some(key) => {
            let text = format!("{} is switched off: exits still run, nothing new is opened.", key.label);
            WhyStep::reason("key", ReasonCode::KeyInactive, text)
        }
    }
}

fn key_test(key: Option<&ApiKey>) -> WhyStep {
    let Some(key) = key else { return WhyStep::unknown("key_test", "There is no key to test.") };
    let found = &key.verification;
    match found.state {
        VerificationState::Ok => {
            let when = found.checked_at.map_or_else(|| "earlier".to_owned(), |at| format!("at {at}"));
            WhyStep::pass("key_test", format!("The connection test succeeded {when}."))
        }
        VerificationState::Failed => {
            let code = found.code.clone().unwrap_or_else(|| ReasonCode::KeyInvalid.to_string());
            WhyStep::block("key_test", code, "The connection test failed; the key's page says at which step.")
        }
        VerificationState::Testing => WhyStep::unknown("key_test", "The connection is being tested."),
        VerificationState::Unverified => {
            WhyStep::unknown("key_test", "The connection has never been tested.")
        }
    }
}

fn markets(facts: &Facts<'_>) -> WhyStep {
    let Some(key) = facts.key else {
        return WhyStep::unknown("markets", "Markets are chosen for a key, and there is none.");
    };
    let names: Vec<&str> = key.instruments.iter().map(Symbol::as_str).collect();
    match facts.symbol {
        None => WhyStep::reason("markets", ReasonCode::NoInstrument, "No market is chosen for the key."),
        Some(symbol) if key.instruments.contains(&symbol) => {
            WhyStep::pass("markets", format!("{symbol}, of {}.", names.join(", ")))
        }
        Some(symbol) => {
            let text = format!("{symbol} is not among the markets chosen for the key.");
            WhyStep::reason("markets", ReasonCode::NoInstrument, text)
        }
    }
}

fn template(facts: &Facts<'_>) -> WhyStep {
    let Some((_, name, version)) = &facts.bot.template else {
        return WhyStep::reason("template", ReasonCode::NoTemplate, "No template is assigned.");
    };
    let now = format!("{name}, version {version}");
    match facts.newest.map(|report| report.template_version) {
        Some(decided) if decided != *version => {
            let text = format!("{now}. The newest decision was made with version {decided}.");
            WhyStep::pass("template", text)
        }
        Some(_) | None => WhyStep::pass("template", format!("{now}.")),
    }
}

/// What the process says it is doing.
fn phase(facts: &Facts<'_>) -> WhyStep {
    match facts.status {
        BotStatus::Online | BotStatus::Paused => {}
        BotStatus::Deploying
        | BotStatus::Offline
        | BotStatus::Failed
        | BotStatus::Stopping
        | BotStatus::Stopped => return WhyStep::unknown("phase", "The bot does not say what it is doing."),
    }
    match facts.bot.phase {
        None => WhyStep::unknown("phase", "The bot has not said yet what it is doing."),
        Some(Phase::Online) => WhyStep::pass("phase", "The bot trades."),
        Some(Phase::Idle) => WhyStep::unknown("phase", "The bot waits for a key and a template."),
        Some(Phase::Connecting) => WhyStep::unknown("phase", "The bot is connecting to the exchange."),
        Some(Phase::Reconciling) => {
            let text = "The bot compares its books with the exchange before it opens anything.";
            WhyStep::reason("phase", ReasonCode::Reconciling, text)
        }
        Some(Phase::WarmingUp) => {
            WhyStep::reason("phase", ReasonCode::WarmingUp, "The bot is loading history.")
        }
        Some(Phase::ExitsOnly) => exits_only(facts.bot),
        Some(Phase::Stopping) => WhyStep::block("phase", "BOT_STOPPED", "The bot is winding down."),
    }
}

/// Whether the owner holds entries back, or the bot does by itself.
fn exits_only(bot: &Bot) -> WhyStep {
    let switched_off = bot.key.as_ref().is_some_and(|key| !key.active);
    match bot.wish {
        Wish::Running if !switched_off => {
            let text = "The bot holds entries back by itself; its activity says why.";
            WhyStep::reason("phase", ReasonCode::BotPaused, text)
        }
        Wish::Running | Wish::Paused | Wish::Stopped => {
            WhyStep::pass("phase", "The bot manages open positions, as you wished.")
        }
    }
}

/// Whether decisions keep up with the market. Only bots that record every candle let it be seen.
fn data(facts: &Facts<'_>) -> WhyStep {
    let Some(newest) = facts.newest else {
        return WhyStep::unknown("data", "No candle has been decided on yet.");
    };
    let recording = facts.bot.settings.get("recording").and_then(serde_json::Value::as_str);
    let open = newest.candle.open_time;
    let closed = newest.candle.close_time(newest.timeframe);
    let age = facts.now.since_ms(closed);
    let text = format!("The newest candle decided on opened at {open} and closed {} ago.", span(age));
    if recording.is_some_and(|word| word != "everything") {
        return WhyStep::unknown("data", format!("{text} The bot does not record every candle."));
    }
    if age > newest.timeframe.ms() + DECIDES_WITHIN_MS {
        return WhyStep::reason("data", ReasonCode::StaleData, text);
    }
    WhyStep::pass("data", text)
}

/// Whether now is inside the template's trading sessions.
fn session(facts: &Facts<'_>) -> WhyStep {
    let Some(template) = facts.template else {
        return WhyStep::unknown("session", "Sessions belong to a template, and there is none.");
    };
    let Ok(calendar) = Calendar::compile(&template.sessions) else {
        return WhyStep::unknown("session", "The template's sessions cannot be read.");
    };
    let now = facts.now;
    if template.sessions.is_empty() {
        return WhyStep::pass("session", "The template trades around the clock.");
    }
    if calendar.is_open(now) {
        let text = match calendar.end_of(now) {
            Some(end) => format!("Open until {end}, for {}.", span(end.since_ms(now))),
            None => "Open, without an end.".to_owned(),
        };
        return WhyStep::pass("session", text);
    }
    let opens = calendar.next_open(now);
    let text = format!("Closed. Opens at {opens}, in {}.", span(opens.since_ms(now)));
    WhyStep::reason("session", ReasonCode::OutsideSession, text)
}
