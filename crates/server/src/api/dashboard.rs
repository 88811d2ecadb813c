//! The overview: figures, what needs attention, positions, equity, the activity feed.
//!
//! Amounts of different environments are never added: without one named, live ones are shown if there are any.

use axum::extract::State;
use keyhold_domain::{BotId, Decimal, Environment, EventId, Money, Timestamp};
use keyhold_protocol::uplink::Severity;
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, EquityPoint, EventRow, PageRequest, TradeFilter, VerificationState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use crate::api::bot_view::{self, PositionView, pnl_since, sum};
use crate::api::documents::{Named, Page, PageQuery, page, query_value};
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;

/// How far back the equity series of the overview goes.
const SERIES_MS: i64 = 7 * 86_400_000;

/// An entry of the activity feed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    #[schema(value_type = String)]
    id: EventId,
    #[schema(value_type = i64)]
    at: Timestamp,
    /// `info`, `warning` or `critical`.
    #[schema(value_type = String)]
    severity: Severity,
    code: String,
    text: String,
    bot: Option<Named>,
    key: Option<Named>,
    symbol: Option<String>,
}

impl EventView {
    /// Names are looked up among the bots and keys given; an unknown one keeps its id as name.
    pub(crate) fn new(row: &EventRow, bots: &[Bot], keys: &[ApiKey]) -> Self {
        let bot = row.bot.map(|id| {
            let found = bots.iter().find(|bot| bot.id == id);
            Named::new(id, found.map_or_else(|| id.to_string(), |bot| bot.label.clone()))
        });
        let key = row.key.map(|id| {
            let found = keys.iter().find(|key| key.id == id);
            Named::new(id, found.map_or_else(|| id.to_string(), |key| key.label.clone()))
        });
        Self {
            id: row.id,
            at: row.at,
            severity: row.severity,
            code: row.code.clone(),
            text: row.text.clone(),
            bot,
            key,
            symbol: row.symbol.map(|symbol| symbol.to_string()),
        }
    }
}

/// A page of the feed, of all or of one bot.
pub(crate) async fn event_page(
    session: &Session,
    bot: Option<BotId>,
    query: &PageQuery,
) -> Result<Page<EventView>, Problem> {
    let request = query.page()?;
    let rows = session.workspace.events(bot, &request).await?;
    let bots = session.workspace.bots().await?;
    let keys = session.workspace.keys().await?;
    let place = |row: &EventRow| (row.at, row.id.to_string());
    Ok(page(rows, &request, place, |row| EventView::new(&row, &bots, &keys)))
}

/// The activity feed, newest first.
#[utoipa::path(get, path = "/events", params(PageQuery),
    responses((status = 200, body = Object), (status = 401, body = ProblemDocument)))]
pub(crate) async fn events(
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    event_page(&session, None, &query).await.map(Json)
}

/// Open positions of all bots.
#[utoipa::path(get, path = "/positions",
    responses((status = 200, body = Vec<PositionView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn positions(session: Session) -> Result<Json<Vec<PositionView>>, Problem> {
    let bots = session.workspace.bots().await?;
    let open = session.workspace.open_positions().await?;
    let views = open.into_iter().filter_map(|position| {
        let bot = bots.iter().find(|bot| bot.id == position.bot)?;
        Some(PositionView::new(position, bot))
    });
    Ok(Json(views.collect()))
}

/// Which equity.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct EquityQuery {
    bot_id: Option<String>,
    environment: Option<String>,
    /// Milliseconds; a week ago when absent.
    from: Option<i64>,
}

/// A series of one asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EquitySeries {
    asset: String,
    /// Pairs of instant and decimal text.
    #[schema(value_type = Vec<Vec<Object>>)]
    points: Vec<(Timestamp, String)>,
}

/// Sums the bots of one asset: each point is the sum of every bot's newest value at that instant.
fn series(points: &[EquityPoint]) -> Vec<EquitySeries> {
    let mut newest: BTreeMap<_, BTreeMap<BotId, Decimal>> = BTreeMap::new();
    let mut lines: BTreeMap<_, BTreeMap<Timestamp, Decimal>> = BTreeMap::new();
    for point in points {
        let bots = newest.entry(point.asset).or_default();
        bots.insert(point.bot, point.equity);
        let total = bots.values().try_fold(Decimal::ZERO, |sum, value| sum.checked_add(*value));
        if let Some(total) = total {
            lines.entry(point.asset).or_default().insert(point.at, total);
        }
    }
    lines
        .into_iter()
        .map(|(asset, points)| EquitySeries {
            asset: asset.to_string(),
            points: points.into_iter().map(|(at, value)| (at, value.normalize().to_string())).collect(),
        })
        .collect()
}

