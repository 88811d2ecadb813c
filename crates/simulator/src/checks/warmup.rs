//! The warm-up check: the backtest begins later, at several places, and what its components say is compared with the run
//! that had the whole history before that.
//!
//! An average that never forgets (exponential ones, Wilder's) differs a little for ever; what matters is from which
//! candle on it says the same. No position is ever opened, so that nothing but the candles can make a difference.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use keyhold_domain::{Symbol, Timestamp};
use keyhold_engine::decision::{Decision, NamedReading};
use keyhold_engine::reading::{Direction, Verdict};
use keyhold_engine::template::Role;
use serde::Serialize;

use super::{Told, heard, spread};
use crate::backtest::{BacktestError, Control};
use crate::pool;

/// Values this close, as a share of the larger one, count as equal.
const CLOSE: f64 = 1e-6;
/// Candles that are compared after the stated warm-up, at least.
const LEAST_HORIZON: usize = 500;
/// The same, in multiples of the warm-up.
const HORIZON_FACTOR: usize = 8;

/// The result of a warm-up check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WarmupReport {
    /// The candle, counted from 1, with which the strategy says its components give their first verdict.
    pub stated_candles: u32,
    /// The candle up to which was compared.
    pub compared_until: u32,
    /// Where the run began again.
    pub starts: Vec<Start>,
    /// The components in the template's order, each at its worst over all starts.
    pub components: Vec<Settling>,
    /// From this candle on the wanted direction is that of the whole history, at every start; `None` when it differs to
    /// the end.
    pub direction_equal_from: Option<u32>,
    /// What `warmup_candles` in the settings should be so that every component says the same and has its value within a
    /// millionth; `None` when the stated warm-up is enough, or when nothing in reach is.
    pub recommended: Option<u32>,
}

/// A place at which the run began again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Start {
    /// Open time of the first candle of the history.
    pub candle: Timestamp,
    /// Decisions that were compared.
    pub compared: u64,
    /// Decisions on which a component said something else.
    pub different: u64,
}

/// How a component settles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settling {
    /// Place in the template's list.
    pub component: u16,
    /// The catalog's name.
    pub kind: String,
    /// What it is used as.
    pub role: Role,
    /// From this candle on it says the same; `None` when it differs to the end.
    pub says_the_same_from: Option<u32>,
    /// From this candle on its value is the same within a millionth; `None` when it is not, or has no value.
    pub value_equal_from: Option<u32>,
    /// How far its value is off at the stated warm-up, in percent of the larger value.
    pub off_at_first_pct: Option<f64>,
}

impl WarmupReport {
    /// Whether every component says the same from its first verdict on.
    pub fn settles_in_time(&self) -> bool {
        let in_time = |from: Option<u32>| from.is_some_and(|from| from <= self.stated_candles);
        self.components.iter().all(|component| in_time(component.says_the_same_from))
    }
}

/// What was said on one candle.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    wanted: Direction,
    readings: Vec<(u16, Verdict, Option<f64>)>,
}

