//! The adapter against its simulated twin: key, market, account, orders, streams, trouble.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Known, MarginMode, NewOrder, OrderKind, OrderPurpose,
    OrderStatus, PositionEffect, RefusalCode, Side, Symbol, TimeInForce, Timeframe, Timestamp,
    TriggerDirection, TriggerSource,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig as TwinConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, Part, parse_instrument_at};
use keyhold_simulator::exchange::ExchangeConfig;
use keyhold_venues::event::CandleOrigin;
use keyhold_venues::port::{CandleRange, MarketSubscription, Resolution, Series, SymbolRange, VenueStatus};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage, SignedRequest,
    SignerRefusal,
};
use keyhold_venues::{
    AccountEvent, AnyMarket, AnyVenue, Clock, Endpoints, EventStream, Intent, MarketData, MarketEvent,
    Settings, Signer, TokioDialer, TradingVenue, VenueConfig, VenueError, sign_with,
};
use serde_json::{Value, json};

use crate::support::{TestKey, order_id};

const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USD = "10000", BTC = "1" }
    [[account.key]]
    key = "TESTKEY"
    secret = "VEVTVFNFQ1JFVA=="
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY"
    secret = "UkVBRFNFQ1JFVA=="
    read_only = true
    [[account.key]]
    key = "WITHDRAWKEY"
    secret = "V0lUSERSQVc="
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"] }
    [[account.key]]
    key = "FOREIGNKEY"
    secret = "Rk9SRUlHTg=="
    ips = ["203.0.113.7"]
"#;

/// The wall clock of both sides, and the first minute of the market.
const NOON: i64 = 1_730_000_000_123;
const START: i64 = 1_704_067_200_000;
const MINUTE: i64 = 60_000;
const PAST: usize = 180;
const DEADLINE: Duration = Duration::from_mins(1);

struct TwinSigner(TestKey);

impl Signer for TwinSigner {
    fn api_key_hint(&self) -> &str {
        &self.0.name[..2]
    }
    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::KrakenFutures, ContractType::Linear, intent, at, &self.0)
    }
}

struct SharedClock(Arc<AtomicI64>);

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    twin: FakeVenue,
    wall: Arc<AtomicI64>,
}

/// A market around 50000 that rises and falls by some hundreds.
fn row(minute: i64) -> Candle {
    let price = |value: i64| value.to_string().parse().unwrap();
    let (open, close) = (50_000 + minute % 7 * 100, 50_000 + (minute + 1) % 7 * 100);
    Candle {
        open_time: Timestamp::from_ms(START + minute * MINUTE),
        open: price(open),
        high: price(open.max(close) + 10),
        low: price(open.min(close) - 10),
        close: price(close),
        volume: Decimal::TEN,
    }
}

fn symbol(contract_type: ContractType) -> Symbol {
    match contract_type {
        ContractType::Linear => "PF_XBTUSD".parse().unwrap(),
        ContractType::Inverse => "PI_XBTUSD".parse().unwrap(),
    }
}

