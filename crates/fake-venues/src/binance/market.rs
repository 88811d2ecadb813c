//! Public REST calls: instruments, candles, prices, books, funding.

use keyhold_domain::{Candle, ContractType, Decimal, Instrument, Price, Rate, Side, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::book::Book;
use super::call::Call;
use super::failure::Failure;
use super::instruments::size;
use super::shapes::{contracts, number};
use crate::book::book;
use crate::feed::{Feed, PublicTrade};
use crate::trouble::Service;

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn ping(_call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!({}))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn time(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!({ "serverTime": call.wall.ms() }))
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn status(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(match call.state.core.trouble.service {
        Service::Open => json!({ "status": 0, "msg": "normal" }),
        Service::Maintenance => json!({ "status": 1, "msg": "system_maintenance" }),
    })
}

pub(crate) fn instruments(call: &mut Call<'_>) -> Result<Value, Failure> {
    let symbols: Vec<Value> = call.feeds()?.iter().map(|feed| instrument(&feed.instrument)).collect();
    Ok(json!({
        "timezone": "UTC", "serverTime": call.wall.ms(), "exchangeFilters": [], "assets": [], "symbols": symbols,
        "rateLimits": [
            { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2_400 },
            { "rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200 },
            { "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300 },
        ],
    }))
}

fn instrument(instrument: &Instrument) -> Value {
    let max =
        instrument.max_quantity.map_or_else(|| "1000000".to_owned(), |max| contracts(max.get(), instrument));
    let step = contracts(instrument.lot, instrument);
    let scale = |value: Decimal| value.normalize().scale();
    let mut filters = vec![
        json!({ "filterType": "PRICE_FILTER", "minPrice": number(instrument.tick), "maxPrice": "1000000",
            "tickSize": number(instrument.tick) }),
        json!({ "filterType": "LOT_SIZE", "stepSize": step, "minQty": step, "maxQty": max }),
        json!({ "filterType": "MARKET_LOT_SIZE", "stepSize": step, "minQty": step, "maxQty": max }),
        json!({ "filterType": "MAX_NUM_ORDERS", "limit": 200 }),
    ];
    if let Some(notional) = instrument.min_notional {
        filters.push(json!({ "filterType": "MIN_NOTIONAL", "notional": number(notional) }));
    }
    let mut row = json!({
        "symbol": instrument.symbol, "pair": format!("{}{}", instrument.base, instrument.quote),
        "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000_i64, "onboardDate": 1_569_398_400_000_i64,
        "maintMarginPercent": number(instrument.maintenance_margin.get() * Decimal::ONE_HUNDRED),
        "requiredMarginPercent": number(Decimal::ONE_HUNDRED / instrument.max_leverage),
        "baseAsset": instrument.base, "quoteAsset": instrument.quote, "marginAsset": instrument.settle,
        "pricePrecision": scale(instrument.tick), "quantityPrecision": scale(instrument.lot / size(instrument)),
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN", "filters": filters,
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    });
    match instrument.contract_type {
        ContractType::Linear => row["status"] = json!("TRADING"),
        ContractType::Inverse => {
            row["contractStatus"] = json!("TRADING");
            row["contractSize"] = serde_json::from_str(&number(size(instrument))).unwrap_or_default();
        }
    }
    row
}

/// Only intervals that differ from eight hours are told.
pub(crate) fn funding_info(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feeds = call.feeds()?;
    let rows = feeds.iter().filter(|feed| feed.instrument.funding_interval_hours != 8).map(|feed| {
        json!({ "symbol": feed.instrument.symbol, "fundingIntervalHours": feed.instrument.funding_interval_hours })
    });
    Ok(rows.collect())
}

/// What a candle was worth: quote for linear, base for inverse.
pub(crate) fn worth(feed: &Feed, candle: &Candle) -> Decimal {
    let value = match feed.instrument.contract_type {
        ContractType::Linear => candle.volume.checked_mul(candle.close.get()),
        ContractType::Inverse => candle.volume.checked_div(candle.close.get()),
    };
    value.unwrap_or_default().round_dp(8)
}

pub(crate) fn klines(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let frame: Timeframe =
        call.require("interval")?.parse().map_err(|_| Failure::new(-1120, "Invalid interval."))?;
    let limit = call.limit(500, 1_500)?;
    let from = call.number::<i64>("startTime")?;
    let to = call.number::<i64>("endTime")?.map_or(Timestamp::from_ms(i64::MAX), Timestamp::from_ms);
    let length = frame.ms() * i64::try_from(limit).unwrap_or(1_500);
    let to = match from {
        // With a start the venue answers with the first candles from there.
        Some(from) => to.min(Timestamp::from_ms(from).plus_ms(length - 1)),
        None => to,
    };
    let candles = feed.candles(frame, Timestamp::from_ms(from.unwrap_or(0)), to, limit);
    let row = |candle: &Candle| {
        json!([
            candle.open_time.ms(),
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            contracts(candle.volume, &feed.instrument),
            candle.close_time(frame).ms() - 1,
            number(worth(feed, candle)),
            1,
            "0",
            "0",
            "0",
        ])
    };
    Ok(candles.iter().map(row).collect())
}

/// One record, or a list without a symbol and on COIN-M.
fn one_or_many(call: &Call<'_>, mut rows: Vec<Value>) -> Value {
    if call.text("symbol").is_some() && call.product == ContractType::Linear {
        return rows.pop().unwrap_or_default();
    }
    Value::Array(rows)
}

/// The mark price is the last price, by which the exchange inside reckons.
pub(crate) fn premium(call: &mut Call<'_>) -> Result<Value, Failure> {
    let world = &call.state.core.world;
    let rows = call.feeds()?.into_iter().filter_map(|feed| {
        let symbol = feed.instrument.symbol;
        let (rate, next) = world.exchange.funding(symbol).unwrap_or((Rate::ZERO, Timestamp::EPOCH));
        Some(json!({
            "symbol": symbol, "pair": format!("{}{}", feed.instrument.base, feed.instrument.quote),
            "markPrice": feed.last()?, "indexPrice": feed.index(world.now)?, "estimatedSettlePrice": feed.last()?,
            "lastFundingRate": rate.to_string(), "interestRate": "0.0001", "nextFundingTime": next.ms().max(0),
            "time": world.now.ms(),
        }))
    });
    let rows = rows.collect();
    Ok(one_or_many(call, rows))
}

pub(crate) fn day_ticker(call: &mut Call<'_>) -> Result<Value, Failure> {
    let now = call.state.core.world.now;
    let rows = call.feeds()?.into_iter().filter_map(|feed| {
        let (last, day) = (feed.last()?, feed.day()?);
        Some(json!({
            "symbol": feed.instrument.symbol, "priceChange": number(last.get() - day.open.get()),
            "priceChangePercent": "0", "weightedAvgPrice": last, "lastPrice": last, "lastQty": "1",
            "openPrice": day.open, "highPrice": day.high, "lowPrice": day.low,
            "volume": contracts(day.volume, &feed.instrument), "quoteVolume": number(worth(feed, &day)),
            "baseVolume": number(worth(feed, &day)), "openTime": day.open_time.ms(), "closeTime": now.ms(),
            "firstId": 1, "lastId": 2, "count": 2,
        }))
    });
    let rows = rows.collect();
    Ok(one_or_many(call, rows))
}

pub(crate) fn book_ticker(call: &mut Call<'_>) -> Result<Value, Failure> {
    let now = call.state.core.world.now;
    let rows = call.feeds()?.into_iter().filter_map(|feed| {
        let (bids, asks) = book(feed, 1);
        let ((bid, bid_size), (ask, ask_size)) = (bids.first()?, asks.first()?);
        Some(json!({
            "symbol": feed.instrument.symbol, "bidPrice": bid, "bidQty": contracts(*bid_size, &feed.instrument),
            "askPrice": ask, "askQty": contracts(*ask_size, &feed.instrument), "time": now.ms(),
        }))
    });
    let rows = rows.collect();
    Ok(one_or_many(call, rows))
}

pub(crate) fn open_interest(call: &mut Call<'_>) -> Result<Value, Failure> {
    let now = call.state.core.world.now;
    let feed = call.feed()?;
    let amount = feed.open_interest(now);
    Ok(json!({
        "symbol": feed.instrument.symbol, "openInterest": contracts(amount, &feed.instrument), "time": now.ms(),
    }))
}

/// Rows of a book.
pub(crate) fn levels(side: &[(Price, Decimal)], instrument: &Instrument) -> Vec<Value> {
    side.iter().map(|(price, size)| json!([price, contracts(*size, instrument)])).collect()
}

/// The whole book; its number is that of the last change that was sent.
pub(crate) fn depth(call: &mut Call<'_>) -> Result<Value, Failure> {
    let limit = call.limit(500, 1_000)?;
    let instrument = call.feed()?.instrument;
    let world = &call.state.core.world;
    let feed = world.feed(instrument.symbol).ok_or_else(Failure::bad_symbol)?;
    let book = call.state.books.entry(instrument.symbol).or_insert_with(|| Book::of(feed));
    let (bids, asks) = book.levels(limit);
    Ok(json!({
        "lastUpdateId": book.number, "E": world.now.ms(), "T": world.now.ms(), "bids": levels(&bids, &instrument),
        "asks": levels(&asks, &instrument),
    }))
}

/// The newest trades, oldest first; every trade is an aggregate of its own.
pub(crate) fn trades(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (limit, range) = (call.limit(500, 1_000)?, call.range()?);
    let feed = call.feed()?;
    let wanted: Vec<_> = feed.trades.iter().filter(|trade| range.contains(&trade.at.ms())).collect();
    let row = |trade: &&PublicTrade| {
        let size = contracts(trade.size, &feed.instrument);
        let maker = trade.taker == Side::Sell;
        json!({
            "a": trade.number, "p": trade.price, "q": size, "f": trade.number, "l": trade.number, "T": trade.at.ms(),
            "m": maker, "id": trade.number, "price": trade.price, "qty": size, "quoteQty": "0", "time": trade.at.ms(),
            "isBuyerMaker": maker,
        })
    };
    Ok(wanted.iter().skip(wanted.len().saturating_sub(limit)).map(row).collect())
}

/// The funding rate in force, at each past funding time of the remembered history, oldest first.
pub(crate) fn funding_rates(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (limit, range) = (call.limit(100, 1_000)?, call.range()?);
    let world = &call.state.core.world;
    let feed = call.feed()?;
    let symbol = feed.instrument.symbol;
    let step = i64::from(feed.instrument.funding_interval_hours.max(1)) * 3_600_000;
    let oldest = feed.history.front().map_or(i64::MAX, |candle| candle.open_time.ms());
    let rate = world.exchange.funding(symbol).map_or(Rate::ZERO, |(rate, _)| rate);
    let first = oldest.max(*range.start()).saturating_add(step - 1).div_euclid(step).saturating_mul(step);
    let last = world.now.ms().min(*range.end());
    let rows = (0..)
        .map(|n: i64| first.saturating_add(n.saturating_mul(step)))
        .take_while(|at| *at <= last)
        .take(limit)
        .map(|at| json!({ "symbol": symbol, "fundingRate": rate.to_string(), "fundingTime": at, "markPrice": "" }));
    Ok(rows.collect())
}
