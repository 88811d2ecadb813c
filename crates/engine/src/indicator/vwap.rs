//! Volume-weighted average price since an anchor, and the volume-weighted standard deviation around it.
//!
//! Typical price `(high + low + close) / 3` weighted by volume, as pandas-ta `vwap`; the variance is `sum(v * (p − vwap)^2) /
//! sum(v)`. Both are updated candle by candle (D. H. D. West, Updating Mean and Variance Estimates, Communications of the
//! ACM 22:9, 1979): no large sums are subtracted, and a flat market has exactly no deviation. When to begin anew is the
//! caller's to say.

use serde::{Deserialize, Serialize};

use crate::input::Ohlcv;

/// The average and its deviation, in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VwapValue {
    /// The volume-weighted average price.
    pub average: f64,
    /// The volume-weighted standard deviation of the candles' prices around it.
    pub deviation: f64,
}

/// Average price since the anchor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Vwap {
    volume: f64,
    average: f64,
    /// Sum of volume × squared distance from the average.
    squares: f64,
}

impl Vwap {
    /// Takes in a candle; `None` as long as nothing has been traded since the anchor.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<VwapValue> {
        if candle.volume > 0.0 {
            let price = (candle.high + candle.low + candle.close) / 3.0;
            self.volume += candle.volume;
            let distance = price - self.average;
            self.average += distance * (candle.volume / self.volume);
            self.squares += candle.volume * distance * (price - self.average);
        }
        (self.volume > 0.0).then(|| VwapValue {
            average: self.average,
            deviation: (self.squares / self.volume).max(0.0).sqrt(),
        })
    }
}
