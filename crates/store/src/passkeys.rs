//! Passkeys and the exchanges that make or use them. Their documents are the WebAuthn library's own; this file does
//! not look inside.

use keyhold_domain::{PasskeyId, SessionId, Timestamp, UserId};

use crate::accounts::personal_actor;
use crate::actor::Actor;
use crate::database::statements;
use crate::row::{Row, args};
use crate::{Store, StoreError, UserStore};

statements! {
    ADD_PASSKEY = "INSERT INTO passkeys (user_id, id, credential_id, name, document, created_at, last_used_at) \
         VALUES ($1, $2, $3, $4, $5, $6, NULL)";
    LIST_PASSKEYS = "SELECT user_id, id, credential_id, name, document, created_at, last_used_at FROM passkeys \
         WHERE user_id = $1 ORDER BY created_at, id";
    PASSKEY_BY_CREDENTIAL = "SELECT user_id, id, credential_id, name, document, created_at, last_used_at \
         FROM passkeys WHERE credential_id = $1";
    RENAME_PASSKEY = "UPDATE passkeys SET name = $1 WHERE user_id = $2 AND id = $3";
    USE_PASSKEY = "UPDATE passkeys SET document = $1, last_used_at = $2 WHERE user_id = $3 AND id = $4";
    DROP_PASSKEY = "DELETE FROM passkeys WHERE user_id = $1 AND id = $2";
    WAYS_IN = "SELECT (SELECT COUNT(*) FROM passkeys p WHERE p.user_id = u.id) AS passkeys, u.password_hash \
         FROM users u WHERE u.id = $1";
    ADD_CEREMONY = "INSERT INTO ceremonies (id, purpose, session_id, state, expires_at) VALUES ($1, $2, $3, $4, $5)";
    TAKE_CEREMONY = "DELETE FROM ceremonies WHERE id = $1 AND purpose = $2 AND expires_at > $3 \
         RETURNING session_id, state";
    DROP_OLD_CEREMONIES = "DELETE FROM ceremonies WHERE expires_at <= $1";
    COUNT_CEREMONIES = "SELECT COUNT(*) AS found FROM ceremonies";
}

/// Ceremonies under way at most; beyond that new ones are refused, so that strangers cannot fill the disk.
const MAX_CEREMONIES: i64 = 10_000;

/// What an exchange is for. One begun for one purpose cannot be finished as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeremonyPurpose {
    /// The first user's first passkey.
    Claim,
    /// A further passkey.
    Register,
    /// Signing in.
    SignIn,
    /// A fresh proof of identity.
    Reverify,
}

impl CeremonyPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Register => "register",
            Self::SignIn => "sign_in",
            Self::Reverify => "reverify",
        }
    }
}

/// An exchange in progress.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// Unguessable id.
    pub id: String,
    /// What it is for.
    pub purpose: CeremonyPurpose,
    /// The session it belongs to, for those of a signed-in user.
    pub session: Option<SessionId>,
    /// The library's state.
    pub state: String,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// A passkey about to be stored.
#[derive(Debug, Clone)]
pub struct NewPasskey {
    /// Our id.
    pub id: PasskeyId,
    /// The credential's id, base64url.
    pub credential_id: String,
    /// The user's name for it.
    pub name: String,
    /// The library's document.
    pub document: String,
    /// Now.
    pub now: Timestamp,
}

/// A stored passkey.
#[derive(Debug, Clone)]
pub struct PasskeyRow {
    /// Whose it is.
    pub user: UserId,
    /// Our id.
    pub id: PasskeyId,
    /// The credential's id, base64url.
    pub credential_id: String,
    /// The user's name for it.
    pub name: String,
    /// The library's document.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

fn passkey(row: &Row) -> Result<PasskeyRow, StoreError> {
    Ok(PasskeyRow {
        user: row.parsed("user_id")?,
        id: row.parsed("id")?,
        credential_id: row.text("credential_id")?,
        name: row.text("name")?,
        document: row.text("document")?,
        created_at: row.time("created_at")?,
        last_used_at: row.optional_time("last_used_at")?,
    })
}

impl Store {
    /// Remembers an exchange.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when too many are under way.
    pub async fn add_ceremony(&self, ceremony: &Ceremony, now: Timestamp) -> Result<(), StoreError> {
        self.database.run(DROP_OLD_CEREMONIES, args![now]).await?;
        let found = self.database.one(COUNT_CEREMONIES, args![]).await?.ok_or(StoreError::NotFound)?;
        if found.int("found")? >= MAX_CEREMONIES {
            return Err(StoreError::Taken);
        }
        let purpose = ceremony.purpose.as_str();
        let values = args![&ceremony.id, purpose, ceremony.session, &ceremony.state, ceremony.expires_at];
        self.database.run(ADD_CEREMONY, values).await.map(drop)
    }

    /// Takes an exchange out; it can be finished once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when unknown, expired, of another purpose or of another session.
    pub async fn take_ceremony(
        &self,
        id: &str,
        purpose: CeremonyPurpose,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let row = self
            .database
            .one(TAKE_CEREMONY, args![id, purpose.as_str(), now])
            .await?
            .ok_or(StoreError::NotFound)?;
        if row.optional_parsed::<SessionId>("session_id")? != session {
            return Err(StoreError::NotFound);
        }
        row.text("state")
    }

    /// The passkey with this credential id and who signs in with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn passkey_by_credential(&self, id: &str) -> Result<(PasskeyRow, Actor), StoreError> {
        let row = self.database.one(PASSKEY_BY_CREDENTIAL, args![id]).await?.ok_or(StoreError::NotFound)?;
        let found = passkey(&row)?;
        let actor = personal_actor(&self.database, found.user).await?;
        Ok((found, actor))
    }
}

impl UserStore {
    /// The user's passkeys.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn passkeys(&self) -> Result<Vec<PasskeyRow>, StoreError> {
        let rows = self.database.all(LIST_PASSKEYS, args![self.user]).await?;
        rows.iter().map(passkey).collect()
    }

    /// Stores a passkey.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the credential is stored already.
    pub async fn add_passkey(&self, new: &NewPasskey) -> Result<(), StoreError> {
        let values = args![self.user, new.id, &new.credential_id, &new.name, &new.document, new.now];
        self.database.run(ADD_PASSKEY, values).await.map(drop)
    }

    /// Gives a passkey another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn rename_passkey(&self, id: PasskeyId, name: &str) -> Result<(), StoreError> {
        match self.database.run(RENAME_PASSKEY, args![name, self.user, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Notes a use, with the library's updated document.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn use_passkey(&self, id: PasskeyId, document: &str, now: Timestamp) -> Result<(), StoreError> {
        match self.database.run(USE_PASSKEY, args![document, now, self.user, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Removes a passkey.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Referenced`] when it is the last way to sign in.
    pub async fn remove_passkey(&self, id: PasskeyId) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        if tx.run(DROP_PASSKEY, args![self.user, id]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let ways = tx.one(WAYS_IN, args![self.user]).await?.ok_or(StoreError::NotFound)?;
        if ways.int("passkeys")? == 0 && ways.optional_text("password_hash")?.is_none() {
            return Err(StoreError::Referenced);
        }
        tx.commit().await
    }
}
