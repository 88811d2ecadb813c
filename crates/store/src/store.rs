//! The door: opening a store and getting a handle that is bound to somebody.

use std::path::{Path, PathBuf};

use keyhold_domain::{InstallId, Timestamp, WorkspaceId};

use crate::actor::Actor;
use crate::database::{Database, statements};
use crate::migrate;
use crate::row::args;
use crate::{Install, StoreError, SystemStore};

/// Name of the database file in the data folder.
/// The name of the SQLite database in the data folder.
pub const SQLITE_FILE: &str = "keyhold.db";

statements! {
    INSTALL = "SELECT id, fingerprint_key FROM install WHERE singleton = 1";
    ADD_INSTALL = "INSERT INTO install (singleton, id, fingerprint_key, created_at) VALUES (1, $1, $2, $3) \
         ON CONFLICT (singleton) DO NOTHING";
    ALIVE = "SELECT COUNT(*) AS found FROM install";
}

/// What opening needs from its caller.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data folder; it is made with permissions 0700 when absent. SQLite's file lies in it.
    pub folder: PathBuf,
    /// `postgres://…` to use PostgreSQL instead of SQLite.
    pub url: Option<String>,
    /// The instant of opening.
    pub now: Timestamp,
    /// Id for the installation, used when the database is new.
    pub install: InstallId,
    /// 32 random bytes, base64url, used when the database is new.
    pub fingerprint_key: String,
}

/// An open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) database: Database,
    install: Install,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Folder`], [`StoreError::TooNew`], [`StoreError::Database`], also when a pragma that deletion
    /// or durability rests on does not hold.
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let database = if let Some(url) = &options.url {
            Database::open_postgres(url).await?
        } else {
            prepare_folder(&options.folder).map_err(StoreError::Folder)?;
            Database::open_sqlite(&options.folder.join(SQLITE_FILE)).await?
        };
        migrate::migrate(&database, options.now.ms()).await?;
        let values = args![options.install, &options.fingerprint_key, options.now];
        database.run(ADD_INSTALL, values).await?;
        let row = database.one(INSTALL, args![]).await?.ok_or(StoreError::NotFound)?;
        let install = Install { id: row.parsed("id")?, fingerprint_key: row.text("fingerprint_key")? };
        Ok(Self { database, install })
    }

    /// Facts of the installation.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.database.one(ALIVE, args![]).await.map(drop)
    }

    /// A handle for everything in the actor's workspace.
    pub fn workspace(&self, actor: &Actor) -> WorkspaceStore {
        WorkspaceStore { database: self.database.clone(), workspace: actor.workspace }
    }

    /// A handle for the platform's own work across workspaces: launching bots and taking in their reports.
    pub fn system(&self) -> SystemStore {
        SystemStore { database: self.database.clone() }
    }

    /// Moves overwritten bytes out of SQLite's write-ahead log, after a credential was replaced.
    ///
    /// # Errors
    /// [`StoreError::CheckpointBusy`], [`StoreError::Database`].
    pub async fn empty_log(&self) -> Result<(), StoreError> {
        self.database.empty_write_ahead_log().await
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Everything in one workspace. Each query behind it names the workspace; things of others are not found.
#[derive(Debug, Clone)]
pub struct WorkspaceStore {
    pub(crate) database: Database,
    pub(crate) workspace: WorkspaceId,
}

impl WorkspaceStore {
    /// The workspace it is bound to.
    pub fn id(&self) -> WorkspaceId {
        self.workspace
    }
}

fn prepare_folder(folder: &Path) -> Result<(), std::io::Error> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    if !folder.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // Bots run as other users and have no business here. The folder may hold theirs one level down, which they reach
    // by an open descriptor or by the execute bit alone; so others get no listing, only passage.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
}
