//! One bot on several instruments: the same bytes as the short way for one, limits that see all, books that agree.

use keyhold_domain::{Candle, Decimal, Instrument, Rate, ReasonCode, Timestamp};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::system_templates;
use keyhold_simulator::backtest::{
    BacktestError, Control, Funding, Market, Report, Spec, Unsupported, json, run, run_markets,
};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use serde_json::json as document;

use crate::backtests::{HOUR_MS, RISE, START_MS, candles, d, inverse, linear, market, settings, template};

fn named(symbol: &str, base: &str) -> Instrument {
    Instrument { symbol: symbol.parse().unwrap(), base: base.parse().unwrap(), ..linear() }
}

fn play(spec: &Spec, markets: &[(Instrument, Funding, Vec<ClosedCandle>)]) -> Result<Report, BacktestError> {
    let markets: Vec<Market<'_>> = markets
        .iter()
        .map(|(instrument, funding, candles)| Market { instrument, funding, candles })
        .collect();
    run_markets(spec, &markets, &mut |_| Control::Continue, None)
}

#[test]
fn one_instrument_gives_the_bytes_of_a_single_run() {
    let system = system_templates::all().remove(0).template;
    let history = (0..40).map(|n| (Timestamp::from_ms(START_MS + n * 8 * HOUR_MS), Rate::new(d("0.0002"))));
    for funding in [Funding::Constant(Rate::new(d("0.0001"))), Funding::History(history.collect())] {
        for instrument in [linear(), inverse()] {
            let mut spec = Spec::new(system.clone(), instrument, settings("10", "3"), d("1000000"));
            spec.funding = funding.clone();
            spec.fills.slippage_bps = d("1");
            let candles = market(&system, 3, 3000);
            let alone = run(&spec, &candles, &mut |_| Control::Continue).unwrap();
            assert!(alone.trades.len() > 3, "{} trades", alone.trades.len());
            let only = [Market { instrument: &instrument, funding: &funding, candles: &candles }];
            // The long way, past the shortcut for one instrument.
            let long_way =
                keyhold_simulator::backtest::run_interleaved(&spec, &only, &mut |_| Control::Continue)
                    .unwrap();
            assert_eq!(json(&long_way).unwrap(), json(&alone).unwrap());
        }
    }
}

#[test]
fn a_limit_sees_the_whole_bot() {
    let exits = document!([{"kind": "hard_stop", "parameters": {"pct": 50}}]);
    let mut spec = Spec::new(template(&exits), linear(), settings("1", "2"), d("100000"));
    let mut prices = RISE.to_vec();
    prices.extend([["104", "106", "104", "105"]; 3]);
    let both = [
        (named("BTCUSDT", "BTC"), Funding::Off, candles(&prices)),
        (named("ETHUSDT", "ETH"), Funding::Off, candles(&prices)),
    ];
    let free = play(&spec, &both).unwrap();
    let open: Vec<&str> = free.open_at_end.iter().map(|open| open.symbol.as_str()).collect();
    assert_eq!(open, ["BTCUSDT", "ETHUSDT"]);
    assert_eq!((free.candles, free.warmup_candles), (8, 4));
    // Both want to enter on the same candle; the first in the list is faster, and the second sees its order.
    spec.settings.limits.max_positions_total = Some(1);
    let limited = play(&spec, &both).unwrap();
    let open: Vec<&str> = limited.open_at_end.iter().map(|open| open.symbol.as_str()).collect();
    assert_eq!(open, ["BTCUSDT"]);
    assert!(limited.rejected[&ReasonCode::LimitPositionsTotal] > 0, "{:?}", limited.rejected);
    let symbols: Vec<&str> =
        limited.assumptions.instruments.iter().map(|instrument| instrument.symbol.as_str()).collect();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
}

#[test]
fn instruments_that_do_not_belong_together_are_refused() {
    let exits = document!([{"kind": "hard_stop"}]);
    let spec = Spec::new(template(&exits), linear(), settings("1", "2"), d("1000"));
    let rise = candles(&RISE);
    let code =
        |markets: &[(Instrument, Funding, Vec<ClosedCandle>)]| play(&spec, markets).unwrap_err().code();
    assert_eq!(code(&[]), "BT_NO_DATA");
    let twice = [(linear(), Funding::Off, rise.clone()), (linear(), Funding::Off, rise.clone())];
    assert_eq!(code(&twice), "BT_INSTRUMENTS");
    let mixed = [(linear(), Funding::Off, rise.clone()), (inverse(), Funding::Off, rise)];
    assert_eq!(code(&mixed), "BT_INSTRUMENTS");
}

fn synthetic(stream: u64, count: usize, skip: usize) -> Vec<ClosedCandle> {
    let config = SyntheticConfig {
        seed: 11,
        stream,
        start_price: "60000".parse().unwrap(),
        tick: d("0.1"),
        start: Timestamp::from_ms(START_MS),
        timeframe: keyhold_domain::Timeframe::H1,
        volatility_ppm: 4000,
    };
    let all: Vec<Candle> = Synthetic::new(config).take(count).collect();
    all.into_iter().skip(skip).map(ClosedCandle::new).collect()
}

#[test]
fn books_of_three_markets_agree_although_one_joins_late_and_one_has_a_gap() {
    let system = system_templates::all().remove(0).template;
    let mut spec = Spec::new(system, linear(), settings("0.1", "3"), d("100000"));
    spec.unsupported = Unsupported::Refuse;
    let funding = Funding::Constant(Rate::new(d("0.0001")));
    let mut holed = synthetic(2, 4000, 0);
    holed.drain(1500..1600);
    let markets = [
        (named("BTCUSDT", "BTC"), funding.clone(), synthetic(1, 4000, 0)),
        (named("ETHUSDT", "ETH"), funding.clone(), holed),
        (named("SOLUSDT", "SOL"), funding, synthetic(3, 4000, 2000)),
    ];
    let report = play(&spec, &markets).unwrap();
    let by_symbol: Vec<(&str, u64)> =
        report.metrics.by_symbol.iter().map(|group| (group.key.as_str(), group.stats.count)).collect();
    assert_eq!(
        by_symbol.iter().map(|(symbol, _)| *symbol).collect::<Vec<_>>(),
        ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    );
    assert!(by_symbol.iter().all(|(_, count)| *count >= 3), "{by_symbol:?}");
    assert_eq!(report.gaps.len(), 1);
    assert_eq!(report.gaps[0].symbol.as_str(), "ETHUSDT");
    // The equity is the start, every trade, and what is open, its entry fees and funding so far included.
    let made = report.metrics.equity.end - report.metrics.equity.start;
    let open: Decimal = report.open_at_end.iter().filter_map(|open| open.unrealized).sum();
    let costs: Decimal = report.open_at_end.iter().map(|open| open.entry.get() * d("0.1") * d("0.01")).sum();
    let difference = (made - report.metrics.trades.net - open).abs();
    assert!(difference <= costs + d("0.001"), "{made} against {} and {open}", report.metrics.trades.net);
    // What the joining instrument does not have yet, it does not trade.
    let joins = markets[2].2[0].candle.open_time;
    let early = |symbol: &str| {
        report
            .trades
            .iter()
            .filter(|trade| trade.symbol.as_str() == symbol && trade.entered_at < joins)
            .count()
    };
    assert!(early("BTCUSDT") > 0);
    assert_eq!(early("SOLUSDT"), 0);
    assert_eq!(json(&play(&spec, &markets).unwrap()).unwrap(), json(&report).unwrap(), "equal bytes");
}
