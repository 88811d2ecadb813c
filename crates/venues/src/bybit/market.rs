//! Bybit's public data: clock, status, instruments, candles, prices, funding. Paging happens here, with stated bounds.

use keyhold_domain::{Candle, Exchange, RefusalCode, Symbol, Timestamp};

use super::BybitMarket;
use super::convert_market as convert;
use super::endpoints;
use super::render::MarketQuery;
use super::wire::{self, Field, Page, WireFunding, WireInstrument, WireMaintenance, WireTicker};
use crate::common::market_feed;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, scrub};
use crate::event::{EventStream, MarketEvent};
use crate::port::{
    CandleRange, Capabilities, FundingRate, Instruments, MarketData, MarketSubscription, Offered,
    RefusedInstrument, SettingReach, SymbolRange, Ticker, VenueId, VenueStatus,
};
use crate::transport::Dialer;

/// Candles per page; Bybit's maximum.
pub const CANDLES_PER_PAGE: u32 = 1_000;

/// Candles of one call at most: about 139 days of one-minute candles.
pub const MOST_CANDLES: i64 = 200_000;

const INSTRUMENTS_PER_PAGE: u32 = 1_000;
const MOST_INSTRUMENT_PAGES: u32 = 10;
const FUNDING_PER_PAGE: u32 = 200;
const MOST_FUNDING_PAGES: u32 = 100;

impl<D: Dialer> MarketData for BybitMarket<D> {
    fn venue(&self) -> VenueId {
        VenueId {
            exchange: Exchange::Bybit,
            environment: self.rest.endpoints.environment(),
            contract_type: self.product(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amend: Offered::Yes,
            cancel_all: Offered::Yes,
            // Disconnect protection exists for institutions only.
            dead_mans_switch: Offered::No,
            margin_mode: SettingReach::Account,
            open_orders_per_instrument: 500,
            stop_orders_per_instrument: 10,
        }
    }

    async fn server_time(&self) -> Result<Timestamp, VenueError> {
        self.rest.read_clock().await
    }

    async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
        let body = self.ask(&MarketQuery::Status).await?;
        let page = wire::result::<Page<'_, WireMaintenance<'_>>>("status", &body);
        let rows = page.and_then(|page| page.rows("status"));
        Ok(convert::venue_status(&rows.map_err(|error| unreadable(endpoints::STATUS, error))?))
    }

    async fn instruments(&self) -> Result<Instruments, VenueError> {
        let mut found = Instruments { listed: vec![], refused: vec![] };
        let mut cursor = None;
        for _ in 0..MOST_INSTRUMENT_PAGES {
            let query = MarketQuery::Instruments { symbol: None, limit: Some(INSTRUMENTS_PER_PAGE), cursor };
            let body = self.ask(&query).await?;
            let wrong = |error| unreadable(endpoints::INSTRUMENTS, error);
            let page: Page<'_, WireInstrument<'_>> = wire::result("instrument list", &body).map_err(wrong)?;
            cursor = Some(page.cursor.text().to_owned()).filter(|cursor| !cursor.is_empty());
            for row in page.rows("instrument list").map_err(wrong)? {
                if !convert::is_perpetual(self.product(), &row) {
                    continue;
                }
                match convert::instrument(self.product(), &row) {
                    Ok(instrument) => found.listed.push(instrument),
                    Err(why) => {
                        found.refused.push(RefusedInstrument { name: scrub(row.symbol.text()), why });
                    }
                }
            }
            if cursor.is_none() {
                return Ok(found);
            }
        }
        Err(VenueError::unknown(endpoints::INSTRUMENTS.doing, UnknownCause::TooManyPages))
    }

    async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
        let step = range.timeframe.ms();
        let first = range.timeframe.open_of(range.from.plus_ms(step - 1));
        let wanted = (range.until.since_ms(first).max(0) + step - 1) / step;
        if wanted > MOST_CANDLES {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let mut candles: Vec<Candle> = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut from = first;
        // Ends after `wanted / CANDLES_PER_PAGE` pages: `from` grows by a page each turn.
        while from < range.until {
            let last = from.plus_ms(step * (i64::from(CANDLES_PER_PAGE) - 1)).min(range.until.plus_ms(-1));
            candles.extend(self.candle_page(range, from, last).await?);
            from = from.plus_ms(step * i64::from(CANDLES_PER_PAGE));
        }
        candles.dedup_by_key(|candle| candle.open_time);
        Ok(candles)
    }

    async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
        let mut rates: Vec<FundingRate> = vec![];
        let mut until = range.until.plus_ms(-1);
        if until < range.from {
            return Ok(rates);
        }
        for _ in 0..MOST_FUNDING_PAGES {
            let page = self.funding_page(range.symbol, range.from, until).await?;
            let full = page.len() >= usize::try_from(FUNDING_PER_PAGE).unwrap_or(usize::MAX);
            // Newest first; the next page ends before the oldest of this one.
            let oldest = page.iter().map(|rate| rate.at).min();
            rates.extend(page);
            match oldest {
                Some(oldest) if full && oldest > range.from => until = oldest.plus_ms(-1),
                Some(_) | None => {
                    rates.retain(|rate| rate.at >= range.from && rate.at < range.until);
                    rates.sort_by_key(|rate| rate.at);
                    rates.dedup_by_key(|rate| rate.at);
                    return Ok(rates);
                }
            }
        }
        Err(VenueError::unknown(endpoints::FUNDING.doing, UnknownCause::TooManyPages))
    }

    async fn ticker(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
        let body = self.ask(&MarketQuery::Ticker { symbol }).await?;
        let wrong = |error| unreadable(endpoints::TICKERS, error);
        let page: Page<'_, WireTicker<'_>> = wire::result("ticker list", &body).map_err(wrong)?;
        let rows = page.rows("ticker list").map_err(wrong)?;
        let row = rows.iter().find(|row| row.symbol.text() == symbol.as_str());
        let row = row.ok_or_else(|| no_such_instrument("no price"))?;
        convert::ticker(row, None, self.rest.venue_now()).map_err(wrong)
    }

    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
        market_feed::start(self.clone(), subscription)
    }
}

/// The venue answered, and the instrument was not in the answer.
fn no_such_instrument(message: &str) -> VenueError {
    VenueError::refused(RefusalCode::InvalidOrder, "empty-list", message)
}

impl<D: Dialer> BybitMarket<D> {
    /// One page of candles, oldest first; `last` is the last opening time, inclusive.
    async fn candle_page(
        &self,
        range: &CandleRange,
        from: Timestamp,
        last: Timestamp,
    ) -> Result<Vec<Candle>, VenueError> {
        let query = MarketQuery::Candles {
            symbol: range.symbol,
            timeframe: range.timeframe,
            from: Some(from),
            until: Some(last),
            limit: Some(CANDLES_PER_PAGE),
        };
        let body = self.ask(&query).await?;
        let wrong = |error| unreadable(endpoints::KLINE, error);
        let page: Page<'_, Vec<Field<'_>>> = wire::result("candle list", &body).map_err(wrong)?;
        let rows = page.rows("candle list").map_err(wrong)?;
        let read = rows.iter().map(|row| convert::candle_row(row)).collect::<Result<Vec<_>, _>>();
        let mut candles = read.map_err(wrong)?;
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
        let wrong = |error| unreadable(endpoints::FUNDING, error);
        let page: Page<'_, WireFunding<'_>> = wire::result("funding list", &body).map_err(wrong)?;
        let rows = page.rows("funding list").map_err(wrong)?;
        rows.iter().map(convert::funding_rate).collect::<Result<_, _>>().map_err(wrong)
    }
}
