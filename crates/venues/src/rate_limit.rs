//! Staying below a venue's request limits: a token bucket per limit of the venue and one for all calls together.
//!
//! The buckets start from the documented limits and are corrected by what the venue says in its answers. A share of
//! every bucket is kept for exits and cancels, so that they go first without a queue. Knows no venue's numbers and
//! no headers; those come from the adapter. Next: [`crate::transport::http`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What shares a limit, by a name of the venue's: at Bybit the path of a call, at Binance a pool.
pub type LimitName = &'static str;

/// What a call takes from a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// From which limit.
    pub name: LimitName,
    /// How much of it: requests, weight or whatever the venue counts.
    pub tokens: u32,
}

/// Who may take the last tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Orders that shrink a position and cancels: may use everything.
    Exit,
    /// All others: leave a quarter for exits.
    Normal,
}

/// How many requests in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests; 1 or more.
    pub requests: u32,
    /// In this time.
    pub per: Duration,
}

/// What a venue says about a limit in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitNews {
    /// Requests allowed per period.
    pub limit: u32,
    /// How many are left.
    pub left: u32,
    /// When the count starts over, from now.
    pub resets_in: Duration,
}

/// A venue never makes us wait longer for one limit than this or than the limit's own period, whichever is more; its
/// word beyond is not believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Bucket {
    capacity: u32,
    per: Duration,
    thousandths: u64,
    refilled: Instant,
    closed_until: Option<Instant>,
}

impl Bucket {
    fn new(limit: Limit, now: Instant) -> Self {
        let thousandths = u64::from(limit.requests) * 1_000;
        Self { capacity: limit.requests, per: limit.per, thousandths, refilled: now, closed_until: None }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled).as_micros();
        let full = u128::from(self.capacity) * 1_000;
        let gained = passed.saturating_mul(full) / self.per.as_micros().max(1);
        if gained > 0 {
            let sum = (u128::from(self.thousandths) + gained).min(full);
            self.thousandths = u64::try_from(sum).expect("at most a thousand times a u32");
            self.refilled = now;
        }
    }

    /// How long until so many tokens may be taken; zero when they may be taken now.
    fn wait(&self, tokens: u32, urgency: Urgency, now: Instant) -> Duration {
        let tokens = tokens.min(self.capacity);
        let reserve = match urgency {
            Urgency::Exit => 0,
            Urgency::Normal => (self.capacity / 4).min(self.capacity - tokens),
        };
        let needed = u64::from(reserve + tokens) * 1_000;
        let lacking = u128::from(needed.saturating_sub(self.thousandths));
        let micros = (lacking * self.per.as_micros()).div_ceil(u128::from(self.capacity) * 1_000);
        let for_tokens = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let closed = self.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        for_tokens.max(closed)
    }

    fn spend(&mut self, tokens: u32) {
        self.thousandths = self.thousandths.saturating_sub(u64::from(tokens) * 1_000);
    }

    /// Takes nothing away before this; bounded, so that a wrong word of a venue cannot silence us.
    fn close(&mut self, pause: Duration, now: Instant) {
        self.closed_until = Some(now + pause.min(self.per.max(LONGEST_PAUSE)));
    }
}

/// The limits of one key at one venue.
#[derive(Debug)]
pub struct RateLimiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    named: BTreeMap<LimitName, Bucket>,
    all: Bucket,
}

