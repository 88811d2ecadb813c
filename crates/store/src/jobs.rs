//! Work in the background: who asked for it, how far it is, how it ended. What it is about is a document of the server.
//!
//! States change by [`JobStep`] only, each in a transaction that looks at the state first, so that a worker that ends and
//! a person who cancels at the same moment agree on what happened.

use keyhold_domain::{JobId, Timestamp, UserId, WorkspaceId};
use serde_json::Value;

use crate::database::{Transaction, statements};
use crate::job_state::{JobState, JobStep};
use crate::page::PageRequest;
use crate::row::{Row, args, to_document};
use crate::{StoreError, SystemStore, WorkspaceStore};

statements! {
    ADD_JOB = "INSERT INTO jobs (workspace_id, id, kind, number, started_by, request, state, created_at) \
         VALUES ($1, $2, $3, (SELECT COALESCE(MAX(number), 0) + 1 FROM jobs), $4, $5, 'queued', $6)";
    COUNT_JOBS = "SELECT COUNT(*) AS every, COUNT(CASE WHEN finished_at IS NULL THEN 1 END) AS waiting FROM jobs \
         WHERE workspace_id = $1 AND kind = $2";
    LIST_JOBS = "SELECT j.workspace_id, j.id, j.kind, j.number, j.started_by, u.email, j.request, j.state, j.code, \
         j.detail, j.summary, j.created_at, j.started_at, j.finished_at FROM jobs j \
         LEFT JOIN users u ON u.id = j.started_by WHERE j.workspace_id = $1 AND j.kind = $2 \
         AND (j.created_at < $3 OR (j.created_at = $3 AND j.id < $4)) ORDER BY j.created_at DESC, j.id DESC LIMIT $5";
    FIND_JOB = "SELECT j.workspace_id, j.id, j.kind, j.number, j.started_by, u.email, j.request, j.state, j.code, \
         j.detail, j.summary, j.created_at, j.started_at, j.finished_at FROM jobs j \
         LEFT JOIN users u ON u.id = j.started_by WHERE j.workspace_id = $1 AND j.kind = $2 AND j.id = $3";
    JOBS_IN_STATE = "SELECT j.workspace_id, j.id, j.kind, j.number, j.started_by, u.email, j.request, j.state, j.code, \
         j.detail, j.summary, j.created_at, j.started_at, j.finished_at FROM jobs j \
         LEFT JOIN users u ON u.id = j.started_by WHERE j.kind = $1 AND j.state = $2 ORDER BY j.number LIMIT $3";
    JOBS_AHEAD = "SELECT COUNT(*) AS ahead FROM jobs WHERE kind = $1 AND state = 'queued' AND number < $2";
    JOBS_QUEUED = "SELECT COUNT(*) AS ahead FROM jobs WHERE kind = $1 AND finished_at IS NULL";
    STATE_OF_JOB = "SELECT state FROM jobs WHERE workspace_id = $1 AND id = $2";
    JOB_STARTED = "UPDATE jobs SET state = $1, started_at = $2 WHERE workspace_id = $3 AND id = $4";
    JOB_REQUEUED = "UPDATE jobs SET state = $1, started_at = NULL WHERE workspace_id = $2 AND id = $3";
    JOB_ENDED = "UPDATE jobs SET state = $1, code = $2, detail = $3, summary = $4, finished_at = $5 \
         WHERE workspace_id = $6 AND id = $7";
    DROP_JOB = "DELETE FROM jobs WHERE workspace_id = $1 AND kind = $2 AND id = $3";
}

/// Jobs looked at when the server starts; more than any queue holds.
const MOST_AT_ONCE: i64 = 10_000;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// A backtest.
    Backtest,
    /// Candles are fetched from a venue.
    Candles,
}

impl JobKind {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Candles => "candles",
        }
    }
}

impl std::str::FromStr for JobKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Backtest, Self::Candles].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: JobKind,
    /// Who asks.
    pub by: Option<UserId>,
    /// What exactly.
    pub request: &'a Value,
    /// Refused when so many of its kind have not ended yet.
    pub most_waiting: u32,
    /// Refused when so many of its kind are kept.
    pub most_kept: u32,
    /// Now.
    pub now: Timestamp,
}

