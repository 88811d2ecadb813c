//! The bot's life: one task that owns everything it knows, and tasks around it that do its errands.
//!
//! A start is a recovery ([`recover`]). After that the loop takes one happening at a time: it is journaled, the mind takes it
//! in, and what follows is sent out. Errands (requests, questions, leases) run as tasks and come back as [`News`]. Parts:
//! [`line`] talks with the server, [`account`] follows the account, [`funding`] asks what it costs to hold, [`market`]
//! follows the candles, [`orders`] sends requests, [`assignment`] decides what is traded, [`commands`] does what is asked once.

mod account;
mod assignment;
mod commands;
mod flow;
mod funding;
mod line;
mod market;
mod orders;
mod recover;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use keyhold_domain::{BotId, ClientOrderId, CommandId, KeyFacts, ReasonCode, Symbol, Timestamp};
use keyhold_engine::BotEvent;
use keyhold_protocol::uplink::{
    Assignment, BotMessage, CommandOutcome, EventReport, Phase, Report, Severity,
};
use keyhold_venues::event::EventStream;
use keyhold_venues::{AccountEvent, MarketEvent, VenueError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::findings::{Finding, Weight};
use crate::journal::{Cause, Journal, JournalError, Outbox};
use crate::keeper::Lease;
use crate::lanes::Lanes;
use crate::launch::Options;
use crate::market_time::MarketTime;
use crate::mind::record::{Answer, Entry, Obstacle, Record, Standing};
use crate::mind::{Mind, MindError};
use crate::outside::{Machine, Outside};
use crate::session::{Prepared, Session, SessionError};
use crate::truth::Found;
use crate::uplink::{Incoming, Line};

/// Why the bot ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Signals cannot be received.
    #[error("listening for signals")]
    Signals(#[source] std::io::Error),
    /// The journal cannot be used: without it nothing may be sent.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The snapshot cannot be used.
    #[error(transparent)]
    Mind(#[from] MindError),
    /// The server does not want this bot, and it holds no position.
    #[error("the server refused the bot: {0}")]
    Unwanted(ReasonCode),
    /// The task that keeps the line to the server has ended.
    #[error("the line to the server has ended by itself")]
    LineEnded,
}

/// A bot's name and its folder.
#[derive(Debug, Clone)]
pub struct Home {
    /// The bot's id.
    pub bot: BotId,
    /// Journal, snapshot and reports.
    pub folder: PathBuf,
}

/// An opened key with the lease that allows it.
type Opened<O> = (Session<<O as Outside>::Dialer>, Lease<<O as Outside>::Pipe>);

/// What an errand brings back.
#[derive(Debug)]
enum News<O: Outside> {
    /// The key was opened.
    Opened(Result<Box<Opened<O>>, SessionError>),
    /// Something worth telling while connecting.
    Trouble(Finding),
    /// The venue is ready for the assignment of this generation.
    Prepared(u64, Box<Prepared>),
    /// The keeper has ended the lease of this session.
    LeaseEnded(u64),
    /// History for an instrument.
    Warmed(u16, Vec<keyhold_domain::Candle>),
    /// A request to the venue was answered.
    Answered(Answer, Option<VenueError>),
    /// The truth about an instrument.
    Truth(u16, Found),
    /// The account was read; when asking began, in the market's time.
    Account(Timestamp, Result<keyhold_domain::AccountSnapshot, VenueError>),
    /// The key was looked at.
    Inspected(Result<KeyFacts, VenueError>),
}

/// How far the way to trading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing to trade.
    Idle,
    /// Opening the key, looking at the venue.
    Connecting,
    /// Loading history.
    WarmingUp,
    /// Waiting for the account's stream and the venue's truth.
    Reconciling,
    /// Reading the account and waiting for the candles' stream.
    Subscribing,
    /// Trading.
    Online,
}

/// One instrument's errands.
#[derive(Debug, Default)]
struct SlotWork {
    lanes: Lanes,
    /// Candles that wait until history is loaded; `None` when nothing is being loaded.
    held_back: Option<Vec<keyhold_domain::Candle>>,
    flow: flow::Flow,
    failures: u32,
    funding: funding::FundingWatch,
    /// Orders that the venue never had, while the rest of its truth is still to come.
    never_arrived: BTreeSet<ClientOrderId>,
    /// Orders that the last reading of the account showed otherwise than the memory.
    disputed: BTreeSet<ClientOrderId>,
}

/// When things are due that nobody asks for.
#[derive(Debug)]
struct Due {
    heartbeat: Instant,
    account: Instant,
    inspection: Instant,
    tick: Instant,
}

/// How well the last reading of the account fits the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AccountView {
    /// Nothing has changed since.
    Current,
    /// It has changed, and a reading that will show it is under way.
    CatchingUp,
    /// It has changed.
    Stale,
}

