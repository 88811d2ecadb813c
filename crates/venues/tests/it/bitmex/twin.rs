//! What is peculiar to BitMEX at its twin: quanto contracts, candles of four lengths, updates that carry only what changed,
//! keys that expire. What every venue must do stands in [`crate::kit`].

use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Known, MarginMode, OrderKind, OrderStatus, RefusalCode, Side,
    TimeInForce, Timeframe,
};
use keyhold_venues::port::{CandleRange, Resolution, SymbolRange};
use keyhold_venues::signer::{AmendOrder, CancelAll, OrderRef, OrderSelection, Scope, SetLeverage};
use keyhold_venues::{AccountEvent, MarketData, TradingVenue, VenueError};
use serde_json::{Value, json};

use crate::kit::bench::{Bench, SECRET, VOLUME, candle, limit, minute, stop};
use crate::kit::heard::{resynced, until, until_state};
use crate::kit::rows::{Row, rows_of};

fn row(product: ContractType) -> &'static Row {
    rows_of(Exchange::Bitmex).iter().find(|row| row.product == product).unwrap()
}

fn bench() -> Bench {
    Bench::new(row(ContractType::Linear))
}

#[tokio::test(start_paused = true)]
async fn contracts_have_their_own_margin_and_quanto_ones_are_refused() {
    for product in ContractType::ALL.iter().copied() {
        let bench = Bench::new(row(product));
        let (venue, symbol) = (bench.venue(), bench.symbol);
        let found = venue.instruments().await.unwrap();
        let instrument = found.listed[0];
        assert_eq!((instrument.contract_type, instrument.base.as_str()), (product, "BTC"));
        assert_eq!(found.refused.len(), 1, "the quanto contract is refused by name");
        assert_eq!(found.refused[0].name, "ETHUSD");
        let fees = venue.fees(symbol).await.unwrap();
        assert_eq!((fees.maker, fees.taker), (instrument.maker_fee, instrument.taker_fee));
        venue.set_leverage(&SetLeverage { symbol, leverage: 5.into() }).await.unwrap();
        venue.set_margin_mode_of(symbol, MarginMode::Isolated).await.unwrap();
        assert_eq!(venue.account_settings().await.unwrap().margin_mode, Some(MarginMode::Isolated));
        let settle = instrument.settle;
        let before = venue.account().await.unwrap().balance(settle).unwrap().wallet;
        let order = bench.entry(1, Side::Buy, OrderKind::Market, bench.row.half);
        venue.place(&order).await.unwrap();
        let fill = venue.order(symbol, order.client_id).await.unwrap().unwrap().fills[0];
        let position = venue.positions().await.unwrap().remove(0);
        assert_eq!((position.leverage, position.margin_mode), (Some(5.into()), Some(MarginMode::Isolated)));
        assert_eq!(position.entry, Some(fill.price));
        assert!(position.liquidation < position.entry);
        let paid = venue.account().await.unwrap().balance(settle).unwrap().wallet;
        let rounding = Decimal::new(1, 6);
        assert!((before - paid - fill.fee.amount).abs() <= rounding, "{before} {paid} {}", fill.fee);
    }
}

#[tokio::test(start_paused = true)]
async fn orders_are_chosen_by_the_venues_name_and_by_kind() {
    let bench = bench();
    let (venue, symbol) = (bench.venue(), bench.symbol);
    venue.place(&bench.entry(1, Side::Buy, OrderKind::Market, bench.row.size)).await.unwrap();
    let waiting = bench.exit(2, keyhold_domain::OrderPurpose::ProtectiveStop, stop("49000"), bench.row.size);
    let placed = venue.place(&waiting).await.unwrap();
    let resting = bench.entry(3, Side::Buy, limit("40000", TimeInForce::PostOnly), bench.row.size);
    venue.place(&resting).await.unwrap();
    let trigger = Some("49100".parse().unwrap());
    let order = OrderRef::Venue(placed.venue_id);
    venue.amend(&AmendOrder { order, symbol, quantity: None, price: None, trigger }).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    assert!(open.iter().any(|order| order.kind == stop("49100")), "{open:?}");
    assert!(open.iter().any(|order| order.kind == limit("40000", TimeInForce::PostOnly)), "{open:?}");
    let settle = "USDT".parse().unwrap();
    let all = CancelAll { scope: Scope::Settle(settle), selection: OrderSelection::All };
    venue.cancel_all(&CancelAll { selection: OrderSelection::StopOrders, ..all }).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!((open.len(), open[0].client_id), (1, Some(resting.client_id)));
    venue.cancel_all(&all).await.unwrap();
    assert!(venue.open_orders(None).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn candles_are_the_markets_in_every_length() {
    let bench = bench();
    let (market, symbol) = (bench.market(), bench.symbol);
    let get = async |timeframe, from, until| {
        let range = CandleRange { symbol, timeframe, from: minute(from), until: minute(until) };
        market.candles(&range).await.unwrap()
    };
    // Made of 1m, 5m and 1h candles.
    for (timeframe, length) in
        [(Timeframe::M3, 3), (Timeframe::M5, 5), (Timeframe::M15, 15), (Timeframe::H2, 120)]
    {
        let candles = get(timeframe, 1, 300).await;
        assert_eq!(candles[0].open_time, minute(length), "{timeframe:?}");
        let rows: Vec<Candle> = (length..2 * length).map(candle).collect();
        assert_eq!(candles[0].high, rows.iter().map(|row| row.high).max().unwrap());
        assert_eq!(candles[0].close, rows.last().unwrap().close);
        assert_eq!(candles[0].volume, Decimal::from(VOLUME * length));
        let gaps = candles.windows(2).filter(|two| two[1].open_time != two[0].close_time(timeframe));
        assert_eq!(gaps.count(), 0, "{timeframe:?}");
    }
    let range = SymbolRange { symbol, from: minute(0), until: minute(800) };
    let funding = market.funding_history(&range).await.unwrap();
    assert_eq!(funding.iter().map(|rate| rate.at).collect::<Vec<_>>(), [minute(0)]);
}

#[tokio::test(start_paused = true)]
async fn keys_expire_and_have_words_of_their_own() {
    let bench = bench();
    let facts = bench.venue().inspect_key().await.unwrap();
    assert_eq!((facts.ip_addresses, facts.transfer), (vec!["127.0.0.1/32".to_owned()], Known::Unknown));
    let facts = bench.venue_as("ODDKEY", SECRET).inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.unknown_permissions), (Known::Yes, vec!["teleport".to_owned()]));
    let expired = bench.venue_as("EXPIREDKEY", SECRET);
    assert_eq!(expired.inspect_key().await.unwrap_err().refusal(), Some(RefusalCode::KeyExpired));
    let mut events = expired.account_events();
    let told = until(&mut events, "the refusal", |event| match event {
        AccountEvent::Refused(error) => Some(error.refusal()),
        _ => None,
    })
    .await;
    assert_eq!(told, Some(RefusalCode::KeyExpired));
}

