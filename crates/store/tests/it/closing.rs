//! A closed account leaves no row and no byte.

use std::collections::BTreeMap;

use keyhold_domain::Id;
use keyhold_store::{BotChange, Change, CloseRefusal, Store, StoreError};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use crate::world::{NOW, World, add_key, bot};

/// What is planted in every text of every row of the account.
const NEEDLE: &str = "Cl0sedAcc0untNeedle";
/// Tables whose rows belong to nobody in particular.
const OF_NOBODY: [&str; 4] = ["install", "claim", "instruments", "schema_version"];
const ALICE: &str = "00000000000000000000000000000001";
const WORKSPACE: &str = "000000000000000000000000000003e9";

async fn connect(world: &World) -> SqliteConnection {
    let file = world.folder.path().join("data/keyhold.db");
    SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap()
}

async fn tables(connection: &mut SqliteConnection) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A row of the account in a table, made from the table's own description: references point to what is there, every
/// other text is the needle.
async fn plant(connection: &mut SqliteConnection, table: &str, known: &BTreeMap<&str, &str>) {
    let described = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})")));
    let columns = described.fetch_all(&mut *connection).await.unwrap();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in &columns {
        let (name, kind): (String, String) = (column.get("name"), column.get("type"));
        let value = match known.get(format!("{table}.{name}").as_str()).or(known.get(name.as_str())) {
            Some(value) => format!("'{value}'"),
            None if kind == "INTEGER" => "1".to_owned(),
            None => format!("'{NEEDLE}-{table}-{name}'"),
        };
        names.push(name);
        values.push(value);
    }
    let sql = format!("INSERT OR IGNORE INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
    let planted = sqlx::query(AssertSqlSafe(sql)).execute(connection).await;
    assert!(planted.is_ok(), "{table}: {planted:?}");
}

/// Rows of alice and her workspace, by table. A table with neither column is looked at for the needle.
async fn rows_of_alice(connection: &mut SqliteConnection, table: &str) -> i64 {
    let described = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})")));
    let columns = described.fetch_all(&mut *connection).await.unwrap();
    let names: Vec<String> = columns.iter().map(|column| column.get("name")).collect();
    let owned = |column: &str, id: &str| {
        names.iter().any(|name| name == column).then(|| format!("{column} = '{id}'"))
    };
    let of_table = match table {
        "users" => Some(format!("id = '{ALICE}'")),
        "workspaces" => Some(format!("id = '{WORKSPACE}'")),
        _ => owned("workspace_id", WORKSPACE).or_else(|| owned("user_id", ALICE)),
    };
    let condition = of_table.unwrap_or_else(|| format!("state LIKE '%{NEEDLE}%'"));
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition}");
    sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap().get(0)
}

fn occurrences(world: &World, needle: &str) -> usize {
    let files = std::fs::read_dir(world.folder.path().join("data")).unwrap();
    let count =
        |bytes: Vec<u8>| bytes.windows(needle.len()).filter(|part| *part == needle.as_bytes()).count();
    files.map(|entry| count(std::fs::read(entry.unwrap().path()).unwrap())).sum()
}

/// Fills every table there is with something of alice's.
async fn fill(world: &World) -> Vec<String> {
    let store = world.of_alice();
    let key = add_key(&store, 1).await.to_string();
    store.add_bot(&bot(1)).await.unwrap();
    let (of_bot, run) = (bot(1).id.to_string(), bot(1).deployment.to_string());
    store.activate_key(key.parse().unwrap()).await.unwrap();
    let assign = BotChange { key: Change::Set(key.parse().unwrap()), ..BotChange::default() };
    store.change_bot(bot(1).id, &assign).await.unwrap();
    let mut connection = connect(world).await;
    let known: BTreeMap<&str, &str> = [
        ("workspace_id", WORKSPACE),
        ("user_id", ALICE),
        ("key_id", &key),
        ("bot_id", &of_bot),
        ("deployment_id", &run),
        ("template_id", "t"),
        ("templates.id", "t"),
        ("job_id", "j"),
        ("jobs.id", "j"),
        ("session_id", "s"),
        ("sessions.id", "s"),
        ("key_instruments.symbol", "BTCUSDT"),
    ]
    .into();
    let mut filled = Vec::new();
    for table in tables(&mut connection).await {
        if OF_NOBODY.contains(&table.as_str()) {
            continue;
        }
        filled.push(table);
    }
    // What is referred to comes first.
    for table in ["sessions", "templates", "jobs"].into_iter().chain(filled.iter().map(String::as_str)) {
        if !["users", "workspaces", "memberships", "bots", "deployments", "api_keys"].contains(&table) {
            plant(&mut connection, table, &known).await;
        }
    }
    for table in &filled {
        assert!(rows_of_alice(&mut connection, table).await > 0, "control: {table} has a row of alice's");
    }
    filled
}

