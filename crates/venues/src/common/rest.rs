//! One call of a venue from question to checked answer: turn, signature, way, meaning.
//!
//! Repeats by itself only what is harmless: questions that failed on the way, and anything that was refused because of
//! our time stamp, after the clock was read again. An order goes out once. What differs between venues stands behind
//! [`Dialect`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyhold_domain::{RefusalCode, Timestamp};
use tokio::time::Instant;

use super::endpoint::{Endpoint, Host};
use crate::backoff::Backoff;
use crate::clock::{Clock, ClockReading, VenueClock};
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError};
use crate::hosts::Endpoints;
use crate::rate_limit::{LimitName, LimitNews, RateLimiter, Urgency};
use crate::settings::{Settings, VenueConfig};
use crate::signer::{HttpRequest, Intent, SignedRequest, Signer, SignerRefusal, Verb};
use crate::transport::{Dialer, HttpAnswer, HttpClient, HttpError, Lane};

/// How often the clock is read to get one trusted reading.
const CLOCK_ATTEMPTS: u32 = 3;

/// What a request waits after "too many requests" when the venue does not say how long.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// What a caller is told to wait before sending again.
pub const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A question that needs no key, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which call.
    pub endpoint: Endpoint,
    /// Its bytes.
    pub request: HttpRequest,
}

/// What differs between venues about calls.
pub trait Dialect: Send + Sync + 'static {
    /// The question for the venue's clock.
    fn clock_question(&self) -> Question;

    /// The venue's clock in the answer to it.
    fn read_clock(&self, answer: &HttpAnswer) -> Result<Timestamp, WireError>;

    /// Which call an intent becomes; refused when the venue has none.
    fn endpoint_of(&self, intent: &Intent) -> Result<Endpoint, SignerRefusal>;

    /// Says what an answer means for a call. `Ok`: it was done, and the body holds its result.
    fn judge(&self, endpoint: Endpoint, answer: &HttpAnswer) -> Result<(), VenueError>;

    /// What an answer says about limits; `now` is the venue's time.
    fn limit_news(
        &self,
        endpoint: Endpoint,
        answer: &HttpAnswer,
        now: Timestamp,
    ) -> Vec<(LimitName, LimitNews)>;

    /// How long a venue that has refused a request as one too many, or has banned our address, says to wait.
    fn pause(&self, answer: &HttpAnswer) -> Option<Duration>;

    /// How long a ban of our address lasts when the venue does not say.
    fn ban_pause(&self) -> Duration;

    /// Headers that are sent with every request and signed by none.
    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![]
    }
}

/// Everything needed to call a venue.
pub struct Rest<D, V> {
    /// What is the venue's own.
    pub dialect: V,
    /// Where.
    pub endpoints: Endpoints,
    /// Time limits.
    pub settings: Settings,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// The venue's clock.
    pub venue_clock: VenueClock,
    /// For streams.
    pub dialer: Arc<D>,
    http: HttpClient<D>,
    key_check: HttpClient<D>,
    limiter: Arc<RateLimiter>,
}

impl<D, V> std::fmt::Debug for Rest<D, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("exchange", &self.endpoints.exchange()).finish_non_exhaustive()
    }
}

/// Which connection and whose tokens a request takes.
#[derive(Debug, Clone, Copy)]
struct Way {
    lane: Lane,
    urgency: Urgency,
}

impl<D: Dialer, V: Dialect> Rest<D, V> {
    /// Makes no connection yet. Two products that a venue counts together are given the same limiter.
    pub fn new(
        dialect: V,
        config: VenueConfig,
        dialer: Arc<D>,
        clock: Arc<dyn Clock>,
        limiter: Arc<RateLimiter>,
    ) -> Self {
        let VenueConfig { contract_type: _, endpoints, settings } = config;
        let client = |base| HttpClient::new(Arc::clone(&dialer), base, settings.http);
        let (http, key_check) = (client(endpoints.rest().clone()), client(endpoints.key_check().clone()));
        let venue_clock = VenueClock::default();
        Self { dialect, endpoints, settings, clock, venue_clock, dialer, http, key_check, limiter }
    }

