//! Nothing of one workspace is found through a handle of another.

use keyhold_domain::{BotId, KeyId};
use keyhold_store::{StoreError, Wish};

use crate::world::{NOW, World, add_key, bot};

#[tokio::test]
async fn a_handle_finds_nothing_of_others() {
    for world in World::every_engine("separation").await {
        let (alice, bob) = (world.of_alice(), world.of_bob());
        let key = add_key(&alice, 1).await;
        alice.add_bot(&bot(1)).await.unwrap();
        let id = BotId::from_u128(1);
        assert!(bob.keys().await.unwrap().is_empty());
        assert!(bob.bots().await.unwrap().is_empty());
        assert!(matches!(bob.key(key).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.key_record(key).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.rename_key(key, "mine").await, Err(StoreError::NotFound)));
        assert!(matches!(bob.activate_key(key).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.bot(id).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.set_wish(id, Wish::Stopped).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.delete_bot(id).await, Err(StoreError::NotFound)));
        let run = world.store.system().deployment(bot(1).deployment).await.unwrap();
        assert_eq!(run.workspace(), alice.id(), "reports go to the bot's own workspace");
        assert_eq!(alice.bot(id).await.unwrap().wish, Wish::Running);
    }
}

#[tokio::test]
async fn the_same_exchange_key_is_refused_across_workspaces() {
    for world in World::every_engine("duplicates").await {
        let (alice, bob) = (world.of_alice(), world.of_bob());
        add_key(&alice, 1).await;
        let mut copy = crate::world::sealed(2, "other");
        copy.fingerprint = "fingerprint-1".to_owned();
        bob.add_intent(&copy.intent, NOW).await.unwrap();
        assert!(matches!(bob.put_key(&copy).await, Err(keyhold_store::PutKeyRefusal::Duplicate)));
        assert!(bob.intent(KeyId::from_u128(2), NOW).await.is_ok(), "the intent can be used again");
    }
}

#[tokio::test]
async fn other_users_of_the_machine_cannot_read_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::sqlite().await;
    add_key(&world.of_alice(), 1).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(world.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2, "database and write-ahead log were looked at");
}
