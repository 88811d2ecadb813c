//! The walk itself: a sweep per window, then one run with its winner.

use std::num::NonZeroUsize;

use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Decimal, Timestamp};
use keyhold_engine::check::check_template;
use keyhold_engine::report::{Course, Figure, Figures, Metrics};
use keyhold_engine::trade::Trade;

use super::report::{WALK_FORWARD_FORMAT, WalkForwardReport, Window};
use super::windows::{Plan, Span, WindowError, windows};
use crate::backtest::{BacktestError, Control, History, Market, Report, Spec, markets, recent, run_joined};
use crate::sweep::{
    self, Completion, HistoryUse, Job, Ranked, Space, SweepDocument, SweepError, SweepProgress,
};

/// What a walk-forward works on.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// Everything that does not vary; its range is the range to walk over.
    pub spec: &'a Spec,
    /// The instruments with their candles in every timeframe of [`Space::timeframes`].
    pub histories: &'a [History],
    /// What varies, and by what the best is chosen. No full reports are kept.
    pub document: &'a SweepDocument,
    /// How the candles are divided.
    pub plan: Plan,
    /// On how many threads.
    pub threads: NonZeroUsize,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WalkError {
    /// The sweep's document is wrong.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// The candles cannot be divided so.
    #[error(transparent)]
    Windows(#[from] WindowError),
    /// A run was refused.
    #[error(transparent)]
    Backtest(#[from] BacktestError),
}

/// Walks. `watch` is called by all threads with the backtests of all windows, and may cancel.
pub fn run(
    walk: &Walk<'_>,
    watch: &(dyn Fn(SweepProgress) -> Control + Sync),
) -> Result<WalkForwardReport, WalkError> {
    let document = SweepDocument { keep: 0, ..walk.document.clone() };
    let space =
        Space::new(&document, &walk.spec.template, &walk.spec.settings).map_err(SweepError::Document)?;
    let all = span(walk)?;
    let pairs = windows(walk.plan, all)?;
    let mut joined = Joined {
        course: Course::new(pairs[0].1.from, walk.spec.start_equity),
        equity: walk.spec.start_equity,
        trades: Vec::new(),
        cut: 0,
    };
    let per_window = space.count() + 1;
    let mut done = Vec::new();
    for (number, (in_sample, out_of_sample)) in pairs.iter().enumerate() {
        let tell = |progress: SweepProgress| {
            watch(SweepProgress { done: number * per_window + progress.done, all: pairs.len() * per_window })
        };
        let mut spec = walk.spec.clone();
        (spec.from, spec.until) = (Some(in_sample.from), Some(in_sample.until));
        let job = Job {
            spec: &spec,
            histories: walk.histories,
            document: &document,
            threads: walk.threads,
            history: HistoryUse::Recent,
        };
        let swept = sweep::run(&job, &tell)?;
        if swept.report.completion == Completion::Canceled {
            return Err(BacktestError::Canceled.into());
        }
        let chosen = swept.report.best().cloned();
        let figures = match &chosen {
            // Without equity nothing can be traded any more.
            Some(_) if joined.equity <= Decimal::ZERO => None,
            Some(chosen) => Some(joined.trade(walk, &space, chosen, *out_of_sample)?),
            None => None,
        };
        done.push(Window {
            in_sample: *in_sample,
            out_of_sample: *out_of_sample,
            in_sample_figures: chosen.as_ref().map(|chosen| chosen.figures),
            chosen: chosen.map(|chosen| chosen.combination),
            out_of_sample_figures: figures,
            equity: joined.equity,
            invalid: u64::try_from(swept.report.invalid.len()).unwrap_or(u64::MAX),
        });
    }
    Ok(joined.report(walk, document, done))
}

/// From the first candle after the history to the end, within the range that was asked for.
fn span(walk: &Walk<'_>) -> Result<Span, BacktestError> {
    let spec = walk.spec;
    let warmup = check_template(&spec.template).map_err(BacktestError::Plan)?.warmup_candles();
    let history = usize::try_from(warmup.max(spec.settings.warmup_candles.unwrap_or(0)).saturating_sub(1));
    let markets = markets(walk.histories, spec.template.timeframe);
    let first = |market: &Market<'_>| {
        let candle = market.candles.get(*history.as_ref().unwrap_or(&usize::MAX))?;
        Some(candle.candle.open_time)
    };
    let last = |market: &Market<'_>| {
        market.candles.last().map(|candle| candle.candle.close_time(spec.template.timeframe))
    };
    let from = markets.iter().filter_map(first).min().ok_or(BacktestError::NoData)?;
    let until = markets.iter().filter_map(last).max().ok_or(BacktestError::NoData)?;
    let from = midnight(spec.from.map_or(from, |asked| asked.max(from)));
    Ok(Span { from, until: spec.until.map_or(until, |asked| asked.min(until)) })
}

