//! Candles come back as they went in, whatever wrote them and whenever the program ended.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod csv;
mod foreign;
mod library;
mod round_trip;

use keyhold_domain::{Candle, Decimal, Timestamp};

/// A candle of the minute with prices around 100.
pub(crate) fn candle(minute: i64, close: &str) -> Candle {
    Candle {
        open_time: Timestamp::from_ms(minute * 60_000),
        open: "100".parse().unwrap(),
        high: "150".parse().unwrap(),
        low: "50".parse().unwrap(),
        close: close.parse().unwrap(),
        volume: Decimal::new(15, 1),
    }
}
