//! BitMEX's public tables: which are asked for, and what their messages say. The loop is that of all venues:
//! [`crate::common::market_feed`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyhold_domain::{Symbol, Timestamp};

use super::BitmexMarket;
use super::bins::{self, Forming};
use super::contracts::Contracts;
use super::convert_market as convert;
use super::image::{Action, Levels};
use super::rest::BitmexDialect;
use super::stream::{self, PING, table_of};
use super::wire::{self, Field, IsoTime, StreamRows, WireBucket, WireInstrument, WireLevel, WireTrade};
use crate::any::delegate_market_data;
use crate::common::link::{Ask, Ended, Heard, Link, LinkNo, Links, Ping};
use crate::common::market_feed::{self, CandleState, Harm, News, PublicStream, Renewal, Want, Wanted};
use crate::common::rest::Rest;
use crate::error::WireError;
use crate::event::{EventStream, MarketEvent};
use crate::port::{MarketData, MarketSubscription, Offered};
use crate::transport::Dialer;

/// Starts the task.
pub fn start<D: Dialer>(
    market: BitmexMarket<D>,
    subscription: MarketSubscription,
) -> EventStream<MarketEvent> {
    market_feed::start(Public { market, tables: Arc::default() }, subscription)
}

/// One listener and what its tables hold.
struct Public<D> {
    market: BitmexMarket<D>,
    tables: Arc<Mutex<Tables>>,
}

impl<D> Clone for Public<D> {
    fn clone(&self) -> Self {
        Self { market: self.market.clone(), tables: Arc::clone(&self.tables) }
    }
}

impl<D: Dialer> MarketData for Public<D> {
    delegate_market_data!(self => self.market);
}

impl<D> Public<D> {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Only this listener's task locks it.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialer> PublicStream<D> for Public<D> {
    type Dialect = BitmexDialect;

    const FORMING: Offered = Offered::No;

    fn rest(&self) -> &Rest<D, BitmexDialect> {
        &self.market.rest
    }

    async fn open(&self) -> Result<Links<D>, Ended> {
        // Tables name symbols only; what a contract is worth must be known before the first message.
        let contracts = self.market.contracts().await.map_err(|_| Ended::Broken)?;
        *self.tables() = Tables { contracts, ..Tables::default() };
        let rest = &self.market.rest;
        let link = Link::open(rest, rest.endpoints.public_ws(), "", Ping::Text(PING)).await?;
        Ok(Links::one(link))
    }

    fn asks(&self, wants: &[Want]) -> Vec<Ask> {
        self.tables().forming = forming(wants);
        let ask = |(want, number): (&Want, u32)| {
            let topics = topics(want);
            Ask {
                link: LinkNo::First,
                number,
                frame: stream::subscribe_frame(&topics),
                answers: topics.len(),
            }
        };
        wants.iter().zip(1..).map(ask).collect()
    }

    fn hear(&self, ask: &Ask, text: &str) -> Heard {
        stream::hear(&ask.frame, text)
    }

    fn read(&self, _link: LinkNo, text: &str) -> Vec<News> {
        self.tables().read(text, self.market.rest.venue_now())
    }

    fn renewal(&self, symbol: Symbol, _number: u32) -> Renewal {
        let topics = [book_topic(symbol)];
        let frames = vec![stream::unsubscribe_frame(&topics), stream::subscribe_frame(&topics)];
        Renewal::Frames(LinkNo::First, frames)
    }
}

fn book_topic(symbol: Symbol) -> String {
    format!("orderBookL2_25:{symbol}")
}

/// All topics of an instrument. Trades come first: what is heard of the others shows that trades are heard.
fn topics(want: &Want) -> Vec<String> {
    let symbol = want.symbol;
    let mut topics = vec![];
    if want.trades == Wanted::Yes {
        topics.push(format!("trade:{symbol}"));
    }
    topics.push(format!("instrument:{symbol}"));
    if want.book == Wanted::Yes {
        topics.push(book_topic(symbol));
    }
    let mut bins: Vec<bins::Bin> = want.timeframes.iter().map(|one| bins::Bin::of(*one)).collect();
    bins.sort_unstable();
    bins.dedup();
    topics.extend(bins.into_iter().map(|bin| format!("tradeBin{}:{symbol}", bin.as_str())));
    topics
}

fn forming(wants: &[Want]) -> Vec<(Symbol, Forming)> {
    let of = |want: &Want| {
        let symbol = want.symbol;
        want.timeframes.iter().map(move |one| (symbol, Forming::new(*one))).collect::<Vec<_>>()
    };
    wants.iter().flat_map(of).collect()
}

/// What a connection's tables hold.
#[derive(Debug, Default)]
pub struct Tables {
    contracts: Arc<Contracts>,
    levels: BTreeMap<Symbol, Levels>,
    forming: Vec<(Symbol, Forming)>,
}

impl Tables {
    /// Empty tables of a new connection, which forms candles for what is wanted.
    pub fn new(contracts: Arc<Contracts>, wants: &[Want]) -> Self {
        Self { contracts, levels: BTreeMap::new(), forming: forming(wants) }
    }

