//! A book as it was told: the levels of the last update, its number, and the difference to the present.
//!
//! Rule of the venue's page "How to manage a local order book correctly": an update covers the numbers `U` to `u` and
//! names by `pu` the last number of the update before it.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price};

use crate::book::{Levels, book};
use crate::feed::Feed;

/// Levels per side: a thin market, of which the whole fits into every answer.
const DEPTH: usize = 100;

/// The levels that everybody can know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// The number of the last update.
    pub(crate) number: i64,
    bids: BTreeMap<Price, Decimal>,
    asks: BTreeMap<Price, Decimal>,
}

/// What one update says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// `U`
    pub(crate) first: i64,
    /// `u`
    pub(crate) last: i64,
    /// `pu`
    pub(crate) previous: i64,
    /// Present sizes; zero for levels that are gone.
    pub(crate) bids: Levels,
    /// The same.
    pub(crate) asks: Levels,
}

impl Book {
    /// The present levels, under the first number.
    pub(crate) fn of(feed: &Feed) -> Self {
        let (bids, asks) = book(feed, DEPTH);
        Self { number: 1, bids: bids.into_iter().collect(), asks: asks.into_iter().collect() }
    }

    /// Goes on to the present levels. Every update tells the best levels, changed or not, so that a quiet market is
    /// heard as well, and covers two numbers, so that ranges are ranges.
    pub(crate) fn follow(&mut self, feed: &Feed) -> Change {
        let (bids, asks) = book(feed, DEPTH);
        let previous = self.number;
        self.number = previous + 2;
        Change {
            first: previous + 1,
            last: self.number,
            previous,
            bids: changed(&mut self.bids, bids),
            asks: changed(&mut self.asks, asks),
        }
    }

    /// The best levels, best first.
    pub(crate) fn levels(&self, depth: usize) -> (Levels, Levels) {
        let copied = |(price, size): (&Price, &Decimal)| (*price, *size);
        (
            self.bids.iter().rev().take(depth).map(copied).collect(),
            self.asks.iter().take(depth).map(copied).collect(),
        )
    }
}

/// What is gone, what differs and the best level; `side` becomes what is present.
fn changed(side: &mut BTreeMap<Price, Decimal>, present: Levels) -> Levels {
    let best = present.first().copied();
    let present: BTreeMap<Price, Decimal> = present.into_iter().collect();
    let gone = side.keys().filter(|price| !present.contains_key(price)).map(|price| (*price, Decimal::ZERO));
    let differs = present.iter().filter(|(price, size)| {
        side.get(price) != Some(size) || best.is_some_and(|(best, _)| best == **price)
    });
    let told = gone.chain(differs.map(|(price, size)| (*price, *size))).collect();
    *side = present;
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_from_one_state_to_the_next() {
        let price = |value: u32| Price::new(value.into()).unwrap();
        let rows = |from: u32, until: u32| -> Levels {
            (from..until).map(|value| (price(value), Decimal::from(value % 7))).collect()
        };
        let mut told: BTreeMap<Price, Decimal> = rows(10, 30).into_iter().collect();
        let mut heard = told.clone();
        for (from, until) in [(12, 32), (60, 80), (5, 25), (5, 25)] {
            let change = changed(&mut told, rows(from, until));
            assert!(change.iter().any(|(at, _)| *at == price(from)), "the best level is always told");
            for (at, size) in change {
                if size.is_zero() {
                    heard.remove(&at);
                } else {
                    heard.insert(at, size);
                }
            }
            let present: BTreeMap<Price, Decimal> =
                rows(from, until).into_iter().filter(|(_, size)| !size.is_zero()).collect();
            assert_eq!(heard.iter().filter(|(_, size)| !size.is_zero()).count(), present.len());
        }
    }
}
