//! OKX's dialect of calls: clock, verdicts, the header that chooses the demo world. The way of a call is that of all
//! venues: [`crate::common::rest`].

use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{ContractType, Environment, Timestamp};

use super::OkxMarket;
use super::convert_market::server_time;
use super::endpoints;
use super::refusals;
use super::render::{self, MarketQuery, Rendered};
use super::wire;
use crate::common::endpoint::Endpoint;
use crate::common::rest::{Dialect, Question, retry_after};
use crate::error::{VenueError, WireError};
use crate::rate_limit::{LimitName, LimitNews};
use crate::signer::{Intent, SignerRefusal};
use crate::transport::{Dialer, HttpAnswer};

/// What OKX's calls need to know.
#[derive(Debug, Clone, Copy)]
pub struct OkxDialect {
    /// Linear or inverse.
    pub product: ContractType,
    /// Live or demo: both are at one address.
    pub environment: Environment,
}

fn question(query: &MarketQuery) -> Question {
    let unsigned = render::render_market(query);
    Question { endpoint: unsigned.endpoint, request: render::plain(&unsigned) }
}

impl Dialect for OkxDialect {
    fn clock_question(&self) -> Question {
        question(&MarketQuery::Time)
    }

    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError> {
        wire::first("time", &answer.body).and_then(|row| server_time(&row))
    }

    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, SignerRefusal> {
        match render::render(intent)? {
            Rendered::Request(unsigned) => Ok(unsigned.endpoint),
            Rendered::Login => Err(SignerRefusal::NotOffered),
        }
    }

    fn judge(&self, endpoint: Endpoint, answer: &HttpAnswer) -> Result<(), VenueError> {
        refusals::judge(endpoint, answer.status, &answer.body)
    }

    /// OKX tells nothing of limits in its answers.
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

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self.environment {
            Environment::Live => vec![],
            Environment::Testnet | Environment::Simulated => vec![("x-simulated-trading", "1".to_owned())],
        }
    }
}

impl<D: Dialer> OkxMarket<D> {
    /// A question that needs no key.
    pub(super) async fn ask(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        self.rest.market(question(query)).await
    }
}
