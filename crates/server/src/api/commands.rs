//! What an owner tells a bot to do. Pausing and resuming are wishes and done when written; flattening and stopping
//! are carried out by the bot, which reports their end.

use axum::extract::State;
use keyhold_domain::id::kind;
use keyhold_domain::{BotId, CommandId, Timestamp};
use keyhold_protocol::uplink::{Command, StopPolicy};
use keyhold_provision::BotStatus;
use keyhold_store::{Bot, CommandRow, NewCommand, Wish};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::bot_view;
use crate::api::sessions::Empty;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::random;
use crate::shape;

/// A command and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandView {
    #[schema(value_type = String)]
    command_id: CommandId,
    #[schema(value_type = String)]
    id: CommandId,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[serde(rename = "type")]
    #[schema(value_type = shape::CommandKind)]
    kind: String,
    #[schema(value_type = shape::CommandStatus)]
    status: &'static str,
    #[schema(required)]
    code: Option<String>,
    #[schema(required)]
    detail: Option<String>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = Option<i64>, required)]
    delivered_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>, required)]
    finished_at: Option<Timestamp>,
}

impl From<CommandRow> for CommandView {
    fn from(row: CommandRow) -> Self {
        Self {
            command_id: row.id,
            id: row.id,
            bot_id: row.bot,
            kind: row.kind,
            status: row.status.as_str(),
            code: row.code,
            detail: row.detail,
            created_at: row.created_at,
            delivered_at: row.delivered_at,
            finished_at: row.finished_at,
        }
    }
}

/// What to do with open positions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBody {
    #[serde(default)]
    positions: Option<Positions>,
}

/// There is no default.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Positions {
    /// Close them first.
    Close,
    /// Leave them, with the stops that rest at their venue.
    Leave,
}

fn status(app: &Shared, bot: &Bot) -> BotStatus {
    bot_view::status_of(app, bot, app.clock.now())
}

/// Refuses what needs a process when there is none.
fn check_runs(app: &Shared, bot: &Bot) -> Result<(), Problem> {
    match status(app, bot) {
        BotStatus::Stopped | BotStatus::Stopping | BotStatus::Failed => {
            Err(Problem::conflict("BOT_NOT_RUNNING", "The bot is not running.").next("Deploy it first."))
        }
        BotStatus::Deploying | BotStatus::Online | BotStatus::Paused | BotStatus::Offline => Ok(()),
    }
}

async fn note(
    app: &Shared,
    session: &Session,
    bot: &Bot,
    kind: &'static str,
    body: Option<Command>,
) -> Result<Json<CommandView>, Problem> {
    let new = NewCommand {
        id: random::id(),
        bot: bot.id,
        deployment: bot.deployment,
        kind,
        body,
        now: app.clock.now(),
    };
    let view = CommandView::from(session.workspace.add_command(&new).await?);
    app.live.publish(session.workspace.id(), "command", &view);
    app.uplinks.changed(session.workspace.id());
    app.supervisor.wake();
    bot_view::publish(app, &session.workspace, bot.id).await;
    Ok(Json(view))
}

/// Opens nothing new from the next decision on; exits go on.
#[utoipa::path(post, path = "/bots/{id}/pause", params(("id" = String, Path)), request_body = Empty,
    responses((status = 200, body = CommandView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn pause(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CommandView>, Problem> {
    let bot = session.workspace.bot(id).await?;
    check_runs(&app, &bot)?;
    session.workspace.set_wish(id, Wish::Paused).await?;
    note(&app, &session, &bot, "pause", None).await
}

/// Allows entries again.
#[utoipa::path(post, path = "/bots/{id}/resume", params(("id" = String, Path)), request_body = Empty,
    responses((status = 200, body = CommandView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn resume(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CommandView>, Problem> {
    let bot = session.workspace.bot(id).await?;
    check_runs(&app, &bot)?;
    session.workspace.set_wish(id, Wish::Running).await?;
    note(&app, &session, &bot, "resume", None).await
}

/// Closes every position at market, cancels every order, and stays paused.
#[utoipa::path(post, path = "/bots/{id}/flatten", params(("id" = String, Path)), request_body = Empty,
    responses((status = 200, body = CommandView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn flatten(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CommandView>, Problem> {
    let bot = session.workspace.bot(id).await?;
    check_runs(&app, &bot)?;
    // Paused first, so that nothing is entered between the closing and its report.
    session.workspace.set_wish(id, Wish::Paused).await?;
    note(&app, &session, &bot, "flatten", Some(Command::Flatten)).await
}

/// Ends the bot's process and removes what it left on the machine. Open positions need a choice.
#[utoipa::path(post, path = "/bots/{id}/stop", params(("id" = String, Path)), request_body = StopBody,
    responses((status = 200, body = CommandView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn stop(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(body): Json<StopBody>,
) -> Result<Json<CommandView>, Problem> {
    let bot = session.workspace.bot(id).await?;
    let open = session.workspace.open_symbols(id).await?;
    let positions = match (body.positions, open.is_empty()) {
        (Some(Positions::Close), _) => StopPolicy::Close,
        (Some(Positions::Leave), _) | (None, true) => StopPolicy::Leave,
        (None, false) => {
            let detail =
                format!("The bot has {} open position(s): say whether to close or leave them.", open.len());
            return Err(Problem::conflict("POSITIONS_CHOICE_REQUIRED", detail).at("/positions"));
        }
    };
    if status(&app, &bot) == BotStatus::Stopped {
        return Err(Problem::conflict("BOT_NOT_RUNNING", "The bot is stopped already."));
    }
    session.workspace.set_wish(id, Wish::Stopped).await?;
    note(&app, &session, &bot, "stop", Some(Command::Stop { positions })).await
}

/// Starts a stopped or failed bot again, with its configuration and history.
#[utoipa::path(post, path = "/bots/{id}/deploy", params(("id" = String, Path)), request_body = Empty,
    responses((status = 200, body = CommandView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn deploy(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Json(Empty {}): Json<Empty>,
) -> Result<Json<CommandView>, Problem> {
    let bot = session.workspace.bot(id).await?;
    match status(&app, &bot) {
        BotStatus::Stopped | BotStatus::Failed => {}
        BotStatus::Deploying
        | BotStatus::Online
        | BotStatus::Paused
        | BotStatus::Offline
        | BotStatus::Stopping => {
            return Err(Problem::conflict("BOT_RUNNING", "The bot is not stopped.").next("Stop it first."));
        }
    }
    session.workspace.deploy_bot(id, random::id(), app.clock.now()).await?;
    let bot = session.workspace.bot(id).await?;
    note(&app, &session, &bot, "deploy", None).await
}

/// The newest commands of a bot.
#[utoipa::path(get, path = "/bots/{id}/commands", params(("id" = String, Path)),
    responses((status = 200, body = Vec<CommandView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn list(
    session: Session,
    PathId(id): PathId<kind::Bot>,
) -> Result<Json<Vec<CommandView>>, Problem> {
    session.workspace.bot(id).await?;
    let rows = session.workspace.commands(id).await?;
    Ok(Json(rows.into_iter().map(CommandView::from).collect()))
}
