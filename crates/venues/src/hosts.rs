//! Which hosts an adapter may talk to, per exchange and environment.
//!
//! Checked when the addresses are made, so that an adapter with wrong ones cannot exist: a testnet or simulated
//! adapter never reaches a live host, a live adapter never a foreign one, and only a simulated venue may be reached
//! without TLS. Knows no paths (those are in each venue's `endpoints.rs`) and opens no connection.

use keyhold_domain::{ContractType, Environment, Exchange};
use url::Url;

mod table;

use table::{LIVE_DOMAINS, Row, SHARED_HOSTS, STANDARD, TEST_HOSTS};

/// How the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// TLS with the public root certificates.
    Tls,
    /// Bare TCP, for simulated venues only.
    Plain,
}

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Name or address of the host, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS or not.
    pub security: Security,
}

/// A checked base address: where to connect and what stands before every path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    target: Target,
    prefix: String,
    authority: String,
}

impl Base {
    /// Where to connect.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What stands before every path; empty, or begins with `/` and does not end with one.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// Why an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Not a URL with a host.
    #[error("is not an address of the form scheme://host[:port][/path]")]
    NotAnAddress,
    /// Another scheme than the environment allows.
    #[error("must begin with https:// or wss://; plain http:// and ws:// are for simulated venues only")]
    Scheme,
    /// A user name, password, query or fragment in the address.
    #[error("must not hold a user name, a password, a query or a fragment")]
    Extra,
    /// The host is not one of the environment's.
    #[error("is not a host of this exchange in the environment {0}")]
    WrongHost(Environment),
    /// The exchange has no such environment.
    #[error("the exchange has no environment {0}")]
    NoSuchEnvironment(Environment),
}

/// The addresses of a venue. Most exchanges answer everything at one of them; then several are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    exchange: Exchange,
    environment: Environment,
    rest: Base,
    key_check: Base,
    public_ws: Base,
    market_ws: Base,
    private_ws: Base,
}

impl Endpoints {
    /// The usual addresses of a live or test system.
    pub fn standard(
        exchange: Exchange,
        environment: Environment,
        product: ContractType,
    ) -> Result<Self, HostError> {
        let fits =
            |row: &&Row| row.exchange == exchange && row.environment == environment && row.serves(product);
        let row = STANDARD.iter().find(fits).ok_or(HostError::NoSuchEnvironment(environment))?;
        Self::new(exchange, environment, row.addresses)
    }

    /// A venue run by Keyhold behind one address, for example `http://127.0.0.1:7001`.
    pub fn simulated(exchange: Exchange, product: ContractType, base: &str) -> Result<Self, HostError> {
        let base = base.trim_end_matches('/');
        let streams = if let Some(rest) = base.strip_prefix("https://") {
            format!("wss://{rest}")
        } else if let Some(rest) = base.strip_prefix("http://") {
            format!("ws://{rest}")
        } else {
            return Err(HostError::Scheme);
        };
        Self::simulated_at(exchange, product, base, &streams)
    }

    /// A venue run by Keyhold that answers requests and streams at two addresses.
    pub fn simulated_at(
        exchange: Exchange,
        product: ContractType,
        rest: &str,
        streams: &str,
    ) -> Result<Self, HostError> {
        let streams = streams.trim_end_matches('/');
        let [public_ws, market_ws, private_ws] =
            table::stream_paths(exchange, product).map(|path| format!("{streams}{path}"));
        let addresses = Addresses {
            rest,
            key_check: None,
            public_ws: &public_ws,
            market_ws: Some(&market_ws),
            private_ws: &private_ws,
        };
        Self::new(exchange, Environment::Simulated, addresses)
    }

    /// Any addresses, for example of a regional site; each must be a host of this exchange and environment.
    pub fn new(
        exchange: Exchange,
        environment: Environment,
        addresses: Addresses<'_>,
    ) -> Result<Self, HostError> {
        let base = |text: &str, schemes| checked_base(exchange, environment, text, schemes);
        let (requests, streams) = (("https", "http"), ("wss", "ws"));
        Ok(Self {
            exchange,
            environment,
            rest: base(addresses.rest, requests)?,
            key_check: base(addresses.key_check.unwrap_or(addresses.rest), requests)?,
            public_ws: base(addresses.public_ws, streams)?,
            market_ws: base(addresses.market_ws.unwrap_or(addresses.public_ws), streams)?,
            private_ws: base(addresses.private_ws, streams)?,
        })
    }

