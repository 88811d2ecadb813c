//! One key, one bot, whatever happens at once.

use keyhold_domain::{BotId, SignedQuantity, Site, Symbol};
use keyhold_protocol::uplink::{PositionReport, Report, StopPlace};
use keyhold_store::{BotChange, BotRefusal, Change, Stored};

use crate::world::{NOW, World, add_key, bot, sealed};

#[tokio::test]
async fn two_hundred_bots_ask_for_one_key_and_one_gets_it() {
    for world in World::every_engine("one_key_one_bot").await {
        let store = world.of_alice();
        let key = add_key(&store, 1).await;
        store.activate_key(key).await.unwrap();
        for number in 0..200 {
            store.add_bot(&bot(number)).await.unwrap();
        }
        let change = BotChange { key: Change::Set(key), ..Default::default() };
        let tasks: Vec<_> = (0..200)
            .map(|number| {
                let (store, change) = (store.clone(), change.clone());
                tokio::spawn(async move { store.change_bot(BotId::from_u128(number), &change).await })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => won += 1,
                Err(BotRefusal::KeyAssigned { .. }) => {}
                Err(other) => panic!("unexpected refusal: {other:?}"),
            }
        }
        assert_eq!(won, 1);
        let holders = store.bots().await.unwrap().iter().filter(|bot| bot.key.is_some()).count();
        assert_eq!(holders, 1);
    }
}

#[tokio::test]
async fn only_active_keys_of_the_same_workspace_can_be_assigned() {
    for world in World::every_engine("active_keys").await {
        let store = world.of_alice();
        let key = add_key(&store, 1).await;
        let bobs = add_key(&world.of_bob(), 2).await;
        world.of_bob().activate_key(bobs).await.unwrap();
        store.add_bot(&bot(1)).await.unwrap();
        let id = BotId::from_u128(1);
        let assign = |key| BotChange { key: Change::Set(key), ..Default::default() };
        assert!(matches!(store.change_bot(id, &assign(key)).await, Err(BotRefusal::KeyInactive)));
        assert!(matches!(store.change_bot(id, &assign(bobs)).await, Err(BotRefusal::NoKey)));
        store.activate_key(key).await.unwrap();
        let before = store.bot(id).await.unwrap().generation;
        store.change_bot(id, &assign(key)).await.unwrap();
        store.deactivate_key(key).await.unwrap();
        let after = store.bot(id).await.unwrap();
        assert!(after.key.is_some_and(|key| !key.active), "a key switched off stays assigned");
        assert_eq!(after.generation, before + 2, "the bot is told of both changes");
    }
}

#[tokio::test]
async fn a_key_stays_while_a_position_is_open() {
    for world in World::every_engine("open_position").await {
        let store = world.of_alice();
        let (one, two) = (add_key(&store, 1).await, add_key(&store, 2).await);
        store.activate_key(one).await.unwrap();
        store.activate_key(two).await.unwrap();
        let mut new = bot(1);
        new.key = Some(one);
        store.add_bot(&new).await.unwrap();
        let run = world.store.system().deployment(new.deployment).await.unwrap();
        let position = |size: &str| {
            Report::Position(PositionReport {
                symbol: "BTCUSDT".parse::<Symbol>().unwrap(),
                size: size.parse::<SignedQuantity>().unwrap(),
                entry: None,
                mark: None,
                unrealized: None,
                settle: "USDT".parse().unwrap(),
                stop: None,
                stop_at_venue: StopPlace::None,
                target: None,
                liquidation: None,
                opened_at: None,
            })
        };
        let report =
            |number, report| Stored { number, at: NOW, report, event: keyhold_domain::EventId::from_u128(1) };
        let (open, flat) = (position("0.5"), position("0"));
        store.ingest(&run, &report(1, &open)).await.unwrap();
        for key in [Change::Clear, Change::Set(two)] {
            let change = BotChange { key, ..Default::default() };
            let refused = store.change_bot(new.id, &change).await;
            assert!(matches!(refused, Err(BotRefusal::LockedByPosition)), "{refused:?}");
        }
        store.ingest(&run, &report(2, &flat)).await.unwrap();
        let change = BotChange { key: Change::Set(two), ..Default::default() };
        store.change_bot(new.id, &change).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_keeps_the_site_of_its_account() {
    for world in World::every_engine("key_site").await {
        let store = world.of_alice();
        for (number, site) in (1_u128..).zip(Site::ALL.iter().copied()) {
            let mut new = sealed(number, &format!("envelope-{number}"));
            new.intent.site = site;
            store.add_intent(&new.intent, NOW).await.unwrap();
            let intent = store.intent(new.intent.key, NOW).await.unwrap();
            assert_eq!(intent.site, site);
            store.put_key(&new).await.unwrap();
            assert_eq!(store.key(new.intent.key).await.unwrap().site, site);
        }
        let listed: Vec<Site> = store.keys().await.unwrap().iter().map(|key| key.site).collect();
        assert_eq!(listed, Site::ALL);
    }
}