    /// What a message says; `now` stands in for a time that it does not tell.
    pub fn read(&mut self, text: &str, now: Timestamp) -> Vec<News> {
        let (table, action) = match table_of(text) {
            Ok(Some(head)) => head,
            Ok(None) => return vec![],
            Err(error) => return vec![News::Unreadable(error, Harm::None)],
        };
        let harm = if table == "trade" { Harm::Trades } else { Harm::None };
        let read = match table.as_str() {
            "instrument" => self.prices(text, now),
            "trade" => self.trades(action, text),
            "orderBookL2_25" => self.book(action, text, now),
            _ => match table.strip_prefix("tradeBin").and_then(bin_of) {
                Some(bin) => self.candles(bin, action, text),
                None => Ok(vec![]),
            },
        };
        read.unwrap_or_else(|error| vec![News::Unreadable(error, harm)])
    }

    /// Rows of instruments that are not ours, such as their indices, are left out.
    fn prices(&self, text: &str, now: Timestamp) -> Result<Vec<News>, WireError> {
        let rows: StreamRows<WireInstrument<'_>> = wire::json("instrument message", text.as_bytes())?;
        let mut news = vec![];
        for row in rows.rows("instrument message")? {
            let Some(contract) = self.contracts.of(row.symbol.text()) else { continue };
            let ticker = convert::ticker(&row, contract, now)?;
            news.push(News::Heard(ticker.symbol, ticker.at));
            news.push(News::Ticker(ticker));
        }
        Ok(news)
    }

    /// What the partial shows was traded before we listened.
    fn trades(&self, action: Action, text: &str) -> Result<Vec<News>, WireError> {
        if action != Action::Insert {
            return Ok(vec![]);
        }
        let rows: StreamRows<WireTrade<'_>> = wire::json("trade message", text.as_bytes())?;
        let rows = rows.rows("trade message")?;
        let Some(first) = rows.first() else { return Ok(vec![]) };
        let symbol: Symbol = first.symbol.get("trade", "symbol")?;
        let contract = self.contracts.require("trade", symbol.as_str())?;
        let id = first.id.text().to_owned();
        let at = first.at.get::<IsoTime>("trade", "timestamp")?.0;
        let read = rows.iter().filter_map(|row| convert::trade(row, contract).transpose());
        let rows = read.collect::<Result<Vec<_>, _>>()?;
        Ok(vec![News::Heard(symbol, at), News::Trades { symbol, id, rows }])
    }

    fn book(&mut self, action: Action, text: &str, now: Timestamp) -> Result<Vec<News>, WireError> {
        let rows: StreamRows<WireLevel<'_>> = wire::json("order book message", text.as_bytes())?;
        let rows = rows.rows("order book message")?;
        let Some(first) = rows.first() else { return Ok(vec![]) };
        let symbol: Symbol = first.symbol.get("order book", "symbol")?;
        let contract = self.contracts.require("order book", symbol.as_str())?;
        let at = time_of(&first.at).unwrap_or(now);
        let mut news = vec![];
        match self.levels.entry(symbol).or_default().take(action, &rows, contract, at) {
            Ok(update) => news.extend(update.map(|update| News::Book(symbol, update))),
            Err(error) => news.push(News::Unreadable(error, Harm::Book(symbol))),
        }
        Ok(news)
    }

    /// A candle comes when it has closed. What the partial shows is fetched with the rest of the past.
    fn candles(&mut self, bin: bins::Bin, action: Action, text: &str) -> Result<Vec<News>, WireError> {
        if action != Action::Insert {
            return Ok(vec![]);
        }
        let rows: StreamRows<WireBucket<'_>> = wire::json("candle message", text.as_bytes())?;
        let mut news = vec![];
        for row in rows.rows("candle message")? {
            let symbol: Symbol = row.symbol.get("candle", "symbol")?;
            let contract = self.contracts.require("candle", symbol.as_str())?;
            let Some(part) = bins::candle(&row, bin, contract)? else { continue };
            news.push(News::Heard(symbol, part.close_time(bin.timeframe())));
            let of_series =
                |(name, forming): &&mut (Symbol, Forming)| *name == symbol && forming.bin() == bin;
            for (_, forming) in self.forming.iter_mut().filter(of_series) {
                if let Some(candle) = forming.take(part) {
                    news.push(News::Candle(symbol, forming.timeframe(), candle, CandleState::Closed));
                }
            }
        }
        Ok(news)
    }
}

fn bin_of(word: &str) -> Option<bins::Bin> {
    use bins::Bin;
    [Bin::M1, Bin::M5, Bin::H1, Bin::D1].into_iter().find(|bin| bin.as_str() == word)
}

fn time_of(field: &Field<'_>) -> Option<Timestamp> {
    field.maybe::<IsoTime>("order book", "timestamp").ok().flatten().map(|IsoTime(at)| at)
}
