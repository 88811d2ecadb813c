//! From OKX's market data to the domain's. Pure; account data is converted in [`super::convert`].

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Price, Quantity, Rate, Side,
    Symbol, Timestamp,
};

use super::sizes::{Listed, Sizes, quantity_of};
use super::wire::{
    Field, WireBook, WireFees, WireFunding, WireFundingRate, WireIndex, WireInstrument, WireInterest,
    WireMaintenance, WireMark, WireTicker, WireTime, WireTrade,
};
use crate::book::{BookKind, BookUpdate, Depth, Follows};
use crate::error::WireError;
use crate::port::{Fees, FundingRate, Ticker, VenueStatus};
use crate::tape::PublicTrade;

const INSTRUMENT: &str = "instrument";
const CANDLE: &str = "candle";

/// Maker and taker fee of an ordinary user of perpetual contracts: OKX's fee page, regular users, level 1.
const ORDINARY_FEES: (Decimal, Decimal) =
    (Decimal::from_parts(2, 0, 0, false, 4), Decimal::from_parts(5, 0, 0, false, 4));

/// Hours between funding payments of most contracts; the list of instruments does not tell.
const USUAL_FUNDING_HOURS: u32 = 8;

fn positive(field: &Field<'_>, name: &'static str) -> Result<Decimal, WireError> {
    let value: Decimal = field.get(INSTRUMENT, name)?;
    if value > Decimal::ZERO {
        Ok(value)
    } else {
        Err(WireError::Invalid { what: INSTRUMENT, field: name, expected: "greater than zero" })
    }
}

/// Linear or inverse, or neither.
pub fn contract_type(row: &WireInstrument<'_>) -> Option<ContractType> {
    match (row.inst_type.text(), row.contract_type.text()) {
        ("SWAP", "linear") => Some(ContractType::Linear),
        ("SWAP", "inverse") => Some(ContractType::Inverse),
        _ => None,
    }
}

/// A perpetual contract. What one contract is (`ctVal` times `ctMult`) must be told in the base coin of a linear and in
/// the quote of an inverse contract; anything else would be a quanto contract, which the domain cannot express.
pub fn instrument(product: ContractType, row: &WireInstrument<'_>) -> Result<Listed, WireError> {
    let symbol: Symbol = row.symbol.get(INSTRUMENT, "instId")?;
    let family = if row.family.is_empty() { &row.underlying } else { &row.family };
    let invalid = |field, expected| WireError::Invalid { what: INSTRUMENT, field, expected };
    let (base, quote) =
        family.text().split_once('-').ok_or(invalid("instFamily", "two coins with a dash"))?;
    let coin = |name: &str| Asset::new(name).map_err(|_| invalid("instFamily", "two coins with a dash"));
    let (base, quote): (Asset, Asset) = (coin(base)?, coin(quote)?);
    let settle: Asset = row.settle.get(INSTRUMENT, "settleCcy")?;
    let counted: Asset = row.contract_asset.get(INSTRUMENT, "ctValCcy")?;
    let (wanted, settled) = match product {
        ContractType::Linear => (base, quote),
        ContractType::Inverse => (quote, base),
    };
    if counted != wanted {
        return Err(invalid("ctValCcy", "the base coin of a linear, the quote of an inverse contract"));
    }
    if settle != settled {
        return Err(invalid("settleCcy", "the quote of a linear, the base coin of an inverse contract"));
    }
    let multiplier: Decimal = row.contract_multiplier.nonzero(INSTRUMENT, "ctMult")?.unwrap_or(Decimal::ONE);
    let too_large = |field| invalid(field, "small enough to compute with");
    let contract = positive(&row.contract_value, "ctVal")?;
    let contract = contract.checked_mul(multiplier).ok_or(too_large("ctMult"))?.normalize();
    let scaled = |field: &Field<'_>, name| quantity_of(contract, positive(field, name)?, INSTRUMENT, name);
    let amount =
        |value: Decimal, name| Quantity::new(value).map_err(|_| invalid(name, "a positive quantity"));
    let bounds = [(&row.max_limit, "maxLmtSz"), (&row.max_market, "maxMktSz"), (&row.max_stop, "maxStopSz")];
    let mut max: Option<Quantity> = None;
    for (field, name) in bounds {
        // All bounds must hold, because the kind of the order is not known here.
        if field.nonzero::<Decimal>(INSTRUMENT, name)?.is_some() {
            let bound = amount(scaled(field, name)?, name)?;
            max = Some(max.map_or(bound, |max| max.min(bound)));
        }
    }
    let max_leverage = positive(&row.leverage, "lever")?;
    // Half of the first tier's initial margin; OKX takes a little less of its largest contracts.
    let maintenance =
        Decimal::ONE.checked_div(max_leverage.checked_mul(Decimal::TWO).ok_or(too_large("lever"))?);
    let instrument = Instrument {
        exchange: Exchange::Okx,
        symbol,
        base,
        quote,
        settle,
        contract_type: product,
        multiplier: Decimal::ONE,
        tick: positive(&row.tick, "tickSz")?,
        lot: scaled(&row.lot, "lotSz")?,
        min_quantity: amount(scaled(&row.min, "minSz")?, "minSz")?,
        max_quantity: max,
        min_notional: None,
        max_leverage,
        maintenance_margin: Rate::new(maintenance.ok_or(too_large("lever"))?),
        maker_fee: Rate::new(ORDINARY_FEES.0),
        taker_fee: Rate::new(ORDINARY_FEES.1),
        funding_interval_hours: USUAL_FUNDING_HOURS,
        status: match row.state.text() {
            "live" => InstrumentStatus::Trading,
            "expired" => InstrumentStatus::Delisted,
            "" => return Err(WireError::Missing { what: INSTRUMENT, field: "state" }),
            // "suspend", "preopen", "test" and whatever may come: not open for trading.
            _ => InstrumentStatus::Halted,
        },
    };
    Ok(Listed { instrument, contract })
}

