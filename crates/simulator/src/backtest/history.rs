//! Recorded candles of one instrument, kept in every timeframe that a run or a sweep asks for.
//!
//! Only whole candles are kept: a candle that the recording begins or ends in the middle of was never closed. It reads
//! no file; whoever has the candles brings them.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyhold_domain::{Candle, Instrument, Timeframe};
use keyhold_engine::check::check_template;
use keyhold_engine::input::ClosedCandle;

use super::many::Market;
use super::recorded::RecordedFacts;
use super::spec::{Funding, Spec};
use crate::market::Aggregator;

/// What was recorded of one instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The instrument with its grids and with the fees to assume.
    pub instrument: Instrument,
    /// Its funding.
    pub funding: Funding,
    /// What was recorded of it besides.
    pub recorded: Arc<RecordedFacts>,
    series: BTreeMap<Timeframe, Vec<ClosedCandle>>,
}

/// The candles are too long for what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the candles of {instrument} are {recorded} minutes apart and cannot give candles of {wanted}")]
pub struct TooCoarse {
    /// Which instrument.
    pub instrument: keyhold_domain::Symbol,
    /// The shortest distance between two recorded candles, in minutes.
    pub recorded: i64,
    /// What was asked for.
    pub wanted: Timeframe,
}

impl History {
    /// Puts recorded candles together to candles of these timeframes. Nothing was recorded besides.
    pub fn new(
        instrument: Instrument,
        funding: Funding,
        recorded: &[Candle],
        timeframes: impl IntoIterator<Item = Timeframe>,
    ) -> Result<Self, TooCoarse> {
        let recorded = recorded.iter().copied().map(ClosedCandle::new).collect();
        Self::of(instrument, funding, recorded, timeframes)
    }

    /// The same from candles that are given up: those of their own length are kept as they are, years of them only once.
    pub fn of(
        instrument: Instrument,
        funding: Funding,
        recorded: Vec<ClosedCandle>,
        timeframes: impl IntoIterator<Item = Timeframe>,
    ) -> Result<Self, TooCoarse> {
        let mut series = BTreeMap::new();
        let mut own = None;
        for timeframe in timeframes {
            if is_whole(&recorded, timeframe) {
                own = Some(timeframe);
                continue;
            }
            let closed = closed(&recorded, timeframe).map_err(|recorded| TooCoarse {
                instrument: instrument.symbol,
                recorded,
                wanted: timeframe,
            })?;
            series.insert(timeframe, closed);
        }
        if let Some(own) = own {
            series.insert(own, recorded);
        }
        Ok(Self { instrument, funding, recorded: Arc::default(), series })
    }

    /// The instrument with its candles of a timeframe; without candles when that was not asked for at the start.
    pub fn market(&self, timeframe: Timeframe) -> Market<'_> {
        let candles = self.series.get(&timeframe).map_or(&[][..], Vec::as_slice);
        Market { instrument: &self.instrument, funding: &self.funding, recorded: &self.recorded, candles }
    }
}

/// All instruments with their candles of a timeframe.
pub fn markets(histories: &[History], timeframe: Timeframe) -> Vec<Market<'_>> {
    histories.iter().map(|history| history.market(timeframe)).collect()
}

/// How many times the components' warm-up comes before a window, so that averages that never forget have settled.
const SETTLING: usize = 4;

/// The markets without the candles that lie so long before the specification's start that no component needs them.
pub(crate) fn recent<'a>(spec: &Spec, markets: Vec<Market<'a>>) -> Vec<Market<'a>> {
    let Some(from) = spec.from else { return markets };
    let components = check_template(&spec.template).map_or(0, |checked| checked.warmup_candles());
    let warmup = components.max(spec.settings.warmup_candles.unwrap_or(0));
    let keep = usize::try_from(warmup).unwrap_or(usize::MAX).saturating_mul(SETTLING);
    let later = |market: Market<'a>| {
        let start = market.candles.partition_point(|candle| candle.candle.open_time < from);
        Market { candles: &market.candles[start.saturating_sub(keep)..], ..market }
    };
    markets.into_iter().map(later).collect()
}

/// The shortest time between two candles; `None` of fewer than two.
fn apart(recorded: &[ClosedCandle]) -> Option<i64> {
    let apart = recorded.windows(2).map(|pair| pair[1].candle.open_time.since_ms(pair[0].candle.open_time));
    apart.filter(|apart| *apart > 0).min()
}

/// Whether these are candles of this timeframe already, each whole and on its grid.
fn is_whole(recorded: &[ClosedCandle], timeframe: Timeframe) -> bool {
    let on_grid = |one: &ClosedCandle| timeframe.open_of(one.candle.open_time) == one.candle.open_time;
    apart(recorded) == Some(timeframe.ms()) && recorded.iter().all(on_grid)
}

/// The whole candles of a timeframe, or the minutes between recorded ones when they are longer than it.
pub(crate) fn closed(recorded: &[ClosedCandle], timeframe: Timeframe) -> Result<Vec<ClosedCandle>, i64> {
    let Some(apart) = apart(recorded) else { return Ok(recorded.to_vec()) };
    if apart > timeframe.ms() {
        return Err(apart / 60_000);
    }
    let mut aggregator = Aggregator::new(timeframe);
    let mut made: Vec<ClosedCandle> =
        recorded.iter().filter_map(|one| aggregator.push(one.candle)).map(ClosedCandle::new).collect();
    if let (Some(last), Some(newest)) = (recorded.last(), aggregator.forming())
        && last.candle.open_time.plus_ms(apart) >= newest.close_time(timeframe)
    {
        made.push(ClosedCandle::new(*newest));
    }
    if let (Some(first), Some(oldest)) = (recorded.first(), made.first())
        && first.candle.open_time > oldest.candle.open_time
    {
        made.remove(0);
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{Decimal, Timestamp};

    use super::*;

    fn minutes(from: i64, count: i64) -> Vec<Candle> {
        let one = "1".parse().unwrap();
        (from..from + count)
            .map(|minute| Candle {
                open_time: Timestamp::from_ms(minute * 60_000),
                open: one,
                high: one,
                low: one,
                close: one,
                volume: Decimal::ONE,
            })
            .collect()
    }

    #[test]
    fn candles_that_were_not_recorded_whole_are_left_out() {
        let opens = |recorded: &[Candle]| -> Vec<i64> {
            let recorded: Vec<_> = recorded.iter().copied().map(ClosedCandle::new).collect();
            let made = closed(&recorded, Timeframe::M5).unwrap();
            made.iter().map(|candle| candle.candle.open_time.ms() / 60_000).collect()
        };
        assert_eq!(opens(&minutes(0, 15)), [0, 5, 10]);
        assert_eq!(opens(&minutes(0, 14)), [0, 5], "the last lacks a minute");
        assert_eq!(opens(&minutes(1, 14)), [5, 10], "the first lacks a minute");
        assert_eq!(opens(&[]), [0; 0]);
    }

    #[test]
    fn hours_cannot_be_cut_into_minutes() {
        let mut hours = minutes(0, 3);
        for (candle, hour) in hours.iter_mut().zip(0..) {
            candle.open_time = Timestamp::from_ms(hour * 3_600_000);
        }
        let hours: Vec<_> = hours.into_iter().map(ClosedCandle::new).collect();
        assert_eq!(closed(&hours, Timeframe::M5).unwrap_err(), 60);
        assert_eq!(closed(&hours, Timeframe::H1).unwrap().len(), 3);
    }
}
