//! What goes wrong on the way: lost answers and requests, late arrivals, messages twice and out of order, wrong clocks.

use std::collections::BTreeMap;
use std::time::Duration;

use keyhold_domain::{
    ClientOrderId, Decimal, Fill, OrderKind, OrderStatus, OrderUpdate, RefusalCode, Side, TimeInForce,
};
use keyhold_venues::port::Resolution;
use keyhold_venues::{AccountEvent, EventStream, MarketData as _, TradingVenue as _, VenueError};
use serde_json::{Value, json};

use super::bench::{Bench, limit, minute};
use super::heard::{resynced, until};
use super::rows::Row;
use super::trade::set_up;

/// Sent once, answered never: what became of it is found out by its name.
pub(crate) async fn lost_answers_are_resolved(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let kinds = [OrderKind::Market, limit("40000", TimeInForce::Gtc)];
    let mut number = 0;
    for kind in kinds {
        for (fate, arrives) in [("lost_answer", true), ("lost_request", false)] {
            number += 1;
            let order = bench.entry(number, Side::Buy, kind, row.size);
            bench.control("script", &json!({ "path": row.place, "fate": fate }));
            let placed = venue.place(&order).await;
            assert!(matches!(placed, Err(VenueError::Unknown { .. })), "{fate}: {placed:?}");
            match venue.resolve(bench.symbol, order.client_id).await.unwrap() {
                Resolution::Found(report) => {
                    assert!(arrives, "{fate}");
                    let is_market = kind == OrderKind::Market;
                    let status = if is_market { OrderStatus::Filled } else { OrderStatus::Open };
                    assert_eq!((report.update.status, report.fills.len()), (status, usize::from(is_market)));
                }
                Resolution::NeverArrived => assert!(!arrives, "{fate}"),
            }
        }
    }
    // Looking for it sent nothing a second time.
    let truth = bench.truth();
    assert_eq!(
        (truth["fills"].as_array().unwrap().len(), truth["open_orders"].as_array().unwrap().len()),
        (1, 1)
    );
}

/// The answer comes after the program has given up waiting: the order is there all the same.
pub(crate) async fn a_late_answer_is_an_unknown_outcome(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    venue.server_time().await.unwrap();
    bench.control("faults", &json!({ "latency": { "model": "fixed", "ms": 30_000 } }));
    let order = bench.entry(1, Side::Buy, limit("40000", TimeInForce::Gtc), row.size);
    let placed = venue.place(&order).await;
    assert!(matches!(placed, Err(VenueError::Unknown { .. })), "{placed:?}");
    let looked = venue.resolve(bench.symbol, order.client_id).await;
    assert!(matches!(looked, Err(VenueError::Unknown { .. })), "nobody answers: {looked:?}");
    bench.control("calm", &Value::Null);
    let Resolution::Found(report) = venue.resolve(bench.symbol, order.client_id).await.unwrap() else {
        panic!("{}: it was there", row.name)
    };
    assert_eq!(report.update.status, OrderStatus::Open);
}

/// The venue's clock goes wrong while a program runs; the order is sent again after the clock was read, and only then.
pub(crate) async fn a_wrong_clock_is_read_again(row: &'static Row) {
    for skew_ms in [60_000, -60_000] {
        let bench = Bench::new(row);
        let venue = bench.venue();
        set_up(&bench, &venue).await;
        bench.control("clock", &json!({ "skew_ms": skew_ms }));
        let order = bench.entry(1, Side::Buy, limit("40000", TimeInForce::Gtc), row.size);
        venue.place(&order).await.unwrap();
        let again = venue.place(&order).await;
        assert_eq!(again.unwrap_err().refusal(), Some(RefusalCode::DuplicateClientOrderId), "{skew_ms}");
        assert_eq!(bench.truth()["open_orders"].as_array().unwrap().len(), 1);
        let told = venue.server_time().await.unwrap().since_ms(bench.clock.now());
        assert!((told - skew_ms).abs() <= 1_000, "{told}");
    }
}

/// What a program knows that believes the stream: of each order its newest state, of each fill one.
#[derive(Default)]
struct Book {
    orders: BTreeMap<ClientOrderId, OrderUpdate>,
    fills: BTreeMap<String, Fill>,
    repeated: usize,
}

