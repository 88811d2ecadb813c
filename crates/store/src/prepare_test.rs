//! Prepares every statement on SQLite, and on PostgreSQL when `KEYHOLD_TEST_POSTGRES_URL` names one: a typing error in
//! a query nobody has run yet is found here.

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use crate::database::{Database, Statement};
use crate::{
    accounts, backtests, bots, closing, commands, custody, figures, history, ingest, jobs, keys, migrate,
    passkeys, sessions, store, system, templates,
};

fn all() -> Vec<Statement> {
    let areas = [
        accounts::ALL,
        backtests::ALL,
        bots::ALL,
        closing::ALL,
        commands::ALL,
        custody::ALL,
        figures::ALL,
        history::ALL,
        ingest::ALL,
        jobs::ALL,
        keys::ALL,
        passkeys::ALL,
        sessions::ALL,
        store::ALL,
        system::ALL,
        templates::ALL,
    ];
    areas.concat()
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open_sqlite(&folder.path().join("t.db")).await.unwrap();
    migrate::migrate(&database, 0).await.unwrap();
    let Database::Sqlite(pool) = &database else { unreachable!("it was opened as SQLite") };
    assert!(all().len() > 80, "statements are collected");
    for statement in all() {
        let prepared = pool.prepare(AssertSqlSafe(statement.sql.to_owned()).into_sql_str()).await;
        assert!(prepared.is_ok(), "{}: {:?}", statement.name, prepared.err());
    }
    let broken = pool.prepare(AssertSqlSafe("SELECT no FROM such_table".to_owned()).into_sql_str()).await;
    assert!(broken.is_err(), "the check can fail");
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_postgresql() {
    let Ok(url) = std::env::var("KEYHOLD_TEST_POSTGRES_URL") else {
        eprintln!("SKIPPED: KEYHOLD_TEST_POSTGRES_URL is not set, so PostgreSQL was not tried");
        return;
    };
    let database = Database::open_postgres(&url).await.unwrap();
    let Database::Postgres(pool) = &database else { unreachable!("it was opened as PostgreSQL") };
    // One connection, so that the schema set on it holds for everything that follows.
    let schema = format!("prepare_{}", std::process::id());
    pool.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let own = format!("{url}{separator}options=-csearch_path%3D{schema}");
    let scoped = Database::open_postgres(&own).await.unwrap();
    migrate::migrate(&scoped, 0).await.unwrap();
    let Database::Postgres(scoped_pool) = &scoped else { unreachable!("it was opened as PostgreSQL") };
    for statement in all() {
        let prepared = scoped_pool.prepare(AssertSqlSafe(statement.sql.to_owned()).into_sql_str()).await;
        assert!(prepared.is_ok(), "{}: {:?}", statement.name, prepared.err());
    }
    pool.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
}

/// A query on a tenant's table that forgets the workspace is found by reading the SQL.
#[test]
fn every_statement_on_a_workspace_table_names_the_workspace() {
    let tables = [
        "api_keys",
        "key_records",
        "key_instruments",
        "key_intents",
        "templates",
        "template_versions",
        "bots",
        "deployments",
        "commands",
        "decisions",
        "positions",
        "orders",
        "fills",
        "trades",
        "equity",
        "events",
        "jobs",
        "backtest_results",
        "backtest_trades",
    ];
    // The platform's own view across workspaces, and the lookup that keeps a key from being stored twice.
    let allowed = ["WORK", "FIND_RUN", "FIND_FINGERPRINT", "JOBS_IN_STATE", "JOBS_AHEAD", "JOBS_QUEUED"];
    let mut seen = 0;
    for statement in all() {
        let words: Vec<&str> =
            statement.sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let touches = tables.iter().any(|table| {
            words
                .windows(2)
                .any(|pair| ["FROM", "JOIN", "UPDATE", "INTO"].contains(&pair[0]) && pair[1] == *table)
        });
        if touches && !allowed.contains(&statement.name) {
            seen += 1;
            assert!(words.contains(&"workspace_id"), "{} does not name workspace_id", statement.name);
        }
    }
    assert!(seen > 40, "the check looked at something");
}
