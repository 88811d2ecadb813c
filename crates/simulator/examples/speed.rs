//! Prints how many candles a second a backtest does, on one thread.
//!
//! `cargo run --release -p keyhold-simulator --example speed -- [candles] [system template]`
//! The market is synthetic and the same on every machine. Conversion of decimals to floats happens once, before the
//! clock starts, as in a service that keeps candles in memory; the same run with conversion is printed as well.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Instant;

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Rate, Timestamp,
};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_engine::system_templates;
use keyhold_simulator::backtest::{Control, Funding, Spec, run};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let wanted = arguments.next().unwrap_or_else(|| String::from("trend-follower"));
    let template = system_templates::all()
        .into_iter()
        .find(|template| template.id == wanted)
        .ok_or("there is no such system template")?
        .template;
    let candles: Vec<Candle> = Synthetic::new(SyntheticConfig {
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
    spec.funding = Funding::Constant(Rate::new(Decimal::new(1, 4)));
    let started = Instant::now();
    let closed: Vec<ClosedCandle> = candles.iter().copied().map(ClosedCandle::new).collect();
    let converting = started.elapsed();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let started = Instant::now();
        let report = run(&spec, &closed, &mut |_| Control::Continue)?;
        let took = started.elapsed().as_secs_f64();
        best = best.min(took);
        println!(
            "{count} candles, {} trades, net {}: {took:.3} s",
            report.trades.len(),
            report.metrics.trades.net.round_dp(2)
        );
    }
    let count = u32::try_from(count).map_or(f64::MAX, f64::from);
    println!("{:.2} million candles a second", count / best / 1e6);
    println!("{:.2} million with conversion", count / (best + converting.as_secs_f64()) / 1e6);
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
        min_notional: Some(Decimal::from(5)),
        max_leverage: Decimal::from(100),
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(55, 5)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    })
}
