//! Short texts that are copied like numbers: symbols, assets, ids a venue gives.
//!
//! They hold printable ASCII only, so that they can stand in a URL, a log line and a database column
//! without escaping. Longer or other text is refused at the edge where it enters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At most `N` bytes of printable ASCII without blanks. Never empty.
///
/// ```
/// use keyhold_domain::Symbol;
/// let symbol: Symbol = "BTCUSDT".parse().unwrap();
/// assert_eq!(symbol.as_str(), "BTCUSDT");
/// assert!("".parse::<Symbol>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortText<const N: usize> {
    /// The text, then zeros, which are no printable characters. No length stands beside it: texts are copied and compared
    /// far more often than read, and 30 or 64 bytes are copied in the same pieces in which they are compared.
    bytes: [u8; N],
}

/// The name of an instrument as its venue writes it, for example `BTCUSDT` or `XBTUSD`.
pub type Symbol = ShortText<30>;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// No character at all.
    #[error("is empty")]
    Empty,
    /// More bytes than the type holds.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A byte outside `!`..=`~`.
    #[error("holds a character that is not printable ASCII")]
    NotPrintable,
}

impl<const N: usize> ShortText<N> {
    /// Checks and copies a text.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Self::from_bytes(text.as_bytes())
    }

    /// Checks and copies the bytes of a text.
    pub fn from_bytes(text: &[u8]) -> Result<Self, TextError> {
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > N {
            return Err(TextError::TooLong(N));
        }
        // All are asked, so that the processor can ask several at once.
        if !text.iter().fold(true, |printable, byte| printable & byte.is_ascii_graphic()) {
            return Err(TextError::NotPrintable);
        }
        let mut bytes = [0; N];
        bytes[..text.len()].copy_from_slice(text);
        Ok(Self { bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let length = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.bytes[..length]).expect("only ASCII is ever stored")
    }
}

impl<const N: usize> FromStr for ShortText<N> {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

impl<const N: usize> fmt::Display for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl<const N: usize> Serialize for ShortText<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for ShortText<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Implements serde through the type's one text form (`Display` and `FromStr`).
#[macro_export]
macro_rules! serde_by_text {
    ($($type:ty),+ $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
