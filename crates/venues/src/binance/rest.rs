//! Binance's dialect of calls: clock, verdicts, limits. The way of a call is that of all venues: [`crate::common::rest`].
//!
//! USD-M and COIN-M share their limits since June 2026; both products of a program are given the same limiter.

use std::time::Duration;

use keyhold_domain::{ContractType, Timestamp};

use super::endpoints::{self, Call};
use super::refusals;
use super::render::{self, MarketQuery};
use super::wire::{self, WireTime};
use crate::common::endpoint::{Endpoint, Host};
use crate::common::rest::{Dialect, Question, retry_after, whole_header};
use crate::error::{VenueError, WireError};
use crate::rate_limit::{LimitName, LimitNews};
use crate::signer::{Intent, SignerRefusal};
use crate::transport::HttpAnswer;

/// What Binance's calls need to know.
#[derive(Debug, Clone, Copy)]
pub struct BinanceDialect {
    /// Linear (USD-M) or inverse (COIN-M).
    pub product: ContractType,
}

impl BinanceDialect {
    /// A call of this product.
    pub const fn endpoint(self, call: Call) -> Endpoint {
        endpoints::endpoint(self.product, call)
    }
}

/// The header by which each pool is told, as the number used so far.
const USED: [(LimitName, &str); 3] = [
    (endpoints::WEIGHT, "x-mbx-used-weight-1m"),
    (endpoints::ORDERS_10S, "x-mbx-order-count-10s"),
    (endpoints::ORDERS_1M, "x-mbx-order-count-1m"),
];

impl Dialect for BinanceDialect {
    fn clock_question(&self) -> Question {
        render::question(self.product, &MarketQuery::Time)
    }

    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError> {
        let time: WireTime<'_> = wire::json("time", &answer.body)?;
        time.at.get("time", "serverTime")
    }

    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, SignerRefusal> {
        render::render(self.product, intent).map(|unsigned| unsigned.endpoint)
    }

    fn judge(&self, endpoint: Endpoint, answer: &HttpAnswer) -> Result<(), VenueError> {
        refusals::judge(endpoint, answer.status, &answer.body)
    }

    /// What all requests together have used of each pool. Pools are counted by the clock's minute and ten seconds.
    fn limit_news(
        &self,
        endpoint: Endpoint,
        answer: &HttpAnswer,
        now: Timestamp,
    ) -> Vec<(LimitName, LimitNews)> {
        // The wallet's host counts for itself.
        if endpoint.host == Host::KeyCheck {
            return vec![];
        }
        let news = |(name, header): &(LimitName, &str)| {
            let used = u32::try_from(whole_header(answer, header)?).ok()?;
            let (_, limit) = endpoints::POOLS.into_iter().find(|(pool, _)| pool == name)?;
            let period = i64::try_from(limit.per.as_millis()).ok()?;
            let resets_in = period - now.ms().rem_euclid(period);
            let left = limit.requests.saturating_sub(used);
            let resets_in = Duration::from_millis(u64::try_from(resets_in).ok()?);
            Some((*name, LimitNews { limit: limit.requests, left, resets_in }))
        };
        USED.iter().filter_map(news).collect()
    }

    fn pause(&self, answer: &HttpAnswer) -> Option<Duration> {
        retry_after(answer)
    }

    fn ban_pause(&self) -> Duration {
        endpoints::BAN_PAUSE
    }
}