/// Equity over time.
#[utoipa::path(get, path = "/equity", params(EquityQuery),
    responses((status = 200, body = Vec<EquitySeries>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn equity(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<EquityQuery>,
) -> Result<Json<Vec<EquitySeries>>, Problem> {
    let bot = query_value(query.bot_id.as_deref(), "?bot_id")?;
    let environment = query_value(query.environment.as_deref(), "?environment")?;
    let from = query.from.map_or_else(|| app.clock.now().plus_ms(-SERIES_MS), Timestamp::from_ms);
    let points = session.workspace.equity(bot, environment, from).await?;
    Ok(Json(series(&points)))
}

/// Which overview.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct DashboardQuery {
    environment: Option<String>,
}

/// The overview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dashboard {
    kpis: Kpis,
    attention: Vec<Attention>,
    equity_series: Vec<EquitySeries>,
}

/// Figures of one environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kpis {
    #[schema(value_type = Option<String>)]
    environment: Option<Environment>,
    #[schema(value_type = Vec<Object>)]
    equity: Vec<Money>,
    #[schema(value_type = Vec<Object>)]
    pnl_today: Vec<Money>,
    #[schema(value_type = Vec<Object>)]
    open_pnl: Vec<Money>,
    /// Share of winners among the newest 500 trades, 0 to 1.
    win_rate: Option<String>,
    trades: usize,
    bots: Counts,
}

/// How many bots are how.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Counts {
    online: u32,
    paused: u32,
    trouble: u32,
}

/// Something that needs a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attention {
    code: String,
    text: String,
    /// Path in the dashboard.
    link: String,
}

/// Figures, attention, equity.
#[utoipa::path(get, path = "/dashboard", params(DashboardQuery),
    responses((status = 200, body = Dashboard), (status = 401, body = ProblemDocument)))]
pub(crate) async fn dashboard(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<DashboardQuery>,
) -> Result<Json<Dashboard>, Problem> {
    let store = &session.workspace;
    let now = app.clock.now();
    let bots = store.bots().await?;
    let keys = store.keys().await?;
    let environment = match query_value(query.environment.as_deref(), "?environment")? {
        Some(environment) => Some(environment),
        None => weightiest(&keys),
    };
    let filter = TradeFilter { environment, ..TradeFilter::default() };
    let trades = store.trades(&filter, &PageRequest::new(500, None)).await?;
    let won = trades.iter().filter(|trade| trade.report.net > Decimal::ZERO).count();
    let win_rate = Decimal::from(won).checked_div(Decimal::from(trades.len()));
    let open = store.open_positions().await?;
    let in_environment = |id: BotId| {
        let bot = bots.iter().find(|bot| bot.id == id);
        bot.and_then(|bot| bot.key.as_ref()).map(|key| key.environment) == environment
    };
    let open_pnl = open
        .iter()
        .filter(|position| in_environment(position.bot))
        .filter_map(|position| Some(Money::new(position.report.unrealized?, position.report.settle)));
    let latest = store.latest_equity(environment).await?;
    let points = store.equity(None, environment, now.plus_ms(-SERIES_MS)).await?;
    let (counts, attention) = judge(&app, &bots, &keys, now);
    Ok(Json(Dashboard {
        kpis: Kpis {
            environment,
            equity: sum(latest.iter().map(|point| Money::new(point.equity, point.asset))),
            pnl_today: pnl_since(store, None, environment, now.start_of_day()).await?,
            open_pnl: sum(open_pnl),
            win_rate: win_rate.map(|rate| rate.round_dp(4).normalize().to_string()),
            trades: trades.len(),
            bots: counts,
        },
        attention,
        equity_series: series(&points),
    }))
}

/// The environment that matters most among the keys: live before testnet before simulated.
fn weightiest(keys: &[ApiKey]) -> Option<Environment> {
    Environment::ALL
        .iter()
        .copied()
        .find(|environment| keys.iter().any(|key| key.environment == *environment))
}

fn judge(app: &Shared, bots: &[Bot], keys: &[ApiKey], now: Timestamp) -> (Counts, Vec<Attention>) {
    let mut counts = Counts::default();
    let mut attention = Vec::new();
    for bot in bots {
        let link = format!("/bots/{}", bot.id);
        match bot_view::status_of(app, bot, now) {
            BotStatus::Online => counts.online += 1,
            BotStatus::Paused => counts.paused += 1,
            BotStatus::Failed => {
                counts.trouble += 1;
                let (code, text) = bot.failure.clone().unwrap_or_default();
                attention.push(Attention { code, text: format!("{}: {text}", bot.label), link });
            }
            BotStatus::Offline => {
                counts.trouble += 1;
                let text = format!("{} has not been heard of for a minute.", bot.label);
                attention.push(Attention { code: "BOT_OFFLINE".to_owned(), text, link });
            }
            BotStatus::Deploying | BotStatus::Stopping | BotStatus::Stopped => {}
        }
    }
    for key in keys.iter().filter(|key| key.verification.state == VerificationState::Failed) {
        let code = key.verification.code.clone().unwrap_or_else(|| "KEY_INVALID".to_owned());
        let text = format!("The key \"{}\" failed its connection test.", key.label);
        attention.push(Attention { code, text, link: format!("/keys/{}", key.id) });
    }
    (counts, attention)
}
