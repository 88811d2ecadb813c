//! Order books and trades of the public stream: kept here, summed here, told once per closed candle.
//!
//! A program that trades on closed candles needs neither every change of a book nor every trade; it would drown in
//! them. So books and sums live beside the connection, bounded, and [`super::market_stream`] asks for them when a candle
//! has closed. A book that is not whole any more is subscribed anew.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{Candle, Symbol, Timestamp};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::convert_market as convert;
use super::wire::{self, StreamBook, StreamRows, WireTrade};
use crate::book::{BookFault, LocalBook};
use crate::error::WireError;
use crate::event::MarketEvent;
use crate::port::{MarketSubscription, Series};
use crate::tape::Tape;

/// Levels per side that are subscribed and told.
const LEVELS: usize = 50;
/// A book is subscribed anew at most once in this time, by the stream's own clock.
const RENEW_AFTER_MS: i64 = 10_000;
/// A book that stands now says nothing about a candle that closed so long ago.
const OLD_CANDLE_MS: i64 = 60_000;

/// Books and trades of a connection.
#[derive(Debug)]
pub struct Flow {
    wanted_books: BTreeSet<Symbol>,
    books: BTreeMap<Symbol, LocalBook>,
    /// When a book was subscribed anew last.
    renewed: BTreeMap<Symbol, Timestamp>,
    tapes: Vec<Tape>,
    /// The first trade of each instrument's newest message, by which a repeated message is known.
    newest: BTreeMap<Symbol, String>,
    /// The newest time that any message has told.
    now: Timestamp,
}

