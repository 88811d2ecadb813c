//! Binance: USD-M (linear) and COIN-M (inverse) perpetual contracts in one-way mode; one adapter, two products.
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`crate::common::rest`] carries it,
//! [`refusals`] says what the answer means, [`wire`] reads it, [`convert`] makes it ours. [`BinanceMarket`] needs no
//! key, [`Binance`] adds what a key allows. Streams: [`market_stream`], [`account_stream`]. Orders live in two books,
//! the matching engine's and the Algo Service's; [`render::Book`] tells them apart.

pub mod account;
pub mod account_stream;
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod market;
pub mod market_stream;
pub mod orders;
pub mod refusals;
pub mod render;
pub mod rest;
pub mod sizes;
pub mod wire;

use std::sync::Arc;

use keyhold_domain::{ContractType, Exchange};

use crate::clock::Clock;
use crate::common::rest::Rest;
use crate::hosts::HostError;
use crate::rate_limit::RateLimiter;
use crate::settings::VenueConfig;
use crate::signer::Signer;
use crate::transport::Dialer;
use account::Names;
use rest::BinanceDialect;
use sizes::Sizes;

/// Binance's public side.
#[derive(Debug)]
pub struct BinanceMarket<D> {
    rest: Arc<Rest<D, BinanceDialect>>,
    sizes: Arc<Sizes>,
}

impl<D> Clone for BinanceMarket<D> {
    fn clone(&self) -> Self {
        Self { rest: Arc::clone(&self.rest), sizes: Arc::clone(&self.sizes) }
    }
}

impl<D: Dialer> BinanceMarket<D> {
    /// Makes no connection yet. Refuses addresses that were checked for another exchange.
    pub fn from_config(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        let limiter = RateLimiter::new(endpoints::POOLS, endpoints::ADDRESS_LIMIT);
        Self::limited_by(config, dialer, clock, Arc::new(limiter))
    }

    /// The other product for the same account and address: both are counted together.
    pub fn sibling(&self, config: VenueConfig) -> Result<Self, HostError> {
        let (dialer, clock) = (Arc::clone(&self.rest.dialer), Arc::clone(&self.rest.clock));
        Self::limited_by(config, dialer, clock, self.rest.limiter())
    }

    fn limited_by(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
        limiter: Arc<RateLimiter>,
    ) -> Result<Self, HostError> {
        if config.endpoints.exchange() != Exchange::Binance {
            return Err(HostError::WrongHost(config.endpoints.environment()));
        }
        let dialect = BinanceDialect { product: config.contract_type };
        let sizes = Arc::new(Sizes::new(config.contract_type));
        Ok(Self { rest: Arc::new(Rest::new(dialect, config, dialer, clock, limiter)), sizes })
    }

    /// Linear or inverse.
    fn product(&self) -> ContractType {
        self.rest.dialect.product
    }

    /// What is added to our clock to get Binance's, in milliseconds; 0 before the first reading.
    pub fn clock_offset_ms(&self) -> i64 {
        self.rest.venue_clock.offset_ms()
    }
}

/// Binance with a key.
pub struct Binance<D> {
    market: BinanceMarket<D>,
    signer: Arc<dyn Signer>,
    names: Arc<Names>,
}

impl<D> std::fmt::Debug for Binance<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binance").field("market", &self.market.rest).finish_non_exhaustive()
    }
}

impl<D> Clone for Binance<D> {
    fn clone(&self) -> Self {
        Self { market: self.market.clone(), signer: Arc::clone(&self.signer), names: Arc::clone(&self.names) }
    }
}

impl<D: Dialer> Binance<D> {
    /// Adds a key's rights to the public side.
    pub fn new(market: BinanceMarket<D>, signer: Arc<dyn Signer>) -> Self {
        Self { market, signer, names: Arc::default() }
    }
}
