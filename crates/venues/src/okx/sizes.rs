//! How much a contract is: coins of a linear, dollars of an inverse one. OKX counts contracts, the domain counts that.
//!
//! Pure. Filled from the list of instruments; an instrument that is not in it cannot be read or traded.

use std::collections::BTreeMap;

use keyhold_domain::{ContractType, Decimal, Instrument, Quantity, Symbol};

use super::wire::Field;
use crate::error::WireError;

/// Contract sizes of one product's perpetual contracts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<Symbol, Decimal>);

/// Linear or inverse by OKX's naming: `BTC-USDT-SWAP` is linear, `BTC-USD-SWAP` is inverse. `None` for other contracts.
pub fn product_of(name: &str) -> Option<ContractType> {
    let family = name.strip_suffix("-SWAP")?;
    let (_, quote) = family.split_once('-')?;
    Some(if quote == "USD" { ContractType::Inverse } else { ContractType::Linear })
}

impl Sizes {
    /// From instruments and their contract sizes.
    pub fn new(all: impl IntoIterator<Item = (Symbol, Decimal)>) -> Self {
        Self(all.into_iter().collect())
    }

    /// Whether nothing has been read yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of one contract.
    pub fn get(&self, symbol: Symbol) -> Option<Decimal> {
        self.0.get(&symbol).copied()
    }

    /// An instrument by its field, with the size of one contract.
    pub fn of(&self, what: &'static str, field: &Field<'_>) -> Result<(Symbol, Decimal), WireError> {
        let symbol: Symbol = field.get(what, "instId")?;
        let size = self.get(symbol).ok_or(WireError::Invalid {
            what,
            field: "instId",
            expected: "an instrument of the list",
        })?;
        Ok((symbol, size))
    }

    /// A quantity of ours as a count of contracts. `None` for an unknown instrument.
    pub fn contracts(&self, symbol: Symbol, quantity: Quantity) -> Option<Quantity> {
        let count = quantity.get().checked_div(self.get(symbol)?)?;
        Quantity::new(count.normalize()).ok()
    }
}

/// So many contracts in our unit.
pub fn quantity_of(
    size: Decimal,
    contracts: Decimal,
    what: &'static str,
    field: &'static str,
) -> Result<Decimal, WireError> {
    let product = contracts.checked_mul(size).map(|value| value.normalize());
    product.ok_or(WireError::Invalid { what, field, expected: "small enough to compute with" })
}

/// An instrument with what one of its contracts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The instrument, in our unit.
    pub instrument: Instrument,
    /// Coins (linear) or dollars (inverse) of one contract.
    pub contract: Decimal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_contracts_of_a_hundredth_are_half_a_coin() {
        let symbol: Symbol = "BTC-USDT-SWAP".parse().unwrap();
        let sizes = Sizes::new([(symbol, Decimal::new(1, 2))]);
        let half: Quantity = "0.5".parse().unwrap();
        assert_eq!(sizes.contracts(symbol, half), "50".parse().ok());
        assert_eq!(quantity_of(Decimal::new(1, 2), Decimal::from(50), "x", "y"), Ok(half.get()));
        assert_eq!(sizes.contracts("ETH-USDT-SWAP".parse().unwrap(), half), None);
    }

    #[test]
    fn names_tell_the_product() {
        let cases = [
            ("BTC-USDT-SWAP", Some(ContractType::Linear)),
            ("BTC-USDC-SWAP", Some(ContractType::Linear)),
            ("BTC-USD-SWAP", Some(ContractType::Inverse)),
            ("BTC-USD-241227", None),
            ("BTC-USDT", None),
        ];
        for (name, expected) in cases {
            assert_eq!(product_of(name), expected, "{name}");
        }
    }
}
