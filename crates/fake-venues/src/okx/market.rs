//! Public REST calls: instruments, candles, prices, books, trades, funding.

use keyhold_domain::{Candle, Decimal, Price, Rate, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::instruments::listing;
use super::shapes::{contracts, side, stamp};
use crate::book::book;
use crate::core::number;
use crate::feed::{Feed, PublicTrade};
use crate::trouble::Service;

type Rows = Result<Vec<Value>, Failure>;

/// OKX's names of the intervals; those of six hours and more that count days from midnight UTC.
pub(crate) const BARS: [(&str, Timeframe); 11] = [
    ("1m", Timeframe::M1),
    ("3m", Timeframe::M3),
    ("5m", Timeframe::M5),
    ("15m", Timeframe::M15),
    ("30m", Timeframe::M30),
    ("1H", Timeframe::H1),
    ("2H", Timeframe::H2),
    ("4H", Timeframe::H4),
    ("6Hutc", Timeframe::H6),
    ("12Hutc", Timeframe::H12),
    ("1Dutc", Timeframe::D1),
];

pub(crate) fn bar(name: &str) -> Option<Timeframe> {
    BARS.iter().find(|(word, _)| *word == name).map(|(_, timeframe)| *timeframe)
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn time(call: &mut Call<'_>) -> Rows {
    Ok(vec![json!({ "ts": stamp(call.wall) })])
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn status(call: &mut Call<'_>) -> Rows {
    Ok(match call.state.core.trouble.service {
        Service::Open => vec![],
        Service::Maintenance => vec![json!({
            "title": "maintenance", "state": "ongoing", "begin": stamp(call.wall), "href": "", "system": "unified",
            "end": stamp(call.wall.plus_ms(3_600_000)), "serviceType": "5", "scheDesc": "", "maintType": "1", "env": "1",
        })],
    })
}

pub(crate) fn instruments(call: &mut Call<'_>) -> Rows {
    call.params().require("instType")?;
    Ok(call.feeds()?.iter().map(|feed| listing(&feed.instrument)).collect())
}

/// A candle's nine columns: contracts, coins and quote are its three volumes.
pub(crate) fn candle_row(feed: &Feed, candle: &Candle, confirm: &str) -> Value {
    let instrument = &feed.instrument;
    let close = candle.close.get();
    let (coins, quote) = match instrument.contract_type {
        keyhold_domain::ContractType::Linear => (candle.volume, candle.volume * close),
        keyhold_domain::ContractType::Inverse => {
            (candle.volume.checked_div(close).unwrap_or_default().round_dp(8), candle.volume)
        }
    };
    json!([
        stamp(candle.open_time),
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        contracts(instrument, candle.volume),
        number(coins),
        number(quote),
        confirm,
    ])
}

/// Whether a candle of a list will not change any more.
pub(crate) fn confirmed(feed: &Feed, candle: &Candle, timeframe: Timeframe) -> &'static str {
    let forming = feed.forming(timeframe).is_some_and(|forming| forming.open_time == candle.open_time);
    let closed =
        feed.history.back().is_some_and(|last| last.close_time(feed.base) >= candle.close_time(timeframe));
    if forming && !closed { "0" } else { "1" }
}

pub(crate) fn candles(call: &mut Call<'_>) -> Rows {
    let feed = call.feed()?;
    let params = call.params();
    let timeframe = bar(params.text("bar").unwrap_or("1m")).ok_or_else(|| Failure::params("bar"))?;
    let limit = params.number::<usize>("limit")?.unwrap_or(100).clamp(1, 300);
    // Both bounds are exclusive.
    let from = params.number::<i64>("before")?.map_or(0, |ms| ms + 1);
    let to = params.number::<i64>("after")?.map_or(i64::MAX, |ms| ms - 1);
    let candles = feed.candles(timeframe, Timestamp::from_ms(from), Timestamp::from_ms(to), limit);
    let row = |candle: &Candle| candle_row(feed, candle, confirmed(feed, candle, timeframe));
    Ok(candles.iter().rev().map(row).collect())
}

/// Last price, best bid and ask, the last day.
pub(crate) fn prices(feed: &Feed, now: Timestamp) -> Option<Value> {
    let last = feed.last()?;
    let day = feed.day()?;
    let instrument = &feed.instrument;
    let (bids, asks) = book(feed, 1);
    let size = |side: &[(Price, Decimal)]| {
        contracts(instrument, side.first().map_or(instrument.lot, |(_, size)| *size))
    };
    let tick = instrument.tick;
    Some(json!({
        "instType": "SWAP", "instId": instrument.symbol, "last": last, "lastSz": contracts(instrument, instrument.lot),
        "askPx": number(last.get() + tick), "askSz": size(&asks), "bidPx": number(last.get() - tick),
        "bidSz": size(&bids), "open24h": day.open, "high24h": day.high, "low24h": day.low,
        "volCcy24h": number(day.volume), "vol24h": contracts(instrument, day.volume), "sodUtc0": day.open,
        "sodUtc8": day.open, "ts": stamp(now),
    }))
}

pub(crate) fn ticker(call: &mut Call<'_>) -> Rows {
    let now = call.state.core.world.now;
    Ok(prices(call.feed()?, now).into_iter().collect())
}

pub(crate) fn tickers(call: &mut Call<'_>) -> Rows {
    let now = call.state.core.world.now;
    Ok(call.feeds()?.into_iter().filter_map(|feed| prices(feed, now)).collect())
}

/// The mark price is the last price, by which the exchange inside reckons.
pub(crate) fn mark(feed: &Feed, now: Timestamp) -> Option<Value> {
    Some(
        json!({ "instType": "SWAP", "instId": feed.instrument.symbol, "markPx": feed.last()?, "ts": stamp(now) }),
    )
}

pub(crate) fn mark_price(call: &mut Call<'_>) -> Rows {
    let now = call.state.core.world.now;
    Ok(call.feeds()?.into_iter().filter_map(|feed| mark(feed, now)).collect())
}

pub(crate) fn index(feed: &Feed, now: Timestamp) -> Option<Value> {
    let name = feed.instrument.symbol.as_str().strip_suffix("-SWAP")?;
    let price = feed.index(now)?;
    Some(json!({
        "instId": name, "idxPx": price, "high24h": price, "low24h": price, "open24h": price, "sodUtc0": price,
        "sodUtc8": price, "ts": stamp(now),
    }))
}

pub(crate) fn index_price(call: &mut Call<'_>) -> Rows {
    let name = call.params().require("instId")?;
    let now = call.state.core.world.now;
    let feeds = call.state.core.world.feeds.iter();
    let found = feeds.filter(|feed| feed.instrument.symbol.as_str().strip_suffix("-SWAP") == Some(name));
    Ok(found.filter_map(|feed| index(feed, now)).collect())
}

pub(crate) fn coming_funding(feed: &Feed, funding: Option<(Rate, Timestamp)>, now: Timestamp) -> Value {
    let (rate, next) = funding.unwrap_or((Rate::ZERO, Timestamp::EPOCH));
    let step = i64::from(feed.instrument.funding_interval_hours.max(1)) * 3_600_000;
    json!({
        "instType": "SWAP", "instId": feed.instrument.symbol, "fundingRate": rate.to_string(),
        "fundingTime": stamp(next), "nextFundingRate": "", "nextFundingTime": stamp(next.plus_ms(step)),
        "method": "current_period", "maxFundingRate": "0.00375", "minFundingRate": "-0.00375", "premium": "",
        "settFundingRate": rate.to_string(), "settState": "settled", "ts": stamp(now),
    })
}

pub(crate) fn funding_rate(call: &mut Call<'_>) -> Rows {
    let world = &call.state.core.world;
    let feed = call.feed()?;
    Ok(vec![coming_funding(feed, world.exchange.funding(feed.instrument.symbol), world.now)])
}

/// The funding rate in force, at each past funding time of the remembered history.
pub(crate) fn funding_history(call: &mut Call<'_>) -> Rows {
    let world = &call.state.core.world;
    let feed = call.feed()?;
    let params = call.params();
    let limit = params.number::<usize>("limit")?.unwrap_or(400).clamp(1, 400);
    let from = params.number::<i64>("before")?.map_or(i64::MIN, |ms| ms + 1);
    let to = params.number::<i64>("after")?.map_or(i64::MAX, |ms| ms - 1);
    let oldest = feed.history.front().map_or(i64::MAX, |candle| candle.open_time.ms());
    let step = i64::from(feed.instrument.funding_interval_hours.max(1)) * 3_600_000;
    let symbol = feed.instrument.symbol;
    let rate = world.exchange.funding(symbol).map_or(Rate::ZERO, |(rate, _)| rate).to_string();
    let newest = world.now.ms().min(to).div_euclid(step) * step;
    let times = (0..).map(|back: i64| newest - back * step);
    let row = |at: i64| {
        json!({
            "instType": "SWAP", "instId": symbol, "fundingRate": rate, "realizedRate": rate, "method": "current_period",
            "fundingTime": at.to_string(),
        })
    };
    Ok(times.take_while(|at| *at >= oldest && *at >= from).take(limit).map(row).collect())
}

pub(crate) fn interest(feed: &Feed, now: Timestamp) -> Value {
    let open = feed.open_interest(now);
    json!({
        "instType": "SWAP", "instId": feed.instrument.symbol, "oi": contracts(&feed.instrument, open),
        "oiCcy": number(open), "oiUsd": "", "ts": stamp(now),
    })
}

pub(crate) fn open_interest(call: &mut Call<'_>) -> Rows {
    let now = call.state.core.world.now;
    Ok(call.feeds()?.into_iter().map(|feed| interest(feed, now)).collect())
}

/// Price, contracts, nothing, number of orders.
pub(crate) fn level(feed: &Feed, price: Price, size: Decimal) -> Value {
    let count = if size.is_zero() { "0" } else { "1" };
    json!([price, contracts(&feed.instrument, size), "0", count])
}

pub(crate) fn order_book(call: &mut Call<'_>) -> Rows {
    let feed = call.feed()?;
    let depth = call.params().number::<usize>("sz")?.unwrap_or(1).clamp(1, 400);
    let (bids, asks) = book(feed, depth);
    let levels = |side: &[(Price, Decimal)]| -> Vec<Value> {
        side.iter().map(|(price, size)| level(feed, *price, *size)).collect()
    };
    let now = stamp(call.state.core.world.now);
    Ok(vec![json!({ "asks": levels(&asks), "bids": levels(&bids), "ts": now })])
}

pub(crate) fn trade(feed: &Feed, trade: &PublicTrade) -> Value {
    json!({
        "instId": feed.instrument.symbol, "side": side(trade.taker), "sz": contracts(&feed.instrument, trade.size),
        "px": trade.price, "tradeId": trade.number.to_string(), "ts": stamp(trade.at), "count": "1", "source": "0",
        "seqId": trade.number,
    })
}

pub(crate) fn trades(call: &mut Call<'_>) -> Rows {
    let feed = call.feed()?;
    let limit = call.params().number::<usize>("limit")?.unwrap_or(100).clamp(1, 500);
    Ok(feed.trades.iter().rev().take(limit).map(|one| trade(feed, one)).collect())
}
