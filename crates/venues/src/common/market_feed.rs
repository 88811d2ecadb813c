//! A public stream as market events: candles in order, gaps filled over REST, prices, books and trades in between.
//!
//! One task per call, ended by dropping the [`EventStream`]. Closed candles are delivered with back-pressure; what
//! only matters now (forming candles, prices) is dropped when the program is slow. A venue tells by [`PublicStream`] how
//! its stream is reached, asked and read. Next: [`super::series`], [`super::flow`].

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::time::Duration;

use keyhold_domain::{Candle, Environment, Symbol, Timeframe, Timestamp};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::flow::{Flow, Verdict};
use super::forming::Forming;
use super::link::{Ask, Ended, GOOD_SESSION, Heard, LinkNo, Links, Tick};
use super::rest::{Dialect, Rest};
use super::series::{Missing, Tracker};
use crate::book::BookUpdate;
use crate::error::{VenueError, WireError};
use crate::event::{CandleOrigin, EventStream, MarketEvent};
use crate::port::{CandleRange, MarketData, MarketSubscription, Offered, Series, Ticker};
use crate::tape::PublicTrade;
use crate::transport::Dialer;

/// What is wanted of one instrument. Prices come always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The instrument.
    pub symbol: Symbol,
    /// Candles of these lengths.
    pub timeframes: BTreeSet<Timeframe>,
    /// Its order book.
    pub book: Wanted,
    /// Its trades.
    pub trades: Wanted,
}

/// Whether something is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Want {
    /// One per instrument of a subscription, ordered.
    pub fn all(subscription: &MarketSubscription) -> Vec<Self> {
        let mut timeframes: BTreeMap<Symbol, BTreeSet<Timeframe>> = BTreeMap::new();
        for one in &subscription.series {
            timeframes.entry(one.symbol).or_default().insert(one.timeframe);
        }
        let wanted = |list: &BTreeSet<Symbol>, symbol: &Symbol| {
            if list.contains(symbol) { Wanted::Yes } else { Wanted::No }
        };
        let want = |(symbol, timeframes)| Self {
            symbol,
            timeframes,
            book: wanted(&subscription.books, &symbol),
            trades: wanted(&subscription.trades, &symbol),
        };
        timeframes.into_iter().map(want).collect()
    }
}

/// Whether a candle of the stream may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandleState {
    /// It may.
    Forming,
    /// It will not.
    Closed,
}

/// What a message says, in our words.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Anything about an instrument was heard at this time of the venue's. Comes before the other news of a message.
    Heard(Symbol, Timestamp),
    /// A candle. Of a series that nobody wants it is dropped.
    Candle(Symbol, Timeframe, Candle, CandleState),
    /// Prices; what is `None` has not changed.
    Ticker(Ticker),
    /// A book or a change of it.
    Book(Symbol, BookUpdate),
    /// Trades of one message; one with the same id as the message before it is a repeat.
    Trades {
        /// The instrument.
        symbol: Symbol,
        /// The venue's name of the first of them.
        id: String,
        /// All of them.
        rows: Vec<PublicTrade>,
    },
    /// Something that could not be read, and what is not whole any more because of it.
    Unreadable(WireError, Harm),
}

/// What an unreadable message spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing that is summed or kept.
    None,
    /// A book: what the message changed is not known.
    Book(Symbol),
    /// Trades; not even of which instrument is known for sure.
    Trades,
}

/// How a book that is not whole any more is had anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// By these frames, sent without waiting for a confirmation: news of other topics must not wait either.
    Frames(LinkNo, Vec<String>),
    /// By a question over REST: [`PublicStream::book`].
    Question,
}

/// A venue's public stream.
pub trait PublicStream<D: Dialer>: MarketData + Clone + 'static {
    /// The dialect of its calls.
    type Dialect: Dialect;

    /// The connection on which trades come; a message there shows that trades are heard.
    const TRADES_LINK: LinkNo = LinkNo::First;

    /// Whether candles come on the stream. Where they do not, they are fetched when they have closed.
    const CANDLES: Offered = Offered::Yes;

    /// Whether the stream tells candles while they form. Where it does not, they are made of the prices that are heard.
    const FORMING: Offered = Offered::Yes;

    /// The calls.
    fn rest(&self) -> &Rest<D, Self::Dialect>;

    /// Connects.
    fn open(&self) -> impl Future<Output = Result<Links<D>, Ended>> + Send;

    /// The requests for what is wanted, numbered from 1. What one of them asks for is refused as one.
    fn asks(&self, wants: &[Want]) -> Vec<Ask>;

    /// What a message is to somebody who awaits the confirmation of `ask`.
    fn hear(&self, ask: &Ask, text: &str) -> Heard;

    /// What a message says. Nothing for answers to pings and other talk.
    fn read(&self, link: LinkNo, text: &str) -> Vec<News>;

    /// How a book is had anew; `number` is free for its first frame, and those after it for the next ones.
    fn renewal(&self, symbol: Symbol, number: u32) -> Renewal;

    /// A whole book over REST, where [`Self::renewal`] says so.
    fn book(&self, _symbol: Symbol) -> impl Future<Output = Result<Option<BookUpdate>, VenueError>> + Send {
        async { Ok(None) }
    }
}

