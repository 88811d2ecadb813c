//! From a sealed key to a venue that can be traded: lease, open, connect, look at key and account, read instruments.
//!
//! Nothing here gives up: what fails on the way is tried again at growing distances, what the venue refuses is told once
//! and tried again every minute, because a person may repair it meanwhile. It decides nothing about trading; findings go to
//! the loop, which holds entries back.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{
    BotId, ContractType, Decimal, Environment, Exchange, Instrument, KeyFacts, KeyId, ReasonCode, Site,
    Symbol, Timestamp,
};
use keyhold_protocol::uplink::{AccountAssignment, Endpoints, SealedKey};
use keyhold_venues::backoff::Backoff;
use keyhold_venues::error::Asked;
use keyhold_venues::hosts::HostError;
use keyhold_venues::signer::SetLeverage;
use keyhold_venues::{
    AnyMarket, AnyVenue, Dialer, MarketData as _, Settings, TradingVenue as _, VenueConfig, VenueError, hosts,
};

use crate::findings::{Finding, Weight};
use crate::keeper::{self, Lease, LeaseError};
use crate::outside::Outside;
use crate::signer::KeySigner;

/// An opened key and the venue it belongs to.
#[derive(Debug)]
pub struct Session<D> {
    /// The venue.
    pub venue: Arc<AnyVenue<D>>,
    /// The right to sign.
    pub signer: Arc<KeySigner>,
    /// The key's record.
    pub key: KeyId,
    /// Its version.
    pub version: u32,
    /// Live, testnet or simulated.
    pub environment: Environment,
}

impl<D> Clone for Session<D> {
    fn clone(&self) -> Self {
        Self { venue: Arc::clone(&self.venue), signer: Arc::clone(&self.signer), ..*self }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No credential.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The venue's addresses are not fit.
    #[error("the venue's address")]
    Host(#[from] HostError),
    /// Addresses of its own are for simulated venues.
    #[error("only a simulated venue may have an address of its own")]
    ForeignAddress,
}

/// Leases the key's data key, opens the envelope and makes the venue. Connects to no venue yet.
pub async fn open<O: Outside>(
    outside: &O,
    bot: BotId,
    account: &AccountAssignment,
) -> Result<(Session<O::Dialer>, Lease<O::Pipe>), SessionError> {
    let sealed = &account.key;
    // Before the ticket is used up: what cannot work anyway fails here.
    let hosts = addresses(sealed.exchange, sealed.environment, sealed.contract_type, &account.endpoints)?;
    let (credential, lease) = keeper::open(outside, bot, sealed).await?;
    let signer = Arc::new(KeySigner::new(credential, sealed.exchange, sealed.contract_type));
    let venue = Arc::new(venue(outside, sealed, hosts, (bot, &signer))?);
    let session =
        Session { venue, signer, key: sealed.key, version: sealed.version, environment: sealed.environment };
    Ok((session, lease))
}

/// The same key at another world of the same exchange, to find out where it belongs.
pub fn elsewhere<O: Outside>(
    outside: &O,
    sealed: &SealedKey,
    environment: Environment,
    site: Site,
    (bot, signer): (BotId, &Arc<KeySigner>),
) -> Result<AnyVenue<O::Dialer>, SessionError> {
    let (exchange, product) = (sealed.exchange, sealed.contract_type);
    // Most sites have no test system of their own and use the one for everybody.
    let hosts = hosts::Endpoints::at_site(exchange, environment, product, site)
        .or_else(|_| hosts::Endpoints::standard(exchange, environment, product))?;
    venue(outside, sealed, hosts, (bot, signer))
}

fn venue<O: Outside>(
    outside: &O,
    sealed: &SealedKey,
    hosts: hosts::Endpoints,
    (bot, signer): (BotId, &Arc<KeySigner>),
) -> Result<AnyVenue<O::Dialer>, SessionError> {
    let jitter = bot.to_u128() ^ (bot.to_u128() >> 64);
    let seed = u64::try_from(jitter & u128::from(u64::MAX)).unwrap_or_default();
    let settings = Settings { seed, ..Settings::default() };
    let config = VenueConfig { contract_type: sealed.contract_type, endpoints: hosts, settings };
    let market = AnyMarket::new(config, outside.venues(), outside.clock())?;
    Ok(market.with_key(Arc::<KeySigner>::clone(signer)))
}

fn addresses(
    exchange: Exchange,
    environment: Environment,
    product: ContractType,
    own: &Endpoints,
) -> Result<hosts::Endpoints, SessionError> {
    let hosts = match (&own.rest, &own.stream) {
        (None, None) => hosts::Endpoints::at_site(exchange, environment, product, own.site),
        _ if environment != Environment::Simulated => return Err(SessionError::ForeignAddress),
        _ if own.site != Site::Global => Err(HostError::NoSuchSite(own.site)),
        (Some(rest), None) => hosts::Endpoints::simulated(exchange, product, rest),
        (None, Some(_)) => Err(HostError::NotAnAddress),
        (Some(rest), Some(stream)) => hosts::Endpoints::simulated_at(exchange, product, rest, stream),
    };
    Ok(hosts?)
}

/// What the venue must be ready for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// In slot order.
    pub symbols: Vec<Symbol>,
    /// For each of them.
    pub leverage: Decimal,
}

/// What was found at the venue.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What the key may do.
    pub facts: KeyFacts,
    /// The wanted instruments, in slot order; those that the venue does not list are missing.
    pub instruments: Vec<Instrument>,
    /// What does not fit about the account.
    pub unfit: Vec<Finding>,
}

