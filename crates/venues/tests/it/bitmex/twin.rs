//! The adapter against its simulated twin: key, market, account, orders, streams, trouble.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, Known, Liquidity, MarginMode, NewOrder, OrderKind,
    OrderStatus, PositionEffect, RefusalCode, Side, Symbol, TimeInForce, Timeframe, Timestamp,
    TriggerDirection, TriggerSource,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig as TwinConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, parse_instrument_at};
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
    balances = { USDT = "10000", BTC = "1" }
    [[account.key]]
    key = "TESTKEY"
    secret = "TESTSECRET"
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY"
    secret = "READSECRET"
    read_only = true
    [[account.key]]
    key = "WITHDRAWKEY"
    secret = "WITHDRAWSECRET"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"], BitMEX = ["teleport"] }
    [[account.key]]
    key = "FOREIGNKEY"
    secret = "FOREIGNSECRET"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "EXPIREDKEY"
    secret = "EXPIREDSECRET"
    expires_at_ms = 1
"#;

/// The wall clock of both sides, and the first minute of the market.
const NOON: i64 = 1_730_000_000_123;
const START: i64 = 1_704_067_200_000;
const MINUTE: i64 = 60_000;
const PAST: i64 = 381;

struct TwinSigner(TestKey);

impl Signer for TwinSigner {
    fn api_key_hint(&self) -> &str {
        &self.0.name[..2]
    }
    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Bitmex, ContractType::Linear, intent, at, &self.0)
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

impl Bench {
    async fn new(rate_limits: RateLimits) -> Self {
        let wall = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&wall);
        let source = CandleSource::Recorded((0..800).map(row).collect());
        let market = |name: &str| MarketConfig {
            instrument: parse_instrument_at(Exchange::Bitmex, name).unwrap(),
            source: source.clone(),
        };
        let config = TwinConfig {
            venue: Exchange::Bitmex,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![market("XBTUSDT=linear"), market("XBTUSD=inverse")],
            accounts: parse_accounts(ACCOUNTS).unwrap(),
            seed: 7,
            pace: Pace::Lockstep,
            base: Timeframe::M1,
            history: usize::try_from(PAST).unwrap(),
            start: Some(Timestamp::from_ms(START)),
            exchange: ExchangeConfig::default(),
            rate_limits,
            clock: Arc::new(move || Timestamp::from_ms(clock.load(Ordering::SeqCst))),
        };
        Self { twin: FakeVenue::start(config).await.unwrap(), wall }
    }

    fn market(&self, contract_type: ContractType) -> AnyMarket<TokioDialer> {
        let endpoints = Endpoints::simulated(Exchange::Bitmex, contract_type, &self.twin.rest_url()).unwrap();
        let settings = Settings {
            resolve_waits: [0, 50, 100].map(Duration::from_millis).to_vec(),
            backoff: (Duration::from_millis(10), Duration::from_millis(50)),
            ping_interval: Duration::from_millis(200),
            candle_settling: Duration::ZERO,
            read_attempts: 1,
            ..Settings::default()
        };
        let clock = Arc::new(SharedClock(Arc::clone(&self.wall)));
        let config = VenueConfig { contract_type, endpoints, settings };
        AnyMarket::new(config, Arc::new(TokioDialer::default()), clock).unwrap()
    }

    fn venue(&self, contract_type: ContractType) -> AnyVenue<TokioDialer> {
        self.with_key(contract_type, "TESTKEY", "TESTSECRET")
    }

    fn with_key(&self, contract_type: ContractType, name: &str, secret: &str) -> AnyVenue<TokioDialer> {
        self.market(contract_type).with_key(Arc::new(TwinSigner(TestKey::new(name, secret))))
    }

    fn control(&self, name: &str, body: &Value) -> Value {
        self.twin.control(name, body).unwrap()
    }

    fn truth(&self) -> Value {
        self.control("truth", &json!({ "account": 1 }))
    }
}

fn symbol(contract_type: ContractType) -> Symbol {
    match contract_type {
        ContractType::Linear => "XBTUSDT",
        ContractType::Inverse => "XBTUSD",
    }
    .parse()
    .unwrap()
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// An order of ours; everything but a buy reduces.
fn order(sequence: u32, symbol: Symbol, side: Side, kind: OrderKind, quantity: &str) -> NewOrder {
    let effect = if side == Side::Buy { PositionEffect::Increase } else { PositionEffect::ReduceOnly };
    let client_id = order_id(sequence);
    let quantity = quantity.parse().unwrap();
    NewOrder { client_id, symbol, side, kind, quantity, effect, purpose: client_id.purpose() }
}

fn limit(price: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price.parse().unwrap(), time_in_force }
}

