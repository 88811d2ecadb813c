//! The strategy of the reference backtests as a template: averages that cross, RSI between 50 and 70, long only, stop
//! and target in multiples of the ATR. The tests compare its trades, the example `speed` measures it.

use keyhold_domain::{ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Rate};
use keyhold_engine::settings::{BotSettings, Sizing};
use keyhold_simulator::backtest::{Fills, Spec};
use keyhold_simulator::exchange::GapFill;

fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).expect("the number is written here")
}

fn instrument() -> Instrument {
    Instrument {
        exchange: Exchange::Bybit,
        symbol: "BTCUSDT".parse().expect("it is written here"),
        base: "BTC".parse().expect("it is written here"),
        quote: "USDT".parse().expect("it is written here"),
        settle: "USDT".parse().expect("it is written here"),
        contract_type: ContractType::Linear,
        multiplier: Decimal::ONE,
        tick: d("0.01"),
        lot: d("0.1"),
        min_quantity: "0.1".parse().expect("it is written here"),
        max_quantity: None,
        min_notional: None,
        max_leverage: d("100"),
        maintenance_margin: Rate::new(d("0.005")),
        maker_fee: Rate::new(d("0.0005")),
        taker_fee: Rate::new(d("0.0005")),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

/// Averages of 12 and 26 that cross, RSI between 50 and 70, long only; stop and target in multiples of the ATR.
pub(crate) fn spec(stop_atr: &str, target_atr: &str, fills: Fills) -> Spec {
    let template = format!(
        r#"{{"format": 1, "name": "Reference", "timeframe": "1m",
            "combination": {{"mode": "all"}}, "direction": "long_only",
            "components": [
                {{"kind": "ema_cross", "role": "signal", "parameters": {{"fast": 12, "slow": 26, "trigger": "event"}}}},
                {{"kind": "rsi", "role": "filter", "parameters": {{"mode": "between", "low": 50, "high": 70}}}}
            ],
            "exits": [
                {{"kind": "hard_stop", "parameters": {{"basis": "atr", "atr_mult": {stop_atr}}}}},
                {{"kind": "take_profit", "parameters": {{"basis": "atr", "atr_mult": {target_atr}}}}},
                {{"kind": "signal_flip"}}
            ]}}"#
    );
    let mut settings = BotSettings::new(Sizing::FixedQuantity { quantity: d("0.1") }, Decimal::ONE);
    // The reference decides nothing before the candle with index 500.
    settings.warmup_candles = Some(501);
    let mut spec = Spec::new(
        serde_json::from_str(&template).expect("it is written here"),
        instrument(),
        settings,
        d("1000000"),
    );
    spec.fills = fills;
    spec
}

/// The reference fills a target that the open has jumped over at the open.
pub(crate) fn next_open_fills() -> Fills {
    Fills { target_gap: GapFill::AtMarket, ..Fills::default() }
}
