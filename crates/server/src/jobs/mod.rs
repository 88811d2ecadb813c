//! Work in the background: backtests and candles being fetched, in the order in which they were asked for.
//!
//! `request` is what a job is asked to do, `check` says everything that is wrong with it, `queue` takes jobs out of the
//! store and puts their ends back, `backtest` and `fetch` do the work on threads of the lowest priority, `active` knows how
//! far they are. Bots never wait for any of it: they are other processes, and what they report is stored by other threads.

mod active;
mod backtest;
mod check;
mod coverage;
mod fetch;
mod outcome;
mod queue;
mod request;
mod thread;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use keyhold_domain::JobId;
use keyhold_store::JobKind;
use tokio::sync::Notify;

use crate::http::problem::Problem;

pub(crate) use active::ProgressView;
pub(crate) use check::{Asked, Checked, Coverage, GapView, check};
pub(crate) use coverage::{Recorded, Span, between, count};
pub(crate) use outcome::PART;
pub(crate) use queue::{run, tell};
pub(crate) use request::{
    Assumed, BacktestRequest, Fees, FetchRequest, FundingChoice, GapChoice, Place, Switch, UnsupportedChoice,
};

/// The name of the folder of candles in the data folder.
const CANDLES: &str = "candles";
/// Weight of the newest run in the guess of how fast the next will be.
const NEWEST: f64 = 0.5;

/// What handlers and the queue share.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) recorded: Arc<Recorded>,
    active: Arc<active::ActiveJobs>,
    backtests: Notify,
    fetches: Notify,
    /// Candles per second of earlier runs.
    speed: Mutex<Option<f64>>,
}

impl Jobs {
    /// Nothing to do yet; candles lie below the data folder.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            recorded: Arc::new(Recorded::new(data.join(CANDLES))),
            active: Arc::default(),
            backtests: Notify::new(),
            fetches: Notify::new(),
            speed: Mutex::new(None),
        }
    }

    fn bell(&self, kind: JobKind) -> &Notify {
        match kind {
            JobKind::Backtest => &self.backtests,
            JobKind::Candles => &self.fetches,
        }
    }

    /// A job was put into the queue.
    pub(crate) fn wake(&self, kind: JobKind) {
        self.bell(kind).notify_one();
    }

    /// How far a job is, when somebody works on it here.
    pub(crate) fn progress(&self, id: JobId) -> Option<ProgressView> {
        self.active.progress(id)
    }

    /// Tells a worker to stop and waits until it has.
    pub(crate) async fn stop(&self, id: JobId) -> Stopped {
        let Some(mut seen) = self.active.cancel(id) else { return Stopped::NotHere };
        // An error means that the worker has given its place back.
        while seen.changed().await.is_ok() {}
        Stopped::Ended
    }

    /// The server ends: threads stop soon, states stay as they are for the next start.
    pub(crate) fn abandon(&self) {
        self.active.abandon();
    }

    /// Candles per second to be expected; `None` before the first run.
    pub(crate) fn speed(&self) -> Option<f64> {
        *self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn_speed(&self, per_second: f64) {
        let mut speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        *speed = Some(speed.map_or(per_second, |known| known + (per_second - known) * NEWEST));
    }
}

/// The answer when candles on disk cannot be read. Which file it is, is nobody's business but the log's.
pub(crate) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "recorded candles cannot be read");
    Problem::internal()
}

/// What came of telling a worker to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It has ended.
    Ended,
    /// Nobody works on it in this process.
    NotHere,
}
