//! The run itself: candles in, report out.

use std::collections::BTreeMap;

use keyhold_domain::{BotId, Decimal, Instrument, Price, Rate, Timestamp};
use keyhold_engine::decision::Decision;
use keyhold_engine::event::Event;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::problem::Problem;
use keyhold_engine::report::{Course, Metrics, equity::Exposure};
use keyhold_engine::settings::{Limits, Recording};
use keyhold_engine::template::Template;
use keyhold_engine::{BotPlan, Ids, Plan, State};

use super::facts::{Besides, lacks};
use super::recorded::RecordedKind;
use super::report::{Assumptions, Finding, Gap, OpenAtEnd, REPORT_FORMAT, Report};
use super::sequence::Sequence;
use super::spec::{DecisionFill, Funding, LimitUse, Spec};
use super::support::supported;
use super::venue::{ACCOUNT, Loop};
use crate::exchange::{AccountNews, Exchange, ExchangeConfig, FillRules, NameRule, Slippage};

/// The bot's name in backtests; every run has the same.
const BOT: BotId = BotId::from_u128(1 << 100);
/// Blocks of candles between two reports of progress.
const BLOCKS_BETWEEN_PROGRESS: usize = 32;
/// Candles after which the loop looks up.
const BLOCK: usize = 256;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Candles done.
    pub done: usize,
    /// Candles in all.
    pub all: usize,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop; the run ends with [`BacktestError::Canceled`].
    Cancel,
}

/// Why there is no report. Each has a stable code.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BacktestError {
    /// The template, the settings or the instrument are wrong.
    #[error("the plan has {} problems", .0.len())]
    Plan(Vec<Problem>),
    /// No candle lies in the range.
    #[error("there are no candles in the range")]
    NoData,
    /// The candles are fewer than the components need, or none is left to decide on.
    #[error("the range has {have} candles and {need} are needed before the first decision")]
    RangeTooShort {
        /// Candles in the range.
        have: u64,
        /// Candles that only warm up.
        need: u64,
    },
    /// More candles than allowed.
    #[error("the range has {have} candles and at most {most} are allowed")]
    LimitExceeded {
        /// Candles given.
        have: u64,
        /// Candles allowed.
        most: u64,
    },
    /// Components need more than candles.
    #[error(
        "these components cannot be simulated from what there is: {}; give the funding or the series they need, or have them \
         counted as neutral",
        .0.join(", ")
    )]
    ComponentUnsupported(Vec<String>),
    /// Candles do not follow each other in time.
    #[error("the candle at {0} is not later than the one before it")]
    OutOfOrder(Timestamp),
    /// The starting equity is not greater than zero.
    #[error("the starting equity must be greater than zero")]
    NoEquity,
    /// The instruments do not belong into one run.
    #[error("the instruments cannot be run together: {0}")]
    Instruments(String),
    /// The exchange refused something that a backtest needs.
    #[error("the simulated exchange refused: {0}")]
    Exchange(String),
    /// The caller asked to stop.
    #[error("the run was canceled")]
    Canceled,
}

impl BacktestError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Plan(_) => "BT_TEMPLATE_INVALID",
            Self::NoData => "BT_NO_DATA",
            Self::RangeTooShort { .. } => "BT_RANGE_TOO_SHORT",
            Self::LimitExceeded { .. } => "BT_LIMIT_EXCEEDED",
            Self::ComponentUnsupported(_) => "BT_COMPONENT_UNSUPPORTED",
            Self::OutOfOrder(_) => "BT_DATA_INVALID",
            Self::NoEquity => "BT_EQUITY_INVALID",
            Self::Instruments(_) => "BT_INSTRUMENTS",
            Self::Exchange(_) => "BT_EXCHANGE_REFUSED",
            Self::Canceled => "BT_CANCELED",
        }
    }
}

/// Runs a backtest over candles of the template's timeframe, oldest first. `watch` is told of progress now and then and
/// may cancel.
pub fn run(
    spec: &Spec,
    candles: &[ClosedCandle],
    watch: &mut dyn FnMut(Progress) -> Control,
) -> Result<Report, BacktestError> {
    all(spec, candles, watch, None, None).map(|(report, _)| report)
}

