//! Backtests: asking for them, watching them, and reading what they brought.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use keyhold_domain::id::kind;
use keyhold_domain::money::decimal_text;
use keyhold_domain::{Decimal, JobId, Symbol, TemplateId, Timeframe, Timestamp};
use keyhold_engine::report::EquityPoint;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;
use keyhold_engine::trade::Trade;
use keyhold_simulator::backtest::{equity_lines, trade_lines};
use keyhold_store::{JobKind, JobRow, JobState, Permission, StoreError, WorkspaceStore};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::backtest_view::{BacktestView, Detail};
use crate::api::documents::{Page, PageQuery, page, query_value};
use crate::api::jobs;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{FieldProblem, Problem, ProblemDocument};
use crate::http::query::Query;
use crate::jobs::{
    Asked, Assumed, Checked, Fees, FundingChoice, GapChoice, PART, Place, Switch, UnsupportedChoice,
    check as look,
};
use crate::shape;

const BACKTEST: JobKind = JobKind::Backtest;

/// A backtest to be run: a template or a document, on markets, over a range.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBacktest {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    template_id: Option<TemplateId>,
    /// The newest when absent.
    #[serde(default)]
    template_version: Option<u32>,
    /// In place of a template.
    #[serde(default)]
    #[schema(value_type = Option<shape::Document>)]
    document: Option<Template>,
    /// In place of the template's own.
    #[serde(default)]
    #[schema(value_type = Option<shape::Timeframe>)]
    timeframe: Option<Timeframe>,
    /// 1 to 16 of one exchange, environment and contract type.
    markets: Vec<Place>,
    /// The first candle decided on opens here or later; earlier recorded candles are history.
    #[schema(value_type = i64)]
    from: Timestamp,
    /// Candles that open here or later are left out.
    #[schema(value_type = i64)]
    until: Timestamp,
    /// At the start, in the settlement asset.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    equity: Decimal,
    #[schema(value_type = shape::Settings)]
    settings: BotSettings,
    /// The exchange's own when absent.
    #[serde(default)]
    fees: Option<Fees>,
    /// Basis points; 1 when absent.
    #[serde(default = "one_bps", with = "decimal_text")]
    #[schema(value_type = Option<String>)]
    slippage_bps: Decimal,
    /// Off when absent.
    #[serde(default)]
    funding: FundingChoice,
    /// Whether the settings' limits hold; on when absent.
    #[serde(default = "on")]
    limits: Switch,
    #[serde(default)]
    unsupported: UnsupportedChoice,
    #[serde(default)]
    gaps: GapChoice,
    /// Whether it is looked at what each component contributed; off when absent.
    #[serde(default = "off")]
    signals: Switch,
}

const fn one_bps() -> Decimal {
    Decimal::ONE
}
const fn on() -> Switch {
    Switch::On
}
const fn off() -> Switch {
    Switch::Off
}

/// What a backtest would meet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BacktestCheck {
    /// Everything that is wrong; empty when it can be run.
    problems: Vec<FieldProblem>,
    /// Candles to decide on, of all markets together.
    candles: i64,
    /// Candles of history that the components need.
    warmup_candles: u32,
    /// Backtests that would be run before it.
    ahead: i64,
    /// A guess from earlier runs since the server started.
    #[schema(required)]
    seconds: Option<f64>,
    coverage: Vec<crate::jobs::Coverage>,
}

/// Which trades of a result.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct TradesQuery {
    /// 1 to 500; 100 when absent.
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
    /// Only this instrument.
    symbol: Option<String>,
}

/// In which form.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct ExportQuery {
    /// `json` (everything), `csv` (the trades), `equity` (the equity as CSV) or `html` (a page with charts).
    format: Option<String>,
}

