//! One backtest, from the recorded candles to the texts that are kept. Runs on a thread of its own and looks between
//! chunks of candles whether it is to stop.

use std::sync::Arc;

use keyhold_domain::{Candle, Timeframe, Timestamp};
use keyhold_engine::report::SignalAnalyst;
use keyhold_history::{HistoryError, Month};
use keyhold_simulator::backtest::{
    BacktestError, Control, Funding, History, Market, Progress, Report, Spec, markets, run_markets,
};
use keyhold_simulator::html::PriceLine;
use tokio::sync::watch;

use super::active::{Order, Seen};
use super::coverage::Recorded;
use super::outcome::Output;
use super::request::{BacktestRequest, RunMarket, Switch};
use crate::backtest::on_tick;
use crate::clock::Stopwatch;

/// How long a run may take.
const MOST_MS: u64 = 30 * 60 * 1000;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Somebody canceled it.
    Canceled,
    /// The server ends.
    Abandoned,
    /// It cannot be had.
    Failed {
        /// A stable code.
        code: &'static str,
        /// A sentence.
        detail: String,
    },
}

impl Failure {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Failed { code, detail: detail.into() }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "recorded candles cannot be read");
        // The text names files of the server, which are nobody's business.
        Self::new("BT_DATA_INVALID", "The recorded candles cannot be read; the server's log says why.")
    }
}

/// A worker at its work.
pub(super) struct Worker {
    pub(super) recorded: Arc<Recorded>,
    pub(super) request: BacktestRequest,
    pub(super) order: watch::Receiver<Order>,
    pub(super) seen: watch::Sender<Option<Seen>>,
    pub(super) watch: Stopwatch,
}

impl Worker {
    /// Whether to stop, and why.
    fn check(&self) -> Result<(), Failure> {
        match *self.order.borrow() {
            Order::Cancel => Err(Failure::Canceled),
            Order::Abandon => Err(Failure::Abandoned),
            Order::GoOn if self.watch.elapsed_ms() > MOST_MS => {
                let detail = format!("The run took longer than {} minutes.", MOST_MS / 60_000);
                Err(Failure::new("BT_LIMIT_EXCEEDED", detail))
            }
            Order::GoOn => Ok(()),
        }
    }

    /// The whole run.
    pub(super) fn run(&self) -> Result<Output, Failure> {
        let no_market = || Failure::new("BT_MARKETS", "The run names no market.");
        let spec = self.request.spec().ok_or_else(no_market)?;
        let timeframe = self.request.document.timeframe;
        let mut histories = Vec::new();
        for market in &self.request.markets {
            histories.push(self.history(market, timeframe)?);
        }
        self.check()?;
        let lanes = markets(&histories, timeframe);
        let report = self.play(&spec, &lanes)?;
        let assumed = &report.assumptions;
        let line = |lane: &Market<'_>| {
            PriceLine::new(lane.instrument.symbol, lane.candles, assumed.from, assumed.until)
        };
        let lines: Vec<PriceLine> = lanes.iter().map(line).collect();
        self.check()?;
        Output::new(report, &lines).map_err(|error| Failure::new("BT_FAILED", error.to_string()))
    }

    /// The candles of one market, read month by month.
    fn history(&self, market: &RunMarket, timeframe: Timeframe) -> Result<History, Failure> {
        let library = self.recorded.library(market.place.environment);
        let shelf = library.shelf(market.place.market(market.recorded));
        let (from, until) = (self.request.read_from(), self.request.until);
        let mut instrument = market.instrument;
        if let Some(fees) = self.request.assumed.fees {
            (instrument.maker_fee, instrument.taker_fee) = (fees.maker, fees.taker);
        }
        let mut candles: Vec<Candle> = Vec::new();
        for month in shelf.months()? {
            self.check()?;
            if month < Month::of(from) || month > Month::of(until) {
                continue;
            }
            for candle in shelf.month(month)? {
                if candle.open_time >= from && candle.open_time < until {
                    let rounded = on_tick(candle, &instrument);
                    candles.push(rounded.ok_or_else(|| below_tick(candle.open_time))?);
                }
            }
        }
        let funding: Funding = self.request.assumed.funding.into();
        History::new(instrument, funding, &candles, [timeframe])
            .map_err(|error| Failure::new("BT_TOO_COARSE", error.to_string()))
    }

    fn play(&self, spec: &Spec, lanes: &[Market<'_>]) -> Result<Report, Failure> {
        let mut stopped = None;
        let mut watch = |progress: Progress| {
            self.seen.send_replace(Some(seen(progress, lanes, spec)));
            match self.check() {
                Ok(()) => Control::Continue,
                Err(why) => {
                    stopped = Some(why);
                    Control::Cancel
                }
            }
        };
        let report = match self.request.assumed.signals {
            Switch::Off => run_markets(spec, lanes, &mut watch, None),
            Switch::On => {
                let mut analyst = SignalAnalyst::default();
                let told = &mut |decision| analyst.take(&decision);
                let report = run_markets(spec, lanes, &mut watch, Some(told));
                report.map(|report| Report { signals: Some(analyst.finish(&report.trades)), ..report })
            }
        };
        report.map_err(|error| stopped.unwrap_or_else(|| refused(&error)))
    }
}

fn below_tick(at: Timestamp) -> Failure {
    Failure::new("BT_DATA_INVALID", format!("The candle at {at} has a price below half of the tick."))
}

fn refused(error: &BacktestError) -> Failure {
    match error {
        BacktestError::Plan(problems) => {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            Failure::new(error.code(), format!("The template or the settings cannot be used: {first}"))
        }
        other => Failure::new(other.code(), format!("{}.", capitalized(&other.to_string()))),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How far the run is, with the instant of the past it has come to.
fn seen(progress: Progress, lanes: &[Market<'_>], spec: &Spec) -> Seen {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Seen { done: count(progress.done), all: count(progress.all), at: reached(progress.done, lanes, spec) }
}

/// The instant up to which the lanes together have `done` candles.
fn reached(done: usize, lanes: &[Market<'_>], spec: &Spec) -> Timestamp {
    let opens = |lane: &Market<'_>, index: usize| lane.candles[index].candle.open_time;
    let ends = lanes.iter().filter(|lane| !lane.candles.is_empty());
    let first = ends.clone().map(|lane| opens(lane, 0)).min();
    let last = ends.map(|lane| opens(lane, lane.candles.len() - 1)).max();
    let (Some(mut low), Some(mut high)) = (first, last) else { return spec.from.unwrap_or(Timestamp::EPOCH) };
    let before = |at: Timestamp| -> usize {
        lanes.iter().map(|lane| lane.candles.partition_point(|candle| candle.candle.open_time < at)).sum()
    };
    while low < high {
        let middle = low.plus_ms(high.since_ms(low) / 2);
        if before(middle) < done { low = middle.plus_ms(1) } else { high = middle }
    }
    low
}
