//! Public REST calls: instruments, candles, books, trades, funding.

use keyhold_domain::{Candle, Decimal, Rate, Timeframe, Timestamp};
use serde_json::{Value, json};

use super::books::levels;
use super::call::Call;
use super::failure::Failure;
use super::instruments;
use super::shapes::side;
use super::units::{contract_size, num, stamp};
use crate::feed::{Feed, PublicTrade};

/// BitMEX's lengths of candles.
pub(crate) const BINS: [(&str, Timeframe); 4] =
    [("1m", Timeframe::M1), ("5m", Timeframe::M5), ("1h", Timeframe::H1), ("1d", Timeframe::D1)];

/// News of the venue: there are none. Clients read the headers.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn announcements(_call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(json!([]))
}

fn rows(call: &Call<'_>) -> Vec<Value> {
    let core = &call.state.core;
    let mut rows: Vec<Value> =
        core.world.feeds.iter().filter_map(|feed| instruments::row(core, feed)).collect();
    if rows.iter().all(|row| row["symbol"] != "ETHUSD") {
        rows.push(instruments::quanto(core.world.now));
    }
    rows
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn active(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Array(rows(call)))
}

pub(crate) fn instruments(call: &mut Call<'_>) -> Result<Value, Failure> {
    let wanted = call.params.symbol()?;
    let filter = call.params.filter()?;
    let mut rows = rows(call);
    rows.retain(|row| wanted.is_none_or(|symbol| row["symbol"] == symbol.as_str()) && filter.fits(row));
    call.page(rows, 100)
}

pub(crate) fn order_book(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let depth = match call.params.count("depth")?.unwrap_or(25) {
        // Zero asks for the whole book.
        0 => 200,
        depth => depth.min(200),
    };
    let now = call.state.core.world.now;
    let rows = levels(feed, depth).into_iter();
    Ok(rows.map(|(key, size)| key.row(feed, Some(size), now)).collect())
}

pub(crate) fn trade(feed: &Feed, trade: &PublicTrade) -> Option<Value> {
    let size = (trade.size / contract_size(&feed.instrument)).round();
    let price = trade.price.get();
    let (home, foreign) = match feed.instrument.contract_type {
        keyhold_domain::ContractType::Linear => (trade.size, trade.size * price),
        keyhold_domain::ContractType::Inverse => (trade.size / price, trade.size),
    };
    (size > Decimal::ZERO).then(|| {
        json!({
            "timestamp": stamp(trade.at), "symbol": feed.instrument.symbol, "side": side(trade.taker),
            "size": num(size), "price": num(price), "tickDirection": "ZeroPlusTick",
            "trdMatchID": format!("{}-{}", feed.instrument.symbol, trade.number),
            "grossValue": num((home * Decimal::from(100_000_000)).round()),
            "homeNotional": num(home.round_dp(8)), "foreignNotional": num(foreign.round_dp(8)), "trdType": "Regular",
        })
    })
}

pub(crate) fn trades(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let mut rows = Vec::new();
    for one in &feed.trades {
        if call.in_range(one.at)? {
            rows.extend(trade(feed, one));
        }
    }
    call.page(rows, 100)
}

/// A candle in BitMEX's way: stamped with its end, opened at the close before it, counted in contracts.
pub(crate) fn bucket(feed: &Feed, frame: Timeframe, candle: &Candle, before: Option<&Candle>) -> Value {
    let size = contract_size(&feed.instrument);
    let open = before.map_or(candle.open, |before| before.close);
    let price = candle.close.get();
    let (home, foreign) = match feed.instrument.contract_type {
        keyhold_domain::ContractType::Linear => (candle.volume, candle.volume * price),
        keyhold_domain::ContractType::Inverse => (candle.volume / price, candle.volume),
    };
    json!({
        "timestamp": stamp(candle.close_time(frame)), "symbol": feed.instrument.symbol, "open": num(open.get()),
        "high": num(candle.high.get()), "low": num(candle.low.get()), "close": num(price), "trades": 1,
        "volume": num((candle.volume / size).round()), "vwap": num(price), "lastSize": 1,
        "turnover": num((home * Decimal::from(100_000_000)).round()), "homeNotional": num(home.round_dp(8)),
        "foreignNotional": num(foreign.round_dp(8)),
    })
}

