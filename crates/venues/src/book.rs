//! One instrument's order book, kept from snapshots and changes.
//!
//! Venue-neutral and pure. The rules by which a book is whole: it begins with a snapshot, a snapshot replaces everything,
//! every change follows the one before it by the venue's rule ([`Follows`]), and the best bid lies below the best ask.
//! A book that breaks a rule is thrown away and says nothing until the next snapshot: a wrong book is worse than none.
//! Memory is bounded.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Price, Quantity, Timestamp};

use crate::event::BookView;

/// Levels kept per side at most. Of a book that is sent to a bounded depth, more of them mean that removals have been
/// missed; of a whole book the farthest are forgotten.
const MOST_KEPT: usize = 400;
/// A book of which levels were forgotten is worn out when a side has fewer left than this.
const LEAST_KEPT: usize = 100;

/// What a message about a book is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookKind {
    /// The whole book.
    Snapshot,
    /// What has changed.
    Delta,
}

/// By what rule a change follows the state before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Its number is the next one (Bybit, Kraken Futures).
    Next,
    /// It names the number before it (OKX: `prevSeqId`).
    After(i64),
    /// It names the number before it and the first of the changes in it (Binance: `pu`, `U`).
    Range {
        /// The first change in it; a snapshot may lie inside the range.
        first: i64,
        /// The last change of the message before it.
        previous: i64,
    },
}

impl Follows {
    fn fits(self, last: i64, number: i64) -> bool {
        match self {
            Self::Next => last.checked_add(1) == Some(number),
            Self::After(previous) => previous == last,
            Self::Range { first, previous } => previous == last || (first <= last && last <= number),
        }
    }
}

/// To which depth a venue sends a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// A fixed number of levels below [`MOST_KEPT`]; levels that fall out of it are removed by name.
    Bounded,
    /// Changes of every level.
    Whole,
}

/// New quantities at prices; zero for a level that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookUpdate {
    /// Whole or changed.
    pub kind: BookKind,
    /// The number of this state of the book.
    pub number: i64,
    /// How a change is bound to the state before it; of no use in a snapshot.
    pub follows: Follows,
    /// How far the venue's word reaches.
    pub depth: Depth,
    /// Prices at which somebody buys.
    pub bids: Vec<(Price, Decimal)>,
    /// Prices at which somebody sells.
    pub asks: Vec<(Price, Decimal)>,
    /// The venue's time.
    pub at: Timestamp,
}

/// Why a book cannot be believed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookFault {
    /// A change came before any snapshot.
    #[error("a change came before a snapshot")]
    NoSnapshot,
    /// A change is missing.
    #[error("change {found} came after {last}")]
    Gap {
        /// The number of the newest state.
        last: i64,
        /// The number that came.
        found: i64,
    },
    /// The best bid is not below the best ask.
    #[error("bids and asks cross")]
    Crossed,
    /// More levels than a book can have.
    #[error("the book has too many levels")]
    Overgrown,
    /// So many levels were forgotten and removed that the rest may have holes.
    #[error("too few levels are left of a book of which some were forgotten")]
    WornOut,
}

/// A book as far as it can be believed.
#[derive(Debug, Clone, Default)]
pub struct LocalBook {
    bids: BTreeMap<Price, Quantity>,
    asks: BTreeMap<Price, Quantity>,
    /// The number and time of the newest state; `None` without a believable book.
    newest: Option<(i64, Timestamp)>,
    /// Whether far levels were forgotten.
    forgotten: Forgotten,
}

/// Whether levels were forgotten since the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Forgotten {
    #[default]
    None,
    Some,
}

impl LocalBook {
    /// Takes in a message. After an error the book is empty and waits for a snapshot. A repeated change is ignored.
    pub fn take(&mut self, update: &BookUpdate) -> Result<(), BookFault> {
        let result = self.apply(update);
        if result.is_err() {
            *self = Self::default();
        }
        result
    }

