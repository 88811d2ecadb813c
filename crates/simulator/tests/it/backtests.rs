//! Backtests computed by hand, their errors, and their bytes.

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Rate, ReasonCode, Timeframe,
    Timestamp,
};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::system_templates;
use keyhold_engine::template::Template;
use keyhold_simulator::backtest::{
    BacktestError, Control, Funding, Report, Spec, Unsupported, equity_csv, json, run, text, trades_csv,
};
use keyhold_simulator::market::{Synthetic, SyntheticConfig};
use serde_json::json as document;

/// Midnight UTC, a funding time.
pub(crate) const START_MS: i64 = 1_704_067_200_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub(crate) fn linear() -> Instrument {
    Instrument {
        exchange: Exchange::Bybit,
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        settle: "USDT".parse().unwrap(),
        contract_type: ContractType::Linear,
        multiplier: Decimal::ONE,
        tick: d("0.1"),
        lot: d("0.001"),
        min_quantity: "0.001".parse().unwrap(),
        max_quantity: None,
        min_notional: None,
        max_leverage: d("100"),
        maintenance_margin: Rate::new(d("0.005")),
        maker_fee: Rate::new(d("0.0002")),
        taker_fee: Rate::new(d("0.0005")),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

pub(crate) fn inverse() -> Instrument {
    Instrument {
        symbol: "BTCUSD".parse().unwrap(),
        quote: "USD".parse().unwrap(),
        settle: "BTC".parse().unwrap(),
        contract_type: ContractType::Inverse,
        lot: d("1"),
        min_quantity: "1".parse().unwrap(),
        ..linear()
    }
}

/// Long while closes rise, from the third candle on.
pub(crate) fn template(exits: &serde_json::Value) -> Template {
    serde_json::from_value(document!({
        "format": 1, "name": "By hand", "timeframe": "1h", "combination": {"mode": "all"}, "direction": "long_only",
        "components": [{"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}}],
        "exits": exits
    }))
    .unwrap()
}

pub(crate) fn settings(quantity: &str, leverage: &str) -> BotSettings {
    serde_json::from_value(document!({
        "format": 1, "sizing": {"mode": "fixed_quantity", "quantity": quantity}, "leverage": leverage
    }))
    .unwrap()
}

pub(crate) fn candles(prices: &[[&str; 4]]) -> Vec<ClosedCandle> {
    let price = |text: &str| text.parse().unwrap();
    prices
        .iter()
        .zip(0_i64..)
        .map(|([open, high, low, close], number)| {
            let candle = Candle {
                open_time: Timestamp::from_ms(START_MS + number * HOUR_MS),
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: Decimal::ONE,
            };
            ClosedCandle::new(candle.check().unwrap())
        })
        .collect()
}

pub(crate) fn go(spec: &Spec, candles: &[ClosedCandle]) -> Result<Report, BacktestError> {
    run(spec, candles, &mut |_| Control::Continue)
}

pub(crate) const RISE: [[&str; 4]; 3] =
    [["100", "100", "100", "100"], ["100", "101", "100", "101"], ["101", "103", "101", "103"]];

#[test]
fn a_linear_trade_with_every_cost_is_right_to_the_last_digit() {
    let exits = document!([{"kind": "hard_stop", "parameters": {"pct": 10}}, {"kind": "take_profit", "parameters": {"pct": 10}}]);
    let mut spec = Spec::new(template(&exits), linear(), settings("2", "2"), d("1000"));
    // 10 bp of 104 are 0.104: the fill is at 104.2 on the tick above. Target 10 % above: 114.6.
    spec.fills.slippage_bps = d("10");
    spec.funding = Funding::Constant(Rate::new(d("0.0001")));
    let mut prices = RISE.to_vec();
    prices.push(["104", "106", "104", "105"]);
    // Hours 4 to 7 pass; funding is due at hour 8, valued at the last price of 105.
    prices.extend([["105", "105", "105", "105"]; 4]);
    prices.push(["105", "115", "105", "112"]);
    let report = go(&spec, &candles(&prices)).unwrap();
    let trade = &report.trades[0];
    assert_eq!(report.trades.len(), 1);
    assert_eq!((trade.entry_price, trade.exit_price), ("104.2".parse().unwrap(), "114.6".parse().unwrap()));
    assert_eq!(trade.entered_at.ms(), START_MS + 3 * HOUR_MS, "the open after the decision");
    assert_eq!(trade.gross, d("20.8"));
    // Entry as taker 208.4 × 0.0005, target as maker 229.2 × 0.0002.
    assert_eq!(trade.fees, d("0.1042") + d("0.04584"));
    // The long pays 2 × 105 × 0.0001.
    assert_eq!(trade.funding, d("-0.021"));
    assert_eq!(trade.net, d("20.62896"));
    assert_eq!(trade.exit_reason, ReasonCode::ExitTakeProfit);
    // 103 was the price of the decision: 1.2 of 103 are 116.5 bp.
    assert_eq!(trade.slippage_in_bps, d("116.5049"));
    assert_eq!(report.metrics.equity.end, d("1020.62896"));
    assert_eq!((trade.favorable_pct, trade.adverse_pct), (d("9.980806"), d("0.191939")));
}

#[test]
fn an_inverse_trade_is_right_and_counted_in_coin() {
    let exits = document!([{"kind": "hard_stop", "parameters": {"pct": 5}}]);
    let spec = Spec::new(template(&exits), inverse(), settings("10000", "5"), d("100"));
    let mut prices = RISE.to_vec();
    // Entered at 100, stopped at 95: 10,000 × (1/100 − 1/95) = −5.26315789…
    prices.push(["100", "101", "99", "100"]);
    prices.push(["100", "100", "90", "91"]);
    let report = go(&spec, &candles(&prices)).unwrap();
    let trade = &report.trades[0];
    assert_eq!(trade.asset.as_str(), "BTC");
    assert_eq!(trade.gross.round_dp(8), d("-5.26315789"));
    // Fees 0.0005 × (100 + 105.26315789…).
    assert_eq!(trade.fees.round_dp(7), d("0.1026316"));
    assert_eq!(trade.exit_reason, ReasonCode::ExitHardStop);
}

#[test]
fn the_stop_counts_when_one_candle_reaches_both() {
    let exits = document!([{"kind": "hard_stop", "parameters": {"pct": 2}}, {"kind": "take_profit", "parameters": {"pct": 2}}]);
    let spec = Spec::new(template(&exits), linear(), settings("1", "2"), d("1000"));
    let mut prices = RISE.to_vec();
    prices.push(["100", "103", "97", "100"]);
    let report = go(&spec, &candles(&prices)).unwrap();
    assert_eq!(report.trades[0].exit_reason, ReasonCode::ExitHardStop);
    assert_eq!(report.trades[0].exit_price, "98".parse().unwrap());
    // Beyond the level at the open: the open is the price.
    let mut prices = RISE.to_vec();
    prices.push(["100", "100", "99", "99"]);
    prices.push(["95", "96", "95", "96"]);
    let report = go(&spec, &candles(&prices)).unwrap();
    assert_eq!(report.trades[0].exit_price, "95".parse().unwrap());
}

#[test]
fn too_much_leverage_is_liquidated_and_said() {
    let exits = document!([{"kind": "hard_stop", "parameters": {"pct": 40}}]);
    let mut spec = Spec::new(template(&exits), linear(), settings("50", "50"), d("1000"));
    spec.until = None;
    let mut prices = RISE.to_vec();
    prices.push(["100", "100", "90", "95"]);
    prices.push(["95", "95", "95", "95"]);
    let report = go(&spec, &candles(&prices)).unwrap();
    assert_eq!(report.trades[0].exit_reason, ReasonCode::Liquidated);
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"LIQUIDATED") && codes.contains(&"BT_STOP_BEYOND_LIQUIDATION"), "{codes:?}");
}

#[test]
fn what_cannot_be_run_has_a_code() {
    let exits = document!([{"kind": "hard_stop"}]);
    let spec = Spec::new(template(&exits), linear(), settings("1", "2"), d("1000"));
    let code = |spec: &Spec, candles: &[ClosedCandle]| go(spec, candles).map_err(|error| error.code());
    let rise = candles(&RISE);
    assert_eq!(code(&spec, &[]).unwrap_err(), "BT_NO_DATA");
    assert_eq!(code(&spec, &rise[..2]).unwrap_err(), "BT_RANGE_TOO_SHORT");
    let late = Spec { from: Some(Timestamp::from_ms(START_MS + 100 * HOUR_MS)), ..spec.clone() };
    assert_eq!(code(&late, &rise).unwrap_err(), "BT_RANGE_TOO_SHORT");
    let small = Spec { most_candles: 2, ..spec.clone() };
    assert_eq!(code(&small, &rise).unwrap_err(), "BT_LIMIT_EXCEEDED");
    let twice: Vec<_> = rise.iter().chain(&rise).copied().collect();
    assert_eq!(code(&spec, &twice).unwrap_err(), "BT_DATA_INVALID");
    let poor = Spec { start_equity: Decimal::ZERO, ..spec.clone() };
    assert_eq!(code(&poor, &rise).unwrap_err(), "BT_EQUITY_INVALID");
    let mut wrong = spec.clone();
    wrong.template.exits.clear();
    assert_eq!(code(&wrong, &rise).unwrap_err(), "BT_TEMPLATE_INVALID");
    let canceled = run(&spec, &candles(&vec![RISE[0]; 9000]), &mut |_| Control::Cancel);
    assert_eq!(canceled.unwrap_err().code(), "BT_CANCELED");
    // Missing candles are found and said; nothing was traded and that is said as well.
    let gap: Vec<_> = candles(&[RISE[0]; 6]).into_iter().enumerate().filter(|(n, _)| *n != 3).collect();
    let gap: Vec<_> = gap.into_iter().map(|(_, candle)| candle).collect();
    let report = go(&spec, &gap).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["BT_DATA_GAPS", "BT_NO_TRADES"]);
    assert_eq!(report.gaps.len(), 1);
}

#[test]
fn components_without_data_are_refused_or_named() {
    let mut with_gate = template(&document!([{"kind": "hard_stop"}]));
    with_gate
        .components
        .push(serde_json::from_value(document!({"kind": "funding_rate", "role": "risk_gate"})).unwrap());
    let mut spec = Spec::new(with_gate, linear(), settings("1", "2"), d("1000"));
    let mut prices = RISE.to_vec();
    prices.push(["104", "106", "104", "105"]);
    let error = go(&spec, &candles(&prices)).unwrap_err();
    assert_eq!(error, BacktestError::ComponentUnsupported(vec![String::from("funding_rate")]));
    spec.unsupported = Unsupported::Neutral;
    let report = go(&spec, &candles(&prices)).unwrap();
    assert_eq!(report.findings[0].code, "BT_COMPONENT_UNSUPPORTED");
    assert!(!report.open_at_end.is_empty(), "the gate was left out and the entry made");
    spec.unsupported = Unsupported::Refuse;
    spec.funding = Funding::Constant(Rate::new(d("0.0001")));
    assert!(go(&spec, &candles(&prices)).is_ok(), "with funding there is data");
}

pub(crate) fn market(template: &Template, seed: u64, count: usize) -> Vec<ClosedCandle> {
    let config = SyntheticConfig {
        seed,
        stream: 0,
        start_price: "60000".parse().unwrap(),
        tick: d("0.1"),
        start: Timestamp::from_ms(START_MS),
        timeframe: template.timeframe,
        volatility_ppm: 2500,
    };
    Synthetic::new(config).take(count).map(ClosedCandle::new).collect()
}

#[test]
fn every_system_template_runs_on_both_contract_types_with_equal_bytes() {
    for system in system_templates::all() {
        for (instrument, quantity, equity) in [(linear(), "0.01", "10000"), (inverse(), "1000", "1")] {
            let mut spec = Spec::new(system.template.clone(), instrument, settings(quantity, "3"), d(equity));
            spec.funding = Funding::Constant(Rate::new(d("0.0001")));
            spec.unsupported = Unsupported::Neutral;
            let candles = market(&system.template, 3, 6000);
            let report = go(&spec, &candles).unwrap_or_else(|error| panic!("{}: {error}", system.id));
            let again = go(&spec, &candles).unwrap();
            assert_eq!(json(&report).unwrap(), json(&again).unwrap());
            assert_eq!(trades_csv(&report).lines().count(), report.trades.len() + 1);
            assert_eq!(equity_csv(&report).lines().count(), report.equity.len() + 1);
            assert!(text(&report).unwrap().contains("Past results"));
            books_agree(&report, system.id);
        }
    }
}

/// The equity at the end is the start plus every trade plus what is open: the bot's books are the exchange's.
fn books_agree(report: &Report, id: &str) {
    if !report.open_at_end.is_empty() {
        return;
    }
    let made = report.metrics.equity.end - report.metrics.equity.start;
    // The exchange books eight decimals per flow; the engine keeps all of them.
    let difference = (made - report.metrics.trades.net).abs();
    let allowed = Decimal::new(i64::try_from(report.trades.len()).unwrap() * 3 + 1, 8);
    assert!(difference <= allowed, "{id}: {made} against {}", report.metrics.trades.net);
}

#[test]
fn the_future_does_not_change_the_past() {
    let template = system_templates::all().remove(0).template;
    let mut spec = Spec::new(template.clone(), linear(), settings("0.01", "3"), d("10000"));
    spec.funding = Funding::Constant(Rate::new(d("0.0001")));
    spec.unsupported = Unsupported::Neutral;
    let candles = market(&template, 3, 4000);
    let whole = go(&spec, &candles).unwrap();
    assert!(whole.trades.len() >= 5, "{} trades", whole.trades.len());
    for cut in [1000, 2500] {
        let end = candles[cut].candle.open_time;
        let part = go(&spec, &candles[..cut]).unwrap();
        let before: Vec<_> = whole.trades.iter().filter(|trade| trade.exited_at < end).collect();
        assert_eq!(part.trades.iter().collect::<Vec<_>>(), before, "cut {cut}");
    }
    assert_eq!(template.timeframe, Timeframe::H1);
}
