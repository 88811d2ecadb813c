//! OKX, v5 API: linear and inverse perpetual contracts with one net position per instrument.
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`crate::common::rest`] carries it in
//! [`rest`]'s dialect, [`refusals`] says what the answer means, [`wire`] reads it, [`convert`] makes it ours. What is
//! special here: OKX counts contracts ([`sizes`]), keeps orders that wait for a trigger in a book of their own
//! ([`bodies::Book`]), and is told the margin mode with each order. [`OkxMarket`] needs no key, [`Okx`] adds what a key
//! allows. Streams: [`market_stream`], [`account_stream`].

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
pub mod sizes;
pub mod stream;
pub mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhold_domain::{ClientOrderId, ContractType, Exchange, MarginMode, VenueOrderId};

use crate::clock::Clock;
use crate::common::rest::Rest;
use crate::hosts::HostError;
use crate::rate_limit::RateLimiter;
use crate::settings::VenueConfig;
use crate::signer::Signer;
use crate::transport::Dialer;
use rest::OkxDialect;
use sizes::Sizes;

/// OKX's public side.
#[derive(Debug)]
pub struct OkxMarket<D> {
    rest: Arc<Rest<D, OkxDialect>>,
    sizes: Arc<Mutex<Arc<Sizes>>>,
}

impl<D> Clone for OkxMarket<D> {
    fn clone(&self) -> Self {
        Self { rest: Arc::clone(&self.rest), sizes: Arc::clone(&self.sizes) }
    }
}

/// The locks here guard plain values that are replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Dialer> OkxMarket<D> {
    /// Makes no connection yet. Refuses addresses that were checked for another exchange.
    pub fn from_config(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        let environment = config.endpoints.environment();
        if config.endpoints.exchange() != Exchange::Okx {
            return Err(HostError::WrongHost(environment));
        }
        let limiter = Arc::new(RateLimiter::new(endpoints::limits(), endpoints::ADDRESS_LIMIT));
        let dialect = OkxDialect { product: config.contract_type, environment };
        let rest = Arc::new(Rest::new(dialect, config, dialer, clock, limiter));
        Ok(Self { rest, sizes: Arc::default() })
    }

    /// Linear or inverse.
    fn product(&self) -> ContractType {
        self.rest.dialect.product
    }
}

/// OKX with a key.
pub struct Okx<D> {
    market: OkxMarket<D>,
    signer: Arc<dyn Signer>,
    /// The margin mode that is told with each order. Isolated until it is set.
    margin: Mutex<MarginMode>,
    /// Which stop of ours a venue's order came from; `None` for orders of others.
    owners: Mutex<BTreeMap<VenueOrderId, Option<ClientOrderId>>>,
}

impl<D> std::fmt::Debug for Okx<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Okx").field("market", &self.market.rest).finish_non_exhaustive()
    }
}

impl<D: Dialer> Okx<D> {
    /// Adds a key's rights to the public side.
    pub fn new(market: OkxMarket<D>, signer: Arc<dyn Signer>) -> Self {
        Self { market, signer, margin: Mutex::new(MarginMode::Isolated), owners: Mutex::default() }
    }
}
