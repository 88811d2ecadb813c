//! Squeeze: Bollinger bands inside a Keltner channel, and the momentum with which the market stands in it.
//!
//! John Carter, Mastering the Trade, 2005: while the bands lie inside the channel the market is coiled; when they come
//! out again the squeeze is released. Momentum, over the channel's period: the end point of the least squares line
//! through close − ((highest high + lowest low) / 2 + mean close) / 2. The channel is [`Keltner`] with one period for
//! average and ATR; scripts in circulation also use plain averages of the range.

use serde::{Deserialize, Serialize};

use super::{Bollinger, Donchian, Keltner, LineFit, Sma};
use crate::input::Ohlcv;

/// Whether the market is coiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coil {
    /// Both bands lie inside the channel.
    Squeezed,
    /// At least one does not.
    Free,
}

/// Both widths as half a band's height in price units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SqueezeValue {
    /// Whether the market is coiled.
    pub coil: Coil,
    /// Height of the Bollinger bands divided by that of the channel; 0 in a market that does not move.
    pub ratio: f64,
}

/// Bollinger bands against a Keltner channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Squeeze {
    bands: Bollinger,
    channel: Keltner,
}

impl Squeeze {
    /// Periods and widths of the bands and of the channel.
    pub fn new((bands, deviations): (u32, f64), (channel, ranges): (u32, f64)) -> Self {
        Self { bands: Bollinger::new(bands, deviations), channel: Keltner::new(channel, channel, ranges) }
    }

    /// Takes in a candle; `None` before number [`Self::warmup_candles`].
    pub fn update(&mut self, candle: &Ohlcv) -> Option<SqueezeValue> {
        let bands = self.bands.update(candle.close);
        let channel = self.channel.update(candle);
        let (bands, channel) = (bands?, channel?);
        let inside = bands.upper < channel.upper && bands.lower > channel.lower;
        let (height, room) = (bands.upper - bands.lower, channel.upper - channel.lower);
        let ratio = if room > 0.0 { height / room } else { 0.0 };
        Some(SqueezeValue { coil: if inside { Coil::Squeezed } else { Coil::Free }, ratio })
    }

    /// Candles needed for the first value.
    pub fn warmup_candles(bands: u32, channel: u32) -> u32 {
        bands.max(Keltner::warmup_candles(channel, channel))
    }
}

/// The momentum of a squeeze, in price units: positive when the market leans upward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqueezeMomentum {
    range: Donchian,
    mean: Sma,
    line: LineFit,
}

impl SqueezeMomentum {
    /// Over `period` candles; at least 3.
    pub fn new(period: u32) -> Self {
        let period = period.max(3);
        Self { range: Donchian::new(period), mean: Sma::new(period), line: LineFit::new(period) }
    }

    /// Takes in a candle; `None` before number [`Self::warmup_candles`].
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let range = self.range.update(candle);
        let mean = self.mean.update(candle.close);
        let center = f64::midpoint(range?.middle(), mean?);
        self.line.update(candle.close - center).map(|line| line.end)
    }

    /// Candles needed for the first value.
    pub const fn warmup_candles(period: u32) -> u32 {
        period.saturating_mul(2).saturating_sub(1)
    }
}
