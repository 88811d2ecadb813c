//! From Binance's public messages to the domain's. Pure. Each function takes one record and gives one value or a named
//! error.
//!
//! COIN-M counts contracts of 100 or 10 dollars; Keyhold counts dollars. Where a quantity is read, the contract's size
//! is an argument; USD-M has the size one.

use std::collections::BTreeMap;

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Side, Symbol,
    Timestamp,
};

use super::wire::{
    Field, StreamDepth, StreamMark, StreamQuote, StreamTicker, StreamTrade, WireDepth, WireFees, WireFilter,
    WireFunding, WireFundingInfo, WireInstrument, WireKline, WireOpenInterest, WirePremium, WireSystem,
    WireTicker,
};
use crate::book::{BookKind, BookUpdate, Depth, Follows};
use crate::error::WireError;
use crate::port::{Fees, FundingRate, Ticker, VenueStatus};
use crate::tape::PublicTrade;

const CANDLE: &str = "candle";
const INSTRUMENT: &str = "instrument";
const TICKER: &str = "ticker";
const BOOK: &str = "order book";

/// Fees of an ordinary user (VIP 0) for perpetual contracts: 0.02 % as maker and 0.05 % as taker.
const ORDINARY_FEES: (Decimal, Decimal) =
    (Decimal::from_parts(2, 0, 0, false, 4), Decimal::from_parts(5, 0, 0, false, 4));

/// Hours between fundings where Binance says nothing else.
pub const USUAL_FUNDING_HOURS: u32 = 8;

/// A quantity of the venue in our unit.
pub fn scaled(
    value: Decimal,
    size: Decimal,
    what: &'static str,
    field: &'static str,
) -> Result<Decimal, WireError> {
    let too_large = WireError::Invalid { what, field, expected: "small enough to compute with" };
    value.checked_mul(size).map(|value| value.normalize()).ok_or(too_large)
}

/// Whether a contract is a perpetual one. Dated futures and contracts on shares and metals are left out.
pub fn is_perpetual(row: &WireInstrument<'_>) -> bool {
    row.contract_type.text() == "PERPETUAL"
}

/// How many units of ours are one of the venue's: one coin, or the contract's size in dollars.
pub fn contract_size(product: ContractType, row: &WireInstrument<'_>) -> Result<Decimal, WireError> {
    match product {
        ContractType::Linear => Ok(Decimal::ONE),
        ContractType::Inverse => {
            row.contract_size.get::<Quantity>(INSTRUMENT, "contractSize").map(Quantity::get)
        }
    }
}

fn filter<'a, 'b>(row: &'b WireInstrument<'a>, kind: &str) -> Option<&'b WireFilter<'a>> {
    row.filters.iter().flatten().find(|filter| filter.kind.text() == kind)
}

