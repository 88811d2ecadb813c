//! Binance's public streams: names, and what their messages say. The loop is that of all venues:
//! [`crate::common::market_feed`].
//!
//! USD-M serves candles, prices and trades at `/market` and books at `/public`; COIN-M serves everything at one address.

use keyhold_domain::{ContractType, Symbol, Timeframe, Timestamp};
use serde::Serialize;

use super::BinanceMarket;
use super::convert_market as convert;
use super::refusals::stream_refusal;
use super::render::interval;
use super::rest::BinanceDialect;
use super::sizes::Sizes;
use super::wire::{
    self, StreamAnswer, StreamDepth, StreamHead, StreamKline, StreamMark, StreamQuote, StreamTicker,
    StreamTrade,
};
use crate::book::BookUpdate;
use crate::common::link::{Ask, Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::market_feed::{CandleState, Harm, News, PublicStream, Renewal, Want, Wanted};
use crate::common::rest::Rest;
use crate::error::{VenueError, WireError};
use crate::transport::Dialer;

/// Below the base of a stream.
const PATH: &str = "/ws";

impl<D: Dialer> PublicStream<D> for BinanceMarket<D> {
    type Dialect = BinanceDialect;

    fn rest(&self) -> &Rest<D, BinanceDialect> {
        &self.rest
    }

    async fn open(&self) -> Result<Links<D>, Ended> {
        // Without sizes no message of COIN-M can be read.
        self.ensure_sizes(None).await.map_err(|_| Ended::Broken)?;
        let rest = &self.rest;
        let market = Link::open(rest, rest.endpoints.market_ws(), PATH, Ping::Frame).await?;
        if self.product() == ContractType::Inverse {
            return Ok(Links::one(market));
        }
        let public = Link::open(rest, rest.endpoints.public_ws(), PATH, Ping::Frame).await?;
        Ok(Links::two(market, public))
    }

    fn asks(&self, wants: &[Want]) -> Vec<Ask> {
        let mut asks = vec![];
        for want in wants {
            let mut ask = |link, names: &[String]| {
                let number = u32::try_from(asks.len()).unwrap_or(u32::MAX).saturating_add(1);
                asks.push(Ask { link, number, frame: subscribe_frame(number, names), answers: 1 });
            };
            let (market, public) = (market_names(want), public_names(want));
            match self.product() {
                ContractType::Linear => {
                    ask(LinkNo::First, &market);
                    ask(LinkNo::Second, &public);
                }
                ContractType::Inverse => ask(LinkNo::First, &[market, public].concat()),
            }
        }
        asks
    }

    fn hear(&self, ask: &Ask, text: &str) -> Heard {
        hear(ask.number, text)
    }

    fn read(&self, _link: LinkNo, text: &str) -> Vec<News> {
        read(&self.sizes, text, self.rest.venue_now())
    }

    fn renewal(&self, _symbol: Symbol, _number: u32) -> Renewal {
        Renewal::Question
    }

    async fn book(&self, symbol: Symbol) -> Result<Option<BookUpdate>, VenueError> {
        self.read_book(symbol).await.map(Some)
    }
}

#[derive(Serialize)]
struct Subscribe<'a> {
    method: &'static str,
    params: &'a [String],
    id: u32,
}

/// The frame that asks for streams.
pub fn subscribe_frame(number: u32, names: &[String]) -> String {
    let frame = Subscribe { method: "SUBSCRIBE", params: names, id: number };
    serde_json::to_string(&frame).expect("texts and numbers under fixed names always serialize")
}

/// Candles, mark price, last price and trades.
pub fn market_names(want: &Want) -> Vec<String> {
    let symbol = want.symbol.as_str().to_ascii_lowercase();
    let candles = want.timeframes.iter().map(|timeframe| format!("{symbol}@kline_{}", interval(*timeframe)));
    let mut names: Vec<String> = candles.collect();
    names.extend([format!("{symbol}@markPrice@1s"), format!("{symbol}@miniTicker")]);
    if want.trades == Wanted::Yes {
        names.push(format!("{symbol}@aggTrade"));
    }
    names
}

