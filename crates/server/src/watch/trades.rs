//! Completed round trips, and one of them with everything that led to it.

use keyhold_domain::id::kind;
use keyhold_domain::money::decimal_text;
use keyhold_domain::{
    Asset, BotId, Decimal, OrderPurpose, Price, Quantity, ReasonCode, Side, Symbol, TemplateId, Timestamp,
    TradeId,
};
use keyhold_protocol::uplink::TradeReport;
use keyhold_store::{OrderRow, TradeFilter, TradeRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::decisions::{DecisionView, FillView, OrderView};
use crate::api::documents::{Named, Page, PageQuery, page, query_value};
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// An entry's order is decided before its first fill; this long at most where the record does not say when.
const DECIDED_BEFORE_MS: i64 = 60_000;

/// A completed round trip. Amounts are in the settlement asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeView {
    #[schema(value_type = String)]
    id: TradeId,
    #[schema(value_type = String)]
    bot_id: BotId,
    /// With the label it had then.
    bot: Named,
    #[schema(value_type = shape::TradeEnvironment)]
    environment: String,
    #[schema(value_type = String)]
    symbol: Symbol,
    /// `buy` for a long trade.
    #[schema(value_type = shape::Side)]
    side: Side,
    /// The largest size held.
    #[schema(value_type = String)]
    quantity: Quantity,
    #[schema(value_type = String)]
    entry_price: Price,
    #[schema(value_type = String)]
    exit_price: Price,
    #[schema(value_type = i64)]
    entered_at: Timestamp,
    #[schema(value_type = i64)]
    exited_at: Timestamp,
    /// Before costs.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    gross: Decimal,
    /// Positive is a cost.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    fees: Decimal,
    /// Positive was received.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    funding: Decimal,
    /// After costs.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    net: Decimal,
    #[schema(value_type = String)]
    settle: Asset,
    #[schema(value_type = String)]
    exit_reason: ReasonCode,
    /// Opening time of the candle whose decision opened it.
    #[schema(value_type = Option<i64>, required)]
    entry_decision: Option<Timestamp>,
    #[schema(value_type = String)]
    template: TemplateId,
    template_version: u32,
    /// Excursions, slippage, multiples of risk, as the engine wrote them. In lists without the entry's decision.
    #[schema(value_type = serde_json::Value)]
    record: serde_json::Value,
}

impl TradeView {
    pub(crate) fn new(bot: Named, bot_id: BotId, environment: String, report: TradeReport) -> Self {
        Self {
            id: report.id,
            bot_id,
            bot,
            environment,
            symbol: report.symbol,
            side: report.side,
            quantity: report.quantity,
            entry_price: report.entry_price,
            exit_price: report.exit_price,
            entered_at: report.entered_at,
            exited_at: report.exited_at,
            gross: report.gross,
            fees: report.fees,
            funding: report.funding,
            net: report.net,
            settle: report.settle,
            exit_reason: report.exit_reason,
            entry_decision: report.entry_decision,
            template: report.template,
            template_version: report.template_version,
            record: report.record,
        }
    }

    fn of(row: TradeRow) -> Self {
        Self::new(Named::new(row.bot, row.bot_label), row.bot, row.environment, row.report)
    }

    /// The form for lists and the stream: the entry's decision is a few kilobytes and is read with the one trade.
    pub(crate) fn short(mut self) -> Self {
        if let Some(decision) = self.record.get_mut("entry_decision") {
            *decision = serde_json::Value::Null;
        }
        self
    }
}

/// A trade with everything that led to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeDetail {
    #[serde(flatten)]
    trade: TradeView,
    /// Oldest first.
    orders: Vec<OrderView>,
    /// Oldest first.
    fills: Vec<FillView>,
    /// The decision that opened it; null when it is no longer stored.
    #[schema(required)]
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
#[utoipa::path(get, path = "/trades", operation_id = "list_trades", params(TradeQuery),
    responses((status = 200, body = Page<TradeView>), (status = 401, body = ProblemDocument)))]
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
    let place = |row: &TradeRow| (row.at, row.id.to_string());
    Ok(Json(page(rows, &request, place, |row| TradeView::of(row).short())))
}

/// One trade with its orders, fills and the decision that opened it.
#[utoipa::path(get, path = "/trades/{id}", operation_id = "get_trade", params(("id" = String, Path)),
    responses((status = 200, body = TradeDetail), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    session: Session,
    PathId(id): PathId<kind::Trade>,
) -> Result<Json<TradeDetail>, Problem> {
    let store = &session.workspace;
    let row = store.trade(id).await?;
    let (bot, symbol) = (row.bot, row.report.symbol);
    let span = Span::of(&row.report);
    let (orders, fills) = store.executions_between(bot, symbol, span.from, row.report.exited_at).await?;
    let decision = match row.report.entry_decision {
        Some(at) => store.decision_at(bot, symbol, at).await?,
        None => None,
    };
    Ok(Json(TradeDetail {
        trade: TradeView::of(row),
        orders: orders
            .into_iter()
            .filter(|order| span.holds(order))
            .map(|order| OrderView::of(bot, &order))
            .collect(),
        fills: fills
            .into_iter()
            .filter(|fill| fill.at >= span.fills_from)
            .map(|fill| FillView::of(bot, &fill))
            .collect(),
        decision: decision.map(|row| DecisionView::new(bot, row.report)),
    }))
}

/// The time of a trade's orders and fills. Bot and venue have clocks of their own, so that what is known exactly, the
/// entry's decision by the bot's clock, decides where it can.
struct Span {
    from: Timestamp,
    fills_from: Timestamp,
    /// Where the decision's time is not recorded: before this only the entry's own order belongs to the trade.
    others_from: Option<Timestamp>,
}

impl Span {
    fn of(report: &TradeReport) -> Self {
        let entered = report.entered_at;
        let recorded = report.record.get("decided_at").and_then(serde_json::Value::as_i64);
        match recorded.map(Timestamp::from_ms).filter(|at| *at <= entered) {
            // One position at a time: whatever was ordered since belongs to it.
            Some(decided) => Self { from: decided, fills_from: decided, others_from: None },
            None => Self {
                from: entered.plus_ms(-DECIDED_BEFORE_MS),
                fills_from: entered,
                others_from: Some(entered),
            },
        }
    }

    fn holds(&self, order: &OrderRow) -> bool {
        let is_entry = order.report.order.purpose == OrderPurpose::Entry;
        is_entry || self.others_from.is_none_or(|from| order.at >= from)
    }
}
