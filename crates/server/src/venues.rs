//! Public market data of venues, for lists and charts. No key is involved: the server has none it could use.

use std::sync::Arc;

use keyhold_domain::{Candle, ContractType, Environment, Exchange, Instrument, Symbol, Timeframe, Timestamp};
use keyhold_store::ApiKey;
use keyhold_venues::port::CandleRange;
use keyhold_venues::{AnyMarket, Endpoints, MarketData as _, Settings, TokioDialer, VenueConfig};

use crate::api::reference::refuse_closed;
use crate::app::App;
use crate::clock::Clock;
use crate::http::problem::Problem;

/// How old a list of instruments may be before the venue is asked again.
const LIST_AGE_MS: i64 = 6 * 60 * 60 * 1000;

impl keyhold_venues::Clock for Clock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}

fn unreachable_venue() -> Problem {
    Problem::unavailable("EXCHANGE_DOWN", "The exchange does not answer.").next("Look at its status page.")
}

pub(crate) fn market(
    app: &App,
    exchange: Exchange,
    environment: Environment,
    contract_type: ContractType,
) -> Result<AnyMarket<TokioDialer>, Problem> {
    refuse_closed(exchange, environment)?;
    let endpoints = match environment {
        Environment::Live | Environment::Testnet => Endpoints::standard(exchange, environment, contract_type),
        Environment::Simulated => {
            let venue = app.config.simulated(exchange).ok_or_else(unreachable_venue)?;
            Endpoints::simulated(exchange, contract_type, &venue.rest)
        }
    };
    let endpoints = endpoints.map_err(|_configuration| unreachable_venue())?;
    let dialer = Arc::new(TokioDialer::default());
    let clock: Arc<dyn keyhold_venues::Clock> = Arc::new(app.clock.clone());
    let config = VenueConfig { contract_type, endpoints, settings: Settings::default() };
    AnyMarket::new(config, dialer, clock).map_err(|_configuration| unreachable_venue())
}

/// Instruments of a market: as stored when fresh, else as the venue lists them now, else as last known.
pub(crate) async fn instruments(
    app: &App,
    exchange: Exchange,
    environment: Environment,
    contract_type: ContractType,
) -> Result<Vec<Instrument>, Problem> {
    let system = app.store.system();
    let (stored, newest) = system.instruments(exchange, environment, contract_type).await?;
    let now = app.clock.now();
    if newest.is_some_and(|at| now.since_ms(at) < LIST_AGE_MS) && !stored.is_empty() {
        return Ok(stored);
    }
    match market(app, exchange, environment, contract_type)?.instruments().await {
        Ok(found) => {
            let mut listed = found.listed;
            listed.sort_by_key(|instrument| instrument.symbol);
            system.put_instruments(environment, &listed, now).await?;
            Ok(listed.into_iter().filter(|instrument| instrument.contract_type == contract_type).collect())
        }
        Err(_) if !stored.is_empty() => Ok(stored),
        Err(error) => {
            tracing::warn!(%exchange, error = &error as &dyn std::error::Error, "listing instruments failed");
            Err(unreachable_venue())
        }
    }
}

/// The first symbol that is no instrument of the key's market, with its place.
pub(crate) async fn check_symbols(
    app: &App,
    key: &ApiKey,
    symbols: &[Symbol],
) -> Result<Option<(usize, Symbol)>, Problem> {
    if symbols.is_empty() {
        return Ok(None);
    }
    let listed = instruments(app, key.exchange, key.environment, key.contract_type).await?;
    let unknown = symbols
        .iter()
        .enumerate()
        .find(|(_, symbol)| !listed.iter().any(|instrument| instrument.symbol == **symbol));
    Ok(unknown.map(|(place, symbol)| (place, *symbol)))
}

/// Which candles of which market.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) exchange: Exchange,
    pub(crate) environment: Environment,
    pub(crate) contract_type: ContractType,
    pub(crate) symbol: Symbol,
    pub(crate) timeframe: Timeframe,
    pub(crate) count: u32,
    /// The end of the newest one: now, or later where a simulated venue plays faster than time passes.
    pub(crate) until: Timestamp,
}

/// The newest candles, oldest first.
pub(crate) async fn candles(app: &App, wanted: &Wanted) -> Result<Vec<Candle>, Problem> {
    let market = market(app, wanted.exchange, wanted.environment, wanted.contract_type)?;
    let from = wanted.until.plus_ms(-wanted.timeframe.ms() * i64::from(wanted.count));
    let range = CandleRange { symbol: wanted.symbol, timeframe: wanted.timeframe, from, until: wanted.until };
    market.candles(&range).await.map_err(|_asked_in_vain| unreachable_venue())
}
