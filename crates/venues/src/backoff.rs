//! Waiting times between attempts: doubling, bounded, with seeded jitter so that many bots do not come back at once.
//!
//! Knows nothing about what is retried. The seed comes from the program; the same seed gives the same waits.

use std::time::Duration;

/// A sequence of waiting times.
#[derive(Debug, Clone)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
    state: u64,
}

impl Backoff {
    /// Starts at `least` and doubles up to `most`.
    pub fn new(least: Duration, most: Duration, seed: u64) -> Self {
        Self { least, most, next: least, state: seed }
    }

    /// The next wait: between half and the whole of the current step.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.most);
        let half = step / 2;
        let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_millis(self.draw() % span)
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.next = self.least;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough for jitter.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_and_repeat_with_the_seed() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), seed);
            (0..10).map(|_| backoff.next_wait()).collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        for (n, wait) in waits(7).into_iter().enumerate() {
            let step = Duration::from_millis(100 << n.min(5)).min(Duration::from_secs(2));
            assert!(wait >= step / 2 && wait <= step, "wait {n} was {wait:?}, step {step:?}");
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 1);
        for _ in 0..8 {
            backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }
}
