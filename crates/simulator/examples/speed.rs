//! Prints how many candles a second a backtest does, on one thread.
//!
//! `cargo run --release -p keyhold-simulator --example speed -- [candles] [strategy] [--run n] [--passes n] [--trades file]`
//! The strategy is `reference` (the reference backtests' strategy on their market), `reference-next-candle` (the same
//! with protective orders from the candle after the entry's on), `reference-at-level` (the same with stop and target
//! filled at their level where the open jumps over it), `reference-at-close` (the same with decisions filled at the close they
//! are made on) or a system template (on a seeded market). The markets
//! are the same on every machine. Candles are made and converted to floats before the clock starts, as in a service that
//! keeps candles in memory; the same run with conversion is printed as well. `--run` plays only the first so many
//! candles, `--passes` says how often: the difference of two such runs under an instruction counter is the cost of the
//! candles between them and of nothing else. `--trades` writes one line per trade: index of the candle and price in
//! hundredths of the entry, the same of the exit. `--list` prints the strategies whose instructions are counted,
//! `--template` the reference strategy's document.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::fmt::Write as _;
use std::time::Instant;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Price, Rate, ReasonCode, Timestamp,
};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_engine::system_templates;
use keyhold_simulator::backtest::{
    Control, DecisionFill, Fills, Funding, ProtectFrom, Report, Spec, Unsupported, run,
};
use keyhold_simulator::exchange::GapFill;
use keyhold_simulator::market::{Synthetic, SyntheticConfig};

#[path = "../tests/it/reference_market.rs"]
mod reference_market;
#[path = "../tests/it/reference_strategy.rs"]
mod reference_strategy;

type Failure = Box<dyn std::error::Error>;

/// What is asked for on the command line.
struct Options {
    candles: usize,
    strategy: String,
    run: Option<usize>,
    rounds: u32,
    trades: Option<String>,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let mut options = Self {
            candles: 1_000_000,
            strategy: String::from("trend-follower"),
            run: None,
            rounds: 3,
            trades: None,
        };
        let mut place = 0;
        let mut arguments = std::env::args().skip(1);
        while let Some(word) = arguments.next() {
            match (word.as_str(), place) {
                ("--run", _) => options.run = Some(arguments.next().ok_or("--run wants a number")?.parse()?),
                ("--passes", _) => {
                    options.rounds = arguments.next().ok_or("--passes wants a number")?.parse()?;
                }
                ("--trades", _) => options.trades = Some(arguments.next().ok_or("--trades wants a file")?),
                (_, 0) => {
                    options.candles = word.parse()?;
                    place = 1;
                }
                (_, 1) => {
                    options.strategy = word;
                    place = 2;
                }
                _ => return Err(format!("what is {word}?").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("--list") => {
            println!("reference");
            for template in system_templates::all() {
                println!("{}", template.id);
            }
            return Ok(());
        }
        Some("--template") => {
            let spec = reference_strategy::spec("2", "3", Fills::default());
            println!("{}", serde_json::to_string_pretty(&spec.template)?);
            return Ok(());
        }
        Some(_) | None => {}
    }
    let options = Options::read()?;
    let fills = reference_strategy::next_open_fills();
    let at_level = Fills { stop_gap: GapFill::AtOrder, target_gap: GapFill::AtOrder, ..fills };
    let at_close = Fills { decision: DecisionFill::SameClose, ..fills };
    let late = Fills { protect_from: ProtectFrom::NextCandle, ..fills };
    let (spec, candles) = match options.strategy.as_str() {
        "reference" => reference(fills, options.candles)?,
        "reference-next-candle" => reference(late, options.candles)?,
        "reference-at-level" => reference(at_level, options.candles)?,
        "reference-at-close" => reference(at_close, options.candles)?,
        id => template(id, options.candles)?,
    };
    let started = now();
    let closed: Vec<ClosedCandle> = candles.iter().copied().map(ClosedCandle::new).collect();
    let converting = now() - started;
    let played = &closed[..options.run.unwrap_or(closed.len()).min(closed.len())];
    let mut best = f64::INFINITY;
    for _ in 0..options.rounds {
        let started = now();
        let report = run(&spec, played, &mut |_| Control::Continue)?;
        let took = now() - started;
        best = best.min(took);
        println!(
            "{}: {} candles, {} trades, net {}: {took:.6} CPU seconds",
            options.strategy,
            played.len(),
            report.trades.len(),
            report.metrics.trades.net.round_dp(2)
        );
        if let Some(file) = &options.trades {
            std::fs::write(file, rows(&report, played)?)?;
        }
    }
    let count = u32::try_from(played.len()).map_or(f64::MAX, f64::from);
    println!("{:.2} million candles a CPU second", count / best / 1e6);
    println!("{:.2} million with conversion", count / (best + converting) / 1e6);
    Ok(())
}

/// Seconds this thread has computed, where the system tells; seconds since an instant elsewhere. The system counts when a
/// thread gives way; without that, its figure is up to some milliseconds old.
fn now() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let clock = || START.get_or_init(Instant::now).elapsed().as_secs_f64();
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).map_or_else(clock, |ns| ns / 1e9)
}

