//! The last `period` numbers, and a running sum of them that does not drift.

use serde::{Deserialize, Serialize};

/// A sliding window. Never holds more than `period` numbers; no allocation after it has been made.
///
/// A ring whose position is saved with it: sums over [`Self::values`] run in the same order, and so give the same
/// bits, before and after a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    period: usize,
    /// Where the next number goes once the ring is full: the place of the oldest.
    next: usize,
    values: Vec<f64>,
}

impl Window {
    /// An empty window; a period of 0 counts as 1.
    pub fn new(period: u32) -> Self {
        let period = usize::try_from(period.max(1)).unwrap_or(usize::MAX);
        Self { period, next: 0, values: Vec::with_capacity(period) }
    }

    /// Takes in a number and gives back the one that fell out.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        if !self.is_full() {
            self.values.push(value);
            return None;
        }
        let place = if self.next < self.values.len() { self.next } else { 0 };
        self.next = place + 1;
        self.values.get_mut(place).map(|slot| std::mem::replace(slot, value))
    }

    /// How many numbers it holds when it is full.
    pub const fn period(&self) -> usize {
        self.period
    }

    /// Whether it holds `period` numbers.
    pub fn is_full(&self) -> bool {
        self.values.len() >= self.period
    }

    /// The oldest number held.
    pub fn oldest(&self) -> Option<f64> {
        self.values.get(self.next).or_else(|| self.values.first()).copied()
    }

    /// All numbers, the oldest first.
    pub fn in_time(&self) -> impl Iterator<Item = f64> + '_ {
        let (newer, older) = self.values.split_at(self.next.min(self.values.len()));
        older.iter().chain(newer).copied()
    }

    /// All numbers, in the ring's order and not in that of time.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

/// A sum to which numbers are added and from which they are taken away for years without drifting: the rounding error
/// of every addition is computed exactly and kept (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunningSum {
    sum: f64,
    error: f64,
}

impl RunningSum {
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let part = sum - self.sum;
        self.error += (self.sum - (sum - part)) + (value - part);
        self.sum = sum;
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.error
    }
}
