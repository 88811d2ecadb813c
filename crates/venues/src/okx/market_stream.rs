//! OKX's public streams: topics, and what their messages say. The loop is that of all venues:
//! [`crate::common::market_feed`].
//!
//! Prices, books and trades come over one connection, candles over another.

use keyhold_domain::{Symbol, Timeframe, Timestamp};

use super::OkxMarket;
use super::convert_market::{self as convert, Confirmed};
use super::render::{bar, family};
use super::rest::OkxDialect;
use super::sizes::Sizes;
use super::stream::{self, About, PING_FRAME, Topic, about};
use super::wire::{
    self, Field, WireBook, WireFundingRate, WireIndex, WireInterest, WireMark, WireTicker, WireTrade,
};
use crate::common::link::{Ask, Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::market_feed::{CandleState, Harm, News, PublicStream, Renewal, Want, Wanted};
use crate::common::rest::Rest;
use crate::error::WireError;
use crate::port::Ticker;
use crate::transport::Dialer;

const BOOKS: &str = "books";
const TRADES: &str = "trades";
const CANDLE: &str = "candle";
const INDEX: &str = "index-tickers";

/// What tells prices of an instrument by its own name.
const PRICES: [&str; 4] = ["tickers", "mark-price", "funding-rate", "open-interest"];

impl<D: Dialer> PublicStream<D> for OkxMarket<D> {
    type Dialect = OkxDialect;

    fn rest(&self) -> &Rest<D, OkxDialect> {
        &self.rest
    }

    async fn open(&self) -> Result<Links<D>, Ended> {
        // Messages count contracts; without their sizes nothing could be read.
        self.sizes_of(std::iter::empty()).await.map_err(|_| Ended::Broken)?;
        let rest = &self.rest;
        let ping = Ping::Text(PING_FRAME);
        let public = Link::open(rest, rest.endpoints.public_ws(), "", ping).await?;
        let business = Link::open(rest, rest.endpoints.market_ws(), "", ping).await?;
        Ok(Links::two(public, business))
    }

    fn asks(&self, wants: &[Want]) -> Vec<Ask> {
        let asks = wants
            .iter()
            .flat_map(|want| [(LinkNo::First, topics(want)), (LinkNo::Second, candle_topics(want))]);
        let numbered = asks.filter(|(_, topics)| !topics.is_empty()).zip(1..);
        numbered
            .map(|((link, topics), number)| Ask {
                link,
                number,
                frame: stream::subscribe_frame(&topics),
                answers: topics.len(),
            })
            .collect()
    }

    fn hear(&self, _ask: &Ask, text: &str) -> Heard {
        stream::hear("subscribe", text)
    }

    fn read(&self, _link: LinkNo, text: &str) -> Vec<News> {
        read(text, &self.known_sizes(), self.rest.venue_now())
    }

    fn renewal(&self, symbol: Symbol, _number: u32) -> Renewal {
        let topics = [Topic::of(BOOKS, symbol.as_str())];
        let frames = vec![stream::unsubscribe_frame(&topics), stream::subscribe_frame(&topics)];
        Renewal::Frames(LinkNo::First, frames)
    }
}

/// What is asked on the first connection.
pub fn topics(want: &Want) -> Vec<Topic> {
    let name = want.symbol.as_str();
    let mut topics: Vec<Topic> = PRICES.iter().map(|channel| Topic::of(*channel, name)).collect();
    topics.push(Topic::of(INDEX, family(want.symbol)));
    if want.book == Wanted::Yes {
        topics.push(Topic::of(BOOKS, name));
    }
    if want.trades == Wanted::Yes {
        topics.push(Topic::of(TRADES, name));
    }
    topics
}

/// What is asked on the second.
pub fn candle_topics(want: &Want) -> Vec<Topic> {
    let topic =
        |timeframe: &Timeframe| Topic::of(format!("{CANDLE}{}", bar(*timeframe)), want.symbol.as_str());
    want.timeframes.iter().map(topic).collect()
}

/// What a message says; `now` stands in for a time that it does not tell.
pub fn read(text: &str, sizes: &Sizes, now: Timestamp) -> Vec<News> {
    let About { channel, name, action } = match about(text) {
        Ok(Some(about)) => about,
        Ok(None) => return vec![],
        Err(error) => return vec![News::Unreadable(error, Harm::None)],
    };
    let name = if channel == INDEX { format!("{name}-SWAP") } else { name };
    let Ok(symbol) = name.parse::<Symbol>() else {
        let error = WireError::Missing { what: "stream message", field: "instId" };
        return vec![News::Unreadable(error, Harm::None)];
    };
    match channel.as_str() {
        BOOKS => book(text, &action, symbol, sizes, now),
        TRADES => trades(text, symbol, sizes, now)
            .unwrap_or_else(|error| vec![News::Unreadable(error, Harm::Trades)]),
        _ if channel.starts_with(CANDLE) => candles(text, &channel[CANDLE.len()..], symbol, sizes),
        _ => match prices(text, &channel, symbol, sizes, now) {
            Ok(Some(ticker)) => vec![News::Heard(symbol, ticker.at), News::Ticker(ticker)],
            Ok(None) => vec![],
            Err(error) => vec![News::Unreadable(error, Harm::None)],
        },
    }
}

/// The newest of the message's rows.
fn last<'a, T: serde::Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, WireError> {
    wire::rows(what, text.as_bytes())?.pop().ok_or(WireError::Missing { what, field: "data[0]" })
}

