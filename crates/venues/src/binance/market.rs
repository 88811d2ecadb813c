//! Binance's public data: clock, status, instruments, candles, prices, funding. Paging happens here, with stated bounds.

use std::collections::BTreeMap;

use bytes::Bytes;
use keyhold_domain::{Candle, ContractType, Decimal, Environment, Exchange, RefusalCode, Symbol, Timestamp};
use serde::Deserialize;

use super::BinanceMarket;
use super::convert_market as convert;
use super::endpoints::Call;
use super::render::{self, MarketQuery};
use super::wire::{
    self, Field, WireDepth, WireExchange, WireFunding, WireFundingInfo, WireInstrument, WireOpenInterest,
    WirePremium, WireSystem, WireTicker,
};
use crate::book::BookUpdate;
use crate::common::market_feed;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError, scrub};
use crate::event::{EventStream, MarketEvent};
use crate::port::{
    CandleRange, Capabilities, FundingRate, Instruments, MarketData, MarketSubscription, Offered,
    RefusedInstrument, SettingReach, SymbolRange, Ticker, VenueId, VenueStatus,
};
use crate::transport::Dialer;

/// Candles per page; up to a thousand weigh half of what more do.
pub const CANDLES_PER_PAGE: u32 = 1_000;

/// Candles of one call at most: about 139 days of one-minute candles.
pub const MOST_CANDLES: i64 = 200_000;

/// COIN-M refuses candles of more than 200 days in one call.
const LONGEST_CANDLE_PAGE_MS: i64 = 190 * 86_400_000;

const FUNDING_PER_PAGE: u32 = 1_000;
const MOST_FUNDING_PAGES: u32 = 100;
/// Levels of a whole book per side.
const BOOK_LEVELS: u32 = 1_000;

impl<D: Dialer> MarketData for BinanceMarket<D> {
    fn venue(&self) -> VenueId {
        VenueId {
            exchange: Exchange::Binance,
            environment: self.rest.endpoints.environment(),
            contract_type: self.product(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amend: Offered::Yes,
            cancel_all: Offered::Yes,
            // One instrument per call; whether it ends conditional orders, too, is not stated.
            dead_mans_switch: Offered::Yes,
            margin_mode: SettingReach::Instrument,
            open_orders_per_instrument: 200,
            // Conditional orders of all instruments together.
            stop_orders_per_instrument: 200,
        }
    }

    async fn server_time(&self) -> Result<Timestamp, VenueError> {
        self.rest.read_clock().await
    }

    async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
        // The test system has no call for it; that it answers must do.
        if self.rest.endpoints.environment() == Environment::Testnet {
            return match self.ask(&MarketQuery::Time).await {
                Ok(_) => Ok(VenueStatus::Up),
                Err(error) if error.refusal() == Some(RefusalCode::Maintenance) => {
                    Ok(VenueStatus::Maintenance { until: None })
                }
                Err(error) => Err(error),
            };
        }
        let body = self.ask(&MarketQuery::Status).await?;
        let status =
            wire::json::<WireSystem<'_>>("status", &body).and_then(|row| convert::venue_status(&row));
        status.map_err(|error| self.unreadable(Call::Status, error))
    }

    async fn instruments(&self) -> Result<Instruments, VenueError> {
        let hours = self.funding_hours().await?;
        let body = self.ask(&MarketQuery::Instruments).await?;
        let rows = rows_of(&body).map_err(|error| self.unreadable(Call::Instruments, error))?;
        self.sizes.learn(&rows);
        let mut found = Instruments { listed: vec![], refused: vec![] };
        for row in rows.iter().filter(|row| convert::is_perpetual(row)) {
            match convert::instrument(self.product(), row, &hours) {
                Ok(instrument) => found.listed.push(instrument),
                Err(why) => found.refused.push(RefusedInstrument { name: scrub(row.symbol.text()), why }),
            }
        }
        Ok(found)
    }

