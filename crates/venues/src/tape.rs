//! What takers traded, summed per candle.
//!
//! Venue-neutral and pure. A candle's sums count only when no trade of it can have been missed: the stream stood before
//! the candle opened and has stood since, and the sums come near the candle's own volume. Memory is bounded.

use std::collections::VecDeque;

use keyhold_domain::{Candle, Decimal, Side, Symbol, Timeframe, Timestamp};

/// Candles that are summed at the same time: late trades of one come while the next has begun.
const MOST_OPEN: usize = 4;
/// The sums must reach this share of the candle's volume, in percent; venues count a few trades differently.
const LEAST_SHARE_PCT: i64 = 90;

/// A trade as a venue tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicTrade {
    /// Whether the taker bought or sold.
    pub taker: Side,
    /// How much, in the unit of the candle's volume.
    pub quantity: Decimal,
    /// By the venue's clock.
    pub at: Timestamp,
}

/// Volumes of takers during one candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakerSums {
    /// Bought.
    pub buy: Decimal,
    /// Sold.
    pub sell: Decimal,
}

/// The sums of one series of candles.
#[derive(Debug, Clone)]
pub struct Tape {
    symbol: Symbol,
    timeframe: Timeframe,
    /// Since when every trade is heard; `None` while the stream does not stand.
    since: Option<Timestamp>,
    open: VecDeque<(Timestamp, TakerSums)>,
}

impl Tape {
    /// Nothing heard yet.
    pub const fn new(symbol: Symbol, timeframe: Timeframe) -> Self {
        Self { symbol, timeframe, since: None, open: VecDeque::new() }
    }

    /// Which instrument.
    pub const fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Which candles.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Whether the stream's first message is still awaited.
    pub const fn is_waiting(&self) -> bool {
        self.since.is_none()
    }

    /// The stream stands from now on; what was summed before it broke is not whole.
    pub fn begin(&mut self, now: Timestamp) {
        self.since = Some(now);
        self.open.clear();
    }

    /// The stream does not stand, or a message of it could not be read.
    pub fn lose(&mut self) {
        self.since = None;
        self.open.clear();
    }

    /// Takes in a trade.
    pub fn take(&mut self, trade: &PublicTrade) {
        let candle = self.timeframe.open_of(trade.at);
        let place = self.open.iter().rposition(|(open, _)| *open == candle);
        let newest = self.open.back().is_none_or(|(open, _)| *open < candle);
        let place = match place {
            Some(place) => place,
            // A trade of a candle that is summed no more.
            None if !newest => return,
            None => {
                if self.open.len() >= MOST_OPEN {
                    self.open.pop_front();
                }
                self.open.push_back((candle, TakerSums { buy: Decimal::ZERO, sell: Decimal::ZERO }));
                self.open.len() - 1
            }
        };
        let (_, sums) = &mut self.open[place];
        let side = match trade.taker {
            Side::Buy => &mut sums.buy,
            Side::Sell => &mut sums.sell,
        };
        *side = side.saturating_add(trade.quantity);
    }

    /// The sums of a candle that has closed; `None` when a trade of it may have been missed.
    pub fn of(&self, candle: &Candle) -> Option<TakerSums> {
        let whole = self.since.is_some_and(|since| since <= candle.open_time);
        let found = self.open.iter().find(|(open, _)| *open == candle.open_time);
        let none = TakerSums { buy: Decimal::ZERO, sell: Decimal::ZERO };
        let sums = found.map_or(none, |(_, sums)| *sums);
        let heard = sums.buy.saturating_add(sums.sell).saturating_mul(Decimal::ONE_HUNDRED);
        let enough = heard >= candle.volume.saturating_mul(Decimal::from(LEAST_SHARE_PCT));
        (whole && enough).then_some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn trade(taker: Side, quantity: i64, at: i64) -> PublicTrade {
        PublicTrade { taker, quantity: Decimal::from(quantity), at: Timestamp::from_ms(at) }
    }

    fn candle(minute: i64, volume: i64) -> Candle {
        let price = "1".parse().unwrap();
        let open_time = Timestamp::from_ms(minute * MINUTE);
        Candle { open_time, open: price, high: price, low: price, close: price, volume: volume.into() }
    }

    fn sums(tape: &Tape, minute: i64, volume: i64) -> Option<(i64, i64)> {
        let whole = |value: Decimal| i64::try_from(value).unwrap();
        tape.of(&candle(minute, volume)).map(|sums| (whole(sums.buy), whole(sums.sell)))
    }

    #[test]
    fn a_candle_counts_only_when_all_of_it_was_heard() {
        let mut tape = Tape::new("BTCUSDT".parse().unwrap(), Timeframe::M1);
        tape.take(&trade(Side::Buy, 1, 0));
        assert_eq!(sums(&tape, 0, 1), None, "the stream does not stand");
        tape.begin(Timestamp::from_ms(MINUTE / 2));
        tape.take(&trade(Side::Buy, 10, MINUTE - 1));
        tape.take(&trade(Side::Sell, 3, MINUTE));
        tape.take(&trade(Side::Buy, 4, 2 * MINUTE - 1));
        tape.take(&trade(Side::Sell, 9, 2 * MINUTE));
        tape.take(&trade(Side::Buy, 2, 2 * MINUTE - 1));
        assert_eq!(sums(&tape, 0, 10), None, "its first half was not heard");
        assert_eq!(sums(&tape, 1, 9), Some((6, 3)), "late trades belong to their candle");
        assert_eq!(sums(&tape, 1, 10), Some((6, 3)), "nine tenths are enough");
        assert_eq!(sums(&tape, 1, 11), None, "less is not");
        assert_eq!(sums(&tape, 2, 9), Some((0, 9)));
        assert_eq!(sums(&tape, 3, 0), Some((0, 0)), "nobody traded");
        tape.lose();
        assert_eq!(sums(&tape, 2, 9), None);
        tape.begin(Timestamp::from_ms(2 * MINUTE + 1));
        assert_eq!(sums(&tape, 2, 0), None, "it was broken inside the candle");
        for minute in 3..100 {
            tape.take(&trade(Side::Buy, 1, minute * MINUTE));
        }
        assert_eq!(tape.open.len(), MOST_OPEN, "memory is bounded");
        tape.take(&trade(Side::Buy, 5, 3 * MINUTE));
        assert_eq!(tape.open.len(), MOST_OPEN, "a very late trade is nobody's");
    }
}
