//! The overview of one environment: figures, what needs a person, equity. Figures are computed in [`super::kpis`].

use axum::extract::State;
use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Environment, Timestamp};
use keyhold_provision::BotStatus;
use keyhold_store::{ApiKey, Bot, OpenPosition};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::attention::{Attention, Situation, Watched, attention};
use super::equity::{DEFAULT_SPAN_MS, EquitySeries, held, holders, lines, stretch, totals};
use super::kpis::{BotCounts, Outcomes, as_of, earned, open_profit};
use super::values::Amount;
use crate::api::bot_view::status_of;
use crate::api::documents::query_value;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// A decision older than this says nothing about now; the longest candles last a day.
const HEADLINES_MS: i64 = 3 * DAY_MS;

/// Which overview.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct DashboardQuery {
    /// `live`, `testnet` or `simulated`; live if there is a live key when absent, else the next there is.
    environment: Option<String>,
    /// Start of the range of win rate, trades and equity in milliseconds; 30 days ago when absent.
    from: Option<i64>,
}

/// Figures of one environment. Lists have one entry per asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kpis {
    /// What accounts are worth, of bots that hold a key.
    equity: Vec<Amount>,
    /// How old the oldest part of it is; null when nothing is known.
    #[schema(value_type = Option<i64>, required)]
    equity_as_of: Option<Timestamp>,
    /// Net result of trades closed since 00:00 UTC.
    pnl_today: Vec<Amount>,
    /// Unrealized profit of open positions.
    open_pnl: Vec<Amount>,
    /// Winners among the trades of the range that did not end at zero, 0 to 1; null without any.
    #[schema(required)]
    win_rate: Option<String>,
    /// Trades closed in the range.
    trades: usize,
    bots: BotCounts,
}

/// The overview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dashboard {
    #[schema(value_type = shape::Environment)]
    environment: Environment,
    /// Start of the range.
    #[schema(value_type = i64)]
    from: Timestamp,
    kpis: Kpis,
    /// Worst first; at most 20.
    attention: Vec<Attention>,
    equity_series: Vec<EquitySeries>,
}

/// Figures, what needs attention, and equity over time.
#[utoipa::path(get, path = "/dashboard", params(DashboardQuery),
    responses((status = 200, body = Dashboard), (status = 401, body = ProblemDocument)))]
pub(crate) async fn dashboard(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<DashboardQuery>,
) -> Result<Json<Dashboard>, Problem> {
    let store = &session.workspace;
    let now = app.clock.now();
    let keys = store.keys().await?;
    let environment = query_value(query.environment.as_deref(), "?environment")?;
    let environment = environment.unwrap_or_else(|| weightiest(&keys));
    let from = query.from.map_or_else(|| now.plus_ms(-DEFAULT_SPAN_MS), Timestamp::from_ms);
    let all = store.bots().await?;
    let bots: Vec<Watched<'_>> = all
        .iter()
        .filter(|bot| is_of(bot, environment))
        .map(|bot| Watched { bot, status: status_of(&app, bot, now) })
        .collect();
    let positions = store.open_positions().await?;
    let positions: Vec<&OpenPosition> =
        positions.iter().filter(|position| bots.iter().any(|one| one.bot.id == position.bot)).collect();
    let keys: Vec<&ApiKey> = keys.iter().filter(|key| key.environment == environment).collect();
    let headlines = store.headlines(now.plus_ms(-HEADLINES_MS)).await?;

    let counted = holders(&all, environment);
    let held = held(&store.latest_equity(Some(environment)).await?, &counted);
    let every = stretch(from, now);
    let mut points = store.equity_thinned(None, Some(environment), from, every).await?;
    points.retain(|point| counted.contains(&point.bot));
    let before: Vec<_> = held.iter().filter(|point| point.at < from).cloned().collect();

    let today = now.start_of_day();
    let results = store.trade_results(environment, from.min(today)).await?;
    let in_range: Vec<_> = results.iter().copied().filter(|result| result.at >= from).collect();
    let outcomes = Outcomes::of(&in_range);
    let situation = Situation { bots: &bots, keys: &keys, positions: &positions, headlines: &headlines, now };
    Ok(Json(Dashboard {
        environment,
        from,
        kpis: Kpis {
            equity: totals(&held),
            equity_as_of: as_of(&held),
            pnl_today: earned(&results, today, &held),
            open_pnl: open_profit(&positions, &held),
            win_rate: outcomes.win_rate(),
            trades: outcomes.trades,
            bots: count(&bots),
        },
        attention: attention(&situation),
        equity_series: lines(&before, &points, every),
    }))
}

/// A bot without a key belongs to no environment yet and is shown in each, so that it is not overlooked.
fn is_of(bot: &Bot, environment: Environment) -> bool {
    bot.key.as_ref().is_none_or(|key| key.environment == environment)
}

/// Live if there is a live key, else testnet, else simulated.
fn weightiest(keys: &[ApiKey]) -> Environment {
    let has = |environment: &Environment| keys.iter().any(|key| key.environment == *environment);
    Environment::ALL.iter().copied().find(has).unwrap_or(Environment::Live)
}

fn count(bots: &[Watched<'_>]) -> BotCounts {
    let mut counts = BotCounts::default();
    for watched in bots {
        match watched.status {
            BotStatus::Online => counts.online += 1,
            BotStatus::Paused => counts.paused += 1,
            BotStatus::Offline | BotStatus::Failed => counts.trouble += 1,
            BotStatus::Deploying | BotStatus::Stopping | BotStatus::Stopped => {}
        }
    }
    counts
}
