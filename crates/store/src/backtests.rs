//! What backtests brought: the report, the same as a page, and the trades in parts.

use keyhold_domain::{JobId, Timestamp};

use crate::database::statements;
use crate::job_state::JobStep;
use crate::jobs::{JobEnd, Stepped};
use crate::row::args;
use crate::{StoreError, WorkspaceStore};

statements! {
    ADD_RESULT = "INSERT INTO backtest_results (workspace_id, job_id, report, page) VALUES ($1, $2, $3, $4)";
    FIND_REPORT = "SELECT report FROM backtest_results WHERE workspace_id = $1 AND job_id = $2";
    FIND_PAGE = "SELECT page FROM backtest_results WHERE workspace_id = $1 AND job_id = $2";
    ADD_TRADES = "INSERT INTO backtest_trades (workspace_id, job_id, part, document) VALUES ($1, $2, $3, $4)";
    FIND_TRADES = "SELECT document FROM backtest_trades WHERE workspace_id = $1 AND job_id = $2 AND part >= $3 \
         AND part <= $4 ORDER BY part";
    DROP_RESULT = "DELETE FROM backtest_results WHERE workspace_id = $1 AND job_id = $2";
    DROP_TRADES = "DELETE FROM backtest_trades WHERE workspace_id = $1 AND job_id = $2";
}

/// What a backtest brought, as texts.
#[derive(Debug, Clone)]
pub struct BacktestResult {
    /// The report without its trades, JSON.
    pub report: String,
    /// The report as an HTML page.
    pub page: String,
    /// The trades in the order in which they ended, as JSON lists of a fixed length; the last may be shorter.
    pub trades: Vec<String>,
}

impl WorkspaceStore {
    /// Keeps the result and ends the job. When the job cannot be completed anymore, because somebody has canceled it,
    /// nothing is kept. Trades are written before, part by part, so that nobody else waits long for the database.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the job is gone.
    pub async fn complete_backtest(
        &self,
        id: JobId,
        result: &BacktestResult,
        end: &JobEnd,
        now: Timestamp,
    ) -> Result<Stepped, StoreError> {
        for (part, document) in (0_i64..).zip(&result.trades) {
            match self.database.run(ADD_TRADES, args![self.workspace, id, part, document]).await {
                Err(StoreError::Referenced) => return Err(StoreError::NotFound),
                other => other?,
            };
        }
        let mut tx = self.database.begin().await?;
        let stepped = self.step_within(&mut tx, id, JobStep::Complete, end, now).await?;
        match stepped {
            Stepped::Now(_) => {
                tx.run(ADD_RESULT, args![self.workspace, id, &result.report, &result.page]).await?;
            }
            Stepped::Refused(_) => {
                tx.run(DROP_TRADES, args![self.workspace, id]).await?;
            }
        }
        tx.commit().await?;
        Ok(stepped)
    }

    /// Removes what an interrupted server may have left of a result.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn drop_backtest_result(&self, id: JobId) -> Result<(), StoreError> {
        self.database.run(DROP_TRADES, args![self.workspace, id]).await?;
        self.database.run(DROP_RESULT, args![self.workspace, id]).await.map(drop)
    }

    /// The report without its trades, JSON.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn backtest_report(&self, id: JobId) -> Result<String, StoreError> {
        let row = self.database.one(FIND_REPORT, args![self.workspace, id]).await?;
        row.ok_or(StoreError::NotFound)?.text("report")
    }

    /// The report as an HTML page.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn backtest_page(&self, id: JobId) -> Result<String, StoreError> {
        let row = self.database.one(FIND_PAGE, args![self.workspace, id]).await?;
        row.ok_or(StoreError::NotFound)?.text("page")
    }

    /// Parts of the trades, from `first` to `last`, both included; each a JSON list.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn backtest_trades(&self, id: JobId, first: u32, last: u32) -> Result<Vec<String>, StoreError> {
        let rows = self.database.all(FIND_TRADES, args![self.workspace, id, first, last]).await?;
        rows.iter().map(|row| row.text("document")).collect()
    }
}