/// The same as [`run`], and tells every decision when it is made, also those that do nothing. Slower: each is recorded
/// in full.
pub fn run_recorded(
    spec: &Spec,
    candles: &[ClosedCandle],
    watch: &mut dyn FnMut(Progress) -> Control,
    told: &mut dyn FnMut(Decision),
) -> Result<Report, BacktestError> {
    all(spec, candles, watch, Some(told), None).map(|(report, _)| report)
}

/// Whom decisions are told.
pub(super) type Listener<'a> = Option<&'a mut dyn FnMut(Decision)>;

/// A run whose equity may go on the course of earlier ones as well, which is handed back.
pub(super) fn all(
    spec: &Spec,
    candles: &[ClosedCandle],
    watch: &mut dyn FnMut(Progress) -> Control,
    told: Listener<'_>,
    joined: Option<Course>,
) -> Result<(Report, Option<Course>), BacktestError> {
    let mut findings = Vec::new();
    let lacking = |needs| lacks(&spec.recorded, &spec.funding, needs);
    let template = supported(spec, &lacking, &mut findings)?;
    let plan = compile(spec, &template, &spec.instrument, 0)?;
    let plan = if told.is_some() { plan } else { plan.silent() };
    let candles = in_range(spec, candles)?;
    let first = first_decision(spec, &plan, candles)?;
    let mut exchange = market(spec);
    list(&mut exchange, &plan, &spec.funding)?;
    let plan = BotPlan { plans: vec![plan] };
    let mut run = Run::new(spec, &plan, exchange, candles, first);
    run.joined = joined;
    let gaps = run.all(candles, first, watch, told)?;
    let gaps = gaps.listed(&mut findings);
    Ok(run.report(candles, first, findings, gaps))
}

pub(super) fn compile(
    spec: &Spec,
    template: &Template,
    instrument: &Instrument,
    slot: u16,
) -> Result<Plan, BacktestError> {
    if spec.start_equity <= Decimal::ZERO {
        return Err(BacktestError::NoEquity);
    }
    let mut settings = spec.settings.clone();
    settings.recording = Recording::Everything;
    if spec.limits == LimitUse::Off {
        settings.limits = Limits::default();
    }
    let ids =
        Ids { bot: BOT, slot, epoch: 0, template: spec.template_id, template_version: spec.template_version };
    Plan::compile(template, instrument, &settings, ids).map_err(BacktestError::Plan)
}

pub(super) fn in_range<'a>(
    spec: &Spec,
    candles: &'a [ClosedCandle],
) -> Result<&'a [ClosedCandle], BacktestError> {
    let end = spec
        .until
        .map_or(candles.len(), |until| candles.partition_point(|candle| candle.candle.open_time < until));
    let candles = &candles[..end];
    let have = u64::try_from(candles.len()).unwrap_or(u64::MAX);
    if candles.is_empty() {
        return Err(BacktestError::NoData);
    }
    if have > spec.most_candles {
        return Err(BacktestError::LimitExceeded { have, most: spec.most_candles });
    }
    Ok(candles)
}

/// The first candle to decide on.
pub(super) fn first_decision(
    spec: &Spec,
    plan: &Plan,
    candles: &[ClosedCandle],
) -> Result<usize, BacktestError> {
    // The candle that completes the history may be decided on, so one less only warms up.
    let history = usize::try_from(plan.warmup_candles.saturating_sub(1)).unwrap_or(usize::MAX);
    let from = match spec.from {
        Some(from) => candles.partition_point(|candle| candle.candle.open_time < from),
        None => history,
    };
    if from >= candles.len() || candles.len() <= history {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        return Err(BacktestError::RangeTooShort {
            have: count(candles.len()),
            need: count(from.max(history)),
        });
    }
    Ok(from)
}

