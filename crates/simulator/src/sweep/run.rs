//! Plays the combinations of a sweep on all threads over candles that all of them share.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyhold_engine::problem::Problem;
use keyhold_engine::report::Figures;

use super::document::SweepDocument;
use super::rank::{Completion, Invalid, SWEEP_REPORT_FORMAT, SweepReport, rank};
use super::space::{Combination, Space};
use crate::backtest::{self, BacktestError, Control, History, Market, Report, Spec, markets, recent};
use crate::pool;

/// Problems that are told of one combination.
const MOST_PROBLEMS: usize = 3;

/// What a sweep works on.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Everything that does not vary. Its instrument and funding are not used.
    pub spec: &'a Spec,
    /// The instruments with their candles in every timeframe of [`Space::timeframes`].
    pub histories: &'a [History],
    /// What varies.
    pub document: &'a SweepDocument,
    /// On how many threads.
    pub threads: NonZeroUsize,
    /// What components learn from before the range begins.
    pub history: HistoryUse,
}

/// What components learn from before the range begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryUse {
    /// All candles that there are.
    All,
    /// Four times what the components need.
    Recent,
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepProgress {
    /// Backtests done.
    pub done: usize,
    /// Backtests in all: the combinations, then the reports of the best.
    pub all: usize,
}

/// What a sweep brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The ranking.
    pub report: SweepReport,
    /// Full reports of the best, best first; none when the sweep was canceled.
    pub best: Vec<Report>,
    /// How many combinations each thread has done.
    pub shares: Vec<usize>,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SweepError {
    /// The document is wrong.
    #[error("the sweep has {} problems", .0.len())]
    Document(Vec<Problem>),
}

/// What became of one combination.
enum Outcome {
    Ran(Figures),
    Invalid { code: &'static str, message: String, problems: Vec<Problem> },
}

/// Runs a sweep. `watch` is called by all threads, now and then and after each backtest, and may cancel: then the
/// ranking holds what was done until then.
pub fn run(job: &Job<'_>, watch: &(dyn Fn(SweepProgress) -> Control + Sync)) -> Result<Sweep, SweepError> {
    let space =
        Space::new(job.document, &job.spec.template, &job.spec.settings).map_err(SweepError::Document)?;
    let count = space.count();
    let all = count + job.document.keep.min(count);
    let done = AtomicUsize::new(0);
    let tell = || watch(SweepProgress { done: done.load(Ordering::Relaxed), all });
    let shared = pool::share(count, job.threads, &|place| {
        let outcome = one(job, &space, &space.combination(place), &|| tell())?;
        done.fetch_add(1, Ordering::Relaxed);
        go_on(tell(), outcome)
    });
    let mut report = collect(job, &space, shared.results);
    let best = match report.completion {
        Completion::Canceled => Vec::new(),
        Completion::Complete => {
            let found = best(job, &space, &report, &|| {
                done.fetch_add(1, Ordering::Relaxed);
                tell()
            });
            found.unwrap_or_else(|| {
                report.completion = Completion::Canceled;
                Vec::new()
            })
        }
    };
    watch(SweepProgress { done: all, all });
    Ok(Sweep { report, best, shares: shared.shares })
}

fn go_on<T>(control: Control, result: T) -> ControlFlow<(), T> {
    match control {
        Control::Continue => ControlFlow::Continue(result),
        Control::Cancel => ControlFlow::Break(()),
    }
}

impl Job<'_> {
    fn markets(&self, spec: &Spec) -> Vec<Market<'_>> {
        let all = markets(self.histories, spec.template.timeframe);
        match self.history {
            HistoryUse::All => all,
            HistoryUse::Recent => recent(spec, all),
        }
    }
}

/// The specification of a combination.
pub(crate) fn specify(spec: &Spec, space: &Space, combination: &Combination) -> Result<Spec, Problem> {
    let (template, settings) = space.apply(combination)?;
    Ok(Spec { template, settings, ..spec.clone() })
}

fn one(
    job: &Job<'_>,
    space: &Space,
    combination: &Combination,
    tell: &dyn Fn() -> Control,
) -> ControlFlow<(), Outcome> {
    let spec = match specify(job.spec, space, combination) {
        Ok(spec) => spec,
        Err(problem) => {
            let (code, message) = (problem.code, problem.message.clone());
            return ControlFlow::Continue(Outcome::Invalid { code, message, problems: vec![problem] });
        }
    };
    let markets = job.markets(&spec);
    match backtest::run_markets(&spec, &markets, &mut |_| tell(), None) {
        Ok(report) => ControlFlow::Continue(Outcome::Ran(Figures::of(&report.metrics))),
        Err(BacktestError::Canceled) => ControlFlow::Break(()),
        Err(error) => {
            let (code, message) = (error.code(), error.to_string());
            let mut problems = match error {
                BacktestError::Plan(problems) => problems,
                _ => Vec::new(),
            };
            problems.truncate(MOST_PROBLEMS);
            ControlFlow::Continue(Outcome::Invalid { code, message, problems })
        }
    }
}

fn collect(job: &Job<'_>, space: &Space, results: Vec<Option<Outcome>>) -> SweepReport {
    let (mut ran, mut invalid, mut completion) = (Vec::new(), Vec::new(), Completion::Complete);
    for (place, outcome) in results.into_iter().enumerate() {
        match outcome {
            Some(Outcome::Ran(figures)) => ran.push((space.combination(place), figures)),
            Some(Outcome::Invalid { code, message, problems }) => {
                invalid.push(Invalid { combination: space.combination(place), code, message, problems });
            }
            None => completion = Completion::Canceled,
        }
    }
    SweepReport {
        format: SWEEP_REPORT_FORMAT,
        template: job.spec.template.name.clone(),
        from: job.spec.from,
        until: job.spec.until,
        sweep: job.document.clone(),
        grid: space.total(),
        asked: u64::try_from(space.count()).unwrap_or(u64::MAX),
        completion,
        ranked: rank(job.document, ran),
        invalid,
    }
}

/// The reports of the best, computed again; `None` when that was canceled.
fn best(
    job: &Job<'_>,
    space: &Space,
    report: &SweepReport,
    tell: &(dyn Fn() -> Control + Sync),
) -> Option<Vec<Report>> {
    let chosen: Vec<&Combination> =
        report.ranked.iter().take(job.document.keep).map(|ranked| &ranked.combination).collect();
    let shared = pool::share(chosen.len(), job.threads, &|place| {
        // It ran before, so it runs again.
        let Ok(spec) = specify(job.spec, space, chosen[place]) else { return ControlFlow::Break(()) };
        let markets = job.markets(&spec);
        match backtest::run_markets(&spec, &markets, &mut |_| Control::Continue, None) {
            Ok(report) => go_on(tell(), report),
            Err(_) => ControlFlow::Break(()),
        }
    });
    shared.results.into_iter().collect()
}
