//! Closing one's account: keys are destroyed first, then everything else goes at once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use keyhold_store::{CloseRefusal, JobKind, JobState, PageRequest, StoreError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::jobs;
use crate::app::Shared;
use crate::http::auth::{Fresh, Session};
use crate::http::cookie;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};

/// As many jobs of a kind as an account keeps.
const MOST_JOBS: u32 = 500;

/// The address, typed again: nobody closes an account by a slip.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseBody {
    /// The account's address.
    email: String,
}

fn refused(refusal: CloseRefusal) -> Problem {
    match refusal {
        CloseRefusal::BotsRunning(labels) => {
            let detail = format!("These bots have not stopped: {}.", labels.join(", "));
            Problem::conflict("BOT_RUNNING", detail)
                .next("Stop them first, and say what becomes of their positions.")
        }
        CloseRefusal::LastAdmin => {
            let detail = "Others have accounts here, and nobody else administers the installation.";
            Problem::conflict("LAST_ADMIN", detail).next("The others close their accounts first.")
        }
        CloseRefusal::Store(error) => error.into(),
    }
}

/// Ends what still works for the account in the background.
async fn stop_jobs(app: &Shared, session: &Session) -> Result<(), Problem> {
    for kind in [JobKind::Backtest, JobKind::Candles] {
        for job in session.workspace.jobs(kind, &PageRequest::new(MOST_JOBS, None)).await? {
            match job.state {
                JobState::Queued | JobState::Running => {
                    match jobs::cancel(app, &session.workspace, kind, job.id).await {
                        Ok(_) => {}
                        // It ended by itself.
                        Err(problem) if problem.code == "JOB_ENDED" => {}
                        Err(problem) => return Err(problem),
                    }
                }
                JobState::Completed | JobState::Failed | JobState::Canceled => {}
            }
        }
    }
    Ok(())
}

/// Closes the account: destroys its keys and deletes everything of it, for good.
#[utoipa::path(post, path = "/me/close", request_body = CloseBody,
    responses((status = 204), (status = 409, body = ProblemDocument), (status = 422, body = ProblemDocument)))]
pub(crate) async fn close(
    State(app): State<Shared>,
    Fresh(session): Fresh,
    Json(body): Json<CloseBody>,
) -> Result<Response, Problem> {
    let me = session.user.me().await?;
    if body.email.trim().to_lowercase() != me.email.trim().to_lowercase() {
        let detail = "This is not the address of the account.";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "CONFIRMATION_WRONG", detail);
        return Err(problem.at("/email").next("Type the address of the account that is to be closed."));
    }
    stop_jobs(&app, &session).await?;
    let turn = app.key_changes.lock().await;
    session.user.begin_closing().await.map_err(refused)?;
    app.keeper.shred_workspace(session.workspace.id()).await?;
    let idle = app.config.sessions.idle_ms;
    let sessions = session.user.sessions(app.clock.now(), idle).await?;
    match session.user.close().await {
        // Everything is gone; the log is emptied with the next change.
        Err(CloseRefusal::Store(StoreError::CheckpointBusy)) => {
            tracing::warn!("the write-ahead log could not be emptied at once after an account was closed");
        }
        done => done.map_err(refused)?,
    }
    drop(turn);
    app.live.forget(session.workspace.id());
    for open in sessions {
        app.live.end_session(open.id);
    }
    app.supervisor.wake();
    tracing::info!(workspace = %session.workspace.id(), "an account was closed");
    let mut response = StatusCode::NO_CONTENT.into_response();
    cookie::clear(response.headers_mut());
    Ok(response)
}
