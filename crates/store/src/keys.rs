//! Exchange keys: what is shown of them, and the ciphertext that only a bot can open.
//!
//! Deleting removes the rows with their bytes overwritten (`secure_delete`) and empties the write-ahead log. There is
//! no mark for "deleted": a deleted key is not in the database.

use keyhold_domain::{
    Balance, BotId, ContractType, Environment, Exchange, KeyFacts, KeyId, Site, Symbol, Timestamp,
};
use keyhold_protocol::uplink::KeyCheck;
use serde::{Deserialize, Serialize};

use crate::database::statements;
use crate::row::{Row, args, to_document};
use crate::{StoreError, WorkspaceStore};

/// Intents a workspace may have open.
const MAX_INTENTS: i64 = 20;

statements! {
    COUNT_INTENTS = "SELECT COUNT(*) AS found FROM key_intents WHERE workspace_id = $1 AND expires_at > $2";
    DROP_OLD_INTENTS = "DELETE FROM key_intents WHERE workspace_id = $1 AND expires_at <= $2";
    PUT_INTENT = "INSERT INTO key_intents (workspace_id, key_id, exchange, environment, contract_type, site, version, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (workspace_id, key_id) DO UPDATE SET \
         version = excluded.version, expires_at = excluded.expires_at";
    FIND_INTENT = "SELECT key_id, exchange, environment, contract_type, site, version, expires_at FROM key_intents \
         WHERE workspace_id = $1 AND key_id = $2 AND expires_at > $3";
    TAKE_INTENT = "DELETE FROM key_intents WHERE workspace_id = $1 AND key_id = $2 AND version = $3";
    FIND_FINGERPRINT = "SELECT id FROM api_keys WHERE exchange = $1 AND environment = $2 AND fingerprint = $3";
    ADD_KEY = "INSERT INTO api_keys (workspace_id, id, label, exchange, environment, contract_type, site, hint, \
         fingerprint, active, verification, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11)";
    REPLACE_KEY = "UPDATE api_keys SET label = $1, hint = $2, fingerprint = $3, verification = $4, leaked_at = NULL \
         WHERE workspace_id = $5 AND id = $6";
    PUT_RECORD = "INSERT INTO key_records (workspace_id, key_id, version, envelope, wrapped_data_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, key_id) DO UPDATE SET \
         version = excluded.version, envelope = excluded.envelope, wrapped_data_key = excluded.wrapped_data_key, \
         created_at = excluded.created_at";
    LIST_KEYS = "SELECT k.id, k.label, k.exchange, k.environment, k.contract_type, k.site, k.hint, k.fingerprint, \
         k.active, k.verification, k.created_at, k.leaked_at, r.version, b.id AS bot_id, b.label AS bot_label FROM api_keys k \
         JOIN key_records r ON r.workspace_id = k.workspace_id AND r.key_id = k.id \
         LEFT JOIN bots b ON b.workspace_id = k.workspace_id AND b.key_id = k.id \
         WHERE k.workspace_id = $1 ORDER BY k.created_at, k.id";
    FIND_KEY = "SELECT k.id, k.label, k.exchange, k.environment, k.contract_type, k.site, k.hint, k.fingerprint, \
         k.active, k.verification, k.created_at, k.leaked_at, r.version, b.id AS bot_id, b.label AS bot_label FROM api_keys k \
         JOIN key_records r ON r.workspace_id = k.workspace_id AND r.key_id = k.id \
         LEFT JOIN bots b ON b.workspace_id = k.workspace_id AND b.key_id = k.id \
         WHERE k.workspace_id = $1 AND k.id = $2";
    LIST_KEY_INSTRUMENTS = "SELECT key_id, symbol FROM key_instruments WHERE workspace_id = $1 ORDER BY key_id, slot";
    DROP_KEY_INSTRUMENTS = "DELETE FROM key_instruments WHERE workspace_id = $1 AND key_id = $2";
    ADD_KEY_INSTRUMENT = "INSERT INTO key_instruments (workspace_id, key_id, symbol, slot) VALUES ($1, $2, $3, $4)";
    FIND_RECORD = "SELECT version, envelope, wrapped_data_key FROM key_records WHERE workspace_id = $1 AND key_id = $2";
    RENAME_KEY = "UPDATE api_keys SET label = $1 WHERE workspace_id = $2 AND id = $3";
    SET_ACTIVE = "UPDATE api_keys SET active = CASE WHEN leaked_at IS NULL THEN $1 ELSE 0 END \
         WHERE workspace_id = $2 AND id = $3";
    BUMP_BOT_OF_KEY = "UPDATE bots SET generation = generation + 1 WHERE workspace_id = $1 AND key_id = $2";
    SET_VERIFICATION = "UPDATE api_keys SET verification = $1 WHERE workspace_id = $2 AND id = $3";
    IS_ASSIGNED = "SELECT id FROM bots WHERE workspace_id = $1 AND key_id = $2";
    DROP_KEY = "DELETE FROM api_keys WHERE workspace_id = $1 AND id = $2";
}