/// Plays the candles with these numbers, tells every decision and stops when the listener says so.
pub type Play<'a> = &'a (dyn Fn(std::ops::Range<usize>, Told<'_>) -> Result<(), BacktestError> + Sync);

/// Checks a backtest of `all` candles whose components need `stated` candles.
pub fn warmup(
    stated: u32,
    all: usize,
    starts: usize,
    threads: NonZeroUsize,
    play: Play<'_>,
) -> Result<WarmupReport, BacktestError> {
    let history = usize::try_from(stated).unwrap_or(usize::MAX).max(1);
    let horizon = history.saturating_mul(HORIZON_FACTOR).max(LEAST_HORIZON);
    // Half of what is left is history that only the whole run has; the other half is compared.
    let horizon = horizon.min(all.saturating_sub(history) / 2);
    let window = history + horizon;
    let starts = spread(0, all.saturating_sub(window) + 1, starts);
    if horizon == 0 || starts.is_empty() {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        return Err(BacktestError::RangeTooShort {
            have: count(all),
            need: count(history.saturating_mul(3)),
        });
    }
    let late = pool::share(starts.len(), threads, &|number| {
        let from = starts[number];
        ControlFlow::Continue(listen(from..from + window, play))
    });
    let mut heard_late = Vec::new();
    for result in late.results {
        heard_late.push(result.ok_or(BacktestError::Canceled)??);
    }
    let whole = whole(&heard_late, 0..starts[starts.len() - 1] + window, play)?;
    let last = stated.saturating_add(u32::try_from(horizon).unwrap_or(u32::MAX));
    Ok(report(stated, last, &heard_late, &whole))
}

/// Everything that was said in a run, in order.
struct Late {
    said: Vec<(Timestamp, Symbol, Said)>,
    kinds: BTreeMap<u16, (String, Role)>,
}

fn listen(candles: std::ops::Range<usize>, play: Play<'_>) -> Result<Late, BacktestError> {
    let mut late = Late { said: Vec::new(), kinds: BTreeMap::new() };
    heard(play(candles, &mut |decision| {
        for named in &decision.readings {
            late.kinds.entry(named.component).or_insert_with(|| (named.kind.to_string(), named.role));
        }
        late.said.push((decision.candle, decision.symbol, said(&decision)));
        Control::Continue
    }))?;
    Ok(late)
}

/// What the whole run said on the candles that are compared; nothing else is remembered.
fn whole(
    late: &[Late],
    candles: std::ops::Range<usize>,
    play: Play<'_>,
) -> Result<BTreeMap<(Timestamp, Symbol), Said>, BacktestError> {
    let mut wanted: BTreeMap<(Timestamp, Symbol), Option<Said>> = BTreeMap::new();
    for (candle, symbol, _) in late.iter().flat_map(|late| &late.said) {
        wanted.insert((*candle, *symbol), None);
    }
    heard(play(candles, &mut |decision| {
        if let Some(place) = wanted.get_mut(&(decision.candle, decision.symbol)) {
            *place = Some(said(&decision));
        }
        Control::Continue
    }))?;
    Ok(wanted.into_iter().filter_map(|(key, said)| Some((key, said?))).collect())
}

fn said(decision: &Decision) -> Said {
    let one = |named: &NamedReading| (named.component, named.reading.verdict, named.reading.value);
    Said { wanted: decision.wanted, readings: decision.readings.iter().map(one).collect() }
}

/// The worst of all starts for one question: the candle after the last difference.
#[derive(Debug, Clone, Copy)]
struct Since {
    stated: u32,
    last: u32,
    from: u32,
}

impl Since {
    const fn new(stated: u32, last: u32) -> Self {
        Self { stated, last, from: stated }
    }

    /// On the candle of this number there was a difference.
    fn differs(&mut self, number: u32) {
        self.from = self.from.max(number.saturating_add(1));
    }

    fn answer(self) -> Option<u32> {
        (self.from <= self.last).then_some(self.from.max(self.stated))
    }
}

struct Component {
    verdict: Since,
    value: Since,
    has_value: bool,
    off: Option<f64>,
}

fn report(
    stated: u32,
    last: u32,
    late: &[Late],
    whole: &BTreeMap<(Timestamp, Symbol), Said>,
) -> WarmupReport {
    let mut components: BTreeMap<u16, Component> = BTreeMap::new();
    let (mut starts, mut direction) = (Vec::new(), Since::new(stated, last));
    for run in late {
        let mut seen: BTreeMap<Symbol, u32> = BTreeMap::new();
        let (mut compared, mut different) = (0, 0);
        for (candle, symbol, ours) in &run.said {
            // The first decision of an instrument is made on the candle that completes its history.
            let count = seen.entry(*symbol).or_insert(0);
            let number = stated.max(1).saturating_add(*count);
            *count += 1;
            let Some(theirs) = whole.get(&(*candle, *symbol)) else { continue };
            compared += 1;
            if ours.wanted != theirs.wanted {
                direction.differs(number);
            }
            let mut same = true;
            for (mine, other) in ours.readings.iter().zip(&theirs.readings) {
                let component = components.entry(mine.0).or_insert_with(|| Component {
                    verdict: Since::new(stated, last),
                    value: Since::new(stated, last),
                    has_value: false,
                    off: None,
                });
                same &= component.take(number, mine, other);
            }
            different += u64::from(!same);
        }
        let candle = run.said.first().map_or(Timestamp::EPOCH, |(candle, _, _)| *candle);
        starts.push(Start { candle, compared, different });
    }
    let kinds = late.first().map(|run| run.kinds.clone()).unwrap_or_default();
    let components: Vec<Settling> = components
        .into_iter()
        .filter_map(|(component, found)| {
            let (kind, role) = kinds.get(&component)?.clone();
            Some(found.settling(component, kind, role))
        })
        .collect();
    // Where values have come together, nothing can be said differently any more; a value that never does, such as a sum
    // since the start, says nothing about that.
    let settled = |found: &Settling| {
        found.says_the_same_from.map(|says| says.max(found.value_equal_from.unwrap_or(says)))
    };
    let worst: Option<Vec<u32>> = components.iter().map(settled).collect();
    let needed = worst.and_then(|worst| worst.into_iter().max());
    WarmupReport {
        stated_candles: stated,
        compared_until: last,
        starts,
        direction_equal_from: direction.answer(),
        recommended: needed.filter(|needed| *needed > stated),
        components,
    }
}

impl Component {
    /// Whether both said the same.
    fn take(
        &mut self,
        number: u32,
        mine: &(u16, Verdict, Option<f64>),
        other: &(u16, Verdict, Option<f64>),
    ) -> bool {
        let same = mine.1 == other.1;
        if !same {
            self.verdict.differs(number);
        }
        let off = match (mine.2, other.2) {
            (Some(mine), Some(other)) => {
                self.has_value = true;
                apart(mine, other)
            }
            (None, None) => 0.0,
            (Some(_), None) | (None, Some(_)) => 1.0,
        };
        if off > CLOSE {
            self.value.differs(number);
        }
        if number == self.value.stated {
            self.off = Some(self.off.unwrap_or(0.0).max(off));
        }
        same
    }

    fn settling(self, component: u16, kind: String, role: Role) -> Settling {
        Settling {
            component,
            kind,
            role,
            says_the_same_from: self.verdict.answer(),
            value_equal_from: self.value.answer().filter(|_| self.has_value),
            off_at_first_pct: self.off.filter(|_| self.has_value).map(|off| off * 100.0),
        }
    }
}

/// How far two numbers are apart, as a share of the larger one.
fn apart(a: f64, b: f64) -> f64 {
    let larger = a.abs().max(b.abs());
    if larger > 0.0 { (a - b).abs() / larger } else { 0.0 }
}