impl Bench {
    async fn new(rate_limits: RateLimits) -> Self {
        let wall = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&wall);
        let source = CandleSource::Recorded((0..400).map(row).collect());
        let market = |name: &str| MarketConfig {
            instrument: parse_instrument_at(Exchange::KrakenFutures, name).unwrap(),
            source: source.clone(),
        };
        let config = TwinConfig {
            venue: Exchange::KrakenFutures,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![market("PF_XBTUSD=linear"), market("PI_XBTUSD=inverse")],
            accounts: parse_accounts(ACCOUNTS).unwrap(),
            seed: 7,
            pace: Pace::Lockstep,
            base: Timeframe::M1,
            history: PAST,
            start: Some(Timestamp::from_ms(START)),
            exchange: ExchangeConfig::default(),
            rate_limits,
            clock: Arc::new(move || Timestamp::from_ms(clock.load(Ordering::SeqCst))),
        };
        Self { twin: FakeVenue::start(config).await.unwrap(), wall }
    }

    fn market(&self, contract_type: ContractType) -> AnyMarket<TokioDialer> {
        let endpoints =
            Endpoints::simulated(Exchange::KrakenFutures, contract_type, &self.twin.rest_url()).unwrap();
        let settings = Settings {
            resolve_waits: [0, 50, 100].map(Duration::from_millis).to_vec(),
            backoff: (Duration::from_millis(10), Duration::from_millis(50)),
            ping_interval: Duration::from_millis(200),
            read_attempts: 1,
            ..Settings::default()
        };
        let clock = Arc::new(SharedClock(Arc::clone(&self.wall)));
        let config = VenueConfig { contract_type, endpoints, settings };
        AnyMarket::new(config, Arc::new(TokioDialer::default()), clock).unwrap()
    }

    fn venue_as(&self, contract_type: ContractType, key: &str, secret: &str) -> AnyVenue<TokioDialer> {
        self.market(contract_type).with_key(Arc::new(TwinSigner(TestKey::new(key, secret))))
    }

    fn venue(&self, contract_type: ContractType) -> AnyVenue<TokioDialer> {
        self.venue_as(contract_type, "TESTKEY", "VEVTVFNFQ1JFVA==")
    }

    fn control(&self, name: &str, body: &Value) -> Value {
        self.twin.control(name, body).unwrap()
    }

    fn move_price(&self, contract_type: ContractType, price: &str) {
        self.control("price", &json!({ "symbol": symbol(contract_type), "price": price }));
    }
}

fn order(
    contract_type: ContractType,
    sequence: u32,
    side: Side,
    kind: OrderKind,
    quantity: &str,
) -> NewOrder {
    NewOrder {
        client_id: order_id(sequence),
        symbol: symbol(contract_type),
        side,
        kind,
        quantity: quantity.parse().unwrap(),
        effect: PositionEffect::Increase,
        purpose: OrderPurpose::Entry,
    }
}

fn limit(price: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price.parse().unwrap(), time_in_force }
}

fn stop(trigger: &str) -> OrderKind {
    let direction = TriggerDirection::Falls;
    OrderKind::StopMarket { trigger: trigger.parse().unwrap(), direction, source: TriggerSource::Last }
}

fn reducing(order: NewOrder) -> NewOrder {
    NewOrder { effect: PositionEffect::ReduceOnly, ..order }
}

/// The first event that is wanted; all others are passed over.
async fn until<T: std::fmt::Debug, R>(
    events: &mut EventStream<T>,
    what: &str,
    mut wanted: impl FnMut(&T) -> Option<R>,
) -> R {
    let mut seen = vec![];
    let waiting = async {
        loop {
            let event = events.next_event().await.expect("the stream has ended");
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(event);
        }
    };
    let found = tokio::time::timeout(DEADLINE, waiting).await;
    found.unwrap_or_else(|_| panic!("{what} did not come; seen: {seen:?}"))
}

async fn until_state(events: &mut EventStream<AccountEvent>, sequence: u32, state: OrderStatus) -> Decimal {
    until(events, &format!("{state} of order {sequence}"), |event| match event {
        AccountEvent::OrderUpdate(update) => {
            (update.client_id == order_id(sequence) && update.status == state).then_some(update.filled)
        }
        _ => None,
    })
    .await
}

