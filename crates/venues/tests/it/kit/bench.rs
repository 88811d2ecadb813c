//! A twin, an adapter and a market between them, in one program and on one virtual clock.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Environment, Exchange, NewOrder, OrderKind, OrderPurpose, PositionEffect,
    Side, Symbol, TimeInForce, Timeframe, Timestamp, TriggerDirection, TriggerSource,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig as TwinConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, Part, parse_instrument_at};
use keyhold_simulator::exchange::ExchangeConfig;
use keyhold_venues::{
    AnyMarket, AnyVenue, Endpoints, Intent, Settings, SignedRequest, Signer, SignerRefusal, VenueConfig,
    sign_with,
};
use serde_json::{Value, json};

use super::rows::Row;
use super::wire::{VirtualClock, Wire};
use crate::support::{TestKey, order_id};

/// Every secret is base64, because one venue wants it so.
const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { DOLLARS = "10000", BTC = "1" }
    [[account.key]]
    key = "TESTKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    read_only = true
    [[account.key]]
    key = "WITHDRAWKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"] }
    [[account.key]]
    key = "FOREIGNKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "EXPIREDKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    expires_at_ms = 1
    [[account.key]]
    key = "ODDKEY"
    secret = "VEVTVFNFQ1JFVA=="
    passphrase = "PASS"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"], BitMEX = ["teleport"] }
"#;

pub(crate) const KEY: &str = "TESTKEY";
pub(crate) const SECRET: &str = "VEVTVFNFQ1JFVA==";
/// A secret of the right form that is not the key's.
pub(crate) const WRONG_SECRET: &str = "V1JPTkc=";

const START: i64 = 1_704_067_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
/// Candles that are past when a test begins.
pub(crate) const PAST: i64 = 400;

/// Opening time of a candle of the market.
pub(crate) const fn minute(n: i64) -> Timestamp {
    Timestamp::from_ms(START + n * MINUTE_MS)
}

/// Traded in each candle: whole contracts at every venue.
pub(crate) const VOLUME: i64 = 1_000;

/// A market around 50,000 that rises and falls by some hundreds, and opens where it closed.
pub(crate) fn candle(n: i64) -> Candle {
    let price = |value: i64| Decimal::from(value).to_string().parse().unwrap();
    let (open, close) = (50_000 + n % 7 * 100, 50_000 + (n + 1) % 7 * 100);
    Candle {
        open_time: minute(n),
        open: price(open),
        high: price(open.max(close) + 10),
        low: price(open.min(close) - 10),
        close: price(close),
        volume: Decimal::from(VOLUME),
    }
}

struct KitSigner {
    exchange: Exchange,
    product: ContractType,
    key: TestKey,
}

impl Signer for KitSigner {
    fn api_key_hint(&self) -> &str {
        &self.key.name[..2]
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(self.exchange, self.product, intent, at, &self.key)
    }
}

/// Rests as many orders as a test likes.
fn roomy() -> ExchangeConfig {
    let mut config = ExchangeConfig::default();
    config.limits.active = 10_000;
    config
}

/// A twin with its market, and adapters that reach it.
pub(crate) struct Bench {
    pub(crate) row: &'static Row,
    pub(crate) symbol: Symbol,
    pub(crate) twin: Arc<FakeVenue>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) clock: VirtualClock,
}

impl Bench {
    /// Without rate limits.
    pub(crate) fn new(row: &'static Row) -> Self {
        Self::limited(row, RateLimits::Off)
    }

    pub(crate) fn limited(row: &'static Row, rate_limits: RateLimits) -> Self {
        let clock = VirtualClock::starting(minute(PAST));
        let config = TwinConfig {
            venue: row.exchange,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![MarketConfig {
                instrument: parse_instrument_at(row.exchange, row.listing).unwrap(),
                source: CandleSource::Recorded((0..PAST + 400).map(candle).collect()),
            }],
            accounts: parse_accounts(&ACCOUNTS.replace("DOLLARS", row.dollars)).unwrap(),
            seed: 7,
            pace: Pace::Lockstep,
            base: Timeframe::M1,
            history: usize::try_from(PAST).unwrap(),
            start: Some(minute(0)),
            exchange: roomy(),
            rate_limits,
            clock: Arc::new(move || clock.now()),
        };
        let twin = Arc::new(FakeVenue::embedded(config).unwrap());
        let wire = Wire::to(&twin);
        Self { row, symbol: row.symbol(), twin, wire, clock }
    }

    /// The adapter with addresses of an environment; the bytes go to the twin all the same.
    pub(crate) fn market_in(&self, environment: Environment) -> Option<AnyMarket<Wire>> {
        let settings = Settings { candle_settling: Duration::ZERO, ..Settings::default() };
        self.market_over(environment, settings, Arc::clone(&self.wire))
    }

