//! What can be done with any work in the background: queue it, cancel it, delete it.

use std::time::Duration;

use axum::http::StatusCode;
use keyhold_domain::JobId;
use keyhold_store::{
    AddJobRefusal, JobEnd, JobKind, JobRow, JobState, JobStep, NewJob, Stepped, StoreError, WorkspaceStore,
};
use serde_json::Value;

use crate::app::App;
use crate::http::auth::Session;
use crate::http::problem::Problem;
use crate::jobs::{Stopped, tell};
use crate::random;

/// Jobs of a kind of one workspace that have not ended, at most.
const MOST_WAITING: u32 = 50;
/// Jobs of a kind of one workspace that are kept, at most.
const MOST_KEPT: u32 = 500;
/// How long an answer waits for a worker to stop. It looks between chunks of candles, and its priority is the lowest, so
/// on a busy machine it may take longer.
const STOPS_WITHIN: Duration = Duration::from_secs(10);
/// Looks at a job that is between two states, and the pause between them.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Puts a job into its queue and tells of it.
pub(crate) async fn queue(
    app: &App,
    session: &Session,
    kind: JobKind,
    request: &Value,
) -> Result<JobRow, Problem> {
    let id = random::id();
    let new = NewJob {
        id,
        kind,
        by: session.principal.actor.user(),
        request,
        most_waiting: MOST_WAITING,
        most_kept: MOST_KEPT,
        now: app.clock.now(),
    };
    let full = |detail: String, step| Problem::conflict("BT_LIMIT_EXCEEDED", detail).next(step);
    session.workspace.add_job(&new).await.map_err(|refusal| match refusal {
        AddJobRefusal::TooManyWaiting => {
            full(format!("{MOST_WAITING} wait or run already."), "Wait for one to end, or cancel one.")
        }
        AddJobRefusal::TooManyKept => full(format!("{MOST_KEPT} are kept already."), "Delete some of them."),
        AddJobRefusal::Store(error) => error.into(),
    })?;
    let row = session.workspace.job(kind, id).await?;
    tell(app, &session.workspace, &row).await;
    app.jobs.wake(kind);
    Ok(row)
}

/// Stops a job that waits or runs, and waits a while until it has stopped.
pub(crate) async fn cancel(
    app: &App,
    store: &WorkspaceStore,
    kind: JobKind,
    id: JobId,
) -> Result<JobRow, Problem> {
    for look in 0..LOOKS {
        let row = store.job(kind, id).await?;
        match row.state {
            // Whoever asked twice, or a moment too late.
            JobState::Completed | JobState::Failed | JobState::Canceled if look == 0 => {
                return Err(Problem::conflict("JOB_ENDED", "It has ended already."));
            }
            JobState::Completed | JobState::Failed | JobState::Canceled => return Ok(row),
            JobState::Queued => {
                let end = JobEnd::default();
                if let Stepped::Now(_) = store.step_job(id, JobStep::Cancel, &end, app.clock.now()).await? {
                    tell(app, store, &row).await;
                    return Ok(store.job(kind, id).await?);
                }
            }
            JobState::Running => {
                let stopping = tokio::time::timeout(STOPS_WITHIN, app.jobs.stop(id));
                match stopping.await {
                    Ok(Stopped::Ended) => {}
                    // Its worker begins or ends at this moment, or is another server's.
                    Ok(Stopped::NotHere) => tokio::time::sleep(PAUSE).await,
                    Err(_elapsed) => return Ok(store.job(kind, id).await?),
                }
            }
        }
    }
    Ok(store.job(kind, id).await?)
}

/// Deletes a job that has ended.
pub(crate) async fn delete(store: &WorkspaceStore, kind: JobKind, id: JobId) -> Result<StatusCode, Problem> {
    store.delete_job(kind, id).await.map_err(|error| match error {
        StoreError::Referenced => {
            Problem::conflict("JOB_ACTIVE", "It waits or runs.").next("Cancel it first.")
        }
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}
