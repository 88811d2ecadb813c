//! From Bybit's market data to the domain's: instruments, candles, prices, funding, maintenance. Pure.

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Side, Timestamp,
};

use super::wire::{
    Field, WireBook, WireFees, WireFunding, WireInstrument, WireKline, WireMaintenance, WireTicker, WireTime,
    WireTrade,
};
use crate::book::{BookKind, BookUpdate, Depth, Follows};
use crate::error::WireError;
use crate::port::{Fees, FundingRate, Ticker, VenueStatus};
use crate::tape::PublicTrade;

const INSTRUMENT: &str = "instrument";
const CANDLE: &str = "candle";
const TICKER: &str = "ticker";

/// Fees of an ordinary user (VIP 0) for perpetual contracts: 0.02 % as maker and 0.055 % as taker.
const ORDINARY_FEES: (Decimal, Decimal) =
    (Decimal::from_parts(2, 0, 0, false, 4), Decimal::from_parts(55, 0, 0, false, 5));

/// Whether a contract is one of the product's perpetuals. Dated futures are left out.
pub fn is_perpetual(product: ContractType, row: &WireInstrument<'_>) -> bool {
    match product {
        ContractType::Linear => row.contract_type.text() == "LinearPerpetual",
        ContractType::Inverse => row.contract_type.text() == "InversePerpetual",
    }
}

/// A perpetual contract. Fees are an ordinary user's. The maintenance margin is half the initial margin at the highest
/// leverage, which is Bybit's rule for the lowest risk tier.
pub fn instrument(product: ContractType, row: &WireInstrument<'_>) -> Result<Instrument, WireError> {
    let lots = &row.lot_size_filter;
    let positive = |field: &Field<'_>, name| field.get::<Quantity>(INSTRUMENT, name).map(Quantity::get);
    let max_leverage = positive(&row.leverage_filter.max, "maxLeverage")?.max(Decimal::ONE);
    let maintenance =
        Decimal::TWO.checked_mul(max_leverage).and_then(|twice| Decimal::ONE.checked_div(twice));
    let max: Option<Quantity> = lots.max.nonzero(INSTRUMENT, "maxOrderQty")?;
    let max_market: Option<Quantity> = lots.max_market.nonzero(INSTRUMENT, "maxMktOrderQty")?;
    let minutes: i64 = row.funding_interval.get(INSTRUMENT, "fundingInterval")?;
    let hours = u32::try_from(minutes / 60).ok().filter(|hours| *hours > 0);
    Ok(Instrument {
        exchange: Exchange::Bybit,
        symbol: row.symbol.get(INSTRUMENT, "symbol")?,
        base: row.base_coin.get::<Asset>(INSTRUMENT, "baseCoin")?,
        quote: row.quote_coin.get::<Asset>(INSTRUMENT, "quoteCoin")?,
        settle: row.settle_coin.get::<Asset>(INSTRUMENT, "settleCoin")?,
        contract_type: product,
        // Linear quantities are in the base coin, inverse ones in US dollars.
        multiplier: Decimal::ONE,
        tick: positive(&row.price_filter.tick, "tickSize")?,
        lot: positive(&lots.step, "qtyStep")?,
        min_quantity: lots.min.get(INSTRUMENT, "minOrderQty")?,
        // Both bounds must hold, because the kind of the order is not known here.
        max_quantity: match (max, max_market) {
            (Some(limit), Some(market)) => Some(limit.min(market)),
            (one, other) => one.or(other),
        },
        min_notional: lots.min_notional.nonzero(INSTRUMENT, "minNotionalValue")?,
        max_leverage,
        maintenance_margin: Rate::new(maintenance.ok_or(WireError::Invalid {
            what: INSTRUMENT,
            field: "maxLeverage",
            expected: "small enough to compute with",
        })?),
        maker_fee: Rate::new(ORDINARY_FEES.0),
        taker_fee: Rate::new(ORDINARY_FEES.1),
        funding_interval_hours: hours.ok_or(WireError::Invalid {
            what: INSTRUMENT,
            field: "fundingInterval",
            expected: "whole hours in minutes",
        })?,
        status: match row.status.text() {
            "Trading" => InstrumentStatus::Trading,
            "Settling" | "Delivering" | "Closed" => InstrumentStatus::Delisted,
            "" => return Err(WireError::Missing { what: INSTRUMENT, field: "status" }),
            // "PreLaunch" and whatever may come: not open for trading.
            _ => InstrumentStatus::Halted,
        },
    })
}

