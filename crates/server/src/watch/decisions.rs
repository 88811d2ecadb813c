//! What a bot has decided and done: decisions, orders, fills, runs and its part of the activity feed, newest first.
//!
//! The views are also what the stream sends when one of them changes ([`super::tell`]).

use keyhold_domain::id::kind;
use keyhold_domain::money::decimal_text;
use keyhold_domain::{
    BotId, Decimal, DeploymentId, OrderPurpose, OrderStatus, Price, ReasonCode, RefusalCode, Side, Symbol,
    TemplateId, Timeframe, Timestamp, VenueOrderId,
};
use keyhold_engine::why::Outcome;
use keyhold_protocol::uplink::{DecisionReport, FillReport, Isolation, OrderOutcome, OrderReport};
use keyhold_store::{DecisionRow, Deployment, FillRow, OrderRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::activity::{self, EventView};
use super::values::{CandleView, FillFacts, OrderAsked};
use crate::api::documents::{Page, PageQuery, page};
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// A decision on one closed candle, also when nothing was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    /// Opening time of the candle.
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = String)]
    symbol: Symbol,
    candle: CandleView,
    #[schema(value_type = shape::Timeframe)]
    timeframe: Timeframe,
    #[schema(value_type = String)]
    template: TemplateId,
    template_version: u32,
    /// What was done, or the first reason why nothing was.
    #[schema(value_type = String)]
    code: ReasonCode,
    /// What kind of outcome that is.
    #[schema(value_type = shape::Outcome)]
    outcome: Outcome,
    /// `buy` or `sell`: the direction of the signals.
    #[schema(value_type = Option<shape::Side>, required)]
    wanted: Option<Side>,
    score: String,
    threshold: String,
    /// Every component's output and everything that stood against an entry, as the engine wrote it.
    #[schema(value_type = serde_json::Value)]
    record: serde_json::Value,
}

impl DecisionView {
    pub(crate) fn new(bot_id: BotId, report: DecisionReport) -> Self {
        Self {
            id: format!("{}-{}", report.symbol, report.candle.open_time.ms()),
            bot_id,
            at: report.candle.open_time,
            symbol: report.symbol,
            candle: report.candle.into(),
            timeframe: report.timeframe,
            template: report.template,
            template_version: report.template_version,
            code: report.code,
            outcome: Outcome::of(report.code),
            wanted: report.wanted,
            score: report.score,
            threshold: report.threshold,
            record: report.record,
        }
    }
}

/// An order and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
    order: OrderAsked,
    #[schema(value_type = Option<String>, required)]
    venue_id: Option<VenueOrderId>,
    /// `open`, `untriggered`, `partially_filled`, `filled`, `canceled` or `rejected`; null while not known.
    #[schema(value_type = Option<shape::OrderStatus>, required)]
    status: Option<OrderStatus>,
    #[schema(value_type = shape::OrderOutcome)]
    outcome: OrderOutcome,
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    filled: Decimal,
    #[schema(value_type = Option<String>, required)]
    average_price: Option<Price>,
    #[schema(value_type = Option<String>, required)]
    refusal: Option<RefusalCode>,
    #[schema(value_type = String)]
    reason: ReasonCode,
    /// Opening time of the candle whose decision caused it.
    #[schema(value_type = Option<i64>, required)]
    decision: Option<Timestamp>,
    #[schema(value_type = i64)]
    decided_at: Timestamp,
    #[schema(value_type = Option<i64>, required)]
    sent_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>, required)]
    acknowledged_at: Option<Timestamp>,
}

impl OrderView {
    pub(crate) fn new(bot_id: BotId, report: &OrderReport, updated_at: Timestamp) -> Self {
        Self {
            id: report.order.client_id.to_string(),
            bot_id,
            at: report.decided_at,
            updated_at,
            order: report.order.into(),
            venue_id: report.venue_id,
            status: report.status,
            outcome: report.outcome,
            filled: report.filled,
            average_price: report.average_price,
            refusal: report.refusal,
            reason: report.reason,
            decision: report.decision,
            decided_at: report.decided_at,
            sent_at: report.sent_at,
            acknowledged_at: report.acknowledged_at,
        }
    }