/// What a connection test means for a key's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySwitch {
    /// It stays as it is.
    Leave,
    /// It may be assigned and used for entries.
    On,
    /// Its bot enters nothing more; exits go on.
    Off,
}

/// Permission to store one sealed key under a fresh id, for a short time.
#[derive(Debug, Clone)]
pub struct KeyIntent {
    /// The id the envelope must carry.
    pub key: KeyId,
    /// The company.
    pub exchange: Exchange,
    /// Which world.
    pub environment: Environment,
    /// Linear or inverse.
    pub contract_type: ContractType,
    /// Where its account was opened.
    pub site: Site,
    /// The record version the envelope must carry: 1, or the next one when a credential is replaced.
    pub version: u32,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// A sealed key on its way in.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it was permitted as.
    pub intent: KeyIntent,
    /// The owner's name for it.
    pub label: String,
    /// First and last characters of the public id.
    pub hint: String,
    /// Keyed hash of the public id, base64url.
    pub fingerprint: String,
    /// The envelope, base64url.
    pub envelope: String,
    /// The data key as the keeper wrapped it, base64url.
    pub wrapped_data_key: String,
    /// Now.
    pub now: Timestamp,
}

/// Why a sealed key was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutKeyRefusal {
    /// The same API key is stored already for this exchange and environment.
    #[error("the same key is stored already")]
    Duplicate,
    /// The permission is unknown, used or expired.
    #[error("the permission to store a key has expired")]
    NoIntent,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a key's connection test has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// Never tested.
    Unverified,
    /// Being tested.
    Testing,
    /// It can trade and is not known to be able to withdraw.
    Ok,
    /// It cannot be used.
    Failed,
}

/// The newest connection test of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// How far.
    pub state: VerificationState,
    /// When it ended, or began while testing.
    pub checked_at: Option<Timestamp>,
    /// The first blocking finding, a reason code.
    pub code: Option<String>,
    /// Every step.
    pub checks: Vec<KeyCheck>,
    /// What the key may do.
    pub facts: Option<KeyFacts>,
    /// Balances.
    pub balances: Vec<Balance>,
}

impl Verification {
    /// Nothing is known yet.
    pub const UNVERIFIED: Self = Self {
        state: VerificationState::Unverified,
        checked_at: None,
        code: None,
        checks: Vec::new(),
        facts: None,
        balances: Vec::new(),
    };
}

/// A stored key without its ciphertext.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The owner's name for it.
    pub label: String,
    /// The company.
    pub exchange: Exchange,
    /// Which world.
    pub environment: Environment,
    /// Linear or inverse.
    pub contract_type: ContractType,
    /// Where its account was opened.
    pub site: Site,
    /// First and last characters of the public id.
    pub hint: String,
    /// Keyed hash of the public id, base64url.
    pub fingerprint: String,
    /// Only active keys can be assigned or used for entries.
    pub active: bool,
    /// The newest connection test.
    pub verification: Verification,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was reported as known to somebody else: never switched on again, gone when its bot lets go of it.
    pub leaked_at: Option<Timestamp>,
    /// The record's version.
    pub version: u32,
    /// The one bot that uses it, with its label.
    pub bot: Option<(BotId, String)>,
    /// Instruments in slot order.
    pub instruments: Vec<Symbol>,
}

/// The ciphertext of a key.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// The record's version.
    pub version: u32,
    /// The envelope, base64url.
    pub envelope: String,
    /// The data key as the keeper wrapped it, base64url.
    pub wrapped_data_key: String,
}

/// Why a key cannot be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRefusal {
    /// A bot uses it.
    #[error("a bot uses the key")]
    Assigned,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn api_key(row: &Row) -> Result<ApiKey, StoreError> {
    let bot = match row.optional_parsed("bot_id")? {
        Some(id) => Some((id, row.text("bot_label")?)),
        None => None,
    };
    Ok(ApiKey {
        id: row.parsed("id")?,
        label: row.text("label")?,
        exchange: row.parsed("exchange")?,
        environment: row.parsed("environment")?,
        contract_type: row.parsed("contract_type")?,
        site: row.parsed("site")?,
        hint: row.text("hint")?,
        fingerprint: row.text("fingerprint")?,
        active: row.int("active")? == 1,
        verification: row.document("verification")?,
        created_at: row.time("created_at")?,
        leaked_at: row.optional_time("leaked_at")?,
        version: row.small("version")?,
        bot,
        instruments: Vec::new(),
    })
}

