//! Money flow index: which share of the traded value came with a rising typical price, 0 to 100.
//!
//! `100 * p / (p + m)` with the sums of typical price × volume over the last `n` changes upward and downward (Gene Quong
//! and Avrum Soudack, Technical Analysis of Stocks & Commodities 7:3, 1989). Agrees with TA-Lib `MFI`. First value with
//! candle `n + 1`. Without any flow it reads 50, neither end; TA-Lib gives 0 there.

use serde::{Deserialize, Serialize};

use super::{Measured, RollingSum};
use crate::input::Ohlcv;

/// Money flow index, 0 to 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mfi {
    previous: Option<f64>,
    rising: RollingSum,
    falling: RollingSum,
}

impl Mfi {
    /// An index over `period` changes.
    pub fn new(period: u32) -> Self {
        Self { previous: None, rising: RollingSum::new(period), falling: RollingSum::new(period) }
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<Measured> {
        let price = (candle.high + candle.low + candle.close) / 3.0;
        let previous = self.previous.replace(price)?;
        let flow = price * candle.volume;
        let rising = self.rising.update(if price > previous { flow } else { 0.0 });
        let falling = self.falling.update(if price < previous { flow } else { 0.0 });
        let (rising, falling) = (rising?, falling?);
        let both = rising + falling;
        Some(if both > 0.0 { Measured::moving(100.0 * (rising / both)) } else { Measured::still(50.0) })
    }
}