/// Longer than a quiet stream takes to notice that a candle is overdue.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("no {what} in time"))
}

async fn session(contract_type: ContractType, quantity: &str) {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(contract_type);
    let symbol = symbol(contract_type);
    let instrument = Box::pin(read_market(&venue, symbol)).await;
    enter(&venue, instrument, quantity).await;
    rest_and_amend(&venue, symbol, quantity).await;
    leave(&bench, &venue, instrument, quantity).await;
}

/// What a program reads and sets before it trades.
async fn read_market(venue: &AnyVenue<TokioDialer>, symbol: Symbol) -> Instrument {
    let found = venue.instruments().await.unwrap();
    assert_eq!(found.listed.len(), 1, "{found:?}");
    let instrument = found.listed[0];
    assert_eq!((instrument.symbol, instrument.contract_type), (symbol, venue.venue().contract_type));
    assert_eq!(instrument.base.as_str(), "BTC");
    assert_eq!(found.refused.len(), 1, "the quanto contract is refused by name");
    assert_eq!(found.refused[0].name, "ETHUSD");
    assert_eq!(venue.venue_status().await.unwrap(), VenueStatus::Up);
    assert!((venue.server_time().await.unwrap().ms() - NOON).abs() <= 500);
    let ticker = venue.ticker(symbol).await.unwrap();
    assert_eq!(ticker.last, Some(row(PAST).open));
    assert!(ticker.bid < ticker.last && ticker.last < ticker.ask);
    let fees = venue.fees(symbol).await.unwrap();
    assert_eq!((fees.maker, fees.taker), (instrument.maker_fee, instrument.taker_fee));
    venue.set_leverage(&SetLeverage { symbol, leverage: d("5") }).await.unwrap();
    venue.set_leverage(&SetLeverage { symbol, leverage: d("5") }).await.unwrap();
    venue.set_margin_mode_of(symbol, MarginMode::Isolated).await.unwrap();
    assert_eq!(venue.account_settings().await.unwrap().margin_mode, Some(MarginMode::Isolated));
    instrument
}

/// A market order that fills at once.
async fn enter(venue: &AnyVenue<TokioDialer>, instrument: Instrument, quantity: &str) {
    let symbol = instrument.symbol;
    let before = venue.account().await.unwrap();
    assert_eq!((before.positions.len(), before.open_orders.len()), (0, 0));
    let settle = instrument.settle;
    let wallet = before.balance(settle).unwrap().wallet;
    venue.place(&order(1, symbol, Side::Buy, OrderKind::Market, quantity)).await.unwrap();
    let report = venue.order(symbol, order_id(1)).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.filled), (OrderStatus::Filled, d(quantity)));
    assert_eq!(report.fills.len(), 1);
    let fill = report.fills[0];
    assert_eq!((fill.quantity.get(), fill.liquidity), (d(quantity), Liquidity::Taker));
    let again = venue.place(&order(1, symbol, Side::Buy, OrderKind::Market, quantity)).await.unwrap_err();
    assert_eq!(again.refusal(), Some(RefusalCode::DuplicateClientOrderId));
    let position = venue.positions().await.unwrap().remove(0);
    assert_eq!((position.size.get(), position.entry), (d(quantity), Some(fill.price)));
    assert_eq!((position.leverage, position.margin_mode), (Some(d("5")), Some(MarginMode::Isolated)));
    assert!(position.liquidation < position.entry);
    let paid = venue.account().await.unwrap().balance(settle).unwrap().wallet;
    assert!((wallet - paid - fill.fee.amount).abs() <= d("0.000001"), "{wallet} {paid} {}", fill.fee);
}

