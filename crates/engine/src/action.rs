//! Everything a bot can want. Carrying it out is somebody else's work.

use keyhold_domain::{ClientOrderId, Fill, NewOrder, ReasonCode, RefusalCode, Timestamp};
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::limits::Approved;
use crate::order::LifecycleError;
use crate::trade::Trade;

/// What one instrument of a bot wants done, in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send an order. The book records it as in flight before this is given out; sending it twice is harmless
    /// because its name is computed.
    Place(Approved<NewOrder>),
    /// Cancel an order.
    Cancel(ClientOrderId),
    /// The outcome of this order is unknown, or bot and venue disagree: ask the venue for position, open orders and
    /// fills, and answer with [`crate::event::Event::Reconciled`]. Until then nothing else is done here.
    Reconcile(Option<ClientOrderId>),
    /// Send [`crate::event::Event::TimerFired`] at this instant. Later ones do not replace earlier ones.
    WakeAt(Timestamp),
    /// Write down why something was or was not done.
    Record(Box<Decision>),
    /// A round trip is complete.
    TradeClosed(Box<Trade>),
    /// Something a person may want to know.
    Note(Note),
}

/// Something a person may want to know, with the facts behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The venue refused an order.
    OrderRefused {
        /// Which.
        client_id: ClientOrderId,
        /// Why.
        code: RefusalCode,
    },
    /// An entry could not be sent in time and was given up.
    EntryGivenUp {
        /// Which.
        client_id: ClientOrderId,
    },
    /// An order ended after a part of it was filled.
    PartialFill {
        /// Which.
        client_id: ClientOrderId,
    },
    /// The venue reported something about an order that cannot be.
    ImpossibleNews {
        /// Which.
        client_id: ClientOrderId,
        /// Why it cannot be.
        error: LifecycleError,
    },
    /// An order with our name that the book does not hold; it is canceled.
    OrphanOrder {
        /// Which.
        client_id: ClientOrderId,
    },
    /// A fill of an order that is not ours, seen while we hold a position.
    ForeignFill(FillNote),
    /// No stop rests at the venue; the engine watches the level on every candle and places it again.
    StopMissing {
        /// When it is placed again.
        retry_at: Timestamp,
    },
    /// A fill was worse than the slippage limit.
    Slippage {
        /// Whole basis points, rounded away from zero.
        bps: i64,
    },
    /// Bot and venue disagree, or a position is not ours; entries wait.
    Position(ReasonCode),
    /// The newest candle is too old.
    StaleData,
    /// Candles are missing.
    FeedGap {
        /// First missing.
        from: Timestamp,
        /// First present again.
        until: Timestamp,
    },
    /// A limit has paused the bot until it is cleared by hand.
    LimitHit(ReasonCode),
    /// A number did not fit into 28 digits; the candle or fill was skipped.
    Overflow,
}

/// The part of a fill that a note shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillNote {
    /// Bought or sold.
    pub side: keyhold_domain::Side,
    /// How much.
    pub quantity: keyhold_domain::Quantity,
    /// At what price.
    pub price: keyhold_domain::Price,
}

impl From<&Fill> for FillNote {
    fn from(fill: &Fill) -> Self {
        Self { side: fill.side, quantity: fill.quantity, price: fill.price }
    }
}
