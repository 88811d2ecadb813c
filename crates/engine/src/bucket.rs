//! Longer spans of time, aligned to UTC, into which closed candles fall: a higher candle, a day, a session's day.
//!
//! Only the arithmetic of opening times. It keeps no prices and reads no clock; whatever builds higher candles or starts
//! anew every day asks it where a candle belongs.

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;

/// Where a candle stands in its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first candle seen in a new span, opening exactly when the span begins.
    Begins,
    /// The first candle seen in a new span, which has begun earlier: the history starts in its midst, or candles are
    /// missing.
    BeginsLate,
    /// In the same span as the candle before.
    Continues,
}

/// Follows the spans of equal length into which a row of candles falls.
///
/// ```
/// use keyhold_domain::{Timeframe, Timestamp};
/// use keyhold_engine::bucket::{Buckets, Place};
/// let mut hours = Buckets::of(Timeframe::H1);
/// let minute = |number: i64| Timestamp::from_ms(number * 60_000);
/// assert_eq!(hours.enter(minute(59)), Place::BeginsLate);
/// assert!(hours.ends_by(minute(60)));
/// assert_eq!(hours.enter(minute(60)), Place::Begins);
/// assert_eq!(hours.enter(minute(61)), Place::Continues);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    length_ms: i64,
    /// When a span begins, counted from the epoch; below the length.
    shift_ms: i64,
    /// When the span of the newest candle began.
    start: Option<Timestamp>,
}

impl Buckets {
    /// The candles of a timeframe.
    pub const fn of(timeframe: Timeframe) -> Self {
        Self { length_ms: timeframe.ms(), shift_ms: 0, start: None }
    }

    /// Days of 24 hours that begin at a minute after 00:00 UTC; minutes beyond a day count from the next.
    pub const fn days_from(minute_of_day: u32) -> Self {
        Self { length_ms: DAY_MS, shift_ms: (minute_of_day as i64 * MINUTE_MS) % DAY_MS, start: None }
    }

    /// Takes in the opening time of the next candle; candles come in the order of time, some may be missing.
    pub fn enter(&mut self, open_time: Timestamp) -> Place {
        // Almost every candle stays in its span: the division is for the others.
        if self.start.is_some_and(|start| open_time.since_ms(start) < self.length_ms) {
            return Place::Continues;
        }
        let late = (open_time.ms() - self.shift_ms).rem_euclid(self.length_ms);
        self.start = Some(open_time.plus_ms(-late));
        if late == 0 { Place::Begins } else { Place::BeginsLate }
    }

    /// When the span of the newest candle began; `None` before the first candle.
    pub const fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Whether the span of the newest candle is over at `at`. A candle that closes at the end of its span is its last.
    pub fn ends_by(&self, at: Timestamp) -> bool {
        self.start.is_some_and(|start| at.since_ms(start) >= self.length_ms)
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{Timeframe, Timestamp};

    use super::Buckets;
    use super::Place::{Begins, BeginsLate, Continues};

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp::from_ms((60 * hour + minute) * 60_000)
    }

    #[test]
    fn every_candle_lies_in_the_span_that_the_clock_says() {
        for (timeframe, minutes) in [(Timeframe::M15, 15), (Timeframe::H4, 240), (Timeframe::D1, 1440)] {
            let mut buckets = Buckets::of(timeframe);
            for minute in (-3_000..3_000).filter(|minute| minute % 7 != 0) {
                let place = buckets.enter(at(0, minute));
                let start = minute - minute.rem_euclid(minutes);
                assert_eq!(buckets.start(), Some(at(0, start)), "{timeframe} at {minute}");
                assert_eq!(place == Begins, minute == start, "{timeframe} at {minute}");
                assert_eq!(buckets.ends_by(at(0, minute + 1)), minute + 1 == start + minutes);
            }
        }
    }

    #[test]
    fn missing_candles_are_told_from_a_punctual_begin() {
        let mut hours = Buckets::of(Timeframe::H1);
        let places = [(0, 30), (0, 45), (1, 0), (1, 15), (3, 15), (3, 30), (5, 0)]
            .map(|(hour, minute)| hours.enter(at(hour, minute)));
        assert_eq!(places, [BeginsLate, Continues, Begins, Continues, BeginsLate, Continues, Begins]);
    }

    #[test]
    fn a_day_may_begin_at_another_hour() {
        let mut days = Buckets::days_from(13 * 60 + 30);
        assert_eq!(days.enter(at(13, 29)), BeginsLate);
        assert_eq!(days.start(), Some(at(-24 + 13, 30)));
        assert!(days.ends_by(at(13, 30)));
        assert_eq!(days.enter(at(13, 30)), Begins);
        assert_eq!(days.enter(at(24 + 13, 29)), Continues);
        assert_eq!(days.enter(at(24 + 13, 30)), Begins);
    }
}
