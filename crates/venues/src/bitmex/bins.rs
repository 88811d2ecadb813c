//! Candles as BitMEX counts them, and as we do. Pure.
//!
//! BitMEX has four lengths, stamps a candle with its **end**, writes the close of the candle before it as its open, and
//! counts volume in contracts. Here candles carry their opening time, an open that somebody may have traded at, and our
//! unit of quantities; other lengths are summed from the next shorter one.

use keyhold_domain::{Candle, Decimal, Timeframe};

use super::contracts::Contract;
use super::wire::{IsoTime, WireBucket};
use crate::error::WireError;

const CANDLE: &str = "candle";

/// A length of candle that BitMEX has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bin {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// One hour.
    H1,
    /// One day.
    D1,
}

impl Bin {
    /// BitMEX's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::H1 => "1h",
            Self::D1 => "1d",
        }
    }

    /// Our word.
    pub const fn timeframe(self) -> Timeframe {
        match self {
            Self::M1 => Timeframe::M1,
            Self::M5 => Timeframe::M5,
            Self::H1 => Timeframe::H1,
            Self::D1 => Timeframe::D1,
        }
    }

    /// What candles of a length are made of.
    pub const fn of(timeframe: Timeframe) -> Self {
        match timeframe {
            Timeframe::M1 | Timeframe::M3 => Self::M1,
            Timeframe::M5 | Timeframe::M15 | Timeframe::M30 => Self::M5,
            Timeframe::H1 | Timeframe::H2 | Timeframe::H4 | Timeframe::H6 | Timeframe::H12 => Self::H1,
            Timeframe::D1 => Self::D1,
        }
    }
}

/// A candle from its row. `None` for a bucket before the first trade ever, which has no price.
///
/// The open is BitMEX's, moved into the range of what was traded: the close before may lie outside of it, and high and
/// low are facts where the open is a convention.
pub fn candle(row: &WireBucket<'_>, bin: Bin, contract: Contract) -> Result<Option<Candle>, WireError> {
    let IsoTime(end) = row.at.get(CANDLE, "timestamp")?;
    if row.close.is_empty() && row.open.is_empty() {
        return Ok(None);
    }
    let (high, low) = (row.high.get(CANDLE, "high")?, row.low.get(CANDLE, "low")?);
    let wrong = WireError::Invalid { what: CANDLE, field: "high", expected: "consistent with the others" };
    if low > high {
        return Err(wrong);
    }
    let contracts: Decimal = row.volume.get(CANDLE, "volume")?;
    let candle = Candle {
        open_time: end.plus_ms(-bin.timeframe().ms()),
        open: row.open.get::<keyhold_domain::Price>(CANDLE, "open")?.clamp(low, high),
        high,
        low,
        close: row.close.get(CANDLE, "close")?,
        volume: contract.quantity(contracts).ok_or(wrong)?,
    };
    candle.check().map(Some).map_err(|_| wrong)
}

/// Candles of a longer length from shorter ones in order. The last may lack its end.
pub fn summed(parts: &[Candle], timeframe: Timeframe) -> Vec<Candle> {
    let mut made: Vec<Candle> = Vec::new();
    for part in parts {
        let open_time = timeframe.open_of(part.open_time);
        match made.last_mut().filter(|last| last.open_time == open_time) {
            Some(last) => {
                last.high = last.high.max(part.high);
                last.low = last.low.min(part.low);
                last.close = part.close;
                last.volume = last.volume.saturating_add(part.volume);
            }
            None => made.push(Candle { open_time, ..*part }),
        }
    }
    made
}

/// The parts of one candle that forms, from a stream.
#[derive(Debug, Clone)]
pub struct Forming {
    timeframe: Timeframe,
    bin: Bin,
    parts: Vec<Candle>,
}

impl Forming {
    /// Nothing heard yet.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, bin: Bin::of(timeframe), parts: Vec::new() }
    }

    /// What is heard.
    pub const fn bin(&self) -> Bin {
        self.bin
    }

    /// What is made.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Takes a closed part. Gives the candle when it is whole; when parts of it are missing it is left to be fetched.
    pub fn take(&mut self, part: Candle) -> Option<Candle> {
        let open_time = self.timeframe.open_of(part.open_time);
        self.parts.retain(|before| {
            self.timeframe.open_of(before.open_time) == open_time && before.open_time < part.open_time
        });
        self.parts.push(part);
        let step = self.bin.timeframe().ms();
        let wanted = self.timeframe.ms() / step;
        let is_last = part.open_time.plus_ms(step) == open_time.plus_ms(self.timeframe.ms());
        if !is_last || i64::try_from(self.parts.len()) != Ok(wanted) {
            return None;
        }
        summed(&std::mem::take(&mut self.parts), self.timeframe).pop()
    }
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{ContractType, Timestamp};

    use super::super::contracts::currency;
    use super::*;

    fn contract() -> Contract {
        let size = "0.000001".parse().unwrap();
        Contract { kind: ContractType::Linear, size, settle: currency("USDt").unwrap() }
    }

    fn read(text: &str) -> Option<Candle> {
        candle(&serde_json::from_str(text).unwrap(), Bin::M1, contract()).unwrap()
    }

    #[test]
    fn a_stamp_is_the_end_and_the_open_lies_in_the_range() {
        let row = r#"{"timestamp":"2024-11-25T10:31:00.000Z","open":99.5,"high":98,"low":96.5,"close":97,"volume":3000}"#;
        let candle = read(row).unwrap();
        assert_eq!(candle.open_time.to_string(), "2024-11-25T10:30:00.000Z");
        assert_eq!((candle.open.to_string(), candle.volume.to_string()), ("98".into(), "0.003".into()));
        assert_eq!(read(r#"{"timestamp":"2024-11-25T10:31:00.000Z","trades":0}"#), None);
    }

    fn part(minute: i64, close: i64) -> Candle {
        let price = |value: i64| value.to_string().parse().unwrap();
        Candle {
            open_time: Timestamp::from_ms(minute * 60_000),
            open: price(close),
            high: price(close + 1),
            low: price(close - 1),
            close: price(close),
            volume: Decimal::ONE,
        }
    }

    #[test]
    fn longer_candles_are_the_sum_of_their_parts() {
        let parts: Vec<Candle> = [(3, 10), (4, 20), (5, 15), (6, 16)].map(|(m, c)| part(m, c)).to_vec();
        let made = summed(&parts, Timeframe::M3);
        assert_eq!(made.len(), 2);
        let first = &made[0];
        assert_eq!(first.open_time.ms(), 180_000);
        let prices = [first.open, first.high, first.low, first.close].map(|price| price.to_string());
        assert_eq!(prices, ["10", "21", "9", "15"]);
        assert_eq!(first.volume, Decimal::from(3));
        let mut forming = Forming::new(Timeframe::M3);
        let told: Vec<Option<i64>> = [part(4, 2), part(5, 2), part(6, 2), part(6, 3), part(7, 4), part(8, 5)]
            .into_iter()
            .map(|part| forming.take(part).map(|candle| candle.open_time.ms()))
            .collect();
        assert_eq!(told, [None, None, None, None, None, Some(360_000)]);
    }
}
