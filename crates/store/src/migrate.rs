//! Brings a database to the newest schema, one migration per transaction, and refuses one that is newer than this.
//!
//! Migrations are portable text; for SQLite the column type BIGINT becomes INTEGER and tables become STRICT, which is
//! all the difference there is.

use sqlx::{AssertSqlSafe, Row as _};

use crate::StoreError;
use crate::database::Database;

/// Every migration, in order; its number is its position from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_trade_results.sql"),
    include_str!("../migrations/0003_jobs.sql"),
    include_str!("../migrations/0004_key_sites.sql"),
    include_str!("../migrations/0005_custody.sql"),
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";

/// Applies what is missing. `now_ms` is written to the ledger.
pub(crate) async fn migrate(database: &Database, now_ms: i64) -> Result<(), StoreError> {
    let failed = |source| StoreError::from_driver("migrating the schema", source);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let newest = match database {
        Database::Sqlite(pool) => {
            sqlx::query(LEDGER).execute(pool).await.map_err(failed)?;
            let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version";
            sqlx::query(sql).fetch_one(pool).await.and_then(|row| row.try_get::<i64, _>(0)).map_err(failed)?
        }
        Database::Postgres(pool) => {
            sqlx::query(LEDGER).execute(pool).await.map_err(failed)?;
            let sql = "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version";
            sqlx::query(sql).fetch_one(pool).await.and_then(|row| row.try_get::<i64, _>(0)).map_err(failed)?
        }
    };
    if newest > known {
        return Err(StoreError::TooNew { found: newest, known });
    }
    for (version, text) in (1..).zip(MIGRATIONS) {
        if version > newest {
            apply(database, version, text, now_ms).await.map_err(failed)?;
        }
    }
    Ok(())
}

async fn apply(database: &Database, version: i64, text: &str, now_ms: i64) -> Result<(), sqlx::Error> {
    const RECORD: &str = "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)";
    match database {
        Database::Sqlite(pool) => {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(AssertSqlSafe(for_sqlite(text))).execute(&mut *tx).await?;
            sqlx::query(RECORD).bind(version).bind(now_ms).execute(&mut *tx).await?;
            tx.commit().await
        }
        Database::Postgres(pool) => {
            let mut tx = pool.begin().await?;
            sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut *tx).await?;
            sqlx::query(RECORD).bind(version).bind(now_ms).execute(&mut *tx).await?;
            tx.commit().await
        }
    }
}

/// STRICT tables know INTEGER, not BIGINT. A table ends with `);` at the start of a line.
fn for_sqlite(text: &str) -> String {
    text.replace("BIGINT", "INTEGER").replace("\n);", "\n) STRICT;")
}
