//! Bybit's public stream as market events: candles in order, gaps filled over REST, prices in between.
//!
//! One task per call, ended by dropping the [`EventStream`]. Closed candles are delivered with back-pressure; what
//! only matters now (forming candles, prices) is dropped when the program is slow. Next: [`super::series`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyhold_domain::{Symbol, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::BybitMarket;
use super::convert_market as convert;
use super::flow_stream::{Flow, Verdict};
use super::render::{category, interval};
use super::series::{Missing, Tracker};
use super::stream::{Ended, GOOD_SESSION, Link, Tick, topic_of};
use super::wire::{self, StreamRecord, StreamRows, WireKline, WireTicker};
use crate::error::WireError;
use crate::event::{CandleOrigin, EventStream, MarketEvent};
use crate::port::{CandleRange, MarketData, MarketSubscription, Ticker};
use crate::transport::Dialer;

/// A candle that has not come so long after its close is fetched.
const LATE_MS: i64 = 10_000;

/// Starts the task.
pub fn start<D: Dialer>(
    market: BybitMarket<D>,
    subscription: MarketSubscription,
) -> EventStream<MarketEvent> {
    let (events, listener) = mpsc::channel(market.rest.settings.event_queue);
    let flow = Flow::new(&subscription);
    let mut series = subscription.series;
    series.sort_by_key(|one| (one.symbol, one.timeframe, one.after));
    series.dedup_by_key(|one| (one.symbol, one.timeframe));
    let trackers = series.into_iter().map(Tracker::new).collect();
    let feed = Feed { market, trackers, tickers: BTreeMap::new(), flow, events };
    EventStream::new(listener, tokio::spawn(feed.run()))
}

struct Feed<D> {
    market: BybitMarket<D>,
    trackers: Vec<Tracker>,
    tickers: BTreeMap<Symbol, Ticker>,
    flow: Flow,
    events: mpsc::Sender<MarketEvent>,
}