/// An exchange with an account and without instruments.
pub(super) fn market(spec: &Spec) -> Exchange {
    let mut exchange = Exchange::new(ExchangeConfig {
        fills: FillRules {
            intrabar: spec.fills.intrabar,
            stop_gap: spec.fills.stop_gap,
            limit_gap: spec.fills.target_gap,
            ..FillRules::default()
        },
        slippage: Slippage::uniform(spec.fills.slippage_bps),
        account_news: AccountNews::Silent,
        // The engine computes a new name for every order; that is tested where names are made.
        names: NameRule::FreeAfterwards,
        ..ExchangeConfig::default()
    });
    exchange.open_account(ACCOUNT);
    exchange
}

/// Lists a plan's instrument with its leverage and its funding.
pub(super) fn list(exchange: &mut Exchange, plan: &Plan, funding: &Funding) -> Result<(), BacktestError> {
    exchange.list(plan.instrument);
    let symbol = plan.instrument.symbol;
    match exchange.set_leverage(ACCOUNT, symbol, plan.settings.leverage, &mut Vec::new()) {
        Ok(()) | Err(crate::exchange::Refusal::NoChange) => {}
        Err(refusal) => return Err(BacktestError::Exchange(refusal.to_string())),
    }
    if let Funding::Constant(rate) = funding {
        exchange
            .set_funding_rate(symbol, *rate)
            .map_err(|refusal| BacktestError::Exchange(refusal.to_string()))?;
    }
    Ok(())
}

fn refusal(because: crate::exchange::Refusal) -> BacktestError {
    BacktestError::Exchange(because.to_string())
}

struct Run<'a> {
    spec: &'a Spec,
    plan: &'a Plan,
    lane: Loop<'a>,
    /// The instrument's place at the exchange.
    market: usize,
    course: Course,
    /// The course of several runs that follow each other.
    joined: Option<Course>,
    /// The next recorded funding payment.
    funding: usize,
    /// What is told besides candles.
    besides: Besides<'a>,
    /// The version of the bot's book of results that the course has last seen.
    written: Option<u64>,
}

impl<'a> Run<'a> {
    fn new(
        spec: &'a Spec,
        plan: &'a BotPlan,
        exchange: Exchange,
        candles: &[ClosedCandle],
        first: usize,
    ) -> Self {
        let own = &plan.plans[0];
        let start = candles[first].candle.open_time;
        let mut lane = Loop::new(plan, exchange, spec.fills.protect_from);
        lane.deposit(spec.start_equity);
        if let Funding::Constant(rate) = spec.funding {
            lane.tell(0, &Event::FundingRate { rate, at: start }, start);
        }
        let mut besides = Besides::new(own, &spec.recorded, &spec.funding);
        if let Funding::Constant(rate) = spec.funding {
            besides.rate(rate);
        }
        let course = Course::new(start, spec.start_equity);
        // Its only instrument was listed by the caller; a place that does not exist is refused with the first candle.
        let market = lane.exchange.place(own.instrument.symbol).unwrap_or(usize::MAX);
        Self { spec, plan: own, lane, market, course, joined: None, funding: 0, besides, written: None }
    }

    fn all(
        &mut self,
        candles: &[ClosedCandle],
        first: usize,
        watch: &mut dyn FnMut(Progress) -> Control,
        mut told: Listener<'_>,
    ) -> Result<Sequence, BacktestError> {
        let (history, played) = candles.split_at(first);
        let mut sequence = Sequence::new(self.plan);
        sequence.check(history)?;
        for candle in history {
            self.recorded_rates(candle.candle.open_time);
            self.tell_besides(candle, candle.candle.open_time);
            self.lane.tell(0, &Event::Warmup(*candle), candle.candle.open_time);
        }
        let start = candles[first].candle.open_time;
        let truth = self.lane.truth(0, start);
        self.lane.tell(0, &Event::Reconciled(truth), start);
        self.lane.tell_balance(start);
        for (number, block) in played.chunks(BLOCK).enumerate() {
            let done = first + number * BLOCK;
            if number > 0
                && number % BLOCKS_BETWEEN_PROGRESS == 0
                && watch(Progress { done, all: candles.len() }) == Control::Cancel
            {
                return Err(BacktestError::Canceled);
            }
            for candle in block {
                sequence.check_one(candle)?;
                self.one(candle)?;
                if let Some(decision) = self.lane.decision.take()
                    && let Some(told) = &mut told
                {
                    told(*decision);
                }
            }
        }
        watch(Progress { done: candles.len(), all: candles.len() });
        Ok(sequence)
    }

