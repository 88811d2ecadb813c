//! One backtest, from the recorded candles to the texts that are kept. Runs on a thread of its own and looks between
//! chunks of candles whether it is to stop.

use std::sync::Arc;

use keyhold_domain::{Timeframe, Timestamp};
use keyhold_engine::input::ClosedCandle;
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
        let prices: Vec<PriceLine> = lanes.iter().map(line).collect();
        self.check()?;
        Output::new(report, &prices).map_err(|error| Failure::new("BT_FAILED", error.to_string()))
    }

    /// The candles of one market, read month by month.
    fn history(&self, market: &RunMarket, timeframe: Timeframe) -> Result<History, Failure> {
        let library = self.recorded.library(market.place.environment);
        let files = library.shelf(market.place.market(market.recorded));
        let (from, until) = (self.request.read_from(), self.request.until);
        let mut instrument = market.instrument;
        if let Some(fees) = self.request.assumed.fees {
            (instrument.maker_fee, instrument.taker_fee) = (fees.maker, fees.taker);
        }
        let mut candles: Vec<ClosedCandle> = Vec::new();
        for month in files.months()? {
            self.check()?;
            if month < Month::of(from) || month > Month::of(until) {
                continue;
            }
            for candle in files.month(month)? {
                if candle.open_time >= from && candle.open_time < until {
                    let rounded = on_tick(candle, &instrument);
                    let rounded = rounded.ok_or_else(|| below_tick(candle.open_time))?;
                    candles.push(ClosedCandle::new(rounded));
                }
            }
        }
        let funding: Funding = self.request.assumed.funding.into();
        History::of(instrument, funding, candles, [timeframe])
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

/// When the candle opened with which the lanes together have `done` candles.
fn reached(done: usize, lanes: &[Market<'_>], spec: &Spec) -> Timestamp {
    let opens = |lane: &Market<'_>, index: usize| lane.candles[index].candle.open_time;
    let ends = lanes.iter().filter(|lane| !lane.candles.is_empty());
    let first = ends.clone().map(|lane| opens(lane, 0)).min();
    let last = ends.map(|lane| opens(lane, lane.candles.len() - 1)).max();
    let (Some(mut low), Some(mut high)) = (first, last) else { return spec.from.unwrap_or(Timestamp::EPOCH) };
    let opened = |at: Timestamp| -> usize {
        lanes.iter().map(|lane| lane.candles.partition_point(|candle| candle.candle.open_time <= at)).sum()
    };
    while low < high {
        let middle = low.plus_ms(high.since_ms(low) / 2);
        if opened(middle) < done { low = middle.plus_ms(1) } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use keyhold_domain::{ContractType, Decimal, Environment, Exchange};
    use keyhold_engine::settings::{BotSettings, Sizing};
    use keyhold_simulator::market::{Synthetic, SyntheticConfig};

    use super::super::request::{Assumed, FundingChoice, GapChoice, Place, UnsupportedChoice};
    use super::*;

    const CANDLES: usize = 30_000;

    fn place(symbol: &str) -> Place {
        Place {
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract_type: ContractType::Linear,
            symbol: symbol.parse().unwrap(),
        }
    }

    fn request() -> BacktestRequest {
        let mut document = keyhold_engine::system_templates::all().remove(0).template;
        document.timeframe = Timeframe::M1;
        let instrument = keyhold_fake_venues::parse_instrument("BTCUSDT=linear").unwrap();
        BacktestRequest {
            template_id: None,
            template_version: None,
            document,
            markets: vec![RunMarket { place: place("BTCUSDT"), instrument, recorded: Timeframe::M1 }],
            from: Timestamp::from_ms(60_000 * 2_000),
            until: Timestamp::from_ms(60_000 * 30_000),
            warmup_candles: 400,
            recorded_candles: 30_000,
            assumed: Assumed {
                equity: Decimal::ONE_THOUSAND,
                settings: BotSettings::new(
                    Sizing::FixedNotional { quote: Decimal::ONE_HUNDRED },
                    Decimal::ONE,
                ),
                fees: None,
                slippage_bps: Decimal::ONE,
                funding: FundingChoice::Constant { rate: keyhold_domain::Rate::new(Decimal::new(1, 4)) },
                limits: Switch::On,
                unsupported: UnsupportedChoice::Refuse,
                gaps: GapChoice::Refuse,
                signals: Switch::Off,
            },
        }
    }

    fn worker(folder: &std::path::Path, order: watch::Receiver<Order>) -> Worker {
        let recorded = Recorded::new(folder.to_owned());
        let config = SyntheticConfig {
            seed: 1,
            stream: 0,
            start_price: "60000".parse().unwrap(),
            tick: Decimal::new(1, 1),
            start: Timestamp::EPOCH,
            timeframe: Timeframe::M1,
            volatility_ppm: 800,
        };
        let candles: Vec<keyhold_domain::Candle> = Synthetic::new(config).take(CANDLES).collect();
        let request = request();
        let shelf =
            recorded.library(Environment::Simulated).shelf(request.markets[0].place.market(Timeframe::M1));
        shelf.add(&candles).unwrap();
        Worker {
            recorded: Arc::new(recorded),
            request,
            order,
            seen: watch::channel(None).0,
            watch: Stopwatch::start(),
        }
    }

    #[test]
    fn an_order_to_stop_is_heard_within_one_chunk_of_candles() {
        for (told, expected) in [(Order::Cancel, Failure::Canceled), (Order::Abandon, Failure::Abandoned)] {
            let folder = tempfile::tempdir().unwrap();
            let (order, ordered) = watch::channel(Order::GoOn);
            let worker = worker(folder.path(), ordered);
            let history = worker.history(&worker.request.markets[0], Timeframe::M1).unwrap();
            order.send_replace(told);
            let lanes = [history.market(Timeframe::M1)];
            let stopped = worker.play(&worker.request.spec().unwrap(), &lanes);
            assert_eq!(stopped.unwrap_err(), expected);
            let seen = worker.seen.borrow().unwrap();
            // Those before the range's start only warm up and are played at once.
            assert!(seen.done <= 1_600 + 8_192 && seen.all > 28_000, "{seen:?}");
            assert_eq!(worker.run().err(), Some(expected), "nor are more candles read");
        }
    }

    #[test]
    fn equal_requests_bring_equal_texts_and_progress_ends_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (_order, ordered) = watch::channel(Order::GoOn);
        let worker = worker(folder.path(), ordered);
        let (first, second) = (worker.run().unwrap(), worker.run().unwrap());
        assert_eq!(first.result.report, second.result.report);
        assert_eq!(first.result.trades, second.result.trades);
        assert_eq!(first.result.page, second.result.page);
        let seen = worker.seen.borrow().unwrap();
        assert_eq!((seen.done, seen.at.ms()), (seen.all, 60_000 * 29_999));
    }

    #[test]
    fn a_price_that_would_round_to_nothing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (_order, ordered) = watch::channel(Order::GoOn);
        let mut worker = worker(folder.path(), ordered);
        worker.request.markets[0].instrument.tick = Decimal::from(1_000_000);
        let failure = worker.run().err().unwrap();
        assert!(matches!(failure, Failure::Failed { code: "BT_DATA_INVALID", .. }), "{failure:?}");
    }
}