impl<D: Dialer> Feed<D> {
    /// Sessions one after the other, until nobody listens. Waits in between are bounded by the settings.
    async fn run(mut self) {
        let mut backoff = self.market.rest.backoff();
        loop {
            let began = Instant::now();
            let at = |feed: &Self| feed.market.rest.clock.now();
            let event = match self.session().await {
                Ended::ListenerGone => return,
                Ended::Broken => MarketEvent::Disconnected { at: at(&self) },
                Ended::Refused(error) => MarketEvent::Refused(error),
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            if began.elapsed() >= GOOD_SESSION {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    async fn session(&mut self) -> Ended {
        match self.listen().await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn listen(&mut self) -> Result<std::convert::Infallible, Ended> {
        let market = self.market.clone();
        let rest = &market.rest;
        let path = format!("/{}", category(rest.product));
        let mut link = Link::open(rest, rest.endpoints.public_ws(), &path).await?;
        self.tickers.clear();
        self.flow.reset();
        for topics in self.topics() {
            match link.subscribe(&topics).await {
                Ok(()) => {}
                // One instrument that the venue does not stream must not silence the others.
                Err(Ended::Refused(error)) => self.events.send(MarketEvent::Refused(error)).await?,
                Err(ended) => return Err(ended),
            }
        }
        if rest.venue_clock.is_stale(rest.clock.now()) {
            // Without Bybit's clock ours must do; it only decides which candles count as closed.
            drop(rest.read_clock().await);
        }
        self.fill_to_now().await?;
        self.events.send(MarketEvent::Resynced { at: rest.clock.now() }).await?;
        loop {
            match link.next().await? {
                Tick::News(text) => {
                    if let Verdict::Renew(topic) = self.read(&text).await? {
                        link.renew(topic).await?;
                    }
                }
                Tick::Quiet => {
                    for topic in self.flow.overdue(self.market.rest.venue_now()) {
                        link.renew(topic).await?;
                    }
                    self.fetch_overdue().await?;
                }
            }
        }
    }

    /// One list of topics per instrument.
    fn topics(&self) -> Vec<Vec<String>> {
        let mut topics: BTreeMap<Symbol, BTreeSet<String>> = BTreeMap::new();
        for tracker in &self.trackers {
            let symbol = tracker.series().symbol;
            let of = topics.entry(symbol).or_default();
            of.insert(format!("tickers.{symbol}"));
            of.insert(kline_topic(tracker));
            of.extend(self.flow.topics(symbol));
        }
        topics.into_values().map(|of| of.into_iter().collect()).collect()
    }

    /// Brings every series that has a past up to the last candle that is surely closed.
    async fn fill_to_now(&mut self) -> Result<(), Ended> {
        let settling = self.market.rest.settings.candle_settling;
        let settling_ms = i64::try_from(settling.as_millis()).unwrap_or(i64::MAX);
        for index in 0..self.trackers.len() {
            let timeframe = self.trackers[index].series().timeframe;
            let now = self.market.rest.venue_now();
            let closed_for = now.since_ms(timeframe.open_of(now));
            if let Ok(wait) = u64::try_from(settling_ms - closed_for) {
                // Its confirmation may have gone out before we listened.
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            let until = timeframe.open_of(self.market.rest.venue_now());
            if let Some(missing) = self.trackers[index].missing_before(until) {
                self.fetch(index, missing).await?;
            }
        }
        Ok(())
    }

    async fn fetch_overdue(&mut self) -> Result<(), Ended> {
        let now = self.market.rest.venue_now();
        for index in 0..self.trackers.len() {
            if let Some(missing) = self.trackers[index].overdue(now, LATE_MS) {
                self.fetch(index, missing).await?;
            }
        }
        Ok(())
    }

    /// Fetches and delivers missing candles. What cannot be had now is tried again before the next candle and is
    /// reported as a gap then.
    async fn fetch(&mut self, index: usize, missing: Missing) -> Result<(), Ended> {
        let series = *self.trackers[index].series();
        let Missing { from, until } = missing;
        let range = CandleRange { symbol: series.symbol, timeframe: series.timeframe, from, until };
        if let Ok(candles) = self.market.candles(&range).await {
            for candle in candles {
                self.deliver(index, candle, CandleOrigin::Fetched).await?;
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        index: usize,
        candle: keyhold_domain::Candle,
        origin: CandleOrigin,
    ) -> Result<(), Ended> {
        for event in self.trackers[index].take(candle, origin) {
            if let MarketEvent::CandleClosed { candle, .. } = &event {
                for beside in self.flow.beside(self.trackers[index].series(), candle) {
                    self.events.send(beside).await?;
                }
            }
            self.events.send(event).await?;
        }
        Ok(())
    }

    async fn read(&mut self, text: &Utf8Bytes) -> Result<Verdict, Ended> {
        let read = match topic_of(text) {
            Ok(Some((topic, ts))) => {
                let at = ts.map_or_else(|| self.market.rest.venue_now(), Timestamp::from_ms);
                self.flow.heard(&topic, at);
                match topic.split('.').next() {
                    Some("kline") => self.read_candles(&topic, text).await?.map(|()| Verdict::Taken),
                    Some("tickers") => self.read_ticker(text, at)?.map(|()| Verdict::Taken),
                    Some("orderbook") => self.flow.read_book(text, at),
                    Some("publicTrade") => self.flow.read_trades(text).map(|()| Verdict::Taken),
                    Some(_) | None => Ok(Verdict::Taken),
                }
            }
            Ok(None) => Ok(Verdict::Taken),
            Err(error) => Err(error),
        };
        match read {
            Ok(verdict) => Ok(verdict),
            Err(error) => {
                self.events.send(MarketEvent::Undecodable(error)).await?;
                Ok(Verdict::Taken)
            }
        }
    }

    async fn read_candles(&mut self, topic: &str, text: &Utf8Bytes) -> Result<Result<(), WireError>, Ended> {
        let Some(index) = self.trackers.iter().position(|tracker| kline_topic(tracker) == topic) else {
            return Ok(Ok(()));
        };
        let rows = match wire::json::<StreamRows<WireKline<'_>>>("candle message", text.as_bytes()) {
            Ok(rows) => rows.data.unwrap_or_default(),
            Err(error) => return Ok(Err(error)),
        };
        let series = *self.trackers[index].series();
        for row in &rows {
            let (candle, closed) = match (convert::candle(row), convert::is_closed(row)) {
                (Ok(candle), Ok(closed)) => (candle, closed),
                (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
            };
            if !closed {
                let (symbol, timeframe) = (series.symbol, series.timeframe);
                self.offer(MarketEvent::CandleForming { symbol, timeframe, candle })?;
                continue;
            }
            if let Some(missing) = self.trackers[index].missing_before(candle.open_time) {
                self.fetch(index, missing).await?;
            }
            self.deliver(index, candle, CandleOrigin::Stream).await?;
        }
        Ok(Ok(()))
    }

    fn read_ticker(&mut self, text: &Utf8Bytes, at: Timestamp) -> Result<Result<(), WireError>, Ended> {
        let read = wire::json::<StreamRecord<WireTicker<'_>>>("ticker message", text.as_bytes());
        let ticker = read.and_then(|record| {
            let row = record.data.ok_or(WireError::Missing { what: "ticker message", field: "data" })?;
            let symbol: Symbol = row.symbol.get("ticker", "symbol")?;
            convert::ticker(&row, self.tickers.get(&symbol).copied(), at)
        });
        match ticker {
            Err(error) => Ok(Err(error)),
            Ok(ticker) => {
                self.tickers.insert(ticker.symbol, ticker);
                self.offer(MarketEvent::Ticker(ticker))?;
                Ok(Ok(()))
            }
        }
    }

    /// Gives news that only matters now; drops it when the program is slow.
    fn offer(&self, event: MarketEvent) -> Result<(), Ended> {
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Ended::ListenerGone),
        }
    }
}

fn kline_topic(tracker: &Tracker) -> String {
    format!("kline.{}.{}", interval(tracker.series().timeframe), tracker.series().symbol)
}
