//! The two clocks an adapter needs: ours, handed in by the program, and the venue's, measured.
//!
//! Nothing here reads the system's time; the program implements [`Clock`]. Waiting uses tokio's timers, which
//! measure durations and not instants. Next: [`crate::port`].

use std::sync::atomic::{AtomicI64, Ordering};

use keyhold_domain::Timestamp;

/// The time of day, as far as this machine knows it.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// Round trips longer than this are not trusted for measuring the offset.
pub const LONGEST_TRUSTED_ROUND_TRIP_MS: i64 = 2_000;

/// How old a measured offset may get before it is measured again.
pub const OFFSET_LIFETIME_MS: i64 = 30 * 60 * 1_000;

/// Marks an offset that was never measured.
const NEVER: i64 = i64::MIN;

/// One reading of the venue's clock between two readings of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Our clock before the question.
    pub asked: Timestamp,
    /// The venue's clock in its answer.
    pub venue: Timestamp,
    /// Our clock when the answer was there.
    pub answered: Timestamp,
}

impl ClockReading {
    /// Milliseconds between question and answer; negative when our clock was set back meanwhile.
    pub const fn round_trip_ms(self) -> i64 {
        self.answered.since_ms(self.asked)
    }

    /// What to add to our clock to get the venue's, assuming that the way there took as long as the way back.
    /// Off by at most half the round trip.
    pub const fn offset_ms(self) -> i64 {
        self.venue.since_ms(self.asked) - self.round_trip_ms() / 2
    }

    /// Whether the reading is good enough to sign with.
    pub const fn is_trusted(self) -> bool {
        let round_trip = self.round_trip_ms();
        round_trip >= 0 && round_trip <= LONGEST_TRUSTED_ROUND_TRIP_MS
    }
}

/// The venue's clock: ours plus a measured offset.
#[derive(Debug)]
pub struct VenueClock {
    offset_ms: AtomicI64,
    measured_at_ms: AtomicI64,
}

impl Default for VenueClock {
    fn default() -> Self {
        Self { offset_ms: AtomicI64::new(0), measured_at_ms: AtomicI64::new(NEVER) }
    }
}

impl VenueClock {
    /// The venue's time when ours is `local`.
    pub fn at(&self, local: Timestamp) -> Timestamp {
        local.plus_ms(self.offset_ms.load(Ordering::Relaxed))
    }

    /// What is added to our clock, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }

    /// Whether the offset was never measured or is too old. A clock set back by the system also asks for it.
    pub fn is_stale(&self, local: Timestamp) -> bool {
        let measured = self.measured_at_ms.load(Ordering::Relaxed);
        measured == NEVER || !(0..OFFSET_LIFETIME_MS).contains(&local.ms().saturating_sub(measured))
    }

    /// Whether there is any measured offset, old or new.
    pub fn is_measured(&self) -> bool {
        self.measured_at_ms.load(Ordering::Relaxed) != NEVER
    }

    /// Something happened that a wrong offset explains: it is measured again before it is used next.
    pub fn doubt(&self) {
        // An offset that was never measured stays so: nothing may be signed with it.
        if self.is_measured() {
            self.measured_at_ms.store(NEVER + 1, Ordering::Relaxed);
        }
    }

    /// Takes over a reading.
    pub fn set(&self, reading: ClockReading) {
        self.offset_ms.store(reading.offset_ms(), Ordering::Relaxed);
        self.measured_at_ms.store(reading.answered.ms(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(asked: i64, venue: i64, answered: i64) -> ClockReading {
        ClockReading {
            asked: Timestamp::from_ms(asked),
            venue: Timestamp::from_ms(venue),
            answered: Timestamp::from_ms(answered),
        }
    }

    #[test]
    fn offset_is_taken_at_the_middle_of_the_round_trip() {
        assert_eq!(reading(1_000, 5_050, 1_100).offset_ms(), 4_000);
        assert_eq!(reading(10_000, 7_000, 10_000).offset_ms(), -3_000);
        assert!(!reading(0, 0, LONGEST_TRUSTED_ROUND_TRIP_MS + 1).is_trusted());
        assert!(!reading(10, 0, 0).is_trusted());
    }

    #[test]
    fn an_offset_ages() {
        let clock = VenueClock::default();
        assert!(clock.is_stale(Timestamp::from_ms(0)));
        clock.set(reading(1_000, 5_050, 1_100));
        assert!(!clock.is_stale(Timestamp::from_ms(1_100)));
        assert!(clock.is_stale(Timestamp::from_ms(1_100 + OFFSET_LIFETIME_MS)));
        assert!(clock.is_stale(Timestamp::from_ms(0)), "our clock was set back");
        assert_eq!(clock.at(Timestamp::from_ms(2_000)), Timestamp::from_ms(6_000));
    }

    #[test]
    fn a_doubted_offset_is_measured_again_and_serves_until_then() {
        let clock = VenueClock::default();
        clock.doubt();
        assert!(!clock.is_measured(), "doubt measures nothing");
        clock.set(reading(1_000, 5_050, 1_100));
        clock.doubt();
        assert!(clock.is_stale(Timestamp::from_ms(1_100)) && clock.is_measured());
        assert_eq!(clock.offset_ms(), 4_000);
        clock.set(reading(2_000, 2_000, 2_000));
        assert!(!clock.is_stale(Timestamp::from_ms(2_100)));
    }
}