/// A stop and a resting order, changed and canceled.
async fn rest_and_amend(venue: &AnyVenue<TokioDialer>, symbol: Symbol, quantity: &str) {
    let stop = OrderKind::StopMarket {
        trigger: "49000".parse().unwrap(),
        direction: TriggerDirection::Falls,
        source: TriggerSource::Last,
    };
    venue.place(&order(2, symbol, Side::Sell, stop, quantity)).await.unwrap();
    venue.place(&order(3, symbol, Side::Buy, limit("40000", TimeInForce::PostOnly), quantity)).await.unwrap();
    let open = venue.open_orders(Some(symbol)).await.unwrap();
    let of = |n| *open.iter().find(|order| order.client_id == Some(order_id(n))).unwrap();
    assert_eq!(open.len(), 2);
    assert_eq!((of(2).kind, of(2).status), (stop, OrderStatus::Untriggered));
    assert_eq!((of(2).effect, of(3).effect), (PositionEffect::ReduceOnly, PositionEffect::Increase));
    assert_eq!(of(3).kind, limit("40000", TimeInForce::PostOnly));
    venue.place(&order(4, symbol, Side::Buy, limit("60000", TimeInForce::PostOnly), quantity)).await.unwrap();
    let crossing = venue.order(symbol, order_id(4)).await.unwrap().unwrap().update;
    assert_eq!(
        (crossing.status, crossing.refusal),
        (OrderStatus::Canceled, Some(RefusalCode::PostOnlyWouldCross))
    );

    let reference = OrderRef::Client(order_id(3));
    let amend = AmendOrder {
        order: reference,
        symbol,
        quantity: None,
        price: Some("41000.5".parse().unwrap()),
        trigger: None,
    };
    venue.amend(&amend).await.unwrap();
    let trigger = AmendOrder {
        order: OrderRef::Venue(of(2).venue_id),
        price: None,
        trigger: Some("49100".parse().unwrap()),
        ..amend
    };
    venue.amend(&trigger).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    assert!(open.iter().any(|order| order.kind == limit("41000.5", TimeInForce::PostOnly)));
    venue.cancel(&CancelOrder { order: reference, symbol }).await.unwrap();
    let late = venue.cancel(&CancelOrder { order: reference, symbol }).await.unwrap_err();
    assert_eq!(late.refusal(), Some(RefusalCode::OrderNotFound), "{late}");
    assert_eq!(venue.amend(&amend).await.unwrap_err().refusal(), Some(RefusalCode::OrderNotFound));
}

