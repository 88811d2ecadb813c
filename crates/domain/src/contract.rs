//! Linear and inverse contracts: the arithmetic of profit, value and average entry.
//!
//! Formulas: with q the signed quantity, m the multiplier, e the entry and x the exit price,
//! linear profit is `q·m·(x − e)` in quote currency and inverse profit is `q·m·(1/e − 1/x)` in base currency.
//! The average entry of a linear position is the arithmetic mean, of an inverse one the harmonic mean.

use rust_decimal::Decimal;

use crate::exchange::words;
use crate::{Price, Quantity, SignedQuantity, exact};

words! {
    /// In what a contract is settled. It decides how profit and size are computed.
    ContractType, ContractTypeError, "contract type",
    /// Settled in a stable coin such as USDT.
    Linear = "linear",
    /// Settled in the coin itself such as BTC.
    Inverse = "inverse",
}

impl ContractType {
    /// The number that stands for the type inside an envelope's context. Never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::Linear => 1,
            Self::Inverse => 2,
        }
    }
}

/// A contract's type and what one unit of quantity is worth.
///
/// ```
/// use keyhold_domain::{Contract, Decimal, SignedQuantity};
/// let inverse = Contract::Inverse { multiplier: Decimal::ONE };
/// let profit = inverse
///     .profit("50000".parse().unwrap(), "55000".parse().unwrap(), "10000".parse().unwrap())
///     .unwrap();
/// assert_eq!(profit.round_dp(8).to_string(), "0.01818182");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// `multiplier` base units per unit of quantity.
    Linear {
        /// Base units per unit of quantity; greater than zero.
        multiplier: Decimal,
    },
    /// `multiplier` quote units (USD) per unit of quantity.
    Inverse {
        /// Quote units per unit of quantity; greater than zero.
        multiplier: Decimal,
    },
}

impl Contract {
    /// The type without the multiplier.
    pub const fn contract_type(self) -> ContractType {
        match self {
            Self::Linear { .. } => ContractType::Linear,
            Self::Inverse { .. } => ContractType::Inverse,
        }
    }

    /// What one unit of quantity is worth, in base (linear) or quote (inverse) units.
    pub const fn multiplier(self) -> Decimal {
        match self {
            Self::Linear { multiplier } | Self::Inverse { multiplier } => multiplier,
        }
    }

    /// Profit in the settlement asset of holding `size` from `entry` to `exit`. `None` on overflow.
    #[inline]
    pub fn profit(self, entry: Price, exit: Price, size: SignedQuantity) -> Option<Decimal> {
        match self {
            Self::Linear { multiplier } => {
                match exact::linear_profit(size.get(), multiplier, entry.get(), exit.get()) {
                    Some(profit) => Some(profit),
                    None => self.long_profit(entry, exit, size),
                }
            }
            Self::Inverse { .. } => self.long_profit(entry, exit, size),
        }
    }

    /// The same in decimals, out of line.
    #[inline(never)]
    fn long_profit(self, entry: Price, exit: Price, size: SignedQuantity) -> Option<Decimal> {
        let move_ = exit.get().checked_sub(entry.get())?;
        let worth = size.get().checked_mul(self.multiplier())?.checked_mul(move_)?;
        match self {
            Self::Linear { .. } => Some(worth),
            // q·m·(x − e)/(e·x): one division, so nothing is lost where 1/e and 1/x would both be rounded.
            Self::Inverse { .. } => worth.checked_div(entry.get().checked_mul(exit.get())?),
        }
    }

    /// [`Self::profit`], or `otherwise` on overflow: for what is asked on every candle.
    #[allow(clippy::inline_always, reason = "see `exact::saturating_add`")]
    #[inline(always)]
    pub fn profit_or(
        self,
        (entry, exit): (Price, Price),
        size: SignedQuantity,
        otherwise: Decimal,
    ) -> Decimal {
        if let Self::Linear { multiplier } = self
            && let Some(profit) = exact::linear_profit(size.get(), multiplier, entry.get(), exit.get())
        {
            return profit;
        }
        self.long_profit(entry, exit, size).unwrap_or(otherwise)
    }

