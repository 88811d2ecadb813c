//! How well orders were executed: refusals, fill ratio, maker share.
//!
//! Whoever sends orders counts here, order by order and fill by fill; slippage is in [`super::TradeStats`], because it
//! belongs to trades. Protective orders that only rest count as orders, not as wanted quantity: most of them are
//! replaced before they fill.

use keyhold_domain::{Contract, Decimal, Fill, Liquidity, NewOrder, OrderPurpose};
use serde::{Deserialize, Serialize};

use crate::input::decimal_to_f64;

/// Counts of orders and fills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Orders sent, protective ones included.
    pub orders: u64,
    /// Orders that the venue refused.
    pub refused: u64,
    /// Executions.
    pub fills: u64,
    /// Quantity filled in percent of the quantity asked for by entries and exits.
    pub fill_ratio_pct: Option<f64>,
    /// Value of executions as a maker, in percent of the value of all.
    pub maker_share_pct: Option<f64>,
}

/// Counts while orders are sent and filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExecutionCounter {
    orders: u64,
    refused: u64,
    fills: u64,
    asked: Decimal,
    filled: Decimal,
    maker: Decimal,
    value: Decimal,
}

impl ExecutionCounter {
    /// An order was sent and not refused.
    pub fn sent(&mut self, order: &NewOrder) {
        self.orders += 1;
        if is_wanted(order.purpose) {
            self.asked = self.asked.saturating_add(order.quantity.get());
        }
    }

    /// An order was refused.
    pub const fn refused(&mut self) {
        self.orders += 1;
        self.refused += 1;
    }

    /// An execution. Those of orders that nobody asked for, such as liquidations, count for the value only.
    pub fn filled(&mut self, fill: &Fill, contract: Contract) {
        self.fills += 1;
        if fill.client_id.is_some_and(|id| is_wanted(id.purpose())) {
            self.filled = self.filled.saturating_add(fill.quantity.get());
        }
        let value = contract.quote_value(fill.price, fill.quantity).unwrap_or_default();
        self.value = self.value.saturating_add(value);
        match fill.liquidity {
            Liquidity::Maker => self.maker = self.maker.saturating_add(value),
            Liquidity::Taker => {}
        }
    }

    /// The figures.
    pub fn figures(&self) -> Execution {
        let pct = |part: Decimal, whole: Decimal| {
            (!whole.is_zero()).then(|| decimal_to_f64(part) / decimal_to_f64(whole) * 100.0)
        };
        Execution {
            orders: self.orders,
            refused: self.refused,
            fills: self.fills,
            fill_ratio_pct: pct(self.filled, self.asked),
            maker_share_pct: pct(self.maker, self.value),
        }
    }
}

/// Entries and exits are wanted now; stops and targets only in case.
const fn is_wanted(purpose: OrderPurpose) -> bool {
    match purpose {
        OrderPurpose::Entry | OrderPurpose::Exit => true,
        OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => false,
    }
}
