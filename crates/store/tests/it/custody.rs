//! Who was let at a key, and what becomes of one that leaked.

use keyhold_store::{BotChange, Change, KeySwitch, NewOpening, OpeningPurpose, StoreError, Verification};

use crate::world::{NOW, World, add_key, bot, sealed};

#[tokio::test]
async fn openings_are_counted_and_the_newest_are_listed() {
    for world in World::every_engine("openings").await {
        let store = world.of_alice();
        let key = add_key(&store, 1).await;
        store.add_bot(&bot(1)).await.unwrap();
        assert_eq!(store.openings(key).await.unwrap(), (0, Vec::new()));
        let opening = |number: i64, bot| NewOpening {
            key,
            version: 1,
            purpose: if number == 0 { OpeningPurpose::Test } else { OpeningPurpose::Run },
            bot,
            at: NOW.plus_ms(number),
        };
        store.add_opening(&opening(0, None)).await.unwrap();
        for number in 1..260 {
            store.add_opening(&opening(number, Some(bot(1).id))).await.unwrap();
        }
        let (total, listed) = store.openings(key).await.unwrap();
        assert_eq!((total, listed.len()), (260, 50));
        assert_eq!((listed[0].number, listed[0].at), (260, NOW.plus_ms(259)));
        assert_eq!(listed[0].bot, Some((bot(1).id, "bot 1".to_owned())));
        assert!(matches!(world.of_bob().openings(key).await, Err(StoreError::NotFound)));
        world.of_bob().add_opening(&opening(9, None)).await.unwrap();
        assert_eq!(store.openings(key).await.unwrap().0, 260, "another workspace counts nothing here");
        let record = store.stored_record(key).await.unwrap();
        assert_eq!((record.version, record.size, record.sealed_at), (1, 10, NOW));
        store.begin_key_deletion(key).await.unwrap();
        store.delete_key(key).await.unwrap();
        assert!(matches!(store.openings(key).await, Err(StoreError::NotFound)), "they go with their key");
    }
}

#[tokio::test]
async fn a_leaked_key_stays_off_until_it_is_free_or_replaced() {
    for world in World::every_engine("leaked").await {
        let store = world.of_alice();
        let key = add_key(&store, 1).await;
        store.activate_key(key).await.unwrap();
        let mut used = bot(1);
        used.key = Some(key);
        store.add_bot(&used).await.unwrap();
        let before = store.bot(used.id).await.unwrap().generation;
        assert!(matches!(world.of_bob().mark_leaked(key, NOW).await, Err(StoreError::NotFound)));
        store.mark_leaked(key, NOW).await.unwrap();
        store.mark_leaked(key, NOW.plus_ms(5)).await.unwrap();
        let found = store.key(key).await.unwrap();
        assert_eq!((found.active, found.leaked_at), (false, Some(NOW)), "the first report counts");
        assert!(store.bot(used.id).await.unwrap().generation > before, "its bot is told");
        // Neither a person nor a good test switches it on again.
        store.activate_key(key).await.unwrap();
        store.set_verification(key, &Verification::UNVERIFIED, KeySwitch::On).await.unwrap();
        assert!(!store.key(key).await.unwrap().active);
        let free = async || world.store.system().leaked_and_free().await.unwrap();
        assert!(free().await.is_empty(), "its bot may have positions to close");
        let clear = BotChange { key: Change::Clear, ..BotChange::default() };
        store.change_bot(used.id, &clear).await.unwrap();
        assert_eq!(free().await, [(store.id(), key)]);
        let mut next = sealed(1, "envelope-next");
        next.intent.version = 2;
        store.add_intent(&next.intent, NOW).await.unwrap();
        store.put_key(&next).await.unwrap();
        assert_eq!(store.key(key).await.unwrap().leaked_at, None, "another credential has not leaked");
        assert!(free().await.is_empty());
    }
}
