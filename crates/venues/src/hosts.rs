//! Which hosts an adapter may talk to, per exchange and environment.
//!
//! Checked when the addresses are made, so that an adapter with wrong ones cannot exist: a testnet or simulated
//! adapter never reaches a live host, a live adapter never a foreign one, and only a simulated venue may be reached
//! without TLS. Knows no paths (those are in each venue's `endpoints.rs`) and opens no connection.

use keyhold_domain::{Environment, Exchange};
use url::Url;

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
    /// Keyhold has no adapter for the exchange yet.
    #[error("there is no adapter for {0} yet")]
    NoAdapter(Exchange),
    /// The exchange has no such environment.
    #[error("the exchange has no environment {0}")]
    NoSuchEnvironment(Environment),
}

/// The three addresses of a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    exchange: Exchange,
    environment: Environment,
    rest: Base,
    public_ws: Base,
    private_ws: Base,
}

/// The domains of the exchanges' live systems. Every host at or below one of them that is not a test host is live.
const LIVE_DOMAINS: &[(Exchange, &[&str])] = &[
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
const TEST_HOSTS: &[(Exchange, &[&str])] = &[(
    Exchange::Bybit,
    &["api-testnet.bybit.com", "stream-testnet.bybit.com", "api-demo.bybit.com", "stream-demo.bybit.com"],
)];

/// The usual addresses: exchange, environment, REST, public and private stream.
const STANDARD: &[(Exchange, Environment, &str, &str, &str)] = &[
    (
        Exchange::Bybit,
        Environment::Live,
        "https://api.bybit.com",
        "wss://stream.bybit.com/v5/public",
        "wss://stream.bybit.com/v5/private",
    ),
    (
        Exchange::Bybit,
        Environment::Testnet,
        "https://api-testnet.bybit.com",
        "wss://stream-testnet.bybit.com/v5/public",
        "wss://stream-testnet.bybit.com/v5/private",
    ),
];

impl Endpoints {
    /// The usual addresses of a live or test system.
    pub fn standard(exchange: Exchange, environment: Environment) -> Result<Self, HostError> {
        let row = STANDARD.iter().find(|row| row.0 == exchange && row.1 == environment);
        let (_, _, rest, public_ws, private_ws) = row.ok_or(HostError::NoSuchEnvironment(environment))?;
        Self::new(exchange, environment, Addresses { rest, public_ws, private_ws })
    }

    /// A venue run by Keyhold behind one address, for example `http://127.0.0.1:7001`.
    pub fn simulated(exchange: Exchange, base: &str) -> Result<Self, HostError> {
        let base = base.trim_end_matches('/');
        let streams = if let Some(rest) = base.strip_prefix("https://") {
            format!("wss://{rest}")
        } else if let Some(rest) = base.strip_prefix("http://") {
            format!("ws://{rest}")
        } else {
            return Err(HostError::Scheme);
        };
        let (public_ws, private_ws) = (format!("{streams}/v5/public"), format!("{streams}/v5/private"));
        let addresses = Addresses { rest: base, public_ws: &public_ws, private_ws: &private_ws };
        Self::new(exchange, Environment::Simulated, addresses)
    }

    /// Any addresses, for example of a regional site; each must be a host of this exchange and environment.
    pub fn new(
        exchange: Exchange,
        environment: Environment,
        addresses: Addresses<'_>,
    ) -> Result<Self, HostError> {
        let base = |text: &str, schemes| checked_base(exchange, environment, text, schemes);
        Ok(Self {
            exchange,
            environment,
            rest: base(addresses.rest, ("https", "http"))?,
            public_ws: base(addresses.public_ws, ("wss", "ws"))?,
            private_ws: base(addresses.private_ws, ("wss", "ws"))?,
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

    /// Streams of market data.
    pub const fn public_ws(&self) -> &Base {
        &self.public_ws
    }

    /// The stream of the account.
    pub const fn private_ws(&self) -> &Base {
        &self.private_ws
    }
}

/// Three addresses as text, not yet checked.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// Requests and answers.
    pub rest: &'a str,
    /// Streams of market data.
    pub public_ws: &'a str,
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
    match environment {
        Environment::Live => is_family(exchange) && !is_test(exchange),
        Environment::Testnet => is_test(exchange),
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
        let addresses = Addresses { rest, public_ws: standard.0, private_ws: standard.1 };
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
            public_ws: "wss://stream-testnet.bybit.com/v5/public",
            private_ws: "wss://stream.bybit.com/v5/private",
        };
        let refused = Endpoints::new(Exchange::Bybit, Environment::Testnet, addresses);
        assert_eq!(refused, Err(HostError::WrongHost(Environment::Testnet)));
    }

    #[test]
    fn the_usual_addresses_are_fit() {
        for (exchange, environment, ..) in STANDARD {
            let endpoints = Endpoints::standard(*exchange, *environment).unwrap();
            assert_eq!(endpoints.rest().target().security, Security::Tls);
            assert_eq!(endpoints.environment(), *environment);
        }
        let simulated = Endpoints::simulated(Exchange::Bybit, "http://127.0.0.1:7001/").unwrap();
        assert_eq!(simulated.public_ws().prefix(), "/v5/public");
        assert_eq!(simulated.rest().authority(), "127.0.0.1:7001");
        assert!(Endpoints::standard(Exchange::Bybit, Environment::Simulated).is_err());
    }
}