    /// For another product of the same venue that is counted together with this one.
    pub fn limiter(&self) -> Arc<RateLimiter> {
        Arc::clone(&self.limiter)
    }

    /// The venue's time now, as far as it is known.
    pub fn venue_now(&self) -> Timestamp {
        self.venue_clock.at(self.clock.now())
    }

    /// Waiting times for reconnections.
    pub fn backoff(&self) -> Backoff {
        let (least, most) = self.settings.backoff;
        Backoff::new(least, most, self.settings.seed)
    }

    /// Reads the venue's clock and corrects our offset.
    pub async fn read_clock(&self) -> Result<Timestamp, VenueError> {
        for _ in 0..CLOCK_ATTEMPTS {
            let asked = self.clock.now();
            let question = self.dialect.clock_question();
            let endpoint = question.endpoint;
            let answer = self.question(question).await?;
            let answered = self.clock.now();
            let venue = self.dialect.read_clock(&answer).map_err(|error| unreadable(endpoint, error))?;
            let reading = ClockReading { asked, venue, answered };
            if reading.is_trusted() {
                self.venue_clock.set(reading);
                return Ok(venue);
            }
        }
        Err(VenueError::not_sent(RETRY_AFTER, NotSentCause::Clock))
    }

    /// Reads the clock when the offset is missing or old.
    pub async fn ensure_venue_time(&self) -> Result<(), VenueError> {
        if self.venue_clock.is_stale(self.clock.now()) {
            self.read_clock().await?;
        }
        Ok(())
    }

    /// A question that needs no key.
    pub async fn market(&self, question: Question) -> Result<Bytes, VenueError> {
        self.question(question).await.map(|answer| answer.body)
    }

    async fn question(&self, question: Question) -> Result<HttpAnswer, VenueError> {
        let way = Way { lane: Lane::Market, urgency: Urgency::Normal };
        self.ask(question.endpoint, way, || Ok(self.with_headers(question.request.clone()))).await
    }

    /// A question about the account.
    pub async fn account(&self, signer: &dyn Signer, intent: &Intent) -> Result<Bytes, VenueError> {
        let endpoint = self.dialect.endpoint_of(intent).map_err(not_signed)?;
        self.ensure_clock().await?;
        let way = Way { lane: Lane::Account, urgency: Urgency::Normal };
        let answer = self.ask(endpoint, way, || self.signed(signer, intent)).await;
        if !self.was_late(&answer).await {
            return answer.map(|answer| answer.body);
        }
        self.ask(endpoint, way, || self.signed(signer, intent)).await.map(|answer| answer.body)
    }

    /// A change: sent once. Sent a second time only after the venue refused the first for its time stamp.
    pub async fn change(
        &self,
        signer: &dyn Signer,
        intent: &Intent,
        urgency: Urgency,
    ) -> Result<Bytes, VenueError> {
        let endpoint = self.dialect.endpoint_of(intent).map_err(not_signed)?;
        self.ensure_clock().await?;
        let lane = match urgency {
            Urgency::Exit => Lane::Exits,
            Urgency::Normal => Lane::Orders,
        };
        let way = Way { lane, urgency };
        let answer = self.once(endpoint, way, &|| self.signed(signer, intent)).await;
        if let Err(VenueError::Unknown { cause: UnknownCause::ServerError, .. }) = &answer {
            // A venue that gives up on a request because it came too late (OKX: 51149) may only seem to: our idea of its
            // clock may be wrong.
            self.venue_clock.doubt();
        }
        if !self.was_late(&answer).await {
            return answer.map(|answer| answer.body);
        }
        self.once(endpoint, way, &|| self.signed(signer, intent)).await.map(|answer| answer.body)
    }

