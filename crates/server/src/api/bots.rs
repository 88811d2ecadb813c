//! Making, changing and deleting bots.

use axum::extract::State;
use axum::http::StatusCode;
use keyhold_domain::id::kind;
use keyhold_domain::{KeyId, TemplateId};
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_provision::BotStatus;
use keyhold_store::{BotChange, BotRefusal, Change, NewBot, Wish};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::api::bot_view::{self, BotView};
use crate::api::documents::{engine_problems, label};
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::random;
use crate::shape;

/// A bot to be deployed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBotBody {
    label: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    key_id: Option<KeyId>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    template_id: Option<TemplateId>,
    #[serde(default)]
    #[schema(value_type = Option<shape::Settings>)]
    settings: Option<BotSettings>,
    #[serde(default)]
    start: Start,
}

/// How it begins.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Start {
    /// Trading.
    #[default]
    Running,
    /// Paused.
    Paused,
}

/// What is to change. `null` takes the key or template away; an absent field leaves it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BotChangeBody {
    #[serde(default)]
    label: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    key_id: Change<KeyId>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    template_id: Change<TemplateId>,
    #[serde(default)]
    #[schema(value_type = Option<shape::Settings>)]
    settings: Option<BotSettings>,
}

/// `null` takes away; an absent field never comes here.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Change<T>, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.map_or(Change::Clear, Change::Set))
}

impl From<BotRefusal> for Problem {
    fn from(refusal: BotRefusal) -> Self {
        match refusal {
            BotRefusal::NoBot | BotRefusal::NoKey | BotRefusal::NoTemplate => Self::not_found(),
            BotRefusal::KeyInactive => Self::conflict("KEY_INACTIVE", "The key is switched off.")
                .at("/key_id")
                .next("Switch it on first."),
            BotRefusal::KeyNotVerified => {
                Self::conflict("KEY_NOT_VERIFIED", "The key's connection test has not succeeded.")
                    .at("/key_id")
                    .next("Test the connection and follow what it says.")
            }
            BotRefusal::KeyAssigned { bot } => {
                let detail = match bot {
                    Some((_, label)) => format!("The bot \"{label}\" uses this key. A key serves one bot."),
                    None => "Another bot uses this key. A key serves one bot.".to_owned(),
                };
                Self::conflict("KEY_ASSIGNED", detail).at("/key_id").next("Take it away from that bot first.")
            }
            BotRefusal::LockedByPosition => {
                Self::conflict("KEY_LOCKED_BY_POSITION", "The bot has an open position.")
                    .at("/key_id")
                    .next("Close it first.")
            }
            BotRefusal::Store(error) => error.into(),
        }
    }
}

/// Refuses settings that mean nothing, and writes them as a document.
fn settings(settings: BotSettings) -> Result<serde_json::Value, Problem> {
    let problems = settings.check(None);
    if !problems.is_empty() {
        let detail = "These settings cannot be used.";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "SETTINGS_INVALID", detail);
        return Err(problem.at("/settings").with(engine_problems(&problems)));
    }
    serde_json::to_value(settings).map_err(|_own_type| Problem::internal())
}

/// Careful ones: one percent of the equity at risk, no leverage.
fn default_settings() -> BotSettings {
    let one = keyhold_domain::Decimal::ONE;
    BotSettings::new(Sizing::RiskPerTrade { pct: one }, one)
}

/// A template that has problems opens nothing and is not assigned.
async fn check_template(session: &Session, id: Option<TemplateId>) -> Result<(), Problem> {
    let Some(id) = id else { return Ok(()) };
    let row = session.workspace.template(id).await?;
    keyhold_engine::check::check_template(&row.document).map(drop).map_err(|problems| {
        Problem::conflict("TEMPLATE_INVALID", "The template has problems.")
            .at("/template_id")
            .with(engine_problems(&problems))
    })
}

/// All bots.
#[utoipa::path(get, path = "/bots",
    responses((status = 200, body = Vec<BotView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(State(app): State<Shared>, session: Session) -> Result<Json<Vec<BotView>>, Problem> {
    let positions = session.workspace.open_positions().await?;
    let mut views = Vec::new();
    for bot in session.workspace.bots().await? {
        views.push(bot_view::build(&app, &session.workspace, bot, &positions).await?);
    }
    Ok(Json(views))
}

/// One bot.
#[utoipa::path(get, path = "/bots/{id}", params(("id" = String, Path)),
    responses((status = 200, body = BotView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
) -> Result<Json<BotView>, Problem> {
    bot_view::view(&app, &session.workspace, id).await.map(Json)
}

/// Makes a bot and deploys it.
#[utoipa::path(post, path = "/bots", request_body = NewBotBody,
    responses((status = 201, body = BotView), (status = 409, body = ProblemDocument)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<NewBotBody>,
) -> Result<(StatusCode, Json<BotView>), Problem> {
    check_template(&session, body.template_id).await?;
    let new = NewBot {
        id: random::id(),
        label: label(&body.label, "/label")?,
        region: label(body.region.as_deref().unwrap_or("local"), "/region")?,
        wish: match body.start {
            Start::Running => Wish::Running,
            Start::Paused => Wish::Paused,
        },
        key: body.key_id,
        template: body.template_id,
        settings: settings(body.settings.unwrap_or_else(default_settings))?,
        deployment: random::id(),
        now: app.clock.now(),
    };
    session.workspace.add_bot(&new).await?;
    app.supervisor.wake();
    let view = bot_view::view(&app, &session.workspace, new.id).await?;
    app.live.publish(session.workspace.id(), "bot", &view);
    Ok((StatusCode::CREATED, Json(view)))
}

/// Changes label, key, template or settings, all or nothing.
#[utoipa::path(patch, path = "/bots/{id}", params(("id" = String, Path)), request_body = BotChangeBody,
    responses((status = 200, body = BotView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn change(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(body): Json<BotChangeBody>,
) -> Result<Json<BotView>, Problem> {
    session.workspace.bot(id).await?;
    if let Change::Set(template) = body.template_id {
        check_template(&session, Some(template)).await?;
    }
    let change = BotChange {
        label: body.label.map(|text| label(&text, "/label")).transpose()?,
        key: body.key_id,
        template: body.template_id,
        settings: body.settings.map(settings).transpose()?,
    };
    session.workspace.change_bot(id, &change).await?;
    app.uplinks.changed(session.workspace.id());
    let view = bot_view::view(&app, &session.workspace, id).await?;
    app.live.publish(session.workspace.id(), "bot", &view);
    Ok(Json(view))
}

/// Deletes a bot that is stopped or has failed. Its trades stay.
#[utoipa::path(delete, path = "/bots/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
) -> Result<StatusCode, Problem> {
    let bot = session.workspace.bot(id).await?;
    match bot_view::status_of(&app, &bot, app.clock.now()) {
        BotStatus::Stopped | BotStatus::Failed => {}
        BotStatus::Deploying
        | BotStatus::Online
        | BotStatus::Paused
        | BotStatus::Offline
        | BotStatus::Stopping => {
            return Err(Problem::conflict("BOT_RUNNING", "The bot is not stopped.").next("Stop it first."));
        }
    }
    session.workspace.delete_bot(id).await?;
    app.supervisor.wake();
    app.live.publish(session.workspace.id(), "bot", &serde_json::json!({ "id": id, "deleted": true }));
    Ok(StatusCode::NO_CONTENT)
}
