//! The venue's side of every flow of money.
//!
//! Whatever an account gains the venue's ledger loses and the reverse, so the sum over all accounts and the
//! ledger never changes. [`super::Exchange::imbalance`] computes that sum.

use keyhold_domain::{Asset, Decimal};

use super::account::grow;

/// The venue's books for one asset. Positive numbers are money the venue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueLedger {
    /// Of what.
    pub asset: Asset,
    /// What accounts brought in, as a negative number.
    pub deposits: Decimal,
    /// Trading fees received less rebates paid.
    pub fees: Decimal,
    /// Profit and loss of the accounts' counterparties.
    pub profit: Decimal,
    /// Funding received less funding paid.
    pub funding: Decimal,
    /// Margin left over from liquidations less losses taken over.
    pub insurance: Decimal,
}

impl VenueLedger {
    pub(super) const fn new(asset: Asset) -> Self {
        let zero = Decimal::ZERO;
        Self { asset, deposits: zero, fees: zero, profit: zero, funding: zero, insurance: zero }
    }

    /// Everything the venue holds of the asset.
    pub fn total(&self) -> Decimal {
        self.deposits + self.fees + self.profit + self.funding + self.insurance
    }
}

/// Which page of the ledger a flow is booked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Deposits,
    Fees,
    Profit,
    Funding,
    Insurance,
}

impl VenueLedger {
    pub(super) fn book(&mut self, page: Page, amount: Decimal) {
        let entry = match page {
            Page::Deposits => &mut self.deposits,
            Page::Fees => &mut self.fees,
            Page::Profit => &mut self.profit,
            Page::Funding => &mut self.funding,
            Page::Insurance => &mut self.insurance,
        };
        grow(entry, amount);
    }
}
