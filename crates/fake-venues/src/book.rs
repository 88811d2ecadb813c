//! A made-up order book around the last price, the same for every protocol.
//!
//! Knows no message of any venue; a protocol words the levels and remembers which of them it has told.

use keyhold_domain::{Decimal, Price};
use keyhold_simulator::random::mix;

use crate::feed::Feed;

/// Prices of one side with what rests there, best first.
pub(crate) type Levels = Vec<(Price, Decimal)>;

/// Bids and asks around the last price: one tick apart, sizes that depend on the price alone.
pub(crate) fn book(feed: &Feed, depth: usize) -> (Levels, Levels) {
    let Some(last) = feed.last() else { return (Vec::new(), Vec::new()) };
    let tick = feed.instrument.tick;
    let level = |steps: Decimal| {
        let price = Price::new(last.get() + tick * steps).ok()?;
        let ticks = u64::try_from((price.get() / tick).trunc()).ok()?;
        let lots = 1 + mix(ticks) % 200;
        Some((price, feed.instrument.lot * Decimal::from(lots)))
    };
    let steps = || (1_i64..).take(depth).map(Decimal::from);
    (steps().filter_map(|step| level(-step)).collect(), steps().filter_map(level).collect())
}