    fn apply(&mut self, update: &BookUpdate) -> Result<(), BookFault> {
        match (update.kind, self.newest) {
            (BookKind::Snapshot, _) => {
                self.bids.clear();
                self.asks.clear();
                self.forgotten = Forgotten::None;
            }
            (BookKind::Delta, None) => return Err(BookFault::NoSnapshot),
            (BookKind::Delta, Some((last, _))) if update.number <= last => return Ok(()),
            (BookKind::Delta, Some((last, _))) if update.follows.fits(last, update.number) => {}
            (BookKind::Delta, Some((last, _))) => {
                return Err(BookFault::Gap { last, found: update.number });
            }
        }
        put(&mut self.bids, &update.bids);
        put(&mut self.asks, &update.asks);
        self.keep_bounded(update.depth)?;
        let best = self.bids.last_key_value().zip(self.asks.first_key_value());
        if best.is_some_and(|((bid, _), (ask, _))| bid >= ask) {
            return Err(BookFault::Crossed);
        }
        self.newest = Some((update.number, update.at));
        Ok(())
    }

    fn keep_bounded(&mut self, depth: Depth) -> Result<(), BookFault> {
        let overgrown = self.bids.len().max(self.asks.len()) > MOST_KEPT;
        match depth {
            Depth::Bounded if overgrown => return Err(BookFault::Overgrown),
            Depth::Bounded => return Ok(()),
            Depth::Whole => {}
        }
        // At most as many turns as a message has levels.
        while self.bids.len() > MOST_KEPT {
            self.bids.pop_first();
        }
        while self.asks.len() > MOST_KEPT {
            self.asks.pop_last();
        }
        if overgrown {
            self.forgotten = Forgotten::Some;
        }
        let few = self.bids.len().min(self.asks.len()) < LEAST_KEPT;
        if self.forgotten == Forgotten::Some && few { Err(BookFault::WornOut) } else { Ok(()) }
    }

    /// Whether there is a believable book, be it an empty one.
    pub const fn is_whole(&self) -> bool {
        self.newest.is_some()
    }

    /// The best levels of each side. `None` without a believable book or with an empty side.
    pub fn view(&self, levels: usize) -> Option<BookView> {
        let (_, at) = self.newest?;
        let pair = |(price, quantity): (&Price, &Quantity)| (*price, *quantity);
        let view = BookView {
            bids: self.bids.iter().rev().take(levels).map(pair).collect(),
            asks: self.asks.iter().take(levels).map(pair).collect(),
            at,
        };
        (!view.bids.is_empty() && !view.asks.is_empty()).then_some(view)
    }
}

