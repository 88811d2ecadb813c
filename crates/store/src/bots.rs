//! Bots and their runs. Commands on their way to them are in [`crate::commands`].
//!
//! The rules about which key a bot may have are kept here, in one transaction each, because that is the only place
//! where two requests at once cannot both be right.

use keyhold_domain::{
    BotId, ContractType, DeploymentId, Environment, Exchange, KeyId, Symbol, TemplateId, Timestamp,
};
use keyhold_protocol::uplink::{Isolation, Phase, PositionReport};

use crate::database::{Transaction, statements};
use crate::keys::{Verification, VerificationState};
use crate::row::{Row, args, to_document};
use crate::{StoreError, WorkspaceStore};

/// The columns of a bot with what it refers to; both ways to ask end differently.
macro_rules! select_bot {
    ($end:literal) => {
        concat!(
            "SELECT b.id, b.label, b.region, b.wish, b.key_id, b.template_id, b.settings, b.generation, b.epoch, ",
            "b.deployment_id, b.failure_code, b.failure_text, b.created_at, k.label AS key_label, k.hint, k.active, ",
            "k.exchange, k.environment, k.contract_type, t.name AS template_name, t.version AS template_version, ",
            "d.phase, d.isolation, d.program, d.last_heartbeat_at, d.online_at, d.requested_at ",
            "FROM bots b LEFT JOIN api_keys k ON k.workspace_id = b.workspace_id AND k.id = b.key_id ",
            "LEFT JOIN templates t ON t.workspace_id = b.workspace_id AND t.id = b.template_id ",
            "LEFT JOIN deployments d ON d.workspace_id = b.workspace_id AND d.id = b.deployment_id ",
            "WHERE b.workspace_id = $1 ",
            $end
        )
    };
}

statements! {
    LIST_BOTS = select_bot!("ORDER BY b.created_at, b.id");
    FIND_BOT = select_bot!("AND b.id = $2");
    ADD_BOT = "INSERT INTO bots (workspace_id, id, label, region, wish, key_id, template_id, settings, generation, \
         epoch, deployment_id, failure_code, failure_text, created_at) \
         VALUES ($1, $2, $3, $4, $5, NULL, NULL, $6, 1, 0, NULL, NULL, NULL, $7)";
    KEY_FOR_BOT = "SELECT k.active, k.verification, b.id AS bot_id, b.label AS bot_label FROM api_keys k \
         LEFT JOIN bots b ON b.workspace_id = k.workspace_id AND b.key_id = k.id \
         WHERE k.workspace_id = $1 AND k.id = $2";
    ASSIGN_KEY = "UPDATE bots SET key_id = $1, generation = generation + 1 WHERE workspace_id = $2 AND id = $3 \
         AND EXISTS (SELECT 1 FROM api_keys k WHERE k.workspace_id = $2 AND k.id = $1 AND k.active = 1)";
    UNASSIGN_KEY = "UPDATE bots SET key_id = NULL, generation = generation + 1 WHERE workspace_id = $1 AND id = $2";
    ASSIGN_TEMPLATE = "UPDATE bots SET template_id = $1, generation = generation + 1 WHERE workspace_id = $2 AND id = $3";
    FIND_TEMPLATE_ID = "SELECT id FROM templates WHERE workspace_id = $1 AND id = $2";
    SET_LABEL = "UPDATE bots SET label = $1 WHERE workspace_id = $2 AND id = $3";
    SET_SETTINGS = "UPDATE bots SET settings = $1, generation = generation + 1 WHERE workspace_id = $2 AND id = $3";
    SET_WISH = "UPDATE bots SET wish = $1, generation = generation + 1 WHERE workspace_id = $2 AND id = $3";
    OPEN_POSITIONS = "SELECT bot_id, symbol, document, updated_at FROM positions \
         WHERE workspace_id = $1 AND is_open = 1 ORDER BY bot_id, symbol";
    OPEN_POSITIONS_OF_BOT = "SELECT symbol FROM positions WHERE workspace_id = $1 AND bot_id = $2 AND is_open = 1";
    DEPLOY = "UPDATE bots SET deployment_id = $1, epoch = epoch + 1, generation = generation + 1, wish = $2, \
         failure_code = NULL, failure_text = NULL WHERE workspace_id = $3 AND id = $4";
    ADD_DEPLOYMENT = "INSERT INTO deployments (workspace_id, id, bot_id, epoch, token_hash, acknowledged, requested_at) \
         SELECT $1, $2, $3, epoch, '', 0, $4 FROM bots WHERE workspace_id = $1 AND id = $3";
    LIST_DEPLOYMENTS = "SELECT id, epoch, phase, isolation, program, requested_at, online_at, last_heartbeat_at, \
         stopped_at, end_reason, acknowledged FROM deployments WHERE workspace_id = $1 AND bot_id = $2 \
         ORDER BY requested_at DESC, id LIMIT 200";
    EXPIRE_COMMANDS = "UPDATE commands SET status = 'expired', finished_at = $1 \
         WHERE workspace_id = $2 AND bot_id = $3 AND finished_at IS NULL";
    DROP_BOT = "DELETE FROM bots WHERE workspace_id = $1 AND id = $2";
}

