//! Fills: parts of our orders that were done.

use serde::{Deserialize, Serialize};

use crate::exchange::words;
use crate::{ClientOrderId, Money, Price, Quantity, ShortText, Side, Symbol, Timestamp, VenueOrderId};
words! {
    /// Which side of the book we were on.
    Liquidity, LiquidityError, "liquidity",
    /// Our order was resting.
    Maker = "maker",
    /// Our order took from the book.
    Taker = "taker",
}

/// The venue's name of a fill; unique per venue.
pub type FillId = ShortText<64>;

/// One execution of a part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The venue's name of the fill, by which duplicates are recognized.
    pub fill_id: FillId,
    /// Our name of the order; `None` when the order is not ours.
    pub client_id: Option<ClientOrderId>,
    /// The venue's name of the order.
    pub venue_order_id: VenueOrderId,
    /// The instrument.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// At what price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// What the venue charged; negative for a rebate.
    pub fee: Money,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// When, by the venue's clock.
    pub at: Timestamp,
}
