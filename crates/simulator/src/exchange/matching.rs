//! What happens to an order when a price reaches it.

use keyhold_domain::exact::{is_positive, multiply};
use keyhold_domain::{
    Decimal, Liquidity, OrderKind, OrderStatus, PositionEffect, Price, Quantity, RefusalCode, Side,
    TimeInForce,
};

use super::account::grow;
use super::order::Phase;
use super::{AccountNews, Exchange, ExchangeEvent, Order};

/// Which rules of price and margin an execution follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Execution {
    /// A resting limit order: its margin is set aside already.
    Maker,
    /// A limit order that takes on arrival.
    Taker,
    /// A market order or a triggered stop: whatever does not fill is canceled.
    Market,
}

impl Exchange {
    /// Lets an order act for the first time, at the market's current price.
    pub(super) fn activate(&mut self, a: usize, m: usize, index: usize, out: &mut Vec<ExchangeEvent>) {
        let Some(last) = self.markets[m].last else { return };
        self.markets[m].calm = None;
        let order = &mut self.markets[m].orders[index];
        order.phase = Phase::Working;
        let (side, quantity) = (order.side, order.quantity);
        match order.kind {
            OrderKind::StopMarket { .. } => {}
            OrderKind::Market => {
                let price = self.slipped(m, side, last, self.config.slippage.market_bps);
                self.execute(a, m, index, price, Execution::Market, out);
            }
            OrderKind::Limit { price, time_in_force } => {
                if !crosses(side, price, last) {
                    if matches!(time_in_force, TimeInForce::Ioc | TimeInForce::Fok) {
                        self.finish(m, index, OrderStatus::Canceled, None, out);
                    }
                    return;
                }
                let depth = self.config.fills.depth;
                match time_in_force {
                    TimeInForce::PostOnly => {
                        let refusal = Some(RefusalCode::PostOnlyWouldCross);
                        self.finish(m, index, OrderStatus::Canceled, refusal, out);
                    }
                    TimeInForce::Fok if depth.is_some_and(|depth| depth < quantity) => {
                        self.finish(m, index, OrderStatus::Canceled, None, out);
                    }
                    TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok => {
                        let slipped = self.slipped(m, side, last, self.config.slippage.market_bps);
                        let at = better(side, price, slipped);
                        let kind = if time_in_force == TimeInForce::Gtc {
                            Execution::Taker
                        } else {
                            Execution::Market
                        };
                        self.execute(a, m, index, at, kind, out);
                    }
                }
            }
        }
    }

    /// Fills an order as far as rules, depth and margin allow.
    pub(super) fn execute(
        &mut self,
        a: usize,
        m: usize,
        index: usize,
        price: Price,
        execution: Execution,
        out: &mut Vec<ExchangeEvent>,
    ) {
        let order = &mut self.markets[m].orders[index];
        order.reserved = Decimal::ZERO;
        order.touched = self.walk;
        let side = order.side;
        let quantity = match self.fillable(a, m, &self.markets[m].orders[index], price, execution) {
            Ok(quantity) => quantity,
            Err((status, refusal)) => {
                self.finish(m, index, status, Some(refusal), out);
                return;
            }
        };
        let liquidity = if execution == Execution::Maker { Liquidity::Maker } else { Liquidity::Taker };
        let fee = self.book_trade(a, m, Some(index), (side, price, quantity, liquidity), out).fee;
        self.note_fill(m, index, price, quantity, fee);
        self.after_fill(a, m, index, execution, out);
        self.tell_position(a, m, out);
        self.tell_balance(a, self.markets[m].instrument.settle, out);
        self.drop_idle_reducers(a, m, out);
    }

    /// How much of an order can fill now, or how it ends.
    fn fillable(
        &self,
        a: usize,
        m: usize,
        order: &Order,
        price: Price,
        execution: Execution,
    ) -> Result<Quantity, (OrderStatus, RefusalCode)> {
        let nothing = (OrderStatus::Canceled, RefusalCode::ReduceOnlyRejected);
        let mut quantity = order.remaining();
        if order.effect == PositionEffect::ReduceOnly {
            quantity = quantity.min(self.reducible(a, m, order.side));
        }
        if let Some(depth) = self.config.fills.depth {
            quantity = quantity.min(depth.get());
        }
        let quantity = Quantity::new(quantity).map_err(|_| nothing)?;
        if execution != Execution::Maker {
            let needed = self.margin_needed(a, m, order.side, quantity.get(), price);
            if !needed.is_zero() && needed > self.available(a, self.markets[m].instrument.settle) {
                return Err((OrderStatus::Rejected, RefusalCode::InsufficientMargin));
            }
        }
        Ok(quantity)
    }

    fn note_fill(&mut self, m: usize, index: usize, price: Price, quantity: Quantity, fee: Decimal) {
        let value = self.markets[m].instrument.contract().value(price, quantity);
        let now = self.now;
        let order = &mut self.markets[m].orders[index];
        grow(&mut order.filled, quantity.get());
        grow(&mut order.filled_cost, multiply(quantity.get(), price.get()));
        grow(&mut order.filled_value, value.expect(super::margin::BOUNDED));
        grow(&mut order.fees, fee);
        order.updated_at = now;
    }

