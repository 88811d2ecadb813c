//! Reading a venue's JSON leniently: every field optional, borrowed from the text, unknown fields ignored.
//!
//! A [`Field`] keeps what was there; asking it for a value names the record and the field in the error and never repeats
//! the value. Numbers are read from their digits, so that none ever passes through binary floating point. Knows no
//! venue; each has its records in its own `wire.rs`.

use std::borrow::Cow;

use keyhold_domain::{Decimal, Price, Quantity, ShortText, Timestamp};
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::WireError;

/// A JSON value of which only plain ones are of use.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Field<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Whole(i64),
    /// Another number, as it was written.
    Number(&'a str),
    /// True.
    True,
    /// False.
    False,
    /// A list, an object: nothing we take.
    Other,
}

impl Field<'_> {
    /// The text, or nothing.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// Absent or an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.is_empty(),
            Self::Whole(_) | Self::Number(_) | Self::True | Self::False | Self::Other => false,
        }
    }

    /// A whole number, written as number or as text.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            Self::Absent | Self::Number(_) | Self::True | Self::False | Self::Other => None,
        }
    }

    /// A value that must be there.
    pub fn get<T: FromField>(&self, what: &'static str, field: &'static str) -> Result<T, WireError> {
        if self.is_empty() {
            return Err(WireError::Missing { what, field });
        }
        T::from_field(self).ok_or(WireError::Invalid { what, field, expected: T::EXPECTED })
    }

    /// A value that may be absent or empty.
    pub fn maybe<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        if self.is_empty() { Ok(None) } else { self.get(what, field).map(Some) }
    }

    /// A value of which a venue writes zero for "none", such as a price.
    pub fn nonzero<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        let zero = Decimal::from_field(self).is_some_and(|value| value.is_zero());
        if zero { Ok(None) } else { self.maybe(what, field) }
    }
}

/// What a field can be read as.
pub trait FromField: Sized {
    /// For error texts: "is not ...".
    const EXPECTED: &'static str;

    /// The value, if the field holds one.
    fn from_field(field: &Field<'_>) -> Option<Self>;
}

impl FromField for Decimal {
    const EXPECTED: &'static str = "a decimal number";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        match field {
            Field::Text(text) => Self::from_str_exact(text).ok(),
            Field::Whole(value) => Some(Self::from(*value)),
            Field::Number(text) => Self::from_str_exact(text).ok().or_else(|| rounded(text)),
            Field::Absent | Field::True | Field::False | Field::Other => None,
        }
    }
}

/// A number with more digits than a decimal holds, or with an exponent: what is beyond the 28th place is rounded away.
/// Some venues write mark prices and rates as the floats that they compute with.
fn rounded(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let value: Decimal = mantissa.parse().ok()?;
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    if let Ok(times) = u32::try_from(exponent) {
        // No decimal has more than 29 digits; beyond that the multiplication fails anyway.
        return (0..times.min(60)).try_fold(value, |value, _| value.checked_mul(Decimal::TEN));
    }
    let shift = exponent.unsigned_abs();
    let mut value = value.round_dp(28_u32.saturating_sub(shift));
    let scale = value.scale().checked_add(shift)?;
    if scale > 28 {
        return Some(Decimal::ZERO);
    }
    value.set_scale(scale).ok()?;
    Some(value)
}

impl FromField for Price {
    const EXPECTED: &'static str = "a price";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        Decimal::from_field(field).and_then(|value| Self::new(value).ok())
    }
}

impl FromField for Quantity {
    const EXPECTED: &'static str = "a positive quantity";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        Decimal::from_field(field).and_then(|value| Self::new(value).ok())
    }
}

impl FromField for Timestamp {
    const EXPECTED: &'static str = "a time in milliseconds or by RFC 3339";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        let read = field.whole().map(Self::from_ms).or_else(|| field.text().parse().ok());
        read.filter(|at| *at > Self::EPOCH)
    }
}

impl FromField for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.whole()
    }
}

impl<const N: usize> FromField for ShortText<N> {
    const EXPECTED: &'static str = "a short text of printable ASCII";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        if let Field::Text(text) = field { Self::new(text).ok() } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: &'de RawValue = Deserialize::deserialize(deserializer)?;
        Ok(Self::of(raw.get()))
    }
}

impl<'a> Field<'a> {
    /// The value of a well-formed JSON text.
    fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'"') => text_of(text).map_or(Self::Other, Self::Text),
            Some(b'-' | b'0'..=b'9') => text.parse().map_or(Self::Number(text), Self::Whole),
            Some(b't') => Self::True,
            Some(b'f') => Self::False,
            Some(b'n') => Self::Absent,
            Some(_) | None => Self::Other,
        }
    }
}

/// What a JSON text says; `None` when it holds half a letter.
fn text_of(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Declares a record: field names of ours and of the wire.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $wire:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        pub struct $name<'a> {
            $(#[doc = concat!("`", $wire, "`")] #[serde(borrow, rename = $wire)] pub $field: $crate::common::field::Field<'a>,)+
        }
    };
}
pub(crate) use record;

/// Any JSON of ours to read.
pub fn json<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<T, WireError> {
    // The parser's own text may repeat what the message said; only the place is kept.
    serde_json::from_slice(text).map_err(|error| WireError::Malformed {
        what,
        line: error.line(),
        column: error.column(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit_and_never_meet_a_float() {
        let cases: &[(&str, Option<&str>)] = &[
            ("0.1", Some("0.1")),
            ("\"0.1\"", Some("0.1")),
            ("12345678901234567.123456789", Some("12345678901234567.123456789")),
            ("-7", Some("-7")),
            ("1e-8", Some("0.00000001")),
            ("99999999999999999999", Some("99999999999999999999")),
            ("-6.2604214e-11", Some("-0.000000000062604214")),
            ("1.5e+2", Some("150.0")),
            ("1e-40", Some("0")),
            ("1e99", None),
            ("0.123456789012345678901234567891", Some("0.1234567890123456789012345679")),
            ("true", None),
            ("[1]", None),
            ("{\"a\":1}", None),
            ("\"\\ud800\"", None),
        ];
        for (text, expected) in cases {
            let field: Field<'_> = json("test", text.as_bytes()).unwrap_or_default();
            let value = Decimal::from_field(&field).map(|value| value.to_string());
            assert_eq!(value.as_deref(), *expected, "{text}");
        }
        assert_eq!(json::<Field<'_>>("test", b"null"), Ok(Field::Absent));
        assert_eq!(json::<Field<'_>>("test", br#""a\u0062""#).unwrap().text(), "ab");
    }
}