fn refusal<T: std::fmt::Debug>(result: Result<T, VenueError>) -> RefusalCode {
    let error = result.unwrap_err();
    error.refusal().unwrap_or_else(|| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_market_is_read() {
    let bench = Bench::new(RateLimits::Enforced).await;
    for contract_type in ContractType::ALL.iter().copied() {
        let market = bench.market(contract_type);
        let symbol = symbol(contract_type);
        assert_eq!(market.server_time().await.unwrap().ms(), NOON);
        assert_eq!(market.venue_status().await.unwrap(), VenueStatus::Up);
        let listed = market.instruments().await.unwrap();
        assert!(listed.refused.is_empty());
        let wanted =
            if contract_type == ContractType::Linear { "PF_XBTUSD=linear" } else { "PI_XBTUSD=inverse" };
        let wanted = parse_instrument_at(Exchange::KrakenFutures, wanted).unwrap();
        assert_eq!(listed.listed, [wanted], "what the twin lists is read whole");
        let ticker = market.ticker(symbol).await.unwrap();
        assert_eq!(ticker.funding_rate.unwrap().to_string(), "0.0001");
        assert!(ticker.bid < ticker.last && ticker.last < ticker.ask);
        let from = Timestamp::from_ms(START);
        let range = |timeframe, minutes| CandleRange {
            symbol,
            timeframe,
            from,
            until: from.plus_ms(minutes * MINUTE),
        };
        let minutes = market.candles(&range(Timeframe::M1, 100)).await.unwrap();
        assert_eq!(minutes, (0..100).map(row).collect::<Vec<_>>());
        let threes = market.candles(&range(Timeframe::M3, 99)).await.unwrap();
        assert_eq!(threes.len(), 33);
        assert_eq!((threes[1].open, threes[1].close), (row(3).open, row(5).close));
        assert_eq!(threes[1].volume, Decimal::from(30));
        let hours = SymbolRange { symbol, from, until: from.plus_ms(7_200_001) };
        assert_eq!(market.funding_history(&hours).await.unwrap().len(), 2);
    }
    bench.control("maintenance", &json!({ "on": true }));
    let market = bench.market(ContractType::Linear);
    assert_eq!(market.venue_status().await.unwrap(), VenueStatus::Maintenance { until: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_apart() {
    let bench = Bench::new(RateLimits::Enforced).await;
    let venue = |key, secret| bench.venue_as(ContractType::Linear, key, secret);
    let facts = bench.venue(ContractType::Linear).inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade, facts.withdraw), (Known::Yes, Known::Yes, Known::No));
    assert_eq!((facts.ip_bound, facts.ip_addresses), (Known::Yes, vec!["127.0.0.1/32".to_owned()]));
    let reader = venue("READKEY", "UkVBRFNFQ1JFVA==");
    let facts = reader.inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade, facts.ip_bound), (Known::Yes, Known::No, Known::No));
    let placed = reader.place(&order(ContractType::Linear, 1, Side::Buy, OrderKind::Market, "0.01")).await;
    assert_eq!(refusal(placed), RefusalCode::InsufficientPermission);
    let facts = venue("WITHDRAWKEY", "V0lUSERSQVc=").inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.transfer), (Known::Yes, Known::Yes));
    assert_eq!(refusal(venue("FOREIGNKEY", "Rk9SRUlHTg==").inspect_key().await), RefusalCode::BadKey);
    assert_eq!(refusal(venue("TESTKEY", "d3Jvbmc=").account().await), RefusalCode::BadKey);
    assert_eq!(refusal(venue("NOKEY", "d3Jvbmc=").account().await), RefusalCode::BadKey);
    let unfit = venue("TESTKEY", "no base64!").account().await.unwrap_err();
    assert!(unfit.to_string().contains("form that this venue gives out"), "{unfit}");
}

/// From the first order to a flat position.
async fn trade(contract_type: ContractType, size: &str, half: &str) {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(contract_type);
    let symbol = symbol(contract_type);
    let settle = if contract_type == ContractType::Linear { "USD" } else { "BTC" };
    let mut events = venue.account_events();
    until(&mut events, "the beginning", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(()))
        .await;
    venue.use_one_way_mode(symbol).await.unwrap();
    venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
    venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
    let mode = venue.account_settings().await.unwrap().margin_mode.unwrap();
    let isolated = contract_type == ContractType::Linear;
    assert_eq!(mode, if isolated { MarginMode::Isolated } else { MarginMode::Cross });
    let fees = venue.fees(symbol).await.unwrap();
    assert_eq!((fees.maker.to_string().as_str(), fees.taker.to_string().as_str()), ("0.0002", "0.0005"));
    let before = venue.account().await.unwrap();
    let wallet = before.balance(settle.parse().unwrap()).unwrap().wallet;

    // An order that rests, is changed and canceled.
    let resting = order(contract_type, 1, Side::Buy, limit("40000", TimeInForce::PostOnly), size);
    venue.place(&resting).await.unwrap();
    until_state(&mut events, 1, OrderStatus::Open).await;
    assert_eq!(refusal(venue.place(&resting).await), RefusalCode::DuplicateClientOrderId);
    let amend = AmendOrder {
        order: OrderRef::Client(order_id(1)),
        symbol,
        quantity: Some(half.parse().unwrap()),
        price: Some("41000".parse().unwrap()),
        trigger: None,
    };
    venue.amend(&amend).await.unwrap();
    let open = venue.open_orders(Some(symbol)).await.unwrap();
    assert_eq!(
        (open.len(), open[0].client_id, open[0].quantity.to_string()),
        (1, Some(order_id(1)), half.to_owned())
    );
    assert_eq!(open[0].kind, limit("41000", TimeInForce::Gtc), "the list does not tell post-only orders");
    let cancel = CancelOrder { order: OrderRef::Client(order_id(1)), symbol };
    venue.cancel(&cancel).await.unwrap();
    until_state(&mut events, 1, OrderStatus::Canceled).await;
    assert_eq!(refusal(venue.cancel(&cancel).await), RefusalCode::OrderNotFound);

    refuse(&venue, contract_type, size).await;
    hold(&bench, &venue, &mut events, (contract_type, size)).await;
    let after = venue.account().await.unwrap();
    assert!(after.balance(settle.parse().unwrap()).unwrap().wallet < wallet);
    end_all(&bench, &venue, &mut events, (contract_type, size)).await;
}

