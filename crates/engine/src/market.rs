//! What is known of a market besides its candles, put together once per closed candle.
//!
//! Live, the bot gathers order book, trades and prices as they stream and hands in one [`MarketFacts`] per candle; a
//! backtest makes the same from recorded series. Nothing of single ticks comes in here. Every value carries the time
//! at which it last held, and one that is older than [`STALE_AFTER_MS`] counts as missing: a component that needs it
//! says so instead of judging by it. Components see floats; the facts themselves are exact, because they are journaled.

use keyhold_domain::{Contract, Decimal, Price, Quantity, Rate, Timestamp};
use serde::{Deserialize, Serialize};

use crate::input::decimal_to_f64;
use crate::template::Number;

/// A value that was last known to hold so long before the facts were put together counts as missing, in milliseconds.
pub const STALE_AFTER_MS: i64 = 60_000;
/// The most levels of a book per side that are ever looked at.
pub const MOST_LEVELS: u32 = 50;

/// A value and when it was last known to hold, by the venue's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen<T> {
    /// What was seen.
    pub value: T,
    /// When.
    pub at: Timestamp,
}

/// Everything known of an instrument's market when a candle was taken up. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketFacts {
    /// Open time of the candle they belong to; they say nothing about any other.
    pub candle: Timestamp,
    /// When they were put together.
    pub at: Timestamp,
    /// The best prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Seen<Quote>>,
    /// Sums over the order book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub book: Option<Seen<BookSums>>,
    /// What takers traded during the candle; only when no trade of it was missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taker: Option<TakerVolume>,
    /// Open contracts, in the instrument's quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_interest: Option<Seen<Number>>,
    /// Mark price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Seen<Price>>,
    /// Index price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Seen<Price>>,
    /// The rate of the next funding, as a fraction per funding interval of the instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funding: Option<Seen<Rate>>,
    /// When funding is paid next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_funding: Option<Seen<Timestamp>>,
}

/// The best prices of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Highest price at which somebody buys.
    pub bid: Price,
    /// Lowest price at which somebody sells.
    pub ask: Price,
}

/// What takers traded during one candle, in the unit of the candle's volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakerVolume {
    /// Bought from resting asks.
    pub buy: Number,
    /// Sold to resting bids.
    pub sell: Number,
}

/// Sums over an order book; only those that a component of the template asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookSums {
    /// Resting quantity of the best levels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelSum>,
    /// Resting value near the middle price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depth: Vec<DepthSum>,
}

/// Resting quantity of the best levels of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelSum {
    /// How many levels of each side are summed.
    pub levels: u32,
    /// Quantity wanted.
    pub bid: Number,
    /// Quantity offered.
    pub ask: Number,
}

/// Resting value on each side, up to a distance from the middle price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthSum {
    /// The distance, in basis points of the middle price.
    pub within_bps: Number,
    /// Value wanted, in quote currency.
    pub bid: Number,
    /// Value offered, in quote currency.
    pub ask: Number,
}

/// A sum over the order book that a component asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookAsk {
    /// The quantity of so many best levels; at most [`MOST_LEVELS`].
    Levels(u32),
    /// The value within so many basis points of the middle price.
    Within(Decimal),
}

/// One price of a book with the quantity that rests there.
pub type Level = (Price, Quantity);

impl Quote {
    /// The middle between both prices.
    pub fn mid(&self) -> Decimal {
        self.bid.get().saturating_add(self.ask.get()) / Decimal::TWO
    }
}

impl BookSums {
    /// Sums over a book whose sides both begin with their best price. A book that does not reach as far as asked is
    /// summed as far as it goes, which is never too much. `None` for an empty side or a number that does not fit.
    pub fn of(asked: &[BookAsk], bids: &[Level], asks: &[Level], contract: Contract) -> Option<Self> {
        let quote = Quote { bid: bids.first()?.0, ask: asks.first()?.0 };
        let mut sums = Self::default();
        for ask in asked {
            match ask {
                BookAsk::Levels(levels) if sums.levels.iter().all(|sum| sum.levels != *levels) => {
                    let (bid, ask) = (quantity(bids, *levels)?, quantity(asks, *levels)?);
                    sums.levels.push(LevelSum { levels: *levels, bid: Number(bid), ask: Number(ask) });
                }
                BookAsk::Within(bps) if sums.depth.iter().all(|sum| sum.within_bps.0 != *bps) => {
                    let reach = quote.mid().checked_mul(*bps)? / Decimal::from(10_000);
                    let (lowest, highest) = (quote.mid() - reach, quote.mid() + reach);
                    sums.depth.push(DepthSum {
                        within_bps: Number(*bps),
                        bid: Number(value(bids, contract, |price| price >= lowest)?),
                        ask: Number(value(asks, contract, |price| price <= highest)?),
                    });
                }
                // Asked for twice.
                BookAsk::Levels(_) | BookAsk::Within(_) => {}
            }
        }
        Some(sums)
    }
}

