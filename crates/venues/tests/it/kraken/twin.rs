//! What is peculiar to Kraken at its twin: margin by product, lists that forget, keys that are told apart by few words.
//! What every venue must do stands in [`crate::kit`].

use std::time::Duration;

use keyhold_domain::{
    ContractType, Decimal, Exchange, Known, MarginMode, OrderKind, OrderStatus, RefusalCode, Side,
    TimeInForce,
};
use keyhold_venues::port::{Resolution, VenueStatus};
use keyhold_venues::signer::{CancelOrder, OrderRef, SetLeverage};
use keyhold_venues::{AccountEvent, MarketData, TradingVenue};
use serde_json::json;

use crate::kit::bench::{Bench, KEY, SECRET, WRONG_SECRET, limit};
use crate::kit::heard::until;
use crate::kit::rows::{Row, rows_of};
use crate::kit::trade::refusal;

fn row(product: ContractType) -> &'static Row {
    rows_of(Exchange::KrakenFutures).iter().find(|row| row.product == product).unwrap()
}

fn bench() -> Bench {
    Bench::new(row(ContractType::Linear))
}

/// Linear contracts share a wallet and have isolated margin when a leverage is set; inverse ones always have cross margin.
#[tokio::test(start_paused = true)]
async fn the_product_decides_the_margin_mode() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(row(product));
        let (venue, symbol) = (bench.venue(), bench.symbol);
        let isolated = product == ContractType::Linear;
        venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
        let mode = venue.account_settings().await.unwrap().margin_mode.unwrap();
        assert_eq!(mode, if isolated { MarginMode::Isolated } else { MarginMode::Cross });
        venue.place(&bench.entry(1, Side::Buy, OrderKind::Market, bench.row.size)).await.unwrap();
        let position = venue.positions().await.unwrap()[0];
        assert_eq!(position.leverage, isolated.then(|| Decimal::from(5)));
        let fees = venue.fees(symbol).await.unwrap();
        assert_eq!((fees.maker.get(), fees.taker.get()), (Decimal::new(2, 4), Decimal::new(5, 4)));
        let huge = if isolated { "900" } else { "20000000" };
        let huge = bench.entry(2, Side::Buy, OrderKind::Market, huge);
        assert_eq!(refusal(venue.place(&huge).await), RefusalCode::InsufficientMargin);
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_of_orders_does_not_tell_post_only_ones() {
    let bench = bench();
    let venue = bench.venue();
    let order = bench.entry(1, Side::Buy, limit("40000", TimeInForce::PostOnly), bench.row.size);
    venue.place(&order).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap()[0].kind, limit("40000", TimeInForce::Gtc));
}

#[tokio::test(start_paused = true)]
async fn maintenance_is_told_without_its_end() {
    let bench = bench();
    bench.control("maintenance", &json!({ "on": true }));
    assert_eq!(bench.market().venue_status().await.unwrap(), VenueStatus::Maintenance { until: None });
}

#[tokio::test(start_paused = true)]
async fn keys_are_told_apart_as_far_as_kraken_does() {
    let bench = bench();
    let facts = bench.venue().inspect_key().await.unwrap();
    assert_eq!(facts.ip_addresses, ["127.0.0.1/32"]);
    let facts = bench.venue_as("WITHDRAWKEY", SECRET).inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.transfer), (Known::Yes, Known::Yes), "one permission for both");
    let unfit = bench.venue_as(KEY, "no base64!").account().await.unwrap_err();
    assert!(unfit.to_string().contains("form that this venue gives out"), "{unfit}");
    let stranger = bench.venue_as(KEY, WRONG_SECRET);
    assert_eq!(refusal(stranger.account().await), RefusalCode::BadKey);
    let mut events = stranger.account_events();
    let error = until(&mut events, "the refusal", |event| match event {
        AccountEvent::Refused(error) => Some(error.clone()),
        _ => None,
    })
    .await;
    assert_eq!(error.refusal(), Some(RefusalCode::BadSignature), "the stream says more than the calls do");
}

/// The list of recent orders forgets after some seconds; the history does not.
#[tokio::test(start_paused = true)]
async fn what_the_list_forgot_stands_in_the_history() {
    let bench = bench();
    let (venue, symbol) = (bench.venue(), bench.symbol);
    let filled = bench.entry(1, Side::Buy, OrderKind::Market, bench.row.size);
    venue.place(&filled).await.unwrap();
    let canceled = bench.entry(2, Side::Buy, limit("30000", TimeInForce::Gtc), bench.row.size);
    venue.place(&canceled).await.unwrap();
    venue.cancel(&CancelOrder { order: OrderRef::Client(canceled.client_id), symbol }).await.unwrap();
    bench.step().await;
    for (order, status, fills) in [(filled, OrderStatus::Filled, 1), (canceled, OrderStatus::Canceled, 0)] {
        let report = venue.order(symbol, order.client_id).await.unwrap().unwrap();
        assert_eq!((report.update.status, report.fills.len()), (status, fills));
    }
}

/// The history gives a hundred answers in ten minutes: one tells of all orders that have ended, and an order that never
/// arrived costs one.
#[tokio::test(start_paused = true)]
async fn the_history_is_asked_sparingly() {
    let bench = bench();
    let (venue, symbol) = (bench.venue(), bench.symbol);
    let asked = || {
        let heads = bench.wire.dialed().into_iter().flat_map(|line| line.heads());
        heads.filter(|head| head.path.ends_with("/history/v2/orders")).count()
    };
    let order = |n| bench.entry(n, Side::Buy, limit("30000", TimeInForce::Gtc), bench.row.size);
    for n in 1..=8 {
        venue.place(&order(n)).await.unwrap();
        let order = OrderRef::Client(order(n).client_id);
        venue.cancel(&CancelOrder { order, symbol }).await.unwrap();
    }
    // A minute: ended orders stand among the recent ones for five seconds.
    bench.step().await;
    for n in (1..=8).chain(1..=8) {
        let report = venue.order(symbol, order(n).client_id).await.unwrap().unwrap();
        assert_eq!(report.update.status, OrderStatus::Canceled);
    }
    assert_eq!(asked(), 1);
    for n in 9..=11 {
        let found = venue.resolve(symbol, order(n).client_id).await.unwrap();
        assert!(matches!(found, Resolution::NeverArrived), "{found:?}");
    }
    assert_eq!(asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_dead_mans_switch_cancels() {
    let bench = bench();
    let (venue, symbol) = (bench.venue(), bench.symbol);
    let order = bench.entry(1, Side::Buy, limit("30000", TimeInForce::Gtc), bench.row.size);
    venue.place(&order).await.unwrap();
    let arm = async |after: Option<u64>| {
        venue.dead_mans_switch(symbol, after.map(Duration::from_secs)).await.unwrap();
    };
    arm(Some(60)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    arm(None).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(venue.open_orders(None).await.unwrap().len(), 1, "it was switched off");
    arm(Some(60)).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(venue.open_orders(None).await.unwrap(), []);
    let report = venue.order(symbol, order.client_id).await.unwrap().unwrap();
    assert_eq!(report.update.status, OrderStatus::Canceled);
}
