//! The adapter trades at the fake OKX, over real HTTP and WebSocket on the loopback device.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Known, NewOrder, OrderKind, OrderPurpose, OrderStatus,
    PositionEffect, RefusalCode, Side, Symbol, TimeInForce, Timeframe, Timestamp, TriggerDirection,
    TriggerSource,
};
use keyhold_fake_venues::config::{
    CandleSource, MarketConfig, Pace, RateLimits, VenueConfig as FakeConfig, parse_accounts,
};
use keyhold_fake_venues::{FakeVenue, parse_instrument_at};
use keyhold_simulator::exchange::ExchangeConfig;
use keyhold_venues::port::{
    CandleRange, MarketSubscription, PositionMode, Resolution, Series, SymbolRange, VenueStatus,
};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{
    AccountEvent, AnyMarket, AnyVenue, Endpoints, Intent, MarketData, MarketEvent, Settings, SignedRequest,
    Signer, SignerRefusal, TokioDialer, TradingVenue, VenueConfig, VenueError, sign_with,
};
use serde_json::{Value, json};

use super::key;
use crate::support::{StandingClock, TestKey};

const NOON: i64 = 1_730_000_000_123;
const START: i64 = 1_704_067_200_000;
const DEADLINE: Duration = Duration::from_mins(1);

const ACCOUNTS: &str = r#"
    [[account]]
    id = 1
    balances = { USDT = "10000", BTC = "1" }
    [[account.key]]
    key = "KEY"
    secret = "SECRET"
    passphrase = "PASS"
    ips = ["127.0.0.1"]
    [[account.key]]
    key = "READ"
    secret = "SECRET"
    passphrase = "PASS"
    read_only = true
    [[account.key]]
    key = "FAR"
    secret = "SECRET"
    passphrase = "PASS"
    ips = ["203.0.113.7"]
    [[account.key]]
    key = "RICH"
    secret = "SECRET"
    passphrase = "PASS"
    permissions = { ContractTrade = ["Order", "Position"], Wallet = ["Withdraw"] }
"#;

/// One candle a minute around 50,000 that opens where the one before it closed.
fn candles() -> Vec<Candle> {
    let price = |value: i64| Decimal::from(value).to_string().parse().unwrap();
    let candle = |minute: i64| Candle {
        open_time: Timestamp::from_ms(START + minute * 60_000),
        open: price(50_000),
        high: price(50_010),
        low: price(49_990),
        close: price(50_000),
        volume: Decimal::TEN,
    };
    (0..800).map(candle).collect()
}

struct KeySigner(TestKey);

impl Signer for KeySigner {
    fn api_key_hint(&self) -> &'static str {
        "KE"
    }

    fn sign(&self, intent: &Intent, at: Timestamp) -> Result<SignedRequest, SignerRefusal> {
        sign_with(Exchange::Okx, ContractType::Linear, intent, at, &self.0)
    }
}

struct Twin {
    fake: FakeVenue,
    product: ContractType,
    symbol: Symbol,
}

impl Twin {
    async fn of(product: ContractType) -> Self {
        let (name, symbol) = match product {
            ContractType::Linear => ("BTC-USDT-SWAP=linear", "BTC-USDT-SWAP"),
            ContractType::Inverse => ("BTC-USD-SWAP=inverse", "BTC-USD-SWAP"),
        };
        let config = FakeConfig {
            venue: Exchange::Okx,
            listen: "127.0.0.1:0".parse().unwrap(),
            control: None,
            markets: vec![MarketConfig {
                instrument: parse_instrument_at(Exchange::Okx, name).unwrap(),
                source: CandleSource::Recorded(candles()),
            }],
            accounts: parse_accounts(ACCOUNTS).unwrap(),
            seed: 7,
            pace: Pace::Lockstep,
            base: Timeframe::M1,
            history: 400,
            start: Some(Timestamp::from_ms(START)),
            exchange: ExchangeConfig::default(),
            rate_limits: RateLimits::Off,
            clock: Arc::new(|| Timestamp::from_ms(NOON)),
        };
        Self { fake: FakeVenue::start(config).await.unwrap(), product, symbol: symbol.parse().unwrap() }
    }

