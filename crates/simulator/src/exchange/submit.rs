//! New orders: what is refused, what is accepted, and what an accepted order does first.

use std::cmp::Ordering;

use keyhold_domain::exact::{compare, is_multiple, is_negative, is_positive, multiply};
use keyhold_domain::{
    Decimal, InstrumentStatus, OrderKind, OrderStatus, PositionEffect, Price, Quantity, Rounding, Side,
    Timestamp, TriggerDirection, VenueOrderId,
};

use super::account::{Account, PositionMode};
use super::config::NameRule;
use super::ids::{IdKind, computed_id};
use super::margin::{MAX_SIZE, initial_margin, is_too_high};
use super::order::Phase;
use super::{
    AccountId, Exchange, ExchangeEvent, Order, OrderName, OrderRequest, ReduceOnlyExcess, Refusal, Session,
};

impl Exchange {
    /// Takes an order.
    ///
    /// Refused orders change nothing. An accepted order is told as an event first; then it executes at the current
    /// price, or, while the market waits between two candles, at the next price (the open of the next candle).
    /// Post-only, IOC and FOK orders that cannot have their way are accepted and then canceled, as Bybit does.
    pub fn submit(
        &mut self,
        account: AccountId,
        request: &OrderRequest,
        at: Timestamp,
        out: &mut Vec<ExchangeEvent>,
    ) -> Result<VenueOrderId, Refusal> {
        self.advance(at, out);
        let a = self.account_index(account)?;
        let m = self.market_index(request.symbol)?;
        self.check_grid(m, request)?;
        self.check_account(a, m, request)?;
        let reserved = self.check_margin(a, m, request)?;
        let delay = self.config.latency.draw(&mut self.random);
        let order = self.new_order(a, m, request, reserved, self.now.plus_ms(i64::from(delay)));
        if let (Some(name), NameRule::UsedOnce) = (request.name, self.config.names) {
            self.accounts[a].names.insert(name);
        }
        self.markets[m].orders.push(order);
        self.markets[m].calm = None;
        self.tell_order(&order, out);
        if self.markets[m].session == Session::Live && delay == 0 {
            let index = self.markets[m].orders.len() - 1;
            self.activate(a, m, index, out);
        }
        Ok(order.venue_id)
    }

    fn new_order(
        &mut self,
        a: usize,
        m: usize,
        request: &OrderRequest,
        reserved: Decimal,
        effective: Timestamp,
    ) -> Order {
        self.orders_made += 1;
        let status = match request.kind {
            OrderKind::Market | OrderKind::Limit { .. } => OrderStatus::Open,
            OrderKind::StopMarket { .. } => OrderStatus::Untriggered,
        };
        Order {
            account: self.accounts[a].id,
            venue_id: computed_id(self.config.seed, IdKind::Order, self.orders_made),
            name: request.name,
            symbol: request.symbol,
            side: request.side,
            kind: request.kind,
            quantity: request.quantity,
            effect: request.effect,
            filled: Decimal::ZERO,
            filled_cost: Decimal::ZERO,
            filled_value: Decimal::ZERO,
            fees: Decimal::ZERO,
            status,
            refusal: None,
            created_at: self.now,
            updated_at: self.now,
            price_at_creation: self.markets[m].last,
            reserved,
            phase: Phase::Queued(effective),
            touched: 0,
        }
    }

    /// Status, tick, lot, minimum and maximum.
    fn check_grid(&self, m: usize, request: &OrderRequest) -> Result<(), Refusal> {
        let market = &self.markets[m];
        let instrument = &market.instrument;
        let last = market.last.ok_or(Refusal::Halted)?;
        if instrument.status != InstrumentStatus::Trading {
            return Err(Refusal::Halted);
        }
        let price = match request.kind {
            OrderKind::Market => last,
            OrderKind::Limit { price, .. } => price,
            OrderKind::StopMarket { trigger, .. } => trigger,
        };
        self.check_price(m, price)?;
        self.check_quantity(m, request.quantity)?;
        if request.effect == PositionEffect::Increase && !instrument.meets_minimum(request.quantity, price) {
            return Err(Refusal::BelowMinimum);
        }
        Ok(())
    }

    pub(super) fn check_price(&self, m: usize, price: Price) -> Result<(), Refusal> {
        let tick = self.markets[m].instrument.tick;
        if !is_multiple(price.get(), tick) {
            return Err(Refusal::OffTick(tick));
        }
        if is_too_high(price) { Err(Refusal::AboveMaximum) } else { Ok(()) }
    }

    pub(super) fn check_quantity(&self, m: usize, quantity: Quantity) -> Result<(), Refusal> {
        let instrument = &self.markets[m].instrument;
        if !is_multiple(quantity.get(), instrument.lot) {
            return Err(Refusal::OffLot(instrument.lot));
        }
        if quantity < instrument.min_quantity {
            return Err(Refusal::BelowMinimum);
        }
        let too_large = instrument.max_quantity.is_some_and(|max| quantity > max)
            || quantity
                .get()
                .checked_mul(instrument.multiplier)
                .is_none_or(|size| compare(size, MAX_SIZE) == Ordering::Greater);
        if too_large { Err(Refusal::AboveMaximum) } else { Ok(()) }
    }

