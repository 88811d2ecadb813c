//! Ten times the allowance at once through one adapter: nobody is banned, cancels go first, nothing is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyhold_bot::session;
use keyhold_domain::{
    ClientOrderId, NewOrder, OrderKind, OrderPurpose, PositionEffect, RefusalCode, Side, Symbol, TimeInForce,
};
use keyhold_venues::signer::{CancelOrder, OrderRef};
use keyhold_venues::{AnyVenue, TradingVenue as _, VenueError};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::market::VenueKind;
use crate::storm::Run;
use crate::world::Wire;

/// Entries at once; ten times what the usual limit of ten a second allows.
const ENTRIES: u32 = 100;
/// Cancels in the middle of them.
const CANCELS: u32 = 10;
/// A request that was not taken is sent again at most so often.
const MOST_TRIES: u32 = 200;
/// All cancels are through after so long, however many entries wait.
const CANCELS_WITHIN: Duration = Duration::from_secs(4);

/// Sends until it is taken. A ban and an unknown outcome end the test.
async fn persist<F>(send: impl Fn() -> F) -> Result<Duration, String>
where
    F: Future<Output = Result<(), VenueError>>,
{
    let began = Instant::now();
    for _ in 0..MOST_TRIES {
        let wait = match send().await {
            Ok(()) => return Ok(began.elapsed()),
            Err(VenueError::NotSent { retry_after, .. }) => retry_after,
            Err(VenueError::Refused { code: RefusalCode::RateLimited, .. }) => Duration::from_millis(500),
            Err(error) => return Err(format!("{error}")),
        };
        tokio::time::sleep(wait).await;
    }
    Err("never taken".to_owned())
}

async fn place(venue: Arc<AnyVenue<Wire>>, order: NewOrder) -> Result<Duration, String> {
    persist(|| async { venue.place(&order).await.map(|_placed| ()) }).await
}

async fn cancel(venue: Arc<AnyVenue<Wire>>, cancel: CancelOrder) -> Result<Duration, String> {
    persist(|| venue.cancel(&cancel)).await
}

/// Plays the burst at one venue.
pub(crate) async fn play(kind: &'static VenueKind) -> Result<String, String> {
    let run = Run::new(kind, 1);
    run.control("faults", &json!({ "latency": { "model": "fixed", "ms": 20 } }));
    let account = run.server.account();
    let opened = session::open(&run.world, run.home.bot, &account).await;
    let (session, _lease) = opened.map_err(|error| error.to_string())?;
    let symbol = account.instruments[0];
    session.signer.trade_only(std::iter::once(symbol));
    let order = |sequence| order(&run, symbol, sequence);
    for sequence in 0..CANCELS {
        place(Arc::clone(&session.venue), order(sequence)).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut entries, mut cancels) = (JoinSet::new(), JoinSet::new());
    for sequence in CANCELS..CANCELS + ENTRIES {
        entries.spawn(place(Arc::clone(&session.venue), order(sequence)));
    }
    // The entries are on their way before the first cancel is thought of.
    tokio::time::sleep(Duration::from_millis(5)).await;
    for sequence in 0..CANCELS {
        let one = CancelOrder { order: OrderRef::Client(order(sequence).client_id), symbol };
        cancels.spawn(cancel(Arc::clone(&session.venue), one));
    }
    let mut slowest_cancel = Duration::ZERO;
    while let Some(done) = cancels.join_next().await {
        slowest_cancel = slowest_cancel.max(done.map_err(|error| error.to_string())??);
    }
    let mut waits = Vec::new();
    while let Some(done) = entries.join_next().await {
        waits.push(done.map_err(|error| error.to_string())??);
    }
    waits.sort_unstable();
    let wanted: BTreeSet<_> = (CANCELS..CANCELS + ENTRIES).map(|n| order(n).client_id.to_string()).collect();
    let truth = run.venue.control("truth", &json!({ "account": 1 }))?;
    let resting = truth["open_orders"].as_array().map_or(&[][..], Vec::as_slice);
    let rest: BTreeSet<_> =
        resting.iter().filter_map(|order| order["client_id"].as_str().map(str::to_owned)).collect();
    let too_many = run.venue.control("status", &Value::Null)?["too_many"].clone();
    let (median, slowest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    let said = format!(
        "{ENTRIES} entries in {slowest:?} (half in {median:?}), {CANCELS} cancels in {slowest_cancel:?}, {too_many} requests \
         refused as one too many"
    );
    if rest != wanted || resting.len() != wanted.len() {
        return Err(format!("{} of {ENTRIES} entries rest: {said}", rest.len()));
    }
    if slowest_cancel > CANCELS_WITHIN || slowest_cancel > median {
        return Err(format!("cancels waited for entries: {said}"));
    }
    Ok(said)
}

/// A small order far below the market.
fn order(run: &Run, symbol: Symbol, sequence: u32) -> NewOrder {
    let purpose = OrderPurpose::Entry;
    NewOrder {
        client_id: ClientOrderId::new(run.home.bot, 0, 1, sequence, purpose).expect("a small number"),
        symbol,
        side: Side::Buy,
        kind: OrderKind::Limit { price: "40000".parse().expect("a price"), time_in_force: TimeInForce::Gtc },
        quantity: run.kind.lot.parse().expect("a quantity"),
        effect: PositionEffect::Increase,
        purpose,
    }
}