/// A candle of `/v5/market/kline`: start, open, high, low, close, volume, turnover.
pub fn candle_row(row: &[Field<'_>]) -> Result<Candle, WireError> {
    let [start, open, high, low, close, volume, ..] = row else {
        return Err(WireError::Missing { what: CANDLE, field: "volume" });
    };
    let parts = WireKline {
        start: start.clone(),
        open: open.clone(),
        high: high.clone(),
        low: low.clone(),
        close: close.clone(),
        volume: volume.clone(),
        confirm: Field::Absent,
    };
    candle(&parts)
}

/// A candle of the stream.
pub fn candle(row: &WireKline<'_>) -> Result<Candle, WireError> {
    let candle = Candle {
        open_time: row.start.get(CANDLE, "start")?,
        open: row.open.get(CANDLE, "open")?,
        high: row.high.get(CANDLE, "high")?,
        low: row.low.get(CANDLE, "low")?,
        close: row.close.get(CANDLE, "close")?,
        volume: row.volume.get(CANDLE, "volume")?,
    };
    let wrong =
        |_| WireError::Invalid { what: CANDLE, field: "high", expected: "consistent with the others" };
    candle.check().map_err(wrong)
}

/// Whether a candle of the stream is final.
pub fn is_closed(row: &WireKline<'_>) -> Result<bool, WireError> {
    match row.confirm {
        Field::True => Ok(true),
        Field::False => Ok(false),
        Field::Absent => Err(WireError::Missing { what: CANDLE, field: "confirm" }),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            Err(WireError::Invalid { what: CANDLE, field: "confirm", expected: "true or false" })
        }
    }
}

/// Prices; what the message does not tell stays as it was in `before`. A snapshot and a change are read alike.
pub fn ticker(row: &WireTicker<'_>, before: Option<Ticker>, at: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "symbol")?;
    let was = before.unwrap_or(Ticker {
        symbol,
        last: None,
        mark: None,
        index: None,
        bid: None,
        ask: None,
        funding_rate: None,
        next_funding: None,
        open_interest: None,
        at,
    });
    let rate: Option<Decimal> = row.funding_rate.maybe(TICKER, "fundingRate")?;
    Ok(Ticker {
        symbol,
        last: row.last.nonzero(TICKER, "lastPrice")?.or(was.last),
        mark: row.mark.nonzero(TICKER, "markPrice")?.or(was.mark),
        index: row.index.nonzero(TICKER, "indexPrice")?.or(was.index),
        bid: row.bid.nonzero(TICKER, "bid1Price")?.or(was.bid),
        ask: row.ask.nonzero(TICKER, "ask1Price")?.or(was.ask),
        funding_rate: rate.map(Rate::new).or(was.funding_rate),
        next_funding: next_funding(&row.next_funding)?.or(was.next_funding),
        open_interest: row.open_interest.maybe(TICKER, "openInterest")?.or(was.open_interest),
        at,
    })
}

/// Zero stands for "no funding".
fn next_funding(field: &Field<'_>) -> Result<Option<Timestamp>, WireError> {
    if field.whole() == Some(0) { Ok(None) } else { field.maybe(TICKER, "nextFundingTime") }
}