    pub(crate) fn of(bot_id: BotId, row: &OrderRow) -> Self {
        Self::new(bot_id, &row.report, row.updated_at)
    }
}

/// A part of an order that was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FillView {
    id: String,
    #[schema(value_type = String)]
    bot_id: BotId,
    #[schema(value_type = i64)]
    at: Timestamp,
    fill: FillFacts,
    #[schema(value_type = Option<shape::OrderPurpose>, required)]
    purpose: Option<OrderPurpose>,
    /// The price at the decision, for slippage.
    #[schema(value_type = Option<String>, required)]
    decision_price: Option<Price>,
}

impl FillView {
    pub(crate) fn new(bot_id: BotId, report: &FillReport) -> Self {
        Self {
            id: report.fill.fill_id.to_string(),
            bot_id,
            at: report.fill.at,
            fill: report.fill.into(),
            purpose: report.purpose,
            decision_price: report.decision_price,
        }
    }

    pub(crate) fn of(bot_id: BotId, row: &FillRow) -> Self {
        Self::new(bot_id, &row.report)
    }
}

/// A run of a bot, from deploy to stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentView {
    #[schema(value_type = String)]
    id: DeploymentId,
    /// Its number within the bot.
    epoch: u32,
    #[schema(value_type = i64)]
    requested_at: Timestamp,
    #[schema(value_type = Option<i64>, required)]
    online_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>, required)]
    last_heartbeat_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>, required)]
    stopped_at: Option<Timestamp>,
    #[schema(required)]
    end_reason: Option<String>,
    /// Version of the program.
    #[schema(required)]
    program: Option<String>,
    /// Protections in force: `level` is `full` or `degraded`, the latter with `missing`.
    #[schema(value_type = Option<shape::Isolation>, required)]
    isolation: Option<Isolation>,
    /// Reports stored.
    reports: i64,
}

impl From<Deployment> for DeploymentView {
    fn from(row: Deployment) -> Self {
        let Deployment { id, epoch, requested_at, online_at, last_heartbeat_at, stopped_at, .. } = row;
        let Deployment { end_reason, program, isolation, reports, .. } = row;
        Self {
            id,
            epoch,
            requested_at,
            online_at,
            last_heartbeat_at,
            stopped_at,
            end_reason,
            program,
            isolation,
            reports,
        }
    }
}

/// Decisions, newest first.
#[utoipa::path(get, path = "/bots/{id}/decisions", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Page<DecisionView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn decisions(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DecisionView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.decisions(id, query.symbol()?, &request).await?;
    let place = |row: &DecisionRow| (row.at, row.report.symbol.to_string());
    Ok(Json(page(rows, &request, place, |row| DecisionView::new(id, row.report))))
}

/// Orders, newest first.
#[utoipa::path(get, path = "/bots/{id}/orders", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Page<OrderView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn orders(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<OrderView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.orders(id, &request).await?;
    Ok(Json(page(rows, &request, |row| (row.at, row.id.clone()), |row| OrderView::of(id, &row))))
}

/// Fills, newest first.
#[utoipa::path(get, path = "/bots/{id}/fills", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Page<FillView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn fills(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<FillView>>, Problem> {
    session.workspace.bot(id).await?;
    let request = query.page()?;
    let rows = session.workspace.fills(id, &request).await?;
    Ok(Json(page(rows, &request, |row| (row.at, row.id.clone()), |row| FillView::of(id, &row))))
}

/// The newest 200 runs, newest first.
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

/// The bot's part of the activity feed, newest first.
#[utoipa::path(get, path = "/bots/{id}/events", operation_id = "list_bot_events", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Page<EventView>), (status = 404, body = ProblemDocument)))]
pub(crate) async fn events(
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    session.workspace.bot(id).await?;
    activity::event_page(&session.workspace, Some(id), &query).await.map(Json)
}
