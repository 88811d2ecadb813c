//! Prices and quantities: decimals that are always positive, and the signed size of a position.
//!
//! Rounding always names its direction and its grid; it happens in [`crate::Instrument`].

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::exact::{self, Toward};

/// Which way a number goes when it does not lie on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Toward zero.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest step, halves away from zero.
    Nearest,
}

impl Rounding {
    /// `value` on the grid of multiples of `step`. `None` when `step` is not positive or on overflow.
    pub fn to_step(self, value: Decimal, step: Decimal) -> Option<Decimal> {
        self.quotient_to_step(value, Decimal::ONE, step)
    }

    /// `part / whole` on the grid of multiples of `step`. `None` when `step` is not positive, `whole` is zero or on
    /// overflow.
    pub fn quotient_to_step(self, part: Decimal, whole: Decimal, step: Decimal) -> Option<Decimal> {
        if step.is_zero() || step.is_sign_negative() {
            return None;
        }
        let toward = match self {
            Self::Down => Toward::Zero,
            Self::Up => Toward::Infinity,
            Self::Nearest => Toward::NearestAway,
        };
        if let Some(rounded) = exact::quotient_to_step(part, whole, step, toward) {
            return Some(rounded);
        }
        let strategy = match self {
            Self::Down => RoundingStrategy::ToZero,
            Self::Up => RoundingStrategy::AwayFromZero,
            Self::Nearest => RoundingStrategy::MidpointAwayFromZero,
        };
        let steps = part.checked_div(whole)?.checked_div(step)?.round_dp_with_strategy(0, strategy);
        Some(steps.checked_mul(step)?.normalize())
    }
}

/// Why a number was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Zero or below where only positive numbers make sense.
    #[error("must be greater than zero")]
    NotPositive,
    /// Not a decimal number.
    #[error("is not a decimal number")]
    NotANumber,
}

macro_rules! positive_decimal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(Decimal);

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                crate::exact::compare(self.0, other.0)
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// Accepts any decimal greater than zero.
            pub fn new(value: Decimal) -> Result<Self, NumberError> {
                if value.is_zero() || value.is_sign_negative() { Err(NumberError::NotPositive) } else { Ok(Self(value)) }
            }

            /// The number.
            pub const fn get(self) -> Decimal {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.normalize())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.normalize())
            }
        }

        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> {
                let value = Decimal::from_str_exact(text).map_err(|_| NumberError::NotANumber)?;
                Self::new(value)
            }
        }

        crate::serde_by_text!($name);
    };
}

positive_decimal! {
    /// Quote currency per unit of base. Always greater than zero.
    ///
    /// ```
    /// use keyhold_domain::Price;
    /// assert_eq!("46319.50".parse::<Price>().unwrap().to_string(), "46319.5");
    /// assert!("0".parse::<Price>().is_err());
    /// ```
    Price
}

positive_decimal! {
    /// An order's or fill's size in the venue's unit: base units or contracts for linear instruments,
    /// quote units (USD) or contracts for inverse ones. Always greater than zero.
    ///
    /// ```
    /// use keyhold_domain::Quantity;
    /// assert!("-1".parse::<Quantity>().is_err());
    /// ```
    Quantity
}

/// A position's size: positive when long, negative when short, zero when flat.
///
/// ```
/// use keyhold_domain::{Side, SignedQuantity};
/// let short: SignedQuantity = "-0.5".parse().unwrap();
/// assert_eq!(short.side(), Some(Side::Sell));
/// assert_eq!(short.magnitude().unwrap().to_string(), "0.5");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SignedQuantity(Decimal);

impl SignedQuantity {
    /// No position.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Any decimal.
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    /// A quantity bought (positive) or sold (negative).
    pub fn of(side: crate::Side, quantity: Quantity) -> Self {
        match side {
            crate::Side::Buy => Self(quantity.get()),
            crate::Side::Sell => Self(-quantity.get()),
        }
    }

    /// The number.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Neither long nor short.
    pub fn is_flat(self) -> bool {
        self.0.is_zero()
    }

    /// The side that opened it; `None` when flat.
    pub fn side(self) -> Option<crate::Side> {
        if exact::is_positive(self.0) {
            Some(crate::Side::Buy)
        } else if exact::is_negative(self.0) {
            Some(crate::Side::Sell)
        } else {
            None
        }
    }

    /// The size without its sign; `None` when flat.
    pub fn magnitude(self) -> Option<Quantity> {
        Quantity::new(self.0.abs()).ok()
    }
}

impl fmt::Display for SignedQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}
impl fmt::Debug for SignedQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}
impl FromStr for SignedQuantity {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        Decimal::from_str_exact(text).map(Self).map_err(|_| NumberError::NotANumber)
    }
}

crate::serde_by_text!(SignedQuantity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_names_its_direction() {
        let d = |text: &str| Decimal::from_str_exact(text).unwrap();
        let cases = [
            (Rounding::Down, "1.29", "0.1", "1.2"),
            (Rounding::Up, "1.21", "0.1", "1.3"),
            (Rounding::Nearest, "1.25", "0.1", "1.3"),
            (Rounding::Down, "-1.29", "0.1", "-1.2"),
            (Rounding::Down, "100.7", "0.5", "100.5"),
            (Rounding::Up, "100.5", "0.5", "100.5"),
        ];
        for (rounding, value, step, expected) in cases {
            assert_eq!(
                rounding.to_step(d(value), d(step)),
                Some(d(expected)),
                "{rounding:?} {value} by {step}"
            );
        }
        assert_eq!(Rounding::Down.to_step(d("1"), Decimal::ZERO), None);
    }
}
