//! A backtest as the API shows it.

use keyhold_domain::{JobId, TemplateId, Timeframe, Timestamp};
use keyhold_engine::template::Template;
use keyhold_store::{JobRow, JobState, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::documents::Named;
use crate::app::App;
use crate::jobs::{Assumed, BacktestRequest, Place, ProgressView};
use crate::shape;

/// How much of a backtest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Without the template's document.
    Short,
    /// All of it.
    Full,
}

/// A backtest: what was asked for, how far it is, and a few figures of what it brought.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Backtest)]
pub(crate) struct BacktestView {
    #[schema(value_type = String)]
    id: JobId,
    #[schema(value_type = shape::JobState)]
    state: &'static str,
    /// Why it failed, or `BT_NO_TRADES`.
    #[schema(required)]
    code: Option<String>,
    #[schema(required)]
    detail: Option<String>,
    template: TemplateOfRun,
    #[schema(value_type = shape::Timeframe)]
    timeframe: Timeframe,
    markets: Vec<Place>,
    /// The first candle decided on opens here or later.
    #[schema(value_type = i64)]
    from: Timestamp,
    /// Candles that open here or later are left out.
    #[schema(value_type = i64)]
    until: Timestamp,
    assumed: Assumed,
    /// The strategy as it was run; only where one backtest is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<shape::Document>)]
    document: Option<Template>,
    /// While it runs.
    #[schema(required)]
    progress: Option<ProgressView>,
    /// While it waits; 1 is next.
    #[schema(required)]
    queue_position: Option<i64>,
    /// When it has completed.
    #[schema(required)]
    summary: Option<SummaryView>,
    /// Null when the account is gone.
    #[schema(required)]
    started_by: Option<Named>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = Option<i64>, required)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>, required)]
    finished_at: Option<Timestamp>,
}

/// The template of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = BacktestTemplate)]
pub(crate) struct TemplateOfRun {
    /// Null for a document that was never saved. The template may be gone in the meantime.
    #[schema(value_type = Option<String>, required)]
    id: Option<TemplateId>,
    name: String,
    #[schema(required)]
    version: Option<u32>,
}

/// A few figures of a result.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = BacktestSummary)]
pub(crate) struct SummaryView {
    /// In which asset profit is counted.
    asset: String,
    net: String,
    #[schema(required)]
    return_pct: Option<f64>,
    /// Null when the equity never fell.
    #[schema(required)]
    max_drawdown_pct: Option<f64>,
    trades: u64,
    #[schema(required)]
    win_rate_pct: Option<f64>,
    #[schema(required)]
    profit_factor: Option<f64>,
    #[schema(required)]
    sharpe: Option<f64>,
    /// Change of the price: what holding would have brought.
    #[schema(required)]
    buy_and_hold_pct: Option<f64>,
}

/// How many jobs come before one that waits, itself included.
pub(crate) async fn queue_position(app: &App, row: &JobRow) -> Result<Option<i64>, StoreError> {
    match row.state {
        JobState::Queued => Ok(Some(app.store.system().jobs_ahead(row).await? + 1)),
        JobState::Running | JobState::Completed | JobState::Failed | JobState::Canceled => Ok(None),
    }
}

/// Who asked for a job.
pub(crate) fn started_by(row: &JobRow) -> Option<Named> {
    row.by.as_ref().map(|(id, email)| Named::new(*id, email))
}

impl BacktestView {
    /// As it is now.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when another version wrote what this one cannot read.
    pub(crate) async fn new(app: &App, row: JobRow, detail: Detail) -> Result<Self, StoreError> {
        let queue_position = queue_position(app, &row).await?;
        let started_by = started_by(&row);
        let progress = app.jobs.progress(row.id).filter(|_| row.state == JobState::Running);
        let unreadable = |_| StoreError::Corrupt { column: "request" };
        let request: BacktestRequest = serde_json::from_value(row.request).map_err(unreadable)?;
        let summary = row.summary.map(serde_json::from_value).transpose();
        Ok(Self {
            id: row.id,
            state: row.state.as_str(),
            code: row.code,
            detail: row.detail,
            template: TemplateOfRun {
                id: request.template_id,
                name: request.document.name.clone(),
                version: request.template_version,
            },
            timeframe: request.document.timeframe,
            markets: request.markets.iter().map(|market| market.place).collect(),
            from: request.from,
            until: request.until,
            assumed: request.assumed,
            document: (detail == Detail::Full).then_some(request.document),
            progress,
            queue_position,
            summary: summary.map_err(|_| StoreError::Corrupt { column: "summary" })?,
            started_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}
