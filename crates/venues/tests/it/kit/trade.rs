//! Orders and positions: placed, refused, changed, canceled, filled in parts and as a whole, stopped, only reducing.

use keyhold_domain::{
    Decimal, MarginMode, NewOrder, OrderKind, OrderPurpose, OrderStatus, PositionEffect, RefusalCode, Side,
    TimeInForce,
};
use keyhold_venues::port::PositionMode;
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{AccountEvent, AnyVenue, MarketData as _, TradingVenue as _, VenueError};
use serde_json::json;

use super::bench::{Bench, limit, minute, stop};
use super::heard::{resynced, until, until_state};
use super::rows::{Crossing, Lack, Row};
use super::wire::Wire;

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, VenueError>) -> RefusalCode {
    let error = result.unwrap_err();
    error.refusal().unwrap_or_else(|| panic!("{error}"))
}

fn canceling(order: &NewOrder) -> CancelOrder {
    CancelOrder { order: OrderRef::Client(order.client_id), symbol: order.symbol }
}

fn changing(order: &NewOrder) -> AmendOrder {
    let (order, symbol) = (OrderRef::Client(order.client_id), order.symbol);
    AmendOrder { order, symbol, quantity: None, price: None, trigger: None }
}

/// What a program sets before it trades; each twice, because it may be so already.
pub(crate) async fn set_up(bench: &Bench, venue: &AnyVenue<Wire>) {
    let symbol = bench.symbol;
    venue.instruments().await.unwrap();
    for _ in 0..2 {
        venue.use_one_way_mode(symbol).await.unwrap();
        venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
    }
    assert_eq!(venue.position_mode(symbol).await.unwrap(), PositionMode::OneWay);
}

/// Place, look, amend, cancel; and what is refused on the way.
pub(crate) async fn orders_rest_and_end(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    let order = bench.entry(1, Side::Buy, limit("40000", TimeInForce::PostOnly), row.size);
    venue.place(&order).await.unwrap();
    until_state(&mut events, order.client_id, OrderStatus::Open).await;
    assert_eq!(refusal(venue.place(&order).await), RefusalCode::DuplicateClientOrderId);
    let (price, half) = ("41000".parse().unwrap(), row.half.parse().unwrap());
    let amend = AmendOrder { price: Some(price), quantity: Some(half), ..changing(&order) };
    venue.amend(&amend).await.unwrap();
    let open = venue.open_orders(Some(bench.symbol)).await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].client_id, open[0].quantity), (Some(order.client_id), half));
    assert!(
        matches!(open[0].kind, OrderKind::Limit { price: found, .. } if found == price),
        "{:?}",
        open[0].kind
    );
    assert_eq!(venue.open_orders(None).await.unwrap(), open, "of all instruments");
    venue.cancel(&canceling(&order)).await.unwrap();
    until_state(&mut events, order.client_id, OrderStatus::Canceled).await;
    assert_eq!(refusal(venue.cancel(&canceling(&order)).await), RefusalCode::OrderNotFound);
    assert_eq!(refusal(venue.amend(&amend).await), RefusalCode::OrderNotFound);
    assert_eq!(
        venue.order(bench.symbol, bench.entry(99, Side::Buy, OrderKind::Market, row.size).client_id).await,
        Ok(None)
    );

    let crossing = bench.entry(2, Side::Buy, limit("60000", TimeInForce::PostOnly), row.size);
    let placed = venue.place(&crossing).await;
    match row.crossing {
        Crossing::Refused => assert_eq!(refusal(placed), RefusalCode::PostOnlyWouldCross),
        Crossing::Ends => {
            placed.unwrap();
            let update = venue.order(bench.symbol, crossing.client_id).await.unwrap().unwrap().update;
            assert!(matches!(update.status, OrderStatus::Canceled | OrderStatus::Rejected), "{update:?}");
            assert_eq!(update.refusal, Some(RefusalCode::PostOnlyWouldCross));
        }
    }
    let truth = bench.truth();
    assert_eq!(
        (truth["fills"].as_array().unwrap().len(), truth["open_orders"].as_array().unwrap().len()),
        (0, 0)
    );
}

