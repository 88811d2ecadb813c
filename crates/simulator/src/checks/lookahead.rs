//! The look-ahead check: the recorded candles are cut off at many places, put together to candles and run again. What
//! was decided before a cut must be what was decided with all candles, to the last digit of every reading.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use keyhold_domain::{Symbol, Timestamp};
use keyhold_engine::decision::Decision;
use serde::Serialize;

use super::differ::{Difference, decisions, fingerprint};
use super::{Told, heard, spread};
use crate::backtest::{BacktestError, Control};
use crate::pool;

/// The result of a look-ahead check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LookaheadReport {
    /// Decisions of the run with all candles.
    pub decisions: u64,
    /// The cuts that were made, as numbers of recorded candles that were left.
    pub cuts: Vec<usize>,
    /// Decisions that were compared, over all cuts.
    pub compared: u64,
    /// The first changed decision of each cut that changed one; empty when nothing knows the future.
    pub leaks: Vec<Leak>,
}

/// A decision that changed when later candles were taken away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leak {
    /// Recorded candles that were left.
    pub cut: usize,
    /// The instrument.
    pub symbol: Symbol,
    /// Open time of the candle it was made on.
    pub candle: Timestamp,
    /// How many decisions before this cut changed.
    pub changed: u64,
    /// What differs: `a` with all candles, `b` with those before the cut. Fields of a component name it.
    pub differences: Vec<Difference>,
}

/// Checks a backtest. `play` runs it over the first so many recorded candles, tells every decision in order and stops
/// when the listener says so; `all` is how many candles there are and `least` how many it needs.
pub fn lookahead(
    (least, all): (usize, usize),
    cuts: usize,
    threads: NonZeroUsize,
    play: &(dyn Fn(usize, Told<'_>) -> Result<(), BacktestError> + Sync),
    watch: &(dyn Fn(usize, usize) -> Control + Sync),
) -> Result<LookaheadReport, BacktestError> {
    let cuts = spread(least, all, cuts);
    let mut whole: BTreeMap<(Timestamp, Symbol), u64> = BTreeMap::new();
    play(all, &mut |decision| {
        whole.insert((decision.candle, decision.symbol), fingerprint(&decision));
        watch(0, cuts.len())
    })?;
    let shared = pool::share(cuts.len(), threads, &|number| {
        let found = one(cuts[number], &whole, play);
        match watch(number + 1, cuts.len()) {
            Control::Continue => ControlFlow::Continue(found),
            Control::Cancel => ControlFlow::Break(()),
        }
    });
    let (mut compared, mut leaks) = (0, Vec::new());
    for (cut, result) in cuts.iter().zip(shared.results) {
        let (count, leak) = result.ok_or(BacktestError::Canceled)??;
        compared += count;
        if let Some((first, changed)) = leak {
            leaks.push(explain(*cut, all, &first, changed, play)?);
        }
    }
    Ok(LookaheadReport { decisions: u64::try_from(whole.len()).unwrap_or(u64::MAX), cuts, compared, leaks })
}

/// How many decisions were compared, and the first that changed with the number of those that did.
type Compared = (u64, Option<(Box<Decision>, u64)>);

fn one(
    cut: usize,
    whole: &BTreeMap<(Timestamp, Symbol), u64>,
    play: &(dyn Fn(usize, Told<'_>) -> Result<(), BacktestError> + Sync),
) -> Result<Compared, BacktestError> {
    let (mut compared, mut changed, mut first) = (0, 0, None);
    play(cut, &mut |decision| {
        compared += 1;
        if whole.get(&(decision.candle, decision.symbol)) != Some(&fingerprint(&decision)) {
            changed += 1;
            first.get_or_insert_with(|| Box::new(decision));
        }
        Control::Continue
    })?;
    Ok((compared, first.map(|first| (first, changed))))
}

/// The same candle with all candles, for the words.
fn explain(
    cut: usize,
    all: usize,
    found: &Decision,
    changed: u64,
    play: &(dyn Fn(usize, Told<'_>) -> Result<(), BacktestError> + Sync),
) -> Result<Leak, BacktestError> {
    let mut known = None;
    heard(play(all, &mut |decision| {
        if (decision.candle, decision.symbol) == (found.candle, found.symbol) {
            known = Some(decision);
        }
        if known.is_some() { Control::Cancel } else { Control::Continue }
    }))?;
    let differences = known.map_or_else(Vec::new, |known| decisions(&known, found));
    Ok(Leak { cut, symbol: found.symbol, candle: found.candle, changed, differences })
}
