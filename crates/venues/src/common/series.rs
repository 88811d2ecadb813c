//! Keeping a series of candles in order: each closed candle once, oldest first, missing ones fetched or reported.
//!
//! Pure. [`super::market_feed`] does the fetching.

use keyhold_domain::{Candle, Timestamp};

use crate::event::{CandleOrigin, MarketEvent};
use crate::port::Series;

/// Candles fetched at most to close one gap; what lies further back is reported as missing.
pub const LONGEST_FILL: i64 = 5_000;

/// Opening times from `from` up to and without `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// First opening time.
    pub from: Timestamp,
    /// End, exclusive.
    pub until: Timestamp,
}

/// What a series has delivered so far.
#[derive(Debug, Clone)]
pub struct Tracker {
    series: Series,
    last: Option<Timestamp>,
}

impl Tracker {
    /// A series that continues after what the program has.
    pub fn new(series: Series) -> Self {
        Self { last: series.after, series }
    }

    /// Which series.
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// A series without a past begins with the candle that opens at `open`.
    pub fn begin_before(&mut self, open: Timestamp) {
        self.last.get_or_insert(open.plus_ms(-self.series.timeframe.ms()));
    }

    /// What must be fetched before a candle that opens at `open` may be delivered.
    pub fn missing_before(&self, open: Timestamp) -> Option<Missing> {
        let step = self.series.timeframe.ms();
        let from = self.last?.plus_ms(step);
        let earliest = open.plus_ms(-step * LONGEST_FILL);
        (from < open).then_some(Missing { from: from.max(earliest), until: open })
    }

    /// What should have closed by now and has not come, `late_ms` after its time.
    pub fn overdue(&self, now: Timestamp, late_ms: i64) -> Option<Missing> {
        let open = self.series.timeframe.open_of(now.plus_ms(-late_ms));
        self.missing_before(open)
    }

    /// When the next candle is overdue, so long after its close. Of a series without a past nothing is awaited.
    pub fn due(&self, late_ms: i64) -> Option<Timestamp> {
        Some(self.last?.plus_ms(2 * self.series.timeframe.ms()).plus_ms(late_ms))
    }

    /// Takes a closed candle: nothing when it is known, a gap before it when some are missing, and the candle.
    pub fn take(&mut self, candle: Candle, origin: CandleOrigin) -> Vec<MarketEvent> {
        let Series { symbol, timeframe, .. } = self.series;
        let open = candle.open_time;
        let expected = self.last.map(|last| last.plus_ms(timeframe.ms()));
        if expected.is_some_and(|expected| open < expected) {
            return vec![];
        }
        let mut events = vec![];
        if let Some(from) = expected.filter(|expected| *expected < open) {
            events.push(MarketEvent::Gap { symbol, timeframe, from, until: open });
        }
        self.last = Some(open);
        events.push(MarketEvent::CandleClosed { symbol, timeframe, candle, origin });
        events
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::Timeframe;

    use super::*;

    const STEP: i64 = 60_000;

    fn tracker(after: Option<i64>) -> Tracker {
        let after = after.map(|n| Timestamp::from_ms(n * STEP));
        Tracker::new(Series { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M1, after })
    }

    fn candle(n: i64) -> Candle {
        let one = "1".parse().unwrap();
        let volume = keyhold_domain::Decimal::ZERO;
        Candle { open_time: Timestamp::from_ms(n * STEP), open: one, high: one, low: one, close: one, volume }
    }

    /// Opening times of delivered candles and bounds of gaps, in steps.
    fn told(events: &[MarketEvent]) -> Vec<(i64, i64)> {
        let told = events.iter().map(|event| match event {
            MarketEvent::CandleClosed { candle, .. } => (candle.open_time.ms() / STEP, -1),
            MarketEvent::Gap { from, until, .. } => (from.ms() / STEP, until.ms() / STEP),
            other => panic!("unexpected {other:?}"),
        });
        told.collect()
    }

    #[test]
    fn candles_come_in_order_and_once() {
        let mut tracker = tracker(Some(10));
        let cases: &[(i64, &[(i64, i64)])] =
            &[(10, &[]), (11, &[(11, -1)]), (11, &[]), (9, &[]), (14, &[(12, 14), (14, -1)]), (13, &[])];
        for (n, expected) in cases {
            assert_eq!(told(&tracker.take(candle(*n), CandleOrigin::Stream)), *expected, "candle {n}");
        }
    }

    #[test]
    fn a_series_without_a_past_begins_with_the_first_candle() {
        let mut tracker = tracker(None);
        assert_eq!(tracker.missing_before(Timestamp::from_ms(100 * STEP)), None);
        assert_eq!(told(&tracker.take(candle(7), CandleOrigin::Stream)), [(7, -1)]);
    }

    #[test]
    fn what_is_fetched_is_bounded() {
        let missing = tracker(Some(0)).missing_before(Timestamp::from_ms(9_000 * STEP)).unwrap();
        assert_eq!(missing.until.since_ms(missing.from), LONGEST_FILL * STEP);
        let near = tracker(Some(10)).missing_before(Timestamp::from_ms(12 * STEP)).unwrap();
        assert_eq!((near.from.ms(), near.until.ms()), (11 * STEP, 12 * STEP));
        assert_eq!(tracker(Some(10)).missing_before(Timestamp::from_ms(11 * STEP)), None);
    }

    #[test]
    fn a_late_candle_is_noticed() {
        let tracker = tracker(Some(10));
        // Candle 11 closes when 12 opens; ten seconds later it is overdue.
        assert_eq!(tracker.overdue(Timestamp::from_ms(12 * STEP + 9_999), 10_000), None);
        assert!(tracker.overdue(Timestamp::from_ms(12 * STEP + 10_000), 10_000).is_some());
        assert_eq!(tracker.due(10_000), Some(Timestamp::from_ms(12 * STEP + 10_000)));
    }
}
