//! Killed at any moment, the bot comes back to exactly what the venue holds.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{Decimal, OrderPurpose};
use keyhold_protocol::uplink::Phase;
use serde_json::json;

use crate::rig::Rig;

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// An order has reached the venue and its answer is lost.
    AnswerLost,
    /// An order is lost on its way.
    RequestLost,
    /// Right after a candle closed, wherever the bot is by then.
    AfterCandle,
    /// The venue has just filled an order.
    AfterFill,
    /// Nothing is on its way.
    AtRest,
}

const MOMENTS: [Moment; 5] =
    [Moment::AnswerLost, Moment::RequestLost, Moment::AfterCandle, Moment::AfterFill, Moment::AtRest];

fn orders(rig: &Rig) -> usize {
    rig.truth()["orders"].as_array().unwrap().len()
}

fn fills(rig: &Rig) -> usize {
    rig.truth()["fills"].as_array().unwrap().len()
}

/// Plays until something happens and kills the bot in the middle of it.
async fn kill_at(rig: &mut Rig, moment: Moment) {
    let (orders_before, fills_before) = (orders(rig), fills(rig));
    match moment {
        Moment::AnswerLost => {
            rig.control("script", &json!({ "path": "/v5/order/create", "fate": "lost_answer" }));
            for _ in 0..25 {
                let open = rig.play();
                let arrived = rig.until("candle or order", || {
                    if orders(rig) > orders_before {
                        return Some(true);
                    }
                    decided(rig, open).then_some(false)
                });
                if arrived.await {
                    break;
                }
            }
            assert!(orders(rig) > orders_before, "the wave makes it trade");
        }
        Moment::RequestLost => {
            rig.control("script", &json!({ "path": "/v5/order/create", "fate": "lost_request" }));
            for _ in 0..25 {
                let open = rig.play();
                let waits = rig.until("candle or order", || {
                    let beat = rig.server.heard(|heard| heard.beats.last().cloned())?;
                    let at = beat.progress.iter().any(|one| one.candle >= open);
                    at.then_some(beat.in_flight > 0 || orders(rig) > orders_before)
                });
                if waits.await {
                    break;
                }
            }
        }
        Moment::AfterCandle => {
            rig.play();
        }
        Moment::AfterFill => {
            for _ in 0..25 {
                let open = rig.play();
                let filled = rig.until("candle or fill", || {
                    if fills(rig) > fills_before {
                        return Some(true);
                    }
                    decided(rig, open).then_some(false)
                });
                if filled.await {
                    break;
                }
            }
        }
        Moment::AtRest => {}
    }
    rig.kill();
}

fn decided(rig: &Rig, open: keyhold_domain::Timestamp) -> bool {
    rig.server.heard(|heard| {
        heard
            .beats
            .last()
            .is_some_and(|beat| beat.in_flight == 0 && beat.progress.iter().any(|one| one.candle >= open))
    })
}

/// What must hold at rest: one position seen alike, one stop of its size, every order told, no fill twice.
fn assert_sound(rig: &Rig, seed: u64) {
    let truth = rig.truth();
    let held = rig.venue_size();
    assert_eq!(rig.reported_size(), held, "seed {seed}: bot and venue hold the same");
    let open = truth["open_orders"].as_array().unwrap();
    let stops: Vec<Decimal> =
        open.iter().map(|order| order["quantity"].as_str().unwrap().parse().unwrap()).collect();
    let expected = if held.is_zero() { vec![] } else { vec![held.abs()] };
    assert_eq!(stops, expected, "seed {seed}: one resting stop for the position and nothing else");
    let told: BTreeSet<String> = rig.orders().iter().map(|order| order.order.client_id.to_string()).collect();
    for order in truth["orders"].as_array().unwrap() {
        let name = order["link_id"].as_str().unwrap();
        assert!(told.contains(name), "seed {seed}: order {name} was told");
    }
    // An entry is never doubled: between two entries there is an exit.
    let mut entries = 0_i64;
    let mut ended = BTreeMap::new();
    for order in rig.orders() {
        ended.insert(order.order.client_id, order);
    }
    for order in ended.values().filter(|order| !order.filled.is_zero()) {
        match order.order.purpose {
            OrderPurpose::Entry => entries += 1,
            OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => entries -= 1,
        }
    }
    assert!((0..=1).contains(&entries), "seed {seed}: {entries} entries without an exit");
    let imbalance = rig.venue.control("imbalance", &json!(null)).unwrap();
    assert!(imbalance.as_object().unwrap().values().all(|sum| sum == "0"), "{imbalance}");
}

async fn killed_and_restarted(seed: u64) {
    let moment = MOMENTS[usize::try_from(seed).unwrap() % MOMENTS.len()];
    let mut rig = Rig::trading(100 + seed).await;
    rig.start("run");
    rig.phase(Phase::Online).await;
    rig.step().await;
    for _ in 0..(3 + seed * 7 % 13) {
        rig.step().await;
    }
    for _ in 0..2 {
        kill_at(&mut rig, moment).await;
        let connections = rig.server.heard(|heard| heard.connections);
        rig.start("run");
        rig.until("it is back", || {
            rig.server.heard(|heard| {
                let beat = heard.beats.last().filter(|_| heard.connections > connections)?;
                (beat.phase == Phase::Online && beat.in_flight == 0).then_some(())
            })
        })
        .await;
        for _ in 0..3 {
            rig.step().await;
        }
        assert_sound(&rig, seed);
    }
}

/// Twenty seeds, five moments, two deaths each; four at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_bot_comes_back_to_what_the_venue_holds() {
    let mut running = tokio::task::JoinSet::new();
    for seed in 0..20 {
        while running.len() >= 4 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(killed_and_restarted(seed));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}
