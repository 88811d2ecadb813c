//! Highest and lowest of the last `n` numbers, the newest included, in amortized constant time.
//!
//! A queue of candidates is kept in falling (rising) order: a number that is older and not higher than a newer one
//! can never be the highest again (the ascending-minima algorithm, Richard Harter, 2001). First value with number `n`.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The candidates with the position at which each was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Candidates {
    period: u64,
    seen: u64,
    queue: VecDeque<(u64, f64)>,
}

impl Candidates {
    fn new(period: u32) -> Self {
        let capacity = usize::try_from(period).unwrap_or(0) + 1;
        Self { period: u64::from(period.max(1)), seen: 0, queue: VecDeque::with_capacity(capacity) }
    }

    /// `beaten(old, new)` says whether an older number cannot be the answer any more.
    fn update(&mut self, value: f64, beaten: impl Fn(f64, f64) -> bool) -> Option<f64> {
        while self.queue.back().is_some_and(|(_, old)| beaten(*old, value)) {
            self.queue.pop_back();
        }
        self.queue.push_back((self.seen, value));
        self.seen += 1;
        if self.queue.front().is_some_and(|(position, _)| position + self.period < self.seen) {
            self.queue.pop_front();
        }
        if self.seen < self.period { None } else { self.queue.front().map(|(_, best)| *best) }
    }

    fn age(&self) -> u32 {
        let newest = self.seen.saturating_sub(1);
        let age = self.queue.front().map_or(0, |(position, _)| newest - position);
        u32::try_from(age).unwrap_or(u32::MAX)
    }
}

/// The highest of the last `n` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollingHigh(Candidates);

impl RollingHigh {
    /// Over `period` numbers.
    pub fn new(period: u32) -> Self {
        Self(Candidates::new(period))
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.0.update(value, |old, new| old <= new)
    }

    /// How many numbers ago the highest was seen, 0 for the newest; of equal ones the newest counts.
    pub fn age(&self) -> u32 {
        self.0.age()
    }
}

/// The lowest of the last `n` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollingLow(Candidates);

impl RollingLow {
    /// Over `period` numbers.
    pub fn new(period: u32) -> Self {
        Self(Candidates::new(period))
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.0.update(value, |old, new| old >= new)
    }

    /// How many numbers ago the lowest was seen, 0 for the newest; of equal ones the newest counts.
    pub fn age(&self) -> u32 {
        self.0.age()
    }
}