    fn market_over(
        &self,
        environment: Environment,
        settings: Settings,
        dialer: Arc<Wire>,
    ) -> Option<AnyMarket<Wire>> {
        let (exchange, product) = (self.row.exchange, self.row.product);
        let endpoints = match environment {
            Environment::Simulated => Endpoints::simulated(exchange, product, "http://127.0.0.1:7001"),
            Environment::Testnet | Environment::Live => Endpoints::standard(exchange, environment, product),
        };
        let config = VenueConfig { contract_type: product, endpoints: endpoints.ok()?, settings };
        Some(AnyMarket::new(config, dialer, Arc::new(self.clock)).unwrap())
    }

    /// An adapter that reaches the twin in another way, asks once and waits for its turn as long as it takes.
    pub(crate) fn venue_over(&self, dialer: Arc<Wire>, name: &str, secret: &str) -> AnyVenue<Wire> {
        let settings = Settings {
            candle_settling: Duration::ZERO,
            read_attempts: 1,
            limit_patience: Duration::from_mins(30),
            ..Settings::default()
        };
        let market = self.market_over(Environment::Simulated, settings, dialer).unwrap();
        self.with_key(market, name, secret)
    }

    pub(crate) fn market(&self) -> AnyMarket<Wire> {
        self.market_in(Environment::Simulated).unwrap()
    }

    pub(crate) fn with_key(&self, market: AnyMarket<Wire>, name: &str, secret: &str) -> AnyVenue<Wire> {
        let mut key = TestKey::new(name, secret);
        key.passphrase = Some("PASS".to_owned());
        let (exchange, product) = (self.row.exchange, self.row.product);
        market.with_key(Arc::new(KitSigner { exchange, product, key }))
    }

    pub(crate) fn venue_as(&self, name: &str, secret: &str) -> AnyVenue<Wire> {
        self.with_key(self.market(), name, secret)
    }

    pub(crate) fn venue(&self) -> AnyVenue<Wire> {
        self.venue_as(KEY, SECRET)
    }

    pub(crate) fn control(&self, name: &str, body: &Value) -> Value {
        self.twin.control(name, body).unwrap()
    }

    pub(crate) fn truth(&self) -> Value {
        self.control("truth", &json!({ "account": 1 }))
    }

    pub(crate) fn move_price(&self, price: &str) {
        self.control("price", &json!({ "symbol": self.symbol, "price": price }));
    }

    /// The rest of a minute passes, and the market plays it as time does: what happens inside the candle before its
    /// close, and the close before the next one opens.
    pub(crate) async fn step(&self) {
        self.step_with(Duration::ZERO, |_| ()).await;
    }

    /// The same, and something happens so long before the close.
    pub(crate) async fn step_with(&self, ahead: Duration, happens: impl FnOnce(&Self)) {
        let since = self.clock.now().since_ms(minute(0)).rem_euclid(MINUTE_MS);
        let rest = Duration::from_millis(u64::try_from(MINUTE_MS - since).unwrap());
        tokio::time::sleep(rest / 2).await;
        self.twin.play(Part::Path);
        tokio::time::sleep(rest.saturating_sub(rest / 2 + ahead)).await;
        happens(self);
        tokio::time::sleep(ahead).await;
        self.twin.play(Part::Close);
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.twin.play(Part::Open);
    }

    /// An order that may grow the position.
    pub(crate) fn entry(&self, number: u32, side: Side, kind: OrderKind, quantity: &str) -> NewOrder {
        NewOrder {
            client_id: order_id(number),
            symbol: self.symbol,
            side,
            kind,
            quantity: quantity.parse().unwrap(),
            effect: PositionEffect::Increase,
            purpose: OrderPurpose::Entry,
        }
    }

    /// An order that may only shrink it, named by its purpose.
    pub(crate) fn exit(
        &self,
        number: u32,
        purpose: OrderPurpose,
        kind: OrderKind,
        quantity: &str,
    ) -> NewOrder {
        let bot = keyhold_domain::BotId::from_u128(7 << 90);
        NewOrder {
            client_id: keyhold_domain::ClientOrderId::new(bot, 1, 1, number, purpose).unwrap(),
            effect: PositionEffect::ReduceOnly,
            purpose,
            ..self.entry(number, Side::Sell, kind, quantity)
        }
    }
}

pub(crate) fn limit(price: &str, time_in_force: TimeInForce) -> OrderKind {
    OrderKind::Limit { price: price.parse().unwrap(), time_in_force }
}

pub(crate) fn stop(trigger: &str) -> OrderKind {
    let direction = TriggerDirection::Falls;
    OrderKind::StopMarket { trigger: trigger.parse().unwrap(), direction, source: TriggerSource::Last }
}
