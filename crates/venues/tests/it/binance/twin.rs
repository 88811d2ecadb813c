//! The adapter against its simulated twin, over real HTTP and WebSocket on the loopback device: what is common to the
//! tests of the twin.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, NewOrder, OrderKind, OrderPurpose, OrderStatus, PositionEffect,
    RefusalCode, Side, Symbol, TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig as TwinConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, parse_instrument_at};
use keyhold_simulator::exchange::ExchangeConfig;
use keyhold_venues::port::{MarketSubscription, Series};
use keyhold_venues::signer::{SignedRequest, SignerRefusal};
use keyhold_venues::{
    AccountEvent, AnyMarket, AnyVenue, Clock, Endpoints, EventStream, Intent, Settings, Signer, TokioDialer,
    TradingVenue, VenueConfig, VenueError, sign_with,
};
use serde_json::{Value, json};

pub(crate) use crate::kit::heard::until;
use crate::support::TestKey;

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
    key = "RICHKEY"
    secret = "RICHSECRET"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw", "AccountTransfer"] }
    [[account.key]]
    key = "FARKEY"
    secret = "FARSECRET"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "ENDINGKEY"
    secret = "ENDINGSECRET"
    expires_at_ms = 1800000000000
"#;

/// The first minute of the market. Candles before [`PAST`] have closed when a test begins.
pub(crate) const START: i64 = 1_704_067_200_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const PAST: i64 = 180;
/// The wall clock of both sides at the beginning: inside the candle that forms.
pub(crate) const NOON: i64 = START + PAST * MINUTE + 123;
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

struct TwinSigner(TestKey, ContractType);

impl Signer for TwinSigner {
    fn api_key_hint(&self) -> &str {
        &self.0.name[..2]
    }
    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Binance, self.1, intent, at, &self.0)
    }
}

struct SharedClock(Arc<AtomicI64>);

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Bench {
    pub(crate) twin: FakeVenue,
    /// Moves both sides' clocks.
    pub(crate) wall: Arc<AtomicI64>,
}

/// A market around 50,000 that rises and falls by some hundreds.
pub(crate) fn row(minute: i64) -> Candle {
    let price = |value: i64| value.to_string().parse().unwrap();
    let (open, close) = (50_000 + minute % 7 * 100, 50_000 + (minute + 1) % 7 * 100);
    Candle {
        open_time: Timestamp::from_ms(START + minute * MINUTE),
        open: price(open),
        high: price(open.max(close) + 10),
        low: price(open.min(close) - 10),
        close: price(close),
        // Contracts of 100 dollars are whole.
        volume: Decimal::from(1_000),
    }
}

/// The opening time of a minute.
pub(crate) fn minute(n: i64) -> Timestamp {
    Timestamp::from_ms(START + n * MINUTE)
}

pub(crate) fn symbol(product: ContractType) -> Symbol {
    match product {
        ContractType::Linear => "BTCUSDT".parse().unwrap(),
        ContractType::Inverse => "BTCUSD_PERP".parse().unwrap(),
    }
}

/// The asset in which a product pays.
pub(crate) const fn coin(product: ContractType) -> &'static str {
    match product {
        ContractType::Linear => "USDT",
        ContractType::Inverse => "BTC",
    }
}

