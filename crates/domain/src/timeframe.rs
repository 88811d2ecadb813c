//! The lengths of candles that templates may use.

use std::fmt;
use std::str::FromStr;

use crate::Timestamp;

macro_rules! timeframes {
    ($($name:ident $text:literal $minutes:literal),+ $(,)?) => {
        /// The length of a candle. Candles are aligned to the Unix epoch in UTC.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Timeframe { $(#[doc = $text] $name),+ }

        impl Timeframe {
            /// Every timeframe, shortest first.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Length in milliseconds.
            pub const fn ms(self) -> i64 {
                match self { $(Self::$name => $minutes * 60_000),+ }
            }

            /// The usual short name, for example `15m`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

timeframes! {
    M1 "1m" 1, M3 "3m" 3, M5 "5m" 5, M15 "15m" 15, M30 "30m" 30,
    H1 "1h" 60, H2 "2h" 120, H4 "4h" 240, H6 "6h" 360, H12 "12h" 720, D1 "1d" 1440,
}

impl Timeframe {
    /// The opening time of the candle that holds `at`.
    pub const fn open_of(self, at: Timestamp) -> Timestamp {
        Timestamp::from_ms(at.ms() - at.ms().rem_euclid(self.ms()))
    }
}

/// The text names no timeframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a timeframe: one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d is expected")]
pub struct TimeframeError;

impl FromStr for Timeframe {
    type Err = TimeframeError;
    fn from_str(text: &str) -> Result<Self, TimeframeError> {
        Self::ALL.iter().copied().find(|frame| frame.as_str() == text).ok_or(TimeframeError)
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

crate::serde_by_text!(Timeframe);
