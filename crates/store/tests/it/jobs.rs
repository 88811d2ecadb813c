//! Work in the background: its order, its states, its result, and whose it is.

use keyhold_domain::JobId;
use keyhold_store::{
    AddJobRefusal, BacktestResult, JobEnd, JobKind, JobState, JobStep, NewJob, PageRequest, Stepped,
    StoreError, WorkspaceStore,
};
use serde_json::json;

use crate::world::{NOW, World};

const BACKTEST: JobKind = JobKind::Backtest;

async fn queue(store: &WorkspaceStore, number: u128, most: u32) -> Result<JobId, AddJobRefusal> {
    let id = JobId::from_u128(number);
    let request = json!({"number": number.to_string()});
    let new = NewJob {
        id,
        kind: BACKTEST,
        by: None,
        request: &request,
        most_waiting: most,
        most_kept: 5,
        now: NOW,
    };
    store.add_job(&new).await.map(|()| id)
}

async fn step(store: &WorkspaceStore, id: JobId, step: JobStep) -> Stepped {
    store.step_job(id, step, &JobEnd::default(), NOW).await.unwrap()
}

fn result(parts: usize) -> BacktestResult {
    let trades = (0..parts).map(|part| format!("[{part}]")).collect();
    BacktestResult { report: "{}".to_owned(), page: "<p>".to_owned(), trades }
}

#[tokio::test]
async fn jobs_are_begun_in_the_order_in_which_they_were_asked_for_whoever_asked() {
    for world in World::every_engine("jobs_order").await {
        let (alice, bob, system) = (world.of_alice(), world.of_bob(), world.store.system());
        let first = queue(&alice, 9, 3).await.unwrap();
        let second = queue(&bob, 5, 3).await.unwrap();
        let third = queue(&alice, 7, 3).await.unwrap();
        let mut begun = Vec::new();
        while let Some(job) = system.next_job(BACKTEST).await.unwrap() {
            let ahead = system.jobs_ahead(&job).await.unwrap();
            assert_eq!(ahead, 0, "nothing is before what comes next");
            begun.push(job.id);
            step(&system.workspace(job.workspace), job.id, JobStep::Start).await;
        }
        assert_eq!(begun, [first, second, third]);
        assert!(system.next_job(JobKind::Candles).await.unwrap().is_none());
        assert_eq!(system.jobs_in(BACKTEST, JobState::Running).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_result_that_comes_after_the_cancel_is_not_kept() {
    for world in World::every_engine("jobs_cancel").await {
        let alice = world.of_alice();
        let id = queue(&alice, 1, 3).await.unwrap();
        assert_eq!(step(&alice, id, JobStep::Complete).await, Stepped::Refused(JobState::Queued));
        assert_eq!(step(&alice, id, JobStep::Start).await, Stepped::Now(JobState::Running));
        assert_eq!(step(&alice, id, JobStep::Start).await, Stepped::Refused(JobState::Running));
        assert!(matches!(alice.delete_job(BACKTEST, id).await, Err(StoreError::Referenced)));
        assert_eq!(step(&alice, id, JobStep::Cancel).await, Stepped::Now(JobState::Canceled));
        let late = alice.complete_backtest(id, &result(2), &JobEnd::default(), NOW).await.unwrap();
        assert_eq!(late, Stepped::Refused(JobState::Canceled));
        assert!(matches!(alice.backtest_report(id).await, Err(StoreError::NotFound)));
        assert!(alice.backtest_trades(id, 0, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_result_is_kept_read_in_parts_and_goes_with_its_job() {
    for world in World::every_engine("jobs_result").await {
        let alice = world.of_alice();
        let id = queue(&alice, 1, 3).await.unwrap();
        step(&alice, id, JobStep::Start).await;
        let end = JobEnd { summary: Some(json!({"trades": 3})), ..JobEnd::default() };
        let stepped = alice.complete_backtest(id, &result(3), &end, NOW).await.unwrap();
        assert_eq!(stepped, Stepped::Now(JobState::Completed));
        let row = alice.job(BACKTEST, id).await.unwrap();
        assert_eq!((row.state, row.summary), (JobState::Completed, end.summary));
        assert_eq!(row.finished_at, Some(NOW));
        assert_eq!(alice.backtest_trades(id, 1, 2).await.unwrap(), ["[1]", "[2]"]);
        assert_eq!(alice.backtest_page(id).await.unwrap(), "<p>");
        alice.delete_job(BACKTEST, id).await.unwrap();
        assert!(matches!(alice.backtest_report(id).await, Err(StoreError::NotFound)));
        assert!(alice.backtest_trades(id, 0, 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_queue_and_the_shelf_are_bounded() {
    for world in World::every_engine("jobs_bounds").await {
        let (alice, bob) = (world.of_alice(), world.of_bob());
        for number in 1..=2 {
            queue(&alice, number, 2).await.unwrap();
        }
        assert!(matches!(queue(&alice, 3, 2).await, Err(AddJobRefusal::TooManyWaiting)));
        queue(&bob, 3, 2).await.expect("others have queues of their own");
        for number in 1..=2 {
            step(&alice, JobId::from_u128(number), JobStep::Cancel).await;
        }
        for number in 11..=13 {
            queue(&alice, number, 9).await.unwrap();
        }
        assert!(matches!(queue(&alice, 14, 9).await, Err(AddJobRefusal::TooManyKept)));
    }
}

#[tokio::test]
async fn nobody_sees_or_changes_the_jobs_of_others() {
    for world in World::every_engine("jobs_others").await {
        let (alice, bob) = (world.of_alice(), world.of_bob());
        let id = queue(&alice, 1, 3).await.unwrap();
        step(&alice, id, JobStep::Start).await;
        alice.complete_backtest(id, &result(1), &JobEnd::default(), NOW).await.unwrap();
        let page = PageRequest::new(10, None);
        assert!(bob.jobs(BACKTEST, &page).await.unwrap().is_empty());
        assert!(matches!(bob.job(BACKTEST, id).await, Err(StoreError::NotFound)));
        let canceled = bob.step_job(id, JobStep::Cancel, &JobEnd::default(), NOW).await;
        assert!(matches!(canceled, Err(StoreError::NotFound)));
        assert!(matches!(bob.delete_job(BACKTEST, id).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.backtest_report(id).await, Err(StoreError::NotFound)));
        assert!(matches!(bob.backtest_page(id).await, Err(StoreError::NotFound)));
        assert!(bob.backtest_trades(id, 0, 9).await.unwrap().is_empty());
        bob.drop_backtest_result(id).await.unwrap();
        assert_eq!(alice.backtest_report(id).await.unwrap(), "{}");
        assert_eq!(alice.jobs(BACKTEST, &page).await.unwrap().len(), 1);
        assert!(alice.jobs(JobKind::Candles, &page).await.unwrap().is_empty());
        assert!(matches!(alice.job(JobKind::Candles, id).await, Err(StoreError::NotFound)));
    }
}