    fn market(&self) -> AnyMarket<TokioDialer> {
        let (rest, ws) = (self.fake.rest_url(), self.fake.ws_url());
        let endpoints = Endpoints::simulated_at(Exchange::Okx, self.product, &rest, &ws).unwrap();
        let mut settings = Settings {
            backoff: (Duration::from_millis(10), Duration::from_millis(50)),
            resolve_waits: vec![Duration::ZERO, Duration::from_millis(20)],
            candle_settling: Duration::ZERO,
            ..Settings::default()
        };
        settings.http.answer = DEADLINE;
        let config = VenueConfig { contract_type: self.product, endpoints, settings };
        AnyMarket::new(config, Arc::new(TokioDialer::default()), Arc::new(StandingClock(NOON))).unwrap()
    }

    fn venue(&self) -> AnyVenue<TokioDialer> {
        self.venue_of("KEY", "SECRET", "PASS")
    }

    fn venue_of(&self, name: &str, secret: &str, passphrase: &str) -> AnyVenue<TokioDialer> {
        self.market().with_key(Arc::new(KeySigner(key(name, secret, passphrase))))
    }

    fn control(&self, name: &str, body: &Value) {
        self.fake.control(name, body).unwrap();
    }

    fn price(&self, price: &str) {
        self.control("price", &json!({ "symbol": self.symbol, "price": price }));
    }

    /// An order; a tenth of a coin or 1,000 dollars. The number makes its name.
    fn order(&self, number: u32, purpose: OrderPurpose, side: Side, kind: OrderKind) -> NewOrder {
        let bot = keyhold_domain::BotId::from_u128(7 << 90);
        NewOrder {
            client_id: keyhold_domain::ClientOrderId::new(bot, 1, 1, number, purpose).unwrap(),
            symbol: self.symbol,
            side,
            kind,
            quantity: match self.product {
                ContractType::Linear => "0.1".parse().unwrap(),
                ContractType::Inverse => "1000".parse().unwrap(),
            },
            effect: match purpose {
                OrderPurpose::Entry => PositionEffect::Increase,
                OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => {
                    PositionEffect::ReduceOnly
                }
            },
            purpose,
        }
    }
}

fn stop_at(price: &str) -> OrderKind {
    OrderKind::StopMarket {
        trigger: price.parse().unwrap(),
        direction: TriggerDirection::Falls,
        source: TriggerSource::Last,
    }
}

fn limit_at(price: &str) -> OrderKind {
    OrderKind::Limit { price: price.parse().unwrap(), time_in_force: TimeInForce::Gtc }
}

/// A whole life: entry, stop, amended and canceled limit, stop fired, everything read back.
async fn trade(product: ContractType) {
    let twin = Twin::of(product).await;
    let venue = twin.venue();
    let symbol = twin.symbol;
    venue.use_one_way_mode(symbol).await.unwrap();
    assert_eq!(venue.position_mode(symbol).await, Ok(PositionMode::OneWay));
    venue.set_leverage(&SetLeverage { symbol, leverage: Decimal::from(5) }).await.unwrap();
    let listed = venue.instruments().await.unwrap();
    assert_eq!((listed.listed.len(), listed.refused.len()), (1, 0));

    let entry = twin.order(1, OrderPurpose::Entry, Side::Buy, OrderKind::Market);
    let placed = venue.place(&entry).await.unwrap();
    let report = venue.order(symbol, entry.client_id).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.venue_id), (OrderStatus::Filled, Some(placed.venue_id)));
    assert_eq!(report.update.filled, entry.quantity.get(), "contracts became our unit again");
    assert_eq!(report.fills[0].quantity, entry.quantity);
    assert!(report.fills[0].fee.amount > Decimal::ZERO);
    let again = venue.place(&entry).await.unwrap_err();
    assert_eq!(again.refusal(), Some(RefusalCode::DuplicateClientOrderId));

    let position = venue.positions().await.unwrap()[0];
    assert_eq!(position.size.get(), entry.quantity.get());
    assert_eq!(position.leverage, Some(Decimal::from(5)));

    let stop = twin.order(2, OrderPurpose::ProtectiveStop, Side::Sell, stop_at("49000"));
    let placed_stop = venue.place(&stop).await.unwrap();
    let target = twin.order(3, OrderPurpose::TakeProfit, Side::Sell, limit_at("51000"));
    venue.place(&target).await.unwrap();
    let open = venue.open_orders(Some(symbol)).await.unwrap();
    assert_eq!(open.len(), 2, "{open:?}");
    let found = open.iter().find(|order| order.client_id == Some(stop.client_id)).unwrap();
    assert_eq!(
        (found.kind, found.status, found.quantity),
        (stop.kind, OrderStatus::Untriggered, stop.quantity)
    );
    assert_eq!(found.venue_id, placed_stop.venue_id);

    let amend = AmendOrder {
        order: OrderRef::Client(target.client_id),
        symbol,
        quantity: None,
        price: Some("52000".parse().unwrap()),
        trigger: None,
    };
    venue.amend(&amend).await.unwrap();
    let amend = AmendOrder {
        order: OrderRef::Client(stop.client_id),
        price: None,
        trigger: Some("49500".parse().unwrap()),
        ..amend
    };
    venue.amend(&amend).await.unwrap();
    let open = venue.open_orders(None).await.unwrap();
    let kinds: Vec<OrderKind> = open.iter().map(|order| order.kind).collect();
    assert!(kinds.contains(&limit_at("52000")) && kinds.contains(&stop_at("49500")), "{kinds:?}");
    venue.cancel(&CancelOrder { order: OrderRef::Client(target.client_id), symbol }).await.unwrap();
    let gone = venue.cancel(&CancelOrder { order: OrderRef::Client(target.client_id), symbol }).await;
    assert_eq!(gone.unwrap_err().refusal(), Some(RefusalCode::OrderNotFound));

    twin.price("49400");
    let report = venue.order(symbol, stop.client_id).await.unwrap().unwrap();
    assert_eq!((report.update.status, report.update.filled), (OrderStatus::Filled, stop.quantity.get()));
    assert_eq!(report.fills[0].client_id, Some(stop.client_id));
    assert!(venue.positions().await.unwrap().is_empty());
    let fills = venue.fills_since(Some(symbol), Timestamp::from_ms(START)).await.unwrap();
    let owners: Vec<_> = fills.iter().map(|fill| fill.client_id).collect();
    assert_eq!(owners, [Some(entry.client_id), Some(stop.client_id)], "fills of stops carry our name");
    let fresh = twin.venue().fills_since(None, Timestamp::from_ms(NOON - 1_000)).await.unwrap();
    assert!(fresh.is_empty(), "{fresh:?}");
    let account = venue.account().await.unwrap();
    assert!(account.open_orders.is_empty() && !account.balances.is_empty());
    let fees = venue.fees(symbol).await.unwrap();
    assert_eq!((fees.maker.get(), fees.taker.get()), (Decimal::new(2, 4), Decimal::new(5, 4)));
}