/// Whether a candle of OKX is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Yes.
    Yes,
    /// It may still change.
    No,
}

/// A candle: start, open, high, low, close, volume in contracts, in coins, in quote, confirmation. Our volume is what
/// the contracts are worth in our unit.
pub fn candle(row: &[Field<'_>], size: Decimal) -> Result<(Candle, Confirmed), WireError> {
    let [start, open, high, low, close, contracts, ..] = row else {
        return Err(WireError::Missing { what: CANDLE, field: "vol" });
    };
    let candle = Candle {
        open_time: start.get(CANDLE, "ts")?,
        open: open.get(CANDLE, "o")?,
        high: high.get(CANDLE, "h")?,
        low: low.get(CANDLE, "l")?,
        close: close.get(CANDLE, "c")?,
        volume: quantity_of(size, contracts.get(CANDLE, "vol")?, CANDLE, "vol")?,
    };
    let confirmed = match row.get(8).unwrap_or(&Field::Absent).text() {
        "1" => Confirmed::Yes,
        "0" => Confirmed::No,
        "" => return Err(WireError::Missing { what: CANDLE, field: "confirm" }),
        _ => return Err(WireError::Invalid { what: CANDLE, field: "confirm", expected: "0 or 1" }),
    };
    let wrong = |_| WireError::Invalid { what: CANDLE, field: "h", expected: "consistent with the others" };
    Ok((candle.check().map_err(wrong)?, confirmed))
}

const TICKER: &str = "ticker";

fn at_of(field: &Field<'_>, now: Timestamp) -> Result<Timestamp, WireError> {
    Ok(field.maybe(TICKER, "ts")?.unwrap_or(now))
}

/// Last price, best bid and ask.
pub fn ticker(row: &WireTicker<'_>, now: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "instId")?;
    Ok(Ticker {
        last: row.last.nonzero(TICKER, "last")?,
        bid: row.bid.nonzero(TICKER, "bidPx")?,
        ask: row.ask.nonzero(TICKER, "askPx")?,
        ..Ticker::empty(symbol, at_of(&row.at, now)?)
    })
}

/// The mark price.
pub fn mark(row: &WireMark<'_>, now: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "instId")?;
    Ok(Ticker { mark: row.mark.nonzero(TICKER, "markPx")?, ..Ticker::empty(symbol, at_of(&row.at, now)?) })
}

/// The index price, of the instrument whose index it is.
pub fn index(row: &WireIndex<'_>, symbol: Symbol, now: Timestamp) -> Result<Ticker, WireError> {
    Ok(Ticker { index: row.price.nonzero(TICKER, "idxPx")?, ..Ticker::empty(symbol, at_of(&row.at, now)?) })
}

/// The funding rate to come.
pub fn coming_funding(row: &WireFundingRate<'_>, now: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "instId")?;
    let rate: Option<Decimal> = row.rate.maybe(TICKER, "fundingRate")?;
    Ok(Ticker {
        funding_rate: rate.map(Rate::new),
        next_funding: row.next.maybe(TICKER, "fundingTime")?,
        ..Ticker::empty(symbol, at_of(&row.at, now)?)
    })
}

/// Open contracts in our unit.
pub fn open_interest(row: &WireInterest<'_>, sizes: &Sizes, now: Timestamp) -> Result<Ticker, WireError> {
    let (symbol, size) = sizes.of(TICKER, &row.symbol)?;
    let contracts: Decimal = row.contracts.get(TICKER, "oi")?;
    let open_interest = Some(quantity_of(size, contracts, TICKER, "oi")?);
    Ok(Ticker { open_interest, ..Ticker::empty(symbol, at_of(&row.at, now)?) })
}

/// A snapshot or change of an order book. Each change names the number before it. A number smaller than that says that
/// OKX has begun to count anew, after which nothing can be bound to what is known.
pub fn book(
    action: &Field<'_>,
    row: &WireBook<'_>,
    size: Decimal,
    now: Timestamp,
) -> Result<BookUpdate, WireError> {
    const WHAT: &str = "order book";
    let side = |rows: &Option<Vec<Vec<Field<'_>>>>, field: &'static str| {
        let level = |row: &Vec<Field<'_>>| match row.as_slice() {
            [price, contracts, ..] => match contracts.get::<Decimal>(WHAT, field)? {
                contracts if contracts.is_sign_negative() && !contracts.is_zero() => {
                    Err(WireError::Invalid { what: WHAT, field, expected: "a size of zero or more" })
                }
                contracts => {
                    Ok((price.get::<Price>(WHAT, field)?, quantity_of(size, contracts, WHAT, field)?))
                }
            },
            _ => Err(WireError::Missing { what: WHAT, field }),
        };
        rows.iter().flatten().map(level).collect::<Result<Vec<_>, WireError>>()
    };
    let number: i64 = row.number.get(WHAT, "seqId")?;
    let (kind, follows) = match action.text() {
        "snapshot" => (BookKind::Snapshot, Follows::Next),
        "update" => {
            let previous: i64 = row.previous.get(WHAT, "prevSeqId")?;
            if number < previous {
                return Err(WireError::Invalid {
                    what: WHAT,
                    field: "seqId",
                    expected: "larger than the one before",
                });
            }
            (BookKind::Delta, Follows::After(previous))
        }
        _ => return Err(WireError::Invalid { what: WHAT, field: "action", expected: "snapshot or update" }),
    };
    Ok(BookUpdate {
        kind,
        number,
        follows,
        depth: Depth::Whole,
        bids: side(&row.bids, "bids")?,
        asks: side(&row.asks, "asks")?,
        at: row.ts.maybe(WHAT, "ts")?.unwrap_or(now),
    })
}

