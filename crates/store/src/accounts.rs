//! The installation's claim, its users and their own settings.
//!
//! Password hashes come and go as PHC text; hashing is the server's work.

use keyhold_domain::{InstallId, Timestamp, UserId, WorkspaceId};

use crate::actor::{Actor, Role};
use crate::database::{Database, Transaction, statements};
use crate::row::args;
use crate::{Store, StoreError};

statements! {
    COUNT_USERS = "SELECT COUNT(*) AS found FROM users";
    PUT_CLAIM = "INSERT INTO claim (singleton, code_hash, expires_at, used_at) VALUES (1, $1, $2, NULL) \
         ON CONFLICT (singleton) DO UPDATE SET code_hash = excluded.code_hash, expires_at = excluded.expires_at \
         WHERE claim.used_at IS NULL";
    CHECK_CLAIM = "SELECT code_hash FROM claim WHERE singleton = 1 AND used_at IS NULL AND expires_at > $1";
    USE_CLAIM = "UPDATE claim SET used_at = $1 \
         WHERE singleton = 1 AND used_at IS NULL AND expires_at > $1 AND code_hash = $2";
    ADD_USER = "INSERT INTO users (id, email, email_key, password_hash, admin, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    ADD_WORKSPACE = "INSERT INTO workspaces (id, kind, name, created_at) VALUES ($1, 'personal', $2, $3)";
    ADD_MEMBERSHIP = "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)";
    USER_FOR_SIGN_IN = "SELECT u.id, u.password_hash, m.workspace_id FROM users u \
         JOIN memberships m ON m.user_id = u.id JOIN workspaces w ON w.id = m.workspace_id \
         WHERE u.email_key = $1 AND w.kind = 'personal'";
    WORKSPACE_OF_USER = "SELECT m.workspace_id, m.role FROM memberships m JOIN workspaces w ON w.id = m.workspace_id \
         WHERE m.user_id = $1 AND w.kind = 'personal'";
    ME = "SELECT u.email, u.password_hash, u.admin, w.name, w.kind, \
         (SELECT COUNT(*) FROM passkeys p WHERE p.user_id = u.id) AS passkeys \
         FROM users u, workspaces w WHERE u.id = $1 AND w.id = $2";
    PASSWORD_HASH = "SELECT password_hash FROM users WHERE id = $1";
    SET_PASSWORD = "UPDATE users SET password_hash = $1 WHERE id = $2";
}

/// Facts of the installation, fixed when the database was made.
#[derive(Debug, Clone)]
pub struct Install {
    /// Its id, part of every envelope's context.
    pub id: InstallId,
    /// The key of API key fingerprints, base64url. Every signed-in user may know it.
    pub fingerprint_key: String,
}

/// Whether somebody has taken possession of the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupState {
    /// Nobody yet.
    Unclaimed,
    /// There is at least one user.
    Claimed,
}

/// Somebody about to get an account with a personal workspace.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their id.
    pub id: UserId,
    /// Their workspace's id.
    pub workspace: WorkspaceId,
    /// The address as written.
    pub email: String,
    /// The PHC string; `None` for an account that starts with a passkey.
    pub password_hash: Option<String>,
    /// The instant.
    pub now: Timestamp,
}

/// Taking possession with the one-time code.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Lower-case hexadecimal SHA-256 of the code.
    pub code_hash: String,
    /// The first user.
    pub user: NewUser,
}

/// What a user may know of themselves.
#[derive(Debug, Clone)]
pub struct Me {
    /// Address as written.
    pub email: String,
    /// Whether a password can be used to sign in.
    pub has_password: bool,
    /// Number of passkeys.
    pub passkeys: i64,
    /// May they administer the installation?
    pub admin: bool,
    /// Name of the workspace they act in.
    pub workspace_name: String,
    /// `personal` or `organization`.
    pub workspace_kind: String,
}