#[tokio::test(start_paused = true)]
async fn server_errors_are_told_apart() {
    let bench = bench();
    let (venue, symbol) = (bench.venue(), bench.symbol);
    venue.instruments().await.unwrap();
    venue.server_time().await.unwrap();
    let order = |number| bench.entry(number, Side::Buy, OrderKind::Market, bench.row.lot);
    let script = |body: &Value| bench.control("script", body);
    script(&json!({ "path": "/api/v1/order", "fate": "status", "status": 502 }));
    assert!(matches!(venue.place(&order(1)).await, Err(VenueError::Unknown { .. })));
    assert_eq!(venue.resolve(symbol, order(1).client_id).await.unwrap(), Resolution::NeverArrived);
    // An overload is no unknown outcome: BitMEX did not process it.
    script(&json!({ "path": "/api/v1/order", "fate": "status", "status": 503 }));
    assert_eq!(venue.place(&order(2)).await.unwrap_err().refusal(), Some(RefusalCode::Overloaded));
    // A look that fails says nothing.
    script(&json!({ "path": "/api/v1/order", "fate": "lost_answer", "times": 60 }));
    assert!(matches!(venue.resolve(symbol, order(2).client_id).await, Err(VenueError::Unknown { .. })));
    assert!(bench.truth()["fills"].as_array().unwrap().is_empty());
}

/// Updates carry only what changed; the program is told the whole order all the same.
#[tokio::test(start_paused = true)]
async fn orders_are_told_whole() {
    let bench = bench();
    let venue = bench.venue();
    let mut events = venue.account_events();
    resynced(&mut events).await;
    bench.control("fills", &json!({ "depth": "0.04", "slippage_bps": null }));
    let order = bench.entry(1, Side::Buy, limit("49500", TimeInForce::Gtc), bench.row.size);
    venue.place(&order).await.unwrap();
    bench.move_price("49490");
    let partly = until_state(&mut events, order.client_id, OrderStatus::PartiallyFilled).await;
    assert_eq!(partly.symbol, bench.symbol);
    assert!(partly.filled > Decimal::ZERO && partly.filled < order.quantity.get());
    for price in ["49480", "49470", "49460", "49450"] {
        bench.move_price(price);
    }
    let whole = until_state(&mut events, order.client_id, OrderStatus::Filled).await;
    assert_eq!(whole.filled, order.quantity.get());
    until(&mut events, "a balance", |event| match event {
        AccountEvent::Balance(balance) => (balance.asset.as_str() == "USDT").then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_dead_mans_switch_cancels() {
    let bench = Bench::new(row(ContractType::Inverse));
    let (venue, symbol) = (bench.venue(), bench.symbol);
    let place = async |number| {
        let order = bench.entry(number, Side::Buy, limit("40000", TimeInForce::Gtc), bench.row.lot);
        venue.place(&order).await.unwrap();
    };
    let arm = async |after: Option<u64>| {
        venue.dead_mans_switch(symbol, after.map(Duration::from_secs)).await.unwrap();
    };
    let count_after = async |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        venue.open_orders(None).await.unwrap().len()
    };
    place(1).await;
    arm(Some(15)).await;
    assert_eq!(count_after(10).await, 1);
    arm(Some(15)).await;
    assert_eq!(count_after(10).await, 1, "it was set anew");
    assert_eq!(count_after(6).await, 0);
    place(2).await;
    arm(Some(15)).await;
    arm(None).await;
    assert_eq!(count_after(60).await, 1, "it was switched off");
}
