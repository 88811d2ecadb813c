//! The keeper's two clocks: wall time for records and the audit file, monotonic time for everything that expires.
//! The only file of this program that reads them.

use std::time::{Duration, Instant};

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01 UTC; may jump.
    pub wall_ms: u64,
    /// Since the program started; never jumps. Expiry is judged by this one.
    pub running: Duration,
}

/// Tells the time.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Now;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the program's one reader of the clock")]
    fn now(&self) -> Now {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Now { wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), running: self.started.elapsed() }
    }
}
