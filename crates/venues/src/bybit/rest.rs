//! Bybit's dialect of calls: clock, verdicts, limits. The way of a call is that of all venues: [`crate::common::rest`].

use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{ContractType, Timestamp};

use super::BybitMarket;
use super::convert_market::server_time;
use super::endpoints::{self, Endpoint};
use super::refusals;
use super::render::{self, MarketQuery, Rendered};
use super::wire;
use crate::common::rest::{Dialect, Question, whole_header};
use crate::error::{VenueError, WireError};
use crate::rate_limit::{LimitName, LimitNews};
use crate::signer::{Intent, SignerRefusal};
use crate::transport::{Dialer, HttpAnswer};

/// What Bybit's calls need to know.
#[derive(Debug, Clone, Copy)]
pub struct BybitDialect {
    /// Linear or inverse.
    pub product: ContractType,
}

impl BybitDialect {
    fn question(self, query: &MarketQuery) -> Question {
        let unsigned = render::render_market(self.product, query);
        Question { endpoint: unsigned.endpoint, request: render::plain(&unsigned) }
    }
}

impl Dialect for BybitDialect {
    fn clock_question(&self) -> Question {
        self.question(&MarketQuery::Time)
    }

    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError> {
        wire::result("time", &answer.body).and_then(|row| server_time(&row))
    }

    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, SignerRefusal> {
        match render::render(self.product, intent)? {
            Rendered::Request(unsigned) => Ok(unsigned.endpoint),
            Rendered::Login => Err(SignerRefusal::NotOffered),
        }
    }

    fn judge(&self, endpoint: Endpoint, answer: &HttpAnswer) -> Result<(), VenueError> {
        refusals::judge(endpoint, answer.status, &answer.body)
    }

    /// `X-Bapi-Limit`, `-Status` (left) and `-Reset-Timestamp` (milliseconds, Bybit's clock).
    fn limit_news(
        &self,
        endpoint: Endpoint,
        answer: &HttpAnswer,
        now: Timestamp,
    ) -> Vec<(LimitName, LimitNews)> {
        let news = || {
            let resets_at = whole_header(answer, "x-bapi-limit-reset-timestamp")?;
            let resets_in = resets_at.saturating_sub(now.ms()).max(0);
            Some(LimitNews {
                limit: u32::try_from(whole_header(answer, "x-bapi-limit")?).ok()?,
                left: u32::try_from(whole_header(answer, "x-bapi-limit-status")?).ok()?,
                resets_in: Duration::from_millis(u64::try_from(resets_in).ok()?),
            })
        };
        news().map(|news| (endpoint.path, news)).into_iter().collect()
    }

    fn pause(&self, _answer: &HttpAnswer) -> Option<Duration> {
        None
    }

    fn ban_pause(&self) -> Duration {
        endpoints::BAN_PAUSE
    }
}

impl<D: Dialer> BybitMarket<D> {
    /// A question that needs no key.
    pub(super) async fn ask(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        self.rest.market(self.rest.dialect.question(query)).await
    }
}