/// The difference between the clocks from which on the owner is told.
const SKEW_WORTH_TELLING_MS: i64 = 5_000;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Between two attempts at something the venue refused.
const WAIT_AFTER_REFUSAL: Duration = Duration::from_mins(1);

/// Asks and sets everything that must be known and set before trading. Comes back only when it has succeeded.
///
/// `now` reads the machine's clock.
pub async fn prepare<D: Dialer>(
    session: &Session<D>,
    now: impl Fn() -> Timestamp,
    wanted: &Wanted,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Prepared {
    let venue = &session.venue;
    let told = &mut Told { last: None, tell };
    let asked = now();
    let server = persist(told, || venue.server_time()).await;
    let skew = clock_skew_ms(asked, server, now());
    if skew.abs() >= SKEW_WORTH_TELLING_MS && session.environment != Environment::Simulated {
        let text = format!("The machine's clock is off by {skew} milliseconds against the exchange's.");
        (told.tell)(Finding { weight: Weight::Warns, code: ReasonCode::ClockSkew, text });
    }
    let facts = persist(told, || venue.inspect_key()).await;
    let listed = persist(told, || venue.instruments()).await.listed;
    let find = |symbol: &Symbol| listed.iter().find(|one| one.symbol == *symbol).copied();
    let instruments: Vec<Instrument> = wanted.symbols.iter().filter_map(find).collect();
    drop(listed);
    session.signer.trade_only(wanted.symbols.iter().copied());
    let mut unfit = Vec::new();
    for instrument in &instruments {
        unfit.extend(fit(venue, instrument.symbol, wanted.leverage, told).await);
    }
    Prepared { facts, instruments, unfit }
}

/// One-way positions and leverage of one instrument.
async fn fit<D: Dialer>(
    venue: &AnyVenue<D>,
    symbol: Symbol,
    leverage: Decimal,
    told: &mut Told<'_>,
) -> Vec<Finding> {
    let refusal = |error: &VenueError, fallback| error.diagnosis(Asked::ToTrade).unwrap_or(fallback);
    let mut unfit = Vec::new();
    if let Err(error) = until_answered(told, || venue.use_one_way_mode(symbol)).await {
        let code = refusal(&error, ReasonCode::AccountModeMismatch);
        let text = format!("{symbol} cannot be set to one net position: {error}.");
        unfit.push(Finding { weight: Weight::Forbids, code, text });
    }
    let set = SetLeverage { symbol, leverage };
    if let Err(error) = until_answered(told, || venue.set_leverage(&set)).await {
        let code = refusal(&error, ReasonCode::LeverageTooHigh);
        let text = format!("The leverage of {symbol} cannot be set to {leverage}: {error}.");
        unfit.push(Finding { weight: Weight::Forbids, code, text });
    }
    unfit
}

/// Milliseconds by which the machine's clock is ahead of the venue's, beyond what the way may explain.
pub fn clock_skew_ms(asked: Timestamp, venue: Timestamp, answered: Timestamp) -> i64 {
    if venue < asked {
        asked.since_ms(venue)
    } else if venue > answered {
        -venue.since_ms(answered)
    } else {
        0
    }
}

/// Tells a trouble once, until it is another one.
struct Told<'a> {
    last: Option<ReasonCode>,
    tell: &'a mut (dyn FnMut(Finding) + Send),
}

