//! Ichimoku: conversion line, base line and the cloud between two spans drawn ahead.
//!
//! Every line is the middle of a Donchian channel; span A is the mean of conversion and base line. Both spans count
//! `base` candles after they were computed, so the cloud beside today's candle is made of older candles only. Goichi
//! Hosoda, 1969; agrees with pandas-ta `ichimoku`. The lagging line looks ahead and is left out.

use serde::{Deserialize, Serialize};

use super::{Donchian, Window};
use crate::input::Ohlcv;

/// The three lengths, in candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IchimokuPeriods {
    /// Of the conversion line.
    pub conversion: u32,
    /// Of the base line, and by how much the spans are drawn ahead.
    pub base: u32,
    /// Of span B.
    pub span: u32,
}

impl IchimokuPeriods {
    /// Candles needed until all lines stand beside the newest candle.
    pub fn warmup_candles(self) -> u32 {
        self.conversion.max(self.base).max(self.span).saturating_add(self.base)
    }
}

/// The lines beside one candle, in price units; each begins with the candle on which its history is long enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IchimokuValue {
    /// Conversion line (tenkan-sen).
    pub conversion: Option<f64>,
    /// Base line (kijun-sen).
    pub base: Option<f64>,
    /// Leading span A (senkou span A), as computed `base` candles ago.
    pub span_a: Option<f64>,
    /// Leading span B (senkou span B), as computed `base` candles ago.
    pub span_b: Option<f64>,
}

/// The lines and what is drawn ahead of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ichimoku {
    conversion: Donchian,
    base: Donchian,
    span: Donchian,
    ahead_a: Window,
    ahead_b: Window,
}

impl Ichimoku {
    /// Lines of these lengths.
    pub fn new(periods: IchimokuPeriods) -> Self {
        Self {
            conversion: Donchian::new(periods.conversion),
            base: Donchian::new(periods.base),
            span: Donchian::new(periods.span),
            ahead_a: Window::new(periods.base),
            ahead_b: Window::new(periods.base),
        }
    }

    /// Takes in a candle.
    pub fn update(&mut self, candle: &Ohlcv) -> IchimokuValue {
        let middle = |channel: &mut Donchian| channel.update(candle).map(super::Channel::middle);
        let conversion = middle(&mut self.conversion);
        let base = middle(&mut self.base);
        let span = middle(&mut self.span);
        let mean = conversion.zip(base).map(|(conversion, base)| f64::midpoint(conversion, base));
        // What falls out of the window was computed `base` candles ago.
        let span_a = mean.and_then(|mean| self.ahead_a.push(mean));
        let span_b = span.and_then(|middle| self.ahead_b.push(middle));
        IchimokuValue { conversion, base, span_a, span_b }
    }
}
