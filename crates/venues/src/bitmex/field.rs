//! One value of a JSON message, kept as the text that came.
//!
//! BitMEX writes prices and quantities as JSON numbers. Their digits are taken from the message itself, so that none
//! ever passes through binary floating point. Errors name record and field and never repeat the value.
//! Next: [`super::wire`].

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
    /// A number, as it was written.
    Number(&'a str),
    /// True.
    True,
    /// False.
    False,
    /// A list or an object: nothing we take.
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
            Self::Number(_) | Self::True | Self::False | Self::Other => false,
        }
    }

    /// A number, written as number or as text.
    pub fn decimal(&self) -> Option<Decimal> {
        let text = match self {
            Self::Number(text) => text,
            Self::Text(text) => text.as_ref(),
            Self::Absent | Self::True | Self::False | Self::Other => return None,
        };
        Decimal::from_str_exact(text).ok().or_else(|| Decimal::from_scientific(text).ok())
    }

    /// A value that must be there.
    pub fn get<T: FromField>(&self, what: &'static str, field: &'static str) -> Result<T, WireError> {
        if self.is_empty() {
            return Err(WireError::Missing { what, field });
        }
        T::from_field(self).ok_or(WireError::Invalid { what, field, expected: T::EXPECTED })
    }

    /// A value that may be absent, null or empty.
    pub fn maybe<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        if self.is_empty() { Ok(None) } else { self.get(what, field).map(Some) }
    }

    /// A value for which zero stands for "none", such as the entry price of a flat position.
    pub fn nonzero<T: FromField>(
        &self,
        what: &'static str,
        field: &'static str,
    ) -> Result<Option<T>, WireError> {
        let zero = self.decimal().is_some_and(|value| value.is_zero());
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
        field.decimal()
    }
}

impl FromField for Price {
    const EXPECTED: &'static str = "a price";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.decimal().and_then(|value| Self::new(value).ok())
    }
}

impl FromField for Quantity {
    const EXPECTED: &'static str = "a positive quantity";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.decimal().and_then(|value| Self::new(value).ok())
    }
}

impl FromField for Timestamp {
    const EXPECTED: &'static str = "a time in ISO 8601";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        field.text().parse().ok().filter(|at| *at > Self::EPOCH)
    }
}

impl FromField for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_field(field: &Field<'_>) -> Option<Self> {
        match field {
            Field::True => Some(true),
            Field::False => Some(false),
            Field::Absent | Field::Text(_) | Field::Number(_) | Field::Other => None,
        }
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
        <&'de RawValue>::deserialize(deserializer).map(|raw| of_text(raw.get()))
    }
}

/// Reads the text of one JSON value.
fn of_text(text: &str) -> Field<'_> {
    match text.as_bytes() {
        b"null" => Field::Absent,
        b"true" => Field::True,
        b"false" => Field::False,
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            Field::Text(Cow::Borrowed(&text[1..text.len() - 1]))
        }
        [b'"', ..] => {
            serde_json::from_str::<String>(text).map_or(Field::Other, |text| Field::Text(Cow::Owned(text)))
        }
        [b'-' | b'0'..=b'9', ..] => Field::Number(text),
        _ => Field::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_as_they_were_written() {
        let list: Vec<Field<'_>> = serde_json::from_str(
            r#"[null, true, false, "a", "a\"b", -0.0010890000000000001, 1e-8, [1], {"a":1}]"#,
        )
        .unwrap();
        let text = |text: &'static str| Field::Text(Cow::Borrowed(text));
        let expected = [
            Field::Absent,
            Field::True,
            Field::False,
            text("a"),
            text("a\"b"),
            Field::Number("-0.0010890000000000001"),
            Field::Number("1e-8"),
            Field::Other,
            Field::Other,
        ];
        assert_eq!(list, expected);
        assert_eq!(list[5].decimal(), Some("-0.0010890000000000001".parse().unwrap()));
        assert_eq!(list[6].decimal(), Some(Decimal::new(1, 8)));
        assert_eq!(list[3].decimal(), None);
    }
}