/// An entry, its stop, and the end of both; money and fills add up.
pub(crate) async fn a_stop_ends_a_position(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    let settle = row.settle.parse().unwrap();
    let before = venue.account().await.unwrap();
    assert_eq!((before.positions.len(), before.open_orders.len()), (0, 0));
    let entry = bench.entry(1, Side::Buy, OrderKind::Market, row.size);
    venue.place(&entry).await.unwrap();
    let filled = until_state(&mut events, entry.client_id, OrderStatus::Filled).await.filled;
    assert_eq!(filled, entry.quantity.get());
    let position = venue.positions().await.unwrap()[0];
    assert_eq!((position.symbol, position.size.get()), (bench.symbol, entry.quantity.get()));
    let is_cross = position.margin_mode == Some(MarginMode::Cross);
    let is_told = row.has(Lack::LeverageOfPositions) && !is_cross;
    assert!(!is_told || position.leverage == Some(Decimal::from(5)), "{position:?}");

    let stop_order = bench.exit(2, OrderPurpose::ProtectiveStop, stop("48500"), row.size);
    venue.place(&stop_order).await.unwrap();
    until_state(&mut events, stop_order.client_id, OrderStatus::Untriggered).await;
    let open = venue.open_orders(None).await.unwrap();
    let found = (open.len(), open[0].kind, open[0].effect, open[0].status);
    assert_eq!(found, (1, stop("48500"), PositionEffect::ReduceOnly, OrderStatus::Untriggered));
    move_stop(&bench, &venue, &stop_order).await;
    bench.move_price("48990");
    let end = until_state(&mut events, stop_order.client_id, OrderStatus::Filled).await;
    assert_eq!(end.filled, stop_order.quantity.get());
    until(&mut events, "the flat position", |event| match event {
        AccountEvent::Position(position) => position.size.is_flat().then_some(()),
        _ => None,
    })
    .await;
    assert_eq!(venue.positions().await.unwrap(), []);

    let fills = venue.fills_since(None, minute(0)).await.unwrap();
    let owners: Vec<_> = fills.iter().map(|fill| (fill.client_id, fill.side)).collect();
    assert_eq!(owners, [(Some(entry.client_id), Side::Buy), (Some(stop_order.client_id), Side::Sell)]);
    assert!(
        fills.iter().all(|fill| fill.fee.asset == settle && fill.fee.amount > Decimal::ZERO),
        "{fills:?}"
    );
    let report = venue.order(bench.symbol, stop_order.client_id).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Filled, 1));
    let after = venue.account().await.unwrap();
    let wallet = |account: &keyhold_domain::AccountSnapshot| account.balance(settle).unwrap().wallet;
    assert!(wallet(&after) < wallet(&before));
}

/// Changed where a venue can change a waiting stop; placed anew where it cannot.
async fn move_stop(bench: &Bench, venue: &AnyVenue<Wire>, stop_order: &NewOrder) {
    let amend = AmendOrder { trigger: Some("49000".parse().unwrap()), ..changing(stop_order) };
    match (venue.amend(&amend).await, bench.row.has(Lack::MovedStops)) {
        (Ok(()), true) => {
            assert_eq!(venue.open_orders(None).await.unwrap()[0].kind, stop("49000"));
        }
        (Err(VenueError::NotSent { .. } | VenueError::Refused { .. }), false) => {
            assert_eq!(venue.open_orders(None).await.unwrap()[0].kind, stop("48500"));
            bench.move_price("48400");
        }
        (result, _) => panic!("{}: {result:?}", bench.row.name),
    }
}

