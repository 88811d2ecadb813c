//! What is peculiar to OKX at its twin: contracts, stops in a book of their own, passphrases, orders canceled in batches.
//! What every venue must do stands in [`crate::kit`].

use std::time::Duration;

use keyhold_domain::{
    ContractType, Decimal, Exchange, NewOrder, OrderKind, OrderPurpose, OrderStatus, RefusalCode, Side,
    TimeInForce, Timestamp,
};
use keyhold_venues::port::{Resolution, VenueStatus};
use keyhold_venues::signer::{CancelAll, CancelOrder, OrderRef, OrderSelection, Scope};
use keyhold_venues::{
    AccountEvent, Intent, MarketData, SignedRequest, Signer, SignerRefusal, TradingVenue, VenueError,
    sign_with,
};
use serde_json::json;

use super::key;
use crate::kit::bench::{Bench, KEY, SECRET, limit, minute, stop};
use crate::kit::heard::{resynced, until, until_state};
use crate::kit::rows::{Row, rows_of};
use crate::support::TestKey;

fn row(product: ContractType) -> &'static Row {
    rows_of(Exchange::Okx).iter().find(|row| row.product == product).unwrap()
}

fn bench() -> Bench {
    Bench::new(row(ContractType::Linear))
}

struct KeySigner(TestKey);

impl Signer for KeySigner {
    fn api_key_hint(&self) -> &'static str {
        "KE"
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Okx, ContractType::Linear, intent, at, &self.0)
    }
}

fn entry(bench: &Bench, number: u32) -> NewOrder {
    bench.entry(number, Side::Buy, OrderKind::Market, bench.row.size)
}

fn protective_stop(bench: &Bench, number: u32) -> NewOrder {
    bench.exit(number, OrderPurpose::ProtectiveStop, stop("49000"), bench.row.size)
}

/// Contracts become our unit again, in orders, fills and positions alike.
async fn count_in_our_unit(product: ContractType) {
    let bench = Bench::new(row(product));
    let venue = bench.venue();
    let order = entry(&bench, 1);
    let placed = venue.place(&order).await.unwrap();
    let report = venue.order(bench.symbol, order.client_id).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.venue_id), (OrderStatus::Filled, Some(placed.venue_id)));
    assert_eq!(report.update.filled, order.quantity.get());
    assert_eq!(report.fills[0].quantity, order.quantity);
    assert_eq!(venue.positions().await.unwrap()[0].size.get(), order.quantity.get());
    let fees = venue.fees(bench.symbol).await.unwrap();
    assert_eq!((fees.maker.get(), fees.taker.get()), (Decimal::new(2, 4), Decimal::new(5, 4)));
    let late = bench.clock.now().plus_ms(1_000);
    assert!(bench.venue().fills_since(None, late).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn contracts_become_coins_again() {
    count_in_our_unit(ContractType::Linear).await;
}

#[tokio::test(start_paused = true)]
async fn contracts_become_dollars_again() {
    count_in_our_unit(ContractType::Inverse).await;
}

#[tokio::test(start_paused = true)]
async fn stops_live_in_their_own_book_and_keep_our_name() {
    let bench = bench();
    let venue = bench.venue();
    let mut events = venue.account_events();
    resynced(&mut events).await;
    venue.place(&entry(&bench, 1)).await.unwrap();
    let order = protective_stop(&bench, 2);
    let placed = venue.place(&order).await.unwrap();
    let target = bench.exit(3, OrderPurpose::TakeProfit, limit("51000", TimeInForce::Gtc), bench.row.size);
    venue.place(&target).await.unwrap();
    until_state(&mut events, order.client_id, OrderStatus::Untriggered).await;
    let open = venue.open_orders(Some(bench.symbol)).await.unwrap();
    assert_eq!(open.len(), 2, "of both books");
    let found = open.iter().find(|one| one.client_id == Some(order.client_id)).unwrap();
    assert_eq!((found.venue_id, found.status), (placed.venue_id, OrderStatus::Untriggered));
    bench.move_price("48900");
    let fill = until(&mut events, "the stop's fill", |event| match event {
        AccountEvent::Fill(fill) => (fill.client_id == Some(order.client_id)).then_some(*fill),
        _ => None,
    })
    .await;
    let listed = venue.fills_since(Some(bench.symbol), minute(0)).await.unwrap();
    assert_eq!(listed.last(), Some(&fill), "stream and list tell the same fill");
    // A stop that would grow a position cannot be told from others.
    let unnamed = bench.exit(27, OrderPurpose::Exit, stop("49000"), bench.row.size);
    assert_eq!(venue.place(&unnamed).await.unwrap_err().refusal(), Some(RefusalCode::InvalidOrder));
}

#[tokio::test(start_paused = true)]
async fn maintenance_has_an_end_and_refuses_questions() {
    let bench = bench();
    bench.control("maintenance", &json!({ "on": true }));
    let market = bench.market();
    let status = market.venue_status().await;
    assert!(matches!(status, Ok(VenueStatus::Maintenance { until: Some(_) })), "{status:?}");
    let refused = market.ticker(bench.symbol).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalCode::Maintenance));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_passphrase_is_told_apart() {
    let bench = bench();
    let facts = bench.venue().inspect_key().await.unwrap();
    assert_eq!(facts.ip_addresses, ["127.0.0.1"]);
    let wrong = bench.market().with_key(std::sync::Arc::new(KeySigner(key(KEY, SECRET, "WRONG"))));
    assert_eq!(wrong.inspect_key().await.unwrap_err().refusal(), Some(RefusalCode::BadPassphrase));
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_an_answer_is_found_in_its_book() {
    let bench = bench();
    let venue = bench.venue();
    venue.place(&entry(&bench, 1)).await.unwrap();
    let order = protective_stop(&bench, 2);
    bench.control("script", &json!({ "path": "/api/v5/trade/order-algo", "fate": "lost_answer" }));
    assert!(matches!(venue.place(&order).await, Err(VenueError::Unknown { .. })));
    assert!(matches!(venue.resolve(bench.symbol, order.client_id).await, Ok(Resolution::Found(_))));
}

#[tokio::test(start_paused = true)]
async fn many_orders_are_canceled_and_the_switch_works() {
    let bench = bench();
    let venue = bench.venue();
    let symbol = bench.symbol;
    venue.place(&entry(&bench, 1)).await.unwrap();
    let resting = |number| bench.entry(number, Side::Buy, limit("40000", TimeInForce::Gtc), "0.001");
    // More than go into one request.
    for number in 2..25 {
        venue.place(&resting(number)).await.unwrap();
    }
    let placed = venue.place(&protective_stop(&bench, 25)).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap().len(), 24);
    // By the venue's name, as for orders of others.
    venue.cancel(&CancelOrder { order: OrderRef::Venue(placed.venue_id), symbol }).await.unwrap();
    let all = CancelAll { scope: Scope::Settle("USDT".parse().unwrap()), selection: OrderSelection::All };
    venue.cancel_all(&all).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap(), []);
    venue.place(&resting(26)).await.unwrap();
    assert!(venue.dead_mans_switch(symbol, Some(Duration::from_secs(5))).await.is_err(), "too short");
    venue.dead_mans_switch(symbol, Some(Duration::from_secs(10))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(venue.open_orders(None).await.unwrap(), []);
}