/// Errands that must not run twice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    /// Leasing and opening the key.
    Opening,
    /// Looking at the venue for a plan.
    Preparing,
    /// Reading the account.
    Account,
    /// Looking at the key's permissions.
    Inspecting,
}

struct Bot<O: Outside> {
    outside: O,
    home: Home,
    mind: Mind,
    journal: Journal,
    outbox: Outbox,
    unsaved: u32,
    line: Line,
    linked: bool,
    sent_through: u64,
    assignment: Option<Box<Assignment>>,
    session: Option<Session<O::Dialer>>,
    /// Counts sessions, so that news of an old one is recognized.
    session_number: u64,
    stage: Stage,
    slots: BTreeMap<u16, SlotWork>,
    market: Option<EventStream<MarketEvent>>,
    account: Option<EventStream<AccountEvent>>,
    account_view: AccountView,
    /// When the last reading failed.
    account_failed: Option<Instant>,
    /// The assignment that the plan in force comes from, as far as it could be followed.
    followed: Option<u64>,
    /// The plan of the newest assignment cannot go on with the position that is open.
    waits_for_flat: bool,
    /// The assignment about which the owner was told that it must wait.
    told_to_wait: Option<u64>,
    /// Commands that were carried out and of which the server has not been told.
    answers: VecDeque<(CommandId, CommandOutcome)>,
    time: MarketTime,
    lease_lost: Option<Instant>,
    /// Its word (or its end) gives the lease back.
    give_back: Option<oneshot::Sender<()>>,
    /// When the server is dialed again for a fresh ticket, and how often that was done in a row.
    redial: Option<Instant>,
    redials: u32,
    due: Due,
    busy: BTreeSet<Errand>,
    last_beat: Option<(Phase, bool, Vec<keyhold_protocol::uplink::Progress>)>,
    last_key_code: Option<ReasonCode>,
    news: mpsc::Receiver<News<O>>,
    bring: mpsc::Sender<News<O>>,
    errands: JoinSet<()>,
    ending: Option<Instant>,
}

/// News on the way to the loop at most; errands wait when there is no room.
const NEWS_ROOM: usize = 64;
/// Events between two snapshots.
const SNAPSHOT_AFTER: u32 = 2_000;
/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Between two readings of the account when nothing happens.
const ACCOUNT_EVERY: Duration = Duration::from_mins(1);
/// Between two looks at the key's permissions.
const INSPECT_EVERY: Duration = Duration::from_hours(6);
/// Between two ticks that let the engine notice that nothing comes.
const TICK: Duration = Duration::from_secs(30);
/// Without the keeper for so long, the bot enters nothing new.
const LEASE_GRACE: Duration = Duration::from_mins(15);
/// Time to deliver what is left when ending.
const FAREWELL: Duration = Duration::from_secs(10);

/// Runs until told to stop.
pub async fn run(options: Options, hello: BotMessage) -> Result<(), RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let told_to_stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let outside = Machine::new(&options);
    run_in(outside, Home { bot: options.bot, folder: options.folder }, hello, told_to_stop).await
}

/// The same in any world. Dropping the future is the death of the process: nothing is said and nothing is stored any more.
pub async fn run_in<O: Outside>(
    outside: O,
    home: Home,
    hello: BotMessage,
    told_to_stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut told_to_stop = pin!(told_to_stop);
    let mut bot = Bot::recover(outside, home, hello)?;
    loop {
        tokio::select! {
            biased;
            () = &mut told_to_stop => break,
            happening = bot.next() => {
                if bot.happened(happening)? == Going::End {
                    break;
                }
            }
        }
    }
    bot.end().await
}

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    End,
}

