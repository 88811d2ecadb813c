//! How often something may be tried: a bounded table of token buckets.
//!
//! Held in memory. When the table is full, buckets that have refilled go first; if none has, the attempt is refused,
//! so that filling the table does not lift the limit.

use std::collections::BTreeMap;
use std::sync::Mutex;

use keyhold_domain::Timestamp;

use crate::http::problem::Problem;

/// Buckets kept at most.
const MAX_BUCKETS: usize = 20_000;

/// A rate: `burst` attempts at once, one more every `refill_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) burst: i64,
    pub(crate) refill_ms: i64,
}

/// Sign-in and identity checks of one account from one address: 5 a minute, 10 at once.
pub(crate) const ACCOUNT: Rate = Rate { burst: 10, refill_ms: 12_000 };
/// The same from one address, whichever account: 30 a minute.
pub(crate) const ADDRESS: Rate = Rate { burst: 30, refill_ms: 2_000 };
/// The same for one account, from wherever: one every 3 seconds after 20.
pub(crate) const ACCOUNT_ANYWHERE: Rate = Rate { burst: 20, refill_ms: 3_000 };
/// Claiming: 5 a minute in all, from wherever.
pub(crate) const CLAIM: Rate = Rate { burst: 5, refill_ms: 12_000 };
/// New accounts from one address: 5 an hour after 10.
pub(crate) const REGISTER: Rate = Rate { burst: 10, refill_ms: 720_000 };
/// Connection tests of one workspace: 6 a minute.
pub(crate) const KEY_TEST: Rate = Rate { burst: 6, refill_ms: 10_000 };

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    /// When each bucket will be full again.
    buckets: Mutex<BTreeMap<(&'static str, String), Timestamp>>,
}

impl Limiter {
    /// Takes one attempt, or says how long to wait.
    pub(crate) fn take(
        &self,
        what: &'static str,
        who: &str,
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = (what, who.to_owned());
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= MAX_BUCKETS {
                return Err(Problem::too_many(60));
            }
        }
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now);
        let next = full_at.plus_ms(rate.refill_ms);
        let excess_ms = next.since_ms(now) - rate.burst * rate.refill_ms;
        if excess_ms > 0 {
            return Err(Problem::too_many(u64::try_from(excess_ms.div_euclid(1000) + 1).unwrap_or(1)));
        }
        buckets.insert(key, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let limiter = Limiter::default();
        let rate = Rate { burst: 3, refill_ms: 1_000 };
        let at = Timestamp::from_ms;
        let take = |ms| limiter.take("t", "who", rate, at(ms)).is_ok();
        assert!(take(0) && take(0) && take(0));
        assert!(!take(0));
        assert!(!take(999));
        assert!(take(1_000));
        assert!(!take(1_000));
        assert!(limiter.take("t", "other", rate, at(1_000)).is_ok(), "others are not affected");
    }
}
