//! Takes jobs out of the store, gives them to threads, tells how far they are, and puts their ends back.
//!
//! Backtests run beside each other, one per processor but one, and together within a bound of candles in memory; the
//! oldest waits for room and is not overtaken. Candles are fetched one job at a time: venues count requests.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::Timestamp;
use keyhold_protocol::uplink::Severity;
use keyhold_store::{
    JobEnd, JobKind, JobRow, JobState, JobStep, NewEvent, Stepped, StoreError, WorkspaceStore,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::active::{Entry, Seen};
use super::backtest::{Failure, Worker};
use super::fetch::{FetchFailure, Fetcher};
use super::request::{BacktestRequest, FetchRequest, MOST_CANDLES};
use super::thread;
use crate::api::backtest_view::{BacktestView, Detail};
use crate::api::candle_view::FetchView;
use crate::app::{App, Shared};
use crate::clock::Stopwatch;
use crate::random;

/// Progress is told at most this often.
const TELL: Duration = Duration::from_millis(250);
/// Jobs are looked for this often even when nobody has rung, should a bell have been missed.
const LOOK: Duration = Duration::from_secs(30);
/// After the store has failed.
const REST: Duration = Duration::from_secs(2);
/// Candles are counted in thousands when room is given out.
const UNIT: u64 = 1000;

/// Serves both queues until it is aborted.
pub(crate) async fn run(app: Shared) {
    while let Err(error) = settle(&app).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "looking at interrupted jobs failed");
        tokio::time::sleep(REST).await;
    }
    tokio::join!(serve(Arc::clone(&app), JobKind::Backtest, workers()), serve(app, JobKind::Candles, 1));
}

/// One processor is left to everything else.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1)
}

/// What an earlier server left behind: a backtest begins at its beginning or not at all, so it has failed; fetching goes
/// on where it was.
async fn settle(app: &App) -> Result<(), StoreError> {
    let system = app.store.system();
    let now = app.clock.now();
    for job in system.jobs_in(JobKind::Backtest, JobState::Running).await? {
        let store = system.workspace(job.workspace);
        store.drop_backtest_result(job.id).await?;
        let end = JobEnd {
            code: Some("BT_SERVER_ENDED".to_owned()),
            detail: Some("The server ended while the backtest ran. Run it again.".to_owned()),
            summary: None,
        };
        store.step_job(job.id, JobStep::Fail, &end, now).await?;
    }
    for job in system.jobs_in(JobKind::Candles, JobState::Running).await? {
        let store = system.workspace(job.workspace);
        store.step_job(job.id, JobStep::Requeue, &JobEnd::default(), now).await?;
    }
    Ok(())
}

