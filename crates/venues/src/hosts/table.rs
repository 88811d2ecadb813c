//! The exchanges' hosts and usual addresses. Data only; [`super`] checks addresses against it.

use keyhold_domain::{ContractType, Environment, Exchange, Site};

use super::Addresses;

/// The domains of the exchanges' live systems. Every host at or below one of them that is not a test host is live.
pub(super) const LIVE_DOMAINS: &[(Exchange, &[&str])] = &[
    (
        Exchange::Bybit,
        &[
            "bybit.com",
            "bytick.com",
            "bybit.nl",
            "bybit.tr",
            "bybit-tr.com",
            "bybit.kz",
            "bybit.ae",
            "bybit.eu",
            "bybit.id",
            "bybitgeorgia.ge",
            "manepa.jp",
        ],
    ),
    (Exchange::Binance, &["binance.com", "binancefuture.com"]),
    (Exchange::KrakenFutures, &["kraken.com"]),
    (Exchange::Okx, &["okx.com"]),
    (Exchange::Bitmex, &["bitmex.com"]),
];

/// The hosts of the exchanges' own test and demo systems.
pub(super) const TEST_HOSTS: &[(Exchange, &[&str])] = &[
    (
        Exchange::Bybit,
        &["api-testnet.bybit.com", "stream-testnet.bybit.com", "api-demo.bybit.com", "stream-demo.bybit.com"],
    ),
    (
        Exchange::Binance,
        &[
            "testnet.binancefuture.com",
            "demo-fapi.binance.com",
            "demo-dapi.binance.com",
            "fstream.binancefuture.com",
            "dstream.binancefuture.com",
            "demo-fstream.binance.com",
        ],
    ),
    (Exchange::KrakenFutures, &["demo-futures.kraken.com"]),
    (Exchange::Okx, &["wspap.okx.com", "wseeapap.okx.com", "wsuspap.okx.com"]),
    (Exchange::Bitmex, &["testnet.bitmex.com", "ws.testnet.bitmex.com"]),
];

/// Hosts that serve the live and the demo system alike. OKX: the header `x-simulated-trading` chooses.
pub(super) const SHARED_HOSTS: &[(Exchange, &[&str])] =
    &[(Exchange::Okx, &["www.okx.com", "eea.okx.com", "us.okx.com"])];

/// The usual addresses of one system.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) exchange: Exchange,
    pub(super) environment: Environment,
    /// `None` where linear and inverse contracts share their addresses.
    pub(super) product: Option<ContractType>,
    pub(super) addresses: Addresses<'static>,
}

impl Row {
    /// Whether a product's addresses are these.
    pub(super) fn serves(&self, product: ContractType) -> bool {
        self.product.is_none_or(|own| own == product)
    }
}

/// The usual addresses. BitMEX has none: it closed on 2026-09-23.
pub(super) const STANDARD: &[Row] = &[
    Row {
        exchange: Exchange::Bybit,
        environment: Environment::Live,
        product: None,
        addresses: Addresses {
            rest: "https://api.bybit.com",
            key_check: None,
            public_ws: "wss://stream.bybit.com/v5/public",
            market_ws: None,
            private_ws: "wss://stream.bybit.com/v5/private",
        },
    },
    Row {
        exchange: Exchange::Bybit,
        environment: Environment::Testnet,
        product: None,
        addresses: Addresses {
            rest: "https://api-testnet.bybit.com",
            key_check: None,
            public_ws: "wss://stream-testnet.bybit.com/v5/public",
            market_ws: None,
            private_ws: "wss://stream-testnet.bybit.com/v5/private",
        },
    },
    Row {
        exchange: Exchange::Binance,
        environment: Environment::Live,
        product: Some(ContractType::Linear),
        addresses: Addresses {
            rest: "https://fapi.binance.com",
            key_check: Some("https://api.binance.com"),
            public_ws: "wss://fstream.binance.com/public",
            market_ws: Some("wss://fstream.binance.com/market"),
            private_ws: "wss://fstream.binance.com/private",
        },
    },
    Row {
        exchange: Exchange::Binance,
        environment: Environment::Live,
        product: Some(ContractType::Inverse),
        addresses: Addresses {
            rest: "https://dapi.binance.com",
            key_check: Some("https://api.binance.com"),
            public_ws: "wss://dstream.binance.com",
            market_ws: None,
            private_ws: "wss://dstream.binance.com",
        },
    },
    // The test system has no call that tells what a key may do.
    Row {
        exchange: Exchange::Binance,
        environment: Environment::Testnet,
        product: Some(ContractType::Linear),
        addresses: Addresses {
            rest: "https://testnet.binancefuture.com",
            key_check: None,
            public_ws: "wss://fstream.binancefuture.com/public",
            market_ws: Some("wss://fstream.binancefuture.com/market"),
            private_ws: "wss://fstream.binancefuture.com/private",
        },
    },
    Row {
        exchange: Exchange::Binance,
        environment: Environment::Testnet,
        product: Some(ContractType::Inverse),
        addresses: Addresses {
            rest: "https://testnet.binancefuture.com",
            key_check: None,
            public_ws: "wss://dstream.binancefuture.com",
            market_ws: None,
            private_ws: "wss://dstream.binancefuture.com",
        },
    },
    Row {
        exchange: Exchange::KrakenFutures,
        environment: Environment::Live,
        product: None,
        addresses: Addresses {
            rest: "https://futures.kraken.com",
            key_check: None,
            public_ws: "wss://futures.kraken.com/ws/v1",
            market_ws: None,
            private_ws: "wss://futures.kraken.com/ws/v1",
        },
    },
    Row {
        exchange: Exchange::KrakenFutures,
        environment: Environment::Testnet,
        product: None,
        addresses: Addresses {
            rest: "https://demo-futures.kraken.com",
            key_check: None,
            public_ws: "wss://demo-futures.kraken.com/ws/v1",
            market_ws: None,
            private_ws: "wss://demo-futures.kraken.com/ws/v1",
        },
    },
    Row {
        exchange: Exchange::Okx,
        environment: Environment::Live,
        product: None,
        addresses: Addresses {
            rest: "https://www.okx.com",
            key_check: None,
            public_ws: "wss://ws.okx.com:8443/ws/v5/public",
            market_ws: Some("wss://ws.okx.com:8443/ws/v5/business"),
            private_ws: "wss://ws.okx.com:8443/ws/v5/private",
        },
    },
    Row {
        exchange: Exchange::Okx,
        environment: Environment::Testnet,
        product: None,
        addresses: Addresses {
            rest: "https://www.okx.com",
            key_check: None,
            public_ws: "wss://wspap.okx.com:8443/ws/v5/public",
            market_ws: Some("wss://wspap.okx.com:8443/ws/v5/business"),
            private_ws: "wss://wspap.okx.com:8443/ws/v5/private",
        },
    },
];

