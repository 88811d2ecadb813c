//! Instruments: one perpetual contract at one venue, with its grids, bounds and arithmetic.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::exchange::words;
use crate::{
    Asset, Contract, ContractType, Exchange, Money, Price, Quantity, Rate, Rounding, SignedQuantity, Symbol,
};

words! {
    /// Whether an instrument can be traded now.
    InstrumentStatus, InstrumentStatusError, "instrument status",
    /// Open for trading.
    Trading = "trading",
    /// Temporarily halted.
    Halted = "halted",
    /// Gone or going.
    Delisted = "delisted",
}

/// A perpetual contract. Quanto contracts cannot be expressed and are refused by the adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// The company.
    pub exchange: Exchange,
    /// The venue's name of it.
    pub symbol: Symbol,
    /// What is priced.
    pub base: Asset,
    /// In what it is priced.
    pub quote: Asset,
    /// In what profit and margin are counted.
    pub settle: Asset,
    /// Linear or inverse.
    pub contract_type: ContractType,
    /// Base (linear) or quote (inverse) units per unit of quantity; greater than zero.
    #[serde(with = "crate::money::decimal_text")]
    pub multiplier: Decimal,
    /// Prices are multiples of this.
    #[serde(with = "crate::money::decimal_text")]
    pub tick: Decimal,
    /// Quantities are multiples of this.
    #[serde(with = "crate::money::decimal_text")]
    pub lot: Decimal,
    /// Smallest order.
    pub min_quantity: Quantity,
    /// Largest order, when the venue has a limit.
    pub max_quantity: Option<Quantity>,
    /// Smallest value of an order in quote currency, when the venue has one.
    #[serde(with = "crate::money::optional_decimal_text")]
    pub min_notional: Option<Decimal>,
    /// Largest leverage; 1 or more.
    #[serde(with = "crate::money::decimal_text")]
    pub max_leverage: Decimal,
    /// Share of a position's value below which the venue liquidates.
    pub maintenance_margin: Rate,
    /// Fee of resting orders; negative for a rebate.
    pub maker_fee: Rate,
    /// Fee of taking orders.
    pub taker_fee: Rate,
    /// Hours between funding payments.
    pub funding_interval_hours: u32,
    /// Can it be traded?
    pub status: InstrumentStatus,
}

impl Instrument {
    /// The contract's arithmetic.
    pub const fn contract(&self) -> Contract {
        match self.contract_type {
            ContractType::Linear => Contract::Linear { multiplier: self.multiplier },
            ContractType::Inverse => Contract::Inverse { multiplier: self.multiplier },
        }
    }

    /// A price on the tick. `None` when nothing positive remains.
    pub fn price(&self, raw: Decimal, rounding: Rounding) -> Option<Price> {
        rounding.to_step(raw, self.tick).and_then(|value| Price::new(value).ok())
    }

    /// A quantity on the lot, always rounded down and cut to the venue's maximum.
    /// `None` when it falls below the smallest order.
    pub fn quantity(&self, raw: Decimal) -> Option<Quantity> {
        let capped = self.max_quantity.map_or(raw, |max| raw.min(max.get()));
        let value = Rounding::Down.to_step(capped, self.lot)?;
        let quantity = Quantity::new(value).ok()?;
        (quantity >= self.min_quantity).then_some(quantity)
    }

    /// Whether an order of this size at this price is worth enough for the venue.
    pub fn meets_minimum(&self, quantity: Quantity, price: Price) -> bool {
        let worth_enough = match (self.min_notional, self.contract().quote_value(price, quantity)) {
            (Some(min), Some(value)) => value >= min,
            (None, _) => true,
            (Some(_), None) => false,
        };
        quantity >= self.min_quantity && worth_enough
    }

    /// Profit of holding `size` from `entry` to `exit`, in the settlement asset. `None` on overflow.
    pub fn pnl(&self, entry: Price, exit: Price, size: SignedQuantity) -> Option<Money> {
        self.contract().profit(entry, exit, size).map(|amount| Money::new(amount, self.settle))
    }

    /// Value of `quantity` at `price` in the settlement asset. `None` on overflow.
    pub fn value(&self, price: Price, quantity: Quantity) -> Option<Money> {
        self.contract().value(price, quantity).map(|amount| Money::new(amount, self.settle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bybit_inverse() -> Instrument {
        Instrument {
            exchange: Exchange::Bybit,
            symbol: "BTCUSD".parse().unwrap(),
            base: "BTC".parse().unwrap(),
            quote: "USD".parse().unwrap(),
            settle: "BTC".parse().unwrap(),
            contract_type: ContractType::Inverse,
            multiplier: Decimal::ONE,
            tick: Decimal::new(5, 1),
            lot: Decimal::ONE,
            min_quantity: "1".parse().unwrap(),
            max_quantity: Some("25000000".parse().unwrap()),
            min_notional: None,
            max_leverage: Decimal::from(100),
            maintenance_margin: Rate::new(Decimal::new(5, 3)),
            maker_fee: Rate::new(Decimal::new(2, 4)),
            taker_fee: Rate::new(Decimal::new(55, 5)),
            funding_interval_hours: 8,
            status: InstrumentStatus::Trading,
        }
    }

    #[test]
    fn quantities_round_down_and_respect_bounds() {
        let instrument = bybit_inverse();
        assert_eq!(instrument.quantity("99.9".parse().unwrap()), "99".parse().ok());
        assert_eq!(instrument.quantity("0.99".parse().unwrap()), None);
        assert_eq!(instrument.quantity("99999999".parse().unwrap()), "25000000".parse().ok());
    }

    #[test]
    fn an_instrument_survives_a_round_trip_through_json() {
        let instrument = bybit_inverse();
        let text = serde_json::to_string(&instrument).unwrap();
        assert_eq!(serde_json::from_str::<Instrument>(&text).unwrap(), instrument);
        assert!(text.contains("\"tick\":\"0.5\""), "decimals travel as text: {text}");
    }
}
