//! Recorded candles: what there is, and fetching what is missing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use keyhold_domain::id::kind;
use keyhold_domain::{ContractType, Environment, Exchange, Symbol, Timeframe, Timestamp};
use keyhold_history::HistoryError;
use keyhold_store::{JobKind, Permission};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::candle_view::{FetchView, RecordedCandles};
use crate::api::documents::{Page, PageQuery, page};
use crate::api::jobs;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{FieldProblem, Problem, ProblemDocument};
use crate::http::query::Query;
use crate::jobs::{FetchRequest, Place, unreadable};
use crate::{shape, venues};

const CANDLES: JobKind = JobKind::Candles;
/// Candles of one fetch at most: more than ten years of minutes.
const MOST_CANDLES: i64 = 6_000_000;

/// Candles to be fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCandleFetch {
    #[schema(value_type = shape::Exchange)]
    exchange: Exchange,
    #[schema(value_type = shape::Environment)]
    environment: Environment,
    #[schema(value_type = shape::ContractType)]
    contract_type: ContractType,
    #[schema(value_type = String)]
    symbol: Symbol,
    #[schema(value_type = shape::Timeframe)]
    timeframe: Timeframe,
    /// The first candle opens here or later.
    #[schema(value_type = i64)]
    from: Timestamp,
    /// Up to, and without, this instant; now when absent.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    until: Option<Timestamp>,
}

/// Everything that is recorded, by environment and market.
#[utoipa::path(get, path = "/candles",
    responses((status = 200, body = Vec<RecordedCandles>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    session: Session,
) -> Result<Json<Vec<RecordedCandles>>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let recorded = Arc::clone(&app.jobs.recorded);
    let looking = move || -> Result<Vec<RecordedCandles>, HistoryError> {
        let mut found = Vec::new();
        for environment in Environment::ALL.iter().copied() {
            for market in recorded.library(environment).markets()? {
                let spans = recorded.spans(environment, market)?;
                found.extend(RecordedCandles::new(environment, market, &spans));
            }
        }
        Ok(found)
    };
    let looked = tokio::task::spawn_blocking(looking).await.map_err(|error| unreadable(&error))?;
    looked.map(Json).map_err(|error| unreadable(&error))
}

/// Fetches of candles, newest first.
#[utoipa::path(get, path = "/candles/fetches", params(PageQuery),
    responses((status = 200, body = Page<FetchView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn fetches(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<FetchView>>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let request = query.page()?;
    let rows = session.workspace.jobs(CANDLES, &request).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let place = (row.created_at, row.id.to_string());
        views.push((place, FetchView::new(&app, row).await?));
    }
    Ok(Json(page(views, &request, |(place, _)| place.clone(), |(_, view)| view)))
}

/// Fetches what is missing of a range from the exchange's public history.
#[utoipa::path(post, path = "/candles/fetches", request_body = NewCandleFetch,
    responses((status = 201, body = FetchView), (status = 409, body = ProblemDocument),
        (status = 422, body = ProblemDocument), (status = 503, body = ProblemDocument)))]
pub(crate) async fn fetch(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<NewCandleFetch>,
) -> Result<(StatusCode, Json<FetchView>), Problem> {
    session.needs(Permission::BacktestsRun)?;
    let NewCandleFetch { exchange, environment, contract_type, symbol, timeframe, .. } = body;
    let from = timeframe.open_of(body.from.plus_ms(timeframe.ms() - 1));
    let until = timeframe.open_of(body.until.unwrap_or_else(|| app.clock.now()));
    let place = Place { exchange, environment, contract_type, symbol };
    let mut problems = Vec::new();
    let mut say = |path: &str, code: &str, message: String, remedy: &str| {
        let (path, code, remedy) = (path.to_owned(), code.to_owned(), remedy.to_owned());
        problems.push(FieldProblem { path, code, message, remedy });
    };
    if from >= until || from < Timestamp::EPOCH {
        let message = "The range holds no whole candle, or begins before 1970.".to_owned();
        say("until", "BT_RANGE_INVALID", message, "Choose an end after the beginning.");
    } else if until.since_ms(from) / timeframe.ms() > MOST_CANDLES {
        let message = format!("At most {MOST_CANDLES} candles can be fetched at once.");
        say("from", "BT_LIMIT_EXCEEDED", message, "Choose a shorter range or a longer timeframe.");
    }
    let listed = venues::instruments(&app, exchange, environment, contract_type).await?;
    if !listed.iter().any(|instrument| instrument.symbol == symbol) {
        let message = format!("{} does not list {symbol}.", exchange.display_name());
        say("symbol", "BT_INSTRUMENT_UNKNOWN", message, "Choose one of its instruments.");
    }
    if !problems.is_empty() {
        let detail = "These candles cannot be fetched.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "CANDLES_REFUSED", detail).with(problems));
    }
    let request = serde_json::to_value(FetchRequest { place, timeframe, from, until });
    let request = request.map_err(|_own_type| Problem::internal())?;
    let row = jobs::queue(&app, &session, CANDLES, &request).await?;
    Ok((StatusCode::CREATED, Json(FetchView::new(&app, row).await?)))
}

/// One fetch.
#[utoipa::path(get, path = "/candles/fetches/{id}", params(("id" = String, Path)),
    responses((status = 200, body = FetchView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get_fetch(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Job>,
) -> Result<Json<FetchView>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let row = session.workspace.job(CANDLES, id).await?;
    Ok(Json(FetchView::new(&app, row).await?))
}

/// Stops a fetch that waits or runs; what came is kept.
#[utoipa::path(post, path = "/candles/fetches/{id}/cancel", params(("id" = String, Path)),
    responses((status = 200, body = FetchView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn cancel_fetch(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Job>,
) -> Result<Json<FetchView>, Problem> {
    session.needs(Permission::BacktestsRun)?;
    let row = jobs::cancel(&app, &session.workspace, CANDLES, id).await?;
    Ok(Json(FetchView::new(&app, row).await?))
}

/// Forgets a fetch that has ended; the candles stay.
#[utoipa::path(delete, path = "/candles/fetches/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn delete_fetch(
    session: Session,
    PathId(id): PathId<kind::Job>,
) -> Result<StatusCode, Problem> {
    session.needs(Permission::BacktestsRun)?;
    jobs::delete(&session.workspace, CANDLES, id).await
}
