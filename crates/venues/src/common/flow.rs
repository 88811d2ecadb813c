//! Order books and trades of the public stream: kept here, summed here, told once per closed candle.
//!
//! A program that trades on closed candles needs neither every change of a book nor every trade; it would drown in
//! them. So books and sums live beside the connection, bounded, and [`super::market_feed`] asks for them when a candle
//! has closed. A book that is not whole any more is had anew.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{Candle, Symbol, Timestamp};

use super::market_feed::Harm;
use crate::book::{BookFault, BookUpdate, LocalBook};
use crate::event::MarketEvent;
use crate::port::{MarketSubscription, Series};
use crate::tape::{PublicTrade, Tape};

/// Levels per side that are told.
pub const LEVELS: usize = 50;
/// A book is had anew at most once in this time, by the stream's own clock.
const RENEW_AFTER_MS: i64 = 10_000;
/// A book that stands now says nothing about a candle that closed so long ago.
const OLD_CANDLE_MS: i64 = 60_000;

/// Books and trades of a connection.
#[derive(Debug)]
pub struct Flow {
    wanted_books: BTreeSet<Symbol>,
    books: BTreeMap<Symbol, LocalBook>,
    /// When a book was asked for anew last.
    renewed: BTreeMap<Symbol, Timestamp>,
    tapes: Vec<Tape>,
    /// The first trade of each instrument's newest message, by which a repeated message is known.
    newest: BTreeMap<Symbol, String>,
    /// The newest time that any message has told.
    now: Timestamp,
}

/// What to do about a book's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Taken,
    /// Have the book anew.
    Renew,
}

impl Flow {
    /// For what a program wants.
    pub fn new(subscription: &MarketSubscription) -> Self {
        let traded = |series: &&Series| subscription.trades.contains(&series.symbol);
        Self {
            wanted_books: subscription.books.clone(),
            books: BTreeMap::new(),
            renewed: BTreeMap::new(),
            tapes: subscription
                .series
                .iter()
                .filter(traded)
                .map(|one| Tape::new(one.symbol, one.timeframe))
                .collect(),
            newest: BTreeMap::new(),
            now: Timestamp::EPOCH,
        }
    }

    /// The connection is new or gone: nothing that was known counts any more.
    pub fn reset(&mut self) {
        self.books.clear();
        self.renewed.clear();
        self.newest.clear();
        self.now = Timestamp::EPOCH;
        self.tapes.iter_mut().for_each(Tape::lose);
    }

    /// The newest time that any message of this connection has told.
    pub fn newest_time(&self) -> Option<Timestamp> {
        (self.now > Timestamp::EPOCH).then_some(self.now)
    }