/// What is refused by name.
async fn refuse(venue: &AnyVenue<TokioDialer>, contract_type: ContractType, size: &str) {
    let crossing = order(contract_type, 2, Side::Buy, limit("60000", TimeInForce::PostOnly), size);
    assert_eq!(refusal(venue.place(&crossing).await), RefusalCode::PostOnlyWouldCross);
    let nothing = reducing(order(contract_type, 3, Side::Sell, OrderKind::Market, size));
    assert_eq!(refusal(venue.place(&nothing).await), RefusalCode::ReduceOnlyRejected);
    let huge = if contract_type == ContractType::Linear { "900" } else { "20000000" };
    let huge = order(contract_type, 4, Side::Buy, OrderKind::Market, huge);
    assert_eq!(refusal(venue.place(&huge).await), RefusalCode::InsufficientMargin);
}

/// A position, its stop, and the end of both.
async fn hold(
    bench: &Bench,
    venue: &AnyVenue<TokioDialer>,
    events: &mut EventStream<AccountEvent>,
    (contract_type, size): (ContractType, &str),
) {
    let symbol = symbol(contract_type);
    let isolated = contract_type == ContractType::Linear;
    let settle = if isolated { "USD" } else { "BTC" };
    venue.place(&order(contract_type, 5, Side::Buy, OrderKind::Market, size)).await.unwrap();
    assert_eq!(until_state(events, 5, OrderStatus::Filled).await.to_string(), size);
    let position = venue.positions().await.unwrap()[0];
    assert_eq!((position.symbol, position.size.to_string().as_str()), (symbol, size));
    assert_eq!(position.leverage, isolated.then(|| Decimal::from(5)));
    venue.place(&reducing(order(contract_type, 6, Side::Sell, stop("48500"), size))).await.unwrap();
    until_state(events, 6, OrderStatus::Untriggered).await;
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!((open.len(), open[0].kind, open[0].effect), (1, stop("48500"), PositionEffect::ReduceOnly));
    let moved = AmendOrder {
        order: OrderRef::Client(order_id(6)),
        symbol,
        quantity: None,
        price: None,
        trigger: Some("49000".parse().unwrap()),
    };
    venue.amend(&moved).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap()[0].kind, stop("49000"));
    bench.move_price(contract_type, "48990");
    assert_eq!(until_state(events, 6, OrderStatus::Filled).await.to_string(), size);
    until(events, "the flat position", |event| match event {
        AccountEvent::Position(position) => {
            (position.symbol == symbol && position.size.is_flat()).then_some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(venue.positions().await.unwrap(), []);

    // What is left of it.
    let fills = venue.fills_since(None, Timestamp::from_ms(START)).await.unwrap();
    let sides: Vec<_> = fills.iter().map(|fill| (fill.client_id, fill.side)).collect();
    assert_eq!(sides, [(Some(order_id(5)), Side::Buy), (Some(order_id(6)), Side::Sell)]);
    assert!(fills.iter().all(|fill| fill.fee.asset.as_str() == settle && fill.fee.amount > Decimal::ZERO));
    let report = venue.order(symbol, order_id(6)).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Filled, 1));
    assert_eq!(venue.order(symbol, order_id(99)).await.unwrap(), None);
}

