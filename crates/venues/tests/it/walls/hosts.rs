//! What is dialed: a whole session of every venue and product in every environment, through a dialer that remembers.
//!
//! The bytes go to a twin, whatever the address; so every call gets its answer and the next one is made. The live
//! environment is played, too: there the same eyes must see live hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use keyhold_domain::{
    ContractType, Environment, Exchange, MarginMode, OrderKind, Side, TimeInForce, Timeframe,
};
use keyhold_venues::port::{CandleRange, MarketSubscription, Series, SymbolRange};
use keyhold_venues::signer::{
    AmendOrder, CancelAll, CancelOrder, OrderRef, OrderSelection, Scope, SetLeverage,
};
use keyhold_venues::{AnyVenue, Endpoints, MarketData, TradingVenue};
use tokio::time::timeout;

use super::table_of;
use crate::kit::bench::{Bench, KEY, PAST, SECRET, limit, minute, stop};
use crate::kit::rows::{self, Row};
use crate::kit::wire::{Dialed, Head, Wire};

/// Hosts of live systems, as the exchanges' documentation names them. Written down here once more, so that a mistake in the
/// adapters' own table is seen.
const LIVE: &[(Exchange, &[&str])] = &[
    (Exchange::Bybit, &["api.bybit.com", "api.bytick.com", "stream.bybit.com"]),
    (
        Exchange::Binance,
        &[
            "api.binance.com",
            "fapi.binance.com",
            "dapi.binance.com",
            "fstream.binance.com",
            "dstream.binance.com",
        ],
    ),
    (
        Exchange::KrakenFutures,
        &["futures.kraken.com", "api.kraken.com", "ws.kraken.com", "ws-auth.kraken.com"],
    ),
    (
        Exchange::Okx,
        &["www.okx.com", "ws.okx.com", "eea.okx.com", "wseea.okx.com", "us.okx.com", "wsus.okx.com"],
    ),
    (Exchange::Bitmex, &["www.bitmex.com", "ws.bitmex.com"]),
];

/// Hosts of test systems that stand below a live domain.
const TEST: &[&str] = &[
    "api-testnet.bybit.com",
    "stream-testnet.bybit.com",
    "api-demo.bybit.com",
    "stream-demo.bybit.com",
    "testnet.binancefuture.com",
    "fstream.binancefuture.com",
    "dstream.binancefuture.com",
    "demo-fapi.binance.com",
    "demo-dapi.binance.com",
    "demo-fstream.binance.com",
    "demo-futures.kraken.com",
    "wspap.okx.com",
    "wseeapap.okx.com",
    "wsuspap.okx.com",
    "testnet.bitmex.com",
    "ws.testnet.bitmex.com",
];

/// Hosts where a header of each request chooses between the live and the demo system.
const CHOSEN_BY_HEADER: &[&str] = &["www.okx.com", "eea.okx.com", "us.okx.com"];

/// That header: OKX's.
const DEMO: &str = "x-simulated-trading";

/// Why a connection must not be made in an environment, if so.
fn fault(environment: Environment, host: &str, heads: &[Head]) -> Option<&'static str> {
    let is_live = LIVE.iter().any(|(_, hosts)| hosts.contains(&host));
    let is_exchange =
        ["bybit", "bytick", "binance", "kraken", "okx", "bitmex"].iter().any(|name| host.contains(name));
    match environment {
        Environment::Live if heads.iter().any(|head| head.header(DEMO).is_some()) => {
            Some("a live request with the word that chooses the demo")
        }
        Environment::Live => (!is_live).then_some("not a live host"),
        Environment::Simulated => is_exchange.then_some("a host of an exchange"),
        Environment::Testnet if CHOSEN_BY_HEADER.contains(&host) => {
            let is_demo = |head: &Head| head.header(DEMO) == Some("1") && !head.upgrades();
            (!heads.iter().all(is_demo)).then_some("a shared host without the word that chooses the demo")
        }
        Environment::Testnet => (is_live || !TEST.contains(&host)).then_some("not a test host"),
    }
}

