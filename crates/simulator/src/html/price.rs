//! The course of a price, thin enough for a chart.

use keyhold_domain::{Symbol, Timestamp};
use keyhold_engine::input::ClosedCandle;

/// Points of a line.
const MOST_POINTS: usize = 800;

/// The course of one instrument's price.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceLine {
    /// The instrument.
    pub symbol: Symbol,
    /// At most 800 points, oldest first.
    pub points: Vec<PricePoint>,
}

/// Several candles put together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PricePoint {
    /// Open time of the first candle.
    pub at: Timestamp,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

impl PriceLine {
    /// Thins candles between two instants.
    pub fn new(symbol: Symbol, candles: &[ClosedCandle], from: Timestamp, until: Timestamp) -> Self {
        let start = candles.partition_point(|candle| candle.candle.open_time < from);
        let end = candles.partition_point(|candle| candle.candle.open_time < until).max(start);
        let candles = &candles[start..end];
        let width = candles.len().div_ceil(MOST_POINTS).max(1);
        let point = |part: &[ClosedCandle]| PricePoint {
            at: part[0].candle.open_time,
            high: part.iter().map(|candle| candle.floats.high).fold(f64::MIN, f64::max),
            low: part.iter().map(|candle| candle.floats.low).fold(f64::MAX, f64::min),
            close: part[part.len() - 1].floats.close,
        };
        Self { symbol, points: candles.chunks(width).map(point).collect() }
    }
}