#[tokio::test]
async fn a_closed_account_leaves_no_row_and_no_byte() {
    let world = World::sqlite().await;
    let filled = fill(&world).await;
    assert!(filled.len() >= 20, "{filled:?}");
    for needle in [NEEDLE, "alice@example.org", "envelope-1"] {
        assert!(occurrences(&world, needle) > 0, "control: {needle} is there before");
    }
    let alice = world.store.user(&world.alice).unwrap();
    // Bob is still there, so the only administrator cannot go.
    assert!(matches!(alice.begin_closing().await, Err(CloseRefusal::LastAdmin)));
    world.store.user(&world.bob).unwrap().close().await.unwrap();
    let Err(CloseRefusal::BotsRunning(labels)) = alice.begin_closing().await else { panic!("a bot runs") };
    assert_eq!(labels, ["bot 1"]);
    assert!(matches!(alice.close().await, Err(CloseRefusal::BotsRunning(_))), "the last step looks again");
    let run = world.store.system().deployment(bot(1).deployment).await.unwrap();
    world.store.system().ended(&run, "stopped", NOW).await.unwrap();
    let key = world.of_alice().keys().await.unwrap().remove(0).id;
    assert!(world.of_alice().key(key).await.unwrap().active, "a refusal changes nothing");
    alice.begin_closing().await.unwrap();
    let first = world.of_alice().key(key).await.unwrap();
    assert!(!first.active, "between the steps no bot can begin to use a key");
    alice.close().await.unwrap();
    let mut connection = connect(&world).await;
    for table in &filled {
        assert_eq!(rows_of_alice(&mut connection, table).await, 0, "{table}");
    }
    drop(connection);
    for needle in [NEEDLE, "alice@example.org", "bob@example.org", "envelope-1", "bot 1"] {
        assert_eq!(occurrences(&world, needle), 0, "{needle} is gone");
    }
    assert!(matches!(alice.close().await, Err(CloseRefusal::Store(StoreError::NotFound))));
}

#[tokio::test]
async fn closing_takes_nothing_of_others_and_the_last_one_leaves_it_unclaimed() {
    for world in World::every_engine("closing").await {
        let key = add_key(&world.of_alice(), 1).await;
        add_key(&world.of_bob(), 2).await;
        let bob = world.store.user(&world.bob).unwrap();
        bob.begin_closing().await.unwrap();
        bob.close().await.unwrap();
        assert!(world.of_bob().keys().await.unwrap().is_empty());
        assert!(world.of_alice().key(key).await.is_ok(), "alice's key is still there");
        let claimed = async |store: &Store| store.put_claim_code("next", NOW.plus_ms(1000)).await.is_err();
        assert!(claimed(&world.store).await);
        world.store.user(&world.alice).unwrap().close().await.unwrap();
        assert!(!claimed(&world.store).await, "somebody else can claim it");
        let user = keyhold_store::NewUser {
            id: Id::from_u128(7),
            workspace: Id::from_u128(1007),
            email: "alice@example.org".to_owned(),
            password_hash: None,
            now: NOW.plus_ms(1),
        };
        world.store.claim(&keyhold_store::Claim { code_hash: "next".to_owned(), user }).await.unwrap();
    }
}
