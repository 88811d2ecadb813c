//! Questions to the exchange. Nothing here changes anything.

use keyhold_domain::{
    Asset, Balance, Decimal, Instrument, MarginMode, Money, Position, Price, Rate, SignedQuantity, Symbol,
    Timestamp, VenueOrderId,
};

use super::ids::{IdKind, computed_id};
use super::margin::{BOUNDED, liquidation_price};
use super::{AccountId, Exchange, Order, OrderRef, PositionMode, PositionState, Refusal, VenueLedger};

impl Exchange {
    /// The listed instruments in the order of their listing.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.markets.iter().map(|market| &market.instrument)
    }

    /// The last traded price.
    pub fn last_price(&self, symbol: Symbol) -> Option<Price> {
        self.market_index(symbol).ok().and_then(|m| self.markets[m].last)
    }

    /// The mark price.
    pub fn mark_price(&self, symbol: Symbol) -> Option<Price> {
        self.market_index(symbol).ok().and_then(|m| self.markets[m].mark())
    }

    /// Funding rate and the next time it is charged; `None` before the first input.
    pub fn funding(&self, symbol: Symbol) -> Option<(Rate, Timestamp)> {
        let market = &self.markets[self.market_index(symbol).ok()?];
        (market.next_funding.ms() != i64::MIN).then_some((market.funding_rate, market.next_funding))
    }

    /// The time of the latest input.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The accounts in the order of their opening.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.accounts.iter().map(|account| account.id)
    }

    /// The account's margin mode.
    pub fn margin_mode(&self, account: AccountId) -> Result<MarginMode, Refusal> {
        Ok(self.accounts[self.account_index(account)?].margin_mode)
    }

    /// The account's position mode.
    pub fn position_mode(&self, account: AccountId) -> Result<PositionMode, Refusal> {
        Ok(self.accounts[self.account_index(account)?].position_mode)
    }

    /// The id that the next accepted order will get.
    pub fn next_order_id(&self) -> VenueOrderId {
        computed_id(self.config.seed, IdKind::Order, self.orders_made + 1)
    }

    /// Open orders of an account, oldest first within each instrument.
    pub fn open_orders(&self, account: AccountId) -> impl Iterator<Item = &Order> {
        self.markets.iter().flat_map(|market| &market.orders).filter(move |order| order.account == account)
    }

    /// One open order.
    pub fn open_order(&self, account: AccountId, reference: &OrderRef) -> Option<&Order> {
        self.open_orders(account).find(|order| reference.matches(order))
    }

    /// A position with its history.
    pub fn position_state(&self, account: AccountId, symbol: Symbol) -> Result<PositionState, Refusal> {
        let a = self.account_index(account)?;
        let m = self.market_index(symbol)?;
        let mut state = self.accounts[a].positions[m];
        state.liquidation = self.liquidation_of(a, m);
        Ok(state)
    }

    /// A position in the product's words.
    pub fn position(&self, account: AccountId, symbol: Symbol) -> Result<Position, Refusal> {
        Ok(self.position_at(self.account_index(account)?, self.market_index(symbol)?))
    }

    /// The size of a position.
    pub fn size(&self, account: AccountId, symbol: Symbol) -> Result<SignedQuantity, Refusal> {
        let a = self.account_index(account)?;
        let m = self.market_index(symbol)?;
        Ok(SignedQuantity::new(self.accounts[a].positions[m].size))
    }

    /// Where a position would be liquidated now.
    pub fn liquidation(&self, account: AccountId, symbol: Symbol) -> Result<Option<Price>, Refusal> {
        Ok(self.liquidation_of(self.account_index(account)?, self.market_index(symbol)?))
    }

    /// A balance in the product's words; zero for an asset that was never held.
    pub fn balance(&self, account: AccountId, asset: Asset) -> Result<Balance, Refusal> {
        Ok(self.balance_at(self.account_index(account)?, asset))
    }

    /// Every asset the account has held.
    pub fn balances(&self, account: AccountId) -> Result<Vec<Balance>, Refusal> {
        let a = self.account_index(account)?;
        Ok(self.accounts[a].wallets.iter().map(|(asset, _)| self.balance_at(a, *asset)).collect())
    }

    /// The venue's books, one per asset.
    pub fn ledgers(&self) -> &[VenueLedger] {
        &self.ledgers
    }

    /// The sum of all wallets and the venue's books of one asset. Always zero.
    pub fn imbalance(&self, asset: Asset) -> Money {
        let wallets: Decimal = self.accounts.iter().map(|account| account.wallet(asset)).sum();
        let books: Decimal =
            self.ledgers.iter().filter(|ledger| ledger.asset == asset).map(VenueLedger::total).sum();
        Money::new(wallets + books, asset)
    }

    pub(super) fn position_at(&self, a: usize, m: usize) -> Position {
        let state = &self.accounts[a].positions[m];
        let market = &self.markets[m];
        Position {
            symbol: market.instrument.symbol,
            size: SignedQuantity::new(state.size),
            entry: state.entry,
            mark: market.mark(),
            liquidation: self.liquidation_of(a, m),
            leverage: Some(state.leverage),
            unrealized: Some(self.unrealized(a, m)),
            margin_mode: Some(self.accounts[a].margin_mode),
        }
    }

    pub(super) fn balance_at(&self, a: usize, asset: Asset) -> Balance {
        let wallet = self.accounts[a].wallet(asset);
        let unrealized: Decimal = (0..self.markets.len())
            .filter(|m| self.markets[*m].instrument.settle == asset)
            .map(|m| self.unrealized(a, m))
            .sum();
        Balance { asset, wallet, equity: wallet + unrealized, available: self.available(a, asset) }
    }

    /// Profit the position would realize at the mark price.
    pub(super) fn unrealized(&self, a: usize, m: usize) -> Decimal {
        let state = &self.accounts[a].positions[m];
        match (state.entry, self.markets[m].mark()) {
            (Some(entry), Some(mark)) => {
                let size = SignedQuantity::new(state.size);
                let profit = self.markets[m].instrument.contract().profit(entry, mark, size);
                self.booked(profit.expect(BOUNDED))
            }
            _ => Decimal::ZERO,
        }
    }

    /// Wallet less margin of positions and orders; with cross margin unrealized results count too.
    pub(super) fn available(&self, a: usize, asset: Asset) -> Decimal {
        let account = &self.accounts[a];
        let mut free = account.wallet(asset);
        for (m, market) in self.markets.iter().enumerate() {
            if market.instrument.settle != asset {
                continue;
            }
            free -= account.positions[m].margin;
            if account.margin_mode == MarginMode::Cross {
                free += self.unrealized(a, m);
            }
            free -= market
                .orders
                .iter()
                .filter(|order| order.account == account.id)
                .map(|order| order.reserved)
                .sum::<Decimal>();
        }
        free
    }

    /// Where the position would be liquidated now.
    pub(super) fn liquidation_of(&self, a: usize, m: usize) -> Option<Price> {
        let account = &self.accounts[a];
        let state = &account.positions[m];
        let instrument = &self.markets[m].instrument;
        let margin = match account.margin_mode {
            MarginMode::Isolated => state.margin,
            MarginMode::Cross => self.shared_margin(a, m),
        };
        liquidation_price(instrument, state.size, state.entry?, margin)
    }

    /// What a cross position can lose: the wallet with the other positions' results less their maintenance.
    fn shared_margin(&self, a: usize, m: usize) -> Decimal {
        let settle = self.markets[m].instrument.settle;
        let mut margin = self.accounts[a].wallet(settle);
        for (other, market) in self.markets.iter().enumerate() {
            let state = &self.accounts[a].positions[other];
            if other == m || state.is_flat() || market.instrument.settle != settle {
                continue;
            }
            margin += self.unrealized(a, other) - self.maintenance(a, other);
        }
        margin
    }

    /// Maintenance margin of a position at the mark price.
    pub(super) fn maintenance(&self, a: usize, m: usize) -> Decimal {
        let instrument = &self.markets[m].instrument;
        let size = SignedQuantity::new(self.accounts[a].positions[m].size);
        match (self.markets[m].mark(), size.magnitude()) {
            (Some(mark), Some(quantity)) => {
                let value = instrument.contract().value(mark, quantity).expect(BOUNDED);
                value * instrument.maintenance_margin.get()
            }
            _ => Decimal::ZERO,
        }
    }
}
