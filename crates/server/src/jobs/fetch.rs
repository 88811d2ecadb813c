//! Candles from a venue's public history into the folder of candles: only what is missing, each page kept at once, so that
//! a fetch that was interrupted goes on where it was.

use std::sync::Arc;

use keyhold_domain::{Environment, Timestamp};
use keyhold_history::Added;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::active::{Order, Seen};
use super::coverage::{Recorded, between, count};
use super::request::FetchRequest;
use crate::app::App;
use crate::candles::CandlesError;
use crate::candles::fetch::fill;
use crate::venues;

/// Why nothing more was fetched.
#[derive(Debug)]
pub(super) enum FetchFailure {
    /// Somebody canceled it. What was fetched stays.
    Canceled,
    /// The server ends.
    Abandoned,
    /// It cannot be had.
    Failed {
        /// A stable code.
        code: &'static str,
        /// A sentence.
        detail: String,
    },
}

impl FetchFailure {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Failed { code, detail: detail.into() }
    }
}

/// A worker at its work.
pub(super) struct Fetcher {
    pub(super) app: Arc<App>,
    pub(super) recorded: Arc<Recorded>,
    pub(super) request: FetchRequest,
    pub(super) order: watch::Receiver<Order>,
    pub(super) seen: watch::Sender<Option<Seen>>,
}

impl Fetcher {
    /// The whole fetch, on the thread that calls it, with a small runtime of its own: neither files nor the venue's
    /// answers are waited for where bots are served.
    pub(super) fn run(mut self) -> Result<Value, FetchFailure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let failed = |error: std::io::Error| FetchFailure::new("CANDLES_FAILED", error.to_string());
        runtime.map_err(failed)?.block_on(async {
            let mut order = self.order.clone();
            tokio::select! {
                biased;
                stopped = stop(&mut order) => Err(stopped),
                fetched = self.fetch() => fetched,
            }
        })
    }

    async fn fetch(&mut self) -> Result<Value, FetchFailure> {
        let FetchRequest { place, timeframe, from, until } = self.request;
        let market = venues::market(&self.app, place.exchange, place.environment, place.contract_type)
            .map_err(|problem| FetchFailure::new("EXCHANGE_DOWN", problem.detail.clone()))?;
        let files = self.recorded.library(place.environment).shelf(place.market(timeframe));
        let known = self.recorded.spans(place.environment, place.market(timeframe));
        let known = known.map_err(|error| unusable(&error.into()))?;
        let gaps = between(&known, from, self.end(until));
        let wanted: Vec<keyhold_history::Gap> =
            gaps.iter().map(|gap| keyhold_history::Gap { from: gap.from, until: gap.until }).collect();
        let (seen, number) = (self.seen.clone(), |count: i64| u64::try_from(count).unwrap_or(0));
        seen.send_replace(Some(Seen { done: 0, all: number(count(&gaps, timeframe)), at: from }));
        let mut told = |step: crate::candles::fetch::Step| {
            seen.send_replace(Some(Seen { done: number(step.done), all: number(step.all), at: step.until }));
        };
        let added = fill(&market, &files, &wanted, &mut told).await.map_err(|error| unusable(&error))?;
        let now = self.recorded.spans(place.environment, place.market(timeframe));
        let now = now.map_err(|error| unusable(&error.into()))?;
        let missing = count(&between(&now, from, self.end(until)), timeframe);
        let Added { new, changed, known } = added;
        Ok(json!({"new": new, "changed": changed, "known": known, "missing": missing}))
    }

    /// Candles that have not closed yet are no history. A simulated venue has a clock of its own.
    fn end(&self, until: Timestamp) -> Timestamp {
        match self.request.place.environment {
            Environment::Simulated => until,
            Environment::Live | Environment::Testnet => {
                until.min(self.request.timeframe.open_of(self.app.clock.now()))
            }
        }
    }
}

/// Waits until the order is not to go on.
async fn stop(order: &mut watch::Receiver<Order>) -> FetchFailure {
    match order.wait_for(|order| *order != Order::GoOn).await.map(|order| *order) {
        Ok(Order::Cancel) => FetchFailure::Canceled,
        // Nobody is left to give orders: the server ends.
        Ok(Order::Abandon | Order::GoOn) | Err(_) => FetchFailure::Abandoned,
    }
}

/// What a person is told. Files of the server are named in its log only.
fn unusable(error: &CandlesError) -> FetchFailure {
    tracing::warn!(error = error as &dyn std::error::Error, "fetching candles failed");
    match error {
        CandlesError::Venue { from, .. } => {
            let detail = format!(
                "The exchange gave no candles from {from} on. What came before is kept; ask again to go on from there."
            );
            FetchFailure::new("EXCHANGE_DOWN", detail)
        }
        CandlesError::History(keyhold_history::HistoryError::Busy { .. }) => {
            FetchFailure::new("CANDLES_BUSY", "Another program writes these candles now. Try again later.")
        }
        CandlesError::History(_)
        | CandlesError::Option { .. }
        | CandlesError::Unsupported(_)
        | CandlesError::Stopped
        | CandlesError::Print(_) => {
            FetchFailure::new("CANDLES_FAILED", "The candles could not be kept; the server's log says why.")
        }
    }
}