impl Bench {
    pub(crate) async fn new(rate_limits: RateLimits) -> Self {
        let wall = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&wall);
        let source = CandleSource::Recorded((0..400).map(row).collect());
        let market = |name: &str| MarketConfig {
            instrument: parse_instrument_at(Exchange::Binance, name).unwrap(),
            source: source.clone(),
        };
        let config = TwinConfig {
            venue: Exchange::Binance,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![market("BTCUSDT=linear"), market("BTCUSD_PERP=inverse")],
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

    pub(crate) fn settings() -> Settings {
        let mut settings = Settings {
            resolve_waits: [0, 50, 100].map(Duration::from_millis).to_vec(),
            backoff: (Duration::from_millis(10), Duration::from_millis(50)),
            ping_interval: Duration::from_millis(200),
            candle_settling: Duration::ZERO,
            read_attempts: 1,
            ..Settings::default()
        };
        settings.http.answer = DEADLINE;
        settings
    }

    pub(crate) fn market_with(&self, product: ContractType, settings: Settings) -> AnyMarket<TokioDialer> {
        let endpoints = Endpoints::simulated(Exchange::Binance, product, &self.twin.rest_url()).unwrap();
        let clock = Arc::new(SharedClock(Arc::clone(&self.wall)));
        let config = VenueConfig { contract_type: product, endpoints, settings };
        AnyMarket::new(config, Arc::new(TokioDialer::default()), clock).unwrap()
    }

    pub(crate) fn market(&self, product: ContractType) -> AnyMarket<TokioDialer> {
        self.market_with(product, Self::settings())
    }

    pub(crate) fn venue_as(&self, product: ContractType, key: &str, secret: &str) -> AnyVenue<TokioDialer> {
        self.market(product).with_key(Arc::new(TwinSigner(TestKey::new(key, secret), product)))
    }

    pub(crate) fn venue_with(&self, product: ContractType, settings: Settings) -> AnyVenue<TokioDialer> {
        let key = TestKey::new("TESTKEY", "TESTSECRET");
        self.market_with(product, settings).with_key(Arc::new(TwinSigner(key, product)))
    }

    pub(crate) fn venue(&self, product: ContractType) -> AnyVenue<TokioDialer> {
        self.venue_as(product, "TESTKEY", "TESTSECRET")
    }

    pub(crate) fn control(&self, name: &str, body: &Value) -> Value {
        self.twin.control(name, body).unwrap()
    }

    pub(crate) fn script(&self, path: &str, fate: &str) {
        self.control("script", &json!({ "path": path, "fate": fate }));
    }

    pub(crate) fn status(&self, path: &str, status: u16, times: u32) {
        self.control("script", &json!({ "path": path, "fate": "status", "status": status, "times": times }));
    }

    pub(crate) fn move_price(&self, product: ContractType, price: &str) {
        self.control("price", &json!({ "symbol": symbol(product), "price": price }));
    }

    pub(crate) fn fills(&self) -> usize {
        self.control("truth", &json!({ "account": 1 }))["fills"].as_array().unwrap().len()
    }

    /// Ends the candle that forms; the clocks go on with the market.
    pub(crate) fn step(&self) {
        self.twin.step();
        self.wait(Duration::from_mins(1));
    }

    /// Both clocks go on.
    pub(crate) fn wait(&self, time: Duration) {
        self.wall.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// One of our names; the purpose says in which book the order is.
pub(crate) fn name(sequence: u32, purpose: OrderPurpose) -> keyhold_domain::ClientOrderId {
    let bot = keyhold_domain::BotId::from_u128(7 << 90);
    keyhold_domain::ClientOrderId::new(bot, 1, 1, sequence, purpose).unwrap()
}

fn order(
    product: ContractType,
    (sequence, purpose): (u32, OrderPurpose),
    side: Side,
    kind: OrderKind,
) -> NewOrder {
    NewOrder {
        client_id: name(sequence, purpose),
        symbol: symbol(product),
        side,
        kind,
        quantity: size(product).parse().unwrap(),
        effect: match purpose {
            OrderPurpose::Entry => PositionEffect::Increase,
            OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => {
                PositionEffect::ReduceOnly
            }
        },
        purpose,
    }
}

/// What orders are for: a tenth of a coin or ten contracts.
pub(crate) const fn size(product: ContractType) -> &'static str {
    match product {
        ContractType::Linear => "0.1",
        ContractType::Inverse => "1000",
    }
}

pub(crate) fn entry(product: ContractType, sequence: u32, kind: OrderKind) -> NewOrder {
    order(product, (sequence, OrderPurpose::Entry), Side::Buy, kind)
}

pub(crate) fn exit(product: ContractType, sequence: u32, kind: OrderKind) -> NewOrder {
    order(product, (sequence, OrderPurpose::Exit), Side::Sell, kind)
}

pub(crate) fn stop(product: ContractType, sequence: u32, trigger: &str) -> NewOrder {
    let kind = OrderKind::StopMarket {
        trigger: trigger.parse().unwrap(),
        direction: TriggerDirection::Falls,
        source: TriggerSource::Last,
    };
    order(product, (sequence, OrderPurpose::ProtectiveStop), Side::Sell, kind)
}

pub(crate) fn limit(price: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price.parse().unwrap(), time_in_force }
}

/// The account's stream, once it is heard.
pub(crate) async fn heard(venue: &AnyVenue<TokioDialer>) -> EventStream<AccountEvent> {
    let mut events = venue.account_events();
    resynced(&mut events).await;
    events
}

pub(crate) async fn resynced(events: &mut EventStream<AccountEvent>) {
    until(events, "a session", |event| matches!(event, AccountEvent::Resynced { .. }).then_some(())).await;
}

/// The state of an order as the stream tells it; what has been filled by then.
pub(crate) async fn until_state(
    events: &mut EventStream<AccountEvent>,
    order: &NewOrder,
    state: OrderStatus,
) -> Decimal {
    until(events, &format!("{state} of {}", order.client_id), |event| match event {
        AccountEvent::OrderUpdate(update) => {
            (update.client_id == order.client_id && update.status == state).then_some(update.filled)
        }
        AccountEvent::Undecodable(error) => panic!("{error}"),
        _ => None,
    })
    .await
}

pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, VenueError>) -> RefusalCode {
    let error = result.unwrap_err();
    error.refusal().unwrap_or_else(|| panic!("{error}"))
}

/// Minutes and three-minute candles with book and trades.
pub(crate) fn everything(product: ContractType, after: Option<Timestamp>) -> MarketSubscription {
    let symbol = symbol(product);
    let series = |timeframe, after| Series { symbol, timeframe, after };
    MarketSubscription {
        series: vec![series(Timeframe::M1, after), series(Timeframe::M3, None)],
        books: BTreeSet::from([symbol]),
        trades: BTreeSet::from([symbol]),
    }
}