    /// One candle: its open, the way to its close, and the decision on it.
    fn one(&mut self, candle: &ClosedCandle) -> Result<(), BacktestError> {
        let bar = &candle.candle;
        let symbol = self.plan.instrument.symbol;
        let closed_at = bar.close_time(self.plan.timeframe);
        // What happens inside a candle happens before its close: its last millisecond tells it from the next open.
        let inside = closed_at.plus_ms(-1);
        let mut refused = None;
        let quiet = self.lane.is_quiet(inside) && !self.rate_is_due(bar.open_time);
        let passed = quiet && self.lane.pass(self.market, bar, inside).map_err(refusal)?;
        if passed {
            self.lane.hold_protection();
        } else {
            self.lane.ring(bar.open_time);
            self.recorded_rates(bar.open_time);
            self.lane.hold_protection();
            self.lane.exchange(bar.open_time, |exchange, news| {
                refused = exchange.price(symbol, bar.open, bar.open_time, news).err();
            });
            self.lane.check_stop(0);
            self.lane.ring(inside);
            self.lane.exchange(inside, |exchange, news| {
                refused = refused.or(exchange.play_rest(symbol, bar, inside, news).err());
            });
        }
        if self.spec.fills.decision == DecisionFill::SameClose {
            self.lane.exchange(closed_at, |exchange, news| {
                refused = refused.or(exchange.price(symbol, bar.close, closed_at, news).err());
            });
        }
        if let Some(because) = refused {
            return Err(refusal(because));
        }
        self.lane.tell_balance(closed_at);
        self.tell_besides(candle, closed_at);
        self.lane.close(0, candle, closed_at);
        self.lane.release_protection(closed_at);
        self.measure(closed_at);
        Ok(())
    }

    /// What is known besides a candle, before it is told itself.
    fn tell_besides(&mut self, candle: &ClosedCandle, at: Timestamp) {
        if let Some(event) = self.besides.of(&candle.candle) {
            self.lane.tell(0, event, at);
        }
    }

    fn rate_is_due(&self, until: Timestamp) -> bool {
        match &self.spec.funding {
            Funding::History(history) => history.get(self.funding).is_some_and(|(at, _)| *at <= until),
            Funding::Off | Funding::Constant(_) => false,
        }
    }

    /// Recorded funding up to and including `until`: paid, and known as the rate in force.
    fn recorded_rates(&mut self, until: Timestamp) {
        let Funding::History(history) = &self.spec.funding else { return };
        let symbol = self.plan.instrument.symbol;
        while let Some((at, rate)) = history.get(self.funding).copied().filter(|(at, _)| *at <= until) {
            self.funding += 1;
            self.besides.rate(rate);
            self.lane.tell(0, &Event::FundingRate { rate, at }, at);
            self.lane.exchange(at, |exchange, news| {
                // Before the first price there is no position that could pay.
                let paid = exchange.pay_funding(symbol, rate, at, news);
                debug_assert!(paid.is_ok() || rate == Rate::ZERO || news.is_empty(), "nothing was paid");
            });
        }
    }

    fn measure(&mut self, at: Timestamp) {
        let state = self.lane.bot.instrument(0);
        let exposure = match state.and_then(State::holding) {
            Some(_) => Exposure::Open,
            None => Exposure::Flat,
        };
        let version = self.lane.bot.book_version();
        if self.written == Some(version) && !self.lane.bot.is_book_old() {
            self.course.hold(at, exposure);
            if let Some(joined) = &mut self.joined {
                joined.hold(at, exposure);
            }
        } else if let Some(equity) = self.lane.equity() {
            self.written = Some(version);
            self.course.push(at, equity, exposure);
            if let Some(joined) = &mut self.joined {
                joined.push(at, equity, exposure);
            }
        }
    }

