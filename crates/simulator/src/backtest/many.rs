//! One bot on several instruments: their candles interleaved by time, one account, limits that see the whole bot.
//!
//! At every instant all instruments with a candle see its open, then its way, then its close; decisions are made in the
//! order of the instruments. With one instrument it gives the bytes of [`super::run()`], which is the faster way to
//! the same report. An instrument whose candles begin later joins later, after its history.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyhold_domain::{Instrument, ReasonCode, Timestamp};
use keyhold_engine::event::Event;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::report::{Course, Metrics, equity::Exposure};
use keyhold_engine::{BotPlan, Plan, State};

use super::facts::{Besides, lacks};
use super::recorded::{RecordedFacts, RecordedKind};
use super::report::{Finding, Gap, REPORT_FORMAT, Report};
use super::run::{self, BacktestError, Control, Listener, Progress};
use super::sequence::Sequence;
use super::spec::{DecisionFill, Funding, Spec};
use super::support::supported;
use super::venue::Loop;

/// Candles between two reports of progress.
const PROGRESS_EVERY: usize = 8192;
/// The largest number of instruments, as for a bot.
const MOST_INSTRUMENTS: usize = 64;

/// One instrument of a run with its data.
#[derive(Debug, Clone, Copy)]
pub struct Market<'a> {
    /// The instrument with its grids and with the fees to assume.
    pub instrument: &'a Instrument,
    /// Its funding.
    pub funding: &'a Funding,
    /// What was recorded of it besides.
    pub recorded: &'a Arc<RecordedFacts>,
    /// Its candles of the template's timeframe, oldest first.
    pub candles: &'a [ClosedCandle],
}

