//! Prices and quantities: decimals that are always positive, and the signed size of a position.
//!
//! Rounding always names its direction and its grid; it happens in [`crate::Instrument`].

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

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
        if step <= Decimal::ZERO {
            return None;
        }
        if let Some(rounded) = self.in_integers(value, step) {
            return Some(rounded);
        }
        let strategy = match self {
            Self::Down => RoundingStrategy::ToZero,
            Self::Up => RoundingStrategy::AwayFromZero,
            Self::Nearest => RoundingStrategy::MidpointAwayFromZero,
        };
        let steps = value.checked_div(step)?.round_dp_with_strategy(0, strategy);
        Some(steps.checked_mul(step)?.normalize())
    }

    /// The same with both numbers as whole multiples of one power of ten: exact and much faster. `None` when they are
    /// too far apart for 128 bits.
    fn in_integers(self, value: Decimal, step: Decimal) -> Option<Decimal> {
        let scale = value.scale().max(step.scale());
        let on_scale =
            |number: Decimal| number.mantissa().checked_mul(10_i128.checked_pow(scale - number.scale())?);
        let (whole, step) = (on_scale(value)?, on_scale(step)?);
        let (down, rest) = (whole / step, whole % step);
        let away = match self {
            Self::Down => false,
            Self::Up => rest != 0,
            Self::Nearest => rest.unsigned_abs() >= step.unsigned_abs() - rest.unsigned_abs(),
        };
        let steps = if away { down + whole.signum() } else { down };
        Some(Decimal::try_from_i128_with_scale(steps.checked_mul(step)?, scale).ok()?.normalize())
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

/// Compares as [`Decimal`] does, several times faster for numbers of the same scale or of up to 19 digits, as prices are.
#[inline]
fn compare(a: Decimal, b: Decimal) -> Ordering {
    if a.scale() == b.scale() { a.mantissa().cmp(&b.mantissa()) } else { compare_scales(a, b) }
}

/// Widens the number of the smaller scale to the other's scale, in exact integers.
fn compare_scales(a: Decimal, b: Decimal) -> Ordering {
    let small = |value: Decimal| i64::try_from(value.mantissa()).ok();
    let factor = |digits: u32| 10_i64.checked_pow(digits);
    let widened = || {
        let (left, right) = (small(a)?, small(b)?);
        let apart = factor(a.scale().abs_diff(b.scale()))?;
        Some(if a.scale() < b.scale() {
            (i128::from(left) * i128::from(apart)).cmp(&i128::from(right))
        } else {
            i128::from(left).cmp(&(i128::from(right) * i128::from(apart)))
        })
    };
    widened().unwrap_or_else(|| a.cmp(&b))
}

macro_rules! positive_decimal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(Decimal);

        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                compare(self.0, other.0)
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
                if value > Decimal::ZERO { Ok(Self(value)) } else { Err(NumberError::NotPositive) }
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
        match self.0.cmp(&Decimal::ZERO) {
            Ordering::Greater => Some(crate::Side::Buy),
            Ordering::Less => Some(crate::Side::Sell),
            Ordering::Equal => None,
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

    /// Every pair of many numbers of all sizes and scales is ordered as decimals are.
    #[test]
    fn prices_are_ordered_as_decimals_are() {
        let mut numbers = Vec::new();
        for mantissa in [1, 2, 9, 10, 11, 999, 1000, 3_000_012, i64::MAX - 1, i64::MAX] {
            for scale in [0, 1, 2, 3, 8, 18, 19, 27, 28] {
                numbers.push(Decimal::new(mantissa, scale));
            }
        }
        numbers.extend([
            Decimal::MAX,
            Decimal::MAX - Decimal::ONE,
            Decimal::from_i128_with_scale(1 << 90, 20),
        ]);
        for a in &numbers {
            for b in &numbers {
                let (left, right) = (Price::new(*a).unwrap(), Price::new(*b).unwrap());
                assert_eq!(left.cmp(&right), a.cmp(b), "{a} {b}");
                assert_eq!(left == right, a == b, "{a} {b}");
            }
        }
    }

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

    /// Both ways of rounding, on numbers whose quotient has few enough digits for decimals.
    #[test]
    fn rounding_in_integers_is_rounding_in_decimals() {
        let strategies = [
            (Rounding::Down, RoundingStrategy::ToZero),
            (Rounding::Up, RoundingStrategy::AwayFromZero),
            (Rounding::Nearest, RoundingStrategy::MidpointAwayFromZero),
        ];
        let steps = [(1, 2), (5, 1), (25, 2), (1, 0), (10, 0), (1, 8)];
        for (mantissa, scale) in steps {
            let step = Decimal::new(mantissa, scale);
            for value in (-2_000_000..2_000_000).step_by(7919).chain([0, 5, 15, 25, 125, -125, 12_500_000]) {
                for digits in [0, 3, 6] {
                    let value = Decimal::new(value, digits);
                    for (rounding, strategy) in strategies {
                        let expected = (value / step).round_dp_with_strategy(0, strategy) * step;
                        assert_eq!(
                            rounding.in_integers(value, step),
                            Some(expected),
                            "{rounding:?} {value} {step}"
                        );
                    }
                }
            }
        }
        assert_eq!(Rounding::Down.in_integers(Decimal::MAX, Decimal::new(1, 28)), None);
    }
}