    fn report(
        self,
        candles: &[ClosedCandle],
        first: usize,
        mut findings: Vec<Finding>,
        gaps: Vec<Gap>,
    ) -> (Report, Option<Course>) {
        let (plan, spec) = (self.plan, self.spec);
        let last = &candles[candles.len() - 1].candle;
        let state = self.lane.bot.instrument(0);
        let (open, close) = (candles[first].floats.open, candles[candles.len() - 1].floats.close);
        notices(&self.lane, &mut findings);
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let span = (candles[first].candle.open_time, last.close_time(plan.timeframe));
        let report = Report {
            format: REPORT_FORMAT,
            assumptions: assumptions(spec, &[plan], (&spec.funding, spec.recorded.kinds().collect()), span),
            findings,
            candles: count(candles.len() - first),
            warmup_candles: count(first),
            gaps,
            metrics: Metrics::new(&self.lane.trades, self.course.summary(), plan.instrument.contract_type),
            execution: self.lane.execution.figures(),
            signals: None,
            rejected: state.map_or_else(BTreeMap::new, |state| state.rejected().clone()),
            buy_and_hold_pct: (open > 0.0).then(|| (close / open - 1.0) * 100.0),
            open_at_end: state.and_then(|state| open_at_end(state, plan, last.close)).into_iter().collect(),
            equity: self.course.points(),
            trades: self.lane.trades,
        };
        (report, self.joined)
    }
}

/// The position that an instrument still holds.
pub(super) fn open_at_end(state: &State, plan: &Plan, close: Price) -> Option<OpenAtEnd> {
    let holding = state.holding()?;
    Some(OpenAtEnd {
        symbol: plan.instrument.symbol,
        size: holding.size,
        entry: holding.entry,
        since: holding.opened_at,
        unrealized: holding.unrealized(&plan.instrument, close),
    })
}

pub(super) fn notices(lane: &Loop<'_>, findings: &mut Vec<Finding>) {
    if lane.trades.is_empty() {
        findings.push(Finding {
            code: "BT_NO_TRADES",
            message: String::from("No trade was completed; see the rejected signals for the reasons."),
        });
    }
    if lane.liquidations > 0 {
        findings.push(Finding {
            code: "LIQUIDATED",
            message: format!(
                "{} positions were liquidated: the leverage is too high for the distance of the stop.",
                lane.liquidations
            ),
        });
    }
    if lane.bare_stops > 0 {
        findings.push(Finding {
            code: "BT_STOP_BEYOND_LIQUIDATION",
            message: format!(
                "{} positions would have been liquidated before their stop was reached.",
                lane.bare_stops
            ),
        });
    }
    if lane.overflows > 0 {
        findings.push(Finding {
            code: "BT_OVERFLOW",
            message: format!("{} amounts did not fit into 28 digits and were left out.", lane.overflows),
        });
    }
}

/// What was assumed; the plans are those of the bot's instruments and differ in nothing else.
pub(super) fn assumptions(
    spec: &Spec,
    plans: &[&Plan],
    (funding, recorded): (&Funding, Vec<RecordedKind>),
    (from, until): (Timestamp, Timestamp),
) -> Assumptions {
    let plan = plans[0];
    Assumptions {
        template: spec.template.name.clone(),
        template_version: spec.template_version,
        exchange: plan.instrument.exchange,
        symbol: plan.instrument.symbol,
        timeframe: plan.timeframe,
        asset: plan.instrument.settle,
        start_equity: spec.start_equity,
        from,
        until,
        leverage: plan.settings.leverage,
        maker_fee: plan.instrument.maker_fee,
        taker_fee: plan.instrument.taker_fee,
        fills: spec.fills,
        funding: funding.word(),
        recorded: recorded.into_iter().map(RecordedKind::word).collect(),
        limits: spec.limits,
        unsupported: spec.unsupported,
        instruments: plans.iter().map(|plan| plan.instrument).collect(),
        template_document: spec.template.clone(),
        settings: spec.settings.clone(),
    }
}
