//! What is remembered of a key's custody: who was let at it, and that it leaked.
//!
//! An opening is noted when the server hands a process the ticket for its key. The keeper's own audit log, which the
//! server cannot write, is the other witness.

use keyhold_domain::{BotId, KeyId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::database::statements;
use crate::row::args;
use crate::system::SystemStore;
use crate::{StoreError, WorkspaceStore};

/// Openings kept per key.
const KEPT: i64 = 200;
/// Openings listed.
const LISTED: i64 = 50;

statements! {
    COUNT_OPENING = "UPDATE api_keys SET openings = openings + 1 WHERE workspace_id = $1 AND id = $2";
    READ_OPENINGS = "SELECT openings FROM api_keys WHERE workspace_id = $1 AND id = $2";
    ADD_OPENING = "INSERT INTO key_openings (workspace_id, key_id, number, at, version, purpose, bot_id, bot_label) \
         SELECT $1, $2, k.openings, $3, $4, $5, $6, (SELECT b.label FROM bots b WHERE b.workspace_id = $1 AND b.id = $6) \
         FROM api_keys k WHERE k.workspace_id = $1 AND k.id = $2";
    DROP_OLD_OPENINGS = "DELETE FROM key_openings WHERE workspace_id = $1 AND key_id = $2 AND number <= $3";
    LIST_OPENINGS = "SELECT number, at, version, purpose, bot_id, bot_label FROM key_openings \
         WHERE workspace_id = $1 AND key_id = $2 ORDER BY number DESC LIMIT $3";
    RECORD_FACTS = "SELECT version, created_at, CAST(LENGTH(envelope) AS BIGINT) AS size FROM key_records \
         WHERE workspace_id = $1 AND key_id = $2";
    MARK_LEAKED = "UPDATE api_keys SET leaked_at = COALESCE(leaked_at, $1), active = 0 \
         WHERE workspace_id = $2 AND id = $3";
    BOT_OF_LEAKED = "UPDATE bots SET generation = generation + 1 WHERE workspace_id = $1 AND key_id = $2";
    LEAKED_AND_FREE = "SELECT k.workspace_id, k.id FROM api_keys k WHERE k.leaked_at IS NOT NULL AND NOT EXISTS \
         (SELECT b.id FROM bots b WHERE b.workspace_id = k.workspace_id AND b.key_id = k.id) \
         ORDER BY k.workspace_id, k.id";
}

/// What a process was let at a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpeningPurpose {
    /// To trade.
    Run,
    /// To test the connection.
    Test,
}

impl OpeningPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Test => "test",
        }
    }
}

impl std::str::FromStr for OpeningPurpose {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Run, Self::Test].into_iter().find(|purpose| purpose.as_str() == text).ok_or(())
    }
}

/// A process that was let at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOpening {
    /// The how-manieth of this key, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The record's version.
    pub version: u32,
    /// What for.
    pub purpose: OpeningPurpose,
    /// The bot, with its label then. A test has none.
    pub bot: Option<(BotId, String)>,
}

/// A process about to be let at a key.
#[derive(Debug, Clone, Copy)]
pub struct NewOpening {
    /// The key.
    pub key: KeyId,
    /// The record's version.
    pub version: u32,
    /// What for.
    pub purpose: OpeningPurpose,
    /// Which bot; `None` for a test.
    pub bot: Option<BotId>,
    /// When.
    pub at: Timestamp,
}

/// What is stored of a key, without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's version.
    pub version: u32,
    /// When it was stored.
    pub sealed_at: Timestamp,
    /// Length of the envelope, characters of base64url.
    pub size: u32,
}

impl WorkspaceStore {
    /// Notes that a process is let at a key. A key that is gone is none of its business any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn add_opening(&self, new: &NewOpening) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        if tx.run(COUNT_OPENING, args![self.workspace, new.key]).await? == 0 {
            return Ok(());
        }
        let values = args![self.workspace, new.key, new.at, new.version, new.purpose.as_str(), new.bot];
        tx.run(ADD_OPENING, values).await?;
        let row = tx.one(READ_OPENINGS, args![self.workspace, new.key]).await?;
        let count = row.ok_or(StoreError::NotFound)?.int("openings")?;
        tx.run(DROP_OLD_OPENINGS, args![self.workspace, new.key, count - KEPT]).await?;
        tx.commit().await
    }

    /// How often a key was opened, and the newest 50 times.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn openings(&self, key: KeyId) -> Result<(u64, Vec<KeyOpening>), StoreError> {
        let row = self.database.one(READ_OPENINGS, args![self.workspace, key]).await?;
        let corrupt = |column| move |_| StoreError::Corrupt { column };
        let total = row.ok_or(StoreError::NotFound)?.int("openings")?;
        let rows = self.database.all(LIST_OPENINGS, args![self.workspace, key, LISTED]).await?;
        let read = |row: &crate::row::Row| {
            let bot = match row.optional_parsed("bot_id")? {
                Some(id) => Some((id, row.optional_text("bot_label")?.unwrap_or_default())),
                None => None,
            };
            Ok(KeyOpening {
                number: row.int("number")?.try_into().map_err(corrupt("number"))?,
                at: row.time("at")?,
                version: row.small("version")?,
                purpose: row.parsed("purpose")?,
                bot,
            })
        };
        let list = rows.iter().map(read).collect::<Result<_, StoreError>>()?;
        Ok((total.try_into().map_err(corrupt("openings"))?, list))
    }

    /// What is stored of a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn stored_record(&self, key: KeyId) -> Result<StoredRecord, StoreError> {
        let row = self.database.one(RECORD_FACTS, args![self.workspace, key]).await?;
        let row = row.ok_or(StoreError::NotFound)?;
        Ok(StoredRecord {
            version: row.small("version")?,
            sealed_at: row.time("created_at")?,
            size: row.small("size")?,
        })
    }

    /// Notes that a key is known to somebody else: it is switched off and never switched on again, unless its
    /// credential is replaced.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn mark_leaked(&self, key: KeyId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        if tx.run(MARK_LEAKED, args![now, self.workspace, key]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        tx.run(BOT_OF_LEAKED, args![self.workspace, key]).await?;
        tx.commit().await
    }
}

impl SystemStore {
    /// Leaked keys that no bot uses any more, to be destroyed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn leaked_and_free(&self) -> Result<Vec<(WorkspaceId, KeyId)>, StoreError> {
        let rows = self.database.all(LEAKED_AND_FREE, args![]).await?;
        rows.iter().map(|row| Ok((row.parsed("workspace_id")?, row.parsed("id")?))).collect()
    }
}