async fn asked(session: &Session, body: NewBacktest) -> Result<Asked, Problem> {
    let (mut document, version) = match (body.template_id, body.document) {
        (Some(id), None) => {
            let newest = session.workspace.template(id).await?;
            match body.template_version {
                Some(version) if version != newest.version => {
                    (session.workspace.template_version(id, version).await?, Some(version))
                }
                Some(_) | None => (newest.document, Some(newest.version)),
            }
        }
        (None, Some(document)) => (document, None),
        (Some(_), Some(_)) | (None, None) => {
            let detail = "Send either template_id or document.";
            return Err(Problem::bad_request("INVALID_FIELD", detail).at(""));
        }
    };
    if let Some(timeframe) = body.timeframe {
        document.timeframe = timeframe;
    }
    Ok(Asked {
        template_id: body.template_id,
        template_version: version,
        document,
        markets: body.markets,
        from: body.from,
        until: body.until,
        assumed: Assumed {
            equity: body.equity,
            settings: body.settings,
            fees: body.fees,
            slippage_bps: body.slippage_bps,
            funding: body.funding,
            limits: body.limits,
            unsupported: body.unsupported,
            gaps: body.gaps,
            signals: body.signals,
        },
    })
}

/// All problems as one refusal: of a single one its own code, of several `BT_REFUSED`.
fn refused(problems: Vec<FieldProblem>) -> Problem {
    const CODES: [&str; 13] = [
        "BT_NO_DATA",
        "BT_DATA_GAPS",
        "BT_RANGE_TOO_SHORT",
        "BT_RANGE_INVALID",
        "BT_COMPONENT_UNSUPPORTED",
        "BT_LIMIT_EXCEEDED",
        "BT_MARKETS",
        "BT_EQUITY_INVALID",
        "BT_FEES_INVALID",
        "BT_SLIPPAGE_INVALID",
        "BT_FUNDING_INVALID",
        "BT_TOO_COARSE",
        "BT_INSTRUMENT_UNKNOWN",
    ];
    let single = match problems.as_slice() {
        [only] => CODES.into_iter().find(|code| *code == only.code),
        _ => None,
    };
    let detail = match problems.as_slice() {
        [only] => only.message.clone(),
        several => format!("The backtest has {} problems.", several.len()),
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, single.unwrap_or("BT_REFUSED"), detail).with(problems)
}

/// All backtests, newest first.
#[utoipa::path(get, path = "/backtests", params(PageQuery),
    responses((status = 200, body = Page<BacktestView>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<BacktestView>>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let request = query.page()?;
    let rows = session.workspace.jobs(BACKTEST, &request).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let place = (row.created_at, row.id.to_string());
        views.push((place, BacktestView::new(&app, row, Detail::Short).await?));
    }
    Ok(Json(page(views, &request, |(place, _)| place.clone(), |(_, view)| view)))
}

/// Queues a backtest. Refused with everything that is wrong with it.
#[utoipa::path(post, path = "/backtests", request_body = NewBacktest,
    responses((status = 201, body = BacktestView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<NewBacktest>,
) -> Result<(StatusCode, Json<BacktestView>), Problem> {
    session.needs(Permission::BacktestsRun)?;
    let Checked { problems, request, .. } = look(&app, asked(&session, body).await?).await?;
    let Some(request) = request else { return Err(refused(problems)) };
    let request = serde_json::to_value(request).map_err(|_own_type| Problem::internal())?;
    let row = jobs::queue(&app, &session, BACKTEST, &request).await?;
    Ok((StatusCode::CREATED, Json(BacktestView::new(&app, row, Detail::Full).await?)))
}

/// What a backtest would meet, without queuing it.
#[utoipa::path(post, path = "/backtests/check", request_body = NewBacktest,
    responses((status = 200, body = BacktestCheck), (status = 404, body = ProblemDocument)))]
pub(crate) async fn check(
    State(app): State<Shared>,
    session: Session,
    Json(body): Json<NewBacktest>,
) -> Result<Json<BacktestCheck>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let checked = look(&app, asked(&session, body).await?).await?;
    let ahead = app.store.system().jobs_queued(BACKTEST).await?;
    let candles = checked.candles.saturating_add(i64::from(checked.warmup_candles));
    let count = f64::from(u32::try_from(candles).unwrap_or(u32::MAX));
    let guess = app.jobs.speed().filter(|speed| *speed > 0.0).map(|speed| (count / speed).ceil());
    Ok(Json(BacktestCheck {
        problems: checked.problems,
        candles: checked.candles,
        warmup_candles: checked.warmup_candles,
        ahead,
        seconds: guess,
        coverage: checked.coverage,
    }))
}

