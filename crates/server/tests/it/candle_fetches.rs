//! Candles fetched by the server from a venue that speaks its own protocol, and what is listed of them.

use std::sync::Arc;

use keyhold_domain::{Candle, Timeframe, Timestamp};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeBybit, parse_instrument};
use serde_json::{Value, json};

use crate::laboratory_world::{MINUTE_MS, START_MS, SYMBOL, candles, path, place, record, until, with};
use crate::world::{Client, World};

const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USDT = "1000" }
    [[account.key]]
    key = "UNUSEDKEY-1"
    secret = "unused-secret-of-the-test"
"#;

/// A venue; the first half of the candles is its past.
async fn venue(recorded: Vec<Candle>) -> FakeBybit {
    let history = recorded.len() / 2;
    FakeBybit::start(VenueConfig {
        venue: keyhold_domain::Exchange::Bybit,
        listen: "127.0.0.1:0".parse().unwrap(),
        control: None,
        markets: vec![MarketConfig {
            instrument: parse_instrument("BTCUSDT=linear").unwrap(),
            source: CandleSource::Recorded(recorded),
        }],
        accounts: parse_accounts(ACCOUNTS).unwrap(),
        seed: 1,
        pace: Pace::Lockstep,
        base: Timeframe::M1,
        history,
        start: None,
        exchange: keyhold_simulator::exchange::ExchangeConfig::default(),
        rate_limits: RateLimits::Off,
        clock: Arc::new(|| Timestamp::from_ms(START_MS)),
    })
    .await
    .unwrap()
}

async fn ended(client: &mut Client, fetch: &Value) -> Value {
    let path = path("candles/fetches", fetch, "");
    until(client, &path, |fetch| fetch["finished_at"].is_i64()).await
}

fn wanted(until_minute: i64) -> Value {
    let range = json!({"timeframe": "1m", "from": START_MS, "until": START_MS + until_minute * MINUTE_MS});
    with(place(SYMBOL), range)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_missing_is_fetched_and_what_there_is_is_listed() {
    let mut recorded = candles(6_000);
    recorded.drain(1_500..1_510);
    let venue = venue(recorded).await;
    let mut world = World::start().await;
    let mut alice = world.owner().await;
    world.config.simulated[0].rest = venue.rest_url();
    world.restart().await;
    alice.address = world.client().address;
    assert_eq!(alice.get("/candles").await.ok(), json!([]));
    // What is on disk already stands: a candle that differs from the venue's shows that it was not asked for.
    let mut known = candles(100);
    known[50].volume = keyhold_domain::Decimal::ONE;
    record(&world, &known);

    let queued = alice.post("/candles/fetches", wanted(2_000)).await.ok();
    let done = ended(&mut alice, &queued).await;
    assert_eq!(done["state"], "completed", "{done:#}");
    assert_eq!(done["summary"], json!({"new": 1_890, "changed": 0, "known": 0, "missing": 10}));
    let listed = alice.get("/candles").await.ok();
    assert_eq!((listed[0]["candles"].clone(), listed[0]["missing"].clone()), (json!(1_990), json!(10)));
    assert_eq!(listed[0]["gaps"][0]["from"], START_MS + 1_500 * MINUTE_MS);
    assert_eq!(
        (listed[0]["environment"].clone(), listed[0]["symbol"].clone()),
        (json!("simulated"), json!(SYMBOL))
    );
    let again = alice.post("/candles/fetches", wanted(2_000)).await.ok();
    assert_eq!(ended(&mut alice, &again).await["summary"]["new"], 0);
    let library = keyhold_history::Library::new(world.config.data.join("candles/simulated"));
    let market = library.markets().unwrap()[0];
    assert_eq!(
        library.shelf(market).all().unwrap()[50].volume,
        known[50].volume,
        "it was not asked for again"
    );

    let fetches = alice.get("/candles/fetches").await.ok();
    assert_eq!(fetches["items"].as_array().unwrap().len(), 2);
    assert_eq!(alice.delete(&path("candles/fetches", &queued, "")).await.status, 204);
    let feed = alice.get("/events").await.ok();
    assert_eq!(feed["items"][0]["code"], "CANDLES_FETCHED");
    let wrong = json!({"symbol": "XYZUSDT", "until": START_MS});
    let refused = alice.post("/candles/fetches", with(wanted(10), wrong)).await;
    refused.refused(422, "CANDLES_REFUSED");
    assert_eq!(refused.body["problems"].as_array().unwrap().len(), 2, "{}", refused.text);
    world.end().await;
}
