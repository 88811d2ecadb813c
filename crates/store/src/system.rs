//! The platform's own work across workspaces: which instances should exist, and which run a connecting bot is.
//!
//! A run that proved its token yields an [`Actor`] for its workspace; from there on everything goes through a
//! [`crate::WorkspaceStore`] like a person's request.

use keyhold_domain::{
    BotId, ContractType, DeploymentId, Environment, Exchange, Instrument, Timestamp, WorkspaceId,
};
use keyhold_protocol::uplink::{Isolation, Phase};

use crate::actor::{Actor, Role};
use crate::bots::Wish;
use crate::database::{Database, statements};
use crate::ingest::put_instruments;
use crate::row::{Row, args, to_document};
use crate::{StoreError, WorkspaceStore};

statements! {
    WORK = "SELECT b.workspace_id, b.id, b.wish, b.generation, b.failure_code, d.id AS deployment_id, d.epoch, \
         d.token_hash, d.acknowledged, d.requested_at, d.online_at, d.last_heartbeat_at, d.stopped_at \
         FROM bots b JOIN deployments d ON d.workspace_id = b.workspace_id AND d.id = b.deployment_id \
         ORDER BY b.workspace_id, b.id";
    FIND_RUN = "SELECT d.workspace_id, d.bot_id, d.epoch, d.token_hash, d.acknowledged, b.deployment_id AS current_id \
         FROM deployments d JOIN bots b ON b.workspace_id = d.workspace_id AND b.id = d.bot_id WHERE d.id = $1";
    SET_TOKEN = "UPDATE deployments SET token_hash = $1 WHERE workspace_id = $2 AND id = $3";
    SEEN = "UPDATE deployments SET program = $1, isolation = $2, online_at = COALESCE(online_at, $3), \
         last_heartbeat_at = $3 WHERE workspace_id = $4 AND id = $5";
    HEARTBEAT = "UPDATE deployments SET phase = $1, last_heartbeat_at = $2 WHERE workspace_id = $3 AND id = $4";
    ENDED = "UPDATE deployments SET stopped_at = $1, end_reason = $2, phase = NULL WHERE workspace_id = $3 AND id = $4 \
         AND stopped_at IS NULL";
    FAILED = "UPDATE bots SET failure_code = $1, failure_text = $2 WHERE workspace_id = $3 AND id = $4";
    LIST_INSTRUMENTS = "SELECT document, updated_at FROM instruments WHERE exchange = $1 AND environment = $2 \
         AND contract_type = $3 ORDER BY symbol";
    ALL_WORKSPACES = "SELECT id FROM workspaces ORDER BY id";
}

/// A run of a bot and the workspace it reports to.
#[derive(Debug, Clone)]
pub struct DeploymentRef {
    actor: Actor,
    /// The bot.
    pub bot: BotId,
    /// The run.
    pub deployment: DeploymentId,
    /// Its number within the bot.
    pub epoch: u32,
    /// Lower-case hexadecimal SHA-256 of its launch token; empty before the first launch.
    pub token_hash: String,
    /// Number of the last report stored.
    pub acknowledged: u64,
}

impl DeploymentRef {
    /// The actor of its workspace. Ask for it only after the token was checked.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// Its workspace.
    pub fn workspace(&self) -> WorkspaceId {
        self.actor.workspace
    }
}

/// What should be true of one bot's instance.
#[derive(Debug, Clone)]
pub struct BotWork {
    /// The run in question.
    pub run: DeploymentRef,
    /// What the owner wants.
    pub wish: Wish,
    /// Grows with every change.
    pub generation: i64,
    /// When the run was asked for.
    pub requested_at: Timestamp,
    /// When it was first heard of.
    pub online_at: Option<Timestamp>,
    /// When it was last heard of.
    pub last_heartbeat_at: Option<Timestamp>,
    /// When nothing was left of it.
    pub stopped_at: Option<Timestamp>,
    /// Set when it was given up.
    pub failed: bool,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct SystemStore {
    pub(crate) database: Database,
}

fn run(row: &Row, bot: &'static str, deployment: DeploymentId) -> Result<DeploymentRef, StoreError> {
    let actor = Actor { user: None, workspace: row.parsed("workspace_id")?, role: Role::Platform };
    let acknowledged = row.int("acknowledged")?;
    Ok(DeploymentRef {
        actor,
        bot: row.parsed(bot)?,
        deployment,
        epoch: row.small("epoch")?,
        token_hash: row.text("token_hash")?,
        acknowledged: acknowledged.try_into().map_err(|_| StoreError::Corrupt { column: "acknowledged" })?,
    })
}

impl SystemStore {
    /// Every bot with its current run.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn work(&self) -> Result<Vec<BotWork>, StoreError> {
        let rows = self.database.all(WORK, args![]).await?;
        rows.iter()
            .map(|row| {
                Ok(BotWork {
                    run: run(row, "id", row.parsed("deployment_id")?)?,
                    wish: row.parsed("wish")?,
                    generation: row.int("generation")?,
                    requested_at: row.time("requested_at")?,
                    online_at: row.optional_time("online_at")?,
                    last_heartbeat_at: row.optional_time("last_heartbeat_at")?,
                    stopped_at: row.optional_time("stopped_at")?,
                    failed: row.optional_text("failure_code")?.is_some(),
                })
            })
            .collect()
    }

