//! BitMEX's dialect of calls: clock, verdicts, limits. The way of a call is that of all venues: [`crate::common::rest`].

use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::Timestamp;

use super::BitmexMarket;
use super::endpoints::{self, Endpoint};
use super::refusals;
use super::render::{self, MarketQuery, Rendered};
use crate::common::rest::{Dialect, Question, retry_after, whole_header};
use crate::error::{VenueError, WireError};
use crate::rate_limit::{LimitName, LimitNews};
use crate::signer::{Intent, SignerRefusal};
use crate::transport::{Dialer, HttpAnswer};

/// What BitMEX's calls need to know: nothing. Linear and inverse contracts are called alike.
#[derive(Debug, Clone, Copy)]
pub struct BitmexDialect;

fn question(query: &MarketQuery) -> Question {
    let unsigned = render::render_market(query);
    Question { endpoint: unsigned.endpoint, request: render::plain(&unsigned) }
}

impl Dialect for BitmexDialect {
    fn clock_question(&self) -> Question {
        question(&MarketQuery::Time)
    }

    /// The `Date` header has whole seconds; the middle of the second is at most half a second off, which the seconds of
    /// `expires` bear.
    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError> {
        const WHAT: &str = "answer's head";
        let date = answer.headers.get("date").ok_or(WireError::Missing { what: WHAT, field: "date" })?;
        let at = date.to_str().ok().and_then(http_date);
        let wrong = WireError::Invalid { what: WHAT, field: "date", expected: "a date of HTTP" };
        at.map(|at| at.plus_ms(500)).ok_or(wrong)
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

    /// `x-ratelimit-limit`, `-remaining` and `-reset` (seconds of BitMEX's clock) tell of the minute,
    /// `x-ratelimit-remaining-1s` of the second's order calls.
    fn limit_news(
        &self,
        endpoint: Endpoint,
        answer: &HttpAnswer,
        now: Timestamp,
    ) -> Vec<(LimitName, LimitNews)> {
        let count = |name: &str| whole_header(answer, name).and_then(|value| u32::try_from(value).ok());
        let minute = || {
            let resets_at = whole_header(answer, "x-ratelimit-reset")?.checked_mul(1_000)?;
            let resets_in = u64::try_from(resets_at.saturating_sub(now.ms()).max(0)).ok()?;
            let news = LimitNews {
                limit: count("x-ratelimit-limit")?,
                left: count("x-ratelimit-remaining")?,
                resets_in: Duration::from_millis(resets_in),
            };
            Some((endpoint.pools.first()?.name, news))
        };
        let second = || {
            let left = count("x-ratelimit-remaining-1s")?;
            let pool = endpoint.pools.iter().find(|pool| pool.name == endpoints::ORDER_CALLS)?;
            // How many there are in all is not told; a greater number left means a greater limit.
            Some((pool.name, LimitNews { limit: left.max(10), left, resets_in: Duration::from_secs(1) }))
        };
        minute().into_iter().chain(second()).collect()
    }

    fn pause(&self, answer: &HttpAnswer) -> Option<Duration> {
        retry_after(answer)
    }

    fn ban_pause(&self) -> Duration {
        endpoints::BAN_PAUSE
    }
}

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split(' ').skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

impl<D: Dialer> BitmexMarket<D> {
    /// A question that needs no key.
    pub(super) async fn ask(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        self.rest.market(question(query)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_heads_are_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_ms(784_111_777_000)));
        for wrong in ["", "Sun", "Sun, 06 Foo 1994 08:49:37 GMT", "06 Nov 1994"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }
}
