//! Why a bot does or does not trade: the chain of conditions, from the outside in.

use axum::extract::State;
use keyhold_domain::ReasonCode;
use keyhold_domain::id::kind;
use keyhold_provision::BotStatus;
use keyhold_store::{Bot, PageRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::bot_view;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// One condition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhyStep {
    step: &'static str,
    /// `pass`, `block` or `unknown`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    value: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    limit: Option<serde_json::Value>,
}

impl WhyStep {
    fn pass(step: &'static str, text: impl Into<String>) -> Self {
        Self { step, state: "pass", code: None, text: text.into(), value: None, limit: None }
    }

    fn block(step: &'static str, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { step, state: "block", code: Some(code.into()), text: text.into(), value: None, limit: None }
    }

    fn unknown(step: &'static str, text: impl Into<String>) -> Self {
        Self { step, state: "unknown", code: None, text: text.into(), value: None, limit: None }
    }
}

/// The conditions for an entry, in the order in which they are looked at.
#[utoipa::path(get, path = "/bots/{id}/why", params(("id" = String, Path)),
    responses((status = 200, body = Vec<WhyStep>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn why(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
) -> Result<Json<Vec<WhyStep>>, Problem> {
    let store = &session.workspace;
    let bot = store.bot(id).await?;
    let status = bot_view::status_of(&app, &bot, app.clock.now());
    let mut steps = vec![process(&bot, status), wish(status), key(&bot)];
    let instruments = match &bot.key {
        Some(key) => store.key(key.id).await?.instruments.len(),
        None => 0,
    };
    steps.push(match instruments {
        0 => WhyStep::block("instruments", "NO_INSTRUMENT", "No instrument is assigned to the key."),
        count => WhyStep::pass("instruments", format!("{count} instrument(s) are assigned.")),
    });
    steps.push(match &bot.template {
        None => WhyStep::block("template", "NO_TEMPLATE", "No template is assigned."),
        Some((_, name, version)) => WhyStep::pass("template", format!("{name}, version {version}.")),
    });
    steps.extend(last_decision(&session, id).await?);
    Ok(Json(steps))
}

fn process(bot: &Bot, status: BotStatus) -> WhyStep {
    match status {
        BotStatus::Online | BotStatus::Paused => WhyStep::pass("process", "The bot is alive."),
        BotStatus::Deploying
        | BotStatus::Offline
        | BotStatus::Failed
        | BotStatus::Stopping
        | BotStatus::Stopped => {
            let reason = bot_view::standing_reason(bot, status, 0);
            let (code, text) = reason.map_or_else(Default::default, |reason| (reason.code, reason.text));
            WhyStep::block("process", code, text)
        }
    }
}

fn wish(status: BotStatus) -> WhyStep {
    if status == BotStatus::Paused {
        return WhyStep::block(
            "pause",
            "BOT_PAUSED",
            "The bot is paused: exits go on, nothing new is opened.",
        );
    }
    WhyStep::pass("pause", "The bot is not paused.")
}

fn key(bot: &Bot) -> WhyStep {
    match &bot.key {
        None => WhyStep::block("key", "NO_KEY", "No key is assigned."),
        Some(key) if key.active => WhyStep::pass("key", format!("{} ({}) is active.", key.label, key.hint)),
        Some(key) => {
            let text = format!("{} is switched off: exits go on, nothing new is opened.", key.label);
            WhyStep::block("key", "KEY_INACTIVE", text)
        }
    }
}

/// What the newest decision recorded.
async fn last_decision(session: &Session, id: keyhold_domain::BotId) -> Result<Vec<WhyStep>, Problem> {
    let newest = session.workspace.decisions(id, None, &PageRequest::new(1, None)).await?;
    let Some(decision) = newest.into_iter().next() else {
        return Ok(vec![WhyStep::unknown("decision", "No candle has been decided on yet.")]);
    };
    let report = decision.report;
    let about = format!("{} on the candle of {}", report.symbol, report.candle.open_time);
    let mut steps = Vec::new();
    let mut signal = match report.wanted {
        Some(side) => WhyStep::pass("signal", format!("The signals want to {side} {about}.")),
        None => WhyStep::block("signal", "NO_SIGNAL", format!("The signals want nothing: {about}.")),
    };
    signal.value = Some(report.score.clone().into());
    signal.limit = Some(report.threshold.clone().into());
    steps.push(signal);
    let blocks = report.record.get("blocks").and_then(serde_json::Value::as_array);
    for block in blocks.into_iter().flatten() {
        let text = |name: &str| block.get(name).and_then(serde_json::Value::as_str);
        let code = text("code").or_else(|| text("reason")).unwrap_or("UNKNOWN").to_owned();
        let mut step = WhyStep::block("decision", code.clone(), format!("{code}: {about}."));
        step.value = block.get("value").cloned();
        step.limit = block.get("limit").cloned();
        steps.push(step);
    }
    if report.code == ReasonCode::Entered {
        steps.push(WhyStep::pass("decision", format!("The bot entered: {about}.")));
    } else if steps.len() == 1 && report.code != ReasonCode::NoSignal {
        steps.push(WhyStep::block("decision", report.code.as_str(), format!("{}: {about}.", report.code)));
    }
    Ok(steps)
}
