//! OKX's public data: clock, status, instruments, candles, prices, funding. Paging happens here, with stated bounds.

use std::sync::Arc;

use keyhold_domain::{Candle, Exchange, RefusalCode, Symbol, Timestamp};

use super::convert_market as convert;
use super::render::{Age, MarketQuery};
use super::sizes::Sizes;
use super::wire::{self, Field, WireFunding, WireInstrument, WireMaintenance};
use super::{OkxMarket, endpoints, locked};
use crate::common::endpoint::Endpoint;
use crate::common::market_feed;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, WireError, scrub};
use crate::event::{EventStream, MarketEvent};
use crate::port::{
    CandleRange, Capabilities, FundingRate, Instruments, MarketData, MarketSubscription, Offered,
    RefusedInstrument, SettingReach, SymbolRange, Ticker, VenueId, VenueStatus,
};
use crate::transport::Dialer;

/// Candles per page; OKX's maximum.
pub const CANDLES_PER_PAGE: u32 = 300;

/// Candles of one call at most: about 139 days of one-minute candles.
pub const MOST_CANDLES: i64 = 200_000;

/// The list of the newest candles holds 1,440; a little less is surely in it.
const RECENT_CANDLES: i64 = 1_400;

const FUNDING_PER_PAGE: u32 = 100;
const MOST_FUNDING_PAGES: u32 = 100;

impl<D: Dialer> MarketData for OkxMarket<D> {
    fn venue(&self) -> VenueId {
        VenueId {
            exchange: Exchange::Okx,
            environment: self.rest.endpoints.environment(),
            contract_type: self.product(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amend: Offered::Yes,
            // By listing them and canceling each by name.
            cancel_all: Offered::Yes,
            dead_mans_switch: Offered::Yes,
            // Told with each order.
            margin_mode: SettingReach::Instrument,
            open_orders_per_instrument: 500,
            stop_orders_per_instrument: 500,
        }
    }

    async fn server_time(&self) -> Result<Timestamp, VenueError> {
        self.rest.read_clock().await
    }

    async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
        let body = self.ask(&MarketQuery::Status).await?;
        let rows: Vec<WireMaintenance<'_>> =
            wire::rows("status", &body).map_err(|error| unreadable(endpoints::STATUS, error))?;
        Ok(convert::venue_status(&rows))
    }

    async fn instruments(&self) -> Result<Instruments, VenueError> {
        let body = self.ask(&MarketQuery::Instruments).await?;
        let rows: Vec<WireInstrument<'_>> = wire::rows("instrument list", &body)
            .map_err(|error| unreadable(endpoints::INSTRUMENTS, error))?;
        let mut found = Instruments { listed: vec![], refused: vec![] };
        let mut sizes = vec![];
        for row in rows.iter().filter(|row| convert::contract_type(row) == Some(self.product())) {
            match convert::instrument(self.product(), row) {
                Ok(listed) => {
                    sizes.push((listed.instrument.symbol, listed.contract));
                    found.listed.push(listed.instrument);
                }
                Err(why) => found.refused.push(RefusedInstrument { name: scrub(row.symbol.text()), why }),
            }
        }
        *locked(&self.sizes) = Arc::new(Sizes::new(sizes));
        Ok(found)
    }

    async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
        let step = range.timeframe.ms();
        let first = range.timeframe.open_of(range.from.plus_ms(step - 1));
        let wanted = (range.until.since_ms(first).max(0) + step - 1) / step;
        if wanted > MOST_CANDLES {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let mut candles: Vec<Candle> = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let page = step * i64::from(CANDLES_PER_PAGE);
        let mut from = first;
        // Ends after `wanted / CANDLES_PER_PAGE` pages: `from` grows by a page each turn.
        while from < range.until {
            candles.extend(self.candle_page(range, from, from.plus_ms(page).min(range.until)).await?);
            from = from.plus_ms(page);
        }
        candles.dedup_by_key(|candle| candle.open_time);
        Ok(candles)
    }

