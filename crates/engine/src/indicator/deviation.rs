//! Mean and population standard deviation of the last `n` numbers.
//!
//! `sqrt(sum((x - m)^2) / n)`, as TA-Lib `STDDEV` and Bollinger's own definition. Computed afresh from the window on
//! every number, with the newest number as origin (Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance,
//! 1983): nothing can drift, huge moves leave no trace once they fall out, and a flat window gives exactly zero.

use serde::{Deserialize, Serialize};

use super::Window;

/// Where the window's numbers lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their population standard deviation; zero when all are equal.
    pub deviation: f64,
    /// The newest number minus the mean.
    pub newest_from_mean: f64,
}

impl Spread {
    /// The newest number's distance from the mean in deviations (z-score); 0 when all are equal.
    pub fn score(self) -> f64 {
        if self.deviation > 0.0 { self.newest_from_mean / self.deviation } else { 0.0 }
    }
}

/// Mean and standard deviation of the last `n` numbers; costs `n` steps per number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    count: f64,
    window: Window,
}

/// Independent partial sums let the processor work on several numbers at once.
const LANES: usize = 4;

impl Deviation {
    /// Over `period` numbers.
    pub fn new(period: u32) -> Self {
        Self { count: f64::from(period.max(1)), window: Window::new(period) }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<Spread> {
        self.window.push(value);
        if !self.window.is_full() {
            return None;
        }
        let (sum, squares) = moments(self.window.values(), value);
        let shift = sum / self.count;
        let variance = ((squares - sum * shift) / self.count).max(0.0);
        Some(Spread { mean: value + shift, deviation: variance.sqrt(), newest_from_mean: -shift })
    }
}

/// Sum of the distances from `origin` and of their squares.
fn moments(values: &[f64], origin: f64) -> (f64, f64) {
    let mut sums = [0.0; LANES];
    let mut squares = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in chunk.iter().enumerate() {
            let distance = value - origin;
            sums[lane] += distance;
            squares[lane] += distance * distance;
        }
    }
    let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    let mut square = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    for value in rest {
        let distance = value - origin;
        sum += distance;
        square += distance * distance;
    }
    (sum, square)
}
