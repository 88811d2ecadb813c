//! Commands on their way to a bot. Each has an id by which the bot recognizes a repeat, so sending again is harmless.

use keyhold_domain::{BotId, CommandId, DeploymentId, Timestamp};
use keyhold_protocol::uplink::{Command, CommandOutcome};

use crate::database::statements;
use crate::row::{Row, args, to_document};
use crate::{StoreError, WorkspaceStore};

statements! {
    ADD_COMMAND = "INSERT INTO commands (workspace_id, id, bot_id, deployment_id, kind, body, status, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    LIST_COMMANDS = "SELECT id, bot_id, kind, body, status, code, detail, created_at, delivered_at, finished_at \
         FROM commands WHERE workspace_id = $1 AND bot_id = $2 ORDER BY created_at DESC, id LIMIT 200";
    OPEN_COMMANDS = "SELECT id, bot_id, kind, body, status, code, detail, created_at, delivered_at, finished_at \
         FROM commands WHERE workspace_id = $1 AND deployment_id = $2 AND finished_at IS NULL ORDER BY created_at, id \
         LIMIT 200";
    FIND_COMMAND = "SELECT id, bot_id, kind, body, status, code, detail, created_at, delivered_at, finished_at \
         FROM commands WHERE workspace_id = $1 AND id = $2";
    COMMAND_DELIVERED = "UPDATE commands SET status = 'delivered', delivered_at = $1 \
         WHERE workspace_id = $2 AND id = $3 AND status = 'pending'";
    COMMAND_FINISHED = "UPDATE commands SET status = $1, code = $2, detail = $3, finished_at = $4 \
         WHERE workspace_id = $5 AND id = $6 AND finished_at IS NULL";
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStatus {
    /// Not sent yet.
    Pending,
    /// Sent.
    Delivered,
    /// Carried out.
    Completed,
    /// Not carried out, or in part.
    Failed,
    /// The run ended before.
    Expired,
}

impl CommandStatus {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl std::str::FromStr for CommandStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Pending, Self::Delivered, Self::Completed, Self::Failed, Self::Expired]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(())
    }
}

/// A command to be remembered. `body` is what goes to the bot; without one it is done by the server itself and is
/// complete at once.
#[derive(Debug, Clone)]
pub struct NewCommand {
    /// Its id, by which the bot recognizes repeats.
    pub id: CommandId,
    /// To which bot.
    pub bot: BotId,
    /// To which of its runs.
    pub deployment: Option<DeploymentId>,
    /// The word people see: `pause`, `resume`, `flatten`, `stop`, `deploy`.
    pub kind: &'static str,
    /// What goes to the bot.
    pub body: Option<Command>,
    /// Now.
    pub now: Timestamp,
}

/// A command.
#[derive(Debug, Clone)]
pub struct CommandRow {
    /// Its id.
    pub id: CommandId,
    /// To which bot.
    pub bot: BotId,
    /// The word people see.
    pub kind: String,
    /// What goes to the bot.
    pub body: Option<Command>,
    /// How far.
    pub status: CommandStatus,
    /// Why it failed.
    pub code: Option<String>,
    /// A sentence about it.
    pub detail: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was sent.
    pub delivered_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

fn command(row: &Row) -> Result<CommandRow, StoreError> {
    Ok(CommandRow {
        id: row.parsed("id")?,
        bot: row.parsed("bot_id")?,
        kind: row.text("kind")?,
        body: row.document("body")?,
        status: row.parsed("status")?,
        code: row.optional_text("code")?,
        detail: row.optional_text("detail")?,
        created_at: row.time("created_at")?,
        delivered_at: row.optional_time("delivered_at")?,
        finished_at: row.optional_time("finished_at")?,
    })
}

impl WorkspaceStore {
    /// Remembers a command.
    ///
    /// # Errors
    /// [`StoreError::Referenced`] when there is no such bot.
    pub async fn add_command(&self, new: &NewCommand) -> Result<CommandRow, StoreError> {
        let status = if new.body.is_some() { CommandStatus::Pending } else { CommandStatus::Completed };
        let body = to_document(&new.body, "body")?;
        let values =
            args![self.workspace, new.id, new.bot, new.deployment, new.kind, body, status.as_str(), new.now];
        self.database.run(ADD_COMMAND, values).await?;
        if new.body.is_none() {
            self.end_command(new.id, status, None, new.now).await?;
        }
        self.command(new.id).await
    }

    /// One command.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn command(&self, id: CommandId) -> Result<CommandRow, StoreError> {
        let row = self.database.one(FIND_COMMAND, args![self.workspace, id]).await?;
        command(&row.ok_or(StoreError::NotFound)?)
    }

    /// The newest 200 commands of a bot.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn commands(&self, bot: BotId) -> Result<Vec<CommandRow>, StoreError> {
        self.database.all(LIST_COMMANDS, args![self.workspace, bot]).await?.iter().map(command).collect()
    }

    /// Commands of a run that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn open_commands(&self, run: DeploymentId) -> Result<Vec<CommandRow>, StoreError> {
        self.database.all(OPEN_COMMANDS, args![self.workspace, run]).await?.iter().map(command).collect()
    }

    /// Notes that a command was sent.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn command_delivered(&self, id: CommandId, now: Timestamp) -> Result<(), StoreError> {
        self.database.run(COMMAND_DELIVERED, args![now, self.workspace, id]).await.map(drop)
    }

    /// Notes how a command ended. The first word counts.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn command_finished(
        &self,
        id: CommandId,
        outcome: &CommandOutcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match outcome {
            CommandOutcome::Completed => self.end_command(id, CommandStatus::Completed, None, now).await,
            CommandOutcome::Failed { code, detail } => {
                let why = Some((code.as_str(), detail.as_str()));
                self.end_command(id, CommandStatus::Failed, why, now).await
            }
        }
    }

    async fn end_command(
        &self,
        id: CommandId,
        status: CommandStatus,
        why: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (code, detail) = why.unzip();
        let values = args![status.as_str(), code, detail, now, self.workspace, id];
        self.database.run(COMMAND_FINISHED, values).await.map(drop)
    }
}
