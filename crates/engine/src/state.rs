//! Everything one instrument of a bot remembers between two events.
//!
//! It serializes to a document with a version: the bot's snapshot. Read back, it goes on with the same bytes. Only
//! [`crate::step`] changes it. Moving it moves one pointer.

use std::collections::BTreeMap;

use keyhold_domain::money::decimal_text;
use keyhold_domain::{
    Asset, Balance, ClientOrderId, Decimal, Fill, Price, Quantity, ReasonCode, SignedQuantity, Timeframe,
    Timestamp, TriggerSource,
};
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::exit_rule::{Stats, StopLevel};
use crate::input::Facts;
use crate::ledger::{BotFacts, Earned, LastExits};
use crate::market::MarketFacts;
use crate::order::Book;
use crate::plan::Plan;
use crate::position::{EntryIntent, Holding};
use crate::reading::{Direction, Reading};
use crate::settings::Resting;

/// The version of the snapshot's format.
pub const STATE_FORMAT: u32 = 1;

/// The memory of one instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(pub(crate) Box<Inner>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inner {
    pub(crate) format: u32,
    pub(crate) now: Timestamp,
    pub(crate) components: Vec<Component>,
    pub(crate) stats: Stats,
    pub(crate) candles_seen: u32,
    pub(crate) last: Option<LastCandle>,
    /// Per 8 hours.
    pub(crate) funding_rate: Option<f64>,
    /// Of one candle. Absent in snapshots of bots that trade on candles alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) market: Option<Box<MarketFacts>>,
    pub(crate) facts: PastFacts,
    pub(crate) bot: BotFacts,
    pub(crate) balance: Option<Balance>,
    pub(crate) running: Running,
    pub(crate) key: KeyUse,
    pub(crate) freshness: Freshness,
    pub(crate) sequence: u32,
    pub(crate) book: Book,
    /// The entry that is on its way or partly filled.
    pub(crate) intent: Option<EntryIntent>,
    pub(crate) holding: Option<Holding>,
    pub(crate) exit: Option<WantedExit>,
    pub(crate) stop_retry: Retry,
    pub(crate) target_retry: Retry,
    /// The venue is being asked for the truth; nothing else is done meanwhile.
    pub(crate) asking: Option<Asking>,
    /// When to ask because news of fills is missing.
    pub(crate) doubt_at: Option<Timestamp>,
    /// The part of the venue's position that is not ours.
    pub(crate) foreign: SignedQuantity,
    /// Foreign fills that were counted as not ours since the venue's truth was last known, the newest at most. One of them
    /// may have closed a position of ours of which we had not heard yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) strange: Vec<Fill>,
    /// The venue has said that it liquidates; the next foreign fill is that.
    pub(crate) external: ReasonCode,
    pub(crate) last_fill_at: Option<Timestamp>,
    #[serde(with = "decimal_text")]
    pub(crate) realized: Decimal,
    #[serde(with = "decimal_text")]
    pub(crate) unrealized: Decimal,
    pub(crate) last_shown: Option<(ReasonCode, Direction)>,
    /// How often a wanted entry was rejected, by headline.
    pub(crate) rejected: BTreeMap<ReasonCode, u64>,
    #[serde(skip)]
    pub(crate) scratch: Scratch,
}

/// Buffers that are reused from candle to candle, and what saves asking again. Nothing that is decided depends on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    pub(crate) readings: Vec<Reading>,
    /// Whether one of them has no verdict yet; so they need not be looked through to learn that none has.
    pub(crate) warming: Warming,
    /// Set when orders and position fit each other and nothing is left to do.
    pub(crate) rest: Option<Rest>,
}

/// Whether a component has seen too little to answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Warming {
    Up,
    #[default]
    Done,
}

/// What orders were last compared with. As long as it stays the same and no other news comes than candles, comparing
/// again would do nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rest {
    pub(crate) stop: Option<StopLevel>,
    pub(crate) orders: usize,
    pub(crate) kept: (Resting, Resting, TriggerSource),
    pub(crate) least: Quantity,
}

impl PartialEq for Scratch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastCandle {
    pub(crate) open_time: Timestamp,
    pub(crate) close: Price,
}

/// The serialized twin of [`Facts`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PastFacts {
    pub(crate) candles_since_exit: Option<u32>,
    pub(crate) candles_since_loss: Option<u32>,
}

impl PastFacts {
    /// The facts on a candle that closed at `closed_at`, those of the whole bot among them.
    pub(crate) fn at(self, closed_at: Timestamp, timeframe: Timeframe, bot: LastExits) -> Facts {
        let candles = |exit: Option<Timestamp>| exit.map(|exit| closes_between(exit, closed_at, timeframe));
        Facts {
            candles_since_exit: self.candles_since_exit,
            candles_since_loss: self.candles_since_loss,
            candles_since_bot_exit: candles(bot.any),
            candles_since_bot_loss: candles(bot.loss),
        }
    }