#[tokio::test]
async fn linear_contracts_are_traded() {
    trade(ContractType::Linear).await;
}

#[tokio::test]
async fn inverse_contracts_are_traded() {
    trade(ContractType::Inverse).await;
}

#[tokio::test]
async fn public_data_is_read() {
    let twin = Twin::of(ContractType::Linear).await;
    let market = twin.market();
    let symbol = twin.symbol;
    assert_eq!(market.server_time().await, Ok(Timestamp::from_ms(NOON)));
    assert_eq!(market.venue_status().await, Ok(VenueStatus::Up));
    let ticker = market.ticker(symbol).await.unwrap();
    assert_eq!(ticker.last.unwrap().to_string(), "50000");
    assert!(ticker.mark.is_some() && ticker.index.is_some() && ticker.funding_rate.is_some());
    assert!(ticker.open_interest.is_some() && ticker.bid < ticker.ask);
    let at = |minute: i64| Timestamp::from_ms(START + minute * 60_000);
    // Two pages and a bit.
    let range = CandleRange { symbol, timeframe: Timeframe::M1, from: at(-390), until: at(0) };
    let candles = market.candles(&CandleRange { from: at(10), until: at(380), ..range }).await.unwrap();
    assert_eq!((candles.len(), candles[0].open_time), (370, at(10)));
    assert!(candles.windows(2).all(|pair| pair[1].open_time.since_ms(pair[0].open_time) == 60_000));
    assert_eq!(candles[0].volume, Decimal::TEN, "contracts became coins again");
    let rates = market.funding_history(&SymbolRange { symbol, from: at(-1_000), until: at(1_000) }).await;
    assert!(!rates.unwrap().is_empty());
    twin.control("maintenance", &json!({ "on": true }));
    // The question may be asked once in five seconds only; another program asks.
    let status = twin.market().venue_status().await;
    assert!(matches!(status, Ok(VenueStatus::Maintenance { until: Some(_) })), "{status:?}");
    let refused = market.ticker(symbol).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalCode::Maintenance));
}