impl Book {
    fn take(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Fill(fill) => {
                let before = self.fills.insert(fill.fill_id.to_string(), *fill);
                if let Some(before) = before {
                    assert_eq!(before, *fill, "the same fill in other words");
                    self.repeated += 1;
                }
            }
            AccountEvent::OrderUpdate(update) => {
                let known = self.orders.get(&update.client_id);
                let is_newer =
                    known.is_none_or(|known| update.filled >= known.filled && !known.status.is_final());
                if is_newer {
                    self.orders.insert(update.client_id, *update);
                }
            }
            AccountEvent::Undecodable(error) => panic!("{error}"),
            AccountEvent::Funding(_)
            | AccountEvent::Forced { .. }
            | AccountEvent::Position(_)
            | AccountEvent::Balance(_)
            | AccountEvent::Disconnected { .. }
            | AccountEvent::Resynced { .. }
            | AccountEvent::Refused(_) => {}
        }
    }

    async fn listen(&mut self, events: &mut EventStream<AccountEvent>) {
        let hearing = async {
            while let Some(event) = events.next_event().await {
                self.take(&event);
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(40), hearing).await.is_err(),
            "the stream has ended"
        );
    }
}

/// Messages come twice and change places; orders and fills stay what they are.
pub(crate) async fn messages_twice_and_out_of_order(row: &'static Row) {
    const ORDERS: u32 = 20;
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    bench.control("faults", &json!({ "duplicate_message": 400, "reorder_message": 300 }));
    for number in 1..=ORDERS {
        let side = if number % 2 == 0 { Side::Sell } else { Side::Buy };
        venue.place(&bench.entry(number, side, OrderKind::Market, row.lot)).await.unwrap();
    }
    let resting = bench.entry(ORDERS + 1, Side::Buy, limit("40000", TimeInForce::Gtc), row.lot);
    venue.place(&resting).await.unwrap();
    let mut book = Book::default();
    book.listen(&mut events).await;
    let told = venue.fills_since(None, minute(0)).await.unwrap();
    assert_eq!(told.len(), usize::try_from(ORDERS).unwrap());
    for fill in &told {
        let heard = book.fills.get(&fill.fill_id.to_string());
        // The stream may be made anew when its numbers do not fit; what came meanwhile is asked for.
        if let Some(heard) = heard {
            assert_eq!(
                (heard.client_id, heard.quantity, heard.price),
                (fill.client_id, fill.quantity, fill.price)
            );
        }
    }
    assert!(
        book.fills.keys().all(|id| told.iter().any(|fill| fill.fill_id.to_string() == *id)),
        "a fill of nobody"
    );
    assert!(book.fills.len() >= told.len() / 2, "{} of {} fills heard", book.fills.len(), told.len());
    for (id, update) in &book.orders {
        let report = venue.order(bench.symbol, *id).await.unwrap().unwrap();
        if update.status.is_final() {
            assert_eq!((update.status, update.filled), (report.update.status, report.update.filled), "{id}");
        }
    }
    let sum: Decimal = venue.positions().await.unwrap().iter().map(|position| position.size.get()).sum();
    assert_eq!(sum, Decimal::ZERO);
    println!("{}: {} fills heard, {} of them again", row.name, book.fills.len(), book.repeated);
}

/// The line is cut, goes silent, and cannot be had for a while; the stream comes back each time and says so.
pub(crate) async fn the_account_is_heard_again(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    for (number, trouble) in (1..).zip(["cut", "freeze", "down"]) {
        bench.control(trouble, &Value::Null);
        until(&mut events, trouble, |event| matches!(event, AccountEvent::Disconnected { .. }).then_some(()))
            .await;
        if trouble == "down" {
            tokio::time::sleep(Duration::from_mins(2)).await;
            bench.control("up", &Value::Null);
        }
        resynced(&mut events).await;
        let order = bench.entry(number, Side::Buy, OrderKind::Market, row.lot);
        venue.place(&order).await.unwrap();
        let fill = until(&mut events, "a fill", |event| match event {
            AccountEvent::Fill(fill) => (fill.client_id == Some(order.client_id)).then_some(*fill),
            _ => None,
        })
        .await;
        assert_eq!(fill.quantity, order.quantity);
    }
}