/// All at once, by us and by the venue itself.
async fn end_all(
    bench: &Bench,
    venue: &AnyVenue<TokioDialer>,
    events: &mut EventStream<AccountEvent>,
    (contract_type, size): (ContractType, &str),
) {
    let symbol = symbol(contract_type);
    for sequence in [7, 8] {
        let kind = limit("30000", TimeInForce::Gtc);
        venue.place(&order(contract_type, sequence, Side::Buy, kind, size)).await.unwrap();
    }
    let all = CancelAll { scope: Scope::Symbol(symbol), selection: OrderSelection::All };
    venue.cancel_all(&all).await.unwrap();
    until_state(events, 8, OrderStatus::Canceled).await;
    venue.place(&order(contract_type, 9, Side::Buy, limit("30000", TimeInForce::Gtc), size)).await.unwrap();
    venue.dead_mans_switch(symbol, Some(Duration::from_mins(1))).await.unwrap();
    bench.wall.fetch_add(30_000, Ordering::SeqCst);
    venue.dead_mans_switch(symbol, None).await.unwrap();
    bench.wall.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(venue.open_orders(None).await.unwrap().len(), 1, "it was switched off");
    venue.dead_mans_switch(symbol, Some(Duration::from_mins(1))).await.unwrap();
    bench.wall.fetch_add(60_001, Ordering::SeqCst);
    until_state(events, 9, OrderStatus::Canceled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linear_contracts_are_traded() {
    trade(ContractType::Linear, "0.1", "0.05").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inverse_contracts_are_traded() {
    trade(ContractType::Inverse, "1000", "500").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_fills_add_up() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let mut events = venue.account_events();
    until(&mut events, "the beginning", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(()))
        .await;
    bench.control("fills", &json!({ "depth": "0.04", "slippage_bps": null }));
    let symbol = symbol(ContractType::Linear);
    let kind = limit("49000", TimeInForce::Gtc);
    venue.place(&order(ContractType::Linear, 1, Side::Buy, kind, "0.1")).await.unwrap();
    until_state(&mut events, 1, OrderStatus::Open).await;
    bench.move_price(ContractType::Linear, "48990");
    let filled = until_state(&mut events, 1, OrderStatus::PartiallyFilled).await;
    assert_eq!(filled.to_string(), "0.04");
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!(
        (open[0].quantity.to_string().as_str(), open[0].status),
        ("0.1", OrderStatus::PartiallyFilled)
    );
    // Ours is the whole size, also when a part of it is filled.
    let amend = AmendOrder {
        order: OrderRef::Client(order_id(1)),
        symbol,
        quantity: Some("0.15".parse().unwrap()),
        price: None,
        trigger: None,
    };
    venue.amend(&amend).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    assert_eq!(open[0].quantity.to_string(), "0.15");
    // A changed order may have met the market once more.
    let filled = open[0].filled;
    let report = venue.order(symbol, order_id(1)).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.filled), (OrderStatus::PartiallyFilled, filled));
    let fills = report.fills.iter().map(|fill| fill.quantity.get());
    assert_eq!(fills.sum::<Decimal>(), filled, "the fills make up what the order tells");
    venue.cancel(&CancelOrder { order: OrderRef::Client(order_id(1)), symbol }).await.unwrap();
    assert_eq!(
        until_state(&mut events, 1, OrderStatus::Canceled).await,
        filled,
        "the end tells what was filled"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcomes_are_resolved() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    let lose = |fate: &str| {
        bench.control("script", &json!({ "path": "/derivatives/api/v3/sendorder", "fate": fate }));
    };
    venue.server_time().await.unwrap();
    for (sequence, fate, arrives) in [(1, "lost_answer", true), (2, "lost_request", false)] {
        lose(fate);
        let placed =
            venue.place(&order(ContractType::Linear, sequence, Side::Buy, OrderKind::Market, "0.01")).await;
        assert!(matches!(placed, Err(VenueError::Unknown { .. })), "{placed:?}");
        match venue.resolve(symbol, order_id(sequence)).await.unwrap() {
            Resolution::Found(report) => {
                assert!(arrives);
                assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Filled, 1));
            }
            Resolution::NeverArrived => assert!(!arrives),
        }
    }
    // One that the list of recent orders has forgotten stands in the history.
    venue
        .place(&order(ContractType::Linear, 3, Side::Buy, limit("30000", TimeInForce::Gtc), "0.01"))
        .await
        .unwrap();
    venue.cancel(&CancelOrder { order: OrderRef::Client(order_id(3)), symbol }).await.unwrap();
    bench.twin.step();
    let report = venue.order(symbol, order_id(3)).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Canceled, 0));
    let report = venue.order(symbol, order_id(1)).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Filled, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_order_is_not_handled() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    venue.server_time().await.unwrap();
    // The venue's clock runs ahead of what we know of it: the order is refused, the clock read, the order sent again.
    bench.control("clock", &json!({ "skew_ms": 20_000 }));
    venue.place(&order(ContractType::Linear, 1, Side::Buy, OrderKind::Market, "0.01")).await.unwrap();
    assert_eq!(venue.fills_since(None, Timestamp::from_ms(START)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_come_back() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let mut events = venue.account_events();
    for _ in 0..2 {
        until(&mut events, "a session", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(()))
            .await;
        bench.control("cut", &Value::Null);
        until(&mut events, "the cut", |event| {
            matches!(event, AccountEvent::Disconnected { .. }).then_some(())
        })
        .await;
    }
    until(&mut events, "a session", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(()))
        .await;
    venue.place(&order(ContractType::Linear, 1, Side::Sell, OrderKind::Market, "0.01")).await.unwrap();
    until(&mut events, "the fill", |event| matches!(event, AccountEvent::Fill(_)).then_some(())).await;
    let stranger = bench.venue_as(ContractType::Linear, "TESTKEY", "d3Jvbmc=");
    let mut events = stranger.account_events();
    let error = until(&mut events, "the refusal", |event| match event {
        AccountEvent::Refused(error) => Some(error.clone()),
        _ => None,
    })
    .await;
    assert_eq!(error.refusal(), Some(RefusalCode::BadSignature));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_come_when_they_close_with_book_and_trades() {
    let bench = Bench::new(RateLimits::Off).await;
    let market = bench.market(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    let minute = |n: i64| Timestamp::from_ms(START + n * MINUTE);
    let past = i64::try_from(PAST).unwrap();
    let series = |timeframe, after| Series { symbol, timeframe, after };
    let subscription = MarketSubscription {
        series: vec![series(Timeframe::M1, Some(minute(past - 4))), series(Timeframe::M3, None)],
        books: BTreeSet::from([symbol]),
        trades: BTreeSet::from([symbol]),
    };
    let mut events = market.market_events(subscription);
    let mut found = vec![];
    until(&mut events, "the beginning", |event| {
        if let MarketEvent::CandleClosed { timeframe, candle, origin, .. } = event {
            found.push((*timeframe, candle.open_time, *origin));
        }
        matches!(event, MarketEvent::Resynced { .. }).then_some(())
    })
    .await;
    let filled = [past - 3, past - 2, past - 1].map(|n| (Timeframe::M1, minute(n), CandleOrigin::Fetched));
    assert_eq!(found, filled, "what the program lacks comes first");
    let (mut books, mut sums) = (0, 0);
    for n in past..past + 6 {
        bench.twin.play(Part::Path);
        bench.twin.play(Part::Close);
        let candle = until(&mut events, "the close", |event| match event {
            MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, .. } => Some(*candle),
            MarketEvent::Book { book, .. } => {
                assert!(book.bids[0].0 < book.asks[0].0);
                books += 1;
                None
            }
            MarketEvent::Traded { timeframe: Timeframe::M1, open_time, sums: told, .. } => {
                assert_eq!((*open_time, told.buy + told.sell), (minute(n), Decimal::TEN));
                sums += 1;
                None
            }
            MarketEvent::Gap { .. } | MarketEvent::Undecodable(_) => panic!("{event:?}"),
            _ => None,
        })
        .await;
        assert_eq!(candle, row(n), "it comes before the next one opens");
        bench.twin.play(Part::Open);
    }
    assert!(books >= 5, "books: {books}");
    assert!(sums >= 4, "sums of trades: {sums}");
}