#[tokio::test]
async fn keys_are_inspected_and_refused_by_name() {
    let twin = Twin::of(ContractType::Linear).await;
    let facts = twin.venue().inspect_key().await.unwrap();
    assert_eq!((facts.trade, facts.withdraw, facts.ip_bound), (Known::Yes, Known::No, Known::Yes));
    assert_eq!(facts.ip_addresses, ["127.0.0.1"]);
    assert!(facts.unknown_permissions.is_empty());
    let facts = twin.venue_of("RICH", "SECRET", "PASS").inspect_key().await.unwrap();
    assert_eq!((facts.withdraw, facts.ip_bound), (Known::Yes, Known::No));
    let cases = [
        ("NOBODY", "SECRET", "PASS", RefusalCode::BadKey),
        ("KEY", "WRONG", "PASS", RefusalCode::BadSignature),
        ("KEY", "SECRET", "WRONG", RefusalCode::BadPassphrase),
        ("FAR", "SECRET", "PASS", RefusalCode::IpNotAllowed),
    ];
    for (name, secret, passphrase, expected) in cases {
        let error = twin.venue_of(name, secret, passphrase).inspect_key().await.unwrap_err();
        assert_eq!(error.refusal(), Some(expected), "{name} {secret} {passphrase}");
    }
    let order = twin.order(1, OrderPurpose::Entry, Side::Buy, OrderKind::Market);
    let error = twin.venue_of("READ", "SECRET", "PASS").place(&order).await.unwrap_err();
    assert_eq!(error.refusal(), Some(RefusalCode::InsufficientPermission));
    // The venue's clock is ahead by a minute: the first request is late, the second is not.
    let venue = twin.venue();
    venue.server_time().await.unwrap();
    twin.control("clock", &json!({ "skew_ms": 60_000 }));
    venue.place(&order).await.unwrap();
}

#[tokio::test]
async fn unknown_outcomes_are_resolved() {
    let twin = Twin::of(ContractType::Linear).await;
    let venue = twin.venue();
    let symbol = twin.symbol;
    venue.instruments().await.unwrap();
    let script = |path: &str, fate: &str| {
        twin.control("script", &json!({ "path": path, "fate": fate, "times": 1 }));
    };
    let order = twin.order(1, OrderPurpose::Entry, Side::Buy, OrderKind::Market);
    venue.server_time().await.unwrap();
    script("/api/v5/trade/order", "lost_answer");
    assert!(matches!(venue.place(&order).await, Err(VenueError::Unknown { .. })));
    let Ok(Resolution::Found(report)) = venue.resolve(symbol, order.client_id).await else {
        panic!("it has arrived")
    };
    assert_eq!(report.update.status, OrderStatus::Filled);
    let stop = twin.order(2, OrderPurpose::ProtectiveStop, Side::Sell, stop_at("49000"));
    script("/api/v5/trade/order-algo", "lost_answer");
    assert!(matches!(venue.place(&stop).await, Err(VenueError::Unknown { .. })));
    assert!(matches!(venue.resolve(symbol, stop.client_id).await, Ok(Resolution::Found(_))));
    let lost = twin.order(3, OrderPurpose::Exit, Side::Sell, OrderKind::Market);
    script("/api/v5/trade/order", "lost_request");
    assert!(matches!(venue.place(&lost).await, Err(VenueError::Unknown { .. })));
    assert_eq!(venue.resolve(symbol, lost.client_id).await, Ok(Resolution::NeverArrived));
}

#[tokio::test]
async fn many_orders_are_canceled_and_the_switch_works() {
    let twin = Twin::of(ContractType::Linear).await;
    let venue = twin.venue();
    let symbol = twin.symbol;
    venue.place(&twin.order(1, OrderPurpose::Entry, Side::Buy, OrderKind::Market)).await.unwrap();
    for number in 2..25 {
        let mut order = twin.order(number, OrderPurpose::Entry, Side::Buy, limit_at("40000"));
        order.quantity = "0.001".parse().unwrap();
        venue.place(&order).await.unwrap();
    }
    let stop = twin.order(25, OrderPurpose::ProtectiveStop, Side::Sell, stop_at("49000"));
    let placed = venue.place(&stop).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap().len(), 24);
    // By the venue's name, as for orders of others.
    venue.cancel(&CancelOrder { order: OrderRef::Venue(placed.venue_id), symbol }).await.unwrap();
    let all = CancelAll { scope: Scope::Settle("USDT".parse().unwrap()), selection: OrderSelection::All };
    venue.cancel_all(&all).await.unwrap();
    assert_eq!(venue.open_orders(None).await.unwrap(), []);
    let resting = twin.order(26, OrderPurpose::Entry, Side::Buy, limit_at("40000"));
    venue.place(&NewOrder { quantity: "0.001".parse().unwrap(), ..resting }).await.unwrap();
    assert!(venue.dead_mans_switch(symbol, Some(Duration::from_secs(5))).await.is_err(), "too short");
    venue.dead_mans_switch(symbol, Some(Duration::from_secs(10))).await.unwrap();
    twin.control("clock", &json!({ "skew_ms": 11_000 }));
    assert_eq!(venue.open_orders(None).await.unwrap(), []);
    let unnamed = twin.order(27, OrderPurpose::Exit, Side::Sell, stop_at("49000"));
    assert_eq!(venue.place(&unnamed).await.unwrap_err().refusal(), Some(RefusalCode::InvalidOrder));
}