/// What the owner wants of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Trade.
    Running,
    /// Manage open positions, enter nothing.
    Paused,
    /// No instance.
    Stopped,
}

impl Wish {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl std::str::FromStr for Wish {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Running, Self::Paused, Self::Stopped].into_iter().find(|wish| wish.as_str() == text).ok_or(())
    }
}

/// The key a bot uses, as the bot's page shows it.
#[derive(Debug, Clone)]
pub struct KeyOfBot {
    /// Its id.
    pub id: KeyId,
    /// The owner's name for it.
    pub label: String,
    /// First and last characters.
    pub hint: String,
    /// Whether entries are allowed.
    pub active: bool,
    /// The company.
    pub exchange: Exchange,
    /// Which world.
    pub environment: Environment,
    /// Linear or inverse.
    pub contract_type: ContractType,
}

/// A bot.
#[derive(Debug, Clone)]
pub struct Bot {
    /// Its id.
    pub id: BotId,
    /// The owner's name for it.
    pub label: String,
    /// Where it is to run.
    pub region: String,
    /// What the owner wants.
    pub wish: Wish,
    /// Its key.
    pub key: Option<KeyOfBot>,
    /// Its template: id, name, version.
    pub template: Option<(TemplateId, String, u32)>,
    /// The engine's settings document.
    pub settings: serde_json::Value,
    /// Grows with every change of what the bot is to do.
    pub generation: i64,
    /// Number of its runs.
    pub epoch: u32,
    /// The current or last run.
    pub deployment: Option<DeploymentId>,
    /// Why it failed: code and sentence.
    pub failure: Option<(String, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What the instance says it does.
    pub phase: Option<Phase>,
    /// Protections in force.
    pub isolation: Option<Isolation>,
    /// When the instance was last heard of.
    pub last_heartbeat_at: Option<Timestamp>,
    /// When the run was asked for.
    pub requested_at: Option<Timestamp>,
    /// When it was first heard of.
    pub online_at: Option<Timestamp>,
}

/// A bot to be made.
#[derive(Debug, Clone)]
pub struct NewBot {
    /// Its id.
    pub id: BotId,
    /// The owner's name for it.
    pub label: String,
    /// Where it is to run.
    pub region: String,
    /// Running or paused from the start.
    pub wish: Wish,
    /// Its key, if any.
    pub key: Option<KeyId>,
    /// Its template, if any.
    pub template: Option<TemplateId>,
    /// The engine's settings document.
    pub settings: serde_json::Value,
    /// Id of its first run.
    pub deployment: DeploymentId,
    /// Now.
    pub now: Timestamp,
}

/// What is to become of a reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is taken away.
    Clear,
    /// It becomes this.
    Set(T),
}

/// What is to change; an absent field stays as it is.
#[derive(Debug, Clone, Default)]
pub struct BotChange {
    /// The owner's name for it.
    pub label: Option<String>,
    /// Its key.
    pub key: Change<KeyId>,
    /// Its template.
    pub template: Change<TemplateId>,
    /// The engine's settings document.
    pub settings: Option<serde_json::Value>,
}

/// Why a bot was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum BotRefusal {
    /// No such bot.
    #[error("no such bot")]
    NoBot,
    /// No such key.
    #[error("no such key")]
    NoKey,
    /// No such template.
    #[error("no such template")]
    NoTemplate,
    /// The key is switched off.
    #[error("the key is switched off")]
    KeyInactive,
    /// The key's connection test has not succeeded.
    #[error("the key is not verified")]
    KeyNotVerified,
    /// Another bot uses the key.
    #[error("another bot uses the key")]
    KeyAssigned {
        /// Which, when it could still be told.
        bot: Option<(BotId, String)>,
    },
    /// The bot has an open position.
    #[error("the bot has an open position")]
    LockedByPosition,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run of a bot.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Its number within the bot.
    pub epoch: u32,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was first heard of.
    pub online_at: Option<Timestamp>,
    /// When it was last heard of.
    pub last_heartbeat_at: Option<Timestamp>,
    /// When nothing was left of it.
    pub stopped_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Version of the program.
    pub program: Option<String>,
    /// Protections in force.
    pub isolation: Option<Isolation>,
    /// Number of reports stored.
    pub reports: i64,
}

