//! Recorded candles, and the work of fetching them, as the API shows them.

use keyhold_domain::{ContractType, Environment, Exchange, JobId, Symbol, Timeframe, Timestamp};
use keyhold_history::Market;
use keyhold_store::{JobRow, JobState, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::backtest_view::{queue_position, started_by};
use crate::api::documents::Named;
use crate::app::App;
use crate::jobs::{FetchRequest, GapView, ProgressView, Span, between, count};
use crate::shape;

/// Gaps that are listed one by one.
const MOST_GAPS: usize = 100;

/// What is recorded of a market in one timeframe.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RecordedCandles {
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
    candles: i64,
    /// Open time of the first.
    #[schema(value_type = i64)]
    from: Timestamp,
    /// Close time of the last.
    #[schema(value_type = i64)]
    until: Timestamp,
    /// Candles that are missing between them.
    missing: i64,
    /// The first 100 gaps.
    gaps: Vec<GapView>,
    gap_count: usize,
}

impl RecordedCandles {
    /// `None` when there is nothing.
    pub(crate) fn new(environment: Environment, market: Market, spans: &[Span]) -> Option<Self> {
        let (from, until) = (spans.first()?.from, spans.last()?.until);
        let timeframe = market.timeframe;
        let gaps = between(spans, from, until);
        Some(Self {
            exchange: market.exchange,
            environment,
            contract_type: market.contract_type,
            symbol: market.symbol,
            timeframe,
            candles: count(spans, timeframe),
            from,
            until,
            missing: count(&gaps, timeframe),
            gaps: gaps.iter().take(MOST_GAPS).map(|gap| GapView::new(*gap, timeframe)).collect(),
            gap_count: gaps.len(),
        })
    }
}

/// Candles being fetched from an exchange.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CandleFetch)]
pub(crate) struct FetchView {
    #[schema(value_type = String)]
    id: JobId,
    #[schema(value_type = shape::JobState)]
    state: &'static str,
    /// Why it failed.
    #[schema(required)]
    code: Option<String>,
    #[schema(required)]
    detail: Option<String>,
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
    #[schema(value_type = i64)]
    from: Timestamp,
    #[schema(value_type = i64)]
    until: Timestamp,
    /// While it runs.
    #[schema(required)]
    progress: Option<ProgressView>,
    /// While it waits; 1 is next.
    #[schema(required)]
    queue_position: Option<i64>,
    /// When it has completed.
    #[schema(required)]
    summary: Option<FetchSummary>,
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

/// What a fetch brought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = CandleFetchSummary)]
pub(crate) struct FetchSummary {
    /// Candles that were not there before.
    new: u64,
    /// Candles that were there with other numbers.
    changed: u64,
    /// Candles that were there already.
    known: u64,
    /// Candles of the range that the exchange does not have.
    missing: i64,
}

impl FetchView {
    /// As it is now.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when another version wrote what this one cannot read.
    pub(crate) async fn new(app: &App, row: JobRow) -> Result<Self, StoreError> {
        let queue_position = queue_position(app, &row).await?;
        let started_by = started_by(&row);
        let progress = app.jobs.progress(row.id).filter(|_| row.state == JobState::Running);
        let unreadable = |_| StoreError::Corrupt { column: "request" };
        let request: FetchRequest = serde_json::from_value(row.request).map_err(unreadable)?;
        let summary = row.summary.map(serde_json::from_value).transpose();
        Ok(Self {
            id: row.id,
            state: row.state.as_str(),
            code: row.code,
            detail: row.detail,
            exchange: request.place.exchange,
            environment: request.place.environment,
            contract_type: request.place.contract_type,
            symbol: request.place.symbol,
            timeframe: request.timeframe,
            from: request.from,
            until: request.until,
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
