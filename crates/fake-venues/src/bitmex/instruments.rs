//! Instruments as BitMEX lists them: `XBTUSDT` (linear) and `XBTUSD` (inverse), and the quanto `ETHUSD`, which is only
//! shown: nobody can trade it here.

use keyhold_domain::{Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate};
use serde_json::{Value, json};

use super::units::{coin_name, contract_size, currency, maybe, num, stamp};
use crate::core::Core;
use crate::feed::Feed;
use crate::instruments::{coin, name_and_kind};

/// Dollars of one lot of an inverse instrument.
const INVERSE_LOT: i64 = 100;

/// Reads `XBTUSDT=linear` or `XBTUSD=inverse`. Only bitcoin and ether have inverse contracts.
pub(crate) fn parse(text: &str) -> Option<Instrument> {
    let (symbol, contract_type) = name_and_kind(text)?;
    let quote = match contract_type {
        ContractType::Linear => "USDT",
        ContractType::Inverse => "USD",
    };
    let base = symbol.as_str().strip_suffix(quote)?;
    let base: Asset = (if base == "XBT" { "BTC" } else { base }).parse().ok()?;
    let quote: Asset = quote.parse().ok()?;
    let linear = contract_type == ContractType::Linear;
    if !linear && !matches!(base.as_str(), "BTC" | "ETH") {
        return None;
    }
    let coin = coin(base);
    let lot = if linear { coin.lot } else { Decimal::from(INVERSE_LOT) };
    Some(Instrument {
        exchange: Exchange::Bitmex,
        symbol,
        base,
        quote,
        settle: if linear { quote } else { base },
        contract_type,
        multiplier: Decimal::ONE,
        tick: coin.tick,
        lot,
        min_quantity: Quantity::new(lot).ok()?,
        max_quantity: Quantity::new(lot * Decimal::from(1_000_000)).ok(),
        min_notional: None,
        max_leverage: Decimal::ONE_HUNDRED,
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(5, 4)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    })
}

/// What `/instrument` and the table of that name say of an instrument.
pub(crate) fn row(core: &Core, feed: &Feed) -> Option<Value> {
    let instrument = &feed.instrument;
    let size = contract_size(instrument);
    let (settle, minor) = currency(instrument.settle);
    let linear = instrument.contract_type == ContractType::Linear;
    let mut row = prices(core, feed)?;
    let fixed = json!({
        "rootSymbol": coin_name(instrument.base), "state": "Open", "typ": "FFWCSX",
        "listing": "2020-01-01T00:00:00.000Z", "front": "2020-01-01T00:00:00.000Z", "expiry": null, "settle": null,
        "positionCurrency": if linear { coin_name(instrument.base) } else { "USD".to_owned() },
        "underlying": coin_name(instrument.base), "quoteCurrency": instrument.quote,
        "underlyingSymbol": format!("{}=", coin_name(instrument.base)), "reference": "BMEX",
        "referenceSymbol": format!(".B{}", coin_name(instrument.base)),
        "maxOrderQty": maybe(instrument.max_quantity.map(|max| max.get() / size)), "maxPrice": 1_000_000,
        "lotSize": num(instrument.lot / size), "tickSize": num(instrument.tick),
        "multiplier": num(if linear { size * minor } else { -minor }), "settlCurrency": settle,
        "underlyingToPositionMultiplier": if linear { num(Decimal::ONE / size) } else { Value::Null },
        "underlyingToSettleMultiplier": if linear { Value::Null } else { num(-minor) },
        "quoteToSettleMultiplier": if linear { num(minor) } else { Value::Null },
        "isQuanto": false, "isInverse": !linear, "initMargin": num(Decimal::ONE / instrument.max_leverage),
        "maintMargin": num(instrument.maintenance_margin.get()), "riskLimit": 20_000_000_000_i64,
        "riskStep": 15_000_000_000_i64, "taxed": true, "deleverage": true,
        "makerFee": num(instrument.maker_fee.get()), "takerFee": num(instrument.taker_fee.get()),
        "settlementFee": 0, "fundingInterval": funding_interval(instrument.funding_interval_hours),
        "fairMethod": "FundingRate", "markMethod": "LastPrice", "hasLiquidity": true, "capped": false,
    });
    if let (Some(row), Value::Object(fixed)) = (row.as_object_mut(), fixed) {
        row.extend(fixed);
    }
    Some(row)
}

/// An interval as BitMEX writes it: so long after the beginning of 2000.
pub(crate) fn funding_interval(hours: u32) -> String {
    stamp(keyhold_domain::Timestamp::from_ms(946_684_800_000 + i64::from(hours) * 3_600_000))
}

/// What changes in an instrument's row. The mark price is the last price, by which the exchange inside reckons.
pub(crate) fn prices(core: &Core, feed: &Feed) -> Option<Value> {
    let instrument = &feed.instrument;
    let last = feed.last()?.get();
    let day = feed.day()?;
    let now = core.world.now;
    let size = contract_size(instrument);
    let (rate, next) = core.world.exchange.funding(instrument.symbol)?;
    Some(json!({
        "symbol": instrument.symbol, "lastPrice": num(last), "markPrice": num(last), "fairPrice": num(last),
        "midPrice": num(last), "bidPrice": num(last - instrument.tick), "askPrice": num(last + instrument.tick),
        "indicativeSettlePrice": num(feed.index(now)?.get()), "highPrice": num(day.high.get()),
        "lowPrice": num(day.low.get()), "prevPrice24h": num(day.open.get()),
        "volume24h": num((day.volume / size).round()), "openInterest": num((feed.open_interest(now) / size).round()),
        "homeNotional24h": num(day.volume), "foreignNotional24h": num((day.volume * last).round_dp(2)),
        "fundingRate": num(rate.get()), "indicativeFundingRate": num(rate.get()), "fundingTimestamp": stamp(next),
        "timestamp": stamp(now),
    }))
}

/// A quanto contract, which Keyhold refuses and clients can still read.
pub(crate) fn quanto(now: keyhold_domain::Timestamp) -> Value {
    json!({
        "symbol": "ETHUSD", "rootSymbol": "ETH", "state": "Open", "typ": "FFWCSX",
        "listing": "2018-08-02T00:00:00.000Z", "front": "2018-08-02T00:00:00.000Z", "expiry": null, "settle": null,
        "positionCurrency": "ETH", "underlying": "ETH", "quoteCurrency": "USD", "underlyingSymbol": "ETH=",
        "maxOrderQty": 10_000_000, "maxPrice": 1_000_000, "lotSize": 1, "tickSize": 0.05, "multiplier": 100,
        "settlCurrency": "XBt", "isQuanto": true, "isInverse": false, "initMargin": 0.02, "maintMargin": 0.01,
        "makerFee": 0.0002, "takerFee": 0.0005, "settlementFee": 0, "fundingInterval": "2000-01-01T08:00:00.000Z",
        "fundingRate": 0.0001, "fundingTimestamp": stamp(now.start_of_day().plus_ms(86_400_000)),
        "lastPrice": 3000, "markPrice": 3000, "bidPrice": 2999.95, "askPrice": 3000.05, "openInterest": 0,
        "timestamp": stamp(now),
    })
}
