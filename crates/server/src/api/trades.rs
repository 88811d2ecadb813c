//! Completed round trips.

use keyhold_domain::id::kind;
use keyhold_domain::{BotId, TradeId};
use keyhold_protocol::uplink::TradeReport;
use keyhold_store::{TradeFilter, TradeRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::bot_reads::{DecisionView, FillView, OrderView};
use crate::api::documents::{Named, Page, PageQuery, page, query_value};
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;

/// A completed round trip.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeView {
    #[schema(value_type = String)]
    id: TradeId,
    #[schema(value_type = String)]
    bot_id: BotId,
    bot: Named,
    environment: String,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    report: Flat,
}

/// The report without its id, which stands above.
#[derive(Debug)]
struct Flat(TradeReport);

impl Serialize for Flat {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serde_json::to_value(&self.0).map_err(serde::ser::Error::custom)?;
        if let Some(members) = document.as_object_mut() {
            members.remove("id");
        }
        document.serialize(serializer)
    }
}

impl From<TradeRow> for TradeView {
    fn from(row: TradeRow) -> Self {
        Self {
            id: row.id,
            bot_id: row.bot,
            bot: Named::new(row.bot, row.bot_label),
            environment: row.environment,
            report: Flat(row.report),
        }
    }
}

/// A trade with everything that led to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeDetail {
    #[serde(flatten)]
    trade: TradeView,
    orders: Vec<OrderView>,
    fills: Vec<FillView>,
    decision: Option<DecisionView>,
}

/// Which trades.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct TradeQuery {
    bot_id: Option<String>,
    symbol: Option<String>,
    /// `live`, `testnet` or `simulated`.
    environment: Option<String>,
    /// 1 to 500; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
}

/// Trades, newest first.
#[utoipa::path(get, path = "/trades", params(TradeQuery),
    responses((status = 200, body = Object), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(
    session: Session,
    Query(query): Query<TradeQuery>,
) -> Result<Json<Page<TradeView>>, Problem> {
    let filter = TradeFilter {
        bot: query_value(query.bot_id.as_deref(), "?bot_id")?,
        symbol: query_value(query.symbol.as_deref(), "?symbol")?,
        environment: query_value(query.environment.as_deref(), "?environment")?,
        since: None,
    };
    let request = PageQuery { limit: query.limit, before: query.before, symbol: None }.page()?;
    let rows = session.workspace.trades(&filter, &request).await?;
    Ok(Json(page(rows, &request, |row| (row.at, row.id.to_string()), TradeView::from)))
}

/// One trade with its orders, fills and the decision that opened it.
#[utoipa::path(get, path = "/trades/{id}", params(("id" = String, Path)),
    responses((status = 200, body = TradeDetail), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    session: Session,
    PathId(id): PathId<kind::Trade>,
) -> Result<Json<TradeDetail>, Problem> {
    let store = &session.workspace;
    let row = store.trade(id).await?;
    let (bot, symbol) = (row.bot, row.report.symbol);
    // An entry's order is decided a little before its first fill.
    let from = row.report.entered_at.plus_ms(-60_000);
    let (orders, fills) = store.executions_between(bot, symbol, from, row.report.exited_at).await?;
    let decision = match row.report.entry_decision {
        Some(at) => store.decision_at(bot, symbol, at).await?,
        None => None,
    };
    Ok(Json(TradeDetail {
        trade: row.into(),
        orders: orders.into_iter().map(|row| OrderView::new(bot, row)).collect(),
        fills: fills.into_iter().map(|row| FillView::new(bot, row)).collect(),
        decision: decision.map(|row| DecisionView::new(bot, row)),
    }))
}
