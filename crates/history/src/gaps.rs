//! What is missing between candles.

use keyhold_domain::{Candle, Timeframe, Timestamp};

/// Candles that should be there and are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Open time of the first missing candle.
    pub from: Timestamp,
    /// Open time of the first candle after the gap, or the end of what was wanted.
    pub until: Timestamp,
}

impl Gap {
    /// How many candles of this timeframe are missing.
    pub const fn candles(&self, timeframe: Timeframe) -> i64 {
        self.until.since_ms(self.from) / timeframe.ms()
    }
}

/// The gaps among `candles`, oldest first, within `from` (included) to `until` (excluded), both on the timeframe's grid.
pub fn missing<'a>(
    candles: impl IntoIterator<Item = &'a Candle>,
    timeframe: Timeframe,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut expected = from;
    for candle in candles {
        let at = candle.open_time;
        if at < from || at >= until {
            continue;
        }
        if at > expected {
            gaps.push(Gap { from: expected, until: at });
        }
        expected = candle.close_time(timeframe);
    }
    if expected < until {
        gaps.push(Gap { from: expected, until });
    }
    gaps
}
