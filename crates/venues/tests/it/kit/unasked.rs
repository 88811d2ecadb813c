//! What a venue does by itself: funding, liquidation.

use keyhold_domain::{ContractType, Decimal, OrderKind, Side};
use keyhold_venues::signer::SetLeverage;
use keyhold_venues::{AccountEvent, TradingVenue as _};

use super::bench::{Bench, PAST, minute};
use super::heard::{resynced, until};
use super::rows::{Lack, Row};
use super::trade::set_up;

/// The longest time between two payments, in minutes.
const FUNDING: i64 = 480;

/// Held over the time of funding: what was paid is told as it is listed.
pub(crate) async fn funding_is_told(row: &'static Row) {
    let bench = Bench::new(row);
    let venue = bench.venue();
    set_up(&bench, &venue).await;
    let mut events = venue.account_events();
    resynced(&mut events).await;
    venue.place(&bench.entry(1, Side::Buy, OrderKind::Market, row.size)).await.unwrap();
    for _ in PAST..=FUNDING {
        bench.step().await;
    }
    let listed = venue.funding_since(Some(bench.symbol), minute(0)).await.unwrap();
    let paid = bench.truth()["funding_payments"].as_u64().unwrap();
    assert_eq!(u64::try_from(listed.len()).unwrap(), paid);
    assert!(paid > 0);
    for payment in &listed {
        assert!(payment.symbol == bench.symbol && payment.paid.asset.as_str() == row.settle, "{payment:?}");
        assert!(payment.paid.amount > Decimal::ZERO, "whoever is long pays a rate above zero: {payment:?}");
        if row.has(Lack::StreamedFunding) {
            let told = until(&mut events, "funding", |event| match event {
                AccountEvent::Funding(told) => Some(*told),
                _ => None,
            })
            .await;
            assert_eq!((told.symbol, told.paid, told.at), (payment.symbol, payment.paid, payment.at));
        }
    }
    println!("{}: {paid} payments", row.name);
}

/// More than the account can lose is lost: the position ends, and the program is told that it did not end it.
pub(crate) async fn a_liquidation_is_told(row: &'static Row) {
    let bench = Bench::new(row);
    let (venue, symbol) = (bench.venue(), bench.symbol);
    set_up(&bench, &venue).await;
    venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::TEN }).await.unwrap();
    let mut events = venue.account_events();
    resynced(&mut events).await;
    let size = match row.product {
        ContractType::Linear => "1",
        ContractType::Inverse => "100000",
    };
    let order = bench.entry(1, Side::Buy, OrderKind::Market, size);
    venue.place(&order).await.unwrap();
    assert_eq!(venue.positions().await.unwrap().len(), 1);
    bench.move_price("30000");
    let forced = until(&mut events, "the forced end", |event| match event {
        AccountEvent::Forced { symbol, .. } => Some(*symbol),
        _ => None,
    })
    .await;
    assert_eq!(forced, symbol);
    assert_eq!(venue.positions().await.unwrap(), []);
    assert_eq!(bench.truth()["liquidations"], 1);
    let fills = venue.fills_since(Some(symbol), minute(0)).await.unwrap();
    let not_ours: Decimal =
        fills.iter().filter(|fill| fill.client_id.is_none()).map(|fill| fill.quantity.get()).sum();
    assert_eq!(not_ours, order.quantity.get(), "{fills:?}");
}
