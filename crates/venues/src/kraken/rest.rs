//! Kraken's dialect of calls: clock, verdicts. The way of a call is that of all venues: [`crate::common::rest`].

use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{ContractType, Timestamp};

use super::KrakenMarket;
use super::endpoints::{self, Endpoint};
use super::refusals;
use super::render::{self, MarketQuery, Rendered};
use super::wire::{self, WireHead};
use crate::common::rest::{Dialect, Question, retry_after};
use crate::error::{VenueError, WireError};
use crate::rate_limit::{LimitName, LimitNews};
use crate::signer::{Intent, SignerRefusal};
use crate::transport::{Dialer, HttpAnswer};

/// What Kraken's calls need to know.
#[derive(Debug, Clone, Copy)]
pub struct KrakenDialect {
    /// Linear or inverse.
    pub product: ContractType,
}

impl KrakenDialect {
    fn question(query: &MarketQuery) -> Question {
        let unsigned = render::render_market(query);
        Question { endpoint: unsigned.endpoint, request: render::plain(&unsigned) }
    }
}

impl Dialect for KrakenDialect {
    fn clock_question(&self) -> Question {
        Self::question(&MarketQuery::Time)
    }

    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError> {
        wire::json::<WireHead<'_>>("time", &answer.body)?.server_time.get("time", "serverTime")
    }

    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, SignerRefusal> {
        // The instant changes nothing about which call it is.
        match render::render(intent, Timestamp::EPOCH)? {
            Rendered::Request(unsigned) => Ok(unsigned.endpoint),
            Rendered::Challenge | Rendered::Answer(_) => Err(SignerRefusal::NotOffered),
        }
    }

    fn judge(&self, endpoint: Endpoint, answer: &HttpAnswer) -> Result<(), VenueError> {
        refusals::judge(endpoint, answer.status, &answer.body)
    }

    /// Kraken's answers tell nothing about limits.
    fn limit_news(
        &self,
        _endpoint: Endpoint,
        _answer: &HttpAnswer,
        _now: Timestamp,
    ) -> Vec<(LimitName, LimitNews)> {
        vec![]
    }

    fn pause(&self, answer: &HttpAnswer) -> Option<Duration> {
        retry_after(answer)
    }

    fn ban_pause(&self) -> Duration {
        endpoints::BAN_PAUSE
    }
}

impl<D: Dialer> KrakenMarket<D> {
    /// A question that needs no key.
    pub(super) async fn ask(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        self.rest.market(KrakenDialect::question(query)).await
    }
}
