//! Candles from a venue's public history into the library: only what is missing, page by page, each page kept at once.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyhold_domain::{Environment, Timestamp};
use keyhold_history::{Added, Gap, Shelf, missing};
use keyhold_venues::port::CandleRange;
use keyhold_venues::{AnyMarket, Endpoints, MarketData, Settings, TokioDialer, VenueConfig};

use super::options::{Fetch, instant};
use super::{CandlesError, say, show};
use crate::clock::Clock;
use crate::guide;

/// Candles asked for and stored in one go: ten pages of a venue.
const CANDLES_PER_STEP: i64 = 10_000;

/// Fetches and says what came of it.
pub(super) async fn run(options: &Fetch, output: &mut impl Write) -> Result<(), CandlesError> {
    let clock = Clock::default();
    let timeframe = options.market.timeframe;
    let from = timeframe.open_of(instant("from", &options.from)?.plus_ms(timeframe.ms() - 1));
    let now = timeframe.open_of(clock.now());
    let until = match &options.until {
        // A simulated venue has a clock of its own.
        Some(text) if options.environment == Environment::Simulated => {
            timeframe.open_of(instant("until", text)?)
        }
        Some(text) => timeframe.open_of(instant("until", text)?).min(now),
        None => now,
    };
    if from >= until {
        return Err(CandlesError::Option {
            option: "from",
            what: format!("must be before {until}, the end of the range"),
        });
    }
    let market = market(options, clock)?;
    let shelf = options.market.shelf();
    let gaps = missing(&shelf.candles(from, until)?, timeframe, from, until);
    let progress = Progress::new();
    let mut told = |step| progress.show(step);
    let added = tokio::select! {
        added = fill(&market, &shelf, &gaps, &mut told) => added?,
        _ = tokio::signal::ctrl_c() => return Err(CandlesError::Stopped),
    };
    say(output, &format!("{} new candles", added.new))?;
    show::report(&shelf, output)
}

fn market(options: &Fetch, clock: Clock) -> Result<AnyMarket<TokioDialer>, CandlesError> {
    let exchange = options.market.exchange;
    let unsupported =
        |error: &dyn std::fmt::Display| CandlesError::Unsupported(format!("--exchange {exchange}: {error}"));
    if let Some(day) = guide::of(exchange).closed(options.environment) {
        return Err(unsupported(&format!("the exchange closed on {day}; import a file")));
    }
    let endpoints = match (options.environment, &options.venue) {
        (Environment::Simulated, Some(address)) => {
            Endpoints::simulated(exchange, options.market.contract, address)
        }
        (Environment::Simulated, None) => {
            return Err(CandlesError::Option {
                option: "venue",
                what: "names the address of the simulated venue and is missing".to_owned(),
            });
        }
        (Environment::Live | Environment::Testnet, Some(_)) => {
            return Err(CandlesError::Option {
                option: "venue",
                what: "is for --environment simulated only".to_owned(),
            });
        }
        (Environment::Live | Environment::Testnet, None) => {
            Endpoints::standard(exchange, options.environment, options.market.contract)
        }
    };
    let endpoints = endpoints.map_err(|error| unsupported(&error))?;
    let dialer = Arc::new(TokioDialer::default());
    let config =
        VenueConfig { contract_type: options.market.contract, endpoints, settings: Settings::default() };
    AnyMarket::new(config, dialer, Arc::new(clock)).map_err(|error| unsupported(&error))
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Candles asked for so far.
    pub(crate) done: i64,
    /// Candles to be asked for in all.
    pub(crate) all: i64,
    /// Everything before this instant was asked for.
    pub(crate) until: Timestamp,
}

/// Fills every gap, oldest first; each step is kept before it is told. What a venue does not have stays a gap.
pub(crate) async fn fill<M: MarketData>(
    market: &M,
    shelf: &Shelf,
    gaps: &[Gap],
    told: &mut (dyn FnMut(Step) + Send),
) -> Result<Added, CandlesError> {
    let timeframe = shelf.market().timeframe;
    let all = gaps.iter().map(|gap| gap.candles(timeframe)).sum();
    let mut sum = Added::default();
    let mut done = 0;
    for gap in gaps {
        let mut from = gap.from;
        while from < gap.until {
            let until = from.plus_ms(timeframe.ms() * CANDLES_PER_STEP).min(gap.until);
            let range = CandleRange { symbol: shelf.market().symbol, timeframe, from, until };
            let candles =
                market.candles(&range).await.map_err(|source| CandlesError::Venue { from, source })?;
            let added = shelf.add(&candles)?;
            sum.new += added.new;
            sum.changed += added.changed;
            sum.known += added.known;
            done += until.since_ms(from) / timeframe.ms();
            told(Step { done, all, until });
            from = until;
        }
    }
    Ok(sum)
}

/// A line on the terminal that overwrites itself; nothing when standard error is a file.
struct Progress {
    started: Instant,
    shown: bool,
}

impl Progress {
    #[allow(clippy::disallowed_methods, reason = "the duration is only shown")]
    fn new() -> Self {
        Self { started: Instant::now(), shown: std::io::stderr().is_terminal() }
    }

    fn show(&self, Step { done, all, until }: Step) {
        if !self.shown {
            return;
        }
        let percent = (done * 100).checked_div(all).unwrap_or(100);
        let left = u32::try_from(all - done).unwrap_or(u32::MAX);
        let done = u32::try_from(done).unwrap_or(u32::MAX).max(1);
        let eta = Duration::from_secs((self.started.elapsed() * left / done).as_secs());
        let end = if left == 0 { "\n" } else { "" };
        let line = format!("\r{percent:>3} %  up to {until}  {eta:?} to go    {end}");
        // A terminal that has gone away does not end the work.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
