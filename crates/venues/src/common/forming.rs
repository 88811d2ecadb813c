//! Candles while they form, made of the prices that are heard: for venues whose streams tell candles when they have
//! closed, or not at all.
//!
//! Pure. They say where the price is and was since we listen, and nothing of what was traded: their volume is zero, and
//! what happened before the first price is not in them. The closed candle comes from the venue. Next:
//! [`super::market_feed`].

use std::collections::BTreeMap;

use keyhold_domain::{Candle, Decimal, Price, Symbol, Timeframe, Timestamp};

/// The candles that form now.
#[derive(Debug, Default)]
pub struct Forming {
    candles: BTreeMap<(Symbol, Timeframe), Candle>,
}

impl Forming {
    /// The connection is new: what was between is not known.
    pub fn reset(&mut self) {
        self.candles.clear();
    }

    /// A price at a time of the venue's; gives the candle that holds it. A price of a candle before that is passed over.
    pub fn hear(
        &mut self,
        symbol: Symbol,
        timeframe: Timeframe,
        price: Price,
        at: Timestamp,
    ) -> Option<Candle> {
        let open_time = timeframe.open_of(at);
        let fresh =
            Candle { open_time, open: price, high: price, low: price, close: price, volume: Decimal::ZERO };
        let candle = self.candles.entry((symbol, timeframe)).or_insert(fresh);
        if candle.open_time > open_time {
            return None;
        }
        if candle.open_time < open_time {
            *candle = fresh;
        }
        candle.high = candle.high.max(price);
        candle.low = candle.low.min(price);
        candle.close = price;
        Some(*candle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_make_candles() {
        let mut forming = Forming::default();
        let mut hear = |price: &str, ms: i64| {
            let at = Timestamp::from_ms(ms);
            let candle =
                forming.hear("XBTUSD".parse().unwrap(), Timeframe::M1, price.parse().unwrap(), at)?;
            let prices = [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_string());
            Some((candle.open_time.ms(), prices.join(" ")))
        };
        assert_eq!(hear("10", 60_000), Some((60_000, "10 10 10 10".to_owned())));
        assert_eq!(hear("12", 61_000), Some((60_000, "10 12 10 12".to_owned())));
        assert_eq!(hear("9", 119_999), Some((60_000, "10 12 9 9".to_owned())));
        assert_eq!(hear("11", 120_000), Some((120_000, "11 11 11 11".to_owned())));
        assert_eq!(hear("8", 119_999), None, "late");
    }
}
