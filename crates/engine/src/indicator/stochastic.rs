//! Stochastic oscillator: where the close lies between the lowest low and the highest high, smoothed twice.
//!
//! George Lane, Lane's Stochastics, 1984. Raw %K = `100 * (close − low(n)) / (high(n) − low(n))`, %K = SMA of it, %D =
//! SMA of %K. Agrees with TA-Lib `STOCH` (simple averages) and pandas-ta. A window without any range reads 50, neither
//! end; TA-Lib gives 0 there, which would look oversold.

use serde::{Deserialize, Serialize};

use super::{Market, Measured, RollingHigh, RollingLow, Sma};
use crate::input::Ohlcv;

/// A range of no more than this part of its top is what rounding makes of none, for example in a relative strength index
/// while the market stands still. A range of one tick is many times larger.
const ROUNDING: f64 = 1e-12;

/// Where a number lies in the range of the last `n`: 0 at its bottom, 100 at its top, 50 in a range of nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangePosition {
    high: RollingHigh,
    low: RollingLow,
}

impl RangePosition {
    /// In the range of `period` candles.
    pub fn new(period: u32) -> Self {
        Self { high: RollingHigh::new(period), low: RollingLow::new(period) }
    }

    /// Takes in the newest high and low and the number to place; `None` for the first `period - 1`.
    pub fn update(&mut self, high: f64, low: f64, value: f64) -> Option<Measured> {
        let high = self.high.update(high);
        let low = self.low.update(low);
        let (high, low) = (high?, low?);
        let range = high - low;
        Some(if range > ROUNDING * high.abs() {
            Measured::moving(100.0 * ((value - low) / range))
        } else {
            Measured::still(50.0)
        })
    }
}

/// The two lines, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochasticValue {
    /// %K, the faster line.
    pub k: f64,
    /// %D, its average; `None` for its first `signal - 1` values.
    pub d: Option<f64>,
    /// Whether the newest candle's range was one.
    pub market: Market,
}

/// The three lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StochasticPeriods {
    /// Candles of the range.
    pub range: u32,
    /// Raw positions averaged into %K; 1 leaves them raw.
    pub smooth: u32,
    /// Values of %K averaged into %D.
    pub signal: u32,
}

/// Stochastic oscillator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stochastic {
    position: RangePosition,
    k: Sma,
    d: Sma,
}

impl Stochastic {
    /// Lines of the given lengths.
    pub fn new(periods: StochasticPeriods) -> Self {
        Self {
            position: RangePosition::new(periods.range),
            k: Sma::new(periods.smooth),
            d: Sma::new(periods.signal),
        }
    }

    /// Takes in a candle; `None` for the first `range + smooth - 2`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<StochasticValue> {
        self.place(candle.high, candle.low, candle.close)
    }

    /// The same of any series, whose range is that of the numbers themselves.
    pub fn update_number(&mut self, value: f64) -> Option<StochasticValue> {
        self.place(value, value, value)
    }

    fn place(&mut self, high: f64, low: f64, value: f64) -> Option<StochasticValue> {
        let raw = self.position.update(high, low, value)?;
        let k = self.k.update(raw.value)?;
        Some(StochasticValue { k, d: self.d.update(k), market: raw.market })
    }
}
