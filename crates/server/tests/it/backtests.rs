//! Backtests through the API: a real store, real candles on disk, and the worker that runs them.

use keyhold_domain::Timeframe;
use keyhold_store::{JobEnd, JobKind, JobState, JobStep, NewJob};
use serde_json::{Value, json};

use crate::laboratory_world::{
    MINUTE_MS, START_MS, SYMBOL, back, body, candles, document_with_funding, list_markets, now, path, place,
    record, record_as, until, with,
};
use crate::world::{Client, World};

/// Candles of which a run with every decision recorded takes long enough to be met while it runs.
const MANY: i64 = 150_000;

async fn prepared(count: usize) -> (World, Client) {
    let world = World::start().await;
    record(&world, &candles(count));
    list_markets(&world).await;
    let owner = world.owner().await;
    (world, owner)
}

/// Waits until a job has ended.
async fn ended(client: &mut Client, path: &str) -> Value {
    until(client, path, |found| found["finished_at"].is_i64()).await
}

async fn run(client: &mut Client, body: Value) -> Value {
    let queued = client.post("/backtests", body).await.ok();
    let done = ended(client, &path("backtests", &queued, "")).await;
    assert_eq!(done["state"], "completed", "{done:#}");
    done
}

fn codes(problems: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    problems.as_array().unwrap().iter().map(|one| (text(&one["path"]), text(&one["code"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_queued_run_read_exported_and_deleted() {
    let (world, mut alice) = prepared(20_000).await;
    let asked = body(2_000, 20_000);
    let check = alice.post("/backtests/check", asked.clone()).await.ok();
    assert_eq!((check["problems"].clone(), check["candles"].clone()), (json!([]), json!(3_600)));
    assert_eq!(check["coverage"][0]["recorded"], "1m");
    let queued = alice.post("/backtests", asked).await.ok();
    assert_eq!(queued["template"]["id"], Value::Null);
    let done = ended(&mut alice, &path("backtests", &queued, "")).await;
    assert_eq!(done["state"], "completed", "{done:#}");
    assert_eq!(done["document"]["timeframe"], "5m");

    let result = alice.get(&path("backtests", &done, "/result")).await.ok();
    let total = result["trades_total"].as_u64().unwrap();
    assert!(total > 3, "there is something to look at: {total}");
    assert_eq!(result["metrics"]["trades"]["count"], total);
    assert_eq!(done["summary"]["trades"], total);
    assert_eq!(result["candles"], 3_600);
    assert!(result["warmup_candles"].as_u64().unwrap() > 0, "earlier candles are history");
    assert!(result["blocked"].as_array().unwrap().iter().all(|one| one["count"].as_u64().unwrap() > 0));
    assert_eq!(result["disclaimer"], "Past results do not promise future ones.");
    let equity = result["equity"].as_array().unwrap();
    assert_eq!(equity[0]["equity"], "10000");
    assert_eq!(result["buy_and_hold"][0]["equity"], "10000.00");

    // All trades, three at a time, newest first, without one twice.
    let (mut numbers, mut before) = (Vec::new(), String::new());
    loop {
        let page =
            alice.get(&path("backtests", &done, &format!("/trades?limit=3&before={before}"))).await.ok();
        numbers
            .extend(page["items"].as_array().unwrap().iter().map(|trade| trade["number"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut before),
            None => break,
        }
    }
    assert_eq!(numbers, (1..=total).rev().collect::<Vec<_>>());
    let none = alice.get(&path("backtests", &done, "/trades?symbol=ETHUSDT")).await.ok();
    assert_eq!(none["items"], json!([]));

    let export = |format: &str| path("backtests", &done, &format!("/export?format={format}"));
    let csv = alice.get(&export("csv")).await;
    assert_eq!(csv.text.lines().skip(1).count(), numbers.len());
    assert!(csv.header("content-disposition").unwrap().contains("trades.csv"));
    assert!(alice.get(&export("equity")).await.text.starts_with("time,equity,drawdown\n"));
    let html = alice.get(&export("html")).await;
    assert!(html.text.starts_with("<!DOCTYPE html>") && html.text.contains("<svg"), "a page with charts");
    let whole = alice.get(&export("json")).await.ok();
    assert_eq!(whole["trades"].as_array().unwrap().len(), numbers.len());
    alice.get(&export("pdf")).await.refused(400, "INVALID_FIELD");

    let feed = alice.get("/events").await.ok();
    assert_eq!(feed["items"][0]["code"], "BACKTEST_COMPLETED", "{feed:#}");
    alice.post(&path("backtests", &done, "/cancel"), json!({})).await.refused(409, "JOB_ENDED");
    assert_eq!(alice.delete(&path("backtests", &done, "")).await.status, 204);
    alice.get(&path("backtests", &done, "/result")).await.refused(404, "NOT_FOUND");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_runs_give_equal_bytes_and_unequal_ones_are_compared() {
    let (world, mut alice) = prepared(8_000).await;
    let with_signals = with(body(2_000, 8_000), json!({"signals": "on"}));
    let first = run(&mut alice, with_signals.clone()).await;
    let second = run(&mut alice, with_signals).await;
    for format in ["json", "csv", "equity", "html"] {
        let rest = format!("/export?format={format}");
        let a = alice.get(&path("backtests", &first, &rest)).await;
        let b = alice.get(&path("backtests", &second, &rest)).await;
        assert_eq!(a.status, 200);
        assert!(a.text == b.text && a.text.len() > 20, "{format} differs");
    }
    let result = alice.get(&path("backtests", &first, "/result")).await.ok();
    assert!(!result["signals"]["components"].as_array().unwrap().is_empty());
    let dear = with(body(2_000, 8_000), json!({"fees": {"maker": "0.01", "taker": "0.01"}}));
    let third = run(&mut alice, dear).await;
    let id = |run: &Value| run["id"].as_str().unwrap().to_owned();
    let compared = format!("/backtests/compare?ids={},{}", id(&first), id(&third));
    let found = alice.get(&compared).await.ok();
    let fees = found["figures"].as_array().unwrap().iter().find(|one| one["name"] == "fees").unwrap();
    assert_eq!((fees["better"].clone(), fees["best"].clone()), (json!("lower"), json!([0])));
    let paths: Vec<&str> =
        found["assumptions"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"taker_fee"), "{paths:?}");
    assert_eq!(found["equity"].as_array().unwrap().len(), 2);
    let twice = format!("/backtests/compare?ids={},{}", id(&first), id(&first));
    alice.get(&twice).await.refused(400, "INVALID_FIELD");
    let unknown = format!("/backtests/compare?ids={},{}", id(&first), "0".repeat(32));
    alice.get(&unknown).await.refused(404, "NOT_FOUND");
    let mut bob = world.user("bob@example.org").await;
    bob.get(&compared).await.refused(404, "NOT_FOUND");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_said_at_once() {
    let (world, mut alice) = prepared(4_000).await;
    let mut gappy = candles(4_000);
    gappy.drain(3_000..3_010);
    record_as(&world, "ETHUSDT", &gappy);
    let mut wrong = with(
        body(2_000, 4_000),
        json!({"markets": [place(SYMBOL), place("ETHUSDT"), place("XYZUSDT")], "equity": "0",
            "document": document_with_funding(), "fees": {"maker": "0", "taker": "0.9"}}),
    );
    wrong["settings"]["leverage"] = json!("0");
    let refused = alice.post("/backtests", wrong).await;
    refused.refused(422, "BT_REFUSED");
    let found = codes(&refused.body["problems"]);
    for expected in [
        ("settings.leverage", "OUT_OF_RANGE"),
        ("equity", "BT_EQUITY_INVALID"),
        ("fees", "BT_FEES_INVALID"),
        ("unsupported", "BT_COMPONENT_UNSUPPORTED"),
        ("markets[1]", "BT_DATA_GAPS"),
        ("markets[2]", "BT_NO_DATA"),
        ("markets[2].symbol", "BT_INSTRUMENT_UNKNOWN"),
    ] {
        let expected = (expected.0.to_owned(), expected.1.to_owned());
        assert!(found.contains(&expected), "{expected:?} is not among {found:?}");
    }
    let single = |body: Value, code: &'static str| {
        let mut alice = alice.clone();
        async move { alice.post("/backtests", body).await.refused(422, code) }
    };
    let only = |symbol: &str| json!({"markets": [place(symbol)]});
    single(with(body(2_000, 4_000), only("ETHUSDT")), "BT_DATA_GAPS").await;
    single(with(body(0, 100), json!({})), "BT_RANGE_TOO_SHORT").await;
    single(body(100_000, 200_000), "BT_NO_DATA").await;
    single(body(4_000, 2_000), "BT_RANGE_INVALID").await;
    single(with(body(2_000, 4_000), json!({"slippage_bps": "-1"})), "BT_SLIPPAGE_INVALID").await;
    single(with(body(2_000, 4_000), json!({"markets": [place(SYMBOL), place(SYMBOL)]})), "BT_MARKETS").await;
    let accepted = with(body(2_000, 4_000), json!({"gaps": "accept", "markets": [place("ETHUSDT")]}));
    let done = run(&mut alice, accepted).await;
    let result = alice.get(&path("backtests", &done, "/result")).await.ok();
    assert_eq!(result["findings"][0]["code"], "BT_DATA_GAPS", "{:#}", result["findings"]);
    let neutral = json!({"document": document_with_funding(), "unsupported": "neutral"});
    let done = run(&mut alice, with(body(2_000, 4_000), neutral)).await;
    let result = alice.get(&path("backtests", &done, "/result")).await.ok();
    assert_eq!(result["findings"][0]["code"], "BT_COMPONENT_UNSUPPORTED", "{:#}", result["findings"]);
    let mut small = body(2_000, 4_000);
    small["settings"]["sizing"]["quote"] = json!("0.01");
    let done = run(&mut alice, small).await;
    assert_eq!(done["code"], "BT_NO_TRADES", "{done:#}");
    let result = alice.get(&path("backtests", &done, "/result")).await.ok();
    let first = &result["blocked"][0];
    assert_eq!((first["code"].clone(), first["step"].clone()), (json!("BELOW_MINIMUM"), json!("size")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_what_waits_can_be_canceled() {
    let (world, mut alice) = prepared(150_000).await;
    let long = with(body(2_000, MANY), json!({"signals": "on", "timeframe": "1m"}));
    let mut stream = alice.send("GET", "/stream", None).await;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    let mut all = Vec::new();
    for _ in 0..=workers {
        all.push(alice.post("/backtests", long.clone()).await.ok());
    }
    let first = path("backtests", &all[0], "");
    let running = until(&mut alice, &first, |run| run["progress"].is_object()).await;
    assert_eq!(running["state"], "running");
    let progress = &running["progress"];
    let at = progress["at"].as_i64().unwrap();
    let range = START_MS..=START_MS + MANY * MINUTE_MS;
    assert!(range.contains(&at), "{progress}");
    let mut seen = String::new();
    crate::stream::read_until(&mut stream, &mut seen, "\"fraction\"").await.unwrap();
    assert!(seen.contains("event: backtest"), "{seen}");
    let last = all.last().unwrap();
    let waiting = alice.get(&path("backtests", last, "")).await.ok();
    assert_eq!((waiting["state"].clone(), waiting["queue_position"].clone()), (json!("queued"), json!(1)));
    assert_eq!(alice.delete(&path("backtests", last, "")).await.code(), "JOB_ACTIVE");
    let canceled = alice.post(&path("backtests", last, "/cancel"), json!({})).await.ok();
    assert_eq!((canceled["state"].clone(), canceled["started_at"].clone()), (json!("canceled"), Value::Null));
    crate::stream::read_until(&mut stream, &mut seen, "\"state\":\"canceled\"").await.unwrap();
    for run in &all[..workers] {
        alice.post(&path("backtests", run, "/cancel"), json!({})).await.ok();
        let canceled = ended(&mut alice, &path("backtests", run, "")).await;
        assert_eq!(
            (canceled["state"].clone(), canceled["progress"].clone()),
            (json!("canceled"), Value::Null)
        );
        alice.get(&path("backtests", run, "/result")).await.refused(409, "BT_NO_RESULT");
        assert_eq!(alice.delete(&path("backtests", run, "")).await.status, 204);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_that_ended_left_behind_is_settled_by_the_next() {
    let (mut world, mut alice) = prepared(4_000).await;
    let done = run(&mut alice, body(2_000, 4_000)).await;
    let me = alice.get("/me").await.ok();
    let store = back(&world).await;
    let mine = store.system().workspace(me["workspace"]["id"].as_str().unwrap().parse().unwrap());
    let id: keyhold_domain::JobId = done["id"].as_str().unwrap().parse().unwrap();
    let request = mine.job(JobKind::Backtest, id).await.unwrap().request;
    world.running.take().unwrap().stop().await;
    let fetch = json!({"place": place(SYMBOL), "timeframe": Timeframe::H1, "from": START_MS,
        "until": START_MS + 3_600_000});
    for (kind, number, request) in [(JobKind::Backtest, 1_u128, &request), (JobKind::Candles, 2, &fetch)] {
        let id = keyhold_domain::JobId::from_u128(number);
        let new = NewJob { id, kind, by: None, request, most_waiting: 9, most_kept: 9, now: now() };
        mine.add_job(&new).await.unwrap();
        mine.step_job(id, JobStep::Start, &JobEnd::default(), now()).await.unwrap();
    }
    world.restart().await;
    alice.address = world.client().address;
    let failed = ended(&mut alice, &format!("/backtests/{:032x}", 1)).await;
    assert_eq!(
        (failed["state"].clone(), failed["code"].clone()),
        (json!("failed"), json!("BT_SERVER_ENDED"))
    );
    // The fetch has begun anew: it is not the same attempt that failed, and its venue does not answer.
    let fetched = ended(&mut alice, &format!("/candles/fetches/{:032x}", 2)).await;
    assert_eq!(
        (fetched["state"].clone(), fetched["code"].clone()),
        (json!("failed"), json!("EXCHANGE_DOWN"))
    );
    assert_eq!(mine.job(JobKind::Backtest, id).await.unwrap().state, JobState::Completed);
    world.end().await;
}
