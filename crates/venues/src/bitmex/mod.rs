//! BitMEX, v1 API: linear and inverse perpetual contracts with one net position. The venue closed on 2026-09-23; it is
//! spoken to in the simulated environment only ([`crate::hosts`] has no address of it).
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`crate::common::rest`] carries it,
//! [`refusals`] says what the answer means, [`wire`] reads it, [`convert`] makes it ours. BitMEX counts in contracts and
//! minor units: [`contracts`]. Its streams are tables: [`image`]. Its candles: [`bins`]. [`BitmexMarket`] needs no key,
//! [`Bitmex`] adds what a key allows.

pub mod account;
pub mod account_stream;
pub mod bins;
pub mod bodies;
pub mod contracts;
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod image;
pub mod market;
pub mod market_stream;
pub mod orders;
pub mod refusals;
pub mod render;
pub mod rest;
pub mod stream;
pub mod wire;

use std::sync::{Arc, PoisonError, RwLock};

use keyhold_domain::{ContractType, Exchange};

use crate::clock::Clock;
use crate::common::rest::Rest;
use crate::hosts::HostError;
use crate::rate_limit::RateLimiter;
use crate::settings::VenueConfig;
use crate::signer::Signer;
use crate::transport::Dialer;
use contracts::Contracts;
use rest::BitmexDialect;

/// BitMEX's public side.
#[derive(Debug)]
pub struct BitmexMarket<D> {
    rest: Arc<Rest<D, BitmexDialect>>,
    product: ContractType,
    /// What the contracts of this product are worth; empty before they were read.
    contracts: Arc<RwLock<Arc<Contracts>>>,
}

impl<D> Clone for BitmexMarket<D> {
    fn clone(&self) -> Self {
        let (rest, contracts) = (Arc::clone(&self.rest), Arc::clone(&self.contracts));
        Self { rest, product: self.product, contracts }
    }
}

impl<D: Dialer> BitmexMarket<D> {
    /// Makes no connection yet. Refuses addresses that were checked for another exchange.
    pub fn from_config(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        if config.endpoints.exchange() != Exchange::Bitmex {
            return Err(HostError::WrongHost(config.endpoints.environment()));
        }
        let product = config.contract_type;
        let limiter = Arc::new(RateLimiter::new(endpoints::limits(), endpoints::ADDRESS_LIMIT));
        let rest = Arc::new(Rest::new(BitmexDialect, config, dialer, clock, limiter));
        Ok(Self { rest, product, contracts: Arc::default() })
    }

    /// What is known of the contracts now.
    fn known_contracts(&self) -> Arc<Contracts> {
        // A panic elsewhere cannot leave a pointer half written.
        Arc::clone(&self.contracts.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn_contracts(&self, contracts: Contracts) {
        *self.contracts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(contracts);
    }
}

/// BitMEX with a key.
pub struct Bitmex<D> {
    market: BitmexMarket<D>,
    signer: Arc<dyn Signer>,
}

impl<D> std::fmt::Debug for Bitmex<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bitmex").field("market", &self.market.rest).finish_non_exhaustive()
    }
}

impl<D: Dialer> Bitmex<D> {
    /// Adds a key's rights to the public side.
    pub fn new(market: BitmexMarket<D>, signer: Arc<dyn Signer>) -> Self {
        Self { market, signer }
    }
}