/// A position that is open.
#[derive(Debug, Clone)]
pub struct OpenPosition {
    /// Whose.
    pub bot: BotId,
    /// As the bot reported it.
    pub report: PositionReport,
    /// When.
    pub updated_at: Timestamp,
}

fn phase(row: &Row) -> Result<Option<Phase>, StoreError> {
    row.optional_text("phase")?
        .map(|text| serde_json::from_value(text.into()).map_err(|_| StoreError::Corrupt { column: "phase" }))
        .transpose()
}

fn isolation(row: &Row) -> Result<Option<Isolation>, StoreError> {
    row.optional_text("isolation")?
        .map(|text| serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { column: "isolation" }))
        .transpose()
}

fn bot(row: &Row) -> Result<Bot, StoreError> {
    let key = match row.optional_parsed("key_id")? {
        None => None,
        Some(id) => Some(KeyOfBot {
            id,
            label: row.text("key_label")?,
            hint: row.text("hint")?,
            active: row.int("active")? == 1,
            exchange: row.parsed("exchange")?,
            environment: row.parsed("environment")?,
            contract_type: row.parsed("contract_type")?,
        }),
    };
    let template = match row.optional_parsed("template_id")? {
        None => None,
        Some(id) => Some((id, row.text("template_name")?, row.small("template_version")?)),
    };
    let failure = match row.optional_text("failure_code")? {
        None => None,
        Some(code) => Some((code, row.optional_text("failure_text")?.unwrap_or_default())),
    };
    Ok(Bot {
        id: row.parsed("id")?,
        label: row.text("label")?,
        region: row.text("region")?,
        wish: row.parsed("wish")?,
        key,
        template,
        settings: row.document("settings")?,
        generation: row.int("generation")?,
        epoch: row.small("epoch")?,
        deployment: row.optional_parsed("deployment_id")?,
        failure,
        created_at: row.time("created_at")?,
        phase: phase(row)?,
        isolation: isolation(row)?,
        last_heartbeat_at: row.optional_time("last_heartbeat_at")?,
        requested_at: row.optional_time("requested_at")?,
        online_at: row.optional_time("online_at")?,
    })
}

