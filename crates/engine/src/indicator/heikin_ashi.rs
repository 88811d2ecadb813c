//! Heikin-Ashi: candles averaged so that a trend shows as a row of one color.
//!
//! Close = (open + high + low + close) / 4; open = the middle of the previous averaged body, on the first candle the middle
//! of its own. High and low take the averaged body in. Dan Valcu, Technical Analysis of Stocks & Commodities,
//! February 2004; agrees with pandas-ta `ha`. The weight of the first candle halves with every candle.

use serde::{Deserialize, Serialize};

use crate::input::Ohlcv;

/// Averages candles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HeikinAshi {
    /// Open and close of the previous averaged candle.
    previous: Option<(f64, f64)>,
}

impl HeikinAshi {
    /// Takes in a candle and gives the averaged one, with the volume as it is.
    pub fn update(&mut self, candle: &Ohlcv) -> Ohlcv {
        let (before, after) = self.previous.unwrap_or((candle.open, candle.close));
        let open = f64::midpoint(before, after);
        let close = (candle.open + candle.high + candle.low + candle.close) / 4.0;
        self.previous = Some((open, close));
        Ohlcv {
            open,
            high: candle.high.max(open).max(close),
            low: candle.low.min(open).min(close),
            close,
            volume: candle.volume,
        }
    }
}
