//! The activity feed: what happened to bots and keys, with what it is about.

use keyhold_domain::{BotId, EventId, Symbol, Timestamp};
use keyhold_protocol::uplink::Severity;
use keyhold_store::{EventRow, Labels, WorkspaceStore};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::documents::{Named, Page, PageQuery, page};
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// An entry of the activity feed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    #[schema(value_type = String)]
    id: EventId,
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = shape::Severity)]
    severity: Severity,
    /// Documented in `docs/reference/reason-codes.md`.
    code: String,
    text: String,
    /// Null when it is about no bot or the bot is gone.
    #[schema(required)]
    bot: Option<Named>,
    /// Null when it is about no key or the key is gone.
    #[schema(required)]
    key: Option<Named>,
    #[schema(value_type = Option<String>, required)]
    symbol: Option<Symbol>,
}

impl EventView {
    pub(crate) fn new(row: EventRow, labels: &Labels) -> Self {
        let bot = row.bot.and_then(|id| labels.bots.get(&id).map(|label| Named::new(id, label)));
        let key = row.key.and_then(|id| labels.keys.get(&id).map(|label| Named::new(id, label)));
        let EventRow { id, at, severity, code, text, symbol, .. } = row;
        Self { id, at, severity, code, text, bot, key, symbol }
    }
}

/// A page of the feed, of all or of one bot.
pub(crate) async fn event_page(
    store: &WorkspaceStore,
    bot: Option<BotId>,
    query: &PageQuery,
) -> Result<Page<EventView>, Problem> {
    let request = query.page()?;
    let rows = store.events(bot, &request).await?;
    let labels = store.labels().await?;
    let place = |row: &EventRow| (row.at, row.id.to_string());
    Ok(page(rows, &request, place, |row| EventView::new(row, &labels)))
}

/// The activity feed, newest first.
#[utoipa::path(get, path = "/events", operation_id = "list_events", params(PageQuery),
    responses((status = 200, body = Page<EventView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn events(
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    event_page(&session.workspace, None, &query).await.map(Json)
}