/// A snapshot or change of an order book. Bybit's numbers are consecutive; number 1 means that the venue has restarted and sends a whole book, whatever
/// it calls it.
pub fn book(kind: &Field<'_>, row: &WireBook<'_>, at: Timestamp) -> Result<BookUpdate, WireError> {
    const WHAT: &str = "order book";
    let side = |rows: &Option<Vec<Vec<Field<'_>>>>, field: &'static str| {
        let level = |row: &Vec<Field<'_>>| match row.as_slice() {
            [price, size, ..] => match size.get::<Decimal>(WHAT, field)? {
                size if size.is_sign_negative() && !size.is_zero() => {
                    Err(WireError::Invalid { what: WHAT, field, expected: "a size of zero or more" })
                }
                size => Ok((price.get(WHAT, field)?, size)),
            },
            _ => Err(WireError::Missing { what: WHAT, field }),
        };
        rows.iter().flatten().map(level).collect::<Result<Vec<_>, WireError>>()
    };
    let number: i64 = row.number.get(WHAT, "u")?;
    let kind = match kind.text() {
        "snapshot" => BookKind::Snapshot,
        "delta" if number == 1 => BookKind::Snapshot,
        "delta" => BookKind::Delta,
        _ => return Err(WireError::Invalid { what: WHAT, field: "type", expected: "snapshot or delta" }),
    };
    let (bids, asks) = (side(&row.bids, "b")?, side(&row.asks, "a")?);
    Ok(BookUpdate { kind, number, follows: Follows::Next, depth: Depth::Bounded, bids, asks, at })
}

/// A trade of the stream. The side is the taker's.
pub fn trade(row: &WireTrade<'_>) -> Result<PublicTrade, WireError> {
    const WHAT: &str = "trade";
    Ok(PublicTrade {
        taker: match row.side.text() {
            "Buy" => Side::Buy,
            "Sell" => Side::Sell,
            "" => return Err(WireError::Missing { what: WHAT, field: "S" }),
            _ => return Err(WireError::Invalid { what: WHAT, field: "S", expected: "Buy or Sell" }),
        },
        quantity: row.size.get(WHAT, "v")?,
        at: row.at.get(WHAT, "T")?,
    })
}

/// A funding rate that was applied.
pub fn funding_rate(row: &WireFunding<'_>) -> Result<FundingRate, WireError> {
    const WHAT: &str = "funding rate";
    Ok(FundingRate {
        at: row.at.get(WHAT, "fundingRateTimestamp")?,
        rate: Rate::new(row.rate.get(WHAT, "fundingRate")?),
    })
}

/// Fees of an account.
pub fn fees(row: &WireFees<'_>) -> Result<Fees, WireError> {
    const WHAT: &str = "fee";
    Ok(Fees {
        maker: Rate::new(row.maker.get(WHAT, "makerFeeRate")?),
        taker: Rate::new(row.taker.get(WHAT, "takerFeeRate")?),
    })
}

/// The venue's clock.
pub fn server_time(row: &WireTime<'_>) -> Result<Timestamp, WireError> {
    const WHAT: &str = "time";
    if row.nanos.is_empty() {
        let seconds: i64 = row.seconds.get(WHAT, "timeSecond")?;
        return Ok(Timestamp::from_ms(seconds.saturating_mul(1_000)));
    }
    let nanos: i64 = row.nanos.get(WHAT, "timeNano")?;
    Ok(Timestamp::from_ms(nanos / 1_000_000))
}

/// Whether maintenance of the live futures system is running.
pub fn venue_status(rows: &[WireMaintenance<'_>]) -> VenueStatus {
    let concerns_us = |row: &WireMaintenance<'_>| {
        let futures = row.product.as_ref().is_none_or(|all| all.iter().any(|one| one.whole() == Some(1)));
        row.state.text() == "ongoing" && futures && row.env.whole() != Some(2)
    };
    match rows.iter().find(|row| concerns_us(row)) {
        None => VenueStatus::Up,
        Some(row) => VenueStatus::Maintenance { until: row.end.whole().map(Timestamp::from_ms) },
    }
}
