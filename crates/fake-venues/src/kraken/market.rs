//! Public REST calls: instruments, prices, books, candles, trades, funding, fees.

use keyhold_domain::{ContractType, Decimal, InstrumentStatus, Rate, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::instruments::code;
use super::params::named;
use super::shapes::num;
use crate::book::book;
use crate::core::number;
use crate::feed::{Feed, PublicTrade};

/// The one fee schedule.
pub(crate) const FEE_SCHEDULE: &str = "eef90775-995b-4596-9257-0917f6134766";

/// Candles of one answer at most.
const MOST_CANDLES: usize = 2_000;

/// Levels of a book over REST.
const DEPTH: usize = 50;

fn pair(feed: &Feed) -> String {
    format!("{}:{}", code(feed.instrument.base), feed.instrument.quote)
}

fn instrument(feed: &Feed) -> Value {
    let it = &feed.instrument;
    let linear = it.contract_type == ContractType::Linear;
    let initial = Decimal::ONE.checked_div(it.max_leverage).unwrap_or(Decimal::ONE);
    let level = json!({
        if linear { "numNonContractUnits" } else { "contracts" }: 0,
        "initialMargin": num(initial), "maintenanceMargin": num(it.maintenance_margin.get()),
    });
    json!({
        "symbol": it.symbol, "type": if linear { "flexible_futures" } else { "futures_inverse" },
        "tradeable": it.status == InstrumentStatus::Trading, "tickSize": num(it.tick), "contractSize": 1,
        "contractValueTradePrecision": it.lot.normalize().scale(), "impactMidSize": 1,
        "maxPositionSize": it.max_quantity.map_or(Value::Null, |max| num(max.get())),
        "openingDate": "2022-01-01T00:00:00.000Z", "marginLevels": [level], "retailMarginLevels": [],
        "fundingRateCoefficient": 24, "maxRelativeFundingRate": 0.0025, "feeScheduleUid": FEE_SCHEDULE,
        "postOnly": false, "mtf": true, "base": it.base, "quote": it.quote,
        "pair": format!("{}:{}", it.base, it.quote), "category": "Layer 1", "tags": [], "isExpired": false,
        "hasTrades": true, "underlying": format!("rr_{}usd", code(it.base).to_ascii_lowercase()),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn instruments(call: &mut Call<'_>) -> Result<Value, Failure> {
    let list: Vec<Value> = call.state.core.world.feeds.iter().map(instrument).collect();
    Ok(json!({ "instruments": list }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn statuses(call: &mut Call<'_>) -> Result<Value, Failure> {
    let status = |feed: &Feed| {
        json!({
            "tradeable": feed.instrument.symbol, "experiencingDislocation": false,
            "priceDislocationDirection": null, "experiencingExtremeVolatility": false,
            "extremeVolatilityInitialMarginMultiplier": 1,
        })
    };
    let list: Vec<Value> = call.state.core.world.feeds.iter().map(status).collect();
    Ok(json!({ "instrumentStatus": list }))
}

/// The funding rate as an amount: of dollars per coin, or of coins per dollar.
fn funding_amount(feed: &Feed, rate: Rate, price: Decimal) -> Decimal {
    let amount = match feed.instrument.contract_type {
        ContractType::Linear => rate.get().checked_mul(price),
        ContractType::Inverse => rate.get().checked_div(price),
    };
    amount.unwrap_or_default().round_dp(18)
}

fn prices(call: &Call<'_>, feed: &Feed) -> Option<Value> {
    let world = &call.state.core.world;
    let (last, day, now) = (feed.last()?, feed.day()?, world.now);
    let (bids, asks) = book(feed, 1);
    let (bid, ask) = (bids.first()?, asks.first()?);
    let rate = world.exchange.funding(feed.instrument.symbol).map_or(Rate::ZERO, |(rate, _)| rate);
    let funding = num(funding_amount(feed, rate, last.get()));
    let change = (last.get() - day.open.get()).checked_div(day.open.get())? * Decimal::ONE_HUNDRED;
    Some(json!({
        "symbol": feed.instrument.symbol, "last": num(last.get()), "lastTime": now.to_string(),
        "tag": "perpetual", "pair": pair(feed), "markPrice": num(last.get()), "bid": num(bid.0.get()),
        "bidSize": num(bid.1), "ask": num(ask.0.get()), "askSize": num(ask.1), "vol24h": num(day.volume),
        "volumeQuote": num(day.volume), "openInterest": num(feed.open_interest(now)),
        "open24h": num(day.open.get()), "high24h": num(day.high.get()), "low24h": num(day.low.get()),
        "lastSize": num(feed.instrument.lot), "fundingRate": funding, "fundingRatePrediction": funding,
        "suspended": false, "indexPrice": num(feed.index(now)?.get()), "postOnly": false,
        "change24h": num(change.round_dp(4)),
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn tickers(call: &mut Call<'_>) -> Result<Value, Failure> {
    let list: Vec<Value> = call.state.core.world.feeds.iter().filter_map(|feed| prices(call, feed)).collect();
    Ok(json!({ "tickers": list }))
}

pub(crate) fn ticker(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbol = named(call.tail.first().map_or("", String::as_str))?;
    let feed = call.feed_of(symbol).map_err(|_| Failure::new("contractNotFound"))?;
    Ok(json!({ "ticker": prices(call, feed) }))
}

pub(crate) fn order_book(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (bids, asks) = book(call.feed()?, DEPTH);
    let side = |levels: Vec<(keyhold_domain::Price, Decimal)>| -> Vec<Value> {
        levels.into_iter().map(|(price, size)| json!([num(price.get()), num(size)])).collect()
    };
    Ok(json!({ "orderBook": { "bids": side(bids), "asks": side(asks) } }))
}

pub(crate) fn fee_schedules(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.state.core.world.feeds.first().ok_or_else(Failure::unknown_symbol)?;
    let percent = |rate: Rate| num(rate.get() * Decimal::ONE_HUNDRED);
    let tier = json!({
        "makerFee": percent(feed.instrument.maker_fee), "takerFee": percent(feed.instrument.taker_fee),
        "usdVolume": 0.0,
    });
    Ok(json!({ "feeSchedules": [{ "uid": FEE_SCHEDULE, "name": "PGTMainFees", "tiers": [tier] }] }))
}

/// The rate in force, at each past hour of the remembered history, oldest first.
pub(crate) fn funding_rates(call: &mut Call<'_>) -> Result<Value, Failure> {
    const HOUR: i64 = 3_600_000;
    let feed = call.feed()?;
    let world = &call.state.core.world;
    let rate = world.exchange.funding(feed.instrument.symbol).map_or(Rate::ZERO, |(rate, _)| rate);
    let oldest = feed.history.front().map_or(i64::MAX, |candle| candle.open_time.ms());
    let first = oldest.div_euclid(HOUR).saturating_add(1);
    let last = feed.last().map_or(Decimal::ONE, keyhold_domain::Price::get);
    let rows: Vec<Value> = (first..=world.now.ms().div_euclid(HOUR))
        .map(|hour| {
            json!({
                "timestamp": Timestamp::from_ms(hour * HOUR).to_string(),
                "fundingRate": num(funding_amount(feed, rate, last)), "relativeFundingRate": num(rate.get()),
            })
        })
        .collect();
    Ok(json!({ "rates": rows }))
}

const INTERVALS: [(&str, Timeframe); 8] = [
    ("1m", Timeframe::M1),
    ("5m", Timeframe::M5),
    ("15m", Timeframe::M15),
    ("30m", Timeframe::M30),
    ("1h", Timeframe::H1),
    ("4h", Timeframe::H4),
    ("12h", Timeframe::H12),
    ("1d", Timeframe::D1),
];

/// `charts/v1/{trade,mark,spot}/{symbol}/{interval}`: the oldest of the range first, 2,000 at most. All three prices are
/// the last one here.
pub(crate) fn charts(call: &mut Call<'_>) -> Result<Value, Failure> {
    let bad = |name| Failure { status: 400, ..Failure::argument("invalidArgument", name) };
    let [kind, symbol, word] = call.tail.as_slice() else { return Err(bad("path")) };
    if !matches!(kind.as_str(), "trade" | "mark" | "spot") {
        return Err(bad("tick_type"));
    }
    let frame = INTERVALS.iter().find(|(known, _)| known == word).map(|(_, frame)| *frame);
    let frame = frame.ok_or_else(|| bad("resolution"))?;
    let feed = call.feed_of(named(symbol)?).map_err(|_| bad("symbol"))?;
    let seconds =
        |name| Ok::<_, Failure>(call.params.number::<i64>(name)?.map(|at| Timestamp::from_ms(at * 1_000)));
    let until = seconds("to")?.unwrap_or(Timestamp::from_ms(i64::MAX));
    let (candles, more) = match seconds("from")? {
        None => (feed.candles(frame, Timestamp::EPOCH, until, MOST_CANDLES), false),
        Some(from) => {
            let mut candles = feed.candles(frame, from, until, usize::MAX >> 1);
            let more = candles.len() > MOST_CANDLES;
            candles.truncate(MOST_CANDLES);
            (candles, more)
        }
    };
    let rows: Vec<Value> = candles
        .iter()
        .map(|candle| {
            json!({
                "time": candle.open_time.ms(), "open": candle.open, "high": candle.high, "low": candle.low,
                "close": candle.close, "volume": if kind == "trade" { number(candle.volume) } else { "0".to_owned() },
            })
        })
        .collect();
    Ok(json!({ "candles": rows, "more_candles": more }))
}

pub(crate) fn trade_id(feed: &Feed, trade: &PublicTrade) -> String {
    format!("{}-{}", feed.instrument.symbol, trade.number)
}

/// `market/{symbol}/executions`, newest first unless asked otherwise.
pub(crate) fn executions(call: &mut Call<'_>) -> Result<Value, Failure> {
    let [symbol, what] = call.tail.as_slice() else { return Err(Failure::new("notFound")) };
    if what != "executions" {
        return Err(Failure::new("notFound"));
    }
    let feed = call.feed_of(named(symbol)?)?;
    let since = call.params.number::<i64>("since")?.unwrap_or(i64::MIN);
    let count = call.params.number::<usize>("count")?.unwrap_or(100).clamp(1, 1_000);
    let mut trades: Vec<&PublicTrade> = feed.trades.iter().filter(|trade| trade.at.ms() >= since).collect();
    if call.params.text("sort") != Some("asc") {
        trades.reverse();
    }
    let row = |trade: &&PublicTrade| {
        let order = |direction: &str| {
            json!({
                "uid": trade_id(feed, trade), "tradeable": symbol, "direction": direction,
                "quantity": number(trade.size), "timestamp": trade.at.ms(), "limitPrice": trade.price,
                "orderType": "Limit", "reduceOnly": false, "lastUpdateTimestamp": trade.at.ms(),
            })
        };
        let (taker, maker) = match trade.taker {
            keyhold_domain::Side::Buy => ("Buy", "Sell"),
            keyhold_domain::Side::Sell => ("Sell", "Buy"),
        };
        let execution = json!({
            "uid": trade_id(feed, trade), "makerOrder": order(maker), "takerOrder": order(taker),
            "timestamp": trade.at.ms(), "quantity": number(trade.size), "price": trade.price,
            "markPrice": trade.price, "limitFilled": true, "usdValue": "0",
        });
        json!({
            "uid": trade_id(feed, trade), "timestamp": trade.at.ms(),
            "event": { "Execution": { "execution": execution, "takerReducedQuantity": "" } },
        })
    };
    let rows: Vec<Value> = trades.iter().take(count).map(row).collect();
    let len = rows.len();
    Ok(json!({ "elements": rows, "len": len }))
}