/// Everything that can be asked of a venue; answers do not matter here.
async fn ask_everything(bench: &Bench, venue: &AnyVenue<Wire>) {
    let symbol = bench.symbol;
    let (from, until) = (minute(PAST - 30), minute(PAST));
    let _time = venue.server_time().await;
    let _status = venue.venue_status().await;
    let _instruments = venue.instruments().await;
    for timeframe in [Timeframe::M1, Timeframe::M3, Timeframe::H2] {
        let _candles = venue.candles(&CandleRange { symbol, timeframe, from: minute(0), until }).await;
    }
    let _rates = venue.funding_history(&SymbolRange { symbol, from, until }).await;
    let _ticker = venue.ticker(symbol).await;
    let _key = venue.inspect_key().await;
    let _account = venue.account().await;
    let _settings = venue.account_settings().await;
    let _positions = venue.positions().await;
    let _orders = venue.open_orders(Some(symbol)).await;
    let _orders = venue.open_orders(None).await;
    let _fills = venue.fills_since(Some(symbol), from).await;
    let _fills = venue.fills_since(None, from).await;
    let _funding = venue.funding_since(Some(symbol), from).await;
    let _fees = venue.fees(symbol).await;
    let _mode = venue.position_mode(symbol).await;
    let _mode = venue.use_one_way_mode(symbol).await;
    let _leverage = venue.set_leverage(&SetLeverage { symbol, leverage: 5.into() }).await;
    for mode in [MarginMode::Isolated, MarginMode::Cross] {
        let _mode = venue.set_margin_mode(mode).await;
        let _mode = venue.set_margin_mode_of(symbol, mode).await;
    }
    let _switch = venue.dead_mans_switch(symbol, Some(Duration::from_mins(1))).await;
    let _switch = venue.dead_mans_switch(symbol, None).await;
}

/// Orders of every kind, looked for and ended.
async fn trade(bench: &Bench, venue: &AnyVenue<Wire>) {
    let (symbol, size) = (bench.symbol, bench.row.size);
    let resting = bench.entry(1, Side::Buy, limit("40000", TimeInForce::Gtc), size);
    let waiting = bench.entry(2, Side::Sell, stop("45000"), size);
    for order in [resting, waiting, bench.entry(3, Side::Buy, OrderKind::Market, size)] {
        let _placed = venue.place(&order).await;
        let _report = venue.order(symbol, order.client_id).await;
        let _outcome = venue.resolve(symbol, order.client_id).await;
    }
    for (order, price, trigger) in [(resting, Some("41000"), None), (waiting, None, Some("44000"))] {
        let parsed = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let order = OrderRef::Client(order.client_id);
        let amend =
            AmendOrder { order, symbol, quantity: None, price: parsed(price), trigger: parsed(trigger) };
        let _amended = venue.amend(&amend).await;
        let _canceled = venue.cancel(&CancelOrder { order, symbol }).await;
    }
    let settle = bench.row.settle.parse().unwrap();
    for scope in [Scope::Symbol(symbol), Scope::Settle(settle)] {
        for selection in [OrderSelection::All, OrderSelection::StopOrders] {
            let _ended = venue.cancel_all(&CancelAll { scope, selection }).await;
        }
    }
}

/// Both streams for some minutes, cut once.
async fn listen(bench: &Bench, venue: &AnyVenue<Wire>) {
    let symbol = bench.symbol;
    let series = |timeframe| Series { symbol, timeframe, after: Some(minute(PAST - 10)) };
    let subscription = MarketSubscription {
        series: vec![series(Timeframe::M1), series(Timeframe::M3)],
        books: [symbol].into(),
        trades: [symbol].into(),
    };
    let (mut market, mut account) = (venue.market_events(subscription), venue.account_events());
    for turn in 0..4 {
        let _heard =
            timeout(Duration::from_secs(20), async { while market.next_event().await.is_some() {} }).await;
        let _heard =
            timeout(Duration::from_secs(20), async { while account.next_event().await.is_some() {} }).await;
        bench.twin.step();
        if turn == 1 {
            bench.control("cut", &serde_json::Value::Null);
        }
    }
}

/// What a session dials; `None` when the venue has no such environment.
async fn session(row: &'static Row, environment: Environment) -> Option<Vec<Dialed>> {
    let bench = Bench::new(row);
    let market = bench.market_in(environment)?;
    let venue = bench.with_key(market, KEY, SECRET);
    ask_everything(&bench, &venue).await;
    trade(&bench, &venue).await;
    listen(&bench, &venue).await;
    Some(bench.wire.dialed())
}

/// Requests that are no calls of the venue's table.
fn strange(exchange: Exchange, heads: &[Head]) -> Vec<String> {
    let table = table_of(exchange);
    let is_known = |head: &&Head| {
        // Kraken appends the instrument to two paths.
        table.iter().any(|call| call.verb.as_str() == head.verb && is_below(call.path, &head.path))
    };
    let requests = heads.iter().filter(|head| !head.upgrades());
    requests.filter(|head| !is_known(head)).map(|head| format!("{} {}", head.verb, head.path)).collect()
}

fn is_below(path: &str, asked: &str) -> bool {
    const APPENDED: &[&str] = &["/derivatives/api/v3/tickers", "/api/charts/v1"];
    let rest = asked.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || (APPENDED.contains(&path) && rest.starts_with('/')))
}

