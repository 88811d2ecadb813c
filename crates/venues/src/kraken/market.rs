//! Kraken's public data: clock, status, instruments, candles, prices, funding. Paging happens here, with stated bounds.

use keyhold_domain::{Candle, Exchange, RefusalCode, Symbol, Timestamp};

use super::KrakenMarket;
use super::convert_market as convert;
use super::endpoints;
use super::render::{Interval, MarketQuery};
use super::wire::{self, Field};
use super::wire_market::{WireCandles, WireInstruments, WireRates, WireTickerAnswer};
use crate::common::market_feed;
use crate::common::rest::unreadable;
use crate::error::{NotSentCause, UnknownCause, VenueError, scrub};
use crate::event::{EventStream, MarketEvent};
use crate::port::{
    CandleRange, Capabilities, FundingRate, Instruments, MarketData, MarketSubscription, Offered,
    RefusedInstrument, SettingReach, SymbolRange, Ticker, VenueId, VenueStatus,
};
use crate::transport::Dialer;

/// Candles per page; Kraken sends 2,000 at most.
const CANDLES_PER_PAGE: i64 = 2_000;

/// Candles of one call at most: about 139 days of one-minute candles.
pub const MOST_CANDLES: i64 = 200_000;

/// Pages of one call at most. Kraken may send shorter ones and say that there is more.
const MOST_PAGES: u32 = 400;

