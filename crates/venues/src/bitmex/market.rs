//! BitMEX's public data: clock, instruments, candles, prices, funding. Paging happens here, with stated bounds.

use std::sync::Arc;

use keyhold_domain::{Candle, Exchange, RefusalCode, Symbol, Timestamp};

use super::bins::{self, Bin};
use super::contracts::{Contract, Contracts};
use super::convert_market as convert;
use super::render::MarketQuery;
use super::wire::{self, WireBucket, WireFunding, WireInstrument};
use super::{BitmexMarket, endpoints, market_stream};
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, scrub};
use crate::event::{EventStream, MarketEvent};
use crate::port::{
    CandleRange, Capabilities, FundingRate, Instruments, MarketData, MarketSubscription, Offered,
    RefusedInstrument, SettingReach, SymbolRange, Ticker, VenueId, VenueStatus,
};
use crate::transport::Dialer;

/// Candles per page: what BitMEX's documentation names as practice.
pub const CANDLES_PER_PAGE: u32 = 1_000;

/// Candles of BitMEX's own length that one call asks for at most: 20 pages, which the limit of 30 requests a minute
/// without a key can bear.
pub const MOST_BUCKETS: i64 = 20_000;

const FUNDING_PER_PAGE: u32 = 500;
const MOST_FUNDING_PAGES: u32 = 20;

impl<D: Dialer> MarketData for BitmexMarket<D> {
    fn venue(&self) -> VenueId {
        VenueId {
            exchange: Exchange::Bitmex,
            environment: self.rest.endpoints.environment(),
            contract_type: self.product,
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amend: Offered::Yes,
            cancel_all: Offered::Yes,
            dead_mans_switch: Offered::Yes,
            margin_mode: SettingReach::Instrument,
            open_orders_per_instrument: 200,
            stop_orders_per_instrument: 10,
        }
    }

    async fn server_time(&self) -> Result<Timestamp, VenueError> {
        self.rest.read_clock().await
    }

