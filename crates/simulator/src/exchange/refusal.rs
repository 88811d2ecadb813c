//! Why the exchange does not do what it is asked.

use keyhold_domain::{Decimal, RefusalCode};

/// A refused request. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such instrument.
    #[error("the instrument is not listed")]
    UnknownSymbol,
    /// No such account.
    #[error("the account does not exist")]
    UnknownAccount,
    /// The instrument has no price yet or is halted.
    #[error("the instrument cannot be traded now")]
    Halted,
    /// The price is not a multiple of the tick.
    #[error("the price is not a multiple of the tick {0}")]
    OffTick(Decimal),
    /// The quantity is not a multiple of the lot.
    #[error("the quantity is not a multiple of the lot {0}")]
    OffLot(Decimal),
    /// Smaller than the smallest order.
    #[error("the order is below the instrument's minimum")]
    BelowMinimum,
    /// Larger than the largest order, or too large to compute with.
    #[error("the order is above the instrument's maximum")]
    AboveMaximum,
    /// The trigger lies on the wrong side of the current price.
    #[error("the trigger price is already reached at {current}")]
    TriggerReached {
        /// The price it was compared with.
        current: Decimal,
    },
    /// Not enough free margin.
    #[error("not enough margin: {needed} needed, {available} available")]
    InsufficientMargin {
        /// Initial margin and fee of the order.
        needed: Decimal,
        /// Free margin of the account.
        available: Decimal,
    },
    /// A reduce-only order without a position it could reduce.
    #[error("there is no position that the order could reduce")]
    NothingToReduce,
    /// The client's name for the order was used before.
    #[error("an order of this name exists already")]
    DuplicateName,
    /// No such open order.
    #[error("no open order of this name")]
    OrderNotFound,
    /// The request changes nothing.
    #[error("the setting has this value already")]
    NoChange,
    /// Leverage below 1 or above the instrument's maximum.
    #[error("the leverage is outside 1 to {0}")]
    LeverageOutOfRange(Decimal),
    /// Open positions or orders forbid the change.
    #[error("open positions or orders forbid the change")]
    PositionsOpen,
    /// The account is in hedge mode, which is not simulated.
    #[error("the account is in hedge mode")]
    HedgeMode,
    /// Too many orders of this instrument.
    #[error("too many open orders")]
    TooManyOrders,
    /// An injected fault.
    #[error("the exchange is overloaded")]
    Overloaded,
}

impl Refusal {
    /// The word that the rest of the product uses.
    pub const fn code(self) -> RefusalCode {
        match self {
            Self::UnknownSymbol
            | Self::OffTick(_)
            | Self::OffLot(_)
            | Self::BelowMinimum
            | Self::AboveMaximum
            | Self::TriggerReached { .. }
            | Self::LeverageOutOfRange(_)
            | Self::TooManyOrders => RefusalCode::InvalidOrder,
            Self::UnknownAccount => RefusalCode::BadKey,
            Self::Halted => RefusalCode::InstrumentHalted,
            Self::InsufficientMargin { .. } => RefusalCode::InsufficientMargin,
            Self::NothingToReduce => RefusalCode::ReduceOnlyRejected,
            Self::DuplicateName => RefusalCode::DuplicateClientOrderId,
            Self::OrderNotFound => RefusalCode::OrderNotFound,
            Self::NoChange => RefusalCode::NoChange,
            Self::PositionsOpen | Self::HedgeMode => RefusalCode::AccountMode,
            Self::Overloaded => RefusalCode::Overloaded,
        }
    }
}
