//! Orders and positions at the twin, from the first order to a flat position.

use std::time::Duration;

use keyhold_domain::{
    ContractType, Decimal, Fill, Known, MarginMode, NewOrder, OrderKind, OrderPurpose, OrderStatus,
    PositionEffect, RefusalCode, TimeInForce, Timestamp,
};
use keyhold_fake_venues::config::RateLimits;
use keyhold_venues::port::PositionMode;
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{
    AccountEvent, AnyVenue, EventStream, NotSentCause, TokioDialer, TradingVenue, VenueError,
};
use serde_json::json;

use super::twin::{
    Bench, START, coin, entry, exit, heard, limit, name, refusal, size, stop, symbol, until, until_state,
};

struct Session {
    bench: Bench,
    venue: AnyVenue<TokioDialer>,
    events: EventStream<AccountEvent>,
    product: ContractType,
}

fn amend_of(order: &NewOrder) -> AmendOrder {
    AmendOrder {
        order: OrderRef::Client(order.client_id),
        symbol: order.symbol,
        quantity: None,
        price: None,
        trigger: None,
    }
}

fn cancel_of(order: &NewOrder) -> CancelOrder {
    CancelOrder { order: OrderRef::Client(order.client_id), symbol: order.symbol }
}

impl Session {
    async fn of(product: ContractType) -> Self {
        let bench = Bench::new(RateLimits::Off).await;
        let venue = bench.venue(product);
        let events = heard(&venue).await;
        Self { bench, venue, events, product }
    }

    async fn wallet(&self) -> Decimal {
        let account = self.venue.account().await.unwrap();
        account.balance(coin(self.product).parse().unwrap()).unwrap().wallet
    }

    async fn set_up(&self) {
        let (venue, symbol) = (&self.venue, symbol(self.product));
        venue.use_one_way_mode(symbol).await.unwrap();
        assert_eq!(venue.position_mode(symbol).await, Ok(PositionMode::OneWay));
        for _ in 0..2 {
            venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
            venue.set_margin_mode_of(symbol, MarginMode::Isolated).await.unwrap();
        }
        let fees = venue.fees(symbol).await.unwrap();
        assert_eq!((fees.maker.to_string().as_str(), fees.taker.to_string().as_str()), ("0.0002", "0.0005"));
    }