    /// Value of `quantity` at `price` in the settlement asset, without sign. `None` on overflow.
    pub fn value(self, price: Price, quantity: Quantity) -> Option<Decimal> {
        match self {
            Self::Linear { .. } => self.quote_value(price, quantity),
            Self::Inverse { multiplier } => quantity.get().checked_mul(multiplier)?.checked_div(price.get()),
        }
    }

    /// Value of `quantity` at `price` in quote currency (USD-like), without sign. `None` on overflow.
    pub fn quote_value(self, price: Price, quantity: Quantity) -> Option<Decimal> {
        match self {
            Self::Linear { multiplier } => match exact::product(quantity.get(), multiplier, price.get()) {
                Some(value) => Some(value),
                None => quantity.get().checked_mul(multiplier)?.checked_mul(price.get()),
            },
            Self::Inverse { multiplier } => quantity.get().checked_mul(multiplier),
        }
    }

    /// The unrounded quantity that is worth `quote` quote units at `price`. `None` on overflow or when not positive.
    pub fn quantity_for_quote(self, quote: Decimal, price: Price) -> Option<Decimal> {
        let raw = match self {
            Self::Linear { multiplier } => quote.checked_div(price.get().checked_mul(multiplier)?)?,
            Self::Inverse { multiplier } => quote.checked_div(multiplier)?,
        };
        (raw > Decimal::ZERO).then_some(raw)
    }

    /// Entry price after adding `added` at `at` to `held` at `entry`, both on the same side.
    pub fn average_entry(self, entry: Price, held: Quantity, at: Price, added: Quantity) -> Option<Price> {
        let total = held.get().checked_add(added.get())?;
        let average = match self {
            Self::Linear { .. } => {
                let cost =
                    entry.get().checked_mul(held.get())?.checked_add(at.get().checked_mul(added.get())?)?;
                cost.checked_div(total)?
            }
            Self::Inverse { .. } => {
                let coins =
                    held.get().checked_div(entry.get())?.checked_add(added.get().checked_div(at.get())?)?;
                total.checked_div(coins)?
            }
        };
        Price::new(average).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }
    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }
    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    /// (contract, size, entry, exit, profit rounded to 8 places), computed by hand.
    #[test]
    fn profits_match_hand_computed_examples() {
        let linear = |m: &str| Contract::Linear { multiplier: d(m) };
        let inverse = |m: &str| Contract::Inverse { multiplier: d(m) };
        let cases = [
            (linear("1"), "0.5", "60000", "61000", "500"),
            (linear("0.01"), "50", "60000", "61000", "500"),
            (linear("0.001"), "500", "60000", "61000", "500"),
            (linear("1"), "-0.5", "60000", "61000", "-500"),
            (inverse("1"), "10000", "50000", "55000", "0.01818182"),
            (inverse("100"), "100", "50000", "55000", "0.01818182"),
            (inverse("1"), "-10000", "50000", "55000", "-0.01818182"),
        ];
        for (contract, size, entry, exit, expected) in cases {
            let profit = contract.profit(price(entry), price(exit), size.parse().unwrap()).unwrap();
            assert_eq!(profit.round_dp(8), d(expected), "{contract:?} {size} from {entry} to {exit}");
        }
    }

    #[test]
    fn inverse_average_is_harmonic() {
        let inverse = Contract::Inverse { multiplier: Decimal::ONE };
        let average = inverse
            .average_entry(price("50000"), quantity("10000"), price("40000"), quantity("10000"))
            .unwrap();
        assert_eq!(average.get().round_dp(2), d("44444.44"));
        let linear = Contract::Linear { multiplier: Decimal::ONE };
        let average =
            linear.average_entry(price("50000"), quantity("1"), price("40000"), quantity("1")).unwrap();
        assert_eq!(average.get(), d("45000"));
    }

    #[test]
    fn sizes_match_hand_computed_examples() {
        let linear = Contract::Linear { multiplier: d("1") };
        assert_eq!(linear.quantity_for_quote(d("1000"), price("50000")), Some(d("0.02")));
        let inverse = Contract::Inverse { multiplier: d("100") };
        assert_eq!(inverse.quantity_for_quote(d("1000"), price("50000")), Some(d("10")));
        assert_eq!(inverse.value(price("50000"), quantity("10")), Some(d("0.02")));
        assert_eq!(linear.quantity_for_quote(Decimal::ZERO, price("50000")), None);
    }
}