fn put(side: &mut BTreeMap<Price, Quantity>, changes: &[(Price, Decimal)]) {
    for (price, quantity) in changes {
        match Quantity::new(*quantity) {
            Ok(quantity) => side.insert(*price, quantity),
            // Zero: the level is gone.
            Err(_) => side.remove(price),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(Price, Decimal)> {
        let row = |cell: &str| {
            let (price, quantity) = cell.split_once('x').unwrap();
            (price.parse().unwrap(), quantity.parse().unwrap())
        };
        text.split_whitespace().map(row).collect()
    }

    fn update(kind: BookKind, number: i64, bids: &str, asks: &str) -> BookUpdate {
        let (bids, asks, at) = (rows(bids), rows(asks), Timestamp::from_ms(number));
        BookUpdate { kind, number, follows: Follows::Next, depth: Depth::Bounded, bids, asks, at }
    }

    fn text(book: &LocalBook) -> String {
        let side = |levels: &[(Price, Quantity)]| {
            levels.iter().map(|(price, size)| format!("{price}x{size}")).collect::<Vec<_>>().join(" ")
        };
        book.view(50).map_or("none".to_owned(), |view| {
            format!("{} | {} @{}", side(&view.bids), side(&view.asks), view.at.ms())
        })
    }

    /// Kind, number, bids, asks, fault, book afterwards.
    type Row = (BookKind, i64, &'static str, &'static str, Option<BookFault>, &'static str);

    /// One story from the first message to the last.
    #[test]
    fn a_book_is_believed_only_while_it_is_whole() {
        use BookKind::{Delta, Snapshot};
        let story: &[Row] = &[
            (Delta, 4, "9x1", "", Some(BookFault::NoSnapshot), "none"),
            (Snapshot, 7, "9x1 8x2", "10x3 11x4", None, "9x1 8x2 | 10x3 11x4 @7"),
            (Delta, 8, "9x5 8x0 7x1", "10x0", None, "9x5 7x1 | 11x4 @8"),
            // A repeat changes nothing.
            (Delta, 8, "9x6", "", None, "9x5 7x1 | 11x4 @8"),
            (Delta, 10, "9x6", "", Some(BookFault::Gap { last: 8, found: 10 }), "none"),
            (Delta, 11, "9x6", "", Some(BookFault::NoSnapshot), "none"),
            // The venue has restarted: its numbers begin anew.
            (Snapshot, 1, "9x1", "10x1", None, "9x1 | 10x1 @1"),
            (Snapshot, 1, "8x1", "9x1", None, "8x1 | 9x1 @1"),
            (Delta, 2, "9x2", "", Some(BookFault::Crossed), "none"),
            (Snapshot, 3, "", "", None, "none"),
            (Delta, 4, "9x2", "10x1", None, "9x2 | 10x1 @4"),
        ];
        let mut book = LocalBook::default();
        for (kind, number, bids, asks, fault, after) in story {
            let result = book.take(&update(*kind, *number, bids, asks));
            assert_eq!(result.err(), *fault, "{kind:?} {number}");
            assert_eq!(text(&book), *after, "{kind:?} {number}");
        }
        let many: Vec<String> = (1..=MOST_KEPT + 1).map(|price| format!("{price}x1")).collect();
        assert_eq!(book.take(&update(Snapshot, 5, &many.join(" "), "9000x1")), Err(BookFault::Overgrown));
    }

    /// Rule, number, whether a book at 10 takes it in and where the book stands afterwards.
    #[test]
    fn each_venue_binds_its_changes_in_its_own_way() {
        let range = |first, previous| Follows::Range { first, previous };
        let cases = [
            (Follows::Next, 11, Some(11)),
            (Follows::Next, 12, None),
            (Follows::After(10), 30, Some(30)),
            (Follows::After(11), 30, None),
            // A repeat, or what the snapshot holds already.
            (Follows::After(9), 10, Some(10)),
            (range(3, 2), 9, Some(10)),
            // The first change after a snapshot has begun before it.
            (range(8, 7), 14, Some(14)),
            (range(13, 10), 14, Some(14)),
            (range(12, 11), 14, None),
        ];
        for (follows, number, after) in cases {
            let mut book = LocalBook::default();
            book.take(&update(BookKind::Snapshot, 10, "9x1", "10x1")).unwrap();
            let change = BookUpdate { follows, ..update(BookKind::Delta, number, "8x1", "") };
            assert_eq!(book.take(&change).is_ok(), after.is_some(), "{follows:?} {number}");
            assert_eq!(book.newest.map(|(number, _)| number), after, "{follows:?} {number}");
        }
    }

    #[test]
    fn a_whole_book_forgets_far_levels_and_says_so_when_they_are_missing() {
        let whole =
            |kind, number, bids: &str| BookUpdate { depth: Depth::Whole, ..update(kind, number, bids, "") };
        let mut book = LocalBook::default();
        let many: Vec<String> = (1..=MOST_KEPT + 1).map(|price| format!("{price}x1")).collect();
        let asks: Vec<String> = (1_000..1_000 + LEAST_KEPT).map(|price| format!("{price}x1")).collect();
        let first =
            BookUpdate { asks: rows(&asks.join(" ")), ..whole(BookKind::Snapshot, 1, &many.join(" ")) };
        book.take(&first).unwrap();
        assert_eq!(book.bids.len(), MOST_KEPT);
        let best = book.view(1).unwrap().bids[0].0;
        assert_eq!(best.to_string(), (MOST_KEPT + 1).to_string(), "the best are kept");
        let gone: Vec<String> = (LEAST_KEPT + 1..=MOST_KEPT + 1).map(|price| format!("{price}x0")).collect();
        let worn = book.take(&whole(BookKind::Delta, 2, &gone.join(" ")));
        assert_eq!(worn, Err(BookFault::WornOut));
    }
}
