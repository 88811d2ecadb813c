//! Amounts of an asset. Amounts of different assets cannot be added.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::price::NumberError;
use crate::{ShortText, exact};

/// The code of a currency or coin, for example `USDT` or `BTC`.
pub type Asset = ShortText<12>;

/// A signed amount of one asset.
///
/// ```
/// use keyhold_domain::Money;
/// let usdt = |text: &str| Money::new(text.parse().unwrap(), "USDT".parse().unwrap());
/// assert_eq!(usdt("1.5").checked_add(usdt("2")).unwrap(), usdt("3.5"));
/// let btc = Money::new("1".parse().unwrap(), "BTC".parse().unwrap());
/// assert!(btc.checked_add(usdt("1")).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// How much; may be negative.
    #[serde(with = "decimal_text")]
    pub amount: Decimal,
    /// Of what.
    pub asset: Asset,
}

/// Why two amounts could not be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The two amounts are of different assets.
    #[error("cannot combine {0} with {1}")]
    DifferentAssets(Asset, Asset),
    /// More than a decimal holds (28 digits).
    #[error("is too large to compute with")]
    Overflow,
}

impl Money {
    /// An amount of an asset.
    pub const fn new(amount: Decimal, asset: Asset) -> Self {
        Self { amount, asset }
    }

    /// Nothing of an asset.
    pub const fn zero(asset: Asset) -> Self {
        Self { amount: Decimal::ZERO, asset }
    }

    /// The sum. Fails on different assets and on overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.asset != other.asset {
            return Err(MoneyError::DifferentAssets(self.asset, other.asset));
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, asset: self.asset })
    }

    /// The difference. Fails on different assets and on overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(Self { amount: -other.amount, asset: other.asset })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.normalize(), self.asset)
    }
}
impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A fraction, for example a fee of 0.0005 (0.05 %) or a funding rate. May be negative (rebates).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(Decimal);

impl Rate {
    /// No charge.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// From a fraction (not percent).
    pub const fn new(fraction: Decimal) -> Self {
        Self(fraction)
    }

    /// The fraction.
    pub const fn get(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}
impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Rate {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        Decimal::from_str_exact(text).map(Self).map_err(|_| NumberError::NotANumber)
    }
}

crate::serde_by_text!(Rate);

/// `part / whole`, rounded to so many places, halves to the even digit. `None` on overflow and when `whole` is zero.
///
/// ```
/// use keyhold_domain::{Decimal, money::quotient};
/// let d = |text: &str| text.parse::<Decimal>().unwrap();
/// assert_eq!(quotient(d("2"), d("3"), 4), Some(d("0.6667")));
/// assert_eq!(quotient(d("2"), d("0"), 4), None);
/// ```
pub fn quotient(part: Decimal, whole: Decimal, places: u32) -> Option<Decimal> {
    exact::quotient(part, whole, places)
        .or_else(|| part.checked_div(whole).map(|quotient| quotient.round_dp(places)))
}

/// Serde of a bare decimal as text, for `#[serde(with = "keyhold_domain::money::decimal_text")]`.
pub mod decimal_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the shortest text of the number.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&value.normalize())
    }

    /// Reads decimal text exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(|_| serde::de::Error::custom("is not a decimal number"))
    }
}

/// The same for optional decimals.
pub mod optional_decimal_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the shortest text of the number, or null.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(&value.normalize()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads decimal text exactly, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        let text = <Option<std::borrow::Cow<'de, str>>>::deserialize(deserializer)?;
        text.map(|text| {
            Decimal::from_str_exact(&text).map_err(|_| serde::de::Error::custom("is not a decimal number"))
        })
        .transpose()
    }
}