    /// An order that rests, is changed and canceled.
    async fn rest(&mut self) {
        let venue = &self.venue;
        let resting = entry(self.product, 1, limit("40000", TimeInForce::PostOnly));
        let placed = venue.place(&resting).await.unwrap();
        until_state(&mut self.events, &resting, OrderStatus::Open).await;
        assert_eq!(refusal(venue.place(&resting).await), RefusalCode::DuplicateClientOrderId);
        let half = (resting.quantity.get() / Decimal::TWO).to_string();
        let amend = AmendOrder {
            quantity: Some(half.parse().unwrap()),
            price: Some("41000".parse().unwrap()),
            ..amend_of(&resting)
        };
        venue.amend(&amend).await.unwrap();
        let open = venue.open_orders(Some(resting.symbol)).await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].client_id, open[0].venue_id), (Some(resting.client_id), placed.venue_id));
        assert_eq!(open[0].quantity.get(), half.parse::<Decimal>().unwrap());
        assert_eq!(open[0].kind, limit("41000", TimeInForce::PostOnly));
        // What a change leaves out stays as it is.
        venue
            .amend(&AmendOrder { price: Some("41500".parse().unwrap()), ..amend_of(&resting) })
            .await
            .unwrap();
        let open = venue.open_orders(None).await.unwrap();
        assert_eq!(open[0].kind, limit("41500", TimeInForce::PostOnly));
        assert_eq!(open[0].quantity.get(), half.parse::<Decimal>().unwrap());
        venue.cancel(&cancel_of(&resting)).await.unwrap();
        until_state(&mut self.events, &resting, OrderStatus::Canceled).await;
        assert_eq!(refusal(venue.cancel(&cancel_of(&resting)).await), RefusalCode::OrderNotFound);
        let late = AmendOrder { price: Some("42000".parse().unwrap()), ..amend_of(&resting) };
        assert_eq!(refusal(venue.amend(&late).await), RefusalCode::OrderNotFound);
    }

    /// What is refused by name.
    async fn refuse(&self) {
        let (venue, product) = (&self.venue, self.product);
        let crossing = entry(product, 2, limit("60000", TimeInForce::PostOnly));
        assert_eq!(refusal(venue.place(&crossing).await), RefusalCode::PostOnlyWouldCross);
        let nothing = exit(product, 3, OrderKind::Market);
        assert_eq!(refusal(venue.place(&nothing).await), RefusalCode::ReduceOnlyRejected);
        let huge = if product == ContractType::Linear { "900" } else { "9000000" };
        let huge = NewOrder { quantity: huge.parse().unwrap(), ..entry(product, 4, OrderKind::Market) };
        assert_eq!(refusal(venue.place(&huge).await), RefusalCode::InsufficientMargin);
        let odd = if product == ContractType::Linear { "0.00001" } else { "150" };
        let odd = NewOrder { quantity: odd.parse().unwrap(), ..entry(product, 4, OrderKind::Market) };
        assert_eq!(refusal(venue.place(&odd).await), RefusalCode::InvalidOrder);
        let between = entry(product, 4, limit("40000.05", TimeInForce::Gtc));
        assert_eq!(refusal(venue.place(&between).await), RefusalCode::InvalidOrder);
        // The whole account has one mode for both products.
        assert_eq!(venue.open_orders(None).await.unwrap(), []);
    }

    /// A position, its stop in the book of conditional orders, and the end of both.
    async fn hold(&mut self) {
        let (venue, product, symbol) = (&self.venue, self.product, symbol(self.product));
        let bought = entry(product, 5, OrderKind::Market);
        let placed = venue.place(&bought).await.unwrap();
        let filled = until_state(&mut self.events, &bought, OrderStatus::Filled).await;
        assert_eq!(filled, bought.quantity.get());
        let report = venue.order(symbol, bought.client_id).await.unwrap().unwrap();
        assert_eq!(
            (report.update.status, report.update.venue_id),
            (OrderStatus::Filled, Some(placed.venue_id))
        );
        let position = venue.positions().await.unwrap()[0];
        assert_eq!((position.symbol, position.size.get()), (symbol, bought.quantity.get()));
        assert_eq!(position.margin_mode, Some(MarginMode::Isolated));
        // USD-M does not tell the leverage of positions any more.
        let leverage = (product == ContractType::Inverse).then(|| Decimal::from(5));
        assert_eq!(position.leverage, leverage);

        let protecting = stop(product, 6, "48500");
        let target = exit(product, 7, limit("51000", TimeInForce::Gtc));
        let placed = venue.place(&protecting).await.unwrap();
        venue.place(&target).await.unwrap();
        until_state(&mut self.events, &protecting, OrderStatus::Untriggered).await;
        let open = venue.open_orders(None).await.unwrap();
        assert_eq!(open.len(), 2, "{open:?}");
        let found = open.iter().find(|order| order.client_id == Some(protecting.client_id)).unwrap();
        assert_eq!((found.kind, found.status), (protecting.kind, OrderStatus::Untriggered));
        assert_eq!((found.effect, found.quantity), (PositionEffect::ReduceOnly, protecting.quantity));
        assert_eq!(found.venue_id, placed.venue_id);
        assert!(found.venue_id.as_str().starts_with('a'), "it is numbered by the Algo Service");
        let moved = AmendOrder { trigger: Some("49000".parse().unwrap()), ..amend_of(&protecting) };
        let refused = venue.amend(&moved).await.unwrap_err();
        assert!(matches!(refused, VenueError::NotSent { cause: NotSentCause::Signer(_), .. }), "{refused}");

        self.bench.move_price(product, "48490");
        let fill = the_fill(&mut self.events, &protecting).await;
        assert_eq!((fill.quantity, fill.symbol), (protecting.quantity, symbol));
        let filled = until_state(&mut self.events, &protecting, OrderStatus::Filled).await;
        assert_eq!(filled, protecting.quantity.get());
        until(&mut self.events, "the flat position", |event| match event {
            AccountEvent::Position(position) => {
                (position.symbol == symbol && position.size.is_flat()).then_some(())
            }
            _ => None,
        })
        .await;
        assert_eq!(venue.positions().await.unwrap(), []);
        // With nothing left to reduce, the venue ended the target by itself.
        until_state(&mut self.events, &target, OrderStatus::Canceled).await;

        // What is left of it: for us, and for a program that knows nothing yet.
        for venue in [venue, &self.bench.venue(product)] {
            let report = venue.order(symbol, protecting.client_id).await.unwrap().unwrap();
            assert_eq!((report.update.status, report.update.filled), (OrderStatus::Filled, filled));
            assert_eq!(report.fills, [fill], "stream and list tell the same fill");
            assert_eq!(venue.order(symbol, name(99, OrderPurpose::Entry)).await.unwrap(), None);
        }
        let ours = [Some(bought.client_id), Some(protecting.client_id)];
        for (venue, asked) in [(venue, Some(symbol)), (&self.bench.venue(product), None)] {
            let fills = venue.fills_since(asked, Timestamp::from_ms(START)).await.unwrap();
            assert_eq!(fills.iter().map(|fill| fill.client_id).collect::<Vec<_>>(), ours);
            let fee =
                |fill: &Fill| fill.fee.asset.as_str() == coin(product) && fill.fee.amount > Decimal::ZERO;
            assert!(fills.iter().all(fee), "{fills:?}");
        }
    }

    /// All at once, by us and by the venue itself.
    async fn end_all(&mut self) {
        let (venue, product, symbol) = (&self.venue, self.product, symbol(self.product));
        venue.place(&entry(product, 10, OrderKind::Market)).await.unwrap();
        let protecting = stop(product, 11, "40000");
        let resting = [12, 13].map(|number| entry(product, number, limit("30000", TimeInForce::Gtc)));
        venue.place(&protecting).await.unwrap();
        for order in &resting {
            venue.place(order).await.unwrap();
        }
        let all = CancelAll { scope: Scope::Symbol(symbol), selection: OrderSelection::StopOrders };
        venue.cancel_all(&all).await.unwrap();
        until_state(&mut self.events, &protecting, OrderStatus::Canceled).await;
        assert_eq!(venue.open_orders(None).await.unwrap().len(), 2, "conditional orders only");
        let protecting = stop(product, 14, "40000");
        venue.place(&protecting).await.unwrap();
        venue.cancel_all(&CancelAll { scope: Scope::Product, selection: OrderSelection::All }).await.unwrap();
        until_state(&mut self.events, &protecting, OrderStatus::Canceled).await;
        assert_eq!(venue.open_orders(None).await.unwrap(), [], "both books");

        // By the venue's own numbers, as for orders of others.
        let protecting = stop(product, 15, "40000");
        let resting = entry(product, 16, limit("30000", TimeInForce::Gtc));
        for order in [&protecting, &resting] {
            let placed = venue.place(order).await.unwrap();
            venue.cancel(&CancelOrder { order: OrderRef::Venue(placed.venue_id), symbol }).await.unwrap();
            until_state(&mut self.events, order, OrderStatus::Canceled).await;
        }

        // The dead-man's switch, off in time once and once not. Stops stay.
        let minute = Duration::from_mins(1);
        let protecting = stop(product, 17, "40000");
        let resting = entry(product, 18, limit("30000", TimeInForce::Gtc));
        venue.place(&protecting).await.unwrap();
        venue.place(&resting).await.unwrap();
        venue.dead_mans_switch(symbol, Some(minute)).await.unwrap();
        self.bench.wait(minute / 2);
        venue.dead_mans_switch(symbol, None).await.unwrap();
        self.bench.wait(minute);
        assert_eq!(venue.open_orders(None).await.unwrap().len(), 2, "it was switched off");
        venue.dead_mans_switch(symbol, Some(minute)).await.unwrap();
        self.bench.wait(minute + Duration::from_millis(1));
        until_state(&mut self.events, &resting, OrderStatus::Canceled).await;
        let left: Vec<_> = venue.open_orders(None).await.unwrap();
        assert_eq!(
            left.iter().map(|order| order.client_id).collect::<Vec<_>>(),
            [Some(protecting.client_id)]
        );
    }
}

