//! Made-up order books: one tick apart around the last price, sizes that depend on the price alone. What changed since
//! a topic was last told, as deletes, updates and inserts by level id.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Timestamp};
use keyhold_simulator::random::mix;
use serde_json::{Value, json};

use super::units::{contracts, num, stamp};
use crate::feed::Feed;

/// Which side, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Bid(Price),
    Ask(Price),
}

/// Sizes by level, in coins or dollars.
pub(crate) type Levels = BTreeMap<Key, Decimal>;

impl Key {
    const fn price(self) -> Price {
        match self {
            Self::Bid(price) | Self::Ask(price) => price,
        }
    }

    /// A level as the table shows it; without a size for one that is gone.
    pub(crate) fn row(self, feed: &Feed, size: Option<Decimal>, now: Timestamp) -> Value {
        let instrument = &feed.instrument;
        let price = self.price().get();
        let ticks = i64::try_from((price / instrument.tick).trunc()).unwrap_or(0);
        let side = match self {
            Self::Bid(_) => "Buy",
            Self::Ask(_) => "Sell",
        };
        let mut row = json!({
            // Numbers fall as prices rise, as BitMEX's did.
            "symbol": instrument.symbol, "id": 100_000_000_000 - ticks, "side": side, "price": num(price),
            "timestamp": stamp(now), "transactTime": stamp(now),
        });
        if let Some(size) = size {
            row["size"] = num(contracts(instrument, size));
        }
        row
    }
}

/// The book of an instrument, so many levels on each side.
pub(crate) fn levels(feed: &Feed, depth: usize) -> Levels {
    let Some(last) = feed.last() else { return Levels::new() };
    let tick = feed.instrument.tick;
    let level = |steps: i64| {
        let price = Price::new(last.get() + tick * Decimal::from(steps)).ok()?;
        let ticks = u64::try_from((price.get() / tick).trunc()).ok()?;
        let lots = 1 + mix(ticks) % 200;
        let key = if steps < 0 { Key::Bid(price) } else { Key::Ask(price) };
        Some((key, feed.instrument.lot * Decimal::from(lots)))
    };
    let depth = i64::try_from(depth).unwrap_or(25);
    (1..=depth).flat_map(|step| [level(-step), level(step)]).flatten().collect()
}

/// The messages that turn one book into another: what is gone first, so that the book never crosses.
pub(crate) fn changes(
    feed: &Feed,
    before: &Levels,
    after: &Levels,
    now: Timestamp,
) -> Vec<(&'static str, Vec<Value>)> {
    let gone = before.keys().filter(|key| !after.contains_key(key)).map(|key| key.row(feed, None, now));
    let changed = after.iter().filter(|(key, size)| before.get(key).is_some_and(|was| was != *size));
    let fresh = after.iter().filter(|(key, _)| !before.contains_key(key));
    let all = [
        ("delete", gone.collect::<Vec<_>>()),
        ("update", changed.map(|(key, size)| key.row(feed, Some(*size), now)).collect()),
        ("insert", fresh.map(|(key, size)| key.row(feed, Some(*size), now)).collect()),
    ];
    all.into_iter().filter(|(_, rows)| !rows.is_empty()).collect()
}

/// `orderBook10`: ten levels of each side as they stand.
pub(crate) fn ten(feed: &Feed, now: Timestamp) -> Value {
    let levels = levels(feed, 10);
    let cell =
        |price: &Price, size: &Decimal| json!([num(price.get()), num(contracts(&feed.instrument, *size))]);
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    for (key, size) in &levels {
        match key {
            Key::Bid(price) => bids.push(cell(price, size)),
            Key::Ask(price) => asks.push(cell(price, size)),
        }
    }
    bids.reverse();
    json!({ "symbol": feed.instrument.symbol, "bids": bids, "asks": asks, "timestamp": stamp(now) })
}
