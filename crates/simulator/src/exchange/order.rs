//! Orders as the exchange keeps them, and how a client names them.

use std::fmt;

use keyhold_domain::{
    ClientOrderId, Decimal, NewOrder, OpenOrder, OrderKind, OrderStatus, OrderUpdate, PositionEffect, Price,
    Quantity, RefusalCode, ShortText, Side, Symbol, Timestamp, VenueOrderId,
};

use super::AccountId;

/// A client's own name for an order, at most 36 characters (Bybit's and Binance's bound).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderName {
    /// One of Keyhold's names.
    Keyhold(ClientOrderId),
    /// Any other text.
    Foreign(ShortText<36>),
}

impl OrderName {
    /// Reads a name. `None` when it is empty, longer than 36 characters or not printable ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(name) => Some(Self::Keyhold(name)),
            Err(_) => ShortText::new(text).ok().map(Self::Foreign),
        }
    }

    /// The name when it is one of Keyhold's.
    pub const fn keyhold(self) -> Option<ClientOrderId> {
        match self {
            Self::Keyhold(name) => Some(name),
            Self::Foreign(_) => None,
        }
    }
}

impl fmt::Display for OrderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyhold(name) => fmt::Display::fmt(name, f),
            Self::Foreign(name) => fmt::Display::fmt(name, f),
        }
    }
}

/// An order as a client asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderRequest {
    /// The client's name for it, unique for all time within the account.
    pub name: Option<OrderName>,
    /// The instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// Size on the lot.
    pub quantity: Quantity,
    /// May it grow the position?
    pub effect: PositionEffect,
}

impl From<NewOrder> for OrderRequest {
    fn from(order: NewOrder) -> Self {
        Self {
            name: Some(OrderName::Keyhold(order.client_id)),
            symbol: order.symbol,
            side: order.side,
            kind: order.kind,
            quantity: order.quantity,
            effect: order.effect,
        }
    }
}

/// How a client points at an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRef {
    /// By the client's name.
    Name(OrderName),
    /// By the venue's id.
    Venue(VenueOrderId),
}

impl OrderRef {
    /// Whether this order is meant.
    pub fn matches(&self, order: &Order) -> bool {
        match self {
            Self::Name(name) => order.name == Some(*name),
            Self::Venue(id) => order.venue_id == *id,
        }
    }
}

/// What shall change in a resting order. `None` leaves the field alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amendment {
    /// New full size; must be above what is filled.
    pub quantity: Option<Quantity>,
    /// New price of a limit order.
    pub price: Option<Price>,
    /// New trigger of a stop order.
    pub trigger: Option<Price>,
}

/// Where an accepted order stands inside the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for the first price at or after this instant.
    Queued(Timestamp),
    /// Rests in the book or waits for its trigger.
    Working,
}

/// An order's whole state. Copied into every event that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Whose.
    pub account: AccountId,
    /// The venue's id.
    pub venue_id: VenueOrderId,
    /// The client's name for it.
    pub name: Option<OrderName>,
    /// The instrument.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// Full size.
    pub quantity: Quantity,
    /// May it grow the position?
    pub effect: PositionEffect,
    /// Filled part, zero or more.
    pub filled: Decimal,
    /// Sum of price times quantity over the fills.
    pub filled_cost: Decimal,
    /// Value of the fills in the settlement asset.
    pub filled_value: Decimal,
    /// Fees so far, in the settlement asset.
    pub fees: Decimal,
    /// Its state.
    pub status: OrderStatus,
    /// Why it was rejected or canceled by the venue.
    pub refusal: Option<RefusalCode>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The market price when it was accepted.
    pub price_at_creation: Option<Price>,
    pub(super) reserved: Decimal,
    pub(super) phase: Phase,
    pub(super) touched: u64,
}

impl Order {
    /// The part that is not filled.
    pub fn remaining(&self) -> Decimal {
        self.quantity.get() - self.filled
    }

    /// The quantity-weighted mean price of the fills.
    pub fn average_price(&self) -> Option<Decimal> {
        (self.filled > Decimal::ZERO).then(|| self.filled_cost / self.filled)
    }

    /// The same as news in the product's words; `None` when the name is not one of Keyhold's.
    pub fn update(&self) -> Option<OrderUpdate> {
        Some(OrderUpdate {
            client_id: self.name?.keyhold()?,
            venue_id: Some(self.venue_id),
            symbol: self.symbol,
            status: self.status,
            filled: self.filled,
            refusal: self.refusal,
            at: self.updated_at,
        })
    }

    /// The same as a resting order in the product's words.
    pub fn open_order(&self) -> OpenOrder {
        OpenOrder {
            client_id: self.name.and_then(OrderName::keyhold),
            venue_id: self.venue_id,
            symbol: self.symbol,
            side: self.side,
            kind: self.kind,
            quantity: self.quantity,
            filled: self.filled,
            effect: self.effect,
            status: self.status,
        }
    }
}
