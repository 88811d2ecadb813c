//! Moving average convergence/divergence: EMA(fast) − EMA(slow), its EMA (the signal line), and their difference.
//!
//! Gerald Appel, 1979. Seeding: each EMA starts from the mean of its own first numbers, as in pandas-ta and the
//! reference column `ref.MACD_12_26_9`. TA-Lib starts the fast EMA later, at the slow one's first value; the
//! two agree to double precision after some hundred candles.

use serde::{Deserialize, Serialize};

use super::Ema;

/// The two lines, in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacdValue {
    /// EMA(fast) − EMA(slow).
    pub line: f64,
    /// EMA of the line; `None` for its first `signal - 1` values.
    pub signal: Option<f64>,
}

/// Both averages and the signal line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

/// The three lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacdPeriods {
    /// Length of the fast average.
    pub fast: u32,
    /// Length of the slow average.
    pub slow: u32,
    /// Length of the signal line.
    pub signal: u32,
}

impl Macd {
    /// Lines of the given lengths.
    pub fn new(periods: MacdPeriods) -> Self {
        Self { fast: Ema::new(periods.fast), slow: Ema::new(periods.slow), signal: Ema::new(periods.signal) }
    }

    /// Takes in a close; `None` until both averages exist.
    pub fn update(&mut self, close: f64) -> Option<MacdValue> {
        let fast = self.fast.update(close);
        let slow = self.slow.update(close);
        let line = fast? - slow?;
        Some(MacdValue { line, signal: self.signal.update(line) })
    }
}