/// A trade of the stream. The side is the taker's.
pub fn trade(row: &WireTrade<'_>, size: Decimal) -> Result<PublicTrade, WireError> {
    const WHAT: &str = "trade";
    Ok(PublicTrade {
        taker: match row.side.text() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            "" => return Err(WireError::Missing { what: WHAT, field: "side" }),
            _ => return Err(WireError::Invalid { what: WHAT, field: "side", expected: "buy or sell" }),
        },
        quantity: quantity_of(size, row.size.get(WHAT, "sz")?, WHAT, "sz")?,
        at: row.at.get(WHAT, "ts")?,
    })
}

/// A funding rate that was applied.
pub fn funding_rate(row: &WireFunding<'_>) -> Result<FundingRate, WireError> {
    const WHAT: &str = "funding rate";
    let rate: Decimal = match row.realized.maybe(WHAT, "realizedRate")? {
        Some(rate) => rate,
        None => row.rate.get(WHAT, "fundingRate")?,
    };
    Ok(FundingRate { at: row.at.get(WHAT, "fundingTime")?, rate: Rate::new(rate) })
}

/// Fees of an account for contracts that settle in an asset. OKX writes what is paid with a minus.
pub fn fees(row: &WireFees<'_>, settle: &str) -> Result<Fees, WireError> {
    const WHAT: &str = "fee";
    let pick = |own: (&Field<'_>, &'static str), plain: (&Field<'_>, &'static str)| {
        let (field, name) = if own.0.is_empty() { plain } else { own };
        field.get::<Decimal>(WHAT, name).map(|paid| Rate::new(-paid))
    };
    let plain = ((&row.maker, "maker"), (&row.taker, "taker"));
    let own = match settle {
        "USDT" => ((&row.maker_usdt, "makerU"), (&row.taker_usdt, "takerU")),
        "USDC" => ((&row.maker_usdc, "makerUSDC"), (&row.taker_usdc, "takerUSDC")),
        _ => plain,
    };
    Ok(Fees { maker: pick(own.0, plain.0)?, taker: pick(own.1, plain.1)? })
}

/// The venue's clock.
pub fn server_time(row: &WireTime<'_>) -> Result<Timestamp, WireError> {
    row.at.get("time", "ts")
}

/// Whether maintenance of trading is running: services 0 (streams), 3 (perpetual contracts) and 5 (trading), and
/// `env` 1 for the live system.
pub fn venue_status(rows: &[WireMaintenance<'_>]) -> VenueStatus {
    let concerns_us = |row: &WireMaintenance<'_>| {
        let ours = row.service.whole().is_none_or(|service| matches!(service, 0 | 3 | 5));
        row.state.text() == "ongoing" && ours && row.env.whole() != Some(2)
    };
    match rows.iter().find(|row| concerns_us(row)) {
        None => VenueStatus::Up,
        Some(row) => VenueStatus::Maintenance { until: row.end.whole().map(Timestamp::from_ms) },
    }
}