    /// The exchange these addresses were checked for.
    pub const fn exchange(&self) -> Exchange {
        self.exchange
    }

    /// The environment these addresses were checked for.
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// Requests and answers.
    pub const fn rest(&self) -> &Base {
        &self.rest
    }

    /// Where the key's permissions are asked for; on Binance another host than that of orders.
    pub const fn key_check(&self) -> &Base {
        &self.key_check
    }

    /// Streams of books and trades, and of everything public where the exchange has one address for it.
    pub const fn public_ws(&self) -> &Base {
        &self.public_ws
    }

    /// Streams of candles and prices, where they have an address of their own.
    pub const fn market_ws(&self) -> &Base {
        &self.market_ws
    }

    /// The stream of the account.
    pub const fn private_ws(&self) -> &Base {
        &self.private_ws
    }
}

/// Addresses as text, not yet checked.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// Requests and answers.
    pub rest: &'a str,
    /// Key permissions, when not at `rest`.
    pub key_check: Option<&'a str>,
    /// Streams of market data.
    pub public_ws: &'a str,
    /// Streams of candles and prices, when not at `public_ws`.
    pub market_ws: Option<&'a str>,
    /// The stream of the account.
    pub private_ws: &'a str,
}

fn checked_base(
    exchange: Exchange,
    environment: Environment,
    text: &str,
    (secure, plain): (&str, &str),
) -> Result<Base, HostError> {
    let url = Url::parse(text).map_err(|_| HostError::NotAnAddress)?;
    let security = match (url.scheme(), environment) {
        (scheme, _) if scheme == secure => Security::Tls,
        (scheme, Environment::Simulated) if scheme == plain => Security::Plain,
        _ => return Err(HostError::Scheme),
    };
    let extra = !url.username().is_empty() || url.password().is_some();
    if extra || url.query().is_some() || url.fragment().is_some() {
        return Err(HostError::Extra);
    }
    let named = url.host_str().ok_or(HostError::NotAnAddress)?;
    let host = named.trim_end_matches('.').trim_matches(['[', ']']).to_ascii_lowercase();
    let port = url.port_or_known_default().ok_or(HostError::NotAnAddress)?;
    if !host_fits(exchange, environment, &host) {
        return Err(HostError::WrongHost(environment));
    }
    let authority = url.port().map_or_else(|| named.to_owned(), |port| format!("{named}:{port}"));
    let prefix = url.path().trim_end_matches('/').to_owned();
    Ok(Base { target: Target { host, port, security }, prefix, authority })
}

