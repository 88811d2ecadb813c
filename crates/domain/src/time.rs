//! Instants. Nothing here reads a clock; only the programs' `clock.rs` files do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds in one day.
pub const DAY_MS: i64 = 86_400_000;

/// A UTC instant in whole milliseconds since the Unix epoch. Leap seconds are not represented.
///
/// ```
/// use keyhold_domain::Timestamp;
/// let at = Timestamp::from_ms(1_640_991_660_000);
/// assert_eq!(at.to_string(), "2021-12-31T23:01:00.000Z");
/// assert_eq!(at.start_of_day().to_string(), "2021-12-31T00:00:00.000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// This instant moved by a signed number of milliseconds; saturates at the ends of the range.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This instant moved forward; saturates.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// 00:00 UTC of the same day.
    pub const fn start_of_day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MS))
    }

    /// 00:00 UTC of the Monday of the same week.
    pub const fn start_of_week(self) -> Self {
        Self(self.start_of_day().0 - (self.weekday() as i64) * DAY_MS)
    }

    /// Milliseconds since 00:00 UTC, 0..86,400,000.
    pub const fn ms_of_day(self) -> i64 {
        self.0.rem_euclid(DAY_MS)
    }

    /// Day of the week, Monday = 0 .. Sunday = 6. The epoch was a Thursday.
    pub const fn weekday(self) -> u8 {
        let day = (self.0.div_euclid(DAY_MS) + 3).rem_euclid(7);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=6 by construction")]
        {
            day as u8
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// The text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time: RFC 3339 with an offset is expected")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339 with an offset; parts of a millisecond are cut off.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let at = text.parse::<jiff::Timestamp>().map_err(|_| TimestampError)?;
        Ok(Self(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_text() {
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Timestamp::EPOCH));
        assert_eq!("2021-12-31T23:01:00.000Z".parse(), Ok(Timestamp::from_ms(1_640_991_660_000)));
        assert!("2021-12-31".parse::<Timestamp>().is_err());
    }

    #[test]
    fn weekdays_follow_the_calendar() {
        // 2024-01-01 was a Monday, 2022-01-01 a Saturday.
        assert_eq!(Timestamp::from_ms(1_704_067_200_000).weekday(), 0);
        assert_eq!(Timestamp::from_ms(1_640_995_200_000).weekday(), 5);
        assert_eq!(Timestamp::from_ms(-1).weekday(), 2);
        assert_eq!(
            Timestamp::from_ms(1_640_995_200_000).start_of_week().to_string(),
            "2021-12-27T00:00:00.000Z"
        );
    }
}
