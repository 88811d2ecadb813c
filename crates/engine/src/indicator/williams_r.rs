//! Williams %R: how far below the highest high the close lies, −100 (at the lowest low) to 0.
//!
//! `−100 * (high(n) − close) / (high(n) − low(n))` (Larry Williams, How I Made One Million Dollars, 1973). Agrees with
//! TA-Lib `WILLR`. A window without any range reads −50, neither end; TA-Lib gives 0 there.

use serde::{Deserialize, Serialize};

use super::{Donchian, Measured};
use crate::input::Ohlcv;

/// Williams %R, −100 to 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WilliamsR {
    channel: Donchian,
}

impl WilliamsR {
    /// In the range of `period` candles.
    pub fn new(period: u32) -> Self {
        Self { channel: Donchian::new(period) }
    }

    /// Takes in a candle; `None` for the first `period - 1`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<Measured> {
        let channel = self.channel.update(candle)?;
        let range = channel.upper - channel.lower;
        Some(if range > 0.0 {
            Measured::moving(-100.0 * ((channel.upper - candle.close) / range))
        } else {
            Measured::still(-50.0)
        })
    }
}