    async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
        let step = range.timeframe.ms();
        let first = range.timeframe.open_of(range.from.plus_ms(step - 1));
        let wanted = (range.until.since_ms(first).max(0) + step - 1) / step;
        if wanted > MOST_CANDLES {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let size = self.size_of(range.symbol).await?;
        let per_page = i64::from(CANDLES_PER_PAGE).min(LONGEST_CANDLE_PAGE_MS / step);
        let mut candles: Vec<Candle> = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut from = first;
        // Ends after `wanted / per_page` pages: `from` grows by a page each turn.
        while from < range.until {
            let last = from.plus_ms(step * (per_page - 1)).min(range.until.plus_ms(-1));
            candles.extend(self.candle_page(range, from, last, size).await?);
            from = from.plus_ms(step * per_page);
        }
        candles.dedup_by_key(|candle| candle.open_time);
        Ok(candles)
    }

    async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
        let mut rates: Vec<FundingRate> = vec![];
        let (mut from, until) = (range.from, range.until.plus_ms(-1));
        for _ in 0..MOST_FUNDING_PAGES {
            if until < from {
                break;
            }
            let page = self.funding_page(range.symbol, from, until).await?;
            let full = page.len() >= usize::try_from(FUNDING_PER_PAGE).unwrap_or(usize::MAX);
            // Oldest first; the next page begins after the newest of this one.
            let newest = page.iter().map(|rate| rate.at).max();
            rates.extend(page);
            match newest {
                Some(newest) if full => from = newest.plus_ms(1),
                Some(_) | None => {
                    rates.retain(|rate| rate.at >= range.from && rate.at < range.until);
                    rates.sort_by_key(|rate| rate.at);
                    rates.dedup_by_key(|rate| rate.at);
                    return Ok(rates);
                }
            }
        }
        if until < from {
            return Ok(rates);
        }
        Err(VenueError::unknown(self.rest.dialect.endpoint(Call::Funding).doing, UnknownCause::TooManyPages))
    }

    async fn ticker(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
        let size = self.size_of(symbol).await?;
        let premium = self.premium(symbol).await?;
        let body = self.ask(&MarketQuery::DayTicker { symbol }).await?;
        let last = self.price_row(symbol, Call::DayTicker, &body)?;
        let body = self.ask(&MarketQuery::BookTicker { symbol }).await?;
        let quote = self.price_row(symbol, Call::BookTicker, &body)?;
        let body = self.ask(&MarketQuery::OpenInterest { symbol }).await?;
        let open = wire::json::<WireOpenInterest<'_>>("open interest", &body)
            .and_then(|row| convert::open_interest(&row, size, self.rest.venue_now()))
            .map_err(|error| self.unreadable(Call::OpenInterest, error))?;
        Ok(premium.changed_by(&open).changed_by(&last).changed_by(&quote))
    }

    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
        market_feed::start(self.clone(), subscription)
    }
}

fn rows_of(body: &[u8]) -> Result<Vec<WireInstrument<'_>>, WireError> {
    let exchange: WireExchange<'_> = wire::json("instrument list", body)?;
    exchange.symbols.ok_or(WireError::Missing { what: "instrument list", field: "symbols" })
}

/// One record, or a list of them, as the two products answer differently.
fn one_or_many<'a, T: Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<Vec<T>, WireError> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        wire::json(what, body)
    } else {
        wire::json::<T>(what, body).map(|row| vec![row])
    }
}

/// The venue answered, and the instrument was not in the answer.
fn no_such_instrument() -> VenueError {
    VenueError::refused(RefusalCode::InvalidOrder, "empty-list", "no price")
}

impl<D: Dialer> BinanceMarket<D> {
    /// A question that needs no key.
    pub(super) async fn ask(&self, query: &MarketQuery) -> Result<Bytes, VenueError> {
        self.rest.market(render::question(self.product(), query)).await
    }

    pub(super) fn unreadable(&self, call: Call, error: WireError) -> VenueError {
        unreadable(self.rest.dialect.endpoint(call), error)
    }

    /// Sees to it that the sizes of contracts are known where they are needed.
    pub(super) async fn ensure_sizes(&self, symbol: Option<Symbol>) -> Result<(), VenueError> {
        if self.sizes.lacks(symbol) {
            let body = self.ask(&MarketQuery::Instruments).await?;
            let rows = rows_of(&body).map_err(|error| self.unreadable(Call::Instruments, error))?;
            self.sizes.learn(&rows);
        }
        Ok(())
    }

