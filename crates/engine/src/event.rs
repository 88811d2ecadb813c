//! Everything a bot can be told. What is not an event does not exist for it: no clock, no setting, no price.
//!
//! Live, paper, backtest and replay differ only in who makes these. The same sequence gives the same actions for
//! ever, so a journal of events is a bot's whole memory.

use keyhold_domain::{
    Balance, Candle, ClientOrderId, Fill, Money, OpenOrder, OrderUpdate, Position, Rate, RefusalCode,
    Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::input::ClosedCandle;
use crate::ledger::BotFacts;
use crate::market::MarketFacts;

/// News for one instrument of one bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A candle of the past: components learn from it, nothing is decided.
    Warmup(#[serde(with = "candle_only")] ClosedCandle),
    /// A candle has closed.
    CandleClosed {
        /// The candle.
        #[serde(with = "candle_only")]
        candle: ClosedCandle,
        /// When the bot took it up; at or after its close. A backtest says the close itself.
        at: Timestamp,
    },
    /// A part of an order was done.
    Filled(Fill),
    /// News of an order.
    OrderUpdated(OrderUpdate),
    /// What became of a request.
    OrderOutcome {
        /// The order it was about.
        client_id: ClientOrderId,
        /// What was asked.
        request: Request,
        /// What became of it.
        outcome: Outcome,
        /// When that was known.
        at: Timestamp,
    },
    /// The account was read.
    AccountRefreshed(AccountView),
    /// The funding rate in force.
    FundingRate {
        /// Fraction per interval; longs pay when positive.
        rate: Rate,
        /// When it was told.
        at: Timestamp,
    },
    /// What is known of the market besides candles. Comes just before the candle it belongs to.
    Market(Box<MarketFacts>),
    /// Funding was paid or received.
    FundingPaid {
        /// Positive when received.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// Funding of a position that has been closed since: its amount counts for the bot and for no position that is held.
    FundingLate {
        /// Positive when received.
        amount: Money,
        /// When it was paid.
        at: Timestamp,
    },
    /// Candles are missing that could not be had.
    FeedGap {
        /// Open time of the first missing candle.
        from: Timestamp,
        /// Open time of the first candle after the gap.
        until: Timestamp,
    },
    /// The owner, the server or the key's state wants something.
    Directed {
        /// What is wanted.
        directive: Directive,
        /// When it was said.
        at: Timestamp,
    },
    /// Time passed. Sent at every [`crate::action::Action::WakeAt`] and at least once per candle interval.
    TimerFired {
        /// Now.
        at: Timestamp,
    },
    /// The program has started again: what was in flight counts as unknown until [`Event::Reconciled`].
    Restarted {
        /// Now.
        at: Timestamp,
    },
    /// The venue liquidates the position: the fill that follows, which is of no order of ours, is that.
    Liquidated {
        /// When.
        at: Timestamp,
    },
    /// The venue was asked for the truth about this instrument.
    Reconciled(Reconciliation),
    /// What the whole bot looks like from this instrument. Only [`crate::bot`] makes it.
    BotFacts(BotFacts),
}

/// Which request an outcome belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To place an order.
    Place,
    /// To cancel one.
    Cancel,
}

/// What became of a request to the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The venue took it.
    Accepted,
    /// The venue refused it: it did not happen.
    Refused {
        /// Why.
        code: RefusalCode,
    },
    /// It may or may not have happened.
    Unknown,
    /// It did not leave: it did not happen.
    NotSent,
}

/// The account as this instrument sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The balance in the settlement asset; `None` when the account holds none.
    pub balance: Option<Balance>,
    /// The size of the position the venue reports, with its mark price; `None` when it was not read.
    pub position: Option<Position>,
    /// When it was asked.
    pub at: Timestamp,
}

/// The venue's truth about one instrument, asked for in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The position; `None` means flat.
    pub position: Option<Position>,
    /// Every order that rests, ours and foreign.
    pub open_orders: Vec<OpenOrder>,
    /// Fills since the last event the bot has seen, at least; known ones are recognized.
    pub fills: Vec<Fill>,
    /// When it was asked.
    pub at: Timestamp,
}

/// What is wanted of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Open nothing new.
    Pause,
    /// Entries are allowed again from the next candle on.
    Resume,
    /// The key is switched off: exits only.
    ExitsOnly,
    /// The key is switched on again.
    EntriesAllowed,
    /// Close the position now.
    Flatten,
    /// Come to an end: open nothing new and treat the position as told.
    Stop {
        /// There is no default.
        position: AtStop,
    },
    /// The owner has seen why the limits paused the bot; drawdown and error counts start anew.
    ClearLimits,
}

/// What happens to an open position when the bot stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtStop {
    /// It is closed at the market.
    Close,
    /// It stays; resting protective orders stay with it.
    Leave,
}

mod candle_only {
    use super::{Candle, ClosedCandle};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &ClosedCandle, serializer: S) -> Result<S::Ok, S::Error> {
        value.candle.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClosedCandle, D::Error> {
        Candle::deserialize(deserializer).map(ClosedCandle::new)
    }
}