/// One turn of the loop.
#[derive(Debug)]
enum Happening<O: Outside> {
    Line(Option<Incoming>),
    News(Option<News<O>>),
    Market(Option<MarketEvent>),
    Account(Option<AccountEvent>),
    Time,
}

/// The next event of a stream that may not be there.
async fn next_of<T>(stream: &mut Option<EventStream<T>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next_event().await,
        None => std::future::pending().await,
    }
}

impl<O: Outside> Bot<O> {
    /// Waits for the next happening. Nothing is lost when it is dropped while waiting.
    async fn next(&mut self) -> Happening<O> {
        let wake = self.next_wake();
        tokio::select! {
            biased;
            news = self.news.recv() => Happening::News(news),
            incoming = self.line.incoming.recv() => Happening::Line(incoming),
            event = next_of(&mut self.account) => Happening::Account(event),
            event = next_of(&mut self.market) => Happening::Market(event),
            () = tokio::time::sleep_until(wake) => Happening::Time,
        }
    }

    fn happened(&mut self, happening: Happening<O>) -> Result<Going, RunError> {
        match happening {
            Happening::News(news) => self.errand_ended(news)?,
            Happening::Line(incoming) => self.heard(incoming)?,
            Happening::Account(event) => self.account_event(event)?,
            Happening::Market(event) => self.market_event(event)?,
            Happening::Time => {}
        }
        self.watch_time()?;
        self.reconsider()?;
        self.send_requests()?;
        self.finish_commands()?;
        self.deliver()?;
        if self.unsaved >= SNAPSHOT_AFTER {
            self.snapshot()?;
        }
        Ok(if self.ending.is_some_and(|at| Instant::now() >= at || self.has_told_everything()) {
            Going::End
        } else {
            Going::On
        })
    }

    fn has_told_everything(&self) -> bool {
        self.outbox.backlog() == 0 && self.answers.is_empty()
    }

    fn errand_ended(&mut self, news: Option<News<O>>) -> Result<(), RunError> {
        // The loop keeps a sender, so the channel never ends.
        let Some(news) = news else { return Ok(()) };
        while self.errands.try_join_next().is_some() {}
        match news {
            News::Opened(result) => self.opened(result.map(|opened| *opened)),
            News::Trouble(finding) => self.tell(&finding, None),
            News::Prepared(generation, prepared) => self.prepared(generation, &prepared),
            News::LeaseEnded(number) => self.lease_ended(number),
            News::Warmed(slot, candles) => self.warmed(slot, &candles),
            News::Answered(answer, error) => self.answered(answer, error.as_ref()),
            News::Truth(slot, found) => self.truth(slot, found),
            News::Account(at, result) => self.account_read(at, result),
            News::Inspected(result) => self.inspected(result),
        }
    }

    /// Journals an entry, takes it in, stores its reports and queues its deeds. The heart of the bot.
    fn record(&mut self, what: Record) -> Result<(), RunError> {
        let entry = Entry { at: self.now(), what };
        let event = self.journal.append(&entry)?;
        self.unsaved += 1;
        let effects = self.mind.take(&entry);
        let told_at = self.outside.now();
        for (index, report) in (0..).zip(effects.reports) {
            self.outbox.add(Cause { event, index }, told_at, report)?;
        }
        for (slot, deed) in effects.deeds {
            self.queue(slot, deed)?;
        }
        Ok(())
    }

    /// News for the engine.
    fn record_event(&mut self, event: BotEvent) -> Result<(), RunError> {
        self.record(Record::Bot(Box::new(event)))
    }

    /// Something for the activity feed.
    fn tell(&mut self, finding: &Finding, symbol: Option<Symbol>) -> Result<(), RunError> {
        let severity = match finding.weight {
            Weight::Forbids => Severity::Critical,
            Weight::Warns => Severity::Warning,
        };
        self.tell_as(severity, finding.code, finding.text.clone(), symbol)
    }

    fn tell_as(
        &mut self,
        severity: Severity,
        code: ReasonCode,
        text: String,
        symbol: Option<Symbol>,
    ) -> Result<(), RunError> {
        tracing::info!(%code, symbol = symbol.map(tracing::field::display), "{text}");
        self.record(Record::Told(Box::new(Report::Event(EventReport { severity, code, text, symbol }))))
    }

