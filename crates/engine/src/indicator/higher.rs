//! Candles of a longer timeframe, built from the closed candles of a shorter one. Nobody sees one before it has closed.
//!
//! Aligned to UTC like the exchanges' own. A higher candle closes with the candle that ends when it ends, or, when that
//! one is missing, as soon as a candle of a later span has closed. Candles that are missing inside a span are left out;
//! a span without any candle gives none. A first span that is not seen from its beginning is not used.

use keyhold_domain::{Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bucket::{Buckets, Place};
use crate::input::{ClosedCandle, Ohlcv};

/// Builds the candles of one longer timeframe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HigherCandles {
    spans: Buckets,
    forming: Option<Ohlcv>,
}

impl HigherCandles {
    /// Builds candles of this timeframe; the candles fed must be of one that divides it.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { spans: Buckets::of(timeframe), forming: None }
    }

    /// Takes in a closed candle and calls `closed` with every higher candle that is known to be complete by now: none,
    /// one, or after a gap two, in the order of time.
    pub fn update(&mut self, candle: &ClosedCandle, closed_at: Timestamp, mut closed: impl FnMut(&Ohlcv)) {
        let first = self.spans.start().is_none();
        let place = self.spans.enter(candle.candle.open_time);
        if place == Place::Continues {
            if let Some(forming) = &mut self.forming {
                extend(forming, &candle.floats);
            }
        } else {
            if let Some(left_open) = self.forming.take() {
                closed(&left_open);
            }
            let usable = place == Place::Begins || !first;
            self.forming = usable.then_some(candle.floats);
        }
        if self.spans.ends_by(closed_at)
            && let Some(complete) = self.forming.take()
        {
            closed(&complete);
        }
    }
}

fn extend(forming: &mut Ohlcv, candle: &Ohlcv) {
    forming.high = forming.high.max(candle.high);
    forming.low = forming.low.min(candle.low);
    forming.close = candle.close;
    forming.volume += candle.volume;
}