    async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
        let mut rates: Vec<FundingRate> = vec![];
        let mut until = range.until;
        if until <= range.from {
            return Ok(rates);
        }
        for _ in 0..MOST_FUNDING_PAGES {
            let page = self.funding_page(range.symbol, range.from, until).await?;
            let full = page.len() >= usize::try_from(FUNDING_PER_PAGE).unwrap_or(usize::MAX);
            // Newest first; the next page ends before the oldest of this one.
            let oldest = page.iter().map(|rate| rate.at).min();
            rates.extend(page);
            match oldest {
                Some(oldest) if full && oldest > range.from => until = oldest,
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

    /// Five questions: OKX keeps the prices of an instrument in five places.
    async fn ticker(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
        let sizes = self.sizes_of(std::iter::once(symbol)).await?;
        let now = self.rest.venue_now();
        let prices = self.price(endpoints::TICKER, MarketQuery::Ticker(symbol), |body| {
            convert::ticker(&wire::first("ticker", body)?, now)
        });
        let mark = self.price(endpoints::MARK_PRICE, MarketQuery::MarkPrice(symbol), |body| {
            convert::mark(&wire::first("mark price", body)?, now)
        });
        let index = self.price(endpoints::INDEX_PRICE, MarketQuery::IndexPrice(symbol), |body| {
            convert::index(&wire::first("index price", body)?, symbol, now)
        });
        let funding = self.price(endpoints::FUNDING_RATE, MarketQuery::FundingRate(symbol), |body| {
            convert::coming_funding(&wire::first("funding rate", body)?, now)
        });
        let interest = self.price(endpoints::OPEN_INTEREST, MarketQuery::OpenInterest(symbol), |body| {
            convert::open_interest(&wire::first("open interest", body)?, &sizes, now)
        });
        let others = [mark.await?, index.await?, funding.await?, interest.await?];
        let prices = prices.await?;
        let whole = others.iter().fold(prices, |whole, part| whole.changed_by(part));
        Ok(Ticker { at: prices.at, ..whole })
    }

    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
        market_feed::start(self.clone(), subscription)
    }
}

impl<D: Dialer> OkxMarket<D> {
    /// Contract sizes as far as they are known. Empty before the first list of instruments.
    pub(super) fn known_sizes(&self) -> Arc<Sizes> {
        Arc::clone(&locked(&self.sizes))
    }

    /// Contract sizes, surely of these instruments if the venue lists them: the list is read again when one is missing.
    pub(super) async fn sizes_of(
        &self,
        mut symbols: impl Iterator<Item = Symbol>,
    ) -> Result<Arc<Sizes>, VenueError> {
        let known = self.known_sizes();
        if !known.is_empty() && symbols.all(|symbol| known.get(symbol).is_some()) {
            return Ok(known);
        }
        self.instruments().await?;
        Ok(self.known_sizes())
    }

    /// The size of one instrument's contract, or a refusal when the venue does not list it.
    pub(super) async fn sizes_with(&self, symbol: Symbol) -> Result<Arc<Sizes>, VenueError> {
        let sizes = self.sizes_of(std::iter::once(symbol)).await?;
        if sizes.get(symbol).is_some() {
            return Ok(sizes);
        }
        Err(VenueError::refused(RefusalCode::InvalidOrder, "not-listed", "no such instrument"))
    }

    async fn price(
        &self,
        endpoint: Endpoint,
        query: MarketQuery,
        read: impl FnOnce(&[u8]) -> Result<Ticker, WireError> + Send,
    ) -> Result<Ticker, VenueError> {
        let body = self.ask(&query).await?;
        read(&body).map_err(|error| unreadable(endpoint, error))
    }

    /// One page of candles, oldest first, with opening times from `from` up to and without `until`.
    async fn candle_page(
        &self,
        range: &CandleRange,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Candle>, VenueError> {
        let sizes = self.sizes_with(range.symbol).await?;
        let size = sizes.get(range.symbol).unwrap_or_default();
        let newest = range.timeframe.open_of(self.rest.venue_now());
        let recent = from >= newest.plus_ms(-RECENT_CANDLES * range.timeframe.ms());
        let (age, endpoint) =
            if recent { (Age::Recent, endpoints::CANDLES) } else { (Age::Past, endpoints::PAST_CANDLES) };
        let query = MarketQuery::Candles {
            symbol: range.symbol,
            timeframe: range.timeframe,
            from: Some(from),
            until: Some(until),
            limit: Some(CANDLES_PER_PAGE),
            age,
        };
        let body = self.ask(&query).await?;
        let wrong = |error| unreadable(endpoint, error);
        let rows: Vec<Vec<Field<'_>>> = wire::rows("candle list", &body).map_err(wrong)?;
        let read = rows.iter().map(|row| convert::candle(row, size)).collect::<Result<Vec<_>, _>>();
        let mut candles: Vec<Candle> = read.map_err(wrong)?.into_iter().map(|(candle, _)| candle).collect();
        candles.retain(|candle| candle.open_time >= from && candle.open_time < until);
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
        let rows: Vec<WireFunding<'_>> = wire::rows("funding list", &body).map_err(wrong)?;
        rows.iter().map(convert::funding_rate).collect::<Result<_, _>>().map_err(wrong)
    }
}