impl WorkspaceStore {
    /// All bots, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn bots(&self) -> Result<Vec<Bot>, StoreError> {
        self.database.all(LIST_BOTS, args![self.workspace]).await?.iter().map(bot).collect()
    }

    /// One bot.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn bot(&self, id: BotId) -> Result<Bot, StoreError> {
        let row = self.database.one(FIND_BOT, args![self.workspace, id]).await?;
        bot(&row.ok_or(StoreError::NotFound)?)
    }

    /// Makes a bot and asks for its first run.
    ///
    /// # Errors
    /// [`BotRefusal`]; nothing is made then.
    pub async fn add_bot(&self, new: &NewBot) -> Result<(), BotRefusal> {
        let mut tx = self.database.begin().await?;
        let settings = to_document(&new.settings, "settings")?;
        let values =
            args![self.workspace, new.id, &new.label, &new.region, new.wish.as_str(), settings, new.now];
        tx.run(ADD_BOT, values).await?;
        if let Some(key) = new.key {
            self.assign_key(&mut tx, new.id, key).await?;
        }
        if let Some(template) = new.template {
            self.assign_template(&mut tx, new.id, Some(template)).await?;
        }
        self.begin_run(&mut tx, new.id, new.deployment, new.wish, new.now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes a bot, all or nothing.
    ///
    /// # Errors
    /// [`BotRefusal`].
    pub async fn change_bot(&self, id: BotId, change: &BotChange) -> Result<(), BotRefusal> {
        let mut tx = self.database.begin().await?;
        let row = tx.one(FIND_BOT, args![self.workspace, id]).await?.ok_or(BotRefusal::NoBot)?;
        let current: Option<KeyId> = row.optional_parsed("key_id")?;
        if let Some(label) = &change.label {
            tx.run(SET_LABEL, args![label, self.workspace, id]).await?;
        }
        match change.key {
            Change::Clear if current.is_some() => {
                self.check_no_position(&mut tx, id).await?;
                tx.run(UNASSIGN_KEY, args![self.workspace, id]).await?;
            }
            Change::Set(key) if current != Some(key) => {
                self.check_no_position(&mut tx, id).await?;
                self.assign_key(&mut tx, id, key).await?;
            }
            Change::Keep | Change::Clear | Change::Set(_) => {}
        }
        match change.template {
            Change::Keep => {}
            Change::Clear => self.assign_template(&mut tx, id, None).await?,
            Change::Set(template) => self.assign_template(&mut tx, id, Some(template)).await?,
        }
        if let Some(settings) = &change.settings {
            let text = to_document(settings, "settings")?;
            tx.run(SET_SETTINGS, args![text, self.workspace, id]).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn check_no_position(&self, tx: &mut Transaction, id: BotId) -> Result<(), BotRefusal> {
        match tx.one(OPEN_POSITIONS_OF_BOT, args![self.workspace, id]).await? {
            Some(_) => Err(BotRefusal::LockedByPosition),
            None => Ok(()),
        }
    }

    async fn assign_key(&self, tx: &mut Transaction, id: BotId, key: KeyId) -> Result<(), BotRefusal> {
        let row = tx.one(KEY_FOR_BOT, args![self.workspace, key]).await?.ok_or(BotRefusal::NoKey)?;
        if let Some(other) = row.optional_parsed::<BotId>("bot_id")?
            && other != id
        {
            return Err(BotRefusal::KeyAssigned { bot: Some((other, row.text("bot_label")?)) });
        }
        if row.int("active")? != 1 {
            return Err(BotRefusal::KeyInactive);
        }
        let verification: Verification = row.document("verification")?;
        if verification.state == VerificationState::Failed {
            return Err(BotRefusal::KeyNotVerified);
        }
        match tx.run(ASSIGN_KEY, args![key, self.workspace, id]).await {
            Ok(0) => Err(BotRefusal::KeyInactive),
            Ok(_) => Ok(()),
            Err(StoreError::Taken) => Err(BotRefusal::KeyAssigned { bot: None }),
            Err(error) => Err(error.into()),
        }
    }

    async fn assign_template(
        &self,
        tx: &mut Transaction,
        id: BotId,
        template: Option<TemplateId>,
    ) -> Result<(), BotRefusal> {
        if let Some(template) = template {
            let found = tx.one(FIND_TEMPLATE_ID, args![self.workspace, template]).await?;
            found.ok_or(BotRefusal::NoTemplate)?;
        }
        tx.run(ASSIGN_TEMPLATE, args![template, self.workspace, id]).await?;
        Ok(())
    }

    async fn begin_run(
        &self,
        tx: &mut Transaction,
        id: BotId,
        run: DeploymentId,
        wish: Wish,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if tx.run(DEPLOY, args![run, wish.as_str(), self.workspace, id]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        tx.run(ADD_DEPLOYMENT, args![self.workspace, run, id, now]).await.map(drop)
    }

    /// Asks for a new run of a stopped or failed bot.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn deploy_bot(&self, id: BotId, run: DeploymentId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        tx.run(EXPIRE_COMMANDS, args![now, self.workspace, id]).await?;
        self.begin_run(&mut tx, id, run, Wish::Running, now).await?;
        tx.commit().await
    }

    /// Notes what the owner wants.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_wish(&self, id: BotId, wish: Wish) -> Result<(), StoreError> {
        match self.database.run(SET_WISH, args![wish.as_str(), self.workspace, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Removes a bot with its runs, commands, decisions and positions. Trades, orders and fills stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_bot(&self, id: BotId) -> Result<(), StoreError> {
        match self.database.run(DROP_BOT, args![self.workspace, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Positions open in the workspace.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn open_positions(&self) -> Result<Vec<OpenPosition>, StoreError> {
        let rows = self.database.all(OPEN_POSITIONS, args![self.workspace]).await?;
        rows.iter()
            .map(|row| {
                Ok(OpenPosition {
                    bot: row.parsed("bot_id")?,
                    report: row.document("document")?,
                    updated_at: row.time("updated_at")?,
                })
            })
            .collect()
    }

    /// Instruments in which a bot has a position.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn open_symbols(&self, id: BotId) -> Result<Vec<Symbol>, StoreError> {
        let rows = self.database.all(OPEN_POSITIONS_OF_BOT, args![self.workspace, id]).await?;
        rows.iter().map(|row| row.parsed("symbol")).collect()
    }

    /// The newest 200 runs of a bot.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn deployments(&self, id: BotId) -> Result<Vec<Deployment>, StoreError> {
        let rows = self.database.all(LIST_DEPLOYMENTS, args![self.workspace, id]).await?;
        rows.iter()
            .map(|row| {
                Ok(Deployment {
                    id: row.parsed("id")?,
                    epoch: row.small("epoch")?,
                    requested_at: row.time("requested_at")?,
                    online_at: row.optional_time("online_at")?,
                    last_heartbeat_at: row.optional_time("last_heartbeat_at")?,
                    stopped_at: row.optional_time("stopped_at")?,
                    end_reason: row.optional_text("end_reason")?,
                    program: row.optional_text("program")?,
                    isolation: isolation(row)?,
                    reports: row.int("acknowledged")?,
                })
            })
            .collect()
    }
}