    /// BitMEX has no call for it; a call that is refused because of maintenance tells it.
    async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
        match self.rest.read_clock().await {
            Ok(_) => Ok(VenueStatus::Up),
            Err(error) if error.refusal() == Some(RefusalCode::Maintenance) => {
                Ok(VenueStatus::Maintenance { until: None })
            }
            Err(error) => Err(error),
        }
    }

    async fn instruments(&self) -> Result<Instruments, VenueError> {
        let body = self.ask(&MarketQuery::Instruments).await?;
        let rows: Vec<WireInstrument<'_>> = wire::json("instrument list", &body)
            .map_err(|error| unreadable(endpoints::INSTRUMENTS, error))?;
        let mut found = Instruments { listed: vec![], refused: vec![] };
        let mut contracts = Contracts::default();
        for row in rows.iter().filter(|row| convert::is_perpetual(row)) {
            let read = convert::contract(row)
                .and_then(|contract| Ok((contract, convert::instrument(row, contract)?)));
            match read {
                Ok((contract, instrument)) if contract.kind == self.product => {
                    contracts.insert(instrument.symbol, contract);
                    found.listed.push(instrument);
                }
                Ok(_) => {}
                Err(why) => found.refused.push(RefusedInstrument { name: scrub(row.symbol.text()), why }),
            }
        }
        self.learn_contracts(contracts);
        Ok(found)
    }

    async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
        let bin = Bin::of(range.timeframe);
        let (step, whole) = (bin.timeframe().ms(), range.timeframe.ms());
        let first = range.timeframe.open_of(range.from.plus_ms(whole - 1));
        let until = range.timeframe.open_of(range.until.plus_ms(whole - 1));
        let wanted = until.since_ms(first).max(0) / step;
        if wanted > MOST_BUCKETS {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let contract = self.contract(range.symbol).await?;
        let mut parts: Vec<Candle> = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut from = first;
        // Ends after `wanted / CANDLES_PER_PAGE` pages: `from` grows by a page each turn.
        while from < until {
            let end = from.plus_ms(step * i64::from(CANDLES_PER_PAGE)).min(until);
            parts.extend(self.bucket_page(range.symbol, (bin, contract), from, end).await?);
            from = end;
        }
        parts.dedup_by_key(|candle| candle.open_time);
        Ok(bins::summed(&parts, range.timeframe))
    }

    async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
        let mut rates: Vec<FundingRate> = vec![];
        let last = range.until.plus_ms(-1);
        let mut from = range.from;
        for _ in 0..MOST_FUNDING_PAGES {
            if from > last {
                return Ok(rates);
            }
            let query = MarketQuery::Funding {
                symbol: range.symbol,
                from: Some(from),
                until: Some(last),
                limit: Some(FUNDING_PER_PAGE),
            };
            let body = self.ask(&query).await?;
            let wrong = |error| unreadable(endpoints::FUNDING, error);
            let rows: Vec<WireFunding<'_>> = wire::json("funding list", &body).map_err(wrong)?;
            let page: Vec<FundingRate> =
                rows.iter().map(convert::funding_rate).collect::<Result<_, _>>().map_err(wrong)?;
            // Oldest first; the next page begins after the newest of this one.
            let newest = page.iter().map(|rate| rate.at).max();
            rates.extend(page);
            match newest {
                Some(newest)
                    if rows.len() >= usize::try_from(FUNDING_PER_PAGE).unwrap_or(usize::MAX)
                        && newest >= from =>
                {
                    from = newest.plus_ms(1);
                }
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
        let contract = self.contract(symbol).await?;
        let body = self.ask(&MarketQuery::Ticker { symbol }).await?;
        let wrong = |error| unreadable(endpoints::INSTRUMENT, error);
        let rows: Vec<WireInstrument<'_>> = wire::json("instrument list", &body).map_err(wrong)?;
        let row = rows.iter().find(|row| row.symbol.text() == symbol.as_str());
        let row = row.ok_or_else(no_such_instrument)?;
        convert::ticker(row, contract, self.rest.venue_now()).map_err(wrong)
    }

    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
        market_stream::start(self.clone(), subscription)
    }
}

/// The venue answered, and the instrument was not in the answer.
fn no_such_instrument() -> VenueError {
    VenueError::refused(RefusalCode::InvalidOrder, "not-listed", "no perpetual contract of this product")
}

impl<D: Dialer> BitmexMarket<D> {
    /// What the contracts are worth, read once.
    pub(super) async fn contracts(&self) -> Result<Arc<Contracts>, VenueError> {
        let known = self.known_contracts();
        if !known.is_empty() {
            return Ok(known);
        }
        self.instruments().await?;
        Ok(self.known_contracts())
    }

    /// What a contract is worth. One that is not known is looked for once more: it may have been listed since.
    pub(super) async fn contract(&self, symbol: Symbol) -> Result<Contract, VenueError> {
        if let Some(contract) = self.known_contracts().of(symbol.as_str()) {
            return Ok(contract);
        }
        self.instruments().await?;
        self.known_contracts().of(symbol.as_str()).ok_or_else(no_such_instrument)
    }

    /// One page of candles of BitMEX's own length, oldest first: opening times from `from` to before `until`.
    async fn bucket_page(
        &self,
        symbol: Symbol,
        (bin, contract): (Bin, Contract),
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Candle>, VenueError> {
        let limit = Some(CANDLES_PER_PAGE);
        let query = MarketQuery::Candles { symbol, bin, from: Some(from), until: Some(until), limit };
        let body = self.ask(&query).await?;
        let wrong = |error| unreadable(endpoints::BUCKETS, error);
        let rows: Vec<WireBucket<'_>> = wire::json("candle list", &body).map_err(wrong)?;
        let read = rows.iter().filter_map(|row| bins::candle(row, bin, contract).transpose());
        let mut candles = read.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        candles.retain(|candle| candle.open_time >= from && candle.open_time < until);
        candles.sort_by_key(|candle| candle.open_time);
        Ok(candles)
    }
}
