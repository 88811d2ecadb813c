//! Bybit's public stream: topics, and what their messages say. The loop is that of all venues:
//! [`crate::common::market_feed`].

use keyhold_domain::{Symbol, Timeframe, Timestamp};

use super::BybitMarket;
use super::convert_market as convert;
use super::render::{category, interval};
use super::rest::BybitDialect;
use super::stream::{self, PING_FRAME, topic_of};
use super::wire::{self, StreamBook, StreamRecord, StreamRows, WireKline, WireTicker, WireTrade};
use crate::common::flow::LEVELS;
use crate::common::link::{Ask, Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::market_feed::{CandleState, Harm, News, PublicStream, Renewal, Want, Wanted};
use crate::common::rest::Rest;
use crate::error::WireError;
use crate::transport::Dialer;

impl<D: Dialer> PublicStream<D> for BybitMarket<D> {
    type Dialect = BybitDialect;

    fn rest(&self) -> &Rest<D, BybitDialect> {
        &self.rest
    }

    async fn open(&self) -> Result<Links<D>, Ended> {
        let rest = &self.rest;
        let path = format!("/{}", category(self.product()));
        let link = Link::open(rest, rest.endpoints.public_ws(), &path, Ping::Text(PING_FRAME)).await?;
        Ok(Links::one(link))
    }

    fn asks(&self, wants: &[Want]) -> Vec<Ask> {
        let ask = |(want, number): (&Want, u32)| Ask {
            link: LinkNo::First,
            number,
            frame: stream::subscribe_frame(number, &topics(want)),
            answers: 1,
        };
        wants.iter().zip(1..).map(ask).collect()
    }

    fn hear(&self, _ask: &Ask, text: &str) -> Heard {
        stream::hear("subscribe", text)
    }

    fn read(&self, _link: LinkNo, text: &str) -> Vec<News> {
        read(text, self.rest.venue_now())
    }

    fn renewal(&self, symbol: Symbol, number: u32) -> Renewal {
        let topics = [book_topic(symbol)];
        let frames =
            vec![stream::unsubscribe_frame(number, &topics), stream::subscribe_frame(number + 1, &topics)];
        Renewal::Frames(LinkNo::First, frames)
    }
}

/// All topics of an instrument, ordered.
fn topics(want: &Want) -> Vec<String> {
    let symbol = want.symbol;
    let mut topics: Vec<String> =
        want.timeframes.iter().map(|timeframe| format!("kline.{}.{symbol}", interval(*timeframe))).collect();
    topics.push(format!("tickers.{symbol}"));
    if want.book == Wanted::Yes {
        topics.push(book_topic(symbol));
    }
    if want.trades == Wanted::Yes {
        topics.push(format!("publicTrade.{symbol}"));
    }
    topics.sort();
    topics
}

fn book_topic(symbol: Symbol) -> String {
    format!("orderbook.{LEVELS}.{symbol}")
}

/// What a message says; `now` stands in for a time that it does not tell.
pub fn read(text: &str, now: Timestamp) -> Vec<News> {
    let (topic, ts) = match topic_of(text) {
        Ok(Some(head)) => head,
        Ok(None) => return vec![],
        Err(error) => return vec![News::Unreadable(error, Harm::None)],
    };
    let at = ts.map_or(now, Timestamp::from_ms);
    let mut parts = topic.split('.');
    let (kind, argument) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let symbol: Option<Symbol> = topic.rsplit('.').next().and_then(|name| name.parse().ok());
    let mut news: Vec<News> = symbol.map(|symbol| News::Heard(symbol, at)).into_iter().collect();
    match (kind, symbol) {
        ("kline", Some(symbol)) => read_candles(&mut news, symbol, argument, text),
        ("tickers", _) => {
            news.push(ticker(text, at).unwrap_or_else(|error| News::Unreadable(error, Harm::None)));
        }
        ("orderbook", _) => news.push(book(text, at)),
        ("publicTrade", _) => match trades(text) {
            Ok(trades) => news.extend(trades),
            Err(error) => news.push(News::Unreadable(error, Harm::Trades)),
        },
        _ => {}
    }
    news
}

/// Candles in order, up to the first that cannot be read.
fn read_candles(news: &mut Vec<News>, symbol: Symbol, word: &str, text: &str) {
    let Some(timeframe) = Timeframe::ALL.iter().copied().find(|one| interval(*one) == word) else { return };
    let rows = match wire::json::<StreamRows<WireKline<'_>>>("candle message", text.as_bytes()) {
        Ok(rows) => rows.data.unwrap_or_default(),
        Err(error) => return news.push(News::Unreadable(error, Harm::None)),
    };
    for row in &rows {
        match (convert::candle(row), convert::is_closed(row)) {
            (Ok(candle), Ok(closed)) => {
                let state = if closed { CandleState::Closed } else { CandleState::Forming };
                news.push(News::Candle(symbol, timeframe, candle, state));
            }
            (Err(error), _) | (_, Err(error)) => return news.push(News::Unreadable(error, Harm::None)),
        }
    }
}

fn ticker(text: &str, at: Timestamp) -> Result<News, WireError> {
    let record: StreamRecord<WireTicker<'_>> = wire::json("ticker message", text.as_bytes())?;
    let row = record.data.ok_or(WireError::Missing { what: "ticker message", field: "data" })?;
    convert::ticker(&row, None, at).map(News::Ticker)
}

fn book(text: &str, at: Timestamp) -> News {
    let read: Result<StreamBook<'_>, WireError> = wire::json("order book message", text.as_bytes());
    let named = read.and_then(|news| {
        let symbol: Symbol = news.data.symbol.get("order book", "s")?;
        Ok((symbol, convert::book(&news.kind, &news.data, at)))
    });
    match named {
        Ok((symbol, Ok(update))) => News::Book(symbol, update),
        Ok((symbol, Err(error))) => News::Unreadable(error, Harm::Book(symbol)),
        Err(error) => News::Unreadable(error, Harm::None),
    }
}

/// `None` for a message without trades.
fn trades(text: &str) -> Result<Option<News>, WireError> {
    let news: StreamRows<WireTrade<'_>> = wire::json("trade message", text.as_bytes())?;
    let rows = news.data.unwrap_or_default();
    let Some(first) = rows.first() else { return Ok(None) };
    let symbol: Symbol = first.symbol.get("trade", "s")?;
    let id = first.id.text().to_owned();
    let rows = rows.iter().map(convert::trade).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(News::Trades { symbol, id, rows }))
}
