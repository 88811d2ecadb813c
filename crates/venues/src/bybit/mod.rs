//! Bybit, v5 API: linear and inverse perpetual contracts of a unified account in one-way mode.
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`crate::common::rest`] carries it,
//! [`refusals`] says what the answer means, [`wire`] reads it, [`convert`] makes it ours. [`BybitMarket`] needs no key,
//! [`Bybit`] adds what a key allows. Streams: [`market_stream`], [`account_stream`].

pub mod account;
pub mod account_stream;
pub mod bodies;
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod market;
pub mod market_stream;
pub mod orders;
pub mod refusals;
pub mod render;
pub mod rest;
pub mod stream;
pub mod wire;

use std::sync::Arc;

use keyhold_domain::{ContractType, Exchange};

use crate::clock::Clock;
use crate::common::rest::Rest;
use crate::hosts::{Endpoints, HostError};
use crate::rate_limit::RateLimiter;
use crate::settings::{Settings, VenueConfig};
use crate::signer::Signer;
use crate::transport::Dialer;
use rest::BybitDialect;

/// Bybit's public side.
#[derive(Debug)]
pub struct BybitMarket<D> {
    rest: Arc<Rest<D, BybitDialect>>,
}

impl<D> Clone for BybitMarket<D> {
    fn clone(&self) -> Self {
        Self { rest: Arc::clone(&self.rest) }
    }
}

impl<D: Dialer> BybitMarket<D> {
    /// Makes no connection yet. Refuses addresses that were checked for another exchange.
    pub fn new(
        contract_type: ContractType,
        endpoints: Endpoints,
        settings: Settings,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        Self::from_config(VenueConfig { contract_type, endpoints, settings }, dialer, clock)
    }

    /// The same from one value.
    pub fn from_config(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        if config.endpoints.exchange() != Exchange::Bybit {
            return Err(HostError::WrongHost(config.endpoints.environment()));
        }
        let limiter = Arc::new(RateLimiter::new(endpoints::limits(), endpoints::ADDRESS_LIMIT));
        let dialect = BybitDialect { product: config.contract_type };
        Ok(Self { rest: Arc::new(Rest::new(dialect, config, dialer, clock, limiter)) })
    }

    /// Linear or inverse.
    fn product(&self) -> ContractType {
        self.rest.dialect.product
    }

    /// What is added to our clock to get Bybit's, in milliseconds; 0 before the first reading.
    pub fn clock_offset_ms(&self) -> i64 {
        self.rest.venue_clock.offset_ms()
    }
}

/// Bybit with a key.
pub struct Bybit<D> {
    market: BybitMarket<D>,
    signer: Arc<dyn Signer>,
}

impl<D> std::fmt::Debug for Bybit<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bybit").field("market", &self.market.rest).finish_non_exhaustive()
    }
}

impl<D: Dialer> Bybit<D> {
    /// Adds a key's rights to the public side.
    pub fn new(market: BybitMarket<D>, signer: Arc<dyn Signer>) -> Self {
        Self { market, signer }
    }
}