/// A perpetual contract. Binance tells its risk tiers to key holders only; the public percentages, which are on the
/// careful side, stand for the first tier. Fees are an ordinary user's.
pub fn instrument(
    product: ContractType,
    row: &WireInstrument<'_>,
    hours: &BTreeMap<Symbol, u32>,
) -> Result<Instrument, WireError> {
    let missing = |field| WireError::Missing { what: INSTRUMENT, field };
    let prices = filter(row, "PRICE_FILTER").ok_or(missing("PRICE_FILTER"))?;
    let lots = filter(row, "LOT_SIZE").ok_or(missing("LOT_SIZE"))?;
    let size = contract_size(product, row)?;
    let ours = |value: Decimal, field| {
        scaled(value, size, INSTRUMENT, field).and_then(|value| {
            Quantity::new(value).map_err(|_| WireError::Invalid {
                what: INSTRUMENT,
                field,
                expected: "positive",
            })
        })
    };
    let positive = |field: &Field<'_>, name| field.get::<Quantity>(INSTRUMENT, name).map(Quantity::get);
    // Both bounds must hold, because the kind of the order is not known here.
    let market: Option<Quantity> = match filter(row, "MARKET_LOT_SIZE") {
        Some(filter) => filter.max.nonzero(INSTRUMENT, "maxQty")?,
        None => None,
    };
    let max: Option<Quantity> = lots.max.nonzero(INSTRUMENT, "maxQty")?;
    let max = match (max, market) {
        (Some(limit), Some(market)) => Some(limit.min(market)),
        (one, other) => one.or(other),
    };
    let required = positive(&row.required, "requiredMarginPercent")?;
    let symbol: Symbol = row.symbol.get(INSTRUMENT, "symbol")?;
    let notional = match filter(row, "MIN_NOTIONAL") {
        Some(filter) => filter.notional.nonzero(INSTRUMENT, "notional")?,
        None => None,
    };
    Ok(Instrument {
        exchange: Exchange::Binance,
        symbol,
        base: row.base.get::<Asset>(INSTRUMENT, "baseAsset")?,
        quote: row.quote.get::<Asset>(INSTRUMENT, "quoteAsset")?,
        settle: row.margin.get::<Asset>(INSTRUMENT, "marginAsset")?,
        contract_type: product,
        multiplier: Decimal::ONE,
        tick: positive(&prices.tick, "tickSize")?,
        lot: ours(positive(&lots.step, "stepSize")?, "stepSize")?.get(),
        min_quantity: ours(positive(&lots.min, "minQty")?, "minQty")?,
        max_quantity: max.map(|max| ours(max.get(), "maxQty")).transpose()?,
        min_notional: notional,
        max_leverage: Decimal::ONE_HUNDRED
            .checked_div(required)
            .map_or(Decimal::ONE, |most| most.floor().max(Decimal::ONE)),
        maintenance_margin: Rate::new(
            positive(&row.maintenance, "maintMarginPercent")? / Decimal::ONE_HUNDRED,
        ),
        maker_fee: Rate::new(ORDINARY_FEES.0),
        taker_fee: Rate::new(ORDINARY_FEES.1),
        funding_interval_hours: hours.get(&symbol).copied().unwrap_or(USUAL_FUNDING_HOURS),
        status: status(product, row)?,
    })
}

fn status(product: ContractType, row: &WireInstrument<'_>) -> Result<InstrumentStatus, WireError> {
    let (field, name) = match product {
        ContractType::Linear => (&row.status, "status"),
        ContractType::Inverse => (&row.contract_status, "contractStatus"),
    };
    match field.text() {
        "TRADING" => Ok(InstrumentStatus::Trading),
        "PRE_DELIVERING" | "DELIVERING" | "DELIVERED" | "PRE_SETTLE" | "SETTLING" | "CLOSE" => {
            Ok(InstrumentStatus::Delisted)
        }
        "" => Err(WireError::Missing { what: INSTRUMENT, field: name }),
        // "PENDING_TRADING" and whatever may come: not open for trading.
        _ => Ok(InstrumentStatus::Halted),
    }
}

/// Hours between the fundings of an instrument.
pub fn funding_hours(row: &WireFundingInfo<'_>) -> Option<(Symbol, u32)> {
    let symbol = row.symbol.text().parse().ok()?;
    let hours = u32::try_from(row.hours.whole()?).ok().filter(|hours| *hours > 0)?;
    Some((symbol, hours))
}

/// A candle of `/klines`: opening time, open, high, low, close, volume and more.
pub fn candle_row(row: &[Field<'_>], size: Decimal) -> Result<Candle, WireError> {
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
        ..WireKline::default()
    };
    candle(&parts, size)
}