    /// Mode, name, number of orders, trigger side, reduce-only.
    fn check_account(&mut self, a: usize, m: usize, request: &OrderRequest) -> Result<(), Refusal> {
        if self.random.chance(self.config.refuse_per_mille) {
            return Err(Refusal::Overloaded);
        }
        let account = &self.accounts[a];
        if account.position_mode == PositionMode::Hedge {
            return Err(Refusal::HedgeMode);
        }
        if request.name.is_some_and(|name| self.is_taken(account, name)) {
            return Err(Refusal::DuplicateName);
        }
        let is_stop = |kind: &OrderKind| matches!(kind, OrderKind::StopMarket { .. });
        let same_kind = self.markets[m]
            .orders
            .iter()
            .filter(|order| order.account == account.id && is_stop(&order.kind) == is_stop(&request.kind))
            .count();
        let limits = self.config.limits;
        if same_kind >= if is_stop(&request.kind) { limits.conditional } else { limits.active } {
            return Err(Refusal::TooManyOrders);
        }
        if let OrderKind::StopMarket { trigger, direction, .. } = request.kind {
            return self.check_trigger(m, trigger, direction);
        }
        let reducible = self.reducible(a, m, request.side);
        if request.effect == PositionEffect::ReduceOnly {
            let excess = compare(request.quantity.get(), reducible) == Ordering::Greater;
            let refuses = self.config.fills.reduce_only == ReduceOnlyExcess::Refuse;
            if reducible.is_zero() || (excess && refuses) {
                return Err(Refusal::NothingToReduce);
            }
        }
        Ok(())
    }

    /// Whether an order of this name exists, or has existed where names are used once.
    fn is_taken(&self, account: &Account, name: OrderName) -> bool {
        match self.config.names {
            NameRule::UsedOnce => account.names.contains(&name),
            NameRule::FreeAfterwards => {
                let mut open = self.markets.iter().flat_map(|market| &market.orders);
                open.any(|order| order.account == account.id && order.name == Some(name))
            }
        }
    }

    /// A trigger must lie ahead of the current price. Between candles nothing is current and all are taken.
    pub(super) fn check_trigger(
        &self,
        m: usize,
        trigger: Price,
        direction: TriggerDirection,
    ) -> Result<(), Refusal> {
        let market = &self.markets[m];
        let Some(last) = market.last.filter(|_| market.session == Session::Live) else { return Ok(()) };
        let reached = match direction {
            TriggerDirection::Rises => trigger <= last,
            TriggerDirection::Falls => trigger >= last,
        };
        if reached { Err(Refusal::TriggerReached { current: last.get() }) } else { Ok(()) }
    }

    /// Size of the position that an order of this side would reduce.
    pub(super) fn reducible(&self, a: usize, m: usize, side: Side) -> Decimal {
        let held = self.accounts[a].positions[m].size;
        let reduces = match side {
            Side::Buy => is_negative(held),
            Side::Sell => is_positive(held),
        };
        if reduces { held.abs() } else { Decimal::ZERO }
    }

    /// The margin to set aside for the order, refused when it is not free.
    fn check_margin(&self, a: usize, m: usize, request: &OrderRequest) -> Result<Decimal, Refusal> {
        if request.effect == PositionEffect::ReduceOnly {
            return Ok(Decimal::ZERO);
        }
        let last = self.markets[m].last.ok_or(Refusal::Halted)?;
        let price = match request.kind {
            OrderKind::Market => last,
            OrderKind::Limit { price, .. } => match request.side {
                Side::Buy => price.min(last),
                Side::Sell => price.max(last),
            },
            OrderKind::StopMarket { .. } => return Ok(Decimal::ZERO),
        };
        let needed = self.margin_needed(a, m, request.side, request.quantity.get(), price);
        let available = self.available(a, self.markets[m].instrument.settle);
        if compare(needed, available) == Ordering::Greater && !needed.is_zero() {
            return Err(Refusal::InsufficientMargin {
                needed: needed.normalize(),
                available: available.normalize(),
            });
        }
        Ok(needed)
    }

    /// Initial margin and taker fee of the part of an order that would grow the position.
    pub(super) fn margin_needed(
        &self,
        a: usize,
        m: usize,
        side: Side,
        quantity: Decimal,
        price: Price,
    ) -> Decimal {
        let instrument = &self.markets[m].instrument;
        let growth = quantity - self.reducible(a, m, side);
        let Ok(growth) = Quantity::new(growth) else { return Decimal::ZERO };
        let leverage = self.accounts[a].positions[m].leverage;
        let margin = initial_margin(instrument, price, growth, leverage);
        let fee = multiply(multiply(margin, leverage), instrument.taker_fee.get());
        (margin + fee).round_dp_with_strategy(12, rust_decimal::RoundingStrategy::AwayFromZero)
    }

    /// The market's price made worse by slippage, on the tick.
    pub(super) fn slipped(&self, m: usize, side: Side, price: Price, bps: Decimal) -> Price {
        if bps.is_zero() {
            return price;
        }
        let shift = price.get() * bps / Decimal::from(10_000);
        let (raw, rounding) = match side {
            Side::Buy => (price.get() + shift, Rounding::Up),
            Side::Sell => (price.get() - shift, Rounding::Down),
        };
        self.markets[m].instrument.price(raw, rounding).unwrap_or(price)
    }
}