#[tokio::test(start_paused = true)]
async fn no_live_host_is_dialed_but_by_live_adapters() {
    let (mut played, mut connections, mut requests) = (0, 0, 0);
    for row in rows::all() {
        for environment in Environment::ALL.iter().copied() {
            let Some(dialed) = Box::pin(session(row, environment)).await else {
                // BitMEX closed: only its twin is left.
                assert!(
                    row.exchange == Exchange::Bitmex && environment != Environment::Simulated,
                    "{}",
                    row.name
                );
                continue;
            };
            let mut hosts = BTreeSet::new();
            let (mut asked, mut streams) = (0, 0);
            for one in &dialed {
                let heads = one.heads();
                let host = one.target.host.as_str();
                let found = fault(environment, host, &heads);
                assert_eq!(found, None, "{} in {environment}: {host}", row.name);
                assert_eq!(strange(row.exchange, &heads), Vec::<String>::new(), "{}", row.name);
                asked += heads.iter().filter(|head| !head.upgrades()).count();
                streams += heads.iter().filter(|head| head.upgrades()).count();
                hosts.insert(host.to_owned());
            }
            // A session that ended at its first call would prove nothing.
            assert!(
                asked >= 40 && streams >= 3,
                "{} in {environment}: {asked} requests, {streams} streams",
                row.name
            );
            println!("{} in {environment}: {asked} requests, {streams} streams, {hosts:?}", row.name);
            played += 1;
            connections += dialed.len();
            requests += asked;
        }
    }
    println!("sessions: {played}, connections: {connections}, requests: {requests}");
    // Three environments of five exchanges and two products, without live and test systems of BitMEX.
    assert_eq!(played, 3 * 2 * Exchange::ALL.len() - 4);
}

/// The usual addresses by themselves, whether a session uses them or not.
#[test]
fn no_address_of_a_test_system_is_live() {
    let mut checked = 0;
    for exchange in Exchange::ALL.iter().copied() {
        for product in ContractType::ALL.iter().copied() {
            let testnet = Endpoints::standard(exchange, Environment::Testnet, product);
            let Ok(endpoints) = testnet else {
                assert_eq!(exchange, Exchange::Bitmex);
                continue;
            };
            for base in [endpoints.public_ws(), endpoints.market_ws(), endpoints.private_ws()] {
                let host = base.target().host.as_str();
                assert_eq!(fault(Environment::Testnet, host, &[]), None, "{host}");
                checked += 1;
            }
            for base in [endpoints.rest(), endpoints.key_check()] {
                let host = base.target().host.as_str();
                let is_fit = TEST.contains(&host) || CHOSEN_BY_HEADER.contains(&host);
                assert!(is_fit, "{host}");
                checked += 1;
            }
            for (_, hosts) in LIVE {
                for host in *hosts {
                    let base = format!("https://{host}");
                    assert!(Endpoints::simulated(exchange, product, &base).is_err(), "{exchange} {host}");
                    checked += 1;
                }
            }
        }
    }
    println!("addresses checked: {checked}");
}

/// The controls: what a fault would look like is found.
#[test]
fn a_live_host_in_the_wrong_place_is_found() {
    let head = |headers: &[(&str, &str)]| Head {
        verb: "GET".to_owned(),
        path: "/api/v5/account/balance".to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    for (exchange, hosts) in LIVE {
        for host in *hosts {
            assert_eq!(fault(Environment::Live, host, &[head(&[])]), None, "{exchange}");
            assert!(fault(Environment::Simulated, host, &[head(&[])]).is_some(), "{exchange} {host}");
            assert!(fault(Environment::Testnet, host, &[head(&[])]).is_some(), "{exchange} {host}");
        }
    }
    assert!(fault(Environment::Live, "api-testnet.bybit.com", &[]).is_some());
    assert!(fault(Environment::Testnet, "api.bybit.example", &[]).is_some());
    let demo = [(DEMO, "1")];
    assert!(fault(Environment::Live, "www.okx.com", &[head(&[]), head(&demo)]).is_some());
    assert_eq!(fault(Environment::Testnet, "www.okx.com", &[head(&demo)]), None);
    assert!(fault(Environment::Testnet, "www.okx.com", &[head(&demo), head(&[])]).is_some());
    assert!(fault(Environment::Testnet, "www.okx.com", &[head(&[(DEMO, "0")])]).is_some());
    assert!(strange(Exchange::Okx, &[head(&[])]).is_empty());
    assert!(!strange(Exchange::Bybit, &[head(&[])]).is_empty(), "a path of another exchange");
    assert!(!is_below("/v5/user/query-api", "/v5/user/query-api/x"));
}