/// The addresses of a site that is not the one for everybody.
#[derive(Debug)]
pub(super) struct SiteRow {
    pub(super) exchange: Exchange,
    pub(super) environment: Environment,
    pub(super) site: Site,
    pub(super) rest: &'static str,
    /// What stands before the paths of [`stream_paths`].
    pub(super) streams: &'static str,
}

/// A site of Bybit's live system.
const fn bybit(site: Site, rest: &'static str, streams: &'static str) -> SiteRow {
    SiteRow { exchange: Exchange::Bybit, environment: Environment::Live, site, rest, streams }
}

/// A site of OKX.
const fn okx(environment: Environment, site: Site, rest: &'static str, streams: &'static str) -> SiteRow {
    SiteRow { exchange: Exchange::Okx, environment, site, rest, streams }
}

/// Bybit's stream for everybody; also that of sites that have none of their own.
const BYBIT_STREAMS: &str = "wss://stream.bybit.com";

/// The sites besides the one for everybody.
///
/// Bybit: "Integration Guidance" and "Connect" of the v5 documentation name the addresses; that the Netherlands, the
/// Emirates and the second address have no stream of their own is what maintained clients do. Left out: bybit.eu, whose
/// keys are for registered applications of brokers only, and Japan, of which the documentation names no address.
/// OKX: "Production Trading Services" and "Demo Trading Services" of its documentation for each of the three sites.
pub(super) const SITES: &[SiteRow] = &[
    bybit(Site::Alternate, "https://api.bytick.com", BYBIT_STREAMS),
    bybit(Site::Netherlands, "https://api.bybit.nl", BYBIT_STREAMS),
    bybit(Site::Turkey, "https://api.bybit.tr", "wss://stream.bybit.tr"),
    bybit(Site::Kazakhstan, "https://api.bybit.kz", "wss://stream.bybit.kz"),
    bybit(Site::Georgia, "https://api.bybitgeorgia.ge", "wss://stream.bybitgeorgia.ge"),
    bybit(Site::UnitedArabEmirates, "https://api.bybit.ae", BYBIT_STREAMS),
    bybit(Site::Indonesia, "https://api.bybit.id", "wss://stream.bybit.id"),
    okx(Environment::Live, Site::EuropeanEconomicArea, "https://eea.okx.com", "wss://wseea.okx.com:8443"),
    okx(Environment::Live, Site::UnitedStates, "https://us.okx.com", "wss://wsus.okx.com:8443"),
    okx(
        Environment::Testnet,
        Site::EuropeanEconomicArea,
        "https://eea.okx.com",
        "wss://wseeapap.okx.com:8443",
    ),
    okx(Environment::Testnet, Site::UnitedStates, "https://us.okx.com", "wss://wsuspap.okx.com:8443"),
];

/// What stands between a simulated venue's address and its streams: public, candles and prices, private.
pub(super) const fn stream_paths(exchange: Exchange, product: ContractType) -> [&'static str; 3] {
    match (exchange, product) {
        (Exchange::Bybit, _) => ["/v5/public", "/v5/public", "/v5/private"],
        (Exchange::Binance, ContractType::Linear) => ["/public", "/market", "/private"],
        (Exchange::Binance, ContractType::Inverse) => ["", "", ""],
        (Exchange::KrakenFutures, _) => ["/ws/v1", "/ws/v1", "/ws/v1"],
        (Exchange::Okx, _) => ["/ws/v5/public", "/ws/v5/business", "/ws/v5/private"],
        (Exchange::Bitmex, _) => ["/realtime", "/realtime", "/realtime"],
    }
}