/// A candle that has not come on the stream so long after its close is fetched. The first of a connection is not waited
/// for so long: the venue may have told it a moment before it heard that we listen.
const LATE_MS: i64 = 10_000;
const FIRST_LATE_MS: i64 = 2_000;

/// How long until a candle that was not there yet is asked for again; so many times, and then less often.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const EAGER_ASKS: u32 = 10;
const ASK_SELDOM: Duration = Duration::from_secs(10);

/// Starts the task.
pub fn start<D: Dialer, V: PublicStream<D>>(
    venue: V,
    subscription: MarketSubscription,
) -> EventStream<MarketEvent> {
    let (events, listener) = mpsc::channel(venue.rest().settings.event_queue);
    let mut series = subscription.series.clone();
    series.sort_by_key(|one| (one.symbol, one.timeframe, one.after));
    series.dedup_by_key(|one| (one.symbol, one.timeframe));
    let subscription = MarketSubscription { series: series.clone(), ..subscription };
    let flow = Flow::new(&subscription);
    let wants = Want::all(&subscription);
    let trackers = series.into_iter().map(Tracker::new).collect();
    let feed = Feed {
        venue,
        wants,
        trackers,
        tickers: BTreeMap::new(),
        forming: Forming::default(),
        flow,
        events,
        requests: 0,
        told: Instant::now(),
        asked: None,
        streamed: BTreeSet::new(),
        dialer: PhantomData,
    };
    EventStream::new(listener, tokio::spawn(feed.run()))
}

struct Feed<D, V> {
    venue: V,
    wants: Vec<Want>,
    trackers: Vec<Tracker>,
    tickers: BTreeMap<Symbol, Ticker>,
    /// Where the stream does not tell them.
    forming: Forming,
    flow: Flow,
    events: mpsc::Sender<MarketEvent>,
    /// Numbers of requests used in this session.
    requests: u32,
    /// When the flow's newest time was told.
    told: Instant,
    /// When closed candles that are still missing were asked for last, and how often.
    asked: Option<(Instant, u32)>,
    /// Which series have had a candle on this connection's stream.
    streamed: BTreeSet<usize>,
    dialer: PhantomData<fn() -> D>,
}

