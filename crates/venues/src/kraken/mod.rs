//! Kraken Futures: linear (`PF_`, multi-collateral) and inverse (`PI_`, single-collateral) perpetual contracts.
//!
//! The way of a call: [`render`] writes it, the program's signer signs it, [`crate::common::rest`] carries it,
//! [`refusals`] says what the answer means, [`wire`] reads it, [`convert`] makes it ours. [`KrakenMarket`] needs no key,
//! [`Kraken`] adds what a key allows. Streams: [`market_stream`], [`account_stream`].
//!
//! Peculiar to Kraken: `success` is said of refused orders, too; there are no candles on the stream; fills over REST may
//! lack their fee; positions are always net and margin follows from an instrument's leverage.

pub mod account;
pub mod account_stream;
pub mod convert;
pub mod convert_market;
pub mod endpoints;
pub mod lookup;
pub mod market;
pub mod market_stream;
pub mod memory;
pub mod orders;
pub mod refusals;
pub mod render;
pub mod rest;
pub mod stream;
pub mod wire;
pub mod wire_market;

use std::sync::Arc;

use keyhold_domain::{ContractType, Exchange};

use crate::clock::Clock;
use crate::common::rest::Rest;
use crate::hosts::HostError;
use crate::rate_limit::RateLimiter;
use crate::settings::VenueConfig;
use crate::signer::Signer;
use crate::transport::Dialer;
use memory::{KnownEnds, KnownFees, Outcomes};
use rest::KrakenDialect;

/// Kraken's public side.
#[derive(Debug)]
pub struct KrakenMarket<D> {
    rest: Arc<Rest<D, KrakenDialect>>,
}

impl<D> Clone for KrakenMarket<D> {
    fn clone(&self) -> Self {
        Self { rest: Arc::clone(&self.rest) }
    }
}

impl<D: Dialer> KrakenMarket<D> {
    /// Makes no connection yet. Refuses addresses that were checked for another exchange.
    pub fn from_config(
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, HostError> {
        if config.endpoints.exchange() != Exchange::KrakenFutures {
            return Err(HostError::WrongHost(config.endpoints.environment()));
        }
        let limiter = Arc::new(RateLimiter::new(endpoints::limits(), endpoints::ADDRESS_LIMIT));
        let dialect = KrakenDialect { product: config.contract_type };
        Ok(Self { rest: Arc::new(Rest::new(dialect, config, dialer, clock, limiter)) })
    }

    /// Linear or inverse.
    fn product(&self) -> ContractType {
        self.rest.dialect.product
    }
}

/// Kraken with a key.
pub struct Kraken<D> {
    market: KrakenMarket<D>,
    signer: Arc<dyn Signer>,
    /// Ends of orders that were told in the answer to their sending; the account's stream tells them on.
    outcomes: Arc<Outcomes>,
    /// Fees that the stream or the account's log has told.
    fees: Arc<KnownFees>,
    /// Ends of orders that the history has told.
    ends: KnownEnds,
}

impl<D> std::fmt::Debug for Kraken<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kraken").field("market", &self.market.rest).finish_non_exhaustive()
    }
}

impl<D: Dialer> Kraken<D> {
    /// Adds a key's rights to the public side.
    pub fn new(market: KrakenMarket<D>, signer: Arc<dyn Signer>) -> Self {
        Self { market, signer, outcomes: Arc::default(), fees: Arc::default(), ends: KnownEnds::default() }
    }
}