/// What to do about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Taken,
    /// Subscribe to this topic anew.
    Renew(String),
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

    /// The topics of an instrument.
    pub fn topics(&self, symbol: Symbol) -> Vec<String> {
        let book = self.wanted_books.contains(&symbol).then(|| book_topic(symbol));
        let traded = self.tapes.iter().any(|tape| tape.symbol() == symbol);
        book.into_iter().chain(traded.then(|| format!("publicTrade.{symbol}"))).collect()
    }

    /// The connection is new or gone: nothing that was known counts any more.
    pub fn reset(&mut self) {
        self.books.clear();
        self.renewed.clear();
        self.newest.clear();
        self.now = Timestamp::EPOCH;
        self.tapes.iter_mut().for_each(Tape::lose);
    }

    /// Any message of an instrument. Its topics were subscribed together, so from the first message on no trade is
    /// missed.
    pub fn heard(&mut self, topic: &str, at: Timestamp) {
        self.now = self.now.max(at);
        for tape in self.tapes.iter_mut().filter(|tape| tape.is_waiting()) {
            if topic.rsplit_once('.').is_some_and(|(_, name)| name == tape.symbol().as_str()) {
                tape.begin(at);
            }
        }
    }

    /// A message about a book.
    pub fn read_book(&mut self, text: &Utf8Bytes, at: Timestamp) -> Result<Verdict, WireError> {
        let news: StreamBook<'_> = wire::json("order book message", text.as_bytes())?;
        let symbol: Symbol = news.data.symbol.get("order book", "s")?;
        if !self.wanted_books.contains(&symbol) {
            return Ok(Verdict::Taken);
        }
        let book = self.books.entry(symbol).or_default();
        let update = match convert::book(&news.kind, &news.data, at) {
            Ok(update) => update,
            Err(error) => {
                // What it changed is not known.
                *book = LocalBook::default();
                return Err(error);
            }
        };
        match book.take(&update) {
            Ok(()) => Ok(Verdict::Taken),
            // Whichever rule it broke, the remedy is the same, and until then the book says nothing.
            Err(
                BookFault::NoSnapshot | BookFault::Gap { .. } | BookFault::Crossed | BookFault::Overgrown,
            ) => Ok(if self.may_renew(symbol, at) {
                Verdict::Renew(book_topic(symbol))
            } else {
                Verdict::Taken
            }),
        }
    }

    /// Notes that a book is subscribed anew, unless it was a moment ago.
    fn may_renew(&mut self, symbol: Symbol, at: Timestamp) -> bool {
        let renewed = self.renewed.get(&symbol);
        if renewed.is_some_and(|before| at.since_ms(*before) < RENEW_AFTER_MS) {
            return false;
        }
        self.renewed.insert(symbol, at);
        true
    }

    /// Topics of books that were subscribed anew and have not come back: the venue has refused or forgotten them, and
    /// without any message of theirs nothing else would ask again.
    pub fn overdue(&mut self, at: Timestamp) -> Vec<String> {
        let lost = |symbol: &Symbol| self.books.get(symbol).is_none_or(|book| !book.is_whole());
        let lost: Vec<Symbol> = self.renewed.keys().copied().filter(lost).collect();
        lost.into_iter().filter(|symbol| self.may_renew(*symbol, at)).map(book_topic).collect()
    }

    /// A message of trades.
    pub fn read_trades(&mut self, text: &Utf8Bytes) -> Result<(), WireError> {
        let result = self.take_trades(text);
        if result.is_err() {
            // Some trades are not known now, and not even of which instrument for sure.
            self.tapes.iter_mut().for_each(Tape::lose);
        }
        result
    }

    fn take_trades(&mut self, text: &Utf8Bytes) -> Result<(), WireError> {
        let news: StreamRows<WireTrade<'_>> = wire::json("trade message", text.as_bytes())?;
        let rows = news.data.unwrap_or_default();
        let Some(first) = rows.first() else { return Ok(()) };
        let symbol: Symbol = first.symbol.get("trade", "s")?;
        if self.newest.get(&symbol).is_some_and(|id| id == first.id.text()) {
            return Ok(());
        }
        self.newest.insert(symbol, first.id.text().to_owned());
        for row in &rows {
            let trade = convert::trade(row)?;
            for tape in self.tapes.iter_mut().filter(|tape| tape.symbol() == symbol) {
                tape.take(&trade);
            }
        }
        Ok(())
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

fn book_topic(symbol: Symbol) -> String {
    format!("orderbook.{LEVELS}.{symbol}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, number: i64) -> Utf8Bytes {
        let text = serde_json::json!({
            "topic": "orderbook.50.BTCUSDT", "type": kind, "ts": 1,
            "data": {"s": "BTCUSDT", "b": [["10", "1"]], "a": [["11", "1"]], "u": number, "seq": number}
        });
        text.to_string().into()
    }

    fn flow() -> Flow {
        let symbol = "BTCUSDT".parse().unwrap();
        Flow::new(&MarketSubscription { books: [symbol].into(), ..MarketSubscription::default() })
    }

    #[test]
    fn a_lost_book_is_asked_for_until_it_comes_but_not_all_the_time() {
        let mut flow = flow();
        let at = Timestamp::from_ms;
        let topic = || "orderbook.50.BTCUSDT".to_owned();
        let read =
            |flow: &mut Flow, kind, number, ms| flow.read_book(&message(kind, number), at(ms)).unwrap();
        assert_eq!(flow.overdue(at(0)), Vec::<String>::new(), "nothing is lost");
        assert_eq!(read(&mut flow, "snapshot", 5, 0), Verdict::Taken);
        assert_eq!(read(&mut flow, "delta", 7, 100), Verdict::Renew(topic()));
        assert_eq!(read(&mut flow, "delta", 8, 200), Verdict::Taken, "it was asked for a moment ago");
        assert_eq!(flow.overdue(at(RENEW_AFTER_MS)), Vec::<String>::new());
        assert_eq!(flow.overdue(at(100 + RENEW_AFTER_MS)), [topic()]);
        assert_eq!(flow.overdue(at(200 + RENEW_AFTER_MS)), Vec::<String>::new());
        assert_eq!(read(&mut flow, "snapshot", 1, 300 + RENEW_AFTER_MS), Verdict::Taken);
        assert_eq!(flow.overdue(at(10 * RENEW_AFTER_MS)), Vec::<String>::new(), "it has come");
    }

    #[test]
    fn an_unreadable_change_leaves_no_book() {
        let mut flow = flow();
        let at = Timestamp::from_ms(0);
        flow.read_book(&message("snapshot", 5), at).unwrap();
        let negative = message("delta", 6).as_str().replace("\"1\"", "\"-1\"");
        assert!(flow.read_book(&negative.into(), at).is_err());
        assert_eq!(
            flow.read_book(&message("delta", 7), at).unwrap(),
            Verdict::Renew(book_topic("BTCUSDT".parse().unwrap()))
        );
    }
}
