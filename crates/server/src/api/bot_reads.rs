//! What a bot has done: decisions, orders, fills, runs, events, and candles to draw them on.

use axum::extract::State;
use keyhold_domain::id::kind;
use keyhold_domain::{BotId, Candle, DeploymentId, Timeframe, Timestamp};
use keyhold_protocol::uplink::{DecisionReport, FillReport, Isolation, OrderReport};
use keyhold_store::{DecisionRow, Deployment, FillRow, OrderRow, PageRequest, TradeFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::dashboard::{EventView, event_page};
use crate::api::documents::{Page, PageQuery, page, query_value};
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::venues::{self, Wanted};

/// A decision on one closed candle.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = i64)]
    at: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    report: DecisionReport,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    report: OrderReport,
}

/// A fill.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FillView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = i64)]
    at: Timestamp,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    report: FillReport,
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentView {
    #[schema(value_type = String)]
    id: DeploymentId,
    epoch: u32,
    #[schema(value_type = i64)]
    requested_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    online_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    last_heartbeat_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    stopped_at: Option<Timestamp>,
    end_reason: Option<String>,
    program: Option<String>,
    #[schema(value_type = Option<Object>)]
    isolation: Option<Isolation>,
    reports: i64,
}

impl DecisionView {
    pub(crate) fn new(bot_id: BotId, row: DecisionRow) -> Self {
        let id = format!("{}-{}", row.report.symbol, row.at.ms());
        Self { id, bot_id, at: row.at, report: row.report }
    }
}

impl OrderView {
    pub(crate) fn new(bot_id: BotId, row: OrderRow) -> Self {
        Self { id: row.id, bot_id, at: row.at, updated_at: row.updated_at, report: row.report }
    }
}

impl FillView {
    pub(crate) fn new(bot_id: BotId, row: FillRow) -> Self {
        Self { id: row.id, bot_id, at: row.at, report: row.report }
    }
}

impl From<Deployment> for DeploymentView {
    fn from(row: Deployment) -> Self {
        Self {
            id: row.id,
            epoch: row.epoch,
            requested_at: row.requested_at,
            online_at: row.online_at,
            last_heartbeat_at: row.last_heartbeat_at,
            stopped_at: row.stopped_at,
            end_reason: row.end_reason,
            program: row.program,
            isolation: row.isolation,
            reports: row.reports,
        }
    }
}

/// Decisions, newest first, also those that did nothing.
#[utoipa::path(get, path = "/bots/{id}/decisions", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemDocument)))]
pub(crate) async fn decisions(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DecisionView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.decisions(id, query.symbol()?, &request).await?;
    let place = |row: &DecisionRow| (row.at, row.report.symbol.to_string());
    Ok(Json(page(rows, &request, place, |row| DecisionView::new(id, row))))
}

/// Orders, newest first.
#[utoipa::path(get, path = "/bots/{id}/orders", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemDocument)))]
pub(crate) async fn orders(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<OrderView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.orders(id, &request).await?;
    Ok(Json(page(rows, &request, |row| (row.at, row.id.clone()), |row| OrderView::new(id, row))))
}

/// Fills, newest first.
#[utoipa::path(get, path = "/bots/{id}/fills", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemDocument)))]
pub(crate) async fn fills(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<FillView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.fills(id, &request).await?;
    Ok(Json(page(rows, &request, |row| (row.at, row.id.clone()), |row| FillView::new(id, row))))
}

/// Runs, newest first.
#[utoipa::path(get, path = "/bots/{id}/deployments", params(("id" = String, Path)),
    responses((status = 200, body = Vec<DeploymentView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn deployments(
    session: Session,
    PathId(id): PathId<kind::Bot>,
) -> Result<Json<Vec<DeploymentView>>, Problem> {
    session.workspace.bot(id).await?;
    let rows = session.workspace.deployments(id).await?;
    Ok(Json(rows.into_iter().map(DeploymentView::from).collect()))
}

/// Events of a bot, newest first.
#[utoipa::path(get, path = "/bots/{id}/events", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Object), (status = 404, body = ProblemDocument)))]
pub(crate) async fn events(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    session.workspace.bot(id).await?;
    event_page(&session, Some(id), &query).await.map(Json)
}

/// Which chart.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ChartQuery {
    /// The instrument; the key's first when absent.
    symbol: Option<String>,
    /// The template's when absent.
    timeframe: Option<String>,
    /// 1 to 1000; 300 when absent.
    limit: Option<u32>,
}

/// Candles with what the bot did on them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Chart {
    #[schema(value_type = Vec<Object>)]
    candles: Vec<Candle>,
    entries: Vec<Mark>,
    exits: Vec<Mark>,
    stop: Option<String>,
    target: Option<String>,
}