    /// The run with this id, unless a newer one has taken its place.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn deployment(&self, id: DeploymentId) -> Result<DeploymentRef, StoreError> {
        let row = self.database.one(FIND_RUN, args![id]).await?.ok_or(StoreError::NotFound)?;
        if row.optional_parsed::<DeploymentId>("current_id")? != Some(id) {
            return Err(StoreError::NotFound);
        }
        run(&row, "bot_id", id)
    }

    /// Replaces the launch token's hash: each launch has its own token.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn set_token(&self, run: &DeploymentRef, token_hash: &str) -> Result<(), StoreError> {
        let values = args![token_hash, run.actor.workspace, run.deployment];
        self.database.run(SET_TOKEN, values).await.map(drop)
    }

    /// Notes that a bot has connected.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn seen(
        &self,
        run: &DeploymentRef,
        program: &str,
        isolation: &Isolation,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let isolation = to_document(isolation, "isolation")?;
        let program: String = program.chars().take(64).collect();
        let values = args![program, isolation, now, run.actor.workspace, run.deployment];
        self.database.run(SEEN, values).await.map(drop)
    }

    /// Notes a heartbeat at the server's clock.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn heartbeat(
        &self,
        run: &DeploymentRef,
        phase: Phase,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let word = to_document(&phase, "phase")?;
        let values = args![word.trim_matches('"'), now, run.actor.workspace, run.deployment];
        self.database.run(HEARTBEAT, values).await.map(drop)
    }

    /// Notes that nothing of a run is left.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn ended(&self, run: &DeploymentRef, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let values = args![now, reason, run.actor.workspace, run.deployment];
        self.database.run(ENDED, values).await.map(drop)
    }

    /// Notes that a bot was given up.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn failed(&self, run: &DeploymentRef, code: &str, text: &str) -> Result<(), StoreError> {
        let values = args![code, text, run.actor.workspace, run.bot];
        self.database.run(FAILED, values).await.map(drop)
    }

    /// A handle for each workspace there is, for putting the built-in templates in place.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceStore>, StoreError> {
        let rows = self.database.all(ALL_WORKSPACES, args![]).await?;
        rows.iter()
            .map(|row| Ok(WorkspaceStore { database: self.database.clone(), workspace: row.parsed("id")? }))
            .collect()
    }

    /// A handle for one workspace, for telling its people what has changed there.
    pub fn workspace(&self, id: WorkspaceId) -> WorkspaceStore {
        WorkspaceStore { database: self.database.clone(), workspace: id }
    }

    /// What a venue was last known to list, with the instant of the newest entry.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn instruments(
        &self,
        exchange: Exchange,
        environment: Environment,
        contract_type: ContractType,
    ) -> Result<(Vec<Instrument>, Option<Timestamp>), StoreError> {
        let values = args![exchange.as_str(), environment.as_str(), contract_type.as_str()];
        let rows = self.database.all(LIST_INSTRUMENTS, values).await?;
        let mut newest = None;
        let mut list = Vec::with_capacity(rows.len());
        for row in &rows {
            newest = newest.max(Some(row.time("updated_at")?));
            list.push(row.document("document")?);
        }
        Ok((list, newest))
    }

    /// Stores what a venue lists.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn put_instruments(
        &self,
        environment: Environment,
        list: &[Instrument],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        put_instruments(&mut tx, environment, list, now).await?;
        tx.commit().await
    }
}
