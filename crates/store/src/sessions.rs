//! Signed-in devices. A session is found by the SHA-256 of its token; the token itself is never stored.

use keyhold_domain::{SessionId, Timestamp, UserId};

use crate::actor::Actor;
use crate::database::statements;
use crate::row::{Row, args};
use crate::{Store, StoreError, UserStore};

/// How much older `last_seen_at` may be than now before it is written again: a write per request would be waste.
const SEEN_GRAIN_MS: i64 = 30_000;

statements! {
    ADD_SESSION = "INSERT INTO sessions (id, user_id, workspace_id, token_hash, method, user_agent, address, \
         created_at, last_seen_at, expires_at, reverified_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)";
    FIND_SESSION = "SELECT s.id, s.user_id, s.workspace_id, s.last_seen_at, s.expires_at, s.reverified_until, m.role \
         FROM sessions s JOIN memberships m ON m.workspace_id = s.workspace_id AND m.user_id = s.user_id \
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.last_seen_at > $3";
    TOUCH_SESSION = "UPDATE sessions SET last_seen_at = $1 WHERE id = $2";
    LIST_SESSIONS = "SELECT id, created_at, last_seen_at, user_agent, address, method FROM sessions \
         WHERE user_id = $1 AND expires_at > $2 AND last_seen_at > $3 ORDER BY last_seen_at DESC, id";
    END_SESSION = "DELETE FROM sessions WHERE user_id = $1 AND id = $2";
    END_OTHER_SESSIONS = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    SET_REVERIFIED = "UPDATE sessions SET reverified_until = $1 WHERE user_id = $2 AND id = $3";
    DROP_DEAD_SESSIONS = "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2";
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMethod {
    /// By password.
    Password,
    /// By passkey with user verification.
    Passkey,
}

impl SessionMethod {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
        }
    }
}

/// A session about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id, shown to the user.
    pub id: SessionId,
    /// Lower-case hexadecimal SHA-256 of the token.
    pub token_hash: String,
    /// How it was begun.
    pub method: SessionMethod,
    /// The device's own description, cut to 256 characters.
    pub user_agent: String,
    /// Network address of the device.
    pub address: String,
    /// Now.
    pub now: Timestamp,
    /// Its end, however much it is used.
    pub expires_at: Timestamp,
    /// Until when sensitive acts need no further proof.
    pub reverified_until: Timestamp,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, Copy)]
pub struct Principal {
    /// The session.
    pub session: SessionId,
    /// The person.
    pub user: UserId,
    /// What they may act on.
    pub actor: Actor,
    /// Until when sensitive acts need no further proof.
    pub reverified_until: Option<Timestamp>,
}

/// A line of the session list.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// Last use, to half a minute.
    pub last_seen_at: Timestamp,
    /// The device's own description.
    pub user_agent: String,
    /// Network address at sign-in.
    pub address: String,
    /// `password` or `passkey`.
    pub method: String,
}

impl Store {
    /// Begins a session for the actor.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the actor is no person.
    pub async fn add_session(&self, actor: &Actor, new: &NewSession) -> Result<Principal, StoreError> {
        let user = actor.user.ok_or(StoreError::NotFound)?;
        let agent: String = new.user_agent.chars().take(256).collect();
        let values = args![
            new.id,
            user,
            actor.workspace,
            &new.token_hash,
            new.method.as_str(),
            agent,
            &new.address,
            new.now,
            new.expires_at,
            new.reverified_until
        ];
        self.database.run(ADD_SESSION, values).await?;
        Ok(Principal { session: new.id, user, actor: *actor, reverified_until: Some(new.reverified_until) })
    }

    /// Who holds the token with this hash; `None` when ended, expired, idle for longer than `idle_ms` or unknown.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn principal(
        &self,
        token_hash: &str,
        now: Timestamp,
        idle_ms: i64,
    ) -> Result<Option<Principal>, StoreError> {
        let values = args![token_hash, now, now.plus_ms(-idle_ms)];
        let Some(row) = self.database.one(FIND_SESSION, values).await? else { return Ok(None) };
        let principal = principal(&row)?;
        if now.since_ms(row.time("last_seen_at")?) > SEEN_GRAIN_MS {
            self.database.run(TOUCH_SESSION, args![now, principal.session]).await?;
        }
        Ok(Some(principal))
    }

    /// Removes sessions that can no longer be used. Housekeeping; they are refused anyway.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn drop_dead_sessions(&self, now: Timestamp, idle_ms: i64) -> Result<u64, StoreError> {
        self.database.run(DROP_DEAD_SESSIONS, args![now, now.plus_ms(-idle_ms)]).await
    }
}

fn principal(row: &Row) -> Result<Principal, StoreError> {
    let user = row.parsed("user_id")?;
    let actor = Actor { user: Some(user), workspace: row.parsed("workspace_id")?, role: row.parsed("role")? };
    Ok(Principal {
        session: row.parsed("id")?,
        user,
        actor,
        reverified_until: row.optional_time("reverified_until")?,
    })
}

impl UserStore {
    /// Devices that are signed in.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn sessions(&self, now: Timestamp, idle_ms: i64) -> Result<Vec<SessionRow>, StoreError> {
        let values = args![self.user, now, now.plus_ms(-idle_ms)];
        let rows = self.database.all(LIST_SESSIONS, values).await?;
        rows.iter()
            .map(|row| {
                Ok(SessionRow {
                    id: row.parsed("id")?,
                    created_at: row.time("created_at")?,
                    last_seen_at: row.time("last_seen_at")?,
                    user_agent: row.text("user_agent")?,
                    address: row.text("address")?,
                    method: row.text("method")?,
                })
            })
            .collect()
    }

    /// Ends one session; its next request is refused.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not the user's.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        match self.database.run(END_SESSION, args![self.user, id]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }

    /// Ends all sessions but one: after a change of password or passkeys.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn end_other_sessions(&self, kept: SessionId) -> Result<u64, StoreError> {
        self.database.run(END_OTHER_SESSIONS, args![self.user, kept]).await
    }

    /// Notes a fresh proof of identity.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the session has ended.
    pub async fn set_reverified(&self, session: SessionId, until: Timestamp) -> Result<(), StoreError> {
        match self.database.run(SET_REVERIFIED, args![until, self.user, session]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