fn host_fits(exchange: Exchange, environment: Environment, host: &str) -> bool {
    let below =
        |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_test = |of: Exchange| TEST_HOSTS.iter().any(|(name, hosts)| *name == of && hosts.contains(&host));
    let is_family =
        |of: Exchange| LIVE_DOMAINS.iter().any(|(name, all)| *name == of && all.iter().any(below));
    // One host with two worlds: the adapter says by a header, or by its key, which one it means.
    let is_shared = SHARED_HOSTS.iter().any(|(name, hosts)| *name == exchange && hosts.contains(&host));
    match environment {
        Environment::Live => is_family(exchange) && !is_test(exchange),
        Environment::Testnet => is_test(exchange) || is_shared,
        Environment::Simulated => !Exchange::ALL.iter().any(|any| is_family(*any) || is_test(*any)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(environment: Environment, rest: &str) -> Result<Endpoints, HostError> {
        let standard = match environment {
            Environment::Live => ("wss://stream.bybit.com/v5/public", "wss://stream.bybit.com/v5/private"),
            Environment::Testnet => {
                ("wss://stream-testnet.bybit.com/v5/public", "wss://stream-testnet.bybit.com/v5/private")
            }
            Environment::Simulated => ("ws://127.0.0.1:1/v5/public", "ws://127.0.0.1:1/v5/private"),
        };
        let addresses = Addresses {
            rest,
            key_check: None,
            public_ws: standard.0,
            market_ws: None,
            private_ws: standard.1,
        };
        Endpoints::new(Exchange::Bybit, environment, addresses)
    }

    #[test]
    fn every_environment_keeps_to_its_own_hosts() {
        use Environment::{Live, Simulated, Testnet};
        let wrong = |environment| Err(HostError::WrongHost(environment));
        let cases = [
            (Live, "https://api.bybit.com", Ok(())),
            (Live, "https://api.bybit.eu", Ok(())),
            (Live, "https://API.BYBIT.COM.", Ok(())),
            (Live, "https://api-testnet.bybit.com", wrong(Live)),
            (Live, "https://api.bybit.com.evil.example", wrong(Live)),
            (Live, "https://notbybit.com", wrong(Live)),
            (Live, "https://127.0.0.1:7001", wrong(Live)),
            (Live, "http://api.bybit.com", Err(HostError::Scheme)),
            (Testnet, "https://api-testnet.bybit.com", Ok(())),
            (Testnet, "https://api-demo.bybit.com", Ok(())),
            (Testnet, "https://api.bybit.com", wrong(Testnet)),
            (Testnet, "https://api.bytick.com", wrong(Testnet)),
            (Testnet, "http://api-testnet.bybit.com", Err(HostError::Scheme)),
            (Simulated, "http://127.0.0.1:7001", Ok(())),
            (Simulated, "http://[::1]:7001", Ok(())),
            (Simulated, "http://venue.local/bybit/", Ok(())),
            (Simulated, "http://api.bybit.com", wrong(Simulated)),
            (Simulated, "https://API.Bybit.com./x", wrong(Simulated)),
            (Simulated, "https://api.bytick.com", wrong(Simulated)),
            (Simulated, "https://api-testnet.bybit.com", wrong(Simulated)),
            (Simulated, "https://fapi.binance.com", wrong(Simulated)),
            (Simulated, "https://user:pass@127.0.0.1", Err(HostError::Extra)),
            (Simulated, "127.0.0.1:7001", Err(HostError::NotAnAddress)),
        ];
        for (environment, address, expected) in cases {
            assert_eq!(rest(environment, address).map(|_| ()), expected, "{environment} {address}");
        }
    }

    #[test]
    fn streams_are_checked_like_requests() {
        let addresses = Addresses {
            rest: "https://api-testnet.bybit.com",
            key_check: None,
            public_ws: "wss://stream-testnet.bybit.com/v5/public",
            market_ws: None,
            private_ws: "wss://stream.bybit.com/v5/private",
        };
        let refused = Endpoints::new(Exchange::Bybit, Environment::Testnet, addresses);
        assert_eq!(refused, Err(HostError::WrongHost(Environment::Testnet)));
    }

    #[test]
    fn the_usual_addresses_are_fit() {
        for row in STANDARD {
            let product = row.product.unwrap_or(ContractType::Linear);
            let endpoints = Endpoints::standard(row.exchange, row.environment, product).unwrap();
            for base in
                [endpoints.rest(), endpoints.key_check(), endpoints.market_ws(), endpoints.private_ws()]
            {
                assert_eq!(base.target().security, Security::Tls);
            }
            assert_eq!(endpoints.environment(), row.environment);
        }
        let simulated =
            |exchange, product| Endpoints::simulated(exchange, product, "http://127.0.0.1:7001/").unwrap();
        let bybit = simulated(Exchange::Bybit, ContractType::Linear);
        assert_eq!(bybit.public_ws().prefix(), "/v5/public");
        assert_eq!(bybit.market_ws().prefix(), "/v5/public");
        assert_eq!(bybit.rest().authority(), "127.0.0.1:7001");
        let okx = simulated(Exchange::Okx, ContractType::Inverse);
        assert_eq!(okx.market_ws().prefix(), "/ws/v5/business");
        let none = Endpoints::standard(Exchange::Bybit, Environment::Simulated, ContractType::Linear);
        assert!(none.is_err());
        let closed = Endpoints::standard(Exchange::Bitmex, Environment::Live, ContractType::Linear);
        assert_eq!(closed, Err(HostError::NoSuchEnvironment(Environment::Live)));
    }

    #[test]
    fn a_shared_host_serves_test_keys_and_live_hosts_of_streams_do_not() {
        let new = |environment, streams: &str| {
            let addresses = Addresses {
                rest: "https://www.okx.com",
                key_check: None,
                public_ws: streams,
                market_ws: None,
                private_ws: streams,
            };
            Endpoints::new(Exchange::Okx, environment, addresses).map(|_| ())
        };
        let (live, demo) = ("wss://ws.okx.com:8443/ws/v5/public", "wss://wspap.okx.com:8443/ws/v5/public");
        assert_eq!(new(Environment::Testnet, demo), Ok(()));
        assert_eq!(new(Environment::Live, live), Ok(()));
        assert_eq!(new(Environment::Testnet, live), Err(HostError::WrongHost(Environment::Testnet)));
        assert_eq!(new(Environment::Live, demo), Err(HostError::WrongHost(Environment::Live)));
    }
}