/// One backtest, with the strategy as it is run.
#[utoipa::path(get, path = "/backtests/{id}", params(("id" = String, Path)),
    responses((status = 200, body = BacktestView), (status = 404, body = ProblemDocument)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Job>,
) -> Result<Json<BacktestView>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let row = session.workspace.job(BACKTEST, id).await?;
    Ok(Json(BacktestView::new(&app, row, Detail::Full).await?))
}

/// Stops a backtest that waits or runs, and answers when it has stopped; on a busy machine after ten seconds, before that.
#[utoipa::path(post, path = "/backtests/{id}/cancel", params(("id" = String, Path)),
    responses((status = 200, body = BacktestView), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    session: Session,
    PathId(id): PathId<kind::Job>,
) -> Result<Json<BacktestView>, Problem> {
    session.needs(Permission::BacktestsRun)?;
    let row = jobs::cancel(&app, &session.workspace, BACKTEST, id).await?;
    Ok(Json(BacktestView::new(&app, row, Detail::Full).await?))
}

/// Deletes a backtest that has ended, with its result.
#[utoipa::path(delete, path = "/backtests/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn delete(session: Session, PathId(id): PathId<kind::Job>) -> Result<StatusCode, Problem> {
    session.needs(Permission::BacktestsRun)?;
    jobs::delete(&session.workspace, BACKTEST, id).await
}

/// The row of a backtest that has a result.
pub(crate) async fn completed(store: &WorkspaceStore, id: JobId) -> Result<JobRow, Problem> {
    let row = store.job(BACKTEST, id).await?;
    match row.state {
        JobState::Completed => Ok(row),
        JobState::Queued | JobState::Running | JobState::Failed | JobState::Canceled => {
            Err(Problem::conflict("BT_NO_RESULT", "This backtest has no result."))
        }
    }
}

/// The report without its trades.
pub(crate) async fn report(store: &WorkspaceStore, id: JobId) -> Result<Value, Problem> {
    let text = store.backtest_report(id).await?;
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { column: "report" }.into())
}

/// What a completed backtest brought, without its trades.
#[utoipa::path(get, path = "/backtests/{id}/result", params(("id" = String, Path)),
    responses((status = 200, body = shape::BacktestResult), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn result(session: Session, PathId(id): PathId<kind::Job>) -> Result<Json<Value>, Problem> {
    session.needs(Permission::BacktestsView)?;
    completed(&session.workspace, id).await?;
    Ok(Json(report(&session.workspace, id).await?))
}

/// All trades that were kept, in the order in which they ended.
pub(crate) async fn all_trades(store: &WorkspaceStore, id: JobId) -> Result<Vec<Value>, Problem> {
    parts(store, id, 0, u32::MAX).await
}

async fn parts(store: &WorkspaceStore, id: JobId, first: u32, last: u32) -> Result<Vec<Value>, Problem> {
    let mut trades = Vec::new();
    for text in store.backtest_trades(id, first, last).await? {
        let part: Result<Vec<Value>, _> = serde_json::from_str(&text);
        trades.extend(part.map_err(|_| StoreError::Corrupt { column: "document" })?);
    }
    Ok(trades)
}

/// The number of a trade, from 1.
fn number(trade: &Value) -> u64 {
    trade.get("number").and_then(Value::as_u64).unwrap_or(0)
}

/// The trades of a result, newest first.
#[utoipa::path(get, path = "/backtests/{id}/trades", params(("id" = String, Path), TradesQuery),
    responses((status = 200, body = Page<shape::BacktestTrade>), (status = 404, body = ProblemDocument),
        (status = 409, body = ProblemDocument)))]