impl RateLimiter {
    /// Full buckets for these names and for all requests together. What has no name here counts only for all.
    pub fn new(named: impl IntoIterator<Item = (LimitName, Limit)>, all: Limit) -> Self {
        let now = Instant::now();
        let named = named.into_iter().map(|(name, limit)| (name, Bucket::new(limit, now))).collect();
        Self { state: Mutex::new(State { named, all: Bucket::new(all, now) }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The lock guards plain numbers; a panic elsewhere cannot leave them half written in a harmful way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the tokens of a call now, or says how long to wait for them. Names without a limit here cost nothing.
    pub fn try_take(&self, costs: &[Cost], urgency: Urgency, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let state = &mut *state;
        state.all.refill(now);
        // A ban of the address does not hold back an exit: at worst the venue refuses it once more.
        let mut wait = match urgency {
            Urgency::Exit => Duration::ZERO,
            Urgency::Normal => state.all.wait(1, urgency, now),
        };
        for cost in costs {
            if let Some(bucket) = state.named.get_mut(cost.name) {
                bucket.refill(now);
                wait = wait.max(bucket.wait(cost.tokens, urgency, now));
            }
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        state.all.spend(1);
        for cost in costs {
            if let Some(bucket) = state.named.get_mut(cost.name) {
                bucket.spend(cost.tokens);
            }
        }
        Ok(())
    }

    /// Whether the venue has said meanwhile that a call would be one too many. Asked again when a call's turn on its
    /// connection comes: many may have taken their tokens before the venue said so.
    pub fn is_closed(&self, costs: &[Cost], urgency: Urgency, now: Instant) -> bool {
        let state = self.state();
        let is_shut = |bucket: &Bucket| bucket.closed_until.is_some_and(|until| until > now);
        let for_all = match urgency {
            Urgency::Exit => false,
            Urgency::Normal => is_shut(&state.all),
        };
        for_all || costs.iter().filter_map(|cost| state.named.get(cost.name)).any(is_shut)
    }

    /// Waits for the tokens of a call, at most `patience` in all; otherwise says how much longer it would take.
    pub async fn take(&self, costs: &[Cost], urgency: Urgency, patience: Duration) -> Result<(), Duration> {
        let deadline = Instant::now() + patience;
        // Each turn either takes the tokens, gives up, or sleeps; sleeping ends at the deadline.
        loop {
            let now = Instant::now();
            match self.try_take(costs, urgency, now) {
                Ok(()) => return Ok(()),
                Err(wait) if now + wait > deadline => return Err(wait),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Corrects a limit by what the venue said.
    pub fn learn(&self, name: LimitName, news: LimitNews, now: Instant) {
        let mut state = self.state();
        let Some(bucket) = state.named.get_mut(name) else { return };
        if (1..=10_000).contains(&news.limit) {
            if news.limit > bucket.capacity {
                // More than we assumed: what is left of it is there already and need not be waited for.
                bucket.thousandths = u64::from(news.limit) * 1_000;
            }
            bucket.capacity = news.limit;
        }
        bucket.thousandths = bucket.thousandths.min(u64::from(news.left) * 1_000);
        if news.left == 0 {
            bucket.close(news.resets_in, now);
        }
    }

    /// The venue refused a request of this name as one too many.
    pub fn close_one(&self, name: LimitName, pause: Duration, now: Instant) {
        let mut state = self.state();
        if let Some(bucket) = state.named.get_mut(name) {
            bucket.thousandths = 0;
            bucket.refilled = now;
            bucket.close(pause, now);
        }
    }

    /// The venue refuses all requests of this address for a while.
    pub fn close_all(&self, pause: Duration, now: Instant) {
        self.state().all.closed_until = Some(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NAME: LimitName = "place";
    const PLACE: &[Cost] = &[Cost { name: NAME, tokens: 1 }];

    fn limiter() -> RateLimiter {
        RateLimiter::new(
            [(NAME, Limit { requests: 8, per: SECOND })],
            Limit { requests: 600, per: 5 * SECOND },
        )
    }

    #[test]
    fn entries_leave_a_quarter_for_exits() {
        let limiter = limiter();
        let now = Instant::now();
        let entries = (0..10).filter(|_| limiter.try_take(PLACE, Urgency::Normal, now).is_ok());
        assert_eq!(entries.count(), 6);
        let exits = (0..10).filter(|_| limiter.try_take(PLACE, Urgency::Exit, now).is_ok());
        assert_eq!(exits.count(), 2);
        let wait = limiter.try_take(PLACE, Urgency::Exit, now).unwrap_err();
        assert_eq!(wait, SECOND / 8);
        assert!(limiter.try_take(PLACE, Urgency::Exit, now + wait).is_ok());
    }

    #[test]
    fn the_venues_count_is_believed() {
        let limiter = limiter();
        let now = Instant::now();
        limiter.learn(NAME, LimitNews { limit: 8, left: 0, resets_in: SECOND / 2 }, now);
        assert_eq!(limiter.try_take(PLACE, Urgency::Exit, now), Err(SECOND / 2));
        assert!(limiter.try_take(PLACE, Urgency::Exit, now + SECOND / 2).is_ok());
    }

    #[test]
    fn a_greater_limit_than_assumed_is_there_at_once() {
        let limiter = limiter();
        let now = Instant::now();
        limiter.learn(NAME, LimitNews { limit: 8_000, left: 7_000, resets_in: SECOND }, now);
        let entries = (0..9_000).filter(|_| limiter.try_take(PLACE, Urgency::Normal, now).is_ok());
        assert_eq!(entries.count(), 600 - 150, "the limit of the address holds still");
    }

    #[test]
    fn a_ban_stops_everything_but_exits() {
        let limiter = limiter();
        let now = Instant::now();
        limiter.close_all(600 * SECOND, now);
        assert_eq!(limiter.try_take(&[], Urgency::Normal, now), Err(600 * SECOND));
        assert!(limiter.try_take(PLACE, Urgency::Exit, now).is_ok());
    }

    #[test]
    fn a_call_takes_from_every_pool_or_from_none() {
        let pools =
            [("weight", Limit { requests: 20, per: SECOND }), ("orders", Limit { requests: 2, per: SECOND })];
        let limiter = RateLimiter::new(pools, Limit { requests: 600, per: SECOND });
        let now = Instant::now();
        let cost = |name, tokens| Cost { name, tokens };
        let order = [cost("weight", 1), cost("orders", 1)];
        let heavy = [cost("weight", 12)];
        assert!(limiter.try_take(&order, Urgency::Exit, now).is_ok());
        assert!(limiter.try_take(&order, Urgency::Exit, now).is_ok());
        assert_eq!(limiter.try_take(&order, Urgency::Exit, now), Err(SECOND / 2));
        assert!(limiter.try_take(&heavy, Urgency::Normal, now).is_ok(), "a refused call has taken nothing");
        assert!(limiter.try_take(&heavy, Urgency::Normal, now).is_err());
        assert!(limiter.try_take(&[cost("weight", 6)], Urgency::Exit, now).is_ok());
        let huge = [cost("weight", 1_000)];
        assert!(
            limiter.try_take(&huge, Urgency::Normal, now + SECOND).is_ok(),
            "more than fits waits for a full one"
        );
    }

    #[test]
    fn what_waits_for_its_connection_hears_of_a_refusal() {
        let limiter = limiter();
        let now = Instant::now();
        let closed = |urgency| limiter.is_closed(PLACE, urgency, now);
        assert!(!closed(Urgency::Normal) && !closed(Urgency::Exit));
        limiter.close_all(SECOND, now);
        assert!(closed(Urgency::Normal) && !closed(Urgency::Exit), "exits go on under a ban");
        limiter.learn(NAME, LimitNews { limit: 8, left: 0, resets_in: SECOND }, now);
        assert!(closed(Urgency::Exit), "the venue's count is used up");
        assert!(!limiter.is_closed(PLACE, Urgency::Normal, now + SECOND));
        assert!(!limiter.is_closed(&[], Urgency::Exit, now), "of another limit");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_bounded() {
        let limiter = limiter();
        limiter.close_one(NAME, 3 * SECOND, Instant::now());
        let refused = limiter.take(PLACE, Urgency::Exit, SECOND).await;
        assert!(refused.is_err_and(|wait| wait >= 2 * SECOND));
        assert!(limiter.take(PLACE, Urgency::Exit, 4 * SECOND).await.is_ok());
    }
}
