//! The one place of this program that reads clocks.

use std::sync::Arc;
use std::time::Instant;

use keyhold_domain::Timestamp;

/// Where wall-clock time comes from. Signatures and rate limits are judged by it; candles, orders and fills carry
/// the replay's own time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(now)
}

#[allow(clippy::disallowed_methods, reason = "the program's one read of the wall clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::EPOCH.plus(since.unwrap_or_default())
}

/// A moment to measure durations by, which no setting of the clock moves.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