async fn serve(app: Shared, kind: JobKind, at_once: usize) {
    let slots = Arc::new(Semaphore::new(at_once));
    let room =
        Arc::new(Semaphore::new(usize::try_from(units(MOST_CANDLES)).unwrap_or(Semaphore::MAX_PERMITS)));
    let mut working = JoinSet::new();
    loop {
        // Neither is ever closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let job = match app.store.system().next_job(kind).await {
            Ok(Some(job)) => job,
            Ok(None) => {
                drop(slot);
                // Either way it is time to look again.
                let _rung = tokio::time::timeout(LOOK, app.jobs.bell(kind).notified()).await;
                continue;
            }
            Err(error) => {
                drop(slot);
                tracing::warn!(error = &error as &dyn std::error::Error, "looking for the next job failed");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Ok(space) = Arc::clone(&room).acquire_many_owned(needs(&job)).await else { return };
        // Begun before the next one is looked for, so that none is taken twice.
        if let Some(begun) = begin(&app, job).await {
            working.spawn(work(Arc::clone(&app), begun, (slot, space)));
        }
        while working.try_join_next().is_some() {}
    }
}

fn units(candles: u64) -> u32 {
    u32::try_from(candles.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// How much room a job takes.
fn needs(job: &JobRow) -> u32 {
    let candles = job.request.get("recorded_candles").and_then(Value::as_u64).unwrap_or(0);
    units(candles.min(MOST_CANDLES))
}

/// A job whose worker can be given orders, in the state `running`.
struct Begun {
    job: JobRow,
    store: WorkspaceStore,
    entry: Entry,
}

async fn begin(app: &App, job: JobRow) -> Option<Begun> {
    let store = app.store.system().workspace(job.workspace);
    let entry = app.jobs.active.begin(job.id);
    match store.step_job(job.id, JobStep::Start, &JobEnd::default(), app.clock.now()).await {
        Ok(Stepped::Now(_)) => {
            tell(app, &store, &job).await;
            Some(Begun { job, store, entry })
        }
        // Canceled or deleted a moment ago.
        Ok(Stepped::Refused(_)) | Err(StoreError::NotFound) => None,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "beginning a job failed");
            tokio::time::sleep(REST).await;
            None
        }
    }
}

/// How a job ends.
struct Ending {
    step: JobStep,
    end: JobEnd,
    result: Option<keyhold_store::BacktestResult>,
}

impl Ending {
    fn failed(code: &str, detail: String) -> Self {
        let end = JobEnd { code: Some(code.to_owned()), detail: Some(detail), summary: None };
        Self { step: JobStep::Fail, end, result: None }
    }

    fn canceled() -> Self {
        Self { step: JobStep::Cancel, end: JobEnd::default(), result: None }
    }
}

async fn work(app: Shared, begun: Begun, held: (OwnedSemaphorePermit, OwnedSemaphorePermit)) {
    let ending = match begun.job.kind {
        JobKind::Backtest => backtest(&app, &begun).await,
        JobKind::Candles => fetch(&app, &begun).await,
    };
    // Room is free as soon as nothing is computed anymore.
    drop(held);
    if let Some(ending) = ending
        && let Err(error) = conclude(&app, &begun, ending).await
    {
        tracing::error!(error = &error as &dyn std::error::Error, "the end of a job could not be stored");
    }
    let Begun { job, store, entry } = begun;
    // Whoever waits for the end reads the store next.
    drop(entry);
    tell(&app, &store, &job).await;
    app.jobs.wake(job.kind);
}

fn unreadable() -> Ending {
    Ending::failed("BT_FAILED", "The request was written by another version and cannot be read.".to_owned())
}

fn broken(code: &'static str) -> Ending {
    Ending::failed(code, "The work broke off by a fault of ours; the server's log says where.".to_owned())
}

async fn backtest(app: &Shared, begun: &Begun) -> Option<Ending> {
    let Ok(request) = serde_json::from_value::<BacktestRequest>(begun.job.request.clone()) else {
        return Some(unreadable());
    };
    let watch = Stopwatch::start();
    let worker = Worker {
        recorded: Arc::clone(&app.jobs.recorded),
        request,
        order: begun.entry.order.clone(),
        seen: begun.entry.seen.clone(),
        watch,
    };
    let Ok(done) = thread::spawn("backtest", move || worker.run()) else {
        return Some(Ending::failed("BT_FAILED", "The system gave no thread for the run.".to_owned()));
    };
    match follow(app, begun, done).await {
        Some(Ok(output)) => {
            if let Some(per_second) = output.candles.checked_mul(1000).and_then(|candles| {
                let elapsed = watch.elapsed_ms();
                u32::try_from(candles.checked_div(elapsed.max(1))?).ok()
            }) {
                app.jobs.learn_speed(f64::from(per_second.max(1)));
            }
            let end =
                JobEnd { code: output.code.map(str::to_owned), detail: None, summary: Some(output.summary) };
            Some(Ending { step: JobStep::Complete, end, result: Some(output.result) })
        }
        Some(Err(Failure::Canceled)) => Some(Ending::canceled()),
        Some(Err(Failure::Abandoned)) => None,
        Some(Err(Failure::Failed { code, detail })) => Some(Ending::failed(code, detail)),
        None => Some(broken("BT_FAILED")),
    }
}

async fn fetch(app: &Shared, begun: &Begun) -> Option<Ending> {
    let Ok(request) = serde_json::from_value::<FetchRequest>(begun.job.request.clone()) else {
        return Some(unreadable());
    };
    let fetcher = Fetcher {
        app: Arc::clone(app),
        recorded: Arc::clone(&app.jobs.recorded),
        request,
        order: begun.entry.order.clone(),
        seen: begun.entry.seen.clone(),
    };
    let Ok(done) = thread::spawn("candles", move || fetcher.run()) else {
        return Some(Ending::failed("CANDLES_FAILED", "The system gave no thread for the work.".to_owned()));
    };
    match follow(app, begun, done).await {
        Some(Ok(summary)) => {
            let end = JobEnd { summary: Some(summary), ..JobEnd::default() };
            Some(Ending { step: JobStep::Complete, end, result: None })
        }
        Some(Err(FetchFailure::Canceled)) => Some(Ending::canceled()),
        Some(Err(FetchFailure::Abandoned)) => None,
        Some(Err(FetchFailure::Failed { code, detail })) => Some(Ending::failed(code, detail)),
        None => Some(broken("CANDLES_FAILED")),
    }
}

/// Waits for the thread and tells how far it is. `None` when it has panicked.
async fn follow<T>(app: &App, begun: &Begun, mut done: oneshot::Receiver<T>) -> Option<T> {
    let mut seen: watch::Receiver<Option<Seen>> = begun.entry.seen.subscribe();
    let mut ticks = tokio::time::interval(TELL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            ended = &mut done => return ended.ok(),
            _ = ticks.tick() => {
                // The entry holds the other end.
                if seen.has_changed().unwrap_or(false) {
                    seen.mark_unchanged();
                    tell(app, &begun.store, &begun.job).await;
                }
            }
        }
    }
}