/// The stop fills, and everything ends.
async fn leave(bench: &Bench, venue: &AnyVenue<TokioDialer>, instrument: Instrument, quantity: &str) {
    let (symbol, settle) = (instrument.symbol, instrument.settle);
    bench.control("price", &json!({ "symbol": symbol, "price": "49050" }));
    let stopped = venue.order(symbol, order_id(2)).await.unwrap().unwrap();
    assert_eq!(stopped.update.status, OrderStatus::Filled, "{stopped:?}");
    assert!(venue.positions().await.unwrap().is_empty());
    let nothing = venue.place(&order(5, symbol, Side::Sell, OrderKind::Market, quantity)).await;
    if let Ok(placed) = nothing {
        panic!("a reduce-only order without a position was taken as {}", placed.venue_id);
    }
    let fills = venue.fills_since(Some(symbol), Timestamp::from_ms(START)).await.unwrap();
    assert_eq!(fills.iter().map(|fill| fill.side).collect::<Vec<_>>(), [Side::Buy, Side::Sell]);
    venue.place(&order(6, symbol, Side::Buy, limit("40000", TimeInForce::Gtc), quantity)).await.unwrap();
    let all = CancelAll { scope: Scope::Settle(settle), selection: OrderSelection::All };
    venue.cancel_all(&CancelAll { selection: OrderSelection::StopOrders, ..all }).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap().len(), 1);
    venue.cancel_all(&all).await.unwrap();
    assert!(venue.open_orders(None).await.unwrap().is_empty());
    assert_eq!(bench.truth()["fills"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_linear_contract() {
    Box::pin(session(ContractType::Linear, "0.01")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_an_inverse_contract() {
    Box::pin(session(ContractType::Inverse, "500")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_are_the_markets_in_every_length() {
    let bench = Bench::new(RateLimits::Off).await;
    let market = bench.market(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    let at = |minute: i64| Timestamp::from_ms(START + minute * MINUTE);
    let get = async |timeframe, from, until| {
        market.candles(&CandleRange { symbol, timeframe, from: at(from), until: at(until) }).await.unwrap()
    };
    let minutes = get(Timeframe::M1, 10, 20).await;
    assert_eq!(minutes, (10..20).map(row).collect::<Vec<_>>());
    // Made of 1m, 5m and 1h candles.
    for (timeframe, length) in
        [(Timeframe::M3, 3), (Timeframe::M5, 5), (Timeframe::M15, 15), (Timeframe::H2, 120)]
    {
        let candles = get(timeframe, 1, 300).await;
        let first = (length..).step_by(usize::try_from(length).unwrap()).next().unwrap();
        assert_eq!(candles[0].open_time, at(first), "{timeframe:?}");
        let rows: Vec<Candle> = (first..first + length).map(row).collect();
        assert_eq!(candles[0].high, rows.iter().map(|row| row.high).max().unwrap());
        assert_eq!(candles[0].close, rows.last().unwrap().close);
        assert_eq!(candles[0].volume, Decimal::from(10 * length));
        let gaps = candles.windows(2).filter(|two| two[1].open_time != two[0].close_time(timeframe));
        assert_eq!(gaps.count(), 0, "{timeframe:?}");
    }
    let range = SymbolRange { symbol, from: at(0), until: at(800) };
    let funding = market.funding_history(&range).await.unwrap();
    assert_eq!(funding.iter().map(|rate| rate.at).collect::<Vec<_>>(), [at(0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_apart() {
    let bench = Bench::new(RateLimits::Off).await;
    let linear = ContractType::Linear;
    let facts = bench.venue(linear).inspect_key().await.unwrap();
    assert_eq!((facts.read, facts.trade, facts.withdraw), (Known::Yes, Known::Yes, Known::No));
    assert_eq!((facts.ip_bound, facts.ip_addresses), (Known::Yes, vec!["127.0.0.1/32".to_owned()]));
    assert_eq!((facts.transfer, facts.unknown_permissions), (Known::Unknown, vec![]));
    let reader = bench.with_key(linear, "READKEY", "READSECRET");
    let facts = reader.inspect_key().await.unwrap();
    assert_eq!((facts.trade, facts.ip_bound), (Known::No, Known::No));
    let refused = reader.place(&order(1, symbol(linear), Side::Buy, OrderKind::Market, "0.01")).await;
    assert_eq!(refused.unwrap_err().refusal(), Some(RefusalCode::InsufficientPermission));
    let facts = bench.with_key(linear, "WITHDRAWKEY", "WITHDRAWSECRET").inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.unknown_permissions), (Known::Yes, vec!["teleport".to_owned()]));
    let cases = [
        ("TESTKEY", "WRONGSECRET", RefusalCode::BadSignature),
        ("NOKEY", "TESTSECRET", RefusalCode::BadKey),
        ("FOREIGNKEY", "FOREIGNSECRET", RefusalCode::IpNotAllowed),
        ("EXPIREDKEY", "EXPIREDSECRET", RefusalCode::KeyExpired),
    ];
    for (key, secret, expected) in cases {
        let venue = bench.with_key(linear, key, secret);
        assert_eq!(venue.inspect_key().await.unwrap_err().refusal(), Some(expected), "{key}");
        let mut events = venue.account_events();
        let refused = within("refusal", events.next_event()).await.unwrap();
        let AccountEvent::Refused(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.refusal(), Some(expected), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcomes_are_found_out() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    venue.instruments().await.unwrap();
    venue.server_time().await.unwrap();
    let place = async |n| venue.place(&order(n, symbol, Side::Buy, OrderKind::Market, "0.01")).await;
    let script = |fate: &str| {
        bench.control("script", &json!({ "path": "/api/v1/order", "fate": fate, "status": 502 }));
    };
    script("lost_answer");
    assert!(matches!(place(1).await, Err(VenueError::Unknown { .. })));
    let Resolution::Found(report) = venue.resolve(symbol, order_id(1)).await.unwrap() else {
        panic!("it was there")
    };
    assert_eq!((report.update.status, report.fills.len()), (OrderStatus::Filled, 1));
    script("lost_request");
    assert!(matches!(place(2).await, Err(VenueError::Unknown { .. })));
    assert_eq!(venue.resolve(symbol, order_id(2)).await.unwrap(), Resolution::NeverArrived);
    script("status");
    assert!(matches!(place(3).await, Err(VenueError::Unknown { .. })));
    assert_eq!(venue.resolve(symbol, order_id(3)).await.unwrap(), Resolution::NeverArrived);
    // An overload is no unknown outcome: BitMEX did not process it.
    bench.control("script", &json!({ "path": "/api/v1/order", "fate": "status", "status": 503 }));
    assert_eq!(place(4).await.unwrap_err().refusal(), Some(RefusalCode::Overloaded));
    // A look that fails says nothing.
    bench.control("script", &json!({ "path": "/api/v1/order", "fate": "lost_answer", "times": 3 }));
    assert!(matches!(venue.resolve(symbol, order_id(4)).await, Err(VenueError::Unknown { .. })));
    assert_eq!(bench.truth()["fills"].as_array().unwrap().len(), 1);
    // A clock that is wrong is read again.
    bench.control("clock", &json!({ "skew_ms": 3_600_000 }));
    assert_eq!(venue.account().await.unwrap().balances.len(), 2);
    assert!((venue.server_time().await.unwrap().ms() - NOON - 3_600_000).abs() <= 500);
}

/// Waits for news that a test takes; what came before is left out.
async fn until<T>(
    what: &str,
    events: &mut EventStream<AccountEvent>,
    mut take: impl FnMut(&AccountEvent) -> Option<T>,
) -> T {
    within(what, async {
        loop {
            let event = events.next_event().await.unwrap();
            assert!(!matches!(event, AccountEvent::Undecodable(_) | AccountEvent::Refused(_)), "{event:?}");
            if let Some(found) = take(&event) {
                return found;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_the_account() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    let mut events = venue.account_events();
    let resynced = |event: &AccountEvent| matches!(event, AccountEvent::Resynced { .. }).then_some(());
    until("login", &mut events, resynced).await;
    // At most a little fills at once, so the order fills in parts.
    bench.control("fills", &json!({ "depth": "0.004" }));
    venue.place(&order(1, symbol, Side::Buy, limit("50000", TimeInForce::Gtc), "0.01")).await.unwrap();
    bench.control("price", &json!({ "symbol": symbol, "price": "49990" }));
    let partly = until("a partial fill", &mut events, |event| match event {
        AccountEvent::OrderUpdate(update) if update.status == OrderStatus::PartiallyFilled => Some(*update),
        _ => None,
    })
    .await;
    assert_eq!((partly.client_id, partly.symbol), (order_id(1), symbol));
    assert!(partly.filled > Decimal::ZERO && partly.filled < d("0.01"));
    for price in ["49980", "49970", "49960", "49950"] {
        bench.control("price", &json!({ "symbol": symbol, "price": price }));
    }
    // The whole order is told although updates carry only what changed.
    let whole = until("the whole fill", &mut events, |event| match event {
        AccountEvent::OrderUpdate(update) if update.status == OrderStatus::Filled => Some(*update),
        _ => None,
    })
    .await;
    assert_eq!(whole.filled, d("0.01"));
    bench.control("fills", &json!({ "depth": null }));
    // The connection is cut: the program is told to ask, and news go on.
    bench.control("cut", &json!({}));
    until("the reconnection", &mut events, resynced).await;
    venue.place(&order(2, symbol, Side::Sell, OrderKind::Market, "0.01")).await.unwrap();
    let fill = until("a fill", &mut events, |event| match event {
        AccountEvent::Fill(fill) => Some(*fill),
        _ => None,
    })
    .await;
    assert_eq!((fill.client_id, fill.quantity.get()), (Some(order_id(2)), d("0.01")));
    let flat = until("the flat position", &mut events, |event| match event {
        AccountEvent::Position(position) if position.size.is_flat() => Some(*position),
        _ => None,
    })
    .await;
    assert_eq!(flat.symbol, symbol);
    until("a balance", &mut events, |event| match event {
        AccountEvent::Balance(balance) => (balance.asset.as_str() == "USDT").then_some(()),
        _ => None,
    })
    .await;
    // A silent line is noticed and made anew.
    let fills = venue.fills_since(None, Timestamp::from_ms(START)).await.unwrap();
    let held: Decimal =
        fills.iter().filter(|fill| fill.side == Side::Buy).map(|fill| fill.quantity.get()).sum();
    assert_eq!(held, d("0.01"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_the_market_come_whole_and_in_order() {
    let bench = Bench::new(RateLimits::Off).await;
    let market = bench.market(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    let after = |minute: i64| Some(Timestamp::from_ms(START + minute * MINUTE));
    let past = PAST;
    // Candles by the market's own clock: the adapter's clock stands where the market is.
    bench.wall.store(START + past * MINUTE + 1, Ordering::SeqCst);
    let series = vec![
        Series { symbol, timeframe: Timeframe::M1, after: after(past - 3) },
        Series { symbol, timeframe: Timeframe::M3, after: after(past - 6) },
    ];
    let subscription =
        MarketSubscription { series, books: BTreeSet::from([symbol]), trades: BTreeSet::from([symbol]) };
    let mut events = market.market_events(subscription);
    let (mut minutes, mut threes, mut books, mut traded, mut tickers) = (vec![], vec![], 0, 0, 0);
    let mut steps = 0;
    let mut resynced = 0;
    while minutes.len() < 14 || threes.len() < 5 {
        let event = within("news", events.next_event()).await.unwrap();
        match event {
            MarketEvent::CandleClosed { timeframe: Timeframe::M1, candle, origin, .. } => {
                minutes.push((candle, origin));
                if steps < 12 {
                    steps += 1;
                    step(&bench);
                }
                // In the middle the connection breaks, and candles close meanwhile.
                if steps == 6 {
                    bench.control("cut", &json!({}));
                    steps += 1;
                    step(&bench);
                }
            }
            MarketEvent::CandleClosed { candle, .. } => threes.push(candle),
            MarketEvent::Resynced { .. } => {
                resynced += 1;
                if resynced == 1 {
                    steps += 1;
                    step(&bench);
                }
            }
            MarketEvent::Ticker(_) => tickers += 1,
            MarketEvent::Book { book, .. } => {
                assert!(book.bids[0].0 < book.asks[0].0);
                books += 1;
            }
            MarketEvent::Traded { .. } => traded += 1,
            MarketEvent::Disconnected { .. } | MarketEvent::CandleForming { .. } => {}
            MarketEvent::Gap { .. } | MarketEvent::Refused(_) | MarketEvent::Undecodable(_) => {
                panic!("{event:?}")
            }
        }
    }
    let wanted: Vec<Candle> = (past - 2..).take(minutes.len()).map(row).collect();
    let heard: Vec<Candle> = minutes.iter().map(|(candle, _)| *candle).collect();
    assert_eq!(heard, wanted);
    let streamed = minutes.iter().filter(|(_, origin)| *origin == CandleOrigin::Stream).count();
    assert!(streamed >= 5, "{streamed} of the stream");
    for (number, candle) in threes.iter().enumerate() {
        let first = past - 3 + 3 * i64::try_from(number).unwrap();
        assert_eq!(candle.open_time, Timestamp::from_ms(START + first * MINUTE));
        assert_eq!((candle.close, candle.volume), (row(first + 2).close, Decimal::from(30)));
    }
    assert!(books > 0 && traded > 0 && tickers > 0, "{books} books, {traded} sums, {tickers} prices");
    assert!(resynced >= 2);
}

/// A candle closes, and the clock goes on with it.
fn step(bench: &Bench) {
    bench.wall.fetch_add(MINUTE, Ordering::SeqCst);
    bench.twin.step();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_mans_switch_cancels() {
    let bench = Bench::new(RateLimits::Off).await;
    let venue = bench.venue(ContractType::Inverse);
    let symbol = symbol(ContractType::Inverse);
    let rests = limit("40000", TimeInForce::Gtc);
    venue.place(&order(1, symbol, Side::Buy, rests, "100")).await.unwrap();
    let arm = async |seconds: Option<u64>| {
        venue.dead_mans_switch(symbol, seconds.map(Duration::from_secs)).await.unwrap();
    };
    let count = async || venue.open_orders(None).await.unwrap().len();
    arm(Some(15)).await;
    bench.wall.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(count().await, 1);
    arm(Some(15)).await;
    bench.wall.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(count().await, 1, "it was set anew");
    bench.wall.fetch_add(5_000, Ordering::SeqCst);
    assert_eq!(count().await, 0);
    venue.place(&order(2, symbol, Side::Buy, rests, "100")).await.unwrap();
    arm(Some(15)).await;
    arm(None).await;
    bench.wall.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(count().await, 1, "it was switched off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_stays_below_the_limits_and_exits_go_first() {
    let bench = Bench::new(RateLimits::Enforced).await;
    let venue = bench.venue(ContractType::Linear);
    let symbol = symbol(ContractType::Linear);
    venue.instruments().await.unwrap();
    venue.server_time().await.unwrap();
    let (mut placed, mut held_back) = (0, 0);
    let far = limit("40000", TimeInForce::Gtc);
    for n in 1..=9 {
        match venue.place(&order(n, symbol, Side::Buy, far, "0.001")).await {
            Ok(_) => placed += 1,
            Err(VenueError::NotSent { .. }) => held_back += 1,
            Err(error) => panic!("{error}"),
        }
        // The wall clock that the twin counts by goes on as time does.
        bench.wall.fetch_add(150, Ordering::SeqCst);
    }
    assert!(placed >= 6, "{placed} placed, {held_back} held back");
    for n in 1..=3 {
        venue.cancel(&CancelOrder { order: OrderRef::Client(order_id(n)), symbol }).await.unwrap();
    }
}
