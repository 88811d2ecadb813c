//! What the exchange tells after every input.

use keyhold_domain::{
    Balance, Decimal, Fill, Money, Position, Price, Quantity, Rate, Side, Symbol, Timestamp,
};

use super::{AccountId, Order};

/// Why a fill happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillCause {
    /// The account's own order.
    Order,
    /// The venue closed the position.
    Liquidation,
}

/// One execution with its consequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillReport {
    /// The execution itself.
    pub fill: Fill,
    /// Why it happened.
    pub cause: FillCause,
    /// Profit it realized in the settlement asset, before its fee.
    pub realized: Decimal,
    /// The part that closed an earlier position.
    pub closed: Decimal,
    /// Entry price of the closed part.
    pub entry: Option<Price>,
}

/// A funding payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingPayment {
    /// The instrument.
    pub symbol: Symbol,
    /// The rate that was applied.
    pub rate: Rate,
    /// The price at which the position was valued.
    pub mark: Price,
    /// What the account received; negative when it paid.
    pub amount: Money,
    /// Signed size of the position.
    pub size: Decimal,
    /// When.
    pub at: Timestamp,
}

/// A position that the venue closed because its margin was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liquidation {
    /// The instrument.
    pub symbol: Symbol,
    /// Side of the closing execution.
    pub side: Side,
    /// Closed size.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// Taken by (positive) or received from (negative) the venue's insurance fund besides loss and fee.
    pub clearance: Money,
    /// When.
    pub at: Timestamp,
}

/// News for one account, in the order in which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeEvent {
    /// An order was accepted or changed.
    Order(Order),
    /// An execution.
    Fill(AccountId, FillReport),
    /// A position changed.
    Position(AccountId, Position),
    /// A balance changed.
    Balance(AccountId, Balance),
    /// Funding was paid or received.
    Funding(AccountId, FundingPayment),
    /// A position was liquidated.
    Liquidation(AccountId, Liquidation),
}

impl ExchangeEvent {
    /// Whose news.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Order(order) => order.account,
            Self::Fill(account, _)
            | Self::Position(account, _)
            | Self::Balance(account, _)
            | Self::Funding(account, _)
            | Self::Liquidation(account, _) => *account,
        }
    }
}