pub(crate) async fn trades(
    session: Session,
    PathId(id): PathId<kind::Job>,
    Query(query): Query<TradesQuery>,
) -> Result<Json<Page<Value>>, Problem> {
    session.needs(Permission::BacktestsView)?;
    completed(&session.workspace, id).await?;
    let symbol: Option<Symbol> = query_value(query.symbol.as_deref(), "?symbol")?;
    let before: u32 = query_value(query.before.as_deref(), "?before")?.unwrap_or(u32::MAX);
    let limit = query.limit.unwrap_or(100).clamp(1, 500);
    let kept = report(&session.workspace, id).await?.get("trades_kept").and_then(Value::as_u64);
    let kept = u32::try_from(kept.unwrap_or(0)).unwrap_or(u32::MAX - 1);
    let end = before.min(kept + 1);
    let part_of = |number: u32| number.saturating_sub(1) / PART;
    // Trades of one instrument may lie far apart, so all are looked at; without that, a few parts hold a page.
    let first = match symbol {
        Some(_) => 0,
        None => part_of(end.saturating_sub(limit)),
    };
    let mut found = parts(&session.workspace, id, first, part_of(end)).await?;
    let wanted = |trade: &Value| match symbol {
        Some(symbol) => trade.get("symbol").and_then(Value::as_str) == Some(symbol.as_str()),
        None => true,
    };
    found.retain(|trade| number(trade) < u64::from(before) && wanted(trade));
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<Value> = found.into_iter().rev().take(size).collect();
    let more = items.len() == size && items.last().is_some_and(|trade| number(trade) > 1);
    let next = items.last().filter(|_| more).map(|trade| number(trade).to_string());
    Ok(Json(Page { items, next }))
}

/// The result as a file.
#[utoipa::path(get, path = "/backtests/{id}/export", params(("id" = String, Path), ExportQuery),
    responses((status = 200, content(
            (serde_json::Value = "application/json"), (String = "text/csv"), (String = "text/html"))),
        (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn export(
    session: Session,
    PathId(id): PathId<kind::Job>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    session.needs(Permission::BacktestsView)?;
    completed(&session.workspace, id).await?;
    let store = &session.workspace;
    match query.format.as_deref().unwrap_or("json") {
        "json" => {
            let mut whole = report(store, id).await?;
            if let Some(fields) = whole.as_object_mut() {
                fields.insert("trades".to_owned(), all_trades(store, id).await?.into());
            }
            whole.sort_all_objects();
            let mut text = serde_json::to_string_pretty(&whole).map_err(|_own_text| Problem::internal())?;
            text.push('\n');
            Ok(attachment(text, "application/json", "attachment; filename=\"backtest.json\""))
        }
        "csv" => {
            let mut trades: Vec<Trade> = Vec::new();
            for mut value in all_trades(store, id).await? {
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("entry_decision".to_owned(), Value::Null);
                }
                let trade = serde_json::from_value(value);
                trades.push(trade.map_err(|_| StoreError::Corrupt { column: "document" })?);
            }
            Ok(attachment(
                trade_lines(&trades),
                "text/csv; charset=utf-8",
                "attachment; filename=\"trades.csv\"",
            ))
        }
        "equity" => {
            let points = report(store, id).await?.get("equity").cloned().unwrap_or_default();
            let points: Vec<EquityPoint> =
                serde_json::from_value(points).map_err(|_| StoreError::Corrupt { column: "report" })?;
            Ok(attachment(
                equity_lines(&points),
                "text/csv; charset=utf-8",
                "attachment; filename=\"equity.csv\"",
            ))
        }
        "html" => {
            let page = store.backtest_page(id).await?;
            Ok(attachment(page, "text/html; charset=utf-8", "attachment; filename=\"backtest.html\""))
        }
        _ => Err(Problem::bad_request("INVALID_FIELD", "The formats are json, csv, equity and html.")
            .at("?format")),
    }
}

/// Saved by the browser, never shown by it: a page of ours has no scripts, and it stays a file.
fn attachment(text: String, kind: &'static str, name: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
