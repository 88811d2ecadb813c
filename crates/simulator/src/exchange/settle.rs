//! Fills turned into positions and money.

use keyhold_domain::exact::multiply;
use keyhold_domain::{
    Decimal, Fill, Instrument, Liquidity, MarginMode, Money, Price, Quantity, Side, SignedQuantity,
};

use super::account::{Freshness, grow};
use super::ids::{IdKind, computed_id};
use super::ledger::Page;
use super::margin::{BOUNDED, initial_margin};
use super::order::OrderName;
use super::{AccountNews, Exchange, ExchangeEvent, FillCause, FillReport, Liquidation};

/// What an execution has brought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booked {
    /// Before the fee.
    pub(super) realized: Decimal,
    pub(super) fee: Decimal,
}

impl Exchange {
    /// Books one execution, of an order by its place or of a liquidation, and tells it: profit of the closed part, fee, and
    /// the position that remains.
    pub(super) fn book_trade(
        &mut self,
        a: usize,
        m: usize,
        order: Option<usize>,
        (side, price, quantity, liquidity): (Side, Price, Quantity, Liquidity),
        out: &mut Vec<ExchangeEvent>,
    ) -> Booked {
        let Instrument { symbol, settle, maker_fee, taker_fee, .. } = self.markets[m].instrument;
        let contract = self.markets[m].instrument.contract();
        let before = self.accounts[a].positions[m].entry;
        let closed = self.reducible(a, m, side).min(quantity.get());
        let realized = match before {
            Some(entry) if !closed.is_zero() => {
                let part = SignedQuantity::new(match side {
                    Side::Buy => -closed,
                    Side::Sell => closed,
                });
                self.booked(contract.profit(entry, price, part).expect(BOUNDED))
            }
            _ => Decimal::ZERO,
        };
        let rate = match liquidity {
            Liquidity::Maker => maker_fee,
            Liquidity::Taker => taker_fee,
        };
        let fee = self.booked(multiply(contract.value(price, quantity).expect(BOUNDED), rate.get()));
        self.flow(a, settle, Page::Profit, realized);
        self.flow(a, settle, Page::Fees, -fee);
        self.move_position(a, m, side, price, quantity);
        self.credit_position(a, m, realized - fee);
        self.fills_made += 1;
        let order = order.map(|index| &self.markets[m].orders[index]);
        let fill = Fill {
            fill_id: computed_id(self.config.seed, IdKind::Fill, self.fills_made),
            client_id: order.and_then(|order| order.name).and_then(OrderName::keyhold),
            venue_order_id: order.map_or_else(|| self.liquidation_order_id(), |order| order.venue_id),
            symbol,
            side,
            price,
            quantity,
            fee: Money::new(fee, settle),
            liquidity,
            at: self.now,
        };
        let cause = if order.is_some() { FillCause::Order } else { FillCause::Liquidation };
        let entry = before.filter(|_| !closed.is_zero());
        out.push(ExchangeEvent::Fill(
            self.accounts[a].id,
            FillReport { fill, cause, realized, closed, entry },
        ));
        Booked { realized, fee }
    }

    fn liquidation_order_id(&self) -> keyhold_domain::VenueOrderId {
        computed_id(!self.config.seed, IdKind::Order, self.fills_made)
    }

    /// Size, average entry and margin after a fill.
    fn move_position(&mut self, a: usize, m: usize, side: Side, price: Price, quantity: Quantity) {
        let instrument = &self.markets[m].instrument;
        let now = self.now;
        let state = &mut self.accounts[a].positions[m];
        let old = SignedQuantity::new(state.size);
        let new = SignedQuantity::new(state.size + SignedQuantity::of(side, quantity).get());
        let was_flat = old.is_flat();
        state.entry = match (old.side(), new.side()) {
            (_, None) => None,
            (Some(held), Some(now_held)) if held == now_held => {
                if held == side {
                    let entry = state.entry.expect("a position has an entry price");
                    let held = old.magnitude().expect("the position is not flat");
                    instrument.contract().average_entry(entry, held, price, quantity)
                } else {
                    state.entry
                }
            }
            _ => Some(price),
        };
        if was_flat || old.side() != new.side() {
            state.opened_at = now;
            state.realized = Decimal::ZERO;
        }
        state.size = new.get();
        state.updated_at = now;
        state.margin = match (state.entry, new.magnitude()) {
            (Some(entry), Some(held)) => initial_margin(instrument, entry, held, state.leverage),
            _ => Decimal::ZERO,
        };
        state.liquidation = None;
        self.accounts[a].liquidations = Freshness::Stale;
        let market = &mut self.markets[m];
        match (was_flat, new.is_flat()) {
            (true, false) => market.open_positions += 1,
            (false, true) => market.open_positions -= 1,
            _ => {}
        }
    }

    /// Counts an amount as a result of the position.
    pub(super) fn credit_position(&mut self, a: usize, m: usize, amount: Decimal) {
        let state = &mut self.accounts[a].positions[m];
        grow(&mut state.realized, amount);
        grow(&mut state.realized_total, amount);
    }

    /// Settles the rest of a liquidated position's margin with the insurance fund.
    ///
    /// Isolated: exactly the position's margin is lost, whatever the fill price was. Cross: the maintenance margin
    /// goes to the fund as far as the wallet has it, and the fund covers a negative wallet.
    pub(super) fn clear(
        &mut self,
        a: usize,
        m: usize,
        (side, price, quantity): (Side, Price, Quantity),
        booked: &Booked,
        (margin, maintenance): (Decimal, Decimal),
    ) -> Liquidation {
        let Instrument { symbol, settle, .. } = self.markets[m].instrument;
        let result = booked.realized - booked.fee;
        let taken = match self.accounts[a].margin_mode {
            MarginMode::Isolated => margin + result,
            MarginMode::Cross => {
                let wallet = self.accounts[a].wallet(settle);
                if wallet < Decimal::ZERO { wallet } else { wallet.min(maintenance) }
            }
        };
        let taken = self.booked(taken);
        self.flow(a, settle, Page::Insurance, -taken);
        self.credit_position(a, m, -taken);
        Liquidation { symbol, side, quantity, price, clearance: Money::new(taken, settle), at: self.now }
    }

    pub(super) fn tell_position(&self, a: usize, m: usize, out: &mut Vec<ExchangeEvent>) {
        match self.config.account_news {
            AccountNews::Told => {
                out.push(ExchangeEvent::Position(self.accounts[a].id, self.position_at(a, m)));
            }
            AccountNews::Silent => {}
        }
    }

    pub(super) fn tell_balance(&self, a: usize, asset: keyhold_domain::Asset, out: &mut Vec<ExchangeEvent>) {
        match self.config.account_news {
            AccountNews::Told => {
                out.push(ExchangeEvent::Balance(self.accounts[a].id, self.balance_at(a, asset)));
            }
            AccountNews::Silent => {}
        }
    }
}
