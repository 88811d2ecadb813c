//! Changes and cancels of resting orders.

use keyhold_domain::{Decimal, OrderKind, OrderStatus, PositionEffect, Symbol, Timestamp};

use super::matching::crosses;
use super::{AccountId, Amendment, Exchange, ExchangeEvent, Order, OrderRef, Refusal, Session};

/// Which orders a cancel-all means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelFilter {
    /// All.
    All,
    /// Limit orders (and queued market orders).
    Active,
    /// Stops that wait for their trigger.
    Conditional,
}

impl CancelFilter {
    const fn matches(self, order: &Order) -> bool {
        match (self, order.kind) {
            (Self::All, _)
            | (Self::Active, OrderKind::Market | OrderKind::Limit { .. })
            | (Self::Conditional, OrderKind::StopMarket { .. }) => true,
            (Self::Active, OrderKind::StopMarket { .. })
            | (Self::Conditional, OrderKind::Market | OrderKind::Limit { .. }) => false,
        }
    }
}

impl Exchange {
    /// Changes quantity, price or trigger of an open order. A limit order that now crosses executes at once.
    pub fn amend(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        reference: &OrderRef,
        amendment: &Amendment,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<Order, Refusal> {
        self.advance(at, out);
        let a = self.account_index(account)?;
        let m = self.market_index(symbol)?;
        let index = self.order_index(account, m, reference)?;
        let old = self.markets[m].orders[index];
        let mut new = self.amended(m, &old, amendment)?;
        if new == old {
            return Err(Refusal::NoChange);
        }
        if let (OrderKind::Limit { price, .. }, PositionEffect::Increase) = (new.kind, new.effect) {
            let needed = self.margin_needed(a, m, new.side, new.remaining(), price);
            let available = self.available(a, self.markets[m].instrument.settle) + old.reserved;
            if needed > available {
                return Err(Refusal::InsufficientMargin {
                    needed: needed.normalize(),
                    available: available.normalize(),
                });
            }
            new.reserved = needed;
        }
        new.updated_at = self.now;
        self.markets[m].orders[index] = new;
        self.markets[m].calm = None;
        self.tell_order(&new, out);
        let market = &self.markets[m];
        if let (OrderKind::Limit { price, .. }, Some(last)) = (new.kind, market.last)
            && market.session == Session::Live
            && crosses(new.side, price, last)
        {
            self.activate(a, m, index, out);
        }
        Ok(new)
    }

    fn amended(&self, m: usize, old: &Order, amendment: &Amendment) -> Result<Order, Refusal> {
        let mut new = *old;
        if let Some(quantity) = amendment.quantity {
            self.check_quantity(m, quantity)?;
            if quantity.get() <= old.filled {
                return Err(Refusal::BelowMinimum);
            }
            new.quantity = quantity;
        }
        if let (Some(to), OrderKind::Limit { price, .. }) = (amendment.price, &mut new.kind) {
            self.check_price(m, to)?;
            *price = to;
        }
        if let (Some(to), OrderKind::StopMarket { trigger, direction, .. }) =
            (amendment.trigger, &mut new.kind)
        {
            self.check_price(m, to)?;
            self.check_trigger(m, to, *direction)?;
            *trigger = to;
        }
        Ok(new)
    }

    /// Cancels one open order.
    pub fn cancel(
        &mut self,
        account: AccountId,
        symbol: Symbol,
        reference: &OrderRef,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<Order, Refusal> {
        self.advance(at, out);
        self.account_index(account)?;
        let m = self.market_index(symbol)?;
        let index = self.order_index(account, m, reference)?;
        let order = self.markets[m].orders[index];
        self.finish(m, index, OrderStatus::Canceled, None, out);
        Ok(order)
    }

    /// Cancels all open orders of an account, or those of one instrument. Returns how many.
    pub fn cancel_all(
        &mut self,
        account: AccountId,
        symbol: Option<Symbol>,
        filter: CancelFilter,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<usize, Refusal> {
        self.advance(at, out);
        self.account_index(account)?;
        let only = symbol.map(|symbol| self.market_index(symbol)).transpose()?;
        let mut count = 0;
        for m in (0..self.markets.len()).filter(|m| only.is_none_or(|only| only == *m)) {
            let next = |orders: &[Order]| {
                orders.iter().position(|order| order.account == account && filter.matches(order))
            };
            while let Some(index) = next(&self.markets[m].orders) {
                self.finish(m, index, OrderStatus::Canceled, None, out);
                count += 1;
            }
        }
        Ok(count)
    }

    fn order_index(&self, account: AccountId, m: usize, reference: &OrderRef) -> Result<usize, Refusal> {
        self.markets[m]
            .orders
            .iter()
            .position(|order| order.account == account && reference.matches(order))
            .ok_or(Refusal::OrderNotFound)
    }

    /// The margin an account has set aside for open orders of one asset.
    pub fn order_margin(&self, account: AccountId, asset: keyhold_domain::Asset) -> Result<Decimal, Refusal> {
        self.account_index(account)?;
        Ok(self
            .markets
            .iter()
            .filter(|market| market.instrument.settle == asset)
            .flat_map(|market| &market.orders)
            .filter(|order| order.account == account)
            .map(|order| order.reserved)
            .sum())
    }
}