/// A candle of the stream.
pub fn candle(row: &WireKline<'_>, size: Decimal) -> Result<Candle, WireError> {
    let candle = Candle {
        open_time: row.start.get(CANDLE, "t")?,
        open: row.open.get(CANDLE, "o")?,
        high: row.high.get(CANDLE, "h")?,
        low: row.low.get(CANDLE, "l")?,
        close: row.close.get(CANDLE, "c")?,
        volume: scaled(row.volume.get(CANDLE, "v")?, size, CANDLE, "v")?,
    };
    candle.check().map_err(|_| WireError::Invalid {
        what: CANDLE,
        field: "h",
        expected: "consistent with the others",
    })
}

/// Whether a candle of the stream is final.
pub fn is_closed(row: &WireKline<'_>) -> Result<bool, WireError> {
    match row.closed {
        Field::True => Ok(true),
        Field::False => Ok(false),
        Field::Absent => Err(WireError::Missing { what: CANDLE, field: "x" }),
        Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
            Err(WireError::Invalid { what: CANDLE, field: "x", expected: "true or false" })
        }
    }
}

fn rate(field: &Field<'_>, name: &'static str) -> Result<Option<Rate>, WireError> {
    Ok(field.maybe::<Decimal>(TICKER, name)?.map(Rate::new))
}

/// Zero stands for "no funding", as with dated futures.
fn next_funding(field: &Field<'_>, name: &'static str) -> Result<Option<Timestamp>, WireError> {
    if field.whole() == Some(0) { Ok(None) } else { field.maybe(TICKER, name) }
}

/// Mark price, index price and funding over REST. COIN-M answers a list of one.
pub fn premium(row: &WirePremium<'_>) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "symbol")?;
    Ok(Ticker {
        mark: row.mark.nonzero(TICKER, "markPrice")?,
        index: row.index.nonzero(TICKER, "indexPrice")?,
        funding_rate: rate(&row.rate, "lastFundingRate")?,
        next_funding: next_funding(&row.next, "nextFundingTime")?,
        ..Ticker::empty(symbol, row.at.get(TICKER, "time")?)
    })
}

/// Last price, bid and ask over REST, each where it is told.
pub fn prices(row: &WireTicker<'_>, at: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "symbol")?;
    Ok(Ticker {
        last: row.last.nonzero(TICKER, "lastPrice")?,
        bid: row.bid.nonzero(TICKER, "bidPrice")?,
        ask: row.ask.nonzero(TICKER, "askPrice")?,
        ..Ticker::empty(symbol, at)
    })
}

/// Open contracts.
pub fn open_interest(row: &WireOpenInterest<'_>, size: Decimal, at: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "symbol")?;
    let amount = scaled(row.amount.get(TICKER, "openInterest")?, size, TICKER, "openInterest")?;
    Ok(Ticker { open_interest: Some(amount), ..Ticker::empty(symbol, at) })
}

/// Event `markPriceUpdate`.
pub fn stream_mark(row: &StreamMark<'_>, at: Timestamp) -> Result<Ticker, WireError> {
    Ok(Ticker {
        mark: row.mark.nonzero(TICKER, "p")?,
        index: row.index.nonzero(TICKER, "i")?,
        funding_rate: rate(&row.rate, "r")?,
        next_funding: next_funding(&row.next, "T")?,
        ..Ticker::empty(row.symbol.get(TICKER, "s")?, at)
    })
}

/// Events `24hrMiniTicker` and `24hrTicker`.
pub fn stream_last(row: &StreamTicker<'_>, at: Timestamp) -> Result<Ticker, WireError> {
    Ok(Ticker { last: row.last.nonzero(TICKER, "c")?, ..Ticker::empty(row.symbol.get(TICKER, "s")?, at) })
}

/// Event `bookTicker`.
pub fn stream_quote(row: &StreamQuote<'_>, at: Timestamp) -> Result<Ticker, WireError> {
    Ok(Ticker {
        bid: row.bid.nonzero(TICKER, "b")?,
        ask: row.ask.nonzero(TICKER, "a")?,
        ..Ticker::empty(row.symbol.get(TICKER, "s")?, at)
    })
}