    /// The venue's clock, as its messages tell it.
    pub fn time_is(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// Any message of an instrument where its trades come. Its topics were subscribed together, so from the first
    /// message on no trade is missed.
    pub fn heard(&mut self, symbol: Symbol, at: Timestamp) {
        self.time_is(at);
        for tape in self.tapes.iter_mut().filter(|tape| tape.is_waiting() && tape.symbol() == symbol) {
            tape.begin(at);
        }
    }

    /// A book or a change of it; `at` is the venue's time.
    pub fn take_book(&mut self, symbol: Symbol, update: &BookUpdate, at: Timestamp) -> Verdict {
        if !self.wanted_books.contains(&symbol) {
            return Verdict::Taken;
        }
        match self.books.entry(symbol).or_default().take(update) {
            Ok(()) => Verdict::Taken,
            // Whichever rule it broke, the remedy is the same, and until then the book says nothing.
            Err(
                BookFault::NoSnapshot
                | BookFault::Gap { .. }
                | BookFault::Crossed
                | BookFault::Overgrown
                | BookFault::WornOut,
            ) => {
                if self.may_renew(symbol, at) {
                    Verdict::Renew
                } else {
                    Verdict::Taken
                }
            }
        }
    }

    /// A message could not be read.
    pub fn harm(&mut self, harm: Harm) {
        match harm {
            Harm::None => {}
            // What it changed is not known.
            Harm::Book(symbol) => drop(self.books.insert(symbol, LocalBook::default())),
            // Some trades are not known now, and not even of which instrument for sure.
            Harm::Trades => self.tapes.iter_mut().for_each(Tape::lose),
        }
    }

    /// Notes that a book is asked for anew, unless it was a moment ago.
    fn may_renew(&mut self, symbol: Symbol, at: Timestamp) -> bool {
        let renewed = self.renewed.get(&symbol);
        if renewed.is_some_and(|before| at.since_ms(*before) < RENEW_AFTER_MS) {
            return false;
        }
        self.renewed.insert(symbol, at);
        true
    }

    /// Books that were asked for anew and have not come back: the venue has refused or forgotten them, and without any
    /// message of theirs nothing else would ask again.
    pub fn overdue(&mut self, at: Timestamp) -> Vec<Symbol> {
        let lost = |symbol: &Symbol| self.books.get(symbol).is_none_or(|book| !book.is_whole());
        let lost: Vec<Symbol> = self.renewed.keys().copied().filter(lost).collect();
        lost.into_iter().filter(|symbol| self.may_renew(*symbol, at)).collect()
    }

    /// Trades of one message. `id` is the venue's name of the first of them.
    pub fn take_trades(&mut self, symbol: Symbol, id: String, trades: &[PublicTrade]) {
        if self.newest.get(&symbol) == Some(&id) {
            return;
        }
        self.newest.insert(symbol, id);
        for trade in trades {
            for tape in self.tapes.iter_mut().filter(|tape| tape.symbol() == symbol) {
                tape.take(trade);
            }
        }
    }

    /// What is known beside a candle that has closed.
    pub fn beside(&self, series: &Series, candle: &Candle) -> impl Iterator<Item = MarketEvent> {
        let Series { symbol, timeframe, .. } = *series;
        let close = candle.close_time(timeframe);
        let recent = self.now.since_ms(close) < OLD_CANDLE_MS;
        let book = self.books.get(&symbol).filter(|_| recent).and_then(|book| book.view(LEVELS));
        let same = |tape: &&Tape| (tape.symbol(), tape.timeframe()) == (symbol, timeframe);
        let sums = self.tapes.iter().find(same).and_then(|tape| tape.of(candle));
        let open_time = candle.open_time;
        let book = book.map(|book| MarketEvent::Book { symbol, book });
        book.into_iter().chain(sums.map(|sums| MarketEvent::Traded { symbol, timeframe, open_time, sums }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{BookKind, Depth, Follows};

    fn symbol() -> Symbol {
        "BTCUSDT".parse().unwrap()
    }

    fn flow() -> Flow {
        Flow::new(&MarketSubscription { books: [symbol()].into(), ..MarketSubscription::default() })
    }

    fn take(flow: &mut Flow, kind: BookKind, number: i64, ms: i64) -> Verdict {
        let level = |price: &str| vec![(price.parse().unwrap(), keyhold_domain::Decimal::ONE)];
        let (bids, asks, at) = (level("10"), level("11"), Timestamp::from_ms(ms));
        let update =
            BookUpdate { kind, number, follows: Follows::Next, depth: Depth::Bounded, bids, asks, at };
        flow.take_book(symbol(), &update, at)
    }

    #[test]
    fn a_lost_book_is_asked_for_until_it_comes_but_not_all_the_time() {
        use BookKind::{Delta, Snapshot};
        let mut flow = flow();
        let at = Timestamp::from_ms;
        assert_eq!(flow.overdue(at(0)), [], "nothing is lost");
        assert_eq!(take(&mut flow, Snapshot, 5, 0), Verdict::Taken);
        assert_eq!(take(&mut flow, Delta, 7, 100), Verdict::Renew);
        assert_eq!(take(&mut flow, Delta, 8, 200), Verdict::Taken, "it was asked for a moment ago");
        assert_eq!(flow.overdue(at(RENEW_AFTER_MS)), []);
        assert_eq!(flow.overdue(at(100 + RENEW_AFTER_MS)), [symbol()]);
        assert_eq!(flow.overdue(at(200 + RENEW_AFTER_MS)), []);
        assert_eq!(take(&mut flow, Snapshot, 1, 300 + RENEW_AFTER_MS), Verdict::Taken);
        assert_eq!(flow.overdue(at(10 * RENEW_AFTER_MS)), [], "it has come");
    }

    #[test]
    fn an_unreadable_change_leaves_no_book() {
        let mut flow = flow();
        take(&mut flow, BookKind::Snapshot, 5, 0);
        flow.harm(Harm::Book(symbol()));
        assert_eq!(take(&mut flow, BookKind::Delta, 6, 0), Verdict::Renew);
    }
}