fn quantity(side: &[Level], levels: u32) -> Option<Decimal> {
    let levels = usize::try_from(levels).ok()?;
    side.iter().take(levels).try_fold(Decimal::ZERO, |sum, (_, quantity)| sum.checked_add(quantity.get()))
}

fn value(side: &[Level], contract: Contract, near: impl Fn(Decimal) -> bool) -> Option<Decimal> {
    let near = side.iter().take_while(|(price, _)| near(price.get()));
    near.map(|(price, quantity)| contract.quote_value(*price, *quantity))
        .try_fold(Decimal::ZERO, |sum, value| sum.checked_add(value?))
}

impl MarketFacts {
    /// Nothing known about a candle.
    pub const fn none(candle: Timestamp, at: Timestamp) -> Self {
        Self {
            candle,
            at,
            quote: None,
            book: None,
            taker: None,
            open_interest: None,
            mark: None,
            index: None,
            funding: None,
            next_funding: None,
        }
    }

    /// What is not stale. A time that lies as far ahead is a wrong time, by which nothing would ever be stale.
    fn fresh<'a, T>(&self, seen: Option<&'a Seen<T>>) -> Option<&'a T> {
        seen.filter(|seen| self.at.since_ms(seen.at).saturating_abs() <= STALE_AFTER_MS)
            .map(|seen| &seen.value)
    }

    /// The distance between the best prices in basis points of their middle.
    pub fn spread_bps(&self) -> Option<f64> {
        let quote = self.fresh(self.quote.as_ref())?;
        let spread = quote.ask.get() - quote.bid.get();
        // Divided as decimals, so that a spread of exactly the limit is the same float and counts as reached.
        Some(decimal_to_f64(spread.checked_mul(Decimal::from(10_000))?.checked_div(quote.mid())?))
    }

    /// Resting quantity of the best levels as (bid, ask).
    pub fn levels(&self, levels: u32) -> Option<(f64, f64)> {
        let book = self.fresh(self.book.as_ref())?;
        let sum = book.levels.iter().find(|sum| sum.levels == levels)?;
        Some((decimal_to_f64(sum.bid.0), decimal_to_f64(sum.ask.0)))
    }

    /// Resting value near the middle price as (bid, ask), in quote currency.
    pub fn depth(&self, within_bps: Decimal) -> Option<(f64, f64)> {
        let book = self.fresh(self.book.as_ref())?;
        let sum = book.depth.iter().find(|sum| sum.within_bps.0 == within_bps)?;
        Some((decimal_to_f64(sum.bid.0), decimal_to_f64(sum.ask.0)))
    }

    /// Volume of takers during the candle as (bought, sold).
    pub fn taker_volume(&self) -> Option<(f64, f64)> {
        self.taker.map(|taker| (decimal_to_f64(taker.buy.0), decimal_to_f64(taker.sell.0)))
    }

    /// Open contracts.
    pub fn open_interest(&self) -> Option<f64> {
        self.fresh(self.open_interest.as_ref()).map(|value| decimal_to_f64(value.0))
    }

    /// How far the mark price lies above the index price, in percent of the index price.
    pub fn premium_pct(&self) -> Option<f64> {
        let mark = self.fresh(self.mark.as_ref())?.get();
        let index = self.fresh(self.index.as_ref())?.get();
        let difference = (mark - index).checked_mul(Decimal::ONE_HUNDRED)?;
        Some(decimal_to_f64(difference.checked_div(index)?))
    }

    /// The funding rate per interval.
    pub fn funding(&self) -> Option<Rate> {
        self.fresh(self.funding.as_ref()).copied()
    }

    /// When funding is paid next.
    pub fn next_funding(&self) -> Option<Timestamp> {
        self.fresh(self.next_funding.as_ref()).copied()
    }
}