/// Why a job was not queued.
#[derive(Debug, thiserror::Error)]
pub enum AddJobRefusal {
    /// Too many have not ended yet.
    #[error("too many jobs wait")]
    TooManyWaiting,
    /// Too many are kept.
    #[error("too many jobs are kept")]
    TooManyKept,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Whose.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: JobId,
    /// What is done.
    pub kind: JobKind,
    /// Its place in the order over all workspaces.
    pub number: i64,
    /// Who asked, with the address; `None` when the account is gone.
    pub by: Option<(UserId, String)>,
    /// What exactly.
    pub request: Value,
    /// How far it is.
    pub state: JobState,
    /// Why it failed or what is special about it.
    pub code: Option<String>,
    /// The same as a sentence.
    pub detail: Option<String>,
    /// What came of it, in a few figures.
    pub summary: Option<Value>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How a job ended.
#[derive(Debug, Clone, Default)]
pub struct JobEnd {
    /// A stable code, when it failed.
    pub code: Option<String>,
    /// A sentence.
    pub detail: Option<String>,
    /// A few figures, when it completed.
    pub summary: Option<Value>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// The job is in this state now.
    Now(JobState),
    /// The step cannot happen in the state the job is in.
    Refused(JobState),
}

fn job(row: &Row) -> Result<JobRow, StoreError> {
    let summary = row.optional_text("summary")?;
    let summary = summary.map(|text| serde_json::from_str(&text)).transpose();
    let by = row.optional_parsed("started_by")?.zip(row.optional_text("email")?);
    Ok(JobRow {
        workspace: row.parsed("workspace_id")?,
        id: row.parsed("id")?,
        kind: row.parsed("kind")?,
        number: row.int("number")?,
        by,
        request: row.document("request")?,
        state: row.parsed("state")?,
        code: row.optional_text("code")?,
        detail: row.optional_text("detail")?,
        summary: summary.map_err(|_| StoreError::Corrupt { column: "summary" })?,
        created_at: row.time("created_at")?,
        started_at: row.optional_time("started_at")?,
        finished_at: row.optional_time("finished_at")?,
    })
}

impl WorkspaceStore {
    /// Puts a job at the end of the queue.
    ///
    /// # Errors
    /// [`AddJobRefusal`].
    pub async fn add_job(&self, new: &NewJob<'_>) -> Result<(), AddJobRefusal> {
        let request = to_document(new.request, "request")?;
        let mut tx = self.database.begin().await?;
        let row = tx.one(COUNT_JOBS, args![self.workspace, new.kind.as_str()]).await?;
        let row = row.ok_or(StoreError::NotFound)?;
        if row.int("waiting")? >= i64::from(new.most_waiting) {
            return Err(AddJobRefusal::TooManyWaiting);
        }
        if row.int("every")? >= i64::from(new.most_kept) {
            return Err(AddJobRefusal::TooManyKept);
        }
        let values = args![self.workspace, new.id, new.kind.as_str(), new.by, request, new.now];
        tx.run(ADD_JOB, values).await?;
        Ok(tx.commit().await?)
    }

    /// A page of jobs of a kind, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs(&self, kind: JobKind, page: &PageRequest) -> Result<Vec<JobRow>, StoreError> {
        let values = args![self.workspace, kind.as_str(), page.at(), page.id(), page.limit()];
        self.database.all(LIST_JOBS, values).await?.iter().map(job).collect()
    }

    /// One job of a kind.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn job(&self, kind: JobKind, id: JobId) -> Result<JobRow, StoreError> {
        let row = self.database.one(FIND_JOB, args![self.workspace, kind.as_str(), id]).await?;
        job(&row.ok_or(StoreError::NotFound)?)
    }

    /// Takes a step, if it can happen in the state the job is in.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn step_job(
        &self,
        id: JobId,
        step: JobStep,
        end: &JobEnd,
        now: Timestamp,
    ) -> Result<Stepped, StoreError> {
        let mut tx = self.database.begin().await?;
        let stepped = self.step_within(&mut tx, id, step, end, now).await?;
        tx.commit().await?;
        Ok(stepped)
    }

    pub(crate) async fn step_within(
        &self,
        tx: &mut Transaction,
        id: JobId,
        step: JobStep,
        end: &JobEnd,
        now: Timestamp,
    ) -> Result<Stepped, StoreError> {
        let row = tx.one(STATE_OF_JOB, args![self.workspace, id]).await?;
        let state: JobState = row.ok_or(StoreError::NotFound)?.parsed("state")?;
        let Some(next) = state.after(step) else { return Ok(Stepped::Refused(state)) };
        match next {
            JobState::Running => {
                tx.run(JOB_STARTED, args![next.as_str(), now, self.workspace, id]).await?;
            }
            JobState::Queued => {
                tx.run(JOB_REQUEUED, args![next.as_str(), self.workspace, id]).await?;
            }
            JobState::Completed | JobState::Failed | JobState::Canceled => {
                let summary = end.summary.as_ref().map(|value| to_document(value, "summary")).transpose()?;
                let (code, detail) = (end.code.as_deref(), end.detail.as_deref());
                let values = args![next.as_str(), code, detail, summary, now, self.workspace, id];
                tx.run(JOB_ENDED, values).await?;
            }
        }
        Ok(Stepped::Now(next))
    }

    /// Removes a job that has ended, with its result.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Referenced`] while it waits or runs.
    pub async fn delete_job(&self, kind: JobKind, id: JobId) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        let row = tx.one(FIND_JOB, args![self.workspace, kind.as_str(), id]).await?;
        let found = job(&row.ok_or(StoreError::NotFound)?)?;
        if !found.state.is_final() {
            return Err(StoreError::Referenced);
        }
        tx.run(DROP_JOB, args![self.workspace, kind.as_str(), id]).await?;
        tx.commit().await
    }
}

impl SystemStore {
    /// Jobs of a kind in a state, in their order, over all workspaces.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_in(&self, kind: JobKind, state: JobState) -> Result<Vec<JobRow>, StoreError> {
        let values = args![kind.as_str(), state.as_str(), MOST_AT_ONCE];
        self.database.all(JOBS_IN_STATE, values).await?.iter().map(job).collect()
    }

    /// The job to be begun next.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn next_job(&self, kind: JobKind) -> Result<Option<JobRow>, StoreError> {
        let values = args![kind.as_str(), JobState::Queued.as_str(), 1_i64];
        self.database.one(JOBS_IN_STATE, values).await?.as_ref().map(job).transpose()
    }

    /// How many jobs of the kind wait or run.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_queued(&self, kind: JobKind) -> Result<i64, StoreError> {
        let row = self.database.one(JOBS_QUEUED, args![kind.as_str()]).await?;
        row.ok_or(StoreError::NotFound)?.int("ahead")
    }

    /// How many jobs of the kind are begun before this one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_ahead(&self, of: &JobRow) -> Result<i64, StoreError> {
        let row = self.database.one(JOBS_AHEAD, args![of.kind.as_str(), of.number]).await?;
        row.ok_or(StoreError::NotFound)?.int("ahead")
    }
}