impl<D: Dialer> MarketData for KrakenMarket<D> {
    fn venue(&self) -> VenueId {
        VenueId {
            exchange: Exchange::KrakenFutures,
            environment: self.rest.endpoints.environment(),
            contract_type: self.product(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            amend: Offered::Yes,
            cancel_all: Offered::Yes,
            // For the whole account, whatever instrument is named.
            dead_mans_switch: Offered::Yes,
            margin_mode: SettingReach::Instrument,
            // Not documented. The numbers are guesses on the low side.
            open_orders_per_instrument: 200,
            stop_orders_per_instrument: 50,
        }
    }

    async fn server_time(&self) -> Result<Timestamp, VenueError> {
        self.rest.read_clock().await
    }

    /// Kraken Futures has no page of its state over this interface: it is up when it answers.
    async fn venue_status(&self) -> Result<VenueStatus, VenueError> {
        match self.ask(&MarketQuery::Time).await {
            Ok(_) => Ok(VenueStatus::Up),
            Err(error) if error.refusal() == Some(RefusalCode::Maintenance) => {
                Ok(VenueStatus::Maintenance { until: None })
            }
            Err(error) => Err(error),
        }
    }

    async fn instruments(&self) -> Result<Instruments, VenueError> {
        let body = self.ask(&MarketQuery::Instruments).await?;
        let wrong = |error| unreadable(endpoints::INSTRUMENTS, error);
        let answer: WireInstruments<'_> = wire::json("instrument list", &body).map_err(wrong)?;
        let mut found = Instruments { listed: vec![], refused: vec![] };
        for row in wire::rows(answer.list, "instrument list", "instruments").map_err(wrong)? {
            if !convert::is_perpetual(self.product(), &row) {
                continue;
            }
            match convert::instrument(self.product(), &row) {
                Ok(instrument) => found.listed.push(instrument),
                Err(why) => found.refused.push(RefusedInstrument { name: scrub(row.symbol.text()), why }),
            }
        }
        Ok(found)
    }

    async fn candles(&self, range: &CandleRange) -> Result<Vec<Candle>, VenueError> {
        let step = range.timeframe.ms();
        let first = range.timeframe.open_of(range.from.plus_ms(step - 1));
        let (interval, parts) = Interval::of(range.timeframe);
        let part_ms = step / parts;
        let wanted = (range.until.since_ms(first).max(0) + part_ms - 1) / part_ms;
        if wanted > MOST_CANDLES {
            return Err(VenueError::not_sent(std::time::Duration::ZERO, NotSentCause::RangeTooLarge));
        }
        let mut found: Vec<Candle> = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        let mut from = first;
        for _ in 0..MOST_PAGES {
            if from >= range.until {
                found.dedup_by_key(|candle| candle.open_time);
                return Ok(if parts == 1 { found } else { convert::put_together(&found, range.timeframe) });
            }
            let last = from.plus_ms(part_ms * (CANDLES_PER_PAGE - 1)).min(range.until.plus_ms(-1));
            let (page, more) = self.candle_page(range.symbol, interval, from, last).await?;
            let next = match page.last() {
                // A shorter page than asked for; what follows begins after its end.
                Some(newest) if more == More::Yes => newest.open_time.plus_ms(part_ms),
                Some(_) | None => last.plus_ms(1),
            };
            // The next opening time of a part.
            let past = next.ms().rem_euclid(part_ms);
            from = if past == 0 { next } else { next.plus_ms(part_ms - past) };
            found.extend(page);
        }
        Err(VenueError::unknown(endpoints::CHARTS.doing, UnknownCause::TooManyPages))
    }

    async fn funding_history(&self, range: &SymbolRange) -> Result<Vec<FundingRate>, VenueError> {
        let body = self.ask(&MarketQuery::Funding { symbol: range.symbol }).await?;
        let wrong = |error| unreadable(endpoints::FUNDING, error);
        let answer: WireRates<'_> = wire::json("funding list", &body).map_err(wrong)?;
        let rows = wire::rows(answer.list, "funding list", "rates").map_err(wrong)?;
        let rates = rows.iter().map(convert::funding_rate).collect::<Result<Vec<_>, _>>();
        let mut rates = rates.map_err(wrong)?;
        rates.retain(|rate| rate.at >= range.from && rate.at < range.until);
        rates.sort_by_key(|rate| rate.at);
        rates.dedup_by_key(|rate| rate.at);
        Ok(rates)
    }

    async fn ticker(&self, symbol: Symbol) -> Result<Ticker, VenueError> {
        let body = self.ask(&MarketQuery::Ticker { symbol }).await?;
        let wrong = |error| unreadable(endpoints::TICKERS, error);
        let answer: WireTickerAnswer<'_> = wire::json("ticker", &body).map_err(wrong)?;
        let at = answer.server_time.get("ticker", "serverTime").map_err(wrong)?;
        let row = answer.ticker.ok_or_else(|| {
            VenueError::refused(RefusalCode::InvalidOrder, "no-ticker", "no price for this instrument")
        })?;
        convert::ticker(&row, at).map_err(wrong)
    }

    fn market_events(&self, subscription: MarketSubscription) -> EventStream<MarketEvent> {
        market_feed::start(self.clone(), subscription)
    }
}

/// Whether a page's range holds more than the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    Yes,
    No,
}

impl<D: Dialer> KrakenMarket<D> {
    /// One page of candles, oldest first; `last` is the last opening time, inclusive.
    async fn candle_page(
        &self,
        symbol: Symbol,
        interval: Interval,
        from: Timestamp,
        last: Timestamp,
    ) -> Result<(Vec<Candle>, More), VenueError> {
        let query = MarketQuery::Candles { symbol, interval, from: Some(from), until: Some(last) };
        let body = self.ask(&query).await?;
        let wrong = |error| unreadable(endpoints::CHARTS, error);
        let answer: WireCandles<'_> = wire::json("candle list", &body).map_err(wrong)?;
        let more = if answer.more_candles == Field::True { More::Yes } else { More::No };
        let rows = wire::rows(answer.candles, "candle list", "candles").map_err(wrong)?;
        let read = rows.iter().map(convert::candle).collect::<Result<Vec<_>, _>>();
        let mut candles = read.map_err(wrong)?;
        candles.retain(|candle| candle.open_time >= from && candle.open_time <= last);
        candles.sort_by_key(|candle| candle.open_time);
        Ok((candles, more))
    }
}