    pub(crate) fn candle_closed(&mut self) {
        let next = |count: Option<u32>| count.map(|count| count.saturating_add(1));
        self.candles_since_exit = next(self.candles_since_exit);
        self.candles_since_loss = next(self.candles_since_loss);
    }
}

/// How many candles closed after `from`, up to `until`. Candles close on the grid of their timeframe. Few bots ask for
/// it, so its divisions stand out of line.
#[inline(never)]
fn closes_between(from: Timestamp, until: Timestamp, timeframe: Timeframe) -> u32 {
    let closes = until.since_ms(timeframe.open_of(from)) / timeframe.ms();
    u32::try_from(closes.max(0)).unwrap_or(u32::MAX)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Running {
    Active,
    Paused,
    Stopping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyUse {
    Everything,
    ExitsOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Freshness {
    Fresh,
    Stale,
}

/// An exit that has been decided and goes on until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WantedExit {
    pub(crate) reason: ReasonCode,
    pub(crate) decided: Price,
    pub(crate) decided_at: Timestamp,
    pub(crate) amount: Amount,
    pub(crate) retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Amount {
    Everything,
    /// So much, then the rest stays.
    Part(#[serde(with = "decimal_text")] Decimal),
}

/// When a failed order is tried again. Tried for ever, at growing distances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retry {
    pub(crate) attempts: u32,
    pub(crate) at: Option<Timestamp>,
}

const FIRST_RETRY_MS: i64 = 1000;
const LONGEST_RETRY_MS: i64 = 60_000;

impl Retry {
    /// The next instant: 1 s, 2 s, 4 s and so on up to a minute.
    pub(crate) fn again(&mut self, now: Timestamp) -> Timestamp {
        let wait = (FIRST_RETRY_MS << self.attempts.min(6)).min(LONGEST_RETRY_MS);
        self.attempts = self.attempts.saturating_add(1);
        let at = now.plus_ms(wait);
        self.at = Some(at);
        at
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_none_or(|at| now >= at)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asking {
    pub(crate) client_id: Option<ClientOrderId>,
    pub(crate) retry: Retry,
}

impl State {
    /// The memory before the first event. Entries wait for the first [`crate::event::Event::Reconciled`].
    pub fn new(plan: &Plan) -> Self {
        Self(Box::new(Inner {
            format: STATE_FORMAT,
            now: Timestamp::EPOCH,
            components: plan.fresh.clone(),
            stats: Stats::new(&plan.exits),
            candles_seen: 0,
            last: None,
            funding_rate: None,
            market: None,
            facts: PastFacts::default(),
            bot: BotFacts::default(),
            balance: None,
            running: Running::Active,
            key: KeyUse::Everything,
            freshness: Freshness::Fresh,
            sequence: 0,
            book: Book::default(),
            intent: None,
            holding: None,
            exit: None,
            stop_retry: Retry::default(),
            target_retry: Retry::default(),
            asking: Some(Asking { client_id: None, retry: Retry::default() }),
            doubt_at: None,
            foreign: SignedQuantity::ZERO,
            strange: Vec::new(),
            external: ReasonCode::ExitExternal,
            last_fill_at: None,
            realized: Decimal::ZERO,
            unrealized: Decimal::ZERO,
            last_shown: None,
            rejected: BTreeMap::new(),
            scratch: Scratch::default(),
        }))
    }

    /// The open position, if any.
    pub fn holding(&self) -> Option<&Holding> {
        self.0.holding.as_ref()
    }

    /// The orders that live.
    pub fn orders(&self) -> &Book {
        &self.0.book
    }

    /// Candles learned from so far, warm-up included.
    pub fn candles_seen(&self) -> u32 {
        self.0.candles_seen
    }

    /// Open time of the newest candle.
    pub fn newest_candle(&self) -> Option<Timestamp> {
        self.0.last.map(|last| last.open_time)
    }

    /// Close of the newest candle.
    pub fn last_close(&self) -> Option<Price> {
        self.0.last.map(|last| last.close)
    }

    /// How often a wanted entry was rejected, by the first reason.
    pub fn rejected(&self) -> &BTreeMap<ReasonCode, u64> {
        &self.0.rejected
    }

    /// Whether the venue is being asked for the truth and nothing else is done.
    pub fn is_reconciling(&self) -> bool {
        self.0.asking.is_some()
    }

    /// An entry is on its way.
    pub fn is_entering(&self) -> bool {
        self.0.intent.is_some()
    }

    /// What this instrument has brought so far.
    pub fn earned(&self, asset: Asset) -> Earned {
        Earned { asset, realized: self.0.realized, unrealized: self.0.unrealized }
    }
}
