//! The one place in this program that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use keyhold_domain::Timestamp;

/// Where the time comes from. Tests give their own.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[allow(clippy::disallowed_methods, reason = "the program's only reading of the clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl keyhold_venues::Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}