/// Quotes and the book.
pub fn public_names(want: &Want) -> Vec<String> {
    let symbol = want.symbol.as_str().to_ascii_lowercase();
    let book = (want.book == Wanted::Yes).then(|| format!("{symbol}@depth@500ms"));
    std::iter::once(format!("{symbol}@bookTicker")).chain(book).collect()
}

/// What a message is to somebody who awaits the answer to a numbered request.
pub fn hear(number: u32, text: &str) -> Heard {
    let Ok(head) = wire::json::<StreamHead<'_>>("stream message", text.as_bytes()) else {
        return Heard::News;
    };
    if !head.event.is_empty() {
        return Heard::News;
    }
    if head.request.whole() != Some(i64::from(number)) {
        return Heard::Talk;
    }
    match wire::json::<StreamAnswer<'_>>("stream answer", text.as_bytes()) {
        Ok(StreamAnswer { error: None }) => Heard::Confirmed,
        Ok(StreamAnswer { error: Some(error) }) => {
            Heard::Refused(stream_refusal(error.code.whole(), error.message.text()))
        }
        Err(_) => Heard::News,
    }
}

/// What a message says; `now` stands in for a time that it does not tell.
pub fn read(sizes: &Sizes, text: &str, now: Timestamp) -> Vec<News> {
    let head: StreamHead<'_> = match wire::json("stream message", text.as_bytes()) {
        Ok(head) => head,
        Err(error) => return vec![News::Unreadable(error, Harm::None)],
    };
    let at = head.at.whole().map_or(now, Timestamp::from_ms);
    // Answers and other talk name no instrument.
    let Ok(symbol) = head.symbol.text().parse::<Symbol>() else { return vec![] };
    let harm = match head.event.text() {
        "depthUpdate" => Harm::Book(symbol),
        "aggTrade" => Harm::Trades,
        _ => Harm::None,
    };
    let news = match head.event.text() {
        "kline" => candle(sizes, symbol, text),
        "markPriceUpdate" => parsed::<StreamMark<'_>>(text)
            .and_then(|row| convert::stream_mark(&row, at))
            .map(|ticker| Some(News::Ticker(ticker))),
        "24hrMiniTicker" | "24hrTicker" => parsed::<StreamTicker<'_>>(text)
            .and_then(|row| convert::stream_last(&row, at))
            .map(|ticker| Some(News::Ticker(ticker))),
        "bookTicker" => parsed::<StreamQuote<'_>>(text)
            .and_then(|row| convert::stream_quote(&row, at))
            .map(|ticker| Some(News::Ticker(ticker))),
        "depthUpdate" => book(sizes, symbol, text, at).map(Some),
        "aggTrade" => trade(sizes, symbol, text).map(Some),
        _ => Ok(None),
    };
    let news = news.unwrap_or_else(|error| Some(News::Unreadable(error, harm)));
    std::iter::once(News::Heard(symbol, at)).chain(news).collect()
}

fn parsed<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    wire::json("stream message", text.as_bytes())
}

/// `None` for a candle of a length that we do not know.
fn candle(sizes: &Sizes, symbol: Symbol, text: &str) -> Result<Option<News>, WireError> {
    let row = parsed::<StreamKline<'_>>(text)?.k;
    let Ok(timeframe) = row.interval.text().parse::<Timeframe>() else { return Ok(None) };
    let candle = convert::candle(&row, sizes.of(symbol.as_str())?)?;
    let state = if convert::is_closed(&row)? { CandleState::Closed } else { CandleState::Forming };
    Ok(Some(News::Candle(symbol, timeframe, candle, state)))
}

fn book(sizes: &Sizes, symbol: Symbol, text: &str, at: Timestamp) -> Result<News, WireError> {
    let row = parsed::<StreamDepth<'_>>(text)?;
    convert::stream_depth(&row, sizes.of(symbol.as_str())?, at).map(|update| News::Book(symbol, update))
}

fn trade(sizes: &Sizes, symbol: Symbol, text: &str) -> Result<News, WireError> {
    let row = parsed::<StreamTrade<'_>>(text)?;
    let id = row.id.get::<i64>("trade", "a")?.to_string();
    let trade = convert::trade(&row, sizes.of(symbol.as_str())?)?;
    Ok(News::Trades { symbol, id, rows: vec![trade] })
}
