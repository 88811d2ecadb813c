//! What an account holds, as its venue tells it at one instant.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Asset, OpenOrder, Position, Timestamp};

/// The holdings of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Of what.
    pub asset: Asset,
    /// Deposits plus realized results.
    #[serde(with = "crate::money::decimal_text")]
    pub wallet: Decimal,
    /// Wallet plus unrealized profit.
    #[serde(with = "crate::money::decimal_text")]
    pub equity: Decimal,
    /// What new positions may use as margin.
    #[serde(with = "crate::money::decimal_text")]
    pub available: Decimal,
}

/// Balances, positions and open orders at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSnapshot {
    /// One entry per asset held.
    pub balances: Vec<Balance>,
    /// One entry per instrument with a position.
    pub positions: Vec<Position>,
    /// Orders that rest at the venue, ours and foreign.
    pub open_orders: Vec<OpenOrder>,
    /// When it was asked.
    pub at: Timestamp,
}

impl AccountSnapshot {
    /// The balance of an asset, if the account holds any.
    pub fn balance(&self, asset: Asset) -> Option<&Balance> {
        self.balances.iter().find(|balance| balance.asset == asset)
    }
}
