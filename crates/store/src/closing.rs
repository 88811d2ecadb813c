//! Closing an account: everything of it goes, in one transaction, with its bytes.
//!
//! The caller has the keeper destroy what opens the keys between [`UserStore::begin_closing`] and
//! [`UserStore::close`]. An account that is interrupted in between still exists, with its keys switched off, and can be
//! closed again. Markets and candles belong to nobody and stay.

use crate::StoreError;
use crate::accounts::UserStore;
use crate::database::{Transaction, statements};
use crate::row::args;

statements! {
    LAST_ADMIN = "SELECT (SELECT COUNT(*) FROM users WHERE admin = 1 AND id <> $1) AS admins, \
         (SELECT COUNT(*) FROM users WHERE id <> $1) AS people, admin FROM users WHERE id = $1";
    RUNNING_BOTS = "SELECT b.label FROM bots b JOIN deployments d ON d.workspace_id = b.workspace_id \
         AND d.id = b.deployment_id WHERE b.workspace_id = $1 AND d.stopped_at IS NULL ORDER BY b.label";
    KEYS_OFF = "UPDATE api_keys SET active = 0 WHERE workspace_id = $1";
    DROP_BOTS = "DELETE FROM bots WHERE workspace_id = $1";
    DROP_KEYS = "DELETE FROM api_keys WHERE workspace_id = $1";
    DROP_TEMPLATES = "DELETE FROM templates WHERE workspace_id = $1";
    DROP_WORKSPACE = "DELETE FROM workspaces WHERE id = $1";
    DROP_USER = "DELETE FROM users WHERE id = $1";
    DROP_CLAIM = "DELETE FROM claim WHERE NOT EXISTS (SELECT id FROM users)";
}

/// Why an account cannot be closed now.
#[derive(Debug, thiserror::Error)]
pub enum CloseRefusal {
    /// These bots have not stopped.
    #[error("bots have not stopped")]
    BotsRunning(Vec<String>),
    /// Others have accounts here, and nobody else administers the installation.
    #[error("nobody else administers the installation")]
    LastAdmin,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UserStore {
    /// First step: refuses what cannot be closed and switches every key off.
    ///
    /// # Errors
    /// [`CloseRefusal`].
    pub async fn begin_closing(&self) -> Result<(), CloseRefusal> {
        let mut tx = self.database.begin().await?;
        self.check_closing(&mut tx).await?;
        tx.run(KEYS_OFF, args![self.workspace]).await?;
        Ok(tx.commit().await?)
    }

    async fn check_closing(&self, tx: &mut Transaction) -> Result<(), CloseRefusal> {
        let row = tx.one(LAST_ADMIN, args![self.user]).await?.ok_or(StoreError::NotFound)?;
        if row.int("admin")? == 1 && row.int("admins")? == 0 && row.int("people")? > 0 {
            return Err(CloseRefusal::LastAdmin);
        }
        let running = tx.all(RUNNING_BOTS, args![self.workspace]).await?;
        let labels = running.iter().map(|row| row.text("label")).collect::<Result<Vec<_>, _>>()?;
        if labels.is_empty() { Ok(()) } else { Err(CloseRefusal::BotsRunning(labels)) }
    }

    /// Last step: removes the person and their workspace with every row that belongs to either. After the last person
    /// the installation can be claimed again.
    ///
    /// # Errors
    /// [`CloseRefusal`]; [`StoreError::CheckpointBusy`] when the rows are gone but their bytes stay in the write-ahead
    /// log until the next checkpoint.
    pub async fn close(&self) -> Result<(), CloseRefusal> {
        let mut tx = self.database.begin().await?;
        self.check_closing(&mut tx).await?;
        // Bots refer to keys and templates; everything else goes with its workspace.
        for statement in [DROP_BOTS, DROP_KEYS, DROP_TEMPLATES, DROP_WORKSPACE] {
            tx.run(statement, args![self.workspace]).await?;
        }
        tx.run(DROP_USER, args![self.user]).await?;
        tx.run(DROP_CLAIM, args![]).await?;
        tx.commit().await?;
        Ok(self.database.empty_write_ahead_log().await?)
    }
}
