//! Ten times the allowance at once: nobody is banned, exits and cancels go first, and every intent ends with an outcome.
//!
//! The twin counts as the venue documents and tells what is left in the venue's own headers, where it has some. In the
//! second test another program spends from the same allowance, which only answers can tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{ContractType, NewOrder, OrderKind, OrderPurpose, RefusalCode, Side, TimeInForce};
use keyhold_fake_venues::config::RateLimits;
use keyhold_venues::signer::{CancelOrder, OrderRef};
use keyhold_venues::{AnyVenue, MarketData as _, TradingVenue as _, VenueError};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::bench::{Bench, limit};
use super::rows::Row;
use super::wire::Wire;

/// Cancels, and exits, in the middle of the entries.
const URGENT: u32 = 5;
/// A request that was not taken is sent again at most so often.
const MOST_TRIES: u32 = 5_000;
/// What a person would call lost; far beyond what ten windows of any venue take.
const GIVEN_UP: Duration = Duration::from_hours(1);

/// How a request went that was repeated until it was taken.
#[derive(Debug, Clone, Copy)]
struct Taken {
    after: Duration,
    /// Times the venue said that it was one too many.
    too_many: u32,
}

/// Sends until it is taken. A ban, an unknown outcome and any other refusal end the test.
async fn persist<F>(what: &str, send: impl Fn() -> F) -> Taken
where
    F: Future<Output = Result<(), VenueError>>,
{
    let began = Instant::now();
    let mut too_many = 0;
    for _ in 0..MOST_TRIES {
        let wait = match send().await {
            Ok(()) => return Taken { after: began.elapsed(), too_many },
            Err(VenueError::NotSent { retry_after, .. }) => retry_after,
            Err(VenueError::Refused { code: RefusalCode::RateLimited, .. }) => {
                too_many += 1;
                Duration::from_millis(500)
            }
            Err(error) => panic!("{what}: {error}"),
        };
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
    }
    panic!("{what} was never taken")
}

async fn place(venue: Arc<AnyVenue<Wire>>, order: NewOrder) -> Taken {
    persist("an order", || async { venue.place(&order).await.map(|_placed| ()) }).await
}

async fn cancel(venue: Arc<AnyVenue<Wire>>, cancel: CancelOrder) -> Taken {
    persist("a cancel", || venue.cancel(&cancel)).await
}

async fn all(tasks: JoinSet<Taken>) -> Vec<Taken> {
    let mut taken = tasks.join_all().await;
    taken.sort_unstable_by_key(|one| one.after);
    taken
}

/// Number of the first entry of a program; those before it are what the urgent requests are about.
const FIRST: u32 = 1_000;

/// An adapter that knows its venue, and the orders that its urgent requests end.
async fn prepare(bench: &Bench) -> Arc<AnyVenue<Wire>> {
    let venue = Arc::new(bench.venue());
    venue.instruments().await.unwrap();
    venue.server_time().await.unwrap();
    venue
}

/// A purchase that waits. Thousands of them must not need more margin than there is.
fn far_away(bench: &Bench, number: u32) -> NewOrder {
    let price = match bench.row.product {
        ContractType::Linear => "20000",
        ContractType::Inverse => "40000",
    };
    bench.entry(number, Side::Buy, limit(price, TimeInForce::Gtc), bench.row.lot)
}

/// Spawns a program's entries.
fn flood(bench: &Bench, venue: &Arc<AnyVenue<Wire>>, numbers: std::ops::Range<u32>) -> JoinSet<Taken> {
    let mut entries = JoinSet::new();
    for number in numbers {
        entries.spawn(place(Arc::clone(venue), far_away(bench, number)));
    }
    entries
}

