//! A deleted key is in no file of the database.

use std::path::Path;
use std::time::Duration;

use keyhold_store::{DeleteRefusal, StoreError};

use crate::world::{NOW, World, bot, sealed};

/// How often `needle` occurs in the database's files.
fn occurrences(folder: &Path, needle: &str) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        count += bytes.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count();
    }
    count
}

#[tokio::test]
async fn a_deleted_key_leaves_no_byte_in_database_or_log() {
    let world = World::sqlite().await;
    let store = world.of_alice();
    let folder = world.folder.path().join("data");
    // Long, like a real envelope, so that it also spans overflow pages.
    let envelope = "Q1w2E3r4T5y6U7i8".repeat(300);
    let new = sealed(7, &envelope);
    store.add_intent(&new.intent, NOW).await.unwrap();
    store.put_key(&new).await.unwrap();
    let needles = ["Q1w2E3r4T5y6U7i8", "fingerprint-7", "ABCD…WXYZ"];
    for needle in needles {
        assert!(occurrences(&folder, needle) > 0, "control: {needle} is found before the deletion");
    }
    store.begin_key_deletion(new.intent.key).await.unwrap();
    store.delete_key(new.intent.key).await.unwrap();
    for needle in needles {
        assert_eq!(occurrences(&folder, needle), 0, "{needle} is gone");
    }
    assert!(matches!(store.key(new.intent.key).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn deletion_waits_for_a_reader_and_says_so_when_it_does_not_go() {
    let world = World::sqlite().await;
    let store = world.of_alice();
    let new = sealed(8, &"Z9y8X7w6".repeat(400));
    store.add_intent(&new.intent, NOW).await.unwrap();
    store.put_key(&new).await.unwrap();
    store.begin_key_deletion(new.intent.key).await.unwrap();
    let file = world.folder.path().join("data/keyhold.db");
    let url = format!("sqlite://{}", file.display());
    let mut reader = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM users").execute(&mut reader).await.unwrap();
    let deleting = tokio::spawn({
        let store = store.clone();
        async move { store.delete_key(new.intent.key).await }
    });
    // The row goes at once; only the emptying of the log waits for the reader.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while store.key(new.intent.key).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the row is deleted while a reader is open");
        tokio::task::yield_now().await;
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut reader).await.unwrap();
    deleting.await.unwrap().unwrap();
    assert_eq!(occurrences(&world.folder.path().join("data"), "Z9y8X7w6"), 0);
}

#[tokio::test]
async fn an_assigned_key_cannot_be_deleted() {
    for world in World::every_engine("assigned_key").await {
        let store = world.of_alice();
        let key = crate::world::add_key(&store, 5).await;
        store.activate_key(key).await.unwrap();
        let mut new = bot(1);
        new.key = Some(key);
        store.add_bot(&new).await.unwrap();
        assert!(matches!(store.begin_key_deletion(key).await, Err(DeleteRefusal::Assigned)));
        assert!(matches!(store.delete_key(key).await, Err(DeleteRefusal::Assigned)));
        assert!(store.key(key).await.unwrap().active, "a refused deletion changes nothing");
        let change = keyhold_store::BotChange { key: keyhold_store::Change::Clear, ..Default::default() };
        store.change_bot(new.id, &change).await.unwrap();
        store.begin_key_deletion(key).await.unwrap();
        assert!(!store.key(key).await.unwrap().active, "nobody can assign it any more");
        store.delete_key(key).await.unwrap();
    }
}