/// The form in which addresses are compared: trimmed and lower-case.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Store {
    /// Whether the installation has an owner.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn setup_state(&self) -> Result<SetupState, StoreError> {
        let row = self.database.one(COUNT_USERS, args![]).await?.ok_or(StoreError::NotFound)?;
        Ok(if row.int("found")? == 0 { SetupState::Unclaimed } else { SetupState::Claimed })
    }

    /// Makes `code_hash` the one code that claims the installation, in place of any earlier one.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the installation has an owner.
    pub async fn put_claim_code(&self, code_hash: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        if self.setup_state().await? == SetupState::Claimed {
            return Err(StoreError::Taken);
        }
        self.database.run(PUT_CLAIM, args![code_hash, expires_at]).await.map(drop)
    }

    /// Whether the code would claim the installation at this instant. Does not use it up.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn claim_code_hash(&self, now: Timestamp) -> Result<Option<String>, StoreError> {
        self.database.one(CHECK_CLAIM, args![now]).await?.map(|row| row.text("code_hash")).transpose()
    }

    /// Uses the code and makes the first user, both or neither.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the code is wrong, expired or used.
    pub async fn claim(&self, claim: &Claim) -> Result<Actor, StoreError> {
        let mut tx = self.database.begin().await?;
        let used = tx.run(USE_CLAIM, args![claim.user.now, &claim.code_hash]).await?;
        let users = tx.one(COUNT_USERS, args![]).await?.ok_or(StoreError::NotFound)?.int("found")?;
        if used != 1 || users != 0 {
            return Err(StoreError::NotFound);
        }
        let actor = add_user(&mut tx, &claim.user, 1).await?;
        tx.commit().await?;
        Ok(actor)
    }

    /// Makes a further user with a personal workspace.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the address has an account.
    pub async fn register(&self, user: &NewUser) -> Result<Actor, StoreError> {
        let mut tx = self.database.begin().await?;
        let actor = add_user(&mut tx, user, 0).await?;
        tx.commit().await?;
        Ok(actor)
    }

    /// The actor and password hash behind an address. `None` for an unknown address.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn sign_in(&self, email: &str) -> Result<Option<(Actor, Option<String>)>, StoreError> {
        let Some(row) = self.database.one(USER_FOR_SIGN_IN, args![email_key(email)]).await? else {
            return Ok(None);
        };
        let actor = Actor {
            user: Some(row.parsed("id")?),
            workspace: row.parsed("workspace_id")?,
            role: Role::Owner,
        };
        Ok(Some((actor, row.optional_text("password_hash")?)))
    }

    /// A handle for what belongs to the actor as a person. `None` when the actor is the platform.
    pub fn user(&self, actor: &Actor) -> Option<UserStore> {
        let user = actor.user?;
        Some(UserStore { database: self.database.clone(), user, workspace: actor.workspace })
    }
}

async fn add_user(tx: &mut Transaction, user: &NewUser, admin: i64) -> Result<Actor, StoreError> {
    let email = user.email.trim();
    let values = args![user.id, email, email_key(email), user.password_hash.clone(), admin, user.now];
    tx.run(ADD_USER, values).await?;
    tx.run(ADD_WORKSPACE, args![user.workspace, "Personal", user.now]).await?;
    tx.run(ADD_MEMBERSHIP, args![user.workspace, user.id, Role::Owner.as_str(), user.now]).await?;
    Ok(Actor { user: Some(user.id), workspace: user.workspace, role: Role::Owner })
}

/// The actor of a user's personal workspace.
pub(crate) async fn personal_actor(database: &Database, user: UserId) -> Result<Actor, StoreError> {
    let row = database.one(WORKSPACE_OF_USER, args![user]).await?.ok_or(StoreError::NotFound)?;
    Ok(Actor { user: Some(user), workspace: row.parsed("workspace_id")?, role: row.parsed("role")? })
}

/// What belongs to one person: sessions, passkeys, password.
#[derive(Debug, Clone)]
pub struct UserStore {
    pub(crate) database: Database,
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
}

impl UserStore {
    /// Whose handle this is.
    pub fn id(&self) -> UserId {
        self.user
    }

    /// What the user may know of themselves.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account is gone.
    pub async fn me(&self) -> Result<Me, StoreError> {
        let row =
            self.database.one(ME, args![self.user, self.workspace]).await?.ok_or(StoreError::NotFound)?;
        Ok(Me {
            email: row.text("email")?,
            has_password: row.optional_text("password_hash")?.is_some(),
            passkeys: row.int("passkeys")?,
            admin: row.int("admin")? == 1,
            workspace_name: row.text("name")?,
            workspace_kind: row.text("kind")?,
        })
    }

    /// The stored hash; `None` for an account without a password.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account is gone.
    pub async fn password_hash(&self) -> Result<Option<String>, StoreError> {
        let row = self.database.one(PASSWORD_HASH, args![self.user]).await?.ok_or(StoreError::NotFound)?;
        row.optional_text("password_hash")
    }

    /// Replaces the password's hash.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the account is gone.
    pub async fn set_password_hash(&self, hash: &str) -> Result<(), StoreError> {
        match self.database.run(SET_PASSWORD, args![hash, self.user]).await? {
            0 => Err(StoreError::NotFound),
            _ => Ok(()),
        }
    }
}