/// Every entry rests, each once, and nothing else does.
fn assert_all_rest(bench: &Bench, numbers: std::ops::Range<u32>) {
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    let truth = bench.truth();
    for order in truth["open_orders"].as_array().unwrap() {
        *found.entry(order["client_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let wanted: BTreeMap<String, u32> =
        numbers.map(|number| (far_away(bench, number).client_id.to_string(), 1)).collect();
    let missing = wanted.keys().filter(|id| !found.contains_key(*id)).count();
    assert_eq!((missing, found.len()), (0, wanted.len()), "{}", bench.row.name);
    assert!(found.values().all(|count| *count == 1), "{}: an entry rests twice", bench.row.name);
}

fn refused_by_the_twin(bench: &Bench) -> u64 {
    bench.control("status", &Value::Null)["too_many"].as_u64().unwrap()
}

async fn exits_go_first(row: &'static Row) {
    let bench = Bench::limited(row, RateLimits::Enforced);
    bench.control("faults", &json!({ "latency": { "model": "fixed", "ms": 20 } }));
    let venue = prepare(&bench).await;
    for number in 1..=URGENT {
        place(Arc::clone(&venue), far_away(&bench, number)).await;
    }
    let position = bench.entry(20, Side::Buy, OrderKind::Market, row.size);
    place(Arc::clone(&venue), position).await;
    // The allowance is whole again.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let numbers = FIRST..FIRST + 10 * row.burst.allowance;
    let entries = flood(&bench, &venue, numbers.clone());
    // They are on their way before the first cancel is thought of.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let mut urgent = JoinSet::new();
    for number in 1..=URGENT {
        let order = OrderRef::Client(far_away(&bench, number).client_id);
        urgent.spawn(cancel(Arc::clone(&venue), CancelOrder { order, symbol: bench.symbol }));
        let exit = bench.exit(30 + number, OrderPurpose::Exit, OrderKind::Market, row.lot);
        urgent.spawn(place(Arc::clone(&venue), exit));
    }
    let urgent = tokio::time::timeout(GIVEN_UP, all(urgent)).await.expect("urgent requests were lost");
    let entries = tokio::time::timeout(GIVEN_UP, all(entries)).await.expect("entries were lost");
    let (median, last) = (entries[entries.len() / 2].after, entries[entries.len() - 1].after);
    let slowest = urgent[urgent.len() - 1].after;
    let refused = refused_by_the_twin(&bench);
    let seen: u32 = entries.iter().chain(&urgent).map(|one| one.too_many).sum();
    println!(
        "{}: {} entries in {last:?} (half in {median:?}), {} cancels and exits in {slowest:?}, {refused} requests one too \
         many, {seen} seen by the program",
        row.name,
        entries.len(),
        urgent.len(),
    );
    assert!(
        slowest < median / 2,
        "{}: cancels and exits waited {slowest:?} for entries ({median:?})",
        row.name
    );
    assert_all_rest(&bench, numbers.clone());
    let fills = bench.truth()["fills"].as_array().unwrap().len();
    assert_eq!(fills, 1 + usize::try_from(URGENT).unwrap(), "the position and its exits");
    // What a venue refuses, it counts against us: not more than a few in a hundred.
    assert!(refused * 20 <= u64::from(numbers.end - numbers.start), "{}: {refused} refused", row.name);
}

async fn two_programs_share(row: &'static Row) {
    let bench = Bench::limited(row, RateLimits::Enforced);
    bench.control("faults", &json!({ "latency": { "model": "fixed", "ms": 20 } }));
    let (one, other) = (prepare(&bench).await, prepare(&bench).await);
    let middle = FIRST + 5 * row.burst.allowance;
    let end = FIRST + 10 * row.burst.allowance;
    let (first, second) = (flood(&bench, &one, FIRST..middle), flood(&bench, &other, middle..end));
    let (first, second) =
        tokio::join!(tokio::time::timeout(GIVEN_UP, all(first)), tokio::time::timeout(GIVEN_UP, all(second)));
    let (first, second) = (first.expect("entries were lost"), second.expect("entries were lost"));
    let refused = refused_by_the_twin(&bench);
    let last = first[first.len() - 1].after.max(second[second.len() - 1].after);
    println!("{}: two programs, {} entries in {last:?}, {refused} one too many", row.name, end - FIRST);
    assert_all_rest(&bench, FIRST..end);
}

pub(crate) async fn ten_times_the_allowance(row: &'static Row) {
    exits_go_first(row).await;
    two_programs_share(row).await;
}
