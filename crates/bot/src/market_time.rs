//! What time it is for the engine.
//!
//! At live and test venues that is the machine's time. A simulated venue replays another time, perhaps faster and perhaps
//! step by step; there, time is what the newest news says plus what has passed since. Pure: the caller brings both clocks.

use std::time::Duration;

use keyhold_domain::{Environment, Timestamp};
use tokio::time::Instant;

/// The market's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketTime {
    /// The machine's own.
    Real,
    /// A replay's.
    Replay {
        /// Of the newest news; the epoch before the first.
        newest: Timestamp,
        /// When it came.
        heard: Instant,
    },
}

impl MarketTime {
    /// For an environment.
    pub fn of(environment: Environment, instant: Instant) -> Self {
        match environment {
            Environment::Live | Environment::Testnet => Self::Real,
            Environment::Simulated => Self::Replay { newest: Timestamp::EPOCH, heard: instant },
        }
    }

    /// News of the market with its time.
    pub fn hear(&mut self, at: Timestamp, instant: Instant) {
        if let Self::Replay { newest, heard } = self
            && at > *newest
        {
            (*newest, *heard) = (at, instant);
        }
    }

    /// Now.
    pub fn now(self, machine: Timestamp, instant: Instant) -> Timestamp {
        match self {
            Self::Real => machine,
            Self::Replay { newest, heard } => newest.plus(instant.saturating_duration_since(heard)),
        }
    }

    /// The newest instant that the market itself has told; `None` before it told any.
    pub fn told(self, machine: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Real => Some(machine),
            Self::Replay { newest, .. } => (newest > Timestamp::EPOCH).then_some(newest),
        }
    }

    /// When a candle counts as taken up: never before its close, and in a replay exactly then.
    pub fn taken_up(self, close: Timestamp, machine: Timestamp) -> Timestamp {
        match self {
            Self::Real => close.max(machine),
            Self::Replay { .. } => close,
        }
    }

    /// How long until an instant of the market; zero when it has passed.
    pub fn until(self, at: Timestamp, machine: Timestamp, instant: Instant) -> Duration {
        let left = at.since_ms(self.now(machine, instant));
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// Whether time passes by itself, so that silence means something.
    pub const fn flows(self) -> bool {
        matches!(self, Self::Real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_goes_by_its_own_news() {
        let at = Timestamp::from_ms;
        let start = Instant::now();
        let mut time = MarketTime::of(Environment::Simulated, start);
        assert_eq!(time.now(at(9_000_000), start), Timestamp::EPOCH, "our clock says nothing about a replay");
        time.hear(at(1_000), start);
        time.hear(at(500), start + Duration::from_secs(1));
        let later = start + Duration::from_secs(2);
        assert_eq!(time.now(at(9_000_000), later), at(3_000), "older news changes nothing");
        assert_eq!(time.until(at(3_500), at(0), later), Duration::from_millis(500));
        assert_eq!(time.until(at(2_000), at(0), later), Duration::ZERO);
        assert_eq!(time.taken_up(at(60_000), at(9_000_000)), at(60_000));
        assert_eq!(MarketTime::Real.taken_up(at(60_000), at(60_250)), at(60_250));
    }
}
