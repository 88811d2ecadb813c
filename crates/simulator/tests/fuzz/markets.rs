//! Any instrument, any settings that fit it, and any series of candles: flat, jumping, tiny, without volume, with gaps.

use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Price, Quantity, Rate, Timeframe,
    Timestamp,
};
use keyhold_engine::settings::BotSettings;
use serde_json::{Value, json};

use crate::dice::{Dice, d};

/// Monday 2024-01-01 00:00 UTC.
const START_MS: i64 = 1_704_067_200_000;
const DAY_MS: i64 = 86_400_000;

/// A linear or inverse contract with any grids and fees.
pub(crate) fn instrument(dice: &mut Dice) -> Instrument {
    let linear = dice.percent(60);
    let lot =
        if linear { dice.pick(&["0.0001", "0.001", "0.1", "1", "25"]) } else { dice.pick(&["1", "10"]) };
    let multiplier =
        if linear { dice.pick(&["1", "1", "0.001", "10"]) } else { dice.pick(&["1", "100", "0.5"]) };
    Instrument {
        exchange: Exchange::Bybit,
        symbol: "ANY".parse().unwrap(),
        base: "COIN".parse().unwrap(),
        quote: if linear { "USDT" } else { "USD" }.parse().unwrap(),
        settle: if linear { "USDT" } else { "COIN" }.parse().unwrap(),
        contract_type: if linear { ContractType::Linear } else { ContractType::Inverse },
        multiplier: d(multiplier),
        tick: d(dice.pick(&["0.00000001", "0.0001", "0.01", "0.1", "0.5", "5"])),
        lot: d(lot),
        min_quantity: Quantity::new(d(lot) * Decimal::from(dice.pick(&[1_i64, 1, 5]))).unwrap(),
        max_quantity: dice.percent(20).then(|| Quantity::new(d(lot) * Decimal::from(1000)).unwrap()),
        min_notional: dice.percent(50).then(|| d(dice.pick(&["1", "5", "100"]))),
        max_leverage: d(dice.pick(&["1", "5", "50", "125"])),
        maintenance_margin: Rate::new(d(dice.pick(&["0.004", "0.005", "0.02"]))),
        maker_fee: Rate::new(d(dice.pick(&["0.0002", "0", "-0.0001"]))),
        taker_fee: Rate::new(d(dice.pick(&["0.0005", "0", "0.01"]))),
        funding_interval_hours: dice.pick(&[1, 4, 8]),
        status: InstrumentStatus::Trading,
    }
}

/// Where the walk of prices begins, in ticks.
pub(crate) fn start_ticks(dice: &mut Dice) -> i64 {
    dice.pick(&[3, 60, 1_000, 20_000, 500_000])
}

/// What an account holds that can trade this: some thousands of quote currency, more when contracts are dear.
pub(crate) fn equity(instrument: &Instrument, price: Decimal, dice: &mut Dice) -> Decimal {
    let quote = d(dice.pick(&["50", "10000", "10000", "1000000"]));
    let coins = match instrument.contract_type {
        ContractType::Linear => quote,
        ContractType::Inverse => quote / price,
    };
    coins.round_dp(8).max(d("0.00000001"))
}

/// Settings that fit the instrument: any sizing, any limits.
pub(crate) fn settings(instrument: &Instrument, dice: &mut Dice) -> BotSettings {
    let leverage = dice.decimal(Decimal::ONE, instrument.max_leverage).round_dp(2);
    let sizing = match dice.below(5) {
        0 => {
            json!({"mode": "fixed_quantity", "quantity": (instrument.lot * dice.decimal(Decimal::ONE, d("300"))).to_string()})
        }
        1 => json!({"mode": "fixed_notional", "quote": dice.decimal(d("1"), d("20000")).to_string()}),
        2 | 3 => {
            json!({"mode": "percent_equity", "pct": dice.decimal(d("0.5"), leverage * Decimal::ONE_HUNDRED).to_string()})
        }
        _ => {
            json!({"mode": "risk_per_trade", "pct": dice.decimal(d("0.1"), Decimal::ONE_HUNDRED).to_string()})
        }
    };
    let resting = ["at_venue", "at_venue", "in_engine"];
    let document = json!({
        "format": 1,
        "sizing": sizing,
        "leverage": leverage.to_string(),
        "limits": if dice.percent(50) { limits(leverage, dice) } else { json!({}) },
        "protective_stop": dice.pick(&resting),
        "take_profit": dice.pick(&resting),
        "recording": dice.pick(&["everything", "changes", "actions"])
    });
    serde_json::from_value(document).unwrap()
}

