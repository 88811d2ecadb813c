//! How much one contract is: the sizes of COIN-M's contracts in dollars, kept after they were first read.
//!
//! USD-M counts coins, as Keyhold does, and needs none. Sizes never change while a contract lives.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use keyhold_domain::{ContractType, Decimal, Quantity, Symbol};

use super::convert_market::contract_size;
use super::wire::WireInstrument;
use crate::error::WireError;

/// The sizes that are known.
#[derive(Debug)]
pub struct Sizes {
    product: ContractType,
    known: RwLock<BTreeMap<Symbol, Decimal>>,
}

impl Sizes {
    /// None yet.
    pub fn new(product: ContractType) -> Self {
        Self { product, known: RwLock::default() }
    }

    /// Takes over what a list of contracts says; those that cannot be read stay unknown.
    pub fn learn(&self, rows: &[WireInstrument<'_>]) {
        let size = |row: &WireInstrument<'_>| {
            let symbol = row.symbol.text().parse().ok()?;
            Some((symbol, contract_size(self.product, row).ok()?))
        };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(rows.iter().filter_map(size));
    }

    /// Whether the sizes must be read before an instrument can be counted.
    pub fn lacks(&self, symbol: Option<Symbol>) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match (self.product, symbol) {
            (ContractType::Linear, _) => false,
            (ContractType::Inverse, Some(symbol)) => !known.contains_key(&symbol),
            (ContractType::Inverse, None) => known.is_empty(),
        }
    }

    /// Units of ours in one of the venue's, by the venue's name of the instrument.
    pub fn of(&self, symbol: &str) -> Result<Decimal, WireError> {
        match self.product {
            ContractType::Linear => Ok(Decimal::ONE),
            ContractType::Inverse if symbol.is_empty() => {
                Err(WireError::Missing { what: "row", field: "symbol" })
            }
            ContractType::Inverse => {
                let symbol: Option<Symbol> = symbol.parse().ok();
                let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
                let size = symbol.and_then(|symbol| known.get(&symbol).copied());
                size.ok_or(WireError::Missing { what: "instrument", field: "contractSize" })
            }
        }
    }

    /// A quantity of ours in the venue's unit; `None` when it is no whole number of contracts.
    pub fn to_venue(&self, symbol: Symbol, quantity: Quantity) -> Option<Quantity> {
        let size = self.of(symbol.as_str()).ok()?;
        let contracts = quantity.get().checked_div(size)?;
        let fits = self.product == ContractType::Linear || contracts.is_integer();
        fits.then(|| Quantity::new(contracts.normalize()).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance::wire::{self, WireExchange};

    #[test]
    fn dollars_become_whole_contracts() {
        let sizes = Sizes::new(ContractType::Inverse);
        let symbol: Symbol = "BTCUSD_PERP".parse().unwrap();
        let quantity = |text: &str| -> Quantity { text.parse().unwrap() };
        assert!(sizes.lacks(Some(symbol)));
        assert_eq!(sizes.to_venue(symbol, quantity("100")), None, "the size is not known");
        let text =
            br#"{"symbols":[{"symbol":"BTCUSD_PERP","contractSize":100},{"symbol":"ODD","contractSize":0}]}"#;
        let rows: WireExchange<'_> = wire::json("test", text).unwrap();
        sizes.learn(&rows.symbols.unwrap());
        assert!(!sizes.lacks(Some(symbol)));
        assert_eq!(sizes.to_venue(symbol, quantity("300")), Some(quantity("3")));
        assert_eq!(sizes.to_venue(symbol, quantity("350")), None);
        assert!(sizes.of("ODD").is_err(), "a size of zero is none");
        let linear = Sizes::new(ContractType::Linear);
        assert_eq!(linear.to_venue(symbol, quantity("0.5")), Some(quantity("0.5")));
    }
}