impl WorkspaceStore {
    /// Remembers a permission to store a key.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when too many are open.
    pub async fn add_intent(&self, intent: &KeyIntent, now: Timestamp) -> Result<(), StoreError> {
        self.database.run(DROP_OLD_INTENTS, args![self.workspace, now]).await?;
        let open = self.database.one(COUNT_INTENTS, args![self.workspace, now]).await?;
        if open.ok_or(StoreError::NotFound)?.int("found")? >= MAX_INTENTS {
            return Err(StoreError::Taken);
        }
        let values = args![
            self.workspace,
            intent.key,
            intent.exchange.as_str(),
            intent.environment.as_str(),
            intent.contract_type.as_str(),
            intent.site.as_str(),
            intent.version,
            intent.expires_at
        ];
        self.database.run(PUT_INTENT, values).await.map(drop)
    }

    /// The open permission for a key id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none or it has expired.
    pub async fn intent(&self, key: KeyId, now: Timestamp) -> Result<KeyIntent, StoreError> {
        let values = args![self.workspace, key, now];
        let row = self.database.one(FIND_INTENT, values).await?.ok_or(StoreError::NotFound)?;
        Ok(KeyIntent {
            key: row.parsed("key_id")?,
            exchange: row.parsed("exchange")?,
            environment: row.parsed("environment")?,
            contract_type: row.parsed("contract_type")?,
            site: row.parsed("site")?,
            version: row.small("version")?,
            expires_at: row.time("expires_at")?,
        })
    }

