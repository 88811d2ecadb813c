//! The only place of this program that reads the clock. Everything else is given an instant or asks here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyhold_domain::Timestamp;

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system.
    #[default]
    System,
    /// The system, moved forward by a number of milliseconds that a test sets.
    Moved(Arc<AtomicI64>),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system(),
            Self::Moved(by) => system().plus_ms(by.load(Ordering::SeqCst)),
        }
    }
}

/// How long something takes, for people who wait for it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn system() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::EPOCH.plus(since_epoch.unwrap_or_default())
}