    /// The order's state after a fill: done, canceled for the rest, or resting with the rest.
    fn after_fill(
        &mut self,
        a: usize,
        m: usize,
        index: usize,
        execution: Execution,
        out: &mut Vec<ExchangeEvent>,
    ) {
        let order = &self.markets[m].orders[index];
        let remaining = order.remaining();
        if !is_positive(remaining) {
            self.finish(m, index, OrderStatus::Filled, None, out);
            return;
        }
        let (kind, effect, side) = (order.kind, order.effect, order.side);
        let spent = effect == PositionEffect::ReduceOnly && self.reducible(a, m, side).is_zero();
        if execution == Execution::Market || spent {
            let refusal = spent.then_some(RefusalCode::ReduceOnlyRejected);
            self.finish(m, index, OrderStatus::Canceled, refusal, out);
            return;
        }
        let reserved = match (kind, effect) {
            (OrderKind::Limit { price, .. }, PositionEffect::Increase) => {
                self.margin_needed(a, m, side, remaining, price)
            }
            _ => Decimal::ZERO,
        };
        let order = &mut self.markets[m].orders[index];
        order.status = OrderStatus::PartiallyFilled;
        order.reserved = reserved;
        let order = *order;
        self.tell_order(&order, out);
    }

    /// Tells an order's state. Where account news is silent, only an end that its owner did not ask for and that no fill
    /// tells.
    pub(super) fn tell_order(&self, order: &Order, out: &mut Vec<ExchangeEvent>) {
        let unfilled = matches!(order.status, OrderStatus::Canceled | OrderStatus::Rejected);
        if self.config.account_news == AccountNews::Told || unfilled {
            out.push(ExchangeEvent::Order(*order));
        }
    }

    /// Ends an order.
    pub(super) fn finish(
        &mut self,
        m: usize,
        index: usize,
        status: OrderStatus,
        refusal: Option<RefusalCode>,
        out: &mut Vec<ExchangeEvent>,
    ) {
        let market = &mut self.markets[m];
        market.calm = None;
        // Changed and told where it lies; taken out first, it would be copied once more.
        let order = &mut market.orders[index];
        order.status = status;
        order.refusal = refusal;
        order.reserved = Decimal::ZERO;
        order.updated_at = self.now;
        self.tell_order(&self.markets[m].orders[index], out);
        self.markets[m].orders.remove(index);
    }

    /// Cancels resting reduce-only limit orders that have nothing left to reduce, as venues do.
    /// Waiting stops stay: they are looked at when they trigger.
    fn drop_idle_reducers(&mut self, a: usize, m: usize, out: &mut Vec<ExchangeEvent>) {
        let account = self.accounts[a].id;
        let idle = |exchange: &Self| {
            exchange.markets[m].orders.iter().position(|order| {
                order.account == account
                    && order.effect == PositionEffect::ReduceOnly
                    && order.phase == Phase::Working
                    && matches!(order.kind, OrderKind::Limit { .. })
                    && exchange.reducible(a, m, order.side).is_zero()
            })
        };
        while let Some(index) = idle(self) {
            self.finish(m, index, OrderStatus::Canceled, Some(RefusalCode::ReduceOnlyRejected), out);
        }
    }

    /// Closes a whole position because its margin is used up, and cancels the account's orders there.
    pub(super) fn liquidate(&mut self, a: usize, m: usize, price: Price, out: &mut Vec<ExchangeEvent>) {
        let account = self.accounts[a].id;
        let open = |exchange: &Self| exchange.markets[m].orders.iter().position(|o| o.account == account);
        while let Some(index) = open(self) {
            self.finish(m, index, OrderStatus::Canceled, Some(RefusalCode::InsufficientMargin), out);
        }
        let state = self.accounts[a].positions[m];
        let Ok(quantity) = Quantity::new(state.size.abs()) else { return };
        let side = if state.size > Decimal::ZERO { Side::Sell } else { Side::Buy };
        let maintenance = self.maintenance(a, m);
        let booked = self.book_trade(a, m, None, (side, price, quantity, Liquidity::Taker), out);
        let liquidation = self.clear(a, m, (side, price, quantity), &booked, (state.margin, maintenance));
        out.push(ExchangeEvent::Liquidation(account, liquidation));
        self.tell_position(a, m, out);
        self.tell_balance(a, self.markets[m].instrument.settle, out);
    }
}

/// Whether a limit order would take at this market price.
pub(super) fn crosses(side: Side, limit: Price, market: Price) -> bool {
    match side {
        Side::Buy => limit >= market,
        Side::Sell => limit <= market,
    }
}

/// The price that is better for the order's owner.
pub(super) fn better(side: Side, limit: Price, market: Price) -> Price {
    match side {
        Side::Buy => limit.min(market),
        Side::Sell => limit.max(market),
    }
}
