//! One call of Bybit's API from question to checked answer: turn, signature, way, meaning.
//!
//! Repeats by itself only what is harmless: questions that failed on the way, and anything that was refused because of
//! our time stamp, after the clock was read again. An order goes out once. Next: [`super::refusals`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{ContractType, RefusalCode, Timestamp};
use tokio::time::Instant;

use super::convert_market::server_time;
use super::endpoints::{self, Endpoint};
use super::refusals::judge;
use super::render::{self, MarketQuery, Rendered};
use super::wire;
use crate::backoff::Backoff;
use crate::clock::{Clock, ClockReading, VenueClock};
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError};
use crate::hosts::Endpoints;
use crate::rate_limit::{LimitNews, RateLimiter, Urgency};
use crate::settings::{Settings, VenueConfig};
use crate::signer::{HttpRequest, Intent, SignedRequest, Signer, SignerRefusal, Verb};
use crate::transport::{Dialer, HttpAnswer, HttpClient, HttpError, Lane};

/// How often the clock is read to get one trusted reading.
const CLOCK_ATTEMPTS: u32 = 3;

/// What a request waits after "too many requests" when the venue does not say how long.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// What a caller is told to wait before sending again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Everything needed to call Bybit.
pub struct Rest<D> {
    /// Linear or inverse.
    pub product: ContractType,
    /// Where.
    pub endpoints: Endpoints,
    /// Time limits.
    pub settings: Settings,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// Bybit's clock.
    pub venue_clock: VenueClock,
    /// For streams.
    pub dialer: Arc<D>,
    http: HttpClient<D>,
    limiter: RateLimiter,
}

impl<D> std::fmt::Debug for Rest<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("product", &self.product).finish_non_exhaustive()
    }
}

/// Which connection and whose tokens a request takes.
#[derive(Debug, Clone, Copy)]
struct Way {
    lane: Lane,
    urgency: Urgency,
}

impl<D: Dialer> Rest<D> {
    /// Makes no connection yet.
    pub fn new(config: VenueConfig, dialer: Arc<D>, clock: Arc<dyn Clock>) -> Self {
        let VenueConfig { contract_type: product, endpoints, settings } = config;
        let http = HttpClient::new(Arc::clone(&dialer), endpoints.rest().clone(), settings.http);
        let limiter = RateLimiter::new(endpoints::limits(), endpoints::ADDRESS_LIMIT);
        let venue_clock = VenueClock::default();
        Self { product, endpoints, settings, clock, venue_clock, dialer, http, limiter }
    }

    /// Bybit's time now, as far as it is known.
    pub fn venue_now(&self) -> Timestamp {
        self.venue_clock.at(self.clock.now())
    }

    /// Waiting times for reconnections.
    pub fn backoff(&self) -> Backoff {
        let (least, most) = self.settings.backoff;
        Backoff::new(least, most, self.settings.seed)
    }

    /// Reads Bybit's clock and corrects our offset.
    pub async fn read_clock(&self) -> Result<Timestamp, VenueError> {
        for _ in 0..CLOCK_ATTEMPTS {
            let asked = self.clock.now();
            let body = self.market(&MarketQuery::Time).await?;
            let answered = self.clock.now();
            let venue = wire::result("time", &body)
                .and_then(|row| server_time(&row))
                .map_err(|error| unreadable(endpoints::TIME, error))?;
            let reading = ClockReading { asked, venue, answered };
            if reading.is_trusted() {
                self.venue_clock.set(reading);
                return Ok(venue);
            }
        }
        Err(VenueError::not_sent(RETRY_AFTER, NotSentCause::Clock))
    }

    /// A question that needs no key.
    pub async fn market(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        let unsigned = render::render_market(self.product, query);
        let endpoint = unsigned.endpoint;
        let way = Way { lane: Lane::Market, urgency: Urgency::Normal };
        self.ask(endpoint, way, || Ok(render::plain(&unsigned))).await
    }

    /// A question about the account.
    pub async fn account(&self, signer: &dyn Signer, intent: &Intent) -> Result<Bytes, VenueError> {
        let endpoint = self.endpoint_of(intent)?;
        self.ensure_clock().await?;
        let way = Way { lane: Lane::Account, urgency: Urgency::Normal };
        let answer = self.ask(endpoint, way, || self.signed(signer, intent)).await;
        if !self.was_late(&answer).await {
            return answer;
        }
        self.ask(endpoint, way, || self.signed(signer, intent)).await
    }

    /// A change: sent once. Sent a second time only after Bybit refused the first for its time stamp.
    pub async fn change(
        &self,
        signer: &dyn Signer,
        intent: &Intent,
        urgency: Urgency,
    ) -> Result<Bytes, VenueError> {
        let endpoint = self.endpoint_of(intent)?;
        self.ensure_clock().await?;
        let lane = match urgency {
            Urgency::Exit => Lane::Exits,
            Urgency::Normal => Lane::Orders,
        };
        let way = Way { lane, urgency };
        let answer = self.once(endpoint, way, &|| self.signed(signer, intent)).await;
        if !self.was_late(&answer).await {
            return answer;
        }
        self.once(endpoint, way, &|| self.signed(signer, intent)).await
    }

    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, VenueError> {
        match render::render(self.product, intent).map_err(not_signed)? {
            Rendered::Request(unsigned) => Ok(unsigned.endpoint),
            Rendered::Login => Err(not_signed(SignerRefusal::NotOffered)),
        }
    }

