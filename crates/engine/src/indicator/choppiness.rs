//! Choppiness index: how much of its way the market wasted, 0 (straight) to 100 (on the spot).
//!
//! `100 * log(sum(TR, n) / (highest high − lowest low)) / log(n)` over the last `n` candles (E. W. Dreiss, 1993). First
//! value with candle `n + 1`, when `n` true ranges exist. A market without any range counts as 100. The logarithm is
//! our own, because those of the platforms differ in the last digit.

use serde::{Deserialize, Serialize};

use super::window::RunningSum;
use super::{Donchian, TrueRange, Window};
use crate::input::Ohlcv;

/// Choppiness index, 0 to 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choppiness {
    log_period: f64,
    range: TrueRange,
    ranges: Window,
    sum: RunningSum,
    channel: Donchian,
}

impl Choppiness {
    /// An index over `period` candles; at least 2.
    pub fn new(period: u32) -> Self {
        let period = period.max(2);
        Self {
            log_period: log2(f64::from(period)),
            range: TrueRange::default(),
            ranges: Window::new(period),
            sum: RunningSum::default(),
            channel: Donchian::new(period),
        }
    }

    /// Takes in a candle; `None` for the first `period`.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let channel = self.channel.update(candle);
        let range = self.range.update(candle)?;
        if let Some(evicted) = self.ranges.push(range) {
            self.sum.add(-evicted);
        }
        self.sum.add(range);
        if !self.ranges.is_full() {
            return None;
        }
        let channel = channel?;
        let height = channel.upper - channel.lower;
        if height <= 0.0 {
            return Some(100.0);
        }
        // The way is never shorter than the height; rounding must not make the index negative.
        let ratio = (self.sum.total() / height).max(1.0);
        Some((100.0 * log2(ratio) / self.log_period).min(100.0))
    }
}

/// Bits of the fraction of a float, and the bias of its exponent (IEEE 754 binary64).
const FRACTION_BITS: u32 = 52;
const EXPONENT_BIAS: u64 = 1023;

/// The logarithm to base 2 of a finite number of at least 1, from `+ − × ÷` alone: the exponent is read off the bits, the
/// rest is the series of 2·artanh((m − 1) / (m + 1)) with m between 1 and 2.
fn log2(value: f64) -> f64 {
    let bits = value.max(1.0).to_bits();
    let exponent = (bits >> FRACTION_BITS).saturating_sub(EXPONENT_BIAS);
    let mantissa = f64::from_bits((bits & ((1 << FRACTION_BITS) - 1)) | (EXPONENT_BIAS << FRACTION_BITS));
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    // The ratio is at most 1/3: after 18 terms the next is below 1e-18.
    let mut sum = 0.0;
    for term in (0..18_u32).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    let natural = 2.0 * ratio * sum;
    f64::from(u32::try_from(exponent).unwrap_or(u32::MAX)) + natural / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::log2;

    #[test]
    fn the_logarithm_agrees_with_the_platforms() {
        for value in [1.0_f64, 1.000_001, 1.25, 1.5, 1.999_999_9, 2.0, 3.0, 14.0, 100.0, 1e6, 1e12, 4096.0] {
            let platform = value.log2();
            assert!((log2(value) - platform).abs() <= 4e-16 * platform.max(1.0), "{value}");
        }
    }
}