/// Windows begin at midnight, so that days are whole: the instant itself or the next midnight.
const fn midnight(at: Timestamp) -> Timestamp {
    let day = at.start_of_day();
    if day.ms() == at.ms() { day } else { day.plus_ms(DAY_MS) }
}

struct Joined {
    course: Course,
    equity: Decimal,
    trades: Vec<Trade>,
    cut: u64,
}

impl Joined {
    /// Trades a window with what was chosen for it.
    fn trade(
        &mut self,
        walk: &Walk<'_>,
        space: &Space,
        chosen: &Ranked,
        window: Span,
    ) -> Result<Figures, BacktestError> {
        let mut spec = sweep::specify(walk.spec, space, &chosen.combination)
            .map_err(|problem| BacktestError::Plan(vec![problem]))?;
        (spec.from, spec.until) = (Some(window.from), Some(window.until));
        spec.start_equity = self.equity;
        let markets = recent(&spec, markets(walk.histories, spec.template.timeframe));
        let (report, course) = run_joined(&spec, &markets, self.course.clone())?;
        self.course = course;
        self.equity = report.metrics.equity.end;
        self.cut += u64::try_from(report.open_at_end.len()).unwrap_or(u64::MAX);
        let figures = Figures::of(&report.metrics);
        let Report { trades, .. } = report;
        self.trades.extend(trades);
        Ok(figures)
    }

    fn report(self, walk: &Walk<'_>, sweep: SweepDocument, windows: Vec<Window>) -> WalkForwardReport {
        let instrument = &walk.histories[0].instrument;
        let traded: Vec<&Window> =
            windows.iter().filter(|window| window.out_of_sample_figures.is_some()).collect();
        let profitable = traded.iter().filter(|window| gain(window.out_of_sample_figures) > 0.0).count();
        WalkForwardReport {
            format: WALK_FORWARD_FORMAT,
            template: walk.spec.template.name.clone(),
            asset: instrument.settle,
            plan: walk.plan,
            sweep,
            metrics: Metrics::new(&self.trades, self.course.summary(), instrument.contract_type),
            efficiency: efficiency(&traded),
            profitable_windows_pct: (!traded.is_empty())
                .then(|| float(profitable) / float(traded.len()) * 100.0),
            cut_positions: self.cut,
            trades: self.trades,
            equity: self.course.points(),
            windows,
        }
    }
}

fn gain(figures: Option<Figures>) -> f64 {
    figures.and_then(|figures| figures.get(Figure::ReturnPct)).unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a number of windows or milliseconds, far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Growth per unit of time where it was traded over growth where it was chosen.
fn efficiency(traded: &[&Window]) -> Option<f64> {
    let hours = |span: Span| float(usize::try_from(span.until.since_ms(span.from) / 3_600_000).unwrap_or(0));
    let rate = |span: fn(&Window) -> Span, figures: fn(&Window) -> Option<Figures>| {
        let gained: f64 = traded.iter().map(|window| gain(figures(window))).sum();
        let time: f64 = traded.iter().map(|window| hours(span(window))).sum();
        (time > 0.0).then(|| gained / time)
    };
    let chosen = rate(|window| window.in_sample, |window| window.in_sample_figures)?;
    let kept = rate(|window| window.out_of_sample, |window| window.out_of_sample_figures)?;
    (chosen > 0.0).then(|| kept / chosen)
}