    pub(super) async fn size_of(&self, symbol: Symbol) -> Result<Decimal, VenueError> {
        self.ensure_sizes(Some(symbol)).await?;
        self.sizes.of(symbol.as_str()).map_err(|error| self.unreadable(Call::Instruments, error))
    }

    /// Intervals that differ from the usual one. COIN-M may answer nothing.
    async fn funding_hours(&self) -> Result<BTreeMap<Symbol, u32>, VenueError> {
        if self.product() == ContractType::Inverse {
            return Ok(BTreeMap::new());
        }
        let body = self.ask(&MarketQuery::FundingInfo).await?;
        let rows: Vec<WireFundingInfo<'_>> = wire::json("funding intervals", &body)
            .map_err(|error| self.unreadable(Call::FundingInfo, error))?;
        Ok(rows.iter().filter_map(convert::funding_hours).collect())
    }

    /// One page of candles, oldest first; `last` is the last opening time, inclusive.
    async fn candle_page(
        &self,
        range: &CandleRange,
        from: Timestamp,
        last: Timestamp,
        size: Decimal,
    ) -> Result<Vec<Candle>, VenueError> {
        let query = MarketQuery::Candles {
            symbol: range.symbol,
            timeframe: range.timeframe,
            from: Some(from),
            until: Some(last),
            limit: Some(CANDLES_PER_PAGE),
        };
        let body = self.ask(&query).await?;
        let rows: Result<Vec<Vec<Field<'_>>>, _> = wire::json("candle list", &body);
        let read = rows.and_then(|rows| {
            rows.iter().map(|row| convert::candle_row(row, size)).collect::<Result<Vec<_>, _>>()
        });
        let mut candles = read.map_err(|error| self.unreadable(Call::Klines, error))?;
        candles.retain(|candle| candle.open_time >= from && candle.open_time <= last);
        candles.sort_by_key(|candle| candle.open_time);
        Ok(candles)
    }

    async fn funding_page(
        &self,
        symbol: Symbol,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<FundingRate>, VenueError> {
        let query = MarketQuery::Funding {
            symbol,
            from: Some(from),
            until: Some(until),
            limit: Some(FUNDING_PER_PAGE),
        };
        let body = self.ask(&query).await?;
        let rows: Result<Vec<WireFunding<'_>>, _> = wire::json("funding list", &body);
        let read = rows.and_then(|rows| rows.iter().map(convert::funding_rate).collect::<Result<_, _>>());
        read.map_err(|error| self.unreadable(Call::Funding, error))
    }

    async fn premium(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
        let body = self.ask(&MarketQuery::Premium { symbol }).await?;
        let rows: Vec<WirePremium<'_>> =
            one_or_many("mark price", &body).map_err(|error| self.unreadable(Call::Premium, error))?;
        let row = rows.iter().find(|row| row.symbol.text() == symbol.as_str());
        convert::premium(row.ok_or_else(no_such_instrument)?)
            .map_err(|error| self.unreadable(Call::Premium, error))
    }

    fn price_row(&self, symbol: Symbol, call: Call, body: &[u8]) -> Result<Ticker, VenueError> {
        let rows: Vec<WireTicker<'_>> =
            one_or_many("price", body).map_err(|error| self.unreadable(call, error))?;
        let row = rows.iter().find(|row| row.symbol.text() == symbol.as_str());
        convert::prices(row.ok_or_else(no_such_instrument)?, self.rest.venue_now())
            .map_err(|error| self.unreadable(call, error))
    }

    /// A whole order book.
    pub(super) async fn read_book(&self, symbol: Symbol) -> Result<BookUpdate, VenueError> {
        let size = self.size_of(symbol).await?;
        let body = self.ask(&MarketQuery::Depth { symbol, limit: Some(BOOK_LEVELS) }).await?;
        let read = wire::json::<WireDepth<'_>>("order book", &body)
            .and_then(|row| convert::depth(&row, size, self.rest.venue_now()));
        read.map_err(|error| self.unreadable(Call::Depth, error))
    }
}
