//! Two engines behind one face: run a statement, get rows.
//!
//! The only file that names a driver's pool. A statement is a constant with a name; the name is what errors and the
//! test that prepares all of them speak of.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};
use std::path::Path;
use std::time::Duration;

use crate::StoreError;
use crate::row::{Arg, Row};

/// One SQL text with a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Declares statements and collects them for the test that prepares each on both engines.
macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(const $name: $crate::database::Statement =
            $crate::database::Statement { name: stringify!($name), sql: $sql };)+
        #[cfg(test)]
        pub(crate) const ALL: &[$crate::database::Statement] = &[$($name),+];
    };
}
pub(crate) use statements;

/// How long a writer waits for another before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections kept at most.
const SQLITE_CONNECTIONS: u32 = 6;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How often emptying the write-ahead log is tried while readers hold it, and the pause between.
const CHECKPOINT_TRIES: u32 = 40;
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction. Dropped without [`Transaction::commit`] it leaves nothing behind.
pub(crate) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

macro_rules! bound {
    ($statement:expr, $args:expr) => {{
        let mut query = sqlx::query($statement.sql);
        for arg in $args {
            query = match arg {
                Arg::Text(value) => query.bind(value),
                Arg::Int(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Database {
    /// Opens or makes the file. Pragmas that deletion and durability rest on are read back, not assumed.
    pub(crate) async fn open_sqlite(file: &Path) -> Result<Self, StoreError> {
        make_private(file).map_err(StoreError::Folder)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF");
        let opening = |source| StoreError::from_driver("opening the database file", source);
        let pool = SqlitePoolOptions::new()
            .max_connections(SQLITE_CONNECTIONS)
            .after_connect(|connection, _| Box::pin(check_pragmas(connection)))
            .connect_with(options)
            .await
            .map_err(opening)?;
        Ok(Self::Sqlite(pool))
    }

    pub(crate) async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        sqlx::postgres::PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .connect(url)
            .await
            .map(Self::Postgres)
            .map_err(|source| StoreError::from_driver("connecting to PostgreSQL", source))
    }

    pub(crate) async fn all(&self, statement: Statement, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(pool) => bound!(statement, args)
                .fetch_all(pool)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(pool) => bound!(statement, args)
                .fetch_all(pool)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
        .map_err(|source| StoreError::from_driver(statement.name, source))
    }

    pub(crate) async fn one(&self, statement: Statement, args: Vec<Arg>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(statement, args).await?.into_iter().next())
    }

    /// Runs a statement on its own; answers the number of rows it touched.
    pub(crate) async fn run(&self, statement: Statement, args: Vec<Arg>) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(pool) => {
                bound!(statement, args).execute(pool).await.map(|done| done.rows_affected())
            }
            Self::Postgres(pool) => {
                bound!(statement, args).execute(pool).await.map(|done| done.rows_affected())
            }
        }
        .map_err(|source| StoreError::from_driver(statement.name, source))
    }

    /// Begins a transaction that may write. On SQLite it takes the write lock at once, so that what it reads cannot
    /// go stale before it writes.
    pub(crate) async fn begin(&self) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
            Self::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
        }
        .map_err(|source| StoreError::from_driver("beginning a transaction", source))
    }

    /// Moves everything from SQLite's write-ahead log into the database file and empties the log, so that overwritten
    /// bytes are in neither. Waits a bounded time for readers.
    ///
    /// On PostgreSQL this does nothing: its heap and log keep deleted rows for a while, which is why a deleted key is
    /// made unreadable by the keeper's shred slot and not by this.
    pub(crate) async fn empty_write_ahead_log(&self) -> Result<(), StoreError> {
        let Self::Sqlite(pool) = self else { return Ok(()) };
        for _ in 0..CHECKPOINT_TRIES {
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(pool)
                .await
                .map_err(|source| StoreError::from_driver("emptying the write-ahead log", source))?;
            if Row::Sqlite(row).int("busy")? == 0 {
                return Ok(());
            }
            tokio::time::sleep(CHECKPOINT_PAUSE).await;
        }
        Err(StoreError::CheckpointBusy)
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Makes the file readable by its owner only. SQLite gives the write-ahead log the same permissions.
fn make_private(file: &Path) -> Result<(), std::io::Error> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let opened =
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)?;
    opened.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// Reads back what deletion and durability rest on.
async fn check_pragmas(connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    use sqlx::Row as _;
    let wanted = [
        ("PRAGMA secure_delete", "1"),
        ("PRAGMA foreign_keys", "1"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA journal_mode", "wal"),
    ];
    for (question, answer) in wanted {
        let row = sqlx::query(question).fetch_one(&mut *connection).await?;
        let found = row
            .try_get_unchecked::<i64, _>(0)
            .map(|number| number.to_string())
            .or_else(|_| row.try_get_unchecked::<String, _>(0))?;
        let text = row.try_get_unchecked::<String, _>(0).unwrap_or_default();
        if found != answer && text != answer {
            return Err(sqlx::Error::Configuration(format!("{question} is not {answer}").into()));
        }
    }
    Ok(())
}

impl Transaction {
    pub(crate) async fn all(&mut self, statement: Statement, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(tx) => bound!(statement, args)
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(tx) => bound!(statement, args)
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
        .map_err(|source| StoreError::from_driver(statement.name, source))
    }

    pub(crate) async fn one(
        &mut self,
        statement: Statement,
        args: Vec<Arg>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.all(statement, args).await?.into_iter().next())
    }

    pub(crate) async fn run(&mut self, statement: Statement, args: Vec<Arg>) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                bound!(statement, args).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            Self::Postgres(tx) => {
                bound!(statement, args).execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err(|source| StoreError::from_driver(statement.name, source))
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(|source| StoreError::from_driver("committing", source))
    }
}
