//! What the streams tell, and the handle by which a program listens.
//!
//! An event never replaces a question: after [`AccountEvent::Resynced`] or [`AccountEvent::Undecodable`] the program
//! asks for orders, fills and positions again, because something may have happened unseen.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use keyhold_domain::{
    Balance, Candle, Fill, OrderUpdate, Position, Price, Quantity, Symbol, Timeframe, Timestamp,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::{VenueError, WireError};
use crate::port::{FundingPayment, Ticker};
use crate::tape::TakerSums;

/// Where a closed candle came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandleOrigin {
    /// From the stream, when it closed.
    Stream,
    /// Fetched afterwards to fill a gap; may be old.
    Fetched,
}

/// News of the market. Closed candles of a series come in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// A candle closed.
    CandleClosed {
        /// The instrument.
        symbol: Symbol,
        /// Its series.
        timeframe: Timeframe,
        /// The candle, which will not change any more.
        candle: Candle,
        /// From the stream or fetched.
        origin: CandleOrigin,
    },
    /// A candle that is still forming changed. Dropped when the program is slow.
    CandleForming {
        /// The instrument.
        symbol: Symbol,
        /// Its series.
        timeframe: Timeframe,
        /// The candle so far.
        candle: Candle,
    },
    /// Prices or the funding rate changed. Dropped when the program is slow.
    Ticker(Ticker),
    /// The best levels of an order book, as they stand when a candle has closed. Comes just before that candle and only
    /// while the book is whole.
    Book {
        /// The instrument.
        symbol: Symbol,
        /// Its book.
        book: BookView,
    },
    /// What takers traded during a candle. Comes just before that candle and only when no trade was missed.
    Traded {
        /// The instrument.
        symbol: Symbol,
        /// Its series.
        timeframe: Timeframe,
        /// Opening time of the candle.
        open_time: Timestamp,
        /// The sums.
        sums: TakerSums,
    },
    /// Candles that could not be had: opening times from `from` up to and without `until`.
    Gap {
        /// The instrument.
        symbol: Symbol,
        /// Its series.
        timeframe: Timeframe,
        /// Opening time of the first missing candle.
        from: Timestamp,
        /// Opening time of the next candle that is there.
        until: Timestamp,
    },
    /// The stream broke or could not be made; it is being made anew. Told for every attempt.
    Disconnected {
        /// By our clock.
        at: Timestamp,
    },
    /// The stream stands (again) and gaps before it have been filled or reported.
    Resynced {
        /// By our clock.
        at: Timestamp,
    },
    /// The venue did not accept the subscription; it is asked again later.
    Refused(VenueError),
    /// A message could not be read.
    Undecodable(WireError),
}

/// The best levels of an order book; each side begins with its best price and has at least one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookView {
    /// What somebody wants to buy.
    pub bids: Vec<(Price, Quantity)>,
    /// What somebody wants to sell.
    pub asks: Vec<(Price, Quantity)>,
    /// When the book changed last, by the venue's clock.
    pub at: Timestamp,
}

/// How a position was taken from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedBy {
    /// The venue's liquidation.
    Liquidation,
    /// The venue's automatic deleveraging.
    Deleveraging,
}

/// News of the account. The same fill may come more than once, with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// One of our orders changed.
    OrderUpdate(OrderUpdate),
    /// An order was filled, ours or a foreign one.
    Fill(Fill),
    /// Funding was paid or received.
    Funding(FundingPayment),
    /// The venue shrank a position by force; the fill comes as its own event.
    Forced {
        /// The instrument.
        symbol: Symbol,
        /// How.
        by: ForcedBy,
        /// When, by the venue's clock.
        at: Timestamp,
    },
    /// A position changed; size zero when it was closed.
    Position(Position),
    /// A balance changed.
    Balance(Balance),
    /// The stream broke or could not be made; it is being made anew. Told for every attempt.
    Disconnected {
        /// By our clock.
        at: Timestamp,
    },
    /// The stream stands (again). What happened before must be asked for.
    Resynced {
        /// By our clock.
        at: Timestamp,
    },
    /// The venue did not let us in; it is tried again later.
    Refused(VenueError),
    /// A message could not be read. Treat it like [`Self::Resynced`].
    Undecodable(WireError),
}

/// Events in order, from a task that ends when this is dropped.
#[derive(Debug)]
pub struct EventStream<T> {
    events: mpsc::Receiver<T>,
    task: JoinHandle<()>,
}

impl<T> EventStream<T> {
    pub(crate) fn new(events: mpsc::Receiver<T>, task: JoinHandle<()>) -> Self {
        Self { events, task }
    }

    /// The next event. `None` when the task has ended, which happens only when the runtime stops.
    pub async fn next_event(&mut self) -> Option<T> {
        self.events.recv().await
    }
}

impl<T> Stream for EventStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.events.poll_recv(cx)
    }
}

impl<T> Drop for EventStream<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