    /// Reads the clock when the offset is missing or old. An old one is good enough when the clock cannot be read.
    async fn ensure_clock(&self) -> Result<(), VenueError> {
        if !self.venue_clock.is_stale(self.clock.now()) {
            return Ok(());
        }
        match self.read_clock().await {
            Ok(_) => Ok(()),
            Err(_) if self.venue_clock.is_measured() => Ok(()),
            // What failed is the reading of the clock; the request itself never left.
            Err(VenueError::Unknown { .. }) => Err(VenueError::not_sent(RETRY_AFTER, NotSentCause::Clock)),
            Err(error @ (VenueError::Refused { .. } | VenueError::NotSent { .. })) => Err(error),
        }
    }

    /// Whether it was refused for its time stamp and the clock has been read again since.
    async fn was_late(&self, answer: &Result<Bytes, VenueError>) -> bool {
        let refusal = answer.as_ref().err().and_then(VenueError::refusal);
        refusal == Some(RefusalCode::ClockSkew) && self.read_clock().await.is_ok()
    }

    fn signed(&self, signer: &dyn Signer, intent: &Intent) -> Result<HttpRequest, NotSentCause> {
        match signer.sign(intent, self.venue_now()).map_err(NotSentCause::Signer)? {
            SignedRequest::Http(request) => Ok(request),
            SignedRequest::Login(_) => Err(NotSentCause::Signer(SignerRefusal::NotOffered)),
        }
    }

    /// A question, repeated when it failed on the way.
    async fn ask(
        &self,
        endpoint: Endpoint,
        way: Way,
        prepare: impl Fn() -> Result<HttpRequest, NotSentCause> + Send + Sync,
    ) -> Result<Bytes, VenueError> {
        debug_assert_eq!(endpoint.verb, Verb::Get, "only questions are repeated");
        let mut backoff = self.backoff();
        let mut answer = self.once(endpoint, way, &prepare).await;
        for _ in 1..self.settings.read_attempts {
            match &answer {
                Err(error) if is_passing(error) => tokio::time::sleep(backoff.next_wait()).await,
                Ok(_) | Err(_) => break,
            }
            answer = self.once(endpoint, way, &prepare).await;
        }
        answer
    }

    async fn once(
        &self,
        endpoint: Endpoint,
        way: Way,
        prepare: &(impl Fn() -> Result<HttpRequest, NotSentCause> + Send + Sync),
    ) -> Result<Bytes, VenueError> {
        let turn = self.limiter.take(endpoint.path, way.urgency, self.settings.limit_patience).await;
        turn.map_err(|wait| VenueError::not_sent(wait, NotSentCause::RateLimit))?;
        let sent = self.http.send(way.lane, prepare).await;
        let answer = sent.map_err(|error| match error {
            HttpError::NotSent(cause) => VenueError::not_sent(RETRY_AFTER, cause),
            HttpError::Unknown(cause) => VenueError::unknown(endpoint.doing, cause),
        })?;
        let news = self.limit_news(&answer);
        if let Some(news) = news {
            self.limiter.learn(endpoint.path, news, Instant::now());
        }
        let judged = judge(endpoint, answer.status, &answer.body);
        match judged.as_ref().err().and_then(VenueError::refusal) {
            Some(RefusalCode::RateLimited) => {
                let pause = news.map_or(DEFAULT_PAUSE, |news| news.resets_in.max(RETRY_AFTER));
                self.limiter.close_one(endpoint.path, pause, Instant::now());
            }
            Some(RefusalCode::IpBanned) => self.limiter.close_all(endpoints::BAN_PAUSE, Instant::now()),
            Some(_) | None => {}
        }
        judged.map(|()| answer.body)
    }

    /// `X-Bapi-Limit`, `-Status` (left) and `-Reset-Timestamp` (milliseconds, Bybit's clock).
    fn limit_news(&self, answer: &HttpAnswer) -> Option<LimitNews> {
        let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
        let resets_at = number("x-bapi-limit-reset-timestamp")?;
        let resets_in = resets_at.saturating_sub(self.venue_now().ms()).max(0);
        Some(LimitNews {
            limit: u32::try_from(number("x-bapi-limit")?).ok()?,
            left: u32::try_from(number("x-bapi-limit-status")?).ok()?,
            resets_in: Duration::from_millis(u64::try_from(resets_in).ok()?),
        })
    }
}

fn not_signed(refusal: SignerRefusal) -> VenueError {
    VenueError::not_sent(RETRY_AFTER, NotSentCause::Signer(refusal))
}

/// An answer that could not be read. Whether the request was a question or a change, what it did is unknown to us.
pub fn unreadable(endpoint: Endpoint, error: WireError) -> VenueError {
    VenueError::unknown(endpoint.doing, UnknownCause::Unreadable(error))
}

/// Whether asking again may help.
fn is_passing(error: &VenueError) -> bool {
    match error {
        VenueError::Refused { code, .. } => {
            matches!(code, RefusalCode::RateLimited | RefusalCode::Overloaded)
        }
        VenueError::Unknown { cause, .. } => match cause {
            UnknownCause::TimedOut | UnknownCause::ConnectionLost | UnknownCause::ServerError => true,
            UnknownCause::TooLarge
            | UnknownCause::Unreadable(_)
            | UnknownCause::NotAsked
            | UnknownCause::TooManyPages => false,
        },
        VenueError::NotSent { cause, .. } => match cause {
            NotSentCause::Resolve
            | NotSentCause::Connect
            | NotSentCause::Tls
            | NotSentCause::Closed
            | NotSentCause::Busy
            | NotSentCause::RateLimit => true,
            NotSentCause::Clock | NotSentCause::Signer(_) | NotSentCause::RangeTooLarge => false,
        },
    }
}