/// Runs a backtest of one bot on several instruments that settle in the same asset. The instrument, the funding
/// and the recorded series of the specification are not used. `watch` and `told` are those of [`super::run()`] and [`super::run_recorded`].
pub fn run_markets(
    spec: &Spec,
    markets: &[Market<'_>],
    watch: &mut dyn FnMut(Progress) -> Control,
    told: Listener<'_>,
) -> Result<Report, BacktestError> {
    run_on(spec, markets, watch, told, None).map(|(report, _)| report)
}

/// The same, with the equity on the course of earlier runs as well.
pub(crate) fn run_joined(
    spec: &Spec,
    markets: &[Market<'_>],
    course: Course,
) -> Result<(Report, Course), BacktestError> {
    let (report, joined) = run_on(spec, markets, &mut |_| Control::Continue, None, Some(course.clone()))?;
    // What is put in comes out.
    Ok((report, joined.unwrap_or(course)))
}

/// The same as [`run_markets`] without the shortcut for one instrument, so that a test can compare both.
#[doc(hidden)]
pub fn run_interleaved(
    spec: &Spec,
    markets: &[Market<'_>],
    watch: &mut dyn FnMut(Progress) -> Control,
) -> Result<Report, BacktestError> {
    interleaved(spec, markets, watch, None, None).map(|(report, _)| report)
}

/// One instrument takes the short way.
fn run_on(
    spec: &Spec,
    markets: &[Market<'_>],
    watch: &mut dyn FnMut(Progress) -> Control,
    told: Listener<'_>,
    joined: Option<Course>,
) -> Result<(Report, Option<Course>), BacktestError> {
    match markets {
        [] => Err(BacktestError::NoData),
        [only] => {
            let own = Spec {
                instrument: *only.instrument,
                funding: only.funding.clone(),
                recorded: Arc::clone(only.recorded),
                ..spec.clone()
            };
            run::all(&own, only.candles, watch, told, joined)
        }
        several => interleaved(spec, several, watch, told, joined),
    }
}

pub(super) fn interleaved(
    spec: &Spec,
    markets: &[Market<'_>],
    watch: &mut dyn FnMut(Progress) -> Control,
    told: Listener<'_>,
    joined: Option<Course>,
) -> Result<(Report, Option<Course>), BacktestError> {
    check(markets)?;
    let mut findings = Vec::new();
    // A component has what it needs when every instrument has it.
    let lacking = |needs| markets.iter().any(|market| lacks(market.recorded, market.funding, needs));
    let template = supported(spec, &lacking, &mut findings)?;
    let mut exchange = run::market(spec);
    let (mut plans, mut lanes, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for (slot, market) in (0_u16..).zip(markets) {
        let plan = run::compile(spec, &template, market.instrument, slot)?;
        let plan = if told.is_some() { plan } else { plan.silent() };
        let candles = run::in_range(spec, market.candles)?;
        let first = first_decision(spec, &plan, candles)?;
        let mut sequence = Sequence::new(&plan);
        sequence.check(candles)?;
        gaps.extend(sequence.listed(&mut findings));
        run::list(&mut exchange, &plan, market.funding)?;
        let besides = Besides::new(&plan, market.recorded, market.funding);
        lanes.push(Lane { slot, candles, first, next: 0, funding: market.funding, paid: 0, besides });
        plans.push(plan);
    }
    let plan = BotPlan { plans };
    let start = lanes.iter().map(Lane::start).min().ok_or(BacktestError::NoData)?;
    let mut lane = Loop::new(&plan, exchange, spec.fills.protect_from);
    lane.deposit(spec.start_equity);
    let course = Course::new(start, spec.start_equity);
    let mut run = Many { spec, plan: &plan, lanes, venue: lane, course, joined };
    run.all(start, watch, told)?;
    Ok(run.report(start, findings, gaps))
}

fn check(markets: &[Market<'_>]) -> Result<(), BacktestError> {
    if markets.len() > MOST_INSTRUMENTS {
        return Err(BacktestError::Instruments(format!("at most {MOST_INSTRUMENTS} are possible")));
    }
    for (place, market) in markets.iter().enumerate() {
        if markets[..place].iter().any(|other| other.instrument.symbol == market.instrument.symbol) {
            return Err(BacktestError::Instruments(format!("{} is there twice", market.instrument.symbol)));
        }
        let (first, own) = (markets[0].instrument, market.instrument);
        if own.settle != first.settle || own.contract_type != first.contract_type {
            return Err(BacktestError::Instruments(format!(
                "{} settles in {} and {} in {}: results of different assets are never added",
                first.symbol, first.settle, own.symbol, own.settle
            )));
        }
    }
    Ok(())
}

/// As of a single run, but a lane whose history is short when the run begins warms up while it runs.
fn first_decision(spec: &Spec, plan: &Plan, candles: &[ClosedCandle]) -> Result<usize, BacktestError> {
    let first = run::first_decision(&Spec { from: None, ..spec.clone() }, plan, candles)?;
    let from = spec.from.map(|from| candles.partition_point(|candle| candle.candle.open_time < from));
    Ok(from.filter(|from| *from < candles.len()).unwrap_or(first))
}

struct Lane<'a> {
    slot: u16,
    candles: &'a [ClosedCandle],
    /// The first candle to decide on.
    first: usize,
    next: usize,
    funding: &'a Funding,
    /// The next recorded funding payment.
    paid: usize,
    /// What is told besides candles.
    besides: Besides<'a>,
}

impl Lane<'_> {
    fn start(&self) -> Timestamp {
        self.candles[self.first].candle.open_time
    }

    fn due(&self) -> Option<&ClosedCandle> {
        self.candles.get(self.next)
    }

    fn is_due(&self, at: Timestamp) -> bool {
        self.due().is_some_and(|candle| candle.candle.open_time == at)
    }
}

struct Many<'a> {
    spec: &'a Spec,
    plan: &'a BotPlan,
    lanes: Vec<Lane<'a>>,
    venue: Loop<'a>,
    course: Course,
    joined: Option<Course>,
}

impl Many<'_> {
    fn all(
        &mut self,
        start: Timestamp,
        watch: &mut dyn FnMut(Progress) -> Control,
        mut told: Listener<'_>,
    ) -> Result<(), BacktestError> {
        let all = self.lanes.iter().map(|lane| lane.candles.len()).sum();
        let (mut done, mut reported, mut begun) = (0, 0, false);
        while let Some(at) =
            self.lanes.iter().filter_map(Lane::due).map(|candle| candle.candle.open_time).min()
        {
            if !begun && at >= start {
                begun = true;
                self.begin(start);
            }
            let due: Vec<usize> = (0..self.lanes.len()).filter(|lane| self.lanes[*lane].is_due(at)).collect();
            self.step(at, &due, &mut told)?;
            done += due.len();
            if done - reported >= PROGRESS_EVERY {
                reported = done;
                if watch(Progress { done, all }) == Control::Cancel {
                    return Err(BacktestError::Canceled);
                }
            }
        }
        watch(Progress { done: all, all });
        Ok(())
    }

    /// The account is known before the first decision; an instrument asks for its truth when it joins.
    fn begin(&mut self, start: Timestamp) {
        for lane in 0..self.lanes.len() {
            let slot = self.lanes[lane].slot;
            if let Funding::Constant(rate) = *self.lanes[lane].funding {
                self.lanes[lane].besides.rate(rate);
                self.venue.tell(slot, &Event::FundingRate { rate, at: start }, start);
            }
            let truth = self.venue.truth(slot, start);
            self.venue.tell(slot, &Event::Reconciled(truth), start);
        }
        self.venue.tell_balance(start);
    }

    /// One instant: the candles that open at it, those of history first.
    fn step(&mut self, at: Timestamp, due: &[usize], told: &mut Listener<'_>) -> Result<(), BacktestError> {
        let mut deciding = Vec::with_capacity(due.len());
        for lane in due.iter().copied() {
            let place = self.lanes[lane].next;
            self.lanes[lane].next += 1;
            if place < self.lanes[lane].first {
                let (slot, candle) = (self.lanes[lane].slot, self.lanes[lane].candles[place]);
                self.recorded_rates(lane, at);
                self.tell_besides(lane, &candle, at);
                self.venue.tell(slot, &Event::Warmup(candle), at);
            } else {
                deciding.push((lane, self.lanes[lane].candles[place]));
            }
        }
        if deciding.is_empty() { Ok(()) } else { self.play(at, &deciding, told) }
    }

    fn play(
        &mut self,
        at: Timestamp,
        deciding: &[(usize, ClosedCandle)],
        told: &mut Listener<'_>,
    ) -> Result<(), BacktestError> {
        let closed_at = at.plus_ms(self.plan.plans[0].interval_ms());
        // What happens inside a candle happens before its close: its last millisecond tells it from the next open.
        let inside = closed_at.plus_ms(-1);
        self.venue.ring(at);
        for (lane, _) in deciding {
            self.recorded_rates(*lane, at);
        }
        self.venue.hold_protection();
        for (lane, candle) in deciding {
            self.price(*lane, candle, (at, Moment::Open))?;
            self.venue.check_stop(self.lanes[*lane].slot);
        }
        self.venue.ring(inside);
        for (lane, candle) in deciding {
            self.price(*lane, candle, (inside, Moment::Rest))?;
        }
        if self.spec.fills.decision == DecisionFill::SameClose {
            for (lane, candle) in deciding {
                self.price(*lane, candle, (closed_at, Moment::Close))?;
            }
        }
        self.venue.tell_balance(closed_at);
        for (lane, candle) in deciding {
            self.tell_besides(*lane, candle, closed_at);
            self.venue.close(self.lanes[*lane].slot, candle, closed_at);
            if let Some(decision) = self.venue.decision.take()
                && let Some(told) = told
            {
                told(*decision);
            }
        }
        self.venue.release_protection(closed_at);
        self.measure(closed_at);
        Ok(())
    }

    /// What is known besides a candle, before it is told itself.
    fn tell_besides(&mut self, lane: usize, candle: &ClosedCandle, at: Timestamp) {
        let lane = &mut self.lanes[lane];
        if let Some(event) = lane.besides.of(&candle.candle) {
            self.venue.tell(lane.slot, event, at);
        }
    }

    fn price(
        &mut self,
        lane: usize,
        candle: &ClosedCandle,
        (at, moment): (Timestamp, Moment),
    ) -> Result<(), BacktestError> {
        let symbol = self.plan.plans[usize::from(self.lanes[lane].slot)].instrument.symbol;
        let bar = &candle.candle;
        let mut refused = None;
        self.venue.exchange(at, |exchange, news| {
            refused = match moment {
                Moment::Open => exchange.price(symbol, bar.open, at, news).err(),
                Moment::Rest => exchange.play_rest(symbol, bar, at, news).err(),
                Moment::Close => exchange.price(symbol, bar.close, at, news).err(),
            };
        });
        refused.map_or(Ok(()), |refusal| Err(BacktestError::Exchange(refusal.to_string())))
    }

    /// Recorded funding of an instrument up to and including `until`: paid, and known as the rate in force.
    fn recorded_rates(&mut self, lane: usize, until: Timestamp) {
        let (slot, funding) = (self.lanes[lane].slot, self.lanes[lane].funding);
        let Funding::History(history) = funding else { return };
        let symbol = self.plan.plans[usize::from(slot)].instrument.symbol;
        while let Some((at, rate)) =
            history.get(self.lanes[lane].paid).copied().filter(|(at, _)| *at <= until)
        {
            self.lanes[lane].paid += 1;
            self.lanes[lane].besides.rate(rate);
            self.venue.tell(slot, &Event::FundingRate { rate, at }, at);
            self.venue.exchange(at, |exchange, news| {
                // Before the first price there is no position that could pay, and nothing is paid.
                let paid = exchange.pay_funding(symbol, rate, at, news);
                debug_assert!(paid.is_ok() || news.is_empty(), "nothing was paid");
            });
        }
    }

    fn measure(&mut self, at: Timestamp) {
        let mut states = self.lanes.iter().filter_map(|lane| self.venue.bot.instrument(lane.slot));
        let exposure =
            if states.any(|state| state.holding().is_some()) { Exposure::Open } else { Exposure::Flat };
        if let Some(equity) = self.venue.equity() {
            self.course.push(at, equity, exposure);
            if let Some(joined) = &mut self.joined {
                joined.push(at, equity, exposure);
            }
        }
    }

    fn report(
        self,
        start: Timestamp,
        mut findings: Vec<Finding>,
        gaps: Vec<Gap>,
    ) -> (Report, Option<Course>) {
        let plans: Vec<&Plan> = self.plan.plans.iter().collect();
        let until = self.lanes.iter().map(|lane| self.last(lane)).max().unwrap_or(start);
        let (mut rejected, mut open_at_end) = (BTreeMap::<ReasonCode, u64>::new(), Vec::new());
        let mut changes = Vec::new();
        for (lane, plan) in self.lanes.iter().zip(&plans) {
            let (open, last) = (lane.candles[lane.first].floats.open, &lane.candles[lane.candles.len() - 1]);
            changes.push((open > 0.0).then(|| (last.floats.close / open - 1.0) * 100.0));
            let Some(state): Option<&State> = self.venue.bot.instrument(lane.slot) else { continue };
            for (reason, count) in state.rejected() {
                *rejected.entry(*reason).or_default() += count;
            }
            open_at_end.extend(run::open_at_end(state, plan, last.candle.close));
        }
        run::notices(&self.venue, &mut findings);
        let counted = |count: fn(&Lane<'_>) -> usize| {
            u64::try_from(self.lanes.iter().map(count).sum::<usize>()).unwrap_or(u64::MAX)
        };
        let everywhere = |kind: &RecordedKind| self.lanes.iter().all(|lane| lane.besides.has(*kind));
        let recorded = RecordedKind::ALL.into_iter().filter(everywhere).collect();
        let report = Report {
            format: REPORT_FORMAT,
            assumptions: run::assumptions(
                self.spec,
                &plans,
                (self.lanes[0].funding, recorded),
                (start, until),
            ),
            findings,
            candles: counted(|lane| lane.candles.len() - lane.first),
            warmup_candles: counted(|lane| lane.first),
            gaps,
            metrics: Metrics::new(
                &self.venue.trades,
                self.course.summary(),
                plans[0].instrument.contract_type,
            ),
            execution: self.venue.execution.figures(),
            signals: None,
            rejected,
            buy_and_hold_pct: mean(&changes),
            open_at_end,
            equity: self.course.points(),
            trades: self.venue.trades,
        };
        (report, self.joined)
    }

    fn last(&self, lane: &Lane<'_>) -> Timestamp {
        lane.candles[lane.candles.len() - 1].candle.close_time(self.plan.plans[0].timeframe)
    }
}

#[derive(Clone, Copy)]
enum Moment {
    Open,
    Rest,
    Close,
}

/// The mean of changes; not defined when one of them is not.
fn mean(changes: &[Option<f64>]) -> Option<f64> {
    let all: Option<Vec<f64>> = changes.iter().copied().collect();
    let all = all.filter(|all| !all.is_empty())?;
    let count = all.iter().map(|_| 1.0).sum::<f64>();
    Some(all.iter().sum::<f64>() / count)
}
