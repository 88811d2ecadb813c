//! How long a client takes from a closed candle to its order, measured at both ends by this process.
//!
//! One monotonic clock stamps the moment before a closed candle is written to a WebSocket and the moment an order's
//! request has been read in whole. Knows no strategy: the first accepted order on an instrument after a candle is taken
//! as the answer to it. With several listeners the first of them starts the clock, so that a time is never too short.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use keyhold_domain::{Symbol, Timestamp};
use serde_json::{Value, json};

/// The most answers that wait to be asked for; older ones are forgotten.
const MAX_ANSWERS: usize = 10_000;

/// A candle that has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CandleClose {
    /// Whose.
    pub(crate) symbol: Symbol,
    /// When, in replay time. Candles of several lengths close at one time and count as one.
    pub(crate) at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    close: CandleClose,
    took: Duration,
}

/// Closed candles nobody has answered, and the answers so far.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// The newest candle told per instrument, until it is answered.
    open: BTreeMap<Symbol, (Timestamp, Option<Instant>)>,
    answers: VecDeque<Answer>,
}

impl Latency {
    /// A closed candle is about to be written.
    pub(crate) fn told(&mut self, close: CandleClose, now: Instant) {
        let newest = self.open.get(&close.symbol).map(|(at, _)| *at);
        if newest.is_none_or(|newest| newest < close.at) {
            self.open.insert(close.symbol, (close.at, Some(now)));
        }
    }

    /// An order that was read at this moment has been accepted.
    pub(crate) fn ordered(&mut self, symbol: Symbol, read: Instant) {
        let Some((at, open)) = self.open.get_mut(&symbol) else { return };
        // An order read before the candle was told is none of its answers.
        let Some(took) = open.and_then(|told| read.checked_duration_since(told)) else { return };
        *open = None;
        self.answers.push_back(Answer { close: CandleClose { symbol, at: *at }, took });
        if self.answers.len() > MAX_ANSWERS {
            self.answers.pop_front();
        }
    }

    /// The answers since the last call, oldest first.
    pub(crate) fn take(&mut self) -> Value {
        let answers = self.answers.drain(..).map(|answer| {
            let nanos = u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX);
            json!({ "symbol": answer.close.symbol, "closed_ms": answer.close.at.ms(), "nanos": nanos })
        });
        json!({ "answers": answers.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(minute: i64) -> CandleClose {
        CandleClose { symbol: "BTCUSDT".parse().unwrap(), at: Timestamp::from_ms(minute * 60_000) }
    }

    #[test]
    fn the_first_order_answers_the_newest_candle_once() {
        let start = crate::clock::monotonic();
        let after = |ms: u64| start + Duration::from_millis(ms);
        let symbol = close(1).symbol;
        let mut latency = Latency::default();
        latency.ordered(symbol, after(0));
        latency.told(close(1), after(1));
        // Another listener hears of the same candle later.
        latency.told(close(1), after(2));
        latency.ordered("BTCUSD".parse().unwrap(), after(3));
        latency.ordered(symbol, after(4));
        // The stop that follows a fill is no answer to the candle.
        latency.ordered(symbol, after(5));
        latency.told(close(1), after(6));
        latency.ordered(symbol, after(7));
        latency.told(close(2), after(8));
        latency.told(close(3), after(9));
        latency.ordered(symbol, after(11));
        let expected = [(60_000, 3_000_000), (180_000, 2_000_000)]
            .map(|(at, nanos)| json!({ "symbol": "BTCUSDT", "closed_ms": at, "nanos": nanos }));
        assert_eq!(latency.take(), json!({ "answers": expected }));
        assert_eq!(latency.take(), json!({ "answers": [] }));
    }

    #[test]
    fn an_order_read_before_its_candle_was_told_is_no_answer() {
        let start = crate::clock::monotonic();
        let mut latency = Latency::default();
        latency.told(close(1), start + Duration::from_millis(2));
        latency.ordered(close(1).symbol, start + Duration::from_millis(1));
        assert_eq!(latency.take(), json!({ "answers": [] }));
        latency.ordered(close(1).symbol, start + Duration::from_millis(5));
        assert_eq!(latency.take()["answers"][0]["nanos"], 3_000_000);
    }
}