    /// Whether this API key is stored already, by this workspace or another, under another id than `except`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn is_duplicate(
        &self,
        exchange: Exchange,
        environment: Environment,
        fingerprint: &str,
        except: KeyId,
    ) -> Result<bool, StoreError> {
        let values = args![exchange.as_str(), environment.as_str(), fingerprint];
        let found = self.database.one(FIND_FINGERPRINT, values).await?;
        Ok(match found {
            Some(row) => row.parsed::<KeyId>("id")? != except,
            None => false,
        })
    }

    /// Stores a sealed key, or replaces the credential of an existing one, and uses up the permission.
    ///
    /// # Errors
    /// [`PutKeyRefusal`].
    pub async fn put_key(&self, new: &NewApiKey) -> Result<(), PutKeyRefusal> {
        let intent = &new.intent;
        let mut tx = self.database.begin().await?;
        if tx.run(TAKE_INTENT, args![self.workspace, intent.key, intent.version]).await? != 1 {
            return Err(PutKeyRefusal::NoIntent);
        }
        let verification = to_document(&Verification::UNVERIFIED, "verification")?;
        let written = if intent.version == 1 {
            let values = args![
                self.workspace,
                intent.key,
                &new.label,
                intent.exchange.as_str(),
                intent.environment.as_str(),
                intent.contract_type.as_str(),
                intent.site.as_str(),
                &new.hint,
                &new.fingerprint,
                verification,
                new.now
            ];
            tx.run(ADD_KEY, values).await
        } else {
            let values =
                args![&new.label, &new.hint, &new.fingerprint, verification, self.workspace, intent.key];
            tx.run(REPLACE_KEY, values).await
        };
        match written {
            Err(StoreError::Taken) => return Err(PutKeyRefusal::Duplicate),
            Err(error) => return Err(error.into()),
            Ok(0) => return Err(PutKeyRefusal::NoIntent),
            Ok(_) => {}
        }
        let record =
            args![self.workspace, intent.key, intent.version, &new.envelope, &new.wrapped_data_key, new.now];
        tx.run(PUT_RECORD, record).await?;
        tx.run(BUMP_BOT_OF_KEY, args![self.workspace, intent.key]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows = self.database.all(LIST_KEYS, args![self.workspace]).await?;
        let mut keys = rows.iter().map(api_key).collect::<Result<Vec<_>, _>>()?;
        self.fill_instruments(&mut keys).await?;
        Ok(keys)
    }

    /// One key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn key(&self, id: KeyId) -> Result<ApiKey, StoreError> {
        let row = self.database.one(FIND_KEY, args![self.workspace, id]).await?;
        let mut keys = vec![api_key(&row.ok_or(StoreError::NotFound)?)?];
        self.fill_instruments(&mut keys).await?;
        keys.pop().ok_or(StoreError::NotFound)
    }

    async fn fill_instruments(&self, keys: &mut [ApiKey]) -> Result<(), StoreError> {
        for row in self.database.all(LIST_KEY_INSTRUMENTS, args![self.workspace]).await? {
            let of: KeyId = row.parsed("key_id")?;
            if let Some(key) = keys.iter_mut().find(|key| key.id == of) {
                key.instruments.push(row.parsed("symbol")?);
            }
        }
        Ok(())
    }

    /// The ciphertext of a key, for a bot's assignment. No route for people leads here.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn key_record(&self, id: KeyId) -> Result<KeyRecord, StoreError> {
        let row = self.database.one(FIND_RECORD, args![self.workspace, id]).await?;
        let row = row.ok_or(StoreError::NotFound)?;
        Ok(KeyRecord {
            version: row.small("version")?,
            envelope: row.text("envelope")?,
            wrapped_data_key: row.text("wrapped_data_key")?,
        })
    }

    /// Gives a key another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn rename_key(&self, id: KeyId, label: &str) -> Result<(), StoreError> {
        match self.database.run(RENAME_KEY, args![label, self.workspace, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Switches a key on. Whether it may be is the caller's to judge from its verification.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn activate_key(&self, id: KeyId) -> Result<(), StoreError> {
        self.set_active(id, 1).await
    }

    /// Switches a key off: its bot enters nothing more, exits go on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn deactivate_key(&self, id: KeyId) -> Result<(), StoreError> {
        self.set_active(id, 0).await
    }

    async fn set_active(&self, id: KeyId, active: i64) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        if tx.run(SET_ACTIVE, args![active, self.workspace, id]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        tx.run(BUMP_BOT_OF_KEY, args![self.workspace, id]).await?;
        tx.commit().await
    }

    /// Notes a connection test and what follows from it, at once: nobody sees the one without the other.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_verification(
        &self,
        id: KeyId,
        found: &Verification,
        switch: KeySwitch,
    ) -> Result<(), StoreError> {
        let text = to_document(found, "verification")?;
        let mut tx = self.database.begin().await?;
        if tx.run(SET_VERIFICATION, args![text, self.workspace, id]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let active = match switch {
            KeySwitch::Leave => None,
            KeySwitch::On => Some(1_i64),
            KeySwitch::Off => Some(0),
        };
        if let Some(active) = active {
            tx.run(SET_ACTIVE, args![active, self.workspace, id]).await?;
            tx.run(BUMP_BOT_OF_KEY, args![self.workspace, id]).await?;
        }
        tx.commit().await
    }

    /// Replaces the instruments of a key. The order is kept: it is part of client order ids.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_key_instruments(&self, id: KeyId, symbols: &[Symbol]) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        tx.one(FIND_KEY, args![self.workspace, id]).await?.ok_or(StoreError::NotFound)?;
        tx.run(DROP_KEY_INSTRUMENTS, args![self.workspace, id]).await?;
        for (slot, symbol) in (0_i64..).zip(symbols) {
            tx.run(ADD_KEY_INSTRUMENT, args![self.workspace, id, *symbol, slot]).await?;
        }
        tx.run(BUMP_BOT_OF_KEY, args![self.workspace, id]).await?;
        tx.commit().await
    }

    /// First step of deleting: makes sure no bot uses the key and none can begin to. Answers the record's version, so
    /// that the keeper can shred its slot before the row goes.
    ///
    /// # Errors
    /// [`DeleteRefusal::Assigned`], [`StoreError::NotFound`].
    pub async fn begin_key_deletion(&self, id: KeyId) -> Result<u32, DeleteRefusal> {
        let mut tx = self.database.begin().await?;
        let row = tx.one(FIND_RECORD, args![self.workspace, id]).await?.ok_or(StoreError::NotFound)?;
        if tx.one(IS_ASSIGNED, args![self.workspace, id]).await?.is_some() {
            return Err(DeleteRefusal::Assigned);
        }
        tx.run(SET_ACTIVE, args![0_i64, self.workspace, id]).await?;
        let version = row.small("version")?;
        tx.commit().await?;
        Ok(version)
    }

    /// Last step: removes the key with its bytes.
    ///
    /// # Errors
    /// [`DeleteRefusal::Assigned`], [`StoreError::NotFound`], [`StoreError::CheckpointBusy`] when the row is gone but
    /// its bytes stay in the write-ahead log until the next checkpoint.
    pub async fn delete_key(&self, id: KeyId) -> Result<(), DeleteRefusal> {
        match self.database.run(DROP_KEY, args![self.workspace, id]).await {
            Ok(0) => Err(StoreError::NotFound.into()),
            Ok(_) => Ok(self.database.empty_write_ahead_log().await?),
            Err(StoreError::Referenced) => Err(DeleteRefusal::Assigned),
            Err(error) => Err(error.into()),
        }
    }
}