/// Each limit now and then, at values that are reached.
fn limits(leverage: Decimal, dice: &mut Dice) -> Value {
    let mut limits = json!({});
    let mut add = |name: &str, value: Value, dice: &mut Dice| {
        if dice.percent(20) {
            limits[name] = value;
        }
    };
    let text = |dice: &mut Dice, low: &str, high: &str| dice.decimal(d(low), d(high)).to_string();
    let most = if dice.percent(50) {
        json!({"pct": text(dice, "0.1", "20")})
    } else {
        json!({"amount": text(dice, "0.001", "500")})
    };
    let daily = json!({
        "most": most,
        "counting": dice.pick(&["realized", "realized_and_unrealized"]),
        "when_hit": dice.pick(&["block", "close_all"])
    });
    add("daily_loss", daily, dice);
    add("weekly_loss_pct", json!(text(dice, "0.1", "30")), dice);
    add("max_drawdown_pct", json!(text(dice, "0.1", "30")), dice);
    let losses = json!({"count": dice.between(1, 4), "lookback_candles": dice.between(1, 100), "cool_off_candles": dice.between(1, 50)});
    add("consecutive_losses", losses, dice);
    let most = if dice.percent(50) {
        json!({"quote": text(dice, "1", "5000")})
    } else {
        json!({"pct_equity": text(dice, "1", "200")})
    };
    add(
        "max_position_notional",
        json!({"most": most, "when_larger": dice.pick(&["reduce", "refuse"])}),
        dice,
    );
    add("max_total_exposure_pct", json!(text(dice, "1", "500")), dice);
    add("max_leverage", json!(dice.decimal(leverage, leverage + d("10")).to_string()), dice);
    add("max_slippage_bps", json!(text(dice, "1", "500")), dice);
    add("order_errors", json!({"count": dice.between(1, 5), "window_s": dice.between(1, 3600)}), dice);
    add("max_data_age_s", json!(dice.between(1, 100)), dice);
    add("max_trades_per_day", json!(dice.between(1, 10)), dice);
    add("max_positions_total", json!(1), dice);
    add("min_free_margin_pct", json!(text(dice, "1", "100")), dice);
    limits
}

/// The kinds of weather a market has.
#[derive(Debug, Clone, Copy)]
enum Weather {
    Walk,
    Up,
    Down,
    Flat,
    Wild,
}

/// Candles on the grid of their timeframe, each valid, in order of time, with gaps.
pub(crate) fn candles(
    instrument: &Instrument,
    timeframe: Timeframe,
    start_ticks: i64,
    dice: &mut Dice,
) -> Vec<Candle> {
    let count = dice.pick(&[60, 150, 300, 300, 500]);
    let jumps = dice.pick(&[0, 0, 1, 4]);
    let most = if dice.percent(5) { 1_000_000_000_000 } else { 100_000_000 };
    let mut open_time = Timestamp::from_ms(START_MS + dice.between(0, 6) * DAY_MS);
    let mut close = start_ticks;
    let mut weather = Weather::Walk;
    let mut made = Vec::with_capacity(count);
    for index in 0..count {
        if index % 20 == 0 {
            weather = dice.pick(&[
                Weather::Walk,
                Weather::Walk,
                Weather::Up,
                Weather::Down,
                Weather::Flat,
                Weather::Wild,
            ]);
        }
        let one = (close / 100).max(1);
        let open = if dice.percent(jumps) {
            dice.pick(&[close * 10, close / 10, close * 2, close / 2])
        } else if dice.percent(10) {
            close + dice.between(-one, one)
        } else {
            close
        };
        let open = open.clamp(1, most);
        let (step, wick) = match weather {
            Weather::Walk => (dice.between(-one, one), one),
            Weather::Up => (dice.between(0, 2 * one), one),
            Weather::Down => (-dice.between(0, 2 * one), one),
            Weather::Flat => (0, 0),
            Weather::Wild => (dice.between(-10 * one, 10 * one), 10 * one),
        };
        close = (open + step).clamp(1, most);
        let high = open.max(close) + dice.between(0, wick);
        let low = (open.min(close) - dice.between(0, wick)).max(1);
        let price = |ticks: i64| Price::new(instrument.tick * Decimal::from(ticks)).unwrap();
        let volume =
            if dice.percent(15) { Decimal::ZERO } else { Decimal::new(dice.between(1, 9_000_000), 3) };
        let bar = Candle {
            open_time,
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume,
        };
        made.push(bar.check().unwrap());
        let skipped = if dice.percent(1) { dice.between(1, 100) } else { 0 };
        open_time = open_time.plus_ms(timeframe.ms() * (1 + skipped));
    }
    made
}