    /// Notes an obstacle when that is news.
    fn obstacle(&mut self, obstacle: Obstacle, standing: Standing) -> Result<(), RunError> {
        if self.mind.desk().has(obstacle) == (standing == Standing::Stands) {
            return Ok(());
        }
        self.record(Record::Obstacle { obstacle, standing })
    }

    /// The market's time.
    fn now(&self) -> Timestamp {
        self.time.now(self.outside.now(), Instant::now())
    }

    /// The market has told its time.
    fn hear_time(&mut self, at: Timestamp) {
        self.time.hear(at, Instant::now());
    }

    /// Does something aside and brings back what came of it.
    fn errand(&mut self, work: impl Future<Output = News<O>> + Send + 'static) {
        let bring = self.bring.clone();
        self.errands.spawn(async move {
            let news = work.await;
            // The loop has ended when nobody takes it; nothing is waiting for it then.
            drop(bring.send(news).await);
        });
    }

    fn next_wake(&self) -> Instant {
        let mut wake = self.due.heartbeat;
        if self.session.is_some() {
            wake = wake.min(self.due.tick);
            if self.is_connected() {
                wake = wake.min(self.due.account).min(self.due.inspection);
            }
        }
        if let Some(at) = self.mind.next_wake() {
            let now = Instant::now();
            wake = wake.min(now + self.time.until(at, self.outside.now(), now));
        }
        wake = wake.min(self.ending.unwrap_or(wake));
        wake = wake.min(self.redial.unwrap_or(wake));
        wake.min(self.lease_lost.map_or(wake, |since| since + LEASE_GRACE))
    }

    /// Does what is due by the clock alone.
    fn watch_time(&mut self) -> Result<(), RunError> {
        let instant = Instant::now();
        let now = self.now();
        let asked = self.mind.next_wake().is_some_and(|at| at <= now);
        let silent = self.time.flows() && self.session.is_some() && instant >= self.due.tick;
        if instant >= self.due.tick {
            self.due.tick = instant + TICK;
        }
        if asked || silent {
            self.record_event(BotEvent::TimerFired { at: now })?;
        }
        if self.is_connected() && instant >= self.due.account {
            self.due.account = instant + ACCOUNT_EVERY;
            self.read_account();
        }
        if self.is_connected() {
            self.watch_funding();
        }
        if self.is_connected() && instant >= self.due.inspection {
            self.due.inspection = instant + INSPECT_EVERY;
            self.inspect();
        }
        if self.redial.is_some_and(|at| instant >= at) {
            self.redial = None;
            self.line.redial();
        }
        if self.lease_lost.is_some_and(|since| instant >= since + LEASE_GRACE) {
            self.lease_lost = None;
            self.obstacle(Obstacle::LeaseLost, Standing::Stands)?;
        }
        Ok(())
    }

    /// Whether venue and account are at hand.
    fn is_connected(&self) -> bool {
        match self.stage {
            Stage::Idle | Stage::Connecting | Stage::WarmingUp => false,
            Stage::Reconciling | Stage::Subscribing | Stage::Online => self.session.is_some(),
        }
    }

    fn snapshot(&mut self) -> Result<(), RunError> {
        self.journal.checkpoint(self.mind.memory())?;
        self.unsaved = 0;
        Ok(())
    }

    /// The last things: requests on their way are waited for, everything is stored, the line is closed.
    async fn end(mut self) -> Result<(), RunError> {
        tracing::info!("the bot ends");
        self.market = None;
        self.account = None;
        let until = Instant::now() + FAREWELL;
        while self.slots.values().any(|work| work.lanes.on_their_way() > 0) {
            let Ok(news) = tokio::time::timeout_at(until, self.news.recv()).await else { break };
            if let Some(News::Answered(answer, _)) = news {
                self.settle(&answer);
                self.record(Record::Answered(answer))?;
            }
        }
        self.errands.abort_all();
        self.snapshot()?;
        self.deliver()?;
        self.line.finish(Duration::from_secs(2)).await;
        Ok(())
    }
}