async fn conclude(app: &App, begun: &Begun, ending: Ending) -> Result<(), StoreError> {
    let (store, job, now) = (&begun.store, &begun.job, app.clock.now());
    let stepped = match &ending.result {
        Some(result) => store.complete_backtest(job.id, result, &ending.end, now).await?,
        None => store.step_job(job.id, ending.step, &ending.end, now).await?,
    };
    let Stepped::Now(state) = stepped else { return Ok(()) };
    let Some((severity, code)) = news(job.kind, state) else { return Ok(()) };
    let text = match ending.end.detail {
        Some(detail) => format!("{}: {detail}", what(job)),
        None => format!("{}.", what(job)),
    };
    entry(app, store, (severity, code), text, now).await
}

/// What is worth an entry of the activity feed. Who cancels knows it.
const fn news(kind: JobKind, state: JobState) -> Option<(Severity, &'static str)> {
    match (kind, state) {
        (JobKind::Backtest, JobState::Completed) => Some((Severity::Info, "BACKTEST_COMPLETED")),
        (JobKind::Backtest, JobState::Failed) => Some((Severity::Warning, "BACKTEST_FAILED")),
        (JobKind::Candles, JobState::Completed) => Some((Severity::Info, "CANDLES_FETCHED")),
        (JobKind::Candles, JobState::Failed) => Some((Severity::Warning, "CANDLES_FAILED")),
        (_, JobState::Queued | JobState::Running | JobState::Canceled) => None,
    }
}

/// What a job is about, in a few words.
fn what(job: &JobRow) -> String {
    match job.kind {
        JobKind::Backtest => match serde_json::from_value::<BacktestRequest>(job.request.clone()) {
            Ok(request) => {
                let symbols: Vec<&str> =
                    request.markets.iter().map(|market| market.place.symbol.as_str()).collect();
                format!("{} on {}", request.document.name, symbols.join(", "))
            }
            Err(_) => "A backtest".to_owned(),
        },
        JobKind::Candles => match serde_json::from_value::<FetchRequest>(job.request.clone()) {
            Ok(request) => format!("Candles of {} {}", request.place.symbol, request.timeframe.as_str()),
            Err(_) => "Candles".to_owned(),
        },
    }
}

async fn entry(
    app: &App,
    store: &WorkspaceStore,
    (severity, code): (Severity, &str),
    text: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = NewEvent {
        id: random::id(),
        at: now,
        severity,
        code: code.to_owned(),
        text,
        bot: None,
        key: None,
        symbol: None,
    };
    store.add_event(&event).await?;
    crate::watch::tell::entry(&app.live, store, event).await
}

/// Tells everybody who watches the workspace how the job is now.
pub(crate) async fn tell(app: &App, store: &WorkspaceStore, job: &JobRow) {
    let row = match store.job(job.kind, job.id).await {
        Ok(row) => row,
        // Deleted: nothing is left to tell of.
        Err(StoreError::NotFound) => return,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a job's change was not told");
            return;
        }
    };
    match row.kind {
        JobKind::Backtest => {
            publish(app, store, "backtest", BacktestView::new(app, row, Detail::Short).await);
        }
        JobKind::Candles => publish(app, store, "candle_fetch", FetchView::new(app, row).await),
    }
}

fn publish<T: Serialize>(app: &App, store: &WorkspaceStore, name: &'static str, view: Result<T, StoreError>) {
    match view {
        Ok(view) => app.live.publish(store.id(), name, &view),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, name, "a job's change was not told");
        }
    }
}
