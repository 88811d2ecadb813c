//! What components see on a closed candle. Floats live here: they are statistics, never money.

use keyhold_domain::{Candle, Decimal, Price, Timestamp};
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

/// Open, high, low, close and volume of a candle as floats for indicators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ohlcv {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume.
    pub volume: f64,
}

/// A closed candle with its float view, converted once so that components and repeated runs need not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedCandle {
    /// The exact candle: stops, targets and fills are computed from it.
    pub candle: Candle,
    /// The same numbers for indicators.
    pub floats: Ohlcv,
}

impl ClosedCandle {
    /// Converts a candle's decimals to floats.
    pub fn new(candle: Candle) -> Self {
        let price = |value: Price| decimal_to_f64(value.get());
        let floats = Ohlcv {
            open: price(candle.open),
            high: price(candle.high),
            low: price(candle.low),
            close: price(candle.close),
            volume: decimal_to_f64(candle.volume),
        };
        Self { candle, floats }
    }
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Up to here every whole number is a float.
const EXACT: i64 = 1 << 53;

/// The nearest float. Every decimal has one; `NaN` cannot arise.
pub fn decimal_to_f64(value: Decimal) -> f64 {
    let mantissa = i64::try_from(value.mantissa()).ok().filter(|mantissa| mantissa.abs() <= EXACT);
    let power = usize::try_from(value.scale()).ok().and_then(|scale| POWERS.get(scale));
    match (mantissa, power) {
        // Both are exact, and a division rounds to the nearest float.
        #[expect(clippy::cast_precision_loss, reason = "not above 2^53")]
        (Some(mantissa), Some(power)) => mantissa as f64 / power,
        (None, _) | (_, None) => value.to_f64().unwrap_or(0.0),
    }
}

/// Facts about the bot's own past that entry guards may ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Closed candles since the last exit in this instrument; `None` before the first.
    pub candles_since_exit: Option<u32>,
    /// Closed candles since the last losing exit; `None` before the first.
    pub candles_since_loss: Option<u32>,
    /// Closed candles since the bot's last exit in any instrument; known while a component asks for it.
    pub candles_since_bot_exit: Option<u32>,
    /// Closed candles since the bot's last losing exit in any instrument; known while a component asks for it.
    pub candles_since_bot_loss: Option<u32>,
}

/// Everything a component may look at on one closed candle. Later candles are not in it, by construction.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The candle that has just closed.
    pub candle: &'a ClosedCandle,
    /// When it closed.
    pub closed_at: Timestamp,
    /// The funding rate in force, as a fraction per interval; `None` when the feed has none.
    pub funding_rate: Option<f64>,
    /// The bot's own past.
    pub facts: Facts,
}
