//! Prints how much faster a sweep is on more threads.
//!
//! `cargo run --release -p keyhold-simulator --example sweep -- [candles] [combinations] [threads]`
//! The market is synthetic and the same on every machine. One thread and all threads take turns, so that a machine that
//! slows down slows down both.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::num::NonZeroUsize;
use std::time::Instant;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Rate, Timestamp,
};
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_engine::system_templates;
use keyhold_simulator::backtest::{Control, Funding, History, Spec};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use keyhold_simulator::sweep::{HistoryUse, Job, SweepDocument, run};

const ROUNDS: u32 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |usual: usize| arguments.next().map_or(Ok(usual), |text| text.parse::<usize>());
    let (candles, combinations) = (next(20_000)?, next(1000)?);
    let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = NonZeroUsize::new(next(all.get())?).unwrap_or(NonZeroUsize::MIN);
    let template = system_templates::all().remove(0).template;
    let market: Vec<Candle> = Synthetic::new(SyntheticConfig {
        seed: 7,
        stream: 0,
        start_price: "60000".parse()?,
        tick: Decimal::new(1, 1),
        start: Timestamp::from_ms(1_600_000_200_000).start_of_day(),
        timeframe: template.timeframe,
        volatility_ppm: 2500,
    })
    .take(candles)
    .collect();
    let settings = BotSettings::new(Sizing::FixedNotional { quote: Decimal::from(1000) }, Decimal::from(2));
    let spec = Spec::new(template.clone(), instrument()?, settings, Decimal::from(10_000));
    let funding = Funding::Constant(Rate::new(Decimal::new(1, 4)));
    let histories = [History::new(instrument()?, funding, &market, [template.timeframe])?];
    let document: SweepDocument = serde_json::from_value(serde_json::json!({
        "format": 1, "keep": 0,
        "vary": [{"path": "components[0].parameters.slow", "from": 13, "to": 12 + combinations}]
    }))?;
    let (mut alone, mut together) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        for (threads, sum) in [(NonZeroUsize::MIN, &mut alone), (threads, &mut together)] {
            let job = Job {
                spec: &spec,
                histories: &histories,
                document: &document,
                threads,
                history: HistoryUse::All,
            };
            let started = Instant::now();
            let found = run(&job, &|_| Control::Continue)?;
            *sum += started.elapsed().as_secs_f64();
            println!(
                "{threads} threads: {:.3} s, {} ran, {} invalid, by thread {:?}",
                started.elapsed().as_secs_f64(),
                found.report.ranked.len(),
                found.report.invalid.len(),
                found.shares
            );
        }
    }
    println!("{:.2} times as fast on {threads} threads", alone / together);
    Ok(())
}

fn instrument() -> Result<Instrument, Box<dyn std::error::Error>> {
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
        min_notional: None,
        max_leverage: Decimal::from(100),
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(55, 5)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    })
}
