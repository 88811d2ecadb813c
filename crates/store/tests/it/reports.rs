//! Each numbered report counts once.

use keyhold_domain::EventId;
use keyhold_protocol::uplink::{EventReport, Report, Severity};
use keyhold_store::{Ingested, PageRequest, Stored};

use crate::world::{NOW, World, bot};

fn event(text: &str) -> Report {
    Report::Event(EventReport {
        severity: Severity::Info,
        code: keyhold_domain::ReasonCode::WarmingUp,
        text: text.to_owned(),
        symbol: None,
    })
}

#[tokio::test]
async fn repeats_are_acknowledged_and_gaps_refused() {
    for world in World::every_engine("reports").await {
        let store = world.of_alice();
        let new = bot(1);
        store.add_bot(&new).await.unwrap();
        let run = world.store.system().deployment(new.deployment).await.unwrap();
        let send = |number, report| Stored {
            number,
            at: NOW,
            report,
            event: EventId::from_u128(u128::from(number) + 100),
        };
        let first = event("first");
        assert_eq!(store.ingest(&run, &send(1, &first)).await.unwrap(), Ingested::New);
        let again = store.ingest(&run, &send(1, &first)).await.unwrap();
        assert_eq!(again, Ingested::Duplicate { acknowledged: 1 });
        let ahead = store.ingest(&run, &send(3, &first)).await.unwrap();
        assert_eq!(ahead, Ingested::Gap { acknowledged: 1 });
        assert_eq!(store.ingest(&run, &send(2, &event("second"))).await.unwrap(), Ingested::New);
        let events = store.events(None, &PageRequest::new(10, None)).await.unwrap();
        assert_eq!(events.len(), 2, "nothing was stored twice");
        assert_eq!(world.store.system().deployment(new.deployment).await.unwrap().acknowledged, 2);
    }
}

#[tokio::test]
async fn the_same_report_from_two_connections_counts_once() {
    for world in World::every_engine("two_connections").await {
        let store = world.of_alice();
        let new = bot(1);
        store.add_bot(&new).await.unwrap();
        let run = world.store.system().deployment(new.deployment).await.unwrap();
        let tasks: Vec<_> = (0..20_u128)
            .map(|number| {
                let (store, run) = (store.clone(), run.clone());
                tokio::spawn(async move {
                    let report = event("once");
                    let stored =
                        Stored { number: 1, at: NOW, report: &report, event: EventId::from_u128(number) };
                    store.ingest(&run, &stored).await.unwrap()
                })
            })
            .collect();
        let mut stored = 0;
        for task in tasks {
            stored += usize::from(task.await.unwrap() == Ingested::New);
        }
        assert_eq!(stored, 1);
        assert_eq!(store.events(None, &PageRequest::new(50, None)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_run_is_replaced_by_the_next() {
    for world in World::every_engine("next_run").await {
        let store = world.of_alice();
        let new = bot(1);
        store.add_bot(&new).await.unwrap();
        let next = keyhold_domain::DeploymentId::from_u128(77);
        store.deploy_bot(new.id, next, NOW).await.unwrap();
        assert!(world.store.system().deployment(new.deployment).await.is_err(), "the old run is over");
        let run = world.store.system().deployment(next).await.unwrap();
        assert_eq!(run.epoch, 2);
        assert_eq!(store.deployments(new.id).await.unwrap().len(), 2);
    }
}
