//! Jobs that are being worked on in this process: how far they are, and how to stop them.
//!
//! Progress lives here and not in the store: it changes several times a second, and the store belongs to the bots.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhold_domain::{JobId, Timestamp};
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::clock::Stopwatch;

/// What a worker is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    GoOn,
    /// Somebody cancels the job.
    Cancel,
    /// The server ends; the job's state stays.
    Abandon,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Candles done.
    pub(crate) done: u64,
    /// Candles in all.
    pub(crate) all: u64,
    /// Everything before this instant is done.
    pub(crate) at: Timestamp,
}

/// How far a job is, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = JobProgress)]
pub(crate) struct ProgressView {
    /// Candles done.
    done: u64,
    /// Candles in all.
    all: u64,
    /// Everything before this instant of the recorded past is done.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// 0 to 1.
    fraction: f64,
    /// Candles per second so far.
    #[schema(required)]
    per_second: Option<f64>,
    /// What is left will take about this long.
    #[schema(required)]
    eta_ms: Option<i64>,
}

#[derive(Debug)]
struct Active {
    order: watch::Sender<Order>,
    seen: watch::Receiver<Option<Seen>>,
    started: Stopwatch,
}

/// The table of jobs at work.
#[derive(Debug, Default)]
pub(crate) struct ActiveJobs {
    table: Mutex<BTreeMap<JobId, Active>>,
}

/// A job's place in the table; given back when it ends.
#[derive(Debug)]
pub(crate) struct Entry {
    table: Arc<ActiveJobs>,
    id: JobId,
    pub(crate) order: watch::Receiver<Order>,
    pub(crate) seen: watch::Sender<Option<Seen>>,
}

impl ActiveJobs {
    fn table(&self) -> MutexGuard<'_, BTreeMap<JobId, Active>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job is about to be worked on.
    pub(crate) fn begin(self: &Arc<Self>, id: JobId) -> Entry {
        let (order, ordered) = watch::channel(Order::GoOn);
        let (seen, told) = watch::channel(None);
        self.table().insert(id, Active { order, seen: told, started: Stopwatch::start() });
        Entry { table: Arc::clone(self), id, order: ordered, seen }
    }

    /// Tells a worker to stop. The receiver closes when it has; `None` when nobody works on the job here.
    pub(crate) fn cancel(&self, id: JobId) -> Option<watch::Receiver<Option<Seen>>> {
        let table = self.table();
        let active = table.get(&id)?;
        active.order.send_replace(Order::Cancel);
        Some(active.seen.clone())
    }

    /// Tells all workers to stop without an end: the server ends.
    pub(crate) fn abandon(&self) {
        for active in self.table().values() {
            active.order.send_replace(Order::Abandon);
        }
    }

    /// How far a job is, when it has begun.
    pub(crate) fn progress(&self, id: JobId) -> Option<ProgressView> {
        let table = self.table();
        let active = table.get(&id)?;
        let seen = (*active.seen.borrow())?;
        Some(ProgressView::new(seen, active.started.elapsed_ms()))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.table().remove(&self.id);
    }
}

#[expect(clippy::cast_precision_loss, reason = "candles and milliseconds stay far below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

impl ProgressView {
    fn new(seen: Seen, elapsed_ms: u64) -> Self {
        let fraction = if seen.all == 0 { 0.0 } else { float(seen.done.min(seen.all)) / float(seen.all) };
        let measured = seen.done > 0 && elapsed_ms > 0;
        let left = seen.all.saturating_sub(seen.done);
        let eta_ms = (u128::from(elapsed_ms) * u128::from(left)).checked_div(u128::from(seen.done));
        Self {
            done: seen.done,
            all: seen.all,
            at: seen.at,
            fraction,
            per_second: measured.then(|| (float(seen.done) * 1000.0 / float(elapsed_ms)).round()),
            eta_ms: eta_ms.filter(|_| measured).and_then(|eta| i64::try_from(eta).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_hears_the_order_and_gives_its_place_back() {
        let jobs = Arc::new(ActiveJobs::default());
        let id = JobId::from_u128(1);
        assert!(jobs.cancel(id).is_none());
        let entry = jobs.begin(id);
        assert!(jobs.progress(id).is_none(), "nothing was seen yet");
        entry.seen.send_replace(Some(Seen { done: 5, all: 20, at: Timestamp::EPOCH }));
        let progress = jobs.progress(id).unwrap();
        assert!((progress.fraction - 0.25).abs() < 1e-12);
        let closed = jobs.cancel(id).unwrap();
        assert_eq!(*entry.order.borrow(), Order::Cancel);
        drop(entry);
        assert!(closed.has_changed().is_err(), "whoever waits sees that it has ended");
        assert!(jobs.progress(id).is_none());
    }

    #[test]
    fn what_is_left_is_guessed_from_what_was_done() {
        let seen = Seen { done: 1_000, all: 4_000, at: Timestamp::EPOCH };
        let view = ProgressView::new(seen, 500);
        assert_eq!((view.per_second, view.eta_ms), (Some(2_000.0), Some(1_500)));
        let nothing = ProgressView::new(Seen { done: 0, ..seen }, 500);
        assert_eq!((nothing.per_second, nothing.eta_ms), (None, None));
    }
}