    /// Reads the clock when the offset is missing or old. An old one is good enough when the clock cannot be read.
    async fn ensure_clock(&self) -> Result<(), VenueError> {
        match self.ensure_venue_time().await {
            Ok(()) => Ok(()),
            Err(_) if self.venue_clock.is_measured() => Ok(()),
            // What failed is the reading of the clock; the request itself never left.
            Err(VenueError::Unknown { .. }) => Err(VenueError::not_sent(RETRY_AFTER, NotSentCause::Clock)),
            Err(error @ (VenueError::Refused { .. } | VenueError::NotSent { .. })) => Err(error),
        }
    }

    /// Whether it was refused for its time stamp and the clock has been read again since.
    async fn was_late(&self, answer: &Result<HttpAnswer, VenueError>) -> bool {
        let refusal = answer.as_ref().err().and_then(VenueError::refusal);
        refusal == Some(RefusalCode::ClockSkew) && self.read_clock().await.is_ok()
    }

    fn signed(&self, signer: &dyn Signer, intent: &Intent) -> Result<HttpRequest, NotSentCause> {
        match signer.sign(intent, self.venue_now()).map_err(NotSentCause::Signer)? {
            SignedRequest::Http(request) => Ok(self.with_headers(request)),
            SignedRequest::Login(_) => Err(NotSentCause::Signer(SignerRefusal::NotOffered)),
        }
    }

    fn with_headers(&self, mut request: HttpRequest) -> HttpRequest {
        request.headers.extend(self.dialect.headers());
        request
    }

    /// A question, repeated when it failed on the way.
    async fn ask(
        &self,
        endpoint: Endpoint,
        way: Way,
        prepare: impl Fn() -> Result<HttpRequest, NotSentCause> + Send + Sync,
    ) -> Result<HttpAnswer, VenueError> {
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
    ) -> Result<HttpAnswer, VenueError> {
        let costs = endpoint.costs();
        let turn = self.limiter.take(&costs, way.urgency, self.settings.limit_patience).await;
        turn.map_err(|wait| VenueError::not_sent(wait, NotSentCause::RateLimit))?;
        let client = match endpoint.host {
            Host::Rest => &self.http,
            Host::KeyCheck => &self.key_check,
        };
        // The turn on the connection may come long after the turn under the limits.
        let still_allowed = || {
            if self.limiter.is_closed(&costs, way.urgency, Instant::now()) {
                Err(NotSentCause::RateLimit)
            } else {
                prepare()
            }
        };
        let answer = client.send(way.lane, &still_allowed).await.map_err(|error| match error {
            HttpError::NotSent(cause) => VenueError::not_sent(RETRY_AFTER, cause),
            HttpError::Unknown(cause) => VenueError::unknown(endpoint.doing, cause),
        })?;
        let news = self.dialect.limit_news(endpoint, &answer, self.venue_now());
        for (name, news) in &news {
            self.limiter.learn(name, *news, Instant::now());
        }
        let judged = self.dialect.judge(endpoint, &answer);
        match judged.as_ref().err().and_then(VenueError::refusal) {
            Some(RefusalCode::RateLimited) => {
                let pause = self.dialect.pause(&answer);
                let told = news.iter().map(|(_, news)| news.resets_in.max(RETRY_AFTER)).max();
                let pause = pause.or(told).unwrap_or(DEFAULT_PAUSE);
                for cost in &costs {
                    self.limiter.close_one(cost.name, pause, Instant::now());
                }
            }
            Some(RefusalCode::IpBanned) => {
                let pause = self.dialect.pause(&answer).unwrap_or(self.dialect.ban_pause());
                self.limiter.close_all(pause, Instant::now());
            }
            Some(_) | None => {}
        }
        judged.map(|()| answer)
    }
}

/// A header's value as a whole number.
pub fn whole_header(answer: &HttpAnswer, name: &str) -> Option<i64> {
    answer.headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `Retry-After` in seconds.
pub fn retry_after(answer: &HttpAnswer) -> Option<Duration> {
    whole_header(answer, "retry-after")
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(Duration::from_secs)
}

/// What the signer would not sign.
pub fn not_signed(refusal: SignerRefusal) -> VenueError {
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