type Levels = Vec<(keyhold_domain::Price, Decimal)>;

fn levels(
    rows: Option<&Vec<Vec<Field<'_>>>>,
    size: Decimal,
    field: &'static str,
) -> Result<Levels, WireError> {
    let level = |row: &Vec<Field<'_>>| match row.as_slice() {
        [price, quantity, ..] => match quantity.get::<Decimal>(BOOK, field)? {
            quantity if quantity.is_sign_negative() && !quantity.is_zero() => {
                Err(WireError::Invalid { what: BOOK, field, expected: "a size of zero or more" })
            }
            quantity => Ok((price.get(BOOK, field)?, scaled(quantity, size, BOOK, field)?)),
        },
        _ => Err(WireError::Missing { what: BOOK, field }),
    };
    rows.into_iter().flatten().map(level).collect()
}

/// A whole book over REST.
pub fn depth(row: &WireDepth<'_>, size: Decimal, now: Timestamp) -> Result<BookUpdate, WireError> {
    Ok(BookUpdate {
        kind: BookKind::Snapshot,
        number: row.number.get(BOOK, "lastUpdateId")?,
        follows: Follows::Next,
        depth: Depth::Whole,
        bids: levels(row.bids.as_ref(), size, "bids")?,
        asks: levels(row.asks.as_ref(), size, "asks")?,
        at: row.at.maybe(BOOK, "E")?.unwrap_or(now),
    })
}

/// A change of a book. `U` and `u` are the first and the last update in it, `pu` the last one of the message before.
pub fn stream_depth(row: &StreamDepth<'_>, size: Decimal, at: Timestamp) -> Result<BookUpdate, WireError> {
    let follows =
        Follows::Range { first: row.first.get(BOOK, "U")?, previous: row.previous.get(BOOK, "pu")? };
    Ok(BookUpdate {
        kind: BookKind::Delta,
        number: row.last.get(BOOK, "u")?,
        follows,
        depth: Depth::Whole,
        bids: levels(row.bids.as_ref(), size, "b")?,
        asks: levels(row.asks.as_ref(), size, "a")?,
        at,
    })
}

/// Event `aggTrade`.
pub fn trade(row: &StreamTrade<'_>, size: Decimal) -> Result<PublicTrade, WireError> {
    const WHAT: &str = "trade";
    Ok(PublicTrade {
        taker: match row.buyer_is_maker {
            Field::True => Side::Sell,
            Field::False => Side::Buy,
            Field::Absent => return Err(WireError::Missing { what: WHAT, field: "m" }),
            Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
                return Err(WireError::Invalid { what: WHAT, field: "m", expected: "true or false" });
            }
        },
        quantity: scaled(row.quantity.get(WHAT, "q")?, size, WHAT, "q")?,
        at: row.at.get(WHAT, "T")?,
    })
}

/// A funding rate that was applied.
pub fn funding_rate(row: &WireFunding<'_>) -> Result<FundingRate, WireError> {
    const WHAT: &str = "funding rate";
    Ok(FundingRate {
        at: row.at.get(WHAT, "fundingTime")?,
        rate: Rate::new(row.rate.get(WHAT, "fundingRate")?),
    })
}

/// Fees of an account.
pub fn fees(row: &WireFees<'_>) -> Result<Fees, WireError> {
    const WHAT: &str = "fee";
    Ok(Fees {
        maker: Rate::new(row.maker.get(WHAT, "makerCommissionRate")?),
        taker: Rate::new(row.taker.get(WHAT, "takerCommissionRate")?),
    })
}

/// Whether the venue is open; when maintenance ends is not told.
pub fn venue_status(row: &WireSystem<'_>) -> Result<VenueStatus, WireError> {
    match row.status.get::<i64>("status", "status")? {
        0 => Ok(VenueStatus::Up),
        _ => Ok(VenueStatus::Maintenance { until: None }),
    }
}
