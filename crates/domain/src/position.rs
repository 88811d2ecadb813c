//! Net positions, one per instrument.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::exchange::words;
use crate::{Price, SignedQuantity, Symbol};

words! {
    /// How margin is shared between positions.
    MarginMode, MarginModeError, "margin mode",
    /// Each position has its own margin.
    Isolated = "isolated",
    /// All positions share the wallet.
    Cross = "cross",
}

/// A position as the venue tells it. Flat positions have size zero and no entry price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The instrument.
    pub symbol: Symbol,
    /// Signed size.
    pub size: SignedQuantity,
    /// Average entry price; `None` when flat.
    pub entry: Option<Price>,
    /// The venue's mark price, when told.
    pub mark: Option<Price>,
    /// Where the venue would liquidate, when told.
    pub liquidation: Option<Price>,
    /// Leverage, when told; 1 or more.
    #[serde(with = "crate::money::optional_decimal_text")]
    pub leverage: Option<Decimal>,
    /// Unrealized profit in the settlement asset, when told.
    #[serde(with = "crate::money::optional_decimal_text")]
    pub unrealized: Option<Decimal>,
    /// Isolated or cross, when told.
    pub margin_mode: Option<MarginMode>,
}

impl Position {
    /// A position of which nothing but the size is told.
    pub const fn sized(symbol: Symbol, size: SignedQuantity) -> Self {
        Self {
            symbol,
            size,
            entry: None,
            mark: None,
            liquidation: None,
            leverage: None,
            unrealized: None,
            margin_mode: None,
        }
    }
}
