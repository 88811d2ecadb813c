//! Candles: open, high, low, close and volume of one interval.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Price, Timeframe, Timestamp};

/// One closed or forming interval of trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Start of the interval.
    pub open_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price; not below any other.
    pub high: Price,
    /// Lowest price; not above any other.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Traded volume in the unit of the venue; zero or more.
    #[serde(with = "crate::money::decimal_text")]
    pub volume: Decimal,
}

/// Why five numbers are not a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CandleError {
    /// The high lies below the open, low or close.
    #[error("the high is below another price of the candle")]
    HighTooLow,
    /// The low lies above the open or close.
    #[error("the low is above another price of the candle")]
    LowTooHigh,
    /// Volume below zero.
    #[error("the volume is negative")]
    NegativeVolume,
}

impl Candle {
    /// Checks that high and low enclose open and close and that the volume is not negative.
    pub fn check(self) -> Result<Self, CandleError> {
        if self.high < self.open || self.high < self.close || self.high < self.low {
            return Err(CandleError::HighTooLow);
        }
        if self.low > self.open || self.low > self.close {
            return Err(CandleError::LowTooHigh);
        }
        if self.volume < Decimal::ZERO {
            return Err(CandleError::NegativeVolume);
        }
        Ok(self)
    }

    /// The instant at which the candle is complete.
    pub const fn close_time(&self, timeframe: Timeframe) -> Timestamp {
        self.open_time.plus_ms(timeframe.ms())
    }
}
