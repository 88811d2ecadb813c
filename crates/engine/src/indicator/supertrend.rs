//! Supertrend: a stop line `k` ATRs from the middle of the candle that follows the trend and flips when the close passes it.
//!
//! Olivier Seban's indicator, as TA-Lib `SUPERTREND`: middle = (high + low) / 2; a band only tightens unless the
//! previous close was beyond it; the side flips when the close passes the previous candle's band. Wilder ATR. Starts on
//! the first candle with an ATR, by convention upward, so the side before the first flip means little.

use serde::{Deserialize, Serialize};

use super::Atr;
use crate::input::Ohlcv;

/// The side of the trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrendSide {
    /// The line lies below the price.
    Up,
    /// The line lies above the price.
    Down,
}

/// The line and its side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupertrendValue {
    /// The band on the side of the trend, in price units.
    pub line: f64,
    /// Which way the trend goes.
    pub side: TrendSide,
}

/// What one candle leaves to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bands {
    upper: f64,
    lower: f64,
    close: f64,
    side: TrendSide,
}

/// A stop line that follows the trend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Supertrend {
    multiple: f64,
    atr: Atr,
    previous: Option<Bands>,
}

impl Supertrend {
    /// A line `multiple` ATRs of `period` candles from the middle.
    pub fn new(period: u32, multiple: f64) -> Self {
        Self { multiple, atr: Atr::new(period), previous: None }
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<SupertrendValue> {
        let atr = self.atr.update(candle)?;
        let middle = f64::midpoint(candle.high, candle.low);
        let basic_upper = middle + self.multiple * atr;
        let basic_lower = middle - self.multiple * atr;
        let bands = match self.previous {
            None => {
                Bands { upper: basic_upper, lower: basic_lower, close: candle.close, side: TrendSide::Up }
            }
            Some(before) => {
                let tighter_upper = basic_upper < before.upper || before.close > before.upper;
                let tighter_lower = basic_lower > before.lower || before.close < before.lower;
                let side = if candle.close > before.upper {
                    TrendSide::Up
                } else if candle.close < before.lower {
                    TrendSide::Down
                } else {
                    before.side
                };
                Bands {
                    upper: if tighter_upper { basic_upper } else { before.upper },
                    lower: if tighter_lower { basic_lower } else { before.lower },
                    close: candle.close,
                    side,
                }
            }
        };
        self.previous = Some(bands);
        let line = match bands.side {
            TrendSide::Up => bands.lower,
            TrendSide::Down => bands.upper,
        };
        Some(SupertrendValue { line, side: bands.side })
    }
}
