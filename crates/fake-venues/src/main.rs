//! `keyhold-fake-venue`: a made-up exchange on this machine.
//!
//! Reads its command line, starts the venue, prints where it listens, ends on SIGTERM, Ctrl-C or with its parent.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use keyhold_domain::{Exchange, Instrument, Timeframe, Timestamp};
use keyhold_fake_venues::clock::system_clock;
use keyhold_fake_venues::config::{
    CandleSource, ConfigError, ControlAddress, MarketConfig, Pace, RateLimits, VenueConfig, parse_accounts,
    read_candles,
};
use keyhold_fake_venues::{FakeVenue, StartError, parse_instrument_at, start_price, usual_instruments};
use keyhold_simulator::exchange::{ExchangeConfig, Slippage};

/// A made-up exchange for development, demos and tests. It knows no real money.
#[derive(Debug, Parser)]
#[command(name = "keyhold-fake-venue", version)]
struct Options {
    /// Which exchange's protocol: bybit, binance, kraken_futures, okx or bitmex.
    #[arg(long, default_value = "bybit")]
    venue: Exchange,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Candle file (CSV or CSV.GZ) for all instruments, or SYMBOL=FILE for one. Without it: a synthetic market.
    #[arg(long)]
    candles: Vec<String>,
    /// Length of the base candles.
    #[arg(long, default_value = "1m")]
    timeframe: Timeframe,
    /// Source of all chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Candles per second (`10`), times real time (`60x`), or 0: only when the control interface says `step`.
    #[arg(long, default_value = "1x")]
    speed: Pace,
    /// Instruments, NAME=linear or NAME=inverse, by the exchange's own names. Default: bitcoin, one of each.
    #[arg(long = "symbol")]
    symbols: Vec<String>,
    /// Accounts file (TOML).
    #[arg(long)]
    accounts: PathBuf,
    /// Control interface: HOST:PORT or the path of a UNIX socket.
    #[arg(long)]
    control: Option<ControlAddress>,
    /// Base candles that are past when the venue starts; at most half of a recording.
    #[arg(long, default_value_t = 20_000)]
    history: usize,
    /// Open time in ms of the first synthetic candle that is not history. Default: now.
    #[arg(long)]
    start_ms: Option<i64>,
    /// Typical move within one synthetic candle, in millionths of the price.
    #[arg(long, default_value_t = 800)]
    volatility_ppm: u32,
    /// Slippage of market orders and stops, in hundredths of a percent.
    #[arg(long, default_value = "0")]
    slippage_bps: String,
    /// Do not enforce rate limits.
    #[arg(long)]
    no_rate_limits: bool,
    /// Print one JSON line with the addresses on standard output.
    #[arg(long)]
    print_address: bool,
    /// End when the parent process ends.
    #[arg(long)]
    exit_with_parent: bool,
}

#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("--slippage-bps is not a number")]
    Slippage,
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}

fn market(options: &Options, text: &str) -> Result<MarketConfig, ConfigError> {
    let instrument = parse_instrument_at(options.venue, text)?;
    Ok(MarketConfig { instrument, source: source(options, &instrument)? })
}

fn source(options: &Options, instrument: &Instrument) -> Result<CandleSource, ConfigError> {
    let own = options.candles.iter().find_map(|text| {
        text.split_once('=').filter(|(name, _)| *name == instrument.symbol.as_str()).map(|(_, path)| path)
    });
    let shared = || options.candles.iter().find(|text| !text.contains('=')).map(String::as_str);
    match own.or_else(shared) {
        Some(path) => Ok(CandleSource::Recorded(read_candles(path.as_ref(), instrument.tick)?)),
        None => Ok(CandleSource::Synthetic {
            start_price: start_price(instrument),
            volatility_ppm: options.volatility_ppm,
        }),
    }
}

fn configure(options: &Options) -> Result<VenueConfig, MainError> {
    let read = |source| ConfigError::Read { path: options.accounts.clone(), source };
    let accounts = parse_accounts(&std::fs::read_to_string(&options.accounts).map_err(read)?)?;
    let usual = usual_instruments(options.venue).map(str::to_owned);
    let symbols = if options.symbols.is_empty() { usual.as_slice() } else { options.symbols.as_slice() };
    let markets: Result<Vec<_>, _> = symbols.iter().map(|text| market(options, text)).collect();
    let slippage = options.slippage_bps.parse().map_err(|_| MainError::Slippage)?;
    Ok(VenueConfig {
        venue: options.venue,
        listen: options.listen,
        control: options.control.clone(),
        markets: markets?,
        accounts,
        seed: options.seed,
        pace: options.speed,
        base: options.timeframe,
        history: options.history,
        start: options.start_ms.map(Timestamp::from_ms),
        exchange: ExchangeConfig { slippage: Slippage::uniform(slippage), ..ExchangeConfig::default() },
        rate_limits: if options.no_rate_limits { RateLimits::Off } else { RateLimits::Enforced },
        clock: system_clock(),
    })
}

#[allow(clippy::print_stdout, reason = "--print-address asks for it; the line is this program's interface")]
fn print_address(venue: &FakeVenue) {
    let control = match venue.control_address() {
        None => serde_json::Value::Null,
        Some(ControlAddress::Tcp(address)) => address.to_string().into(),
        Some(ControlAddress::Unix(path)) => path.display().to_string().into(),
    };
    let line = serde_json::json!({ "rest": venue.rest_url(), "ws": venue.ws_url(), "control": control });
    println!("{line}");
}

/// Resolves when the process that started this one is gone. The parent's number changes then.
async fn parent_gone() {
    let parent = std::os::unix::process::parent_id();
    let mut beat = tokio::time::interval(Duration::from_millis(200));
    while std::os::unix::process::parent_id() == parent {
        beat.tick().await;
    }
}

async fn run(options: Options) -> Result<(), MainError> {
    // Before anybody can know that the venue is open, and so before anybody asks it to end.
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let venue = FakeVenue::start(configure(&options)?).await?;
    tracing::info!(rest = venue.rest_url(), ws = venue.ws_url(), "the fake venue is open");
    if options.print_address {
        print_address(&venue);
    }
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
        () = parent_gone(), if options.exit_with_parent => {}
    }
    if let Some(ControlAddress::Unix(path)) = venue.control_address().cloned()
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::debug!(%error, "the control socket was not removed");
    }
    venue.stop().await;
    Ok(())
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = runtime.map_err(MainError::from).and_then(|runtime| runtime.block_on(run(options)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