/// An order that may only reduce never opens a position, and never turns one around.
pub(crate) async fn reducing_never_opens(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let nothing = bench.exit(1, OrderPurpose::Exit, OrderKind::Market, row.size);
    if let Err(error) = venue.place(&nothing).await {
        assert_eq!(error.refusal(), Some(RefusalCode::ReduceOnlyRejected), "{error}");
    } else {
        let report = venue.order(bench.symbol, nothing.client_id).await.unwrap().unwrap();
        assert!(report.fills.is_empty() && report.update.status.is_final(), "{report:?}");
    }
    venue.place(&bench.entry(2, Side::Buy, OrderKind::Market, row.half)).await.unwrap();
    let half: Decimal = row.half.parse().unwrap();
    // More than there is: at most what is there is sold.
    let too_much = bench.exit(3, OrderPurpose::Exit, OrderKind::Market, row.size);
    let placed = venue.place(&too_much).await;
    let left: Decimal = venue.positions().await.unwrap().iter().map(|position| position.size.get()).sum();
    match placed {
        Ok(_) => assert_eq!(left, Decimal::ZERO),
        Err(error) => {
            assert_eq!(error.refusal(), Some(RefusalCode::ReduceOnlyRejected), "{error}");
            assert_eq!(left, half);
        }
    }
}

/// Filled a little at a time, changed in between, canceled before the end.
pub(crate) async fn partial_fills_add_up(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    let size: Decimal = row.size.parse().unwrap();
    let depth = size * Decimal::new(4, 1);
    bench.control("fills", &json!({ "depth": depth.normalize().to_string(), "slippage_bps": null }));
    let order = bench.entry(1, Side::Buy, limit("49000", TimeInForce::Gtc), row.size);
    venue.place(&order).await.unwrap();
    until_state(&mut events, order.client_id, OrderStatus::Open).await;
    bench.move_price("48990");
    let filled = until_state(&mut events, order.client_id, OrderStatus::PartiallyFilled).await.filled;
    assert_eq!(filled, depth);
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!((open[0].quantity, open[0].status), (order.quantity, OrderStatus::PartiallyFilled));
    // Ours is the whole size, also when a part of it is filled.
    let larger = size * Decimal::new(15, 1);
    let quantity = larger.normalize().to_string().parse().unwrap();
    venue.amend(&AmendOrder { quantity: Some(quantity), ..changing(&order) }).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!(open[0].quantity, quantity);
    // A changed order may have met the market once more.
    let filled = open[0].filled;
    let report = venue.order(bench.symbol, order.client_id).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.filled), (OrderStatus::PartiallyFilled, filled));
    let sum: Decimal = report.fills.iter().map(|fill| fill.quantity.get()).sum();
    assert_eq!(sum, filled, "the fills make up what the order tells");
    venue.cancel(&canceling(&order)).await.unwrap();
    let end = until_state(&mut events, order.client_id, OrderStatus::Canceled).await;
    assert_eq!(end.filled, filled, "the end tells what was filled");
    let position: Decimal = venue.positions().await.unwrap().iter().map(|position| position.size.get()).sum();
    assert_eq!(position, filled);
}

/// Many orders end at one word.
pub(crate) async fn all_orders_end(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let by_money = row.has(Lack::EndingByMoney).then(|| Scope::Settle(row.settle.parse().unwrap()));
    let scopes = std::iter::once(Scope::Symbol(bench.symbol)).chain(by_money);
    for (turn, scope) in (0..).zip(scopes) {
        for number in 1..=4 {
            let order = bench.entry(10 * turn + number, Side::Buy, limit("40000", TimeInForce::Gtc), row.lot);
            venue.place(&order).await.unwrap();
        }
        assert_eq!(venue.open_orders(None).await.unwrap().len(), 4);
        venue.cancel_all(&CancelAll { scope, selection: OrderSelection::All }).await.unwrap();
        assert_eq!(venue.open_orders(None).await.unwrap(), [], "{scope:?}");
    }
}