impl<D: Dialer, V: PublicStream<D>> Feed<D, V> {
    /// Sessions one after the other, until nobody listens. Waits in between are bounded by the settings.
    async fn run(mut self) {
        let mut backoff = self.venue.rest().backoff();
        loop {
            let began = Instant::now();
            let ended = match self.listen().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            let event = match ended {
                Ended::ListenerGone => return,
                Ended::Broken => MarketEvent::Disconnected { at: self.venue.rest().clock.now() },
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

    async fn listen(&mut self) -> Result<Infallible, Ended> {
        let mut links = self.venue.open().await?;
        self.tickers.clear();
        self.forming.reset();
        self.flow.reset();
        self.streamed.clear();
        self.asked = None;
        self.subscribe(&mut links).await?;
        // Without the venue's clock ours must do; it only decides which candles count as closed.
        drop(self.venue.rest().ensure_venue_time().await);
        if V::CANDLES == Offered::No {
            self.hear_time(&mut links).await?;
        }
        self.fill_to_now().await?;
        self.events.send(MarketEvent::Resynced { at: self.venue.rest().clock.now() }).await?;
        loop {
            let due = self.until_fetch();
            tokio::select! {
                // What has come already need not be fetched.
                biased;
                tick = links.next() => self.take(&mut links, tick?).await?,
                () = tokio::time::sleep(due.unwrap_or(Duration::MAX)), if due.is_some() => {}
            }
            if self.until_fetch() == Some(Duration::ZERO) {
                self.fetch_overdue().await?;
            }
        }
    }

    async fn take(&mut self, links: &mut Links<D>, (link, tick): (LinkNo, Tick)) -> Result<(), Ended> {
        match tick {
            Tick::News(text) => {
                for symbol in self.read(link, &text).await? {
                    self.renew(links, symbol).await?;
                }
            }
            Tick::Quiet => {
                for symbol in self.flow.overdue(self.venue.rest().venue_now()) {
                    self.renew(links, symbol).await?;
                }
            }
        }
        Ok(())
    }

    /// Reads on until a message has told the time, by which candles will be fetched: prices come at once. Without one
    /// the clock must do.
    async fn hear_time(&mut self, links: &mut Links<D>) -> Result<(), Ended> {
        let deadline = Instant::now() + self.venue.rest().settings.confirm_limit;
        while self.flow.newest_time().is_none() && !self.trackers.is_empty() {
            let Ok(tick) = tokio::time::timeout_at(deadline, links.next()).await else { break };
            self.take(links, tick?).await?;
        }
        Ok(())
    }

    /// The venue's time, by which candles close. A simulated venue lives in a time of its own: what the stream has told
    /// and what has passed since. Where candles are fetched, it is the same at all.
    fn candle_now(&self) -> Timestamp {
        let rest = self.venue.rest();
        let (now, told) = (rest.venue_now(), self.flow.newest_time());
        let is_simulated = rest.endpoints.environment() == Environment::Simulated;
        match told {
            Some(told) if V::CANDLES == Offered::No || is_simulated => told.plus(self.told.elapsed()),
            // Our reading of the clock may be behind by the way that it took.
            Some(told) => now.max(told),
            None => now,
        }
    }

    /// How long a candle must have been closed before it is fetched. One of a simulated venue does not change any more.
    fn settling_ms(&self) -> i64 {
        let rest = self.venue.rest();
        if V::CANDLES == Offered::No && rest.endpoints.environment() == Environment::Simulated {
            return 0;
        }
        i64::try_from(rest.settings.candle_settling.as_millis()).unwrap_or(i64::MAX)
    }

    /// How long after its close the next candle of a series is fetched when it has not come by itself.
    fn late_ms(&self, index: usize) -> i64 {
        match V::CANDLES {
            Offered::Yes if self.streamed.contains(&index) => LATE_MS,
            Offered::Yes => self.settling_ms().max(FIRST_LATE_MS),
            Offered::No => self.settling_ms(),
        }
    }

    /// How long until closed candles are to be fetched.
    fn until_fetch(&self) -> Option<Duration> {
        let now = self.candle_now();
        let due = |index: usize| self.trackers[index].due(self.late_ms(index));
        let first = (0..self.trackers.len()).filter_map(due).min()?;
        let wait = Duration::from_millis(u64::try_from(first.since_ms(now)).unwrap_or_default());
        let again = self.asked.map_or(Duration::ZERO, |(asked, times)| {
            let pause = if times < EAGER_ASKS { ASK_AGAIN } else { ASK_SELDOM };
            pause.saturating_sub(asked.elapsed())
        });
        Some(wait.max(again))
    }

    async fn subscribe(&mut self, links: &mut Links<D>) -> Result<(), Ended> {
        let asks = self.venue.asks(&self.wants);
        self.requests = asks.iter().map(|ask| ask.number).max().unwrap_or_default();
        for ask in asks {
            let venue = &self.venue;
            match links.ask(&ask, |ask, text| venue.hear(ask, text)).await {
                Ok(()) => {}
                // One instrument that the venue does not stream must not silence the others.
                Err(Ended::Refused(error)) => self.events.send(MarketEvent::Refused(error)).await?,
                Err(ended) => return Err(ended),
            }
        }
        Ok(())
    }

    /// Has a book sent or fetched anew. One that does not come is asked for again when it is overdue.
    async fn renew(&mut self, links: &mut Links<D>, symbol: Symbol) -> Result<(), Ended> {
        match self.venue.renewal(symbol, self.requests + 1) {
            Renewal::Frames(link, frames) => {
                for frame in frames {
                    self.requests += 1;
                    links.send(link, frame).await?;
                }
            }
            Renewal::Question => {
                if let Ok(Some(book)) = self.venue.book(symbol).await {
                    let at = self.venue.rest().venue_now();
                    // A book that is refused at once will be overdue.
                    let _verdict = self.flow.take_book(symbol, &book, at);
                }
            }
        }
        Ok(())
    }

    /// Brings every series that has a past up to the last candle that is surely closed.
    async fn fill_to_now(&mut self) -> Result<(), Ended> {
        let settling_ms = self.settling_ms();
        for index in 0..self.trackers.len() {
            let timeframe = self.trackers[index].series().timeframe;
            let now = self.candle_now();
            let closed_for = now.since_ms(timeframe.open_of(now));
            if let Ok(wait) = u64::try_from(settling_ms - closed_for) {
                // Its confirmation may have gone out before we listened.
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            let until = timeframe.open_of(self.candle_now());
            if V::CANDLES == Offered::No {
                self.trackers[index].begin_before(until);
            }
            if let Some(missing) = self.trackers[index].missing_before(until) {
                self.fetch(index, missing).await?;
            }
        }
        Ok(())
    }

    /// Fetches what should have come by now.
    async fn fetch_overdue(&mut self) -> Result<(), Ended> {
        let now = self.candle_now();
        for index in 0..self.trackers.len() {
            if let Some(missing) = self.trackers[index].overdue(now, self.late_ms(index)) {
                self.fetch(index, missing).await?;
            }
        }
        let is_missing = |index: usize| self.trackers[index].overdue(now, self.late_ms(index)).is_some();
        let times = self.asked.map_or(0, |(_, times)| times);
        self.asked =
            (0..self.trackers.len()).any(is_missing).then(|| (Instant::now(), times.saturating_add(1)));
        Ok(())
    }

    /// Fetches and delivers missing candles. What cannot be had now is tried again before the next candle and is
    /// reported as a gap then.
    async fn fetch(&mut self, index: usize, missing: Missing) -> Result<(), Ended> {
        let series = *self.trackers[index].series();
        let Missing { from, until } = missing;
        let range = CandleRange { symbol: series.symbol, timeframe: series.timeframe, from, until };
        if let Ok(candles) = self.venue.candles(&range).await {
            for candle in candles {
                self.deliver(index, candle, CandleOrigin::Fetched).await?;
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, index: usize, candle: Candle, origin: CandleOrigin) -> Result<(), Ended> {
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

    /// Takes in a message; the books that must be had anew come back.
    async fn read(&mut self, link: LinkNo, text: &Utf8Bytes) -> Result<Vec<Symbol>, Ended> {
        let mut lost = vec![];
        for news in self.venue.read(link, text) {
            match news {
                News::Heard(symbol, at) => {
                    if self.flow.newest_time().is_none_or(|newest| at > newest) {
                        self.told = Instant::now();
                    }
                    if link == V::TRADES_LINK { self.flow.heard(symbol, at) } else { self.flow.time_is(at) }
                }
                News::Candle(symbol, timeframe, candle, state) => {
                    self.take_candle(symbol, timeframe, candle, state).await?;
                }
                News::Ticker(change) => self.take_ticker(change)?,
                News::Book(symbol, update) => {
                    if self.flow.take_book(symbol, &update, update.at) == Verdict::Renew {
                        lost.push(symbol);
                    }
                }
                News::Trades { symbol, id, rows } => self.flow.take_trades(symbol, id, &rows),
                News::Unreadable(error, harm) => {
                    self.flow.harm(harm);
                    self.events.send(MarketEvent::Undecodable(error)).await?;
                }
            }
        }
        Ok(lost)
    }

    async fn take_candle(
        &mut self,
        symbol: Symbol,
        timeframe: Timeframe,
        candle: Candle,
        state: CandleState,
    ) -> Result<(), Ended> {
        let is_it =
            |tracker: &Tracker| (tracker.series().symbol, tracker.series().timeframe) == (symbol, timeframe);
        let Some(index) = self.trackers.iter().position(is_it) else { return Ok(()) };
        match state {
            CandleState::Forming => self.offer(MarketEvent::CandleForming { symbol, timeframe, candle }),
            CandleState::Closed => {
                if let Some(missing) = self.trackers[index].missing_before(candle.open_time) {
                    self.fetch(index, missing).await?;
                }
                self.streamed.insert(index);
                self.deliver(index, candle, CandleOrigin::Stream).await
            }
        }
    }

    fn take_ticker(&mut self, change: Ticker) -> Result<(), Ended> {
        let ticker = match self.tickers.get(&change.symbol) {
            Some(was) => was.changed_by(&change),
            None => change,
        };
        self.tickers.insert(ticker.symbol, ticker);
        self.offer(MarketEvent::Ticker(ticker))?;
        if let (Offered::No, Some(last)) = (V::FORMING, change.last) {
            for tracker in &self.trackers {
                let Series { symbol, timeframe, .. } = *tracker.series();
                if symbol != change.symbol {
                    continue;
                }
                if let Some(candle) = self.forming.hear(symbol, timeframe, last, change.at) {
                    self.offer(MarketEvent::CandleForming { symbol, timeframe, candle })?;
                }
            }
        }
        Ok(())
    }

    /// Gives news that only matters now; drops it when the program is slow.
    fn offer(&self, event: MarketEvent) -> Result<(), Ended> {
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Ended::ListenerGone),
        }
    }
}
