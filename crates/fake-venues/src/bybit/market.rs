//! Public REST calls: instruments, candles, tickers, books, trades, funding.

use keyhold_domain::{Candle, ContractType, Decimal, Instrument, Price, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::shapes::{category, number, side, stamp};
use crate::book::book;
use crate::feed::{Feed, PublicTrade};
use crate::trouble::Service;

/// Bybit's names of the intervals.
pub(crate) const INTERVALS: [(&str, Timeframe); 11] = [
    ("1", Timeframe::M1),
    ("3", Timeframe::M3),
    ("5", Timeframe::M5),
    ("15", Timeframe::M15),
    ("30", Timeframe::M30),
    ("60", Timeframe::H1),
    ("120", Timeframe::H2),
    ("240", Timeframe::H4),
    ("360", Timeframe::H6),
    ("720", Timeframe::H12),
    ("D", Timeframe::D1),
];

pub(crate) fn interval(name: &str) -> Option<Timeframe> {
    INTERVALS.iter().find(|(word, _)| *word == name).map(|(_, timeframe)| *timeframe)
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn time(call: &mut Call<'_>) -> Result<Value, Failure> {
    let now = call.wall.ms();
    Ok(json!({ "timeSecond": (now / 1000).to_string(), "timeNano": format!("{now}000000") }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn status(call: &mut Call<'_>) -> Result<Value, Failure> {
    let list = match call.state.core.trouble.service {
        Service::Open => json!([]),
        Service::Maintenance => json!([{
            "id": "maintenance", "title": "maintenance", "state": "ongoing",
            "begin": stamp(call.wall), "end": stamp(call.wall.plus_ms(3_600_000)), "href": "",
            "serviceTypes": [1, 2, 3, 4, 5], "product": [1, 2, 3, 4], "uidSuffix": [], "maintainType": 1, "env": 1,
        }]),
    };
    Ok(json!({ "list": list }))
}

pub(crate) fn instruments(call: &mut Call<'_>) -> Result<Value, Failure> {
    let Some(kind) = call.params.category()? else {
        return Ok(json!({ "category": call.params.require("category")?, "list": [], "nextPageCursor": "" }));
    };
    let wanted = call.params.symbol()?;
    let pre_launch = call.params.text("status").is_some_and(|status| status != "Trading");
    let feeds = call.state.core.world.feeds.iter().filter(|feed| {
        feed.instrument.contract_type == kind && wanted.is_none_or(|symbol| symbol == feed.instrument.symbol)
    });
    let list: Vec<Value> = feeds.filter(|_| !pre_launch).map(|feed| instrument(&feed.instrument)).collect();
    Ok(json!({ "category": category(kind), "list": list, "nextPageCursor": "" }))
}

fn instrument(instrument: &Instrument) -> Value {
    let contract_type = match instrument.contract_type {
        ContractType::Linear => "LinearPerpetual",
        ContractType::Inverse => "InversePerpetual",
    };
    let max = instrument.max_quantity.map_or_else(|| "1000000000".to_owned(), |max| max.to_string());
    json!({
        "symbol": instrument.symbol, "contractType": contract_type, "status": "Trading",
        "baseCoin": instrument.base, "quoteCoin": instrument.quote, "settleCoin": instrument.settle,
        "launchTime": "1585526400000", "deliveryTime": "0", "deliveryFeeRate": "",
        "priceScale": instrument.tick.normalize().scale().to_string(), "symbolType": "", "isPreListing": false,
        "leverageFilter": {
            "minLeverage": "1", "maxLeverage": number(instrument.max_leverage), "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": number(instrument.tick), "maxPrice": "1999999.8", "tickSize": number(instrument.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": max, "minOrderQty": instrument.min_quantity, "qtyStep": number(instrument.lot),
            "postOnlyMaxOrderQty": max, "maxMktOrderQty": max,
            "minNotionalValue": instrument.min_notional.map_or_else(String::new, number),
        },
        "unifiedMarginTrade": true, "fundingInterval": instrument.funding_interval_hours * 60,
        "copyTrading": "none", "upperFundingRate": "0.005", "lowerFundingRate": "-0.005",
    })
}

pub(crate) fn risk_limit(call: &mut Call<'_>) -> Result<Value, Failure> {
    let kind = call.params.category()?;
    let wanted = call.params.symbol()?;
    let feeds = call.state.core.world.feeds.iter().filter(|feed| {
        Some(feed.instrument.contract_type) == kind
            && wanted.is_none_or(|symbol| symbol == feed.instrument.symbol)
    });
    let list: Vec<Value> = feeds
        .map(|feed| {
            json!({
                "id": 1, "symbol": feed.instrument.symbol, "riskLimitValue": "2000000", "isLowestRisk": 1,
                "maintenanceMargin": feed.instrument.maintenance_margin.to_string(),
                "initialMargin": number((Decimal::ONE / feed.instrument.max_leverage).round_dp(6)),
                "maxLeverage": number(feed.instrument.max_leverage), "mmDeduction": "",
            })
        })
        .collect();
    Ok(json!({ "category": call.params.require("category")?, "list": list, "nextPageCursor": "" }))
}

/// Base coin for linear, USD for inverse; `turnover` is the other of the two.
pub(crate) fn turnover(feed: &Feed, candle: &Candle) -> Decimal {
    let value = match feed.instrument.contract_type {
        ContractType::Linear => candle.volume.checked_mul(candle.close.get()),
        ContractType::Inverse => candle.volume.checked_div(candle.close.get()),
    };
    value.unwrap_or_default().round_dp(8)
}

fn rows(call: &Call<'_>, feed: &Feed, columns: usize) -> Result<Vec<Value>, Failure> {
    let frame =
        interval(call.params.require("interval")?).ok_or_else(|| Failure::params("interval invalid"))?;
    let limit = call.params.number::<u16>("limit")?.unwrap_or(200).clamp(1, 1_000);
    let from = call.params.number::<i64>("start")?;
    let to = call.params.number::<i64>("end")?.map_or(Timestamp::from_ms(i64::MAX), Timestamp::from_ms);
    let to = match from {
        // With a start and no end the venue answers with the first `limit` candles from there.
        Some(from) => to.min(Timestamp::from_ms(from).plus_ms(frame.ms() * i64::from(limit) - 1)),
        None => to,
    };
    let from = Timestamp::from_ms(from.unwrap_or(0));
    let candles = feed.candles(frame, from, to, limit.into());
    let row = |candle: &Candle| {
        let mut row = vec![
            stamp(candle.open_time),
            candle.open.to_string(),
            candle.high.to_string(),
            candle.low.to_string(),
            candle.close.to_string(),
            number(candle.volume),
            number(turnover(feed, candle)),
        ];
        row.truncate(columns);
        json!(row)
    };
    Ok(candles.iter().rev().map(row).collect())
}

pub(crate) fn klines(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let list = rows(call, feed, 7)?;
    Ok(json!({
        "symbol": feed.instrument.symbol, "category": category(feed.instrument.contract_type), "list": list,
    }))
}

/// Mark and index follow the last price here, so their candles are the same without volume.
pub(crate) fn price_klines(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let list = rows(call, feed, 5)?;
    Ok(json!({
        "symbol": feed.instrument.symbol, "category": category(feed.instrument.contract_type), "list": list,
    }))
}

pub(crate) fn tickers(call: &mut Call<'_>) -> Result<Value, Failure> {
    let kind = call.params.category()?;
    let wanted = call.params.symbol()?;
    let world = &call.state.core.world;
    let feeds = world.feeds.iter().filter(|feed| {
        Some(feed.instrument.contract_type) == kind
            && wanted.is_none_or(|symbol| symbol == feed.instrument.symbol)
    });
    let list: Vec<Value> = feeds
        .filter_map(|feed| ticker(feed, world.exchange.funding(feed.instrument.symbol), world.now))
        .collect();
    if wanted.is_some() && list.is_empty() {
        return Err(Failure::params("symbol invalid"));
    }
    Ok(json!({ "category": call.params.require("category")?, "list": list }))
}

/// The ticker of one instrument. The mark price is the last price, by which the exchange inside reckons.
pub(crate) fn ticker(
    feed: &Feed,
    funding: Option<(keyhold_domain::Rate, Timestamp)>,
    now: Timestamp,
) -> Option<Value> {
    let last = feed.last()?;
    let day = feed.day()?;
    let tick = feed.instrument.tick;
    let change = (last.get() - day.open.get()).checked_div(day.open.get())?.round_dp(6);
    let (rate, next) = funding.unwrap_or((keyhold_domain::Rate::ZERO, Timestamp::EPOCH));
    let (bids, asks) = book(feed, 1);
    let size = |side: &[(Price, Decimal)]| side.first().map_or(feed.instrument.lot, |(_, size)| *size);
    let interest = feed.open_interest(now);
    Some(json!({
        "symbol": feed.instrument.symbol, "lastPrice": last, "indexPrice": feed.index(now)?, "markPrice": last,
        "prevPrice24h": day.open, "price24hPcnt": number(change), "highPrice24h": day.high,
        "lowPrice24h": day.low, "prevPrice1h": day.open, "openInterest": number(interest),
        "openInterestValue": number(interest),
        "turnover24h": number(turnover(feed, &day)), "volume24h": number(day.volume),
        "fundingRate": rate.to_string(), "nextFundingTime": stamp(next),
        "predictedDeliveryPrice": "", "basisRate": "", "deliveryFeeRate": "", "deliveryTime": "0",
        "bid1Price": number(last.get() - tick), "bid1Size": number(size(&bids)),
        "ask1Price": number(last.get() + tick), "ask1Size": number(size(&asks)), "basis": "",
        "tickDirection": "PlusTick",
    }))
}

pub(crate) fn order_book(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let depth = call.params.number::<usize>("limit")?.unwrap_or(25).clamp(1, 500);
    let (bids, asks) = book(feed, depth);
    let levels = |levels: &[(Price, Decimal)]| -> Vec<Value> {
        levels.iter().map(|(price, size)| json!([price, number(*size)])).collect()
    };
    Ok(json!({
        "s": feed.instrument.symbol, "b": levels(&bids), "a": levels(&asks),
        "ts": call.state.core.world.now.ms(), "u": feed.updates, "seq": feed.updates, "cts": call.state.core.world.now.ms(),
    }))
}

pub(crate) fn trades(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let limit = call.params.number::<usize>("limit")?.unwrap_or(500).clamp(1, 1_000);
    let list: Vec<Value> = feed
        .trades
        .iter()
        .rev()
        .take(limit)
        .map(|trade| {
            json!({
                "execId": trade_id(feed, trade), "symbol": feed.instrument.symbol, "price": trade.price,
                "size": number(trade.size), "side": trade_side(trade), "time": stamp(trade.at),
                "isBlockTrade": false, "isRPITrade": false, "seq": trade.number.to_string(),
            })
        })
        .collect();
    Ok(json!({ "category": category(feed.instrument.contract_type), "list": list }))
}

pub(crate) fn trade_id(feed: &Feed, trade: &PublicTrade) -> String {
    format!("{}-{}", feed.instrument.symbol, trade.number)
}

pub(crate) const fn trade_side(trade: &PublicTrade) -> &'static str {
    side(trade.taker)
}

/// The funding rate in force, at each past funding time of the remembered history.
pub(crate) fn funding_history(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let limit = call.params.number::<usize>("limit")?.unwrap_or(200).clamp(1, 200);
    let from = call.params.number::<i64>("startTime")?.unwrap_or(i64::MIN);
    let to = call.params.number::<i64>("endTime")?.unwrap_or(i64::MAX);
    let oldest = feed.history.front().map_or(i64::MAX, |candle| candle.open_time.ms());
    let step = i64::from(feed.instrument.funding_interval_hours.max(1)) * 3_600_000;
    let symbol = feed.instrument.symbol;
    let rate =
        call.state.core.world.exchange.funding(symbol).map_or(keyhold_domain::Rate::ZERO, |(rate, _)| rate);
    let newest = call.state.core.world.now.ms().min(to).div_euclid(step) * step;
    let list: Vec<Value> = (0..)
        .map(|back: i64| newest - back * step)
        .take_while(|at| *at >= oldest && *at >= from)
        .take(limit)
        .map(|at| {
            json!({
                "symbol": symbol, "fundingRate": rate.to_string(), "fundingRateTimestamp": at.to_string(),
            })
        })
        .collect();
    Ok(json!({ "category": category(feed.instrument.contract_type), "list": list }))
}

pub(crate) fn open_interest(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let limit = call.params.number::<i64>("limit")?.unwrap_or(50).clamp(1, 200);
    let frame = Timeframe::M5;
    let newest = frame.open_of(call.state.core.world.now);
    let list: Vec<Value> = (0..limit)
        .map(|back| newest.plus_ms(-back * frame.ms()))
        .map(|at| json!({ "openInterest": number(feed.open_interest(at)), "timestamp": stamp(at) }))
        .collect();
    Ok(json!({
        "symbol": feed.instrument.symbol, "category": category(feed.instrument.contract_type),
        "list": list, "nextPageCursor": "",
    }))
}
