//! Candles: history first, then each closed candle once and in order, with what else is known of the market.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{Candle, Symbol, Timeframe, Timestamp};
use keyhold_engine::catalog::DataNeeds;
use keyhold_engine::event::Event;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::{BotEvent, Plan};
use keyhold_protocol::uplink::Severity;
use keyhold_venues::backoff::Backoff;
use keyhold_venues::error::Asked;
use keyhold_venues::port::{CandleRange, MarketSubscription, Series, Ticker};
use keyhold_venues::{MarketData as _, MarketEvent};

use super::{AccountView, Bot, News, RunError, Stage};
use crate::mind::record::Record;
use crate::outside::Outside;

/// Candles in one line of the journal.
const CANDLES_PER_LINE: usize = 500;
/// Candles that wait for history at most; the engine notes what is missing.
const MOST_HELD_BACK: usize = 1_000;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl<O: Outside> Bot<O> {
    /// Loads history for every instrument that has none. `true` when something is being loaded.
    ///
    /// A replay's time is not known before its first news; there, history is loaded just before the first candle.
    pub(super) fn load_all_history(&mut self) -> bool {
        let Some(now) = self.time.told(self.outside.now()) else { return false };
        let fresh: Vec<(u16, Timestamp)> = self
            .mind
            .plans()
            .filter(|(slot, _)| self.needs_history(*slot))
            .map(|(slot, plan)| (slot, plan.timeframe.open_of(now)))
            .collect();
        for (slot, until) in &fresh {
            self.load_history(*slot, *until);
        }
        !fresh.is_empty()
    }

    fn needs_history(&self, slot: u16) -> bool {
        let seen = self.mind.state(slot).map_or(0, keyhold_engine::State::candles_seen);
        seen == 0 && self.mind.plan(slot).is_some_and(|plan| plan.warmup_candles > 0)
    }

    /// Fetches the candles before `until`; candles that close meanwhile are held back.
    fn load_history(&mut self, slot: u16, until: Timestamp) {
        let (Some(plan), Some(session)) = (self.mind.plan(slot), &self.session) else { return };
        let length = i64::from(plan.warmup_candles) * plan.interval_ms();
        let range = CandleRange {
            symbol: plan.instrument.symbol,
            timeframe: plan.timeframe,
            from: until.plus_ms(-length),
            until,
        };
        let venue = Arc::clone(&session.venue);
        self.slot(slot).held_back.get_or_insert_default();
        self.errand(async move {
            let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, 0);
            loop {
                match venue.candles(&range).await {
                    Ok(mut candles) => {
                        candles.retain(|candle| candle.open_time < until);
                        return News::Warmed(slot, candles);
                    }
                    Err(error) => {
                        tracing::warn!(symbol = %range.symbol, "history cannot be had now: {error}");
                        tokio::time::sleep(backoff.next_wait()).await;
                    }
                }
            }
        });
    }

    pub(super) fn warmed(&mut self, slot: u16, candles: &[Candle]) -> Result<(), RunError> {
        tracing::info!(slot, candles = candles.len(), "history is loaded");
        for part in candles.chunks(CANDLES_PER_LINE) {
            self.record(Record::Warmed { slot, candles: part.to_vec() })?;
        }
        // The next start should not learn all this again line by line.
        self.snapshot()?;
        for candle in self.slot(slot).held_back.take().unwrap_or_default() {
            self.feed(slot, candle)?;
        }
        if self.stage == Stage::WarmingUp && self.has_history() {
            self.follow_account();
        }
        self.subscribe();
        Ok(())
    }

    fn has_history(&self) -> bool {
        self.slots.values().all(|work| work.held_back.is_none())
    }

    /// Starts listening to candles when everything before it is done.
    pub(super) fn subscribe(&mut self) {
        let ready = self.has_history() && self.account_view == AccountView::Current;
        if self.stage == Stage::Subscribing && self.market.is_none() && ready {
            self.follow_market();
        }
    }

    /// What the plan wants to hear of the market.
    pub(super) fn wanted(&self) -> Vec<(Symbol, Timeframe, DataNeeds)> {
        let wanted = |plan: &Plan| (plan.instrument.symbol, plan.timeframe, plan.all_needs());
        self.mind.plans().map(|(_, plan)| wanted(plan)).collect()
    }

    /// Starts listening to candles and prices.
    pub(super) fn follow_market(&mut self) {
        let Some(session) = &self.session else { return };
        let newest = |slot| self.mind.state(slot).and_then(keyhold_engine::State::newest_candle);
        let mut subscription = MarketSubscription::default();
        for (slot, (symbol, timeframe, needs)) in (0..).zip(self.wanted()) {
            subscription.series.push(Series { symbol, timeframe, after: newest(slot) });
            if needs.book {
                subscription.books.insert(symbol);
            }
            if needs.trades {
                subscription.trades.insert(symbol);
            }
        }
        self.market = Some(session.venue.market_events(subscription));
    }

    pub(super) fn market_event(&mut self, event: Option<MarketEvent>) -> Result<(), RunError> {
        let Some(event) = event else {
            tracing::warn!("the stream of candles has ended by itself; it is made anew");
            self.follow_market();
            return Ok(());
        };
        match event {
            MarketEvent::CandleClosed { symbol, timeframe, candle, .. } => {
                self.hear_time(candle.close_time(timeframe));
                let slot = self.mind.slot_of(symbol);
                let fits = |slot: &u16| self.mind.plan(*slot).is_some_and(|plan| plan.timeframe == timeframe);
                match slot.filter(fits) {
                    Some(slot) => self.candle_closed(slot, candle),
                    None => Ok(()),
                }
            }
            MarketEvent::CandleForming { candle, .. } => {
                self.hear_time(candle.open_time);
                Ok(())
            }
            MarketEvent::Ticker(ticker) => {
                self.ticker(ticker);
                Ok(())
            }
            MarketEvent::Book { symbol, book } => {
                if let Some(slot) = self.mind.slot_of(symbol) {
                    self.slot(slot).flow.book(book);
                }
                Ok(())
            }
            MarketEvent::Traded { symbol, open_time, sums, .. } => {
                if let Some(slot) = self.mind.slot_of(symbol) {
                    self.slot(slot).flow.traded(open_time, sums);
                }
                Ok(())
            }
            MarketEvent::Gap { symbol, from, until, .. } => {
                // The engine sees the gap itself at the next candle, and tells.
                tracing::warn!(%symbol, %from, %until, "candles are missing");
                Ok(())
            }
            MarketEvent::Disconnected { .. } => {
                tracing::info!("the stream of candles broke");
                Ok(())
            }
            MarketEvent::Resynced { .. } => {
                tracing::debug!("the stream of candles stands");
                if self.stage == Stage::Subscribing {
                    tracing::info!("online");
                    self.stage = Stage::Online;
                }
                Ok(())
            }
            MarketEvent::Refused(error) => {
                let code = error.diagnosis(Asked::ToRead).unwrap_or(keyhold_domain::ReasonCode::ExchangeDown);
                let text = format!("The exchange refused a stream of candles: {error}.");
                self.tell_as(Severity::Warning, code, text, None)
            }
            MarketEvent::Undecodable(error) => {
                tracing::warn!("news of the market cannot be read: {error}");
                Ok(())
            }
        }
    }

    fn candle_closed(&mut self, slot: u16, candle: Candle) -> Result<(), RunError> {
        if let Some(held_back) = &mut self.slot(slot).held_back {
            if held_back.len() >= MOST_HELD_BACK {
                held_back.remove(0);
            }
            held_back.push(candle);
            return Ok(());
        }
        if self.needs_history(slot) {
            self.load_history(slot, candle.open_time);
            self.slot(slot).held_back = Some(vec![candle]);
            return Ok(());
        }
        self.feed(slot, candle)
    }

    /// Gives a candle to the engine, and before it what else is known of the market.
    fn feed(&mut self, slot: u16, candle: Candle) -> Result<(), RunError> {
        let Some(plan) = self.mind.plan(slot) else { return Ok(()) };
        let at = self.time.taken_up(candle.close_time(plan.timeframe), self.outside.now());
        let flow = self.slots.get(&slot).map(|work| &work.flow);
        if let Some(facts) = flow.and_then(|flow| flow.facts(plan, &candle, at)) {
            let event = Event::Market(Box::new(facts));
            self.record_event(BotEvent::Instrument { slot, event })?;
        }
        let event = Event::CandleClosed { candle: ClosedCandle::new(candle), at };
        self.record_event(BotEvent::Instrument { slot, event })
    }

    /// Prices, funding and open interest: kept until a candle closes.
    fn ticker(&mut self, ticker: Ticker) {
        self.hear_time(ticker.at);
        if let Some(slot) = self.mind.slot_of(ticker.symbol) {
            self.slot(slot).flow.ticker(ticker);
        }
    }
}