/// The strategy of the reference backtests on their market.
fn reference(fills: Fills, count: usize) -> Result<(Spec, Vec<Candle>), Failure> {
    Ok((reference_strategy::spec("2", "3", fills), reference_market::candles(u64::try_from(count)?)))
}

/// One line per trade: `entry candle,entry price,exit candle,exit price`, prices in hundredths.
fn rows(report: &Report, candles: &[ClosedCandle]) -> Result<String, Failure> {
    let place = |at: Timestamp| candles.partition_point(|candle| candle.candle.open_time <= at) - 1;
    // A fill at the close itself belongs to the candle that ends; stop and target fill inside a candle.
    let decided = |at: Timestamp| match report.assumptions.fills.decision {
        DecisionFill::NextOpen => place(at),
        DecisionFill::SameClose => place(at.plus_ms(-1)),
    };
    let hundredths = |price: Price| i64::try_from(price.get() * Decimal::ONE_HUNDRED);
    let mut text = String::new();
    for trade in &report.trades {
        let (entry, exit) = (hundredths(trade.entry_price)?, hundredths(trade.exit_price)?);
        let end = match trade.exit_reason {
            ReasonCode::ExitSignalFlip => decided(trade.exited_at),
            _ => place(trade.exited_at),
        };
        writeln!(text, "{},{entry},{end},{exit}", decided(trade.entered_at))?;
    }
    Ok(text)
}

/// A system template on a seeded market, with slippage and funding.
fn template(id: &str, count: usize) -> Result<(Spec, Vec<Candle>), Failure> {
    let template = system_templates::all()
        .into_iter()
        .find(|template| template.id == id)
        .ok_or("there is no such system template")?
        .template;
    let candles = Synthetic::new(SyntheticConfig {
        seed: 7,
        stream: 0,
        start_price: "60000".parse()?,
        tick: Decimal::new(1, 1),
        start: Timestamp::from_ms(1_600_000_200_000).start_of_day(),
        timeframe: template.timeframe,
        volatility_ppm: 2500,
    })
    .take(count)
    .collect();
    let settings = BotSettings::new(Sizing::FixedNotional { quote: Decimal::from(1000) }, Decimal::from(2));
    let mut spec = Spec::new(template, instrument()?, settings, Decimal::from(10_000));
    spec.fills.slippage_bps = Decimal::ONE;
    // The market is candles and funding: what needs a book, trades or open interest is neutral.
    spec.unsupported = Unsupported::Neutral;
    spec.funding = Funding::Constant(Rate::new(Decimal::new(1, 4)));
    Ok((spec, candles))
}

fn instrument() -> Result<Instrument, Failure> {
    Ok(Instrument {
        exchange: Exchange::Bybit,
        symbol: "BTCUSDT".parse()?,
        base: "BTC".parse()?,
        quote: "USDT".parse()?,
        settle: "USDT".parse()?,
        contract_type: ContractType::Linear,
        multiplier: Decimal::ONE,
        tick: Decimal::new(1, 1),
        lot: Decimal::new(1, 3),
        min_quantity: "0.001".parse()?,
        max_quantity: None,
        min_notional: Some(Decimal::from(5)),
        max_leverage: Decimal::from(100),
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(55, 5)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    })
}
