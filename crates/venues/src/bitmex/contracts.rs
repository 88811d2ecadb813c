//! What a contract of BitMEX is worth: contracts to coins or dollars and back, minor units to whole ones. Pure.
//!
//! BitMEX counts orders in contracts and money in whole minor units (a satoshi, a millionth of a USDT). Keyhold counts
//! base coins (linear), dollars (inverse) and whole coins; the lists and streams name only the symbol, so the adapter
//! keeps this table beside them. Made from instruments by [`super::convert_market`].

use std::collections::BTreeMap;

use keyhold_domain::{Asset, ContractType, Decimal, Quantity, Symbol};

use crate::error::WireError;

/// How much of `asset` one unit of BitMEX's currency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    /// What it is.
    pub asset: Asset,
    /// The worth of one minor unit.
    pub unit: Decimal,
}

/// BitMEX's currency, our asset, decimal places. A few records write `XBT` and still count satoshis.
const CURRENCIES: &[(&str, &str, u32)] =
    &[("XBt", "BTC", 8), ("XBT", "BTC", 8), ("USDt", "USDT", 6), ("USDT", "USDT", 6), ("Gwei", "ETH", 9)];

/// A currency by BitMEX's name of it; `None` for one that no contract of ours settles in.
pub fn currency(name: &str) -> Option<Currency> {
    let (_, asset, places) = CURRENCIES.iter().find(|(known, ..)| *known == name)?;
    Some(Currency { asset: Asset::new(asset).ok()?, unit: Decimal::new(1, *places) })
}

/// Our name of an asset that BitMEX names in prices: it writes `XBT` for bitcoin.
pub fn asset(name: &str) -> Option<Asset> {
    Asset::new(if name == "XBT" { "BTC" } else { name }).ok()
}

/// BitMEX's name of the currency that an asset is settled in.
pub fn settlement_name(asset: Asset) -> Option<&'static str> {
    CURRENCIES.iter().find(|(_, own, _)| *own == asset.as_str()).map(|(name, ..)| *name)
}

/// What one contract of an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// Linear or inverse.
    pub kind: ContractType,
    /// Base coins (linear) or dollars (inverse) of one contract; greater than zero.
    pub size: Decimal,
    /// What profit, fees and margin are counted in.
    pub settle: Currency,
}

impl Contract {
    /// Our quantity of so many contracts; signed and zero as they are.
    pub fn quantity(&self, contracts: Decimal) -> Option<Decimal> {
        contracts.checked_mul(self.size).map(|value| value.normalize())
    }

    /// So many contracts are our quantity; `None` when it is no whole number of them.
    pub fn contracts(&self, quantity: Quantity) -> Option<Quantity> {
        let contracts = quantity.get().checked_div(self.size)?.normalize();
        (contracts.scale() == 0).then(|| Quantity::new(contracts).ok())?
    }

    /// An amount in minor units as money.
    pub fn money(&self, minor: Decimal) -> Option<Decimal> {
        minor.checked_mul(self.settle.unit).map(|value| value.normalize())
    }
}

/// The contracts of one product, by symbol. Symbols that are not in it belong to the other product, to dated futures
/// or to quanto contracts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contracts {
    list: BTreeMap<Symbol, Contract>,
}

impl Contracts {
    /// Adds an instrument's contract.
    pub fn insert(&mut self, symbol: Symbol, contract: Contract) {
        self.list.insert(symbol, contract);
    }

    /// The contract of a symbol of this product.
    pub fn of(&self, symbol: &str) -> Option<Contract> {
        symbol.parse().ok().and_then(|symbol: Symbol| self.list.get(&symbol).copied())
    }

    /// The same as an error for records that must be of this product.
    pub fn require(&self, what: &'static str, symbol: &str) -> Result<Contract, WireError> {
        self.of(symbol).ok_or(WireError::Invalid { what, field: "symbol", expected: "a listed contract" })
    }

    /// Whether nothing is known yet.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl FromIterator<(Symbol, Contract)> for Contracts {
    fn from_iter<T: IntoIterator<Item = (Symbol, Contract)>>(contracts: T) -> Self {
        Self { list: contracts.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn contracts_are_coins_or_dollars() {
        let usdt =
            Contract { kind: ContractType::Linear, size: d("0.000001"), settle: currency("USDt").unwrap() };
        // venues.md 8: 1000 contracts at 20933 cost 20,933,000 millionths of a USDT and are 0.001 BTC.
        assert_eq!(usdt.quantity(d("1000")), Some(d("0.001")));
        assert_eq!(usdt.contracts(Quantity::new(d("0.001")).unwrap()), Quantity::new(d("1000")).ok());
        assert_eq!(usdt.contracts(Quantity::new(d("0.0000015")).unwrap()), None);
        assert_eq!(usdt.money(d("20933000")), Some(d("20.933")));
        let usd = Contract { kind: ContractType::Inverse, size: d("1"), settle: currency("XBt").unwrap() };
        assert_eq!(usd.quantity(d("-300")), Some(d("-300")));
        assert_eq!(usd.money(d("-1694915")), Some(d("-0.01694915")));
        assert_eq!(usd.settle.asset.as_str(), "BTC");
        assert_eq!(settlement_name("BTC".parse().unwrap()), Some("XBt"));
    }
}
