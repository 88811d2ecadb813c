//! The backtest as the checks see it: over a part of the recorded candles, telling every decision.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use keyhold_domain::{Decimal, Instrument, Rate};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::settings::Sizing;

use super::Told;
use crate::backtest::{BacktestError, Control, Funding, Market, RecordedFacts, Spec, closed, run_markets};

/// What was recorded of one instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The instrument.
    pub instrument: Instrument,
    /// Its funding.
    pub funding: Funding,
    /// What was recorded of it besides.
    pub besides: Arc<RecordedFacts>,
    /// Its candles as they were recorded, oldest first; not longer than the template's.
    pub candles: Vec<ClosedCandle>,
}

/// Runs a backtest over the recorded candles before an instant, or all of them, funding included.
pub fn first(spec: &Spec, recorded: &[Recorded], count: usize, told: Told<'_>) -> Result<(), BacktestError> {
    // The first instrument counts; the others are cut at the same time.
    let cut = recorded.first().and_then(|first| first.candles.get(count));
    let cut = cut.map(|one| one.candle.open_time);
    let mut parts = Vec::new();
    for one in recorded {
        let end =
            cut.map_or(one.candles.len(), |cut| one.candles.partition_point(|c| c.candle.open_time < cut));
        let funding = match (&one.funding, cut) {
            (Funding::History(rates), Some(cut)) => {
                let paid = rates.partition_point(|(at, _)| *at < cut);
                // When the next one comes is known long before; how much it will be is not.
                let next = rates.get(paid).map(|(at, _)| (*at, Rate::ZERO));
                Funding::History(rates[..paid].iter().copied().chain(next).collect())
            }
            (funding, _) => funding.clone(),
        };
        let besides = cut.map_or_else(|| Arc::clone(&one.besides), |cut| Arc::new(one.besides.known_at(cut)));
        let candles = closed(&one.candles[..end], spec.template.timeframe).map_err(|apart| {
            BacktestError::Instruments(format!(
                "the candles of {} are {apart} minutes apart",
                one.instrument.symbol
            ))
        })?;
        parts.push((one.instrument, funding, besides, candles));
    }
    let markets: Vec<Market<'_>> = parts
        .iter()
        .map(|(instrument, funding, recorded, candles)| Market { instrument, funding, recorded, candles })
        .collect();
    tell(spec, &markets, told)
}

/// Runs a backtest that never opens a position over the candles with these numbers.
pub fn part(
    spec: &Spec,
    markets: &[Market<'_>],
    candles: Range<usize>,
    told: Told<'_>,
) -> Result<(), BacktestError> {
    let mut idle = spec.clone();
    // Less than any lot: every entry is wanted and none is made.
    idle.settings.sizing = Sizing::FixedQuantity { quantity: Decimal::new(1, 20) };
    (idle.from, idle.until) = (None, None);
    let times = |number: usize| {
        markets.first().and_then(|first| first.candles.get(number)).map(|candle| candle.candle.open_time)
    };
    let (from, until) = (times(candles.start), times(candles.end));
    let cut = |market: &Market<'_>, at| market.candles.partition_point(|candle| candle.candle.open_time < at);
    let parts: Vec<Market<'_>> = markets
        .iter()
        .map(|market| {
            let start = from.map_or(market.candles.len(), |from| cut(market, from));
            let end = until.map_or(market.candles.len(), |until| cut(market, until));
            Market { candles: &market.candles[start..end], ..*market }
        })
        .collect();
    tell(&idle, &parts, told)
}

fn tell(spec: &Spec, markets: &[Market<'_>], told: Told<'_>) -> Result<(), BacktestError> {
    let wanted = Cell::new(Control::Continue);
    let mut listener = |decision| {
        if wanted.get() == Control::Continue {
            wanted.set(told(decision));
        }
    };
    run_markets(spec, markets, &mut |_| wanted.get(), Some(&mut listener)).map(drop)
}
