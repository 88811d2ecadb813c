//! What goes wrong on purpose: lost answers, limits, bans, clocks, cut and silent streams, listen keys that end.

use std::time::Duration;

use keyhold_domain::{ContractType, OrderKind, OrderStatus, RefusalCode, TimeInForce, Timestamp};
use keyhold_fake_venues::config::RateLimits;
use keyhold_venues::port::Resolution;
use keyhold_venues::signer::{AmendOrder, CancelOrder, OrderRef};
use keyhold_venues::{
    AccountEvent, EventStream, MarketData, NotSentCause, Settings, TradingVenue, VenueError,
};
use serde_json::{Value, json};

use super::twin::{
    Bench, DEADLINE, START, entry, heard, limit, refusal, resynced, stop, symbol, until, until_state,
};

const fn path(product: ContractType) -> (&'static str, &'static str) {
    match product {
        ContractType::Linear => ("/fapi/v1/order", "/fapi/v1/algoOrder"),
        ContractType::Inverse => ("/dapi/v1/order", "/dapi/v1/algoOrder"),
    }
}

fn is_unknown<T: std::fmt::Debug>(result: &Result<T, VenueError>) -> bool {
    matches!(result, Err(VenueError::Unknown { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcomes_are_resolved() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(RateLimits::Off).await;
        let (venue, symbol) = (bench.venue(product), symbol(product));
        venue.instruments().await.unwrap();
        venue.server_time().await.unwrap();
        let (plain, algo) = path(product);
        let fates = ["lost_answer", "lost_request", "408", "503"];
        for (number, fate) in (1..).zip(fates) {
            match fate {
                "408" => bench.status(plain, 408, 1),
                "503" => bench.status(plain, 503, 1),
                fate => bench.script(plain, fate),
            }
            let order = entry(product, number, OrderKind::Market);
            let before = bench.fills();
            let placed = venue.place(&order).await;
            assert!(is_unknown(&placed), "{fate}: {placed:?}");
            let arrived = bench.fills() - before;
            match venue.resolve(symbol, order.client_id).await.unwrap() {
                Resolution::Found(report) => {
                    assert_eq!((arrived, report.update.status), (1, OrderStatus::Filled), "{fate}");
                    assert_eq!(report.fills.len(), 1, "orders and fills were asked");
                    assert_eq!(report.fills[0].client_id, Some(order.client_id));
                }
                Resolution::NeverArrived => assert_eq!(arrived, 0, "{fate}"),
            }
            assert_eq!(arrived, usize::from(fate == "lost_answer"), "{fate}");
        }
        // A stop, in the other book.
        for (number, fate, arrives) in [(5, "lost_answer", true), (6, "lost_request", false)] {
            let order = stop(product, number, "40000");
            bench.script(algo, fate);
            assert!(is_unknown(&venue.place(&order).await));
            let found = venue.resolve(symbol, order.client_id).await.unwrap();
            assert_eq!(matches!(found, Resolution::Found(_)), arrives, "{fate}");
            if let Resolution::Found(report) = found {
                assert_eq!(report.update.status, OrderStatus::Untriggered);
            }
        }
        // Changes and ends whose answers are lost: the order tells what became of them.
        let order = entry(product, 7, limit("40000", TimeInForce::Gtc));
        venue.place(&order).await.unwrap();
        let name = OrderRef::Client(order.client_id);
        // The change asks for the order first; the second call to the path is the change.
        let price = Some("41000".parse().unwrap());
        let amend = AmendOrder { order: name, symbol, quantity: Some(order.quantity), price, trigger: None };
        bench.control("faults", &json!({ "lose_answer": 1000 }));
        assert!(venue.amend(&amend).await.is_err());
        bench.control("faults", &json!({}));
        venue.amend(&amend).await.unwrap();
        bench.script(plain, "lost_answer");
        assert!(is_unknown(&venue.cancel(&CancelOrder { order: name, symbol }).await));
        let report = venue.order(symbol, order.client_id).await.unwrap().unwrap();
        assert_eq!(report.update.status, OrderStatus::Canceled);
    }
}

/// At Binance a name protects from a second order only while the first is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_free_again_when_its_order_has_ended() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let order = entry(ContractType::Linear, 1, OrderKind::Market);
    venue.place(&order).await.unwrap();
    venue.place(&order).await.unwrap();
    assert_eq!(bench.fills(), 2, "so an order of unknown outcome must never be sent again");
    let report = venue.order(order.symbol, order.client_id).await.unwrap().unwrap();
    assert_eq!(report.fills.len(), 1, "the newest of the name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_is_corrected() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(RateLimits::Off).await;
        let venue = bench.venue(product);
        venue.server_time().await.unwrap();
        // The order is refused for its time, the clock read, the order sent again.
        for (number, skew) in [(1, 60_000), (2, -60_000)] {
            bench.control("clock", &json!({ "skew_ms": skew }));
            venue.place(&entry(product, number, OrderKind::Market)).await.unwrap();
        }
        assert_eq!(bench.fills(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_use_of_the_limits_is_learned_from_headers() {
    let bench = Bench::new(RateLimits::Enforced).await;
    let (linear, inverse) = (symbol(ContractType::Linear), symbol(ContractType::Inverse));
    // Another program at the same address, and at the other product: all are counted together.
    let other = bench.venue(ContractType::Inverse);
    for _ in 0..85 {
        other.fees(inverse).await.unwrap();
    }
    let settings = Settings { limit_patience: Duration::from_millis(50), ..Bench::settings() };
    let ours = bench.venue_with(ContractType::Linear, settings);
    ours.server_time().await.unwrap();
    let mut served = 0;
    let refused = loop {
        match ours.fees(linear).await {
            Ok(_) => served += 1,
            Err(error) => break error,
        }
        // 85 calls of others and 35 of ours are the whole allowance of 2,400; a quarter of it is kept for exits.
        assert!(served < 35, "the limiter let everything through");
    };
    assert!(matches!(refused, VenueError::NotSent { cause: NotSentCause::RateLimit, .. }), "{refused}");
    println!("{served} calls of ours before our own limiter stopped, none was refused by the venue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_venue_is_left_alone_when_it_says_so() {
    for (status, refusal_code) in
        [(429, RefusalCode::RateLimited), (418, RefusalCode::IpBanned), (403, RefusalCode::IpBanned)]
    {
        let bench = Bench::new(RateLimits::Off).await;
        let settings = Settings { limit_patience: Duration::from_millis(50), ..Bench::settings() };
        let venue = bench.venue_with(ContractType::Linear, settings);
        venue.server_time().await.unwrap();
        bench.status("/fapi/v1/order", status, 1);
        let order = entry(ContractType::Linear, 1, OrderKind::Market);
        assert_eq!(refusal(venue.place(&order).await), refusal_code, "{status}");
        assert_eq!(bench.fills(), 0, "it did not happen");
        let next = venue.place(&order).await;
        assert!(
            matches!(next, Err(VenueError::NotSent { cause: NotSentCause::RateLimit, .. })),
            "{status}: {next:?}"
        );
    }
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Inverse);
    venue.server_time().await.unwrap();
    bench.control("maintenance", &json!({ "on": true }));
    let order = entry(ContractType::Inverse, 1, OrderKind::Market);
    assert_eq!(refusal(venue.place(&order).await), RefusalCode::Maintenance);
    bench.control("maintenance", &json!({ "on": false }));
    venue.place(&order).await.unwrap();
}

async fn disconnected(events: &mut EventStream<AccountEvent>) {
    until(events, "the end", |event| matches!(event, AccountEvent::Disconnected { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_is_heard_again_after_a_cut() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(RateLimits::Off).await;
        let venue = bench.venue(product);
        let mut events = heard(&venue).await;
        for _ in 0..2 {
            bench.control("cut", &Value::Null);
            disconnected(&mut events).await;
            resynced(&mut events).await;
        }
        // What happens in a pause is asked for after it.
        bench.control("down", &Value::Null);
        disconnected(&mut events).await;
        bench.step();
        bench.control("up", &Value::Null);
        resynced(&mut events).await;
        let order = entry(product, 1, OrderKind::Market);
        venue.place(&order).await.unwrap();
        until_state(&mut events, &order, OrderStatus::Filled).await;
        let fills = venue.fills_since(None, Timestamp::from_ms(START)).await.unwrap();
        assert_eq!(fills.len(), 1);
        // Half open: nothing comes, nothing ends.
        drop(events);
        let settings = Settings { silence_limit: Duration::from_millis(600), ..Bench::settings() };
        let watchful = bench.venue_with(product, settings);
        let mut events = heard(&watchful).await;
        bench.control("freeze", &Value::Null);
        disconnected(&mut events).await;
        resynced(&mut events).await;
        let stranger = bench.venue_as(product, "NOBODY", "SECRET");
        let mut events = stranger.account_events();
        let error = until(&mut events, "the refusal", |event| match event {
            AccountEvent::Refused(error) => Some(error.clone()),
            _ => None,
        })
        .await;
        assert_eq!(error.refusal(), Some(RefusalCode::BadKey));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listen_keys_are_kept_and_made_anew() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(RateLimits::Off).await;
        let venue = bench.venue(product);
        let mut events = heard(&venue).await;
        // Three times 40 minutes: a key that nobody renews has ended long before.
        for number in 1..4 {
            let renewals = listen_keys(&bench, product);
            bench.wait(Duration::from_mins(40));
            let deadline = tokio::time::Instant::now() + DEADLINE;
            while listen_keys(&bench, product) == renewals {
                assert!(tokio::time::Instant::now() < deadline, "the key was not renewed");
                tokio::task::yield_now().await;
            }
            let order = entry(product, number, OrderKind::Market);
            venue.place(&order).await.unwrap();
            let what = format!("the fill after {} minutes", 40 * number);
            until(&mut events, &what, |event| match event {
                AccountEvent::Disconnected { .. } | AccountEvent::Refused(_) => panic!("{event:?}"),
                AccountEvent::Fill(fill) => (fill.client_id == Some(order.client_id)).then_some(()),
                _ => None,
            })
            .await;
        }
        // The key ends without our doing: the venue says so, and its clock alone runs on.
        for (number, name, body) in
            [(8, "expire", Value::Null), (9, "clock", json!({ "skew_ms": 3_700_000 }))]
        {
            bench.control(name, &body);
            disconnected(&mut events).await;
            resynced(&mut events).await;
            let order = entry(product, number, OrderKind::Market);
            venue.place(&order).await.unwrap();
            until_state(&mut events, &order, OrderStatus::Filled).await;
        }
    }
}

/// Until when the venue lets a product's listen key live.
fn listen_keys(bench: &Bench, product: ContractType) -> Value {
    bench.control("status", &Value::Null)["listen_keys"][format!("1 {product}")].clone()
}

/// Repeated and swapped messages: every fill is told under its name, and repeats have the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disorder_on_the_way_loses_no_fill_and_no_name() {
    for product in ContractType::ALL.iter().copied() {
        for faults in [json!({ "duplicate_message": 1000 }), json!({ "reorder_message": 1000 })] {
            let bench = Bench::new(RateLimits::Off).await;
            let venue = bench.venue(product);
            let mut events = heard(&venue).await;
            bench.control("faults", &faults);
            let orders = [
                entry(product, 1, OrderKind::Market),
                stop(product, 2, "49000"),
                entry(product, 3, limit("30000", TimeInForce::Gtc)),
            ];
            for order in &orders {
                venue.place(order).await.unwrap();
            }
            bench.move_price(product, "48990");
            let resting =
                CancelOrder { order: OrderRef::Client(orders[2].client_id), symbol: symbol(product) };
            venue.cancel(&resting).await.unwrap();
            let wanted = venue.fills_since(None, Timestamp::from_ms(START)).await.unwrap();
            assert_eq!(wanted.len(), 2);
            let mut told = std::collections::BTreeMap::new();
            while told.len() < wanted.len() {
                let fill = until(&mut events, "a fill", |event| match event {
                    AccountEvent::Fill(fill) => Some(*fill),
                    AccountEvent::Undecodable(error) => panic!("{error}"),
                    _ => None,
                })
                .await;
                let before = told.insert(fill.fill_id, fill);
                assert!(before.is_none_or(|before| before == fill), "{before:?} {fill:?}");
            }
            for fill in &wanted {
                assert_eq!(told.get(&fill.fill_id), Some(fill), "{faults}");
            }
        }
    }
}
