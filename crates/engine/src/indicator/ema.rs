//! Exponential averages: `e += k * (x - e)`, seeded with the mean of the first `n` numbers.
//!
//! `k = 2 / (n + 1)` gives the EMA (TA-Lib `EMA`), `k = 1 / n` Wilder's average (RMA; J. Welles Wilder, New Concepts in
//! Technical Trading Systems, 1978). First value with the n-th number. pandas' `ewm` seeds with the first number
//! instead and differs until the seed is forgotten.

use serde::{Deserialize, Serialize};

/// The shared recursion: count up a sum, then smooth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Smoothing {
    period: u32,
    factor: f64,
    seen: u32,
    /// The sum of the numbers seen while seeding, the average afterwards.
    value: f64,
}

impl Smoothing {
    fn update(&mut self, value: f64) -> Option<f64> {
        if self.seen >= self.period {
            self.value += self.factor * (value - self.value);
            return Some(self.value);
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.period {
            return None;
        }
        self.value /= f64::from(self.period);
        Some(self.value)
    }
}

/// Exponential moving average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ema(Smoothing);

impl Ema {
    /// An average over `period` numbers.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        Self(Smoothing { period, factor: 2.0 / (f64::from(period) + 1.0), seen: 0, value: 0.0 })
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.0.update(value)
    }
}

/// Wilder's moving average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rma(Smoothing);

impl Rma {
    /// An average over `period` numbers.
    pub fn new(period: u32) -> Self {
        let period = period.max(1);
        Self(Smoothing { period, factor: 1.0 / f64::from(period), seen: 0, value: 0.0 })
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.0.update(value)
    }
}
