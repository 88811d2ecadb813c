//! Stochastic RSI: where the relative strength index lies in its own range, smoothed twice.
//!
//! Tushar Chande and Stanley Kroll, The New Technical Trader, 1994. Agrees with TA-Lib `STOCHRSI`, whose %K is the raw
//! position (smoothing 1). An index that has not moved reads 50; TA-Lib gives 0 there.

use serde::{Deserialize, Serialize};

use super::{Rsi, Stochastic, StochasticPeriods, StochasticValue};

/// Stochastic oscillator of the relative strength index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StochRsi {
    rsi: Rsi,
    stochastic: Stochastic,
}

impl StochRsi {
    /// An index over `rsi_period` changes, with lines of the given lengths.
    pub fn new(rsi_period: u32, periods: StochasticPeriods) -> Self {
        Self { rsi: Rsi::new(rsi_period), stochastic: Stochastic::new(periods) }
    }

    /// Takes in a close; `None` for the first `rsi_period + range + smooth - 2`.
    pub fn update(&mut self, close: f64) -> Option<StochasticValue> {
        let rsi = self.rsi.update(close)?;
        self.stochastic.update_number(rsi)
    }
}