impl Told<'_> {
    fn trouble(&mut self, error: &VenueError) {
        let code = error.diagnosis(Asked::ToRead).unwrap_or(ReasonCode::ExchangeDown);
        if self.last != Some(code) {
            self.last = Some(code);
            let text = format!("The exchange cannot be used now: {error}. The bot tries again.");
            (self.tell)(Finding { weight: Weight::Warns, code, text });
        }
    }
}

/// Asks until there is an answer that is not a refusal.
async fn persist<T, F>(told: &mut Told<'_>, ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, VenueError>>,
{
    loop {
        match until_answered(told, &ask).await {
            Ok(answer) => return answer,
            Err(error) => {
                told.trouble(&error);
                tokio::time::sleep(WAIT_AFTER_REFUSAL).await;
            }
        }
    }
}

/// Asks until the venue answers, be it with a refusal. For requests that are harmless to repeat.
async fn until_answered<T, F>(told: &mut Told<'_>, ask: impl Fn() -> F) -> Result<T, VenueError>
where
    F: Future<Output = Result<T, VenueError>>,
{
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, 0);
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if passes(&error) => {
                told.trouble(&error);
                tokio::time::sleep(backoff.next_wait()).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a trouble is likely to end by itself.
fn passes(error: &VenueError) -> bool {
    use keyhold_domain::RefusalCode::{ClockSkew, IpBanned, Maintenance, Overloaded, RateLimited};
    match error {
        VenueError::Unknown { .. } | VenueError::NotSent { .. } => true,
        VenueError::Refused { code, .. } => {
            matches!(code, ClockSkew | IpBanned | Maintenance | Overloaded | RateLimited)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_simulated_venues_have_addresses_of_their_own() {
        let own = |rest: Option<&str>, stream: Option<&str>| Endpoints {
            site: Site::Global,
            rest: rest.map(str::to_owned),
            stream: stream.map(str::to_owned),
        };
        let check = |environment, endpoints: &Endpoints| {
            addresses(Exchange::Bybit, environment, ContractType::Linear, endpoints).is_ok()
        };
        let local = own(Some("http://127.0.0.1:7001"), Some("ws://127.0.0.1:7002"));
        assert!(check(Environment::Simulated, &local));
        assert!(check(Environment::Simulated, &own(Some("http://127.0.0.1:7001"), None)));
        assert!(!check(Environment::Live, &local));
        assert!(!check(Environment::Live, &own(Some("https://api.bybit.com"), None)));
        assert!(check(Environment::Live, &own(None, None)));
        assert!(!check(Environment::Simulated, &own(Some("https://api.bybit.com"), None)));
        let at = |site, endpoints: &Endpoints| Endpoints { site, ..endpoints.clone() };
        assert!(check(Environment::Live, &at(Site::Turkey, &own(None, None))));
        assert!(
            !check(Environment::Live, &at(Site::UnitedStates, &own(None, None))),
            "that is a site of OKX"
        );
        assert!(!check(Environment::Testnet, &at(Site::Turkey, &own(None, None))));
        assert!(!check(Environment::Simulated, &at(Site::Turkey, &local)));
    }

    #[test]
    fn skew_counts_only_beyond_the_way() {
        let at = Timestamp::from_ms;
        assert_eq!(clock_skew_ms(at(100), at(150), at(200)), 0);
        assert_eq!(clock_skew_ms(at(10_000), at(4_000), at(10_100)), 6_000);
        assert_eq!(clock_skew_ms(at(10_000), at(14_300), at(10_100)), -4_200);
    }
}
