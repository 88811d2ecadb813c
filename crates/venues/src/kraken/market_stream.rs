//! Kraken's public stream: feeds, and what their messages say. The loop is that of all venues:
//! [`crate::common::market_feed`].
//!
//! There is no feed of candles. Candles summed from the feed of trades would not be Kraken's: it does not say which
//! trades its charts count (blocks, liquidations, corrections), a message lost in a reconnection would make a wrong candle
//! without a trace, and the first one after a connection is never whole. So closed candles are fetched from the charts as
//! soon as they have settled, by the time that the stream's own messages tell.

use keyhold_domain::{Symbol, Timestamp};

use super::KrakenMarket;
use super::convert_market as convert;
use super::render::{FeedWish, feed_frame};
use super::rest::KrakenDialect;
use super::stream;
use super::wire::{self, StreamHead};
use super::wire_market::{FeedBook, FeedBookChange, FeedTrade};
use crate::book::BookUpdate;
use crate::common::link::{Ask, Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::market_feed::{Harm, News, PublicStream, Renewal, Want, Wanted};
use crate::common::rest::Rest;
use crate::error::WireError;
use crate::port::Offered;
use crate::transport::Dialer;

impl<D: Dialer> PublicStream<D> for KrakenMarket<D> {
    type Dialect = KrakenDialect;

    const CANDLES: Offered = Offered::No;
    const FORMING: Offered = Offered::No;

    fn rest(&self) -> &Rest<D, KrakenDialect> {
        &self.rest
    }

    async fn open(&self) -> Result<Links<D>, Ended> {
        let link = Link::open(&self.rest, self.rest.endpoints.public_ws(), "", Ping::Frame).await?;
        Ok(Links::one(link))
    }

    /// Trades first: from the first message of an instrument on, none of them is missed.
    fn asks(&self, wants: &[Want]) -> Vec<Ask> {
        let ask = |((symbol, feed), number): ((Symbol, &str), u32)| Ask {
            link: LinkNo::First,
            number,
            frame: feed_frame(FeedWish::Subscribe, feed, &[symbol]),
            answers: 1,
        };
        let feeds = wants.iter().flat_map(|want| feeds(want).into_iter().map(|feed| (want.symbol, feed)));
        feeds.zip(1..).map(ask).collect()
    }

    fn hear(&self, _ask: &Ask, text: &str) -> Heard {
        stream::hear(text)
    }

    fn read(&self, _link: LinkNo, text: &str) -> Vec<News> {
        read(text)
    }

    fn renewal(&self, symbol: Symbol, _number: u32) -> Renewal {
        let frame = |wish| feed_frame(wish, "book", &[symbol]);
        Renewal::Frames(LinkNo::First, vec![frame(FeedWish::Unsubscribe), frame(FeedWish::Subscribe)])
    }
}

fn feeds(want: &Want) -> Vec<&'static str> {
    let mut feeds = vec![];
    if want.trades == Wanted::Yes {
        feeds.push("trade");
    }
    if want.book == Wanted::Yes {
        feeds.push("book");
    }
    feeds.push("ticker");
    feeds
}

/// What a message says.
pub fn read(text: &str) -> Vec<News> {
    let head: StreamHead<'_> = match wire::json("stream message", text.as_bytes()) {
        Ok(head) => head,
        Err(error) => return vec![News::Unreadable(error, Harm::None)],
    };
    if !head.event.is_empty() {
        return vec![];
    }
    let symbol = convert::symbol(&head.symbol, "stream message", "product_id");
    let told = match head.feed.text() {
        "ticker" => one("ticker message", text, convert::feed_ticker).map(News::Ticker),
        "book_snapshot" => return book(symbol, one("order book message", text, book_of), &head),
        "book" => return book(symbol, one("order book message", text, change_of), &head),
        "trade" => match trade(text) {
            Ok(news) => Ok(news),
            Err(error) => return vec![News::Unreadable(error, Harm::Trades)],
        },
        // Trades from before we listened, beats, and whatever Kraken may add.
        _ => return vec![],
    };
    let mut news = heard(&symbol, &head);
    news.push(told.unwrap_or_else(|error| News::Unreadable(error, Harm::None)));
    news
}

fn heard(symbol: &Result<Symbol, WireError>, head: &StreamHead<'_>) -> Vec<News> {
    let at = head.at.maybe::<Timestamp>("stream message", "time");
    match (symbol, at) {
        (Ok(symbol), Ok(Some(at))) => vec![News::Heard(*symbol, at)],
        _ => vec![],
    }
}

fn one<'a, R: serde::Deserialize<'a>, T>(
    what: &'static str,
    text: &'a str,
    read: impl Fn(&R) -> Result<T, WireError>,
) -> Result<T, WireError> {
    read(&wire::json(what, text.as_bytes())?)
}

fn book_of(row: &FeedBook<'_>) -> Result<BookUpdate, WireError> {
    convert::book_snapshot(row)
}

fn change_of(row: &FeedBookChange<'_>) -> Result<BookUpdate, WireError> {
    convert::book_change(row)
}

fn book(
    symbol: Result<Symbol, WireError>,
    update: Result<BookUpdate, WireError>,
    head: &StreamHead<'_>,
) -> Vec<News> {
    let mut news = heard(&symbol, head);
    news.push(match (symbol, update) {
        (Ok(symbol), Ok(update)) => News::Book(symbol, update),
        (Ok(symbol), Err(error)) => News::Unreadable(error, Harm::Book(symbol)),
        (Err(error), _) => News::Unreadable(error, Harm::None),
    });
    news
}

fn trade(text: &str) -> Result<News, WireError> {
    let row: FeedTrade<'_> = wire::json("trade message", text.as_bytes())?;
    let symbol = convert::symbol(&row.symbol, "trade", "product_id")?;
    let trade = convert::trade(&row)?;
    Ok(News::Trades { symbol, id: row.uid.text().to_owned(), rows: vec![trade] })
}
