//! Short candles put together to longer ones.

use keyhold_domain::{Candle, Timeframe};

/// Builds candles of one timeframe from shorter ones that come in order.
#[derive(Debug, Clone)]
pub struct Aggregator {
    timeframe: Timeframe,
    forming: Option<Candle>,
}

impl Aggregator {
    /// Nothing yet.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, forming: None }
    }

    /// Adds a candle. Returns the candle that is complete because this one belongs to a later interval.
    pub fn push(&mut self, candle: Candle) -> Option<Candle> {
        let open_time = self.timeframe.open_of(candle.open_time);
        match &mut self.forming {
            Some(forming) if forming.open_time == open_time => {
                forming.high = forming.high.max(candle.high);
                forming.low = forming.low.min(candle.low);
                forming.close = candle.close;
                forming.volume += candle.volume;
                None
            }
            slot => slot.replace(Candle { open_time, ..candle }),
        }
    }

    /// The candle that is not complete yet.
    pub const fn forming(&self) -> Option<&Candle> {
        self.forming.as_ref()
    }
}

/// All candles of a timeframe from shorter ones, oldest first; the last may be incomplete.
pub fn aggregate<'a>(candles: impl IntoIterator<Item = &'a Candle>, timeframe: Timeframe) -> Vec<Candle> {
    let mut aggregator = Aggregator::new(timeframe);
    let mut made: Vec<Candle> = candles.into_iter().filter_map(|candle| aggregator.push(*candle)).collect();
    made.extend(aggregator.forming());
    made
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{Decimal, Timestamp};

    use super::*;

    fn candle(minute: i64, [open, high, low, close]: [&str; 4]) -> Candle {
        Candle {
            open_time: Timestamp::from_ms(minute * 60_000),
            open: open.parse().unwrap(),
            high: high.parse().unwrap(),
            low: low.parse().unwrap(),
            close: close.parse().unwrap(),
            volume: Decimal::ONE,
        }
    }

    #[test]
    fn five_minutes_become_one_candle() {
        let minutes = [
            candle(9, ["1", "1", "1", "1"]),
            candle(10, ["10", "12", "9", "11"]),
            candle(12, ["11", "15", "10", "14"]),
            candle(14, ["14", "14", "8", "9"]),
            candle(15, ["9", "9", "9", "9"]),
        ];
        let made = aggregate(&minutes, Timeframe::M5);
        assert_eq!(made.len(), 3);
        let expected = Candle { volume: Decimal::from(3), ..candle(10, ["10", "15", "8", "9"]) };
        assert_eq!(made[1], expected);
        assert_eq!(made[0].open_time, Timestamp::from_ms(300_000));
    }
}
