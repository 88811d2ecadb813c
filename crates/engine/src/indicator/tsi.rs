//! True strength index: the twice smoothed change of the close against its twice smoothed size, −100 to 100.
//!
//! `100 * EMA(EMA(c, long), short) / EMA(EMA(|c|, long), short)` with the change `c`; the signal line is an EMA of it
//! (William Blau, Momentum, Direction, and Divergence, 1995). Every EMA starts from the mean of its first numbers, as
//! all of ours; implementations that start from the first number differ until that is forgotten. First value with candle
//! `long + short`, the signal line `signal - 1` later. A market that has not moved at all reads 0; one that has stood
//! still until nothing of its last changes is left keeps its value.

use serde::{Deserialize, Serialize};

use super::Ema;

/// The index and its signal line, −100 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TsiValue {
    /// The index.
    pub line: f64,
    /// Its average; `None` for its first `signal - 1` values.
    pub signal: Option<f64>,
}

/// The three lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TsiPeriods {
    /// Length of the first smoothing.
    pub long: u32,
    /// Length of the second smoothing.
    pub short: u32,
    /// Length of the signal line.
    pub signal: u32,
}

/// Two exponential averages, one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Twice {
    first: Ema,
    second: Ema,
}

impl Twice {
    fn new(periods: TsiPeriods) -> Self {
        Self { first: Ema::new(periods.long), second: Ema::new(periods.short) }
    }

    fn update(&mut self, value: f64) -> Option<f64> {
        let once = self.first.update(value)?;
        self.second.update(once)
    }
}

/// Changes of no more than this part of the price, smoothed, are the traces of long ago: no tick is as small.
const TRACES: f64 = 1e-12;

/// True strength index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tsi {
    previous: Option<f64>,
    line: f64,
    change: Twice,
    size: Twice,
    signal: Ema,
}

impl Tsi {
    /// Lines of the given lengths.
    pub fn new(periods: TsiPeriods) -> Self {
        Self {
            previous: None,
            line: 0.0,
            change: Twice::new(periods),
            size: Twice::new(periods),
            signal: Ema::new(periods.signal),
        }
    }

    /// Takes in a close; `None` for the first `long + short - 1`.
    pub fn update(&mut self, close: f64) -> Option<TsiValue> {
        let previous = self.previous.replace(close)?;
        let change = self.change.update(close - previous);
        let size = self.size.update((close - previous).abs());
        let (change, size) = (change?, size?);
        if size > TRACES * close {
            // Divided first, a market that only rises is at exactly 100.
            self.line = 100.0 * (change / size);
        }
        Some(TsiValue { line: self.line, signal: self.signal.update(self.line) })
    }
}