/// An entry or exit on the chart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mark {
    #[schema(value_type = i64)]
    at: Timestamp,
    price: String,
    side: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Candles of the venue, with entries, exits and the levels in force.
#[utoipa::path(get, path = "/bots/{id}/candles", params(("id" = String, Path), ChartQuery),
    responses((status = 200, body = Chart), (status = 404, body = ProblemDocument)))]
pub(crate) async fn candles(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<ChartQuery>,
) -> Result<Json<Chart>, Problem> {
    let store = &session.workspace;
    let bot = store.bot(id).await?;
    let empty =
        || Chart { candles: Vec::new(), entries: Vec::new(), exits: Vec::new(), stop: None, target: None };
    let Some(key) = &bot.key else { return Ok(Json(empty())) };
    let wanted = query_value(query.symbol.as_deref(), "?symbol")?;
    let symbol = match wanted {
        Some(symbol) => symbol,
        None => match store.key(key.id).await?.instruments.first() {
            Some(symbol) => *symbol,
            None => return Ok(Json(empty())),
        },
    };
    let timeframe = match (query_value(query.timeframe.as_deref(), "?timeframe")?, &bot.template) {
        (Some(timeframe), _) => timeframe,
        (None, Some((template, _, _))) => store.template(*template).await?.document.timeframe,
        (None, None) => Timeframe::M15,
    };
    let wanted = Wanted {
        exchange: key.exchange,
        environment: key.environment,
        contract_type: key.contract_type,
        symbol,
        timeframe,
        count: query.limit.unwrap_or(300).clamp(1, 1000),
    };
    let candles = match venues::candles(&app, &wanted).await {
        Ok(candles) => candles,
        // While the venue is away the chart shows what the bot itself decided on.
        Err(_away) => decided_candles(&session, id, symbol, timeframe).await?,
    };
    let from = candles.first().map_or(Timestamp::EPOCH, |candle| candle.open_time);
    let filter = TradeFilter { bot: Some(id), symbol: Some(symbol), since: Some(from), environment: None };
    let trades = store.trades(&filter, &PageRequest::new(200, None)).await?;
    let open = store.open_positions().await?;
    let open = open.into_iter().find(|position| position.bot == id && position.report.symbol == symbol);
    let mut entries: Vec<Mark> = Vec::new();
    let mut exits: Vec<Mark> = Vec::new();
    for trade in trades.iter().rev() {
        let report = &trade.report;
        entries.push(mark(report.entered_at, &report.entry_price, report.side.as_str(), None));
        let reason = Some(report.exit_reason.to_string());
        exits.push(mark(report.exited_at, &report.exit_price, report.side.opposite().as_str(), reason));
    }
    let level = |price: Option<keyhold_domain::Price>| price.map(|price| price.to_string());
    let report = open.as_ref().map(|position| &position.report);
    if let Some(report) = report
        && let (Some(at), Some(price), Some(side)) = (report.opened_at, report.entry, report.size.side())
    {
        entries.push(mark(at, &price, side.as_str(), None));
    }
    Ok(Json(Chart {
        candles,
        entries,
        exits,
        stop: report.and_then(|report| level(report.stop)),
        target: report.and_then(|report| level(report.target)),
    }))
}

fn mark(at: Timestamp, price: &impl ToString, side: &str, reason: Option<String>) -> Mark {
    Mark { at, price: price.to_string(), side: side.to_owned(), reason }
}

async fn decided_candles(
    session: &Session,
    id: BotId,
    symbol: keyhold_domain::Symbol,
    timeframe: Timeframe,
) -> Result<Vec<Candle>, Problem> {
    let rows = session.workspace.decisions(id, Some(symbol), &PageRequest::new(500, None)).await?;
    let fitting = rows.into_iter().rev().filter(|row| row.report.timeframe == timeframe);
    Ok(fitting.map(|row| row.report.candle).collect())
}