async fn next(events: &mut keyhold_venues::event::EventStream<AccountEvent>) -> AccountEvent {
    tokio::time::timeout(DEADLINE, events.next_event()).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_account_is_heard_and_heard_again_after_a_cut() {
    let twin = Twin::of(ContractType::Linear).await;
    let venue = twin.venue();
    let symbol = twin.symbol;
    let mut events = venue.account_events();
    while !matches!(next(&mut events).await, AccountEvent::Resynced { .. }) {}
    let entry = twin.order(1, OrderPurpose::Entry, Side::Buy, OrderKind::Market);
    venue.place(&entry).await.unwrap();
    let (mut fill, mut update, mut position, mut balance) = (None, None, None, None);
    while fill.is_none() || update.is_none() || position.is_none() || balance.is_none() {
        match next(&mut events).await {
            AccountEvent::Fill(one) => fill = Some(one),
            AccountEvent::OrderUpdate(one) if one.status == OrderStatus::Filled => update = Some(one),
            AccountEvent::Position(one) if !one.size.is_flat() => position = Some(one),
            AccountEvent::Balance(one) => balance = Some(one),
            AccountEvent::OrderUpdate(_) | AccountEvent::Position(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    let rest = venue.fills_since(Some(symbol), Timestamp::from_ms(START)).await.unwrap();
    assert_eq!(fill.map(|fill| vec![fill]), Some(rest), "stream and list tell the same fill");
    assert_eq!(position.unwrap().size.get(), entry.quantity.get());

    twin.control("cut", &Value::Null);
    while !matches!(next(&mut events).await, AccountEvent::Resynced { .. }) {}
    let stop = twin.order(2, OrderPurpose::ProtectiveStop, Side::Sell, stop_at("49000"));
    venue.place(&stop).await.unwrap();
    loop {
        if let AccountEvent::OrderUpdate(update) = next(&mut events).await
            && update.client_id == stop.client_id
        {
            assert_eq!(update.status, OrderStatus::Untriggered);
            break;
        }
    }
    twin.price("48900");
    let mut seen = (None, None);
    while seen.0.is_none() || seen.1.is_none() {
        match next(&mut events).await {
            AccountEvent::Fill(fill) => seen.0 = Some(fill.client_id),
            AccountEvent::OrderUpdate(update) if update.status == OrderStatus::Filled => {
                seen.1 = Some(update.client_id);
            }
            AccountEvent::Undecodable(error) => panic!("{error}"),
            _ => {}
        }
    }
    assert_eq!(seen, (Some(Some(stop.client_id)), Some(stop.client_id)), "the stop's order carries its name");
}

#[tokio::test]
async fn the_market_is_heard_in_order_with_books_and_trades() {
    let twin = Twin::of(ContractType::Linear).await;
    let symbol = twin.symbol;
    let subscription = MarketSubscription {
        series: vec![Series { symbol, timeframe: Timeframe::M1, after: None }],
        books: [symbol].into(),
        trades: [symbol].into(),
    };
    let mut events = twin.market().market_events(subscription);
    let (mut candles, mut books, mut sums, mut tickers) = (vec![], 0, 0, 0);
    while candles.len() < 4 || books == 0 || sums == 0 || tickers == 0 {
        let event = tokio::time::timeout(DEADLINE, events.next_event()).await.unwrap().unwrap();
        match event {
            MarketEvent::Resynced { .. } => twin.fake.step(),
            MarketEvent::CandleClosed { candle, .. } => {
                candles.push(candle.open_time);
                twin.fake.step();
            }
            MarketEvent::Book { book, .. } => {
                assert!(book.bids[0].0 < book.asks[0].0);
                books += 1;
            }
            MarketEvent::Traded { sums: told, .. } => {
                assert_eq!(told.buy + told.sell, Decimal::TEN);
                sums += 1;
            }
            MarketEvent::Ticker(_) => tickers += 1,
            MarketEvent::CandleForming { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(candles.windows(2).all(|pair| pair[1].since_ms(pair[0]) == 60_000), "{candles:?}");
}
