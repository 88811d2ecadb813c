//! The last `period` numbers, and a running sum of them that does not drift.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A sliding window. Never holds more than `period` numbers; no allocation after it has been made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    period: usize,
    values: VecDeque<f64>,
}

impl Window {
    /// An empty window; a period of 0 counts as 1.
    pub fn new(period: u32) -> Self {
        let period = usize::try_from(period.max(1)).unwrap_or(usize::MAX);
        Self { period, values: VecDeque::with_capacity(period) }
    }

    /// Takes in a number and gives back the one that fell out.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let evicted = if self.is_full() { self.values.pop_front() } else { None };
        self.values.push_back(value);
        evicted
    }

    /// Whether it holds `period` numbers.
    pub fn is_full(&self) -> bool {
        self.values.len() >= self.period
    }

    /// The oldest number held.
    pub fn oldest(&self) -> Option<f64> {
        self.values.front().copied()
    }

    /// All numbers in two pieces, oldest first.
    pub fn as_slices(&self) -> (&[f64], &[f64]) {
        self.values.as_slices()
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
