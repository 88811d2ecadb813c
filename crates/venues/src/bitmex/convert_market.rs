//! From BitMEX's market data to the domain's: instruments, prices, funding, trades. Pure.
//! Candles are converted in [`super::bins`], books in [`super::image`].

use keyhold_domain::{
    ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Side, Timestamp,
};

use super::contracts::{Contract, asset, currency};
use super::wire::{Field, Flag, IsoTime, WireCommission, WireFunding, WireInstrument, WireTrade};
use crate::error::WireError;
use crate::port::{Fees, FundingRate, Ticker};
use crate::tape::PublicTrade;

const INSTRUMENT: &str = "instrument";
const TICKER: &str = "ticker";

/// BitMEX's types of perpetual contracts: on coins and on currencies.
const PERPETUAL: [&str; 2] = ["FFWCSX", "FFWCSF"];

/// Whether a contract is a perpetual one. Dated futures, spreads, spot pairs and indices are left out.
pub fn is_perpetual(row: &WireInstrument<'_>) -> bool {
    PERPETUAL.contains(&row.kind.text())
}

const fn invalid(field: &'static str, expected: &'static str) -> WireError {
    WireError::Invalid { what: INSTRUMENT, field, expected }
}

/// What one contract is: refused for quanto contracts, whose worth is in neither of their two coins.
pub fn contract(row: &WireInstrument<'_>) -> Result<Contract, WireError> {
    if row.is_quanto.get::<Flag>(INSTRUMENT, "isQuanto")?.0 {
        return Err(invalid("isQuanto", "false: quanto contracts cannot be expressed"));
    }
    let settle = row.settle.get::<keyhold_domain::ShortText<12>>(INSTRUMENT, "settlCurrency")?;
    let settle = currency(settle.as_str()).ok_or(invalid("settlCurrency", "a known currency"))?;
    let positive = |value: Option<Decimal>, field| {
        value.filter(|value| *value > Decimal::ZERO).ok_or(invalid(field, "a number to compute with"))
    };
    if row.is_inverse.get::<Flag>(INSTRUMENT, "isInverse")?.0 {
        // Minus so many minor units times one over the price: that is so many dollars.
        let multiplier: Decimal = row.multiplier.get(INSTRUMENT, "multiplier")?;
        let size = positive((-multiplier).checked_mul(settle.unit), "multiplier")?.normalize();
        return Ok(Contract { kind: ContractType::Inverse, size, settle });
    }
    let per_coin: Decimal = row.position_multiplier.get(INSTRUMENT, "underlyingToPositionMultiplier")?;
    let size = positive(Decimal::ONE.checked_div(per_coin), "underlyingToPositionMultiplier")?.normalize();
    Ok(Contract { kind: ContractType::Linear, size, settle })
}

/// A perpetual contract. Quantities are in base coins or dollars; the lot is a whole number of contracts.
pub fn instrument(row: &WireInstrument<'_>, contract: Contract) -> Result<Instrument, WireError> {
    let positive = |field: &Field<'_>, name| field.get::<Quantity>(INSTRUMENT, name).map(Quantity::get);
    let quantity = |contracts: Decimal, name| {
        contract.quantity(contracts).ok_or(invalid(name, "small enough to compute with"))
    };
    let lot = quantity(positive(&row.lot, "lotSize")?, "lotSize")?;
    let max: Option<Decimal> = row.max.nonzero(INSTRUMENT, "maxOrderQty")?;
    let max = max.map(|max| quantity(max, "maxOrderQty")).transpose()?;
    let named = |field: &Field<'_>, name| {
        field
            .get::<keyhold_domain::ShortText<12>>(INSTRUMENT, name)
            .and_then(|text| asset(text.as_str()).ok_or(invalid(name, "the name of a coin")))
    };
    let initial = positive(&row.initial_margin, "initMargin")?;
    let max_leverage = Decimal::ONE.checked_div(initial).map(|value| value.max(Decimal::ONE));
    Ok(Instrument {
        exchange: Exchange::Bitmex,
        symbol: row.symbol.get(INSTRUMENT, "symbol")?,
        base: named(&row.underlying, "underlying")?,
        quote: named(&row.quote, "quoteCurrency")?,
        settle: contract.settle.asset,
        contract_type: contract.kind,
        multiplier: Decimal::ONE,
        tick: positive(&row.tick, "tickSize")?,
        lot,
        min_quantity: Quantity::new(lot).map_err(|_| invalid("lotSize", "greater than zero"))?,
        max_quantity: max.and_then(|max| Quantity::new(max).ok()),
        min_notional: None,
        max_leverage: max_leverage.ok_or(invalid("initMargin", "a share"))?.normalize(),
        maintenance_margin: Rate::new(row.maintenance_margin.get(INSTRUMENT, "maintMargin")?),
        maker_fee: Rate::new(row.maker.get(INSTRUMENT, "makerFee")?),
        taker_fee: Rate::new(row.taker.get(INSTRUMENT, "takerFee")?),
        funding_interval_hours: funding_hours(&row.funding_interval)?,
        status: match row.state.text() {
            "Open" => InstrumentStatus::Trading,
            "Settled" | "Unlisted" => InstrumentStatus::Delisted,
            "" => return Err(WireError::Missing { what: INSTRUMENT, field: "state" }),
            // "Closed" and whatever may come: not open for trading.
            _ => InstrumentStatus::Halted,
        },
    })
}