fn prices(
    text: &str,
    channel: &str,
    symbol: Symbol,
    sizes: &Sizes,
    now: Timestamp,
) -> Result<Option<Ticker>, WireError> {
    match channel {
        "tickers" => convert::ticker(&last::<WireTicker<'_>>("ticker message", text)?, now).map(Some),
        "mark-price" => convert::mark(&last::<WireMark<'_>>("mark price message", text)?, now).map(Some),
        "funding-rate" => {
            convert::coming_funding(&last::<WireFundingRate<'_>>("funding message", text)?, now).map(Some)
        }
        "open-interest" => {
            convert::open_interest(&last::<WireInterest<'_>>("open interest message", text)?, sizes, now)
                .map(Some)
        }
        INDEX => convert::index(&last::<WireIndex<'_>>("index message", text)?, symbol, now).map(Some),
        _ => Ok(None),
    }
}

fn size_of(symbol: Symbol, sizes: &Sizes) -> Result<keyhold_domain::Decimal, WireError> {
    let unknown =
        WireError::Invalid { what: "stream message", field: "instId", expected: "an instrument of the list" };
    sizes.get(symbol).ok_or(unknown)
}

fn book(text: &str, action: &str, symbol: Symbol, sizes: &Sizes, now: Timestamp) -> Vec<News> {
    let action = Field::Text(action.into());
    let read = || {
        let size = size_of(symbol, sizes)?;
        let rows: Vec<WireBook<'_>> = wire::rows("order book message", text.as_bytes())?;
        rows.iter().map(|row| convert::book(&action, row, size, now)).collect::<Result<Vec<_>, _>>()
    };
    match read() {
        Ok(updates) => {
            let heard = updates.last().map(|update| News::Heard(symbol, update.at));
            heard.into_iter().chain(updates.into_iter().map(|update| News::Book(symbol, update))).collect()
        }
        Err(error) => vec![News::Unreadable(error, Harm::Book(symbol))],
    }
}

fn trades(text: &str, symbol: Symbol, sizes: &Sizes, now: Timestamp) -> Result<Vec<News>, WireError> {
    let size = size_of(symbol, sizes)?;
    let rows: Vec<WireTrade<'_>> = wire::rows("trade message", text.as_bytes())?;
    let Some(first) = rows.first() else { return Ok(vec![]) };
    let id = first.id.text().to_owned();
    let rows = rows.iter().map(|row| convert::trade(row, size)).collect::<Result<Vec<_>, _>>()?;
    let at = rows.iter().map(|row| row.at).max().unwrap_or(now);
    Ok(vec![News::Heard(symbol, at), News::Trades { symbol, id, rows }])
}

/// Candles in order, up to the first that cannot be read. They do not tell when they were sent.
fn candles(text: &str, word: &str, symbol: Symbol, sizes: &Sizes) -> Vec<News> {
    let Some(timeframe) = Timeframe::ALL.iter().copied().find(|one| bar(*one) == word) else { return vec![] };
    let mut news = vec![];
    let read = || {
        let size = size_of(symbol, sizes)?;
        let rows: Vec<Vec<Field<'_>>> = wire::rows("candle message", text.as_bytes())?;
        Ok((size, rows))
    };
    let (size, rows) = match read() {
        Ok(found) => found,
        Err(error) => return vec![News::Unreadable(error, Harm::None)],
    };
    for row in &rows {
        match convert::candle(row, size) {
            Ok((candle, confirmed)) => {
                let state = match confirmed {
                    Confirmed::Yes => CandleState::Closed,
                    Confirmed::No => CandleState::Forming,
                };
                news.push(News::Candle(symbol, timeframe, candle, state));
            }
            Err(error) => {
                news.push(News::Unreadable(error, Harm::None));
                return news;
            }
        }
    }
    news
}