/// The fill of an order on the stream, under our name.
async fn the_fill(events: &mut EventStream<AccountEvent>, order: &NewOrder) -> Fill {
    until(events, "the fill", |event| match event {
        AccountEvent::Fill(fill) => (fill.client_id == Some(order.client_id)).then_some(*fill),
        AccountEvent::Undecodable(error) => panic!("{error}"),
        _ => None,
    })
    .await
}

async fn trade(product: ContractType) {
    let mut session = Session::of(product).await;
    let before = session.wallet().await;
    session.set_up().await;
    session.rest().await;
    session.refuse().await;
    session.hold().await;
    assert!(session.wallet().await < before);
    session.end_all().await;
    println!("{product}: a whole life of orders, {} fills", session.bench.fills());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linear_contracts_are_traded() {
    trade(ContractType::Linear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inverse_contracts_are_traded() {
    trade(ContractType::Inverse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_fills_add_up() {
    for product in ContractType::ALL.iter().copied() {
        let mut session = Session::of(product).await;
        let whole: Decimal = size(product).parse().unwrap();
        let part = if product == ContractType::Linear { "0.04" } else { "400" };
        session.bench.control("fills", &json!({ "depth": part, "slippage_bps": null }));
        let order = entry(product, 1, limit("49000", TimeInForce::Gtc));
        session.venue.place(&order).await.unwrap();
        session.bench.move_price(product, "48990");
        let filled = until_state(&mut session.events, &order, OrderStatus::PartiallyFilled).await;
        assert_eq!(filled.to_string(), part);
        let open = session.venue.open_orders(None).await.unwrap();
        assert_eq!((open[0].quantity.get(), open[0].status), (whole, OrderStatus::PartiallyFilled));
        // The way down may have met the order once more since.
        assert!(open[0].filled >= filled);
        // Ours is the whole size, also when a part of it is filled.
        let more = (whole + whole).to_string();
        let amend = AmendOrder { quantity: Some(more.parse().unwrap()), ..amend_of(&order) };
        session.venue.amend(&amend).await.unwrap();
        let open = session.venue.open_orders(None).await.unwrap();
        assert_eq!(open[0].quantity.get(), whole + whole);
        // A changed order may have met the market once more.
        let filled = open[0].filled;
        let report = session.venue.order(order.symbol, order.client_id).await.unwrap().unwrap();
        assert_eq!((report.update.status, report.update.filled), (OrderStatus::PartiallyFilled, filled));
        let sum: Decimal = report.fills.iter().map(|fill| fill.quantity.get()).sum();
        assert_eq!(sum, filled, "the fills make up what the order tells");
        session.venue.cancel(&cancel_of(&order)).await.unwrap();
        let told = until_state(&mut session.events, &order, OrderStatus::Canceled).await;
        assert_eq!(told, filled, "the end tells what was filled");
        // A market order that finds too little: what there was, and the end of the rest.
        let hasty = entry(product, 2, OrderKind::Market);
        session.venue.place(&hasty).await.unwrap();
        let told = until_state(&mut session.events, &hasty, OrderStatus::Canceled).await;
        assert_eq!(told.to_string(), part);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_apart() {
    let bench = Bench::new(RateLimits::Enforced).await;
    for product in ContractType::ALL.iter().copied() {
        let venue = |key, secret| bench.venue_as(product, key, secret);
        let facts = bench.venue(product).inspect_key().await.unwrap();
        assert_eq!((facts.read, facts.trade, facts.withdraw), (Known::Yes, Known::Yes, Known::No));
        assert_eq!((facts.transfer, facts.ip_bound, facts.expires_at), (Known::No, Known::Yes, None));
        assert_eq!(facts.unknown_permissions, Vec::<String>::new());
        let reader = venue("READKEY", "READSECRET");
        let facts = reader.inspect_key().await.unwrap();
        assert_eq!((facts.read, facts.trade, facts.ip_bound), (Known::Yes, Known::No, Known::No));
        // The venue has one number for a wrong key, a foreign address and a missing permission.
        let placed = reader.place(&entry(product, 1, OrderKind::Market)).await;
        assert_eq!(refusal(placed), RefusalCode::BadKey);
        let facts = venue("RICHKEY", "RICHSECRET").inspect_key().await.unwrap();
        assert_eq!((facts.withdraw, facts.transfer), (Known::Yes, Known::Yes));
        let facts = venue("ENDINGKEY", "ENDINGSECRET").inspect_key().await.unwrap();
        assert_eq!(facts.expires_at, Some(Timestamp::from_ms(1_800_000_000_000)));
        assert_eq!(refusal(venue("FARKEY", "FARSECRET").inspect_key().await), RefusalCode::BadKey);
        assert_eq!(refusal(venue("TESTKEY", "WRONG").account().await), RefusalCode::BadSignature);
        assert_eq!(refusal(venue("NOKEY", "WRONG").account().await), RefusalCode::BadKey);
    }
}