/// BitMEX writes an interval as a date so far after the beginning of 2000.
const INTERVALS_SINCE: Timestamp = Timestamp::from_ms(946_684_800_000);

fn funding_hours(field: &Field<'_>) -> Result<u32, WireError> {
    let IsoTime(at) = field.get(INSTRUMENT, "fundingInterval")?;
    let hours = at.since_ms(INTERVALS_SINCE) / 3_600_000;
    let hours = u32::try_from(hours).ok().filter(|hours| (1..=168).contains(hours));
    hours.ok_or(invalid("fundingInterval", "whole hours after the beginning of 2000"))
}

/// Prices; what the message does not tell is `None`. A whole row and a change are read alike.
pub fn ticker(row: &WireInstrument<'_>, contract: Contract, now: Timestamp) -> Result<Ticker, WireError> {
    let symbol = row.symbol.get(TICKER, "symbol")?;
    let at = row.at.maybe(TICKER, "timestamp")?.map_or(now, |IsoTime(at)| at);
    let rate: Option<Decimal> = row.funding_rate.maybe(TICKER, "fundingRate")?;
    let open: Option<Decimal> = row.open_interest.maybe(TICKER, "openInterest")?;
    let next = row.next_funding.maybe(TICKER, "fundingTimestamp")?;
    Ok(Ticker {
        last: row.last.nonzero(TICKER, "lastPrice")?,
        mark: row.mark.nonzero(TICKER, "markPrice")?,
        index: row.index.nonzero(TICKER, "indicativeSettlePrice")?,
        bid: row.bid.nonzero(TICKER, "bidPrice")?,
        ask: row.ask.nonzero(TICKER, "askPrice")?,
        funding_rate: rate.map(Rate::new),
        next_funding: next.map(|IsoTime(at)| at),
        open_interest: open.and_then(|open| contract.quantity(open)),
        ..Ticker::empty(symbol, at)
    })
}

/// A trade of the stream. The side is the taker's. `None` for a record without a side, which is no trade in the book.
pub fn trade(row: &WireTrade<'_>, contract: Contract) -> Result<Option<PublicTrade>, WireError> {
    const WHAT: &str = "trade";
    let taker = match row.side.text() {
        "Buy" => Side::Buy,
        "Sell" => Side::Sell,
        "" => return Ok(None),
        _ => return Err(WireError::Invalid { what: WHAT, field: "side", expected: "Buy or Sell" }),
    };
    let size: Decimal = row.size.get(WHAT, "size")?;
    let wrong = WireError::Invalid { what: WHAT, field: "size", expected: "small enough to compute with" };
    let quantity = contract.quantity(size).ok_or(wrong)?;
    Ok(Some(PublicTrade { taker, quantity, at: row.at.get::<IsoTime>(WHAT, "timestamp")?.0 }))
}

/// A funding rate that was applied.
pub fn funding_rate(row: &WireFunding<'_>) -> Result<FundingRate, WireError> {
    const WHAT: &str = "funding rate";
    Ok(FundingRate {
        at: row.at.get::<IsoTime>(WHAT, "timestamp")?.0,
        rate: Rate::new(row.rate.get(WHAT, "fundingRate")?),
    })
}

/// Fees of an account.
pub fn fees(row: &WireCommission<'_>) -> Result<Fees, WireError> {
    const WHAT: &str = "fee";
    Ok(Fees {
        maker: Rate::new(row.maker.get(WHAT, "makerFee")?),
        taker: Rate::new(row.taker.get(WHAT, "takerFee")?),
    })
}