/// Whether a candle will not change any more.
fn is_closed(feed: &Feed, frame: Timeframe, candle: &Candle) -> bool {
    let newest = feed.history.back().map(|newest| newest.close_time(feed.base));
    newest.is_some_and(|newest| candle.close_time(frame) <= newest)
}

/// Base candles that are looked at for one answer at most.
const LONGEST_LOOK: usize = 200_000;

pub(crate) fn buckets(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let name = call.params.text("binSize").unwrap_or("1m");
    let frame = BINS.iter().find(|(word, _)| *word == name).map(|(_, frame)| *frame);
    let frame = frame.ok_or_else(|| Failure::invalid("binSize must be 1m, 5m, 1h or 1d"))?;
    // One candle more, whose close is the first one's open.
    let start = call.params.time("startTime")?.map_or(Timestamp::EPOCH, |at| at.plus_ms(-2 * frame.ms()));
    let end = call.params.time("endTime")?;
    let until = end.map_or(Timestamp::from_ms(i64::MAX), |at| at.plus_ms(-frame.ms()));
    let most = if start > Timestamp::EPOCH { LONGEST_LOOK } else { 1_001 };
    let candles = feed.candles(frame, frame.open_of(start), until, most);
    let partial = call.params.is_true("partial");
    let mut rows = Vec::new();
    for (index, candle) in candles.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| candles.get(before));
        let shown = partial || is_closed(feed, frame, candle);
        if shown && call.in_range(candle.close_time(frame))? {
            rows.push(bucket(feed, frame, candle, before));
        }
    }
    call.page(rows, 100)
}

/// The funding rate in force, at each past funding time of the remembered history.
pub(crate) fn funding(call: &mut Call<'_>) -> Result<Value, Failure> {
    let feed = call.feed()?;
    let symbol = feed.instrument.symbol;
    let hours = feed.instrument.funding_interval_hours.max(1);
    let step = i64::from(hours) * 3_600_000;
    let oldest = feed.history.front().map_or(i64::MAX, |candle| candle.open_time.ms());
    let rate = call.state.core.world.exchange.funding(symbol).map_or(Rate::ZERO, |(rate, _)| rate).get();
    let newest = call.state.core.world.now.ms().div_euclid(step) * step;
    let mut rows = Vec::new();
    for at in (0..1_000).map(|back| newest - back * step).take_while(|at| *at >= oldest) {
        let at = Timestamp::from_ms(at);
        if call.in_range(at)? {
            rows.push(json!({
                "timestamp": stamp(at), "symbol": symbol, "fundingRate": num(rate),
                "fundingInterval": instruments::funding_interval(hours),
                "fundingRateDaily": num(rate * Decimal::from(24) / Decimal::from(hours)),
            }));
        }
    }
    rows.reverse();
    call.page(rows, 100)
}

#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn stats(call: &mut Call<'_>) -> Result<Value, Failure> {
    let world = &call.state.core.world;
    let rows = world.feeds.iter().map(|feed| {
        let size = contract_size(&feed.instrument);
        let open = (feed.open_interest(world.now) / size).round();
        json!({
            "rootSymbol": super::units::coin_name(feed.instrument.base), "currency": "XBt", "volume24h": 0,
            "turnover24h": 0, "openInterest": num(open), "openValue": num(open),
        })
    });
    Ok(rows.collect())
}

/// The currencies of margin. None can be deposited to or withdrawn from a made-up venue.
#[expect(clippy::unnecessary_wraps, reason = "every call of the table has the same shape")]
pub(crate) fn assets(_call: &mut Call<'_>) -> Result<Value, Failure> {
    let row = |asset: &str, currency: &str, name: &str, scale: u32| {
        json!({
            "asset": asset, "currency": currency, "majorCurrency": asset, "name": name, "currencyType": "Crypto",
            "scale": scale, "enabled": true, "isMarginCurrency": true, "minDepositAmount": 0,
            "minWithdrawalAmount": 0, "maxWithdrawalAmount": 0, "networks": [],
        })
    };
    Ok(json!([
        row("XBT", "XBt", "Bitcoin", 8),
        row("USDT", "USDt", "Tether", 6),
        row("ETH", "Gwei", "Ethereum", 9),
    ]))
}
