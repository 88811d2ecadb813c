//! From Kraken's market data to the domain's: instruments, candles, prices, funding, books. Pure.

use keyhold_domain::money::Asset;
use keyhold_domain::{
    Candle, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Price, Quantity, Rate, Side,
    Symbol, Timeframe, Timestamp,
};

use super::wire::{self, Field};
use super::wire_market::{
    FeedBook, FeedBookChange, FeedLevel, FeedTicker, FeedTrade, WireCandle, WireFeeSchedule, WireInstrument,
    WireRate, WireTicker,
};
use crate::book::{BookKind, BookUpdate, Depth, Follows};
use crate::error::WireError;
use crate::port::{Fees, FundingRate, Ticker};
use crate::tape::PublicTrade;

const INSTRUMENT: &str = "instrument";
const CANDLE: &str = "candle";
const TICKER: &str = "ticker";
const BOOK: &str = "order book";

/// Fees of an ordinary user for perpetual contracts: 0.02 % as maker and 0.05 % as taker.
const ORDINARY_FEES: (Decimal, Decimal) =
    (Decimal::from_parts(2, 0, 0, false, 4), Decimal::from_parts(5, 0, 0, false, 4));

/// Funding is settled every hour.
const FUNDING_HOURS: u32 = 1;

/// Digits after the point of a computed funding rate.
const RATE_DIGITS: u32 = 12;

/// The product of a name: `PF_` are linear and `PI_` inverse perpetual contracts, others are dated or old.
pub fn product_of(symbol: &str) -> Option<ContractType> {
    match symbol.get(..3)?.to_ascii_uppercase().as_str() {
        "PF_" => Some(ContractType::Linear),
        "PI_" => Some(ContractType::Inverse),
        _ => None,
    }
}

/// A symbol as Kraken lists it; older answers write it small.
pub fn symbol(field: &Field<'_>, what: &'static str, name: &'static str) -> Result<Symbol, WireError> {
    if field.is_empty() {
        return Err(WireError::Missing { what, field: name });
    }
    let invalid = WireError::Invalid { what, field: name, expected: "the name of an instrument" };
    field.text().to_ascii_uppercase().parse().map_err(|_| invalid)
}

/// An asset by its common name: Kraken's XBT is BTC.
pub fn asset(name: &str) -> Option<Asset> {
    let name = name.to_ascii_uppercase();
    Asset::new(if name == "XBT" { "BTC" } else { &name }).ok()
}

/// The asset in which a contract settles: dollars for the multi-collateral `PF_`, the coin itself for `PI_XBTUSD`.
pub fn settle_of(symbol: &str) -> Option<Asset> {
    match product_of(symbol)? {
        ContractType::Linear => asset("USD"),
        ContractType::Inverse => asset(symbol.get(3..)?.strip_suffix("USD")?),
    }
}

/// Whether a contract is one of the product's perpetuals.
pub fn is_perpetual(product: ContractType, row: &WireInstrument<'_>) -> bool {
    let kind = match product {
        ContractType::Linear => "flexible_futures",
        ContractType::Inverse => "futures_inverse",
    };
    row.kind.text() == kind
        && product_of(row.symbol.text()) == Some(product)
        && row.last_trading_time.is_empty()
}

/// A perpetual contract. Fees are an ordinary user's, margins those of the smallest position. Kraken bounds positions and
/// not orders; an order beyond the bound would be refused, so it bounds ours, too.
pub fn instrument(product: ContractType, row: &WireInstrument<'_>) -> Result<Instrument, WireError> {
    let invalid = |field, expected| WireError::Invalid { what: INSTRUMENT, field, expected };
    let symbol = symbol(&row.symbol, INSTRUMENT, "symbol")?;
    let settle = settle_of(symbol.as_str()).ok_or(invalid("symbol", "one whose settlement is known"))?;
    let size: Decimal = row.contract_size.get(INSTRUMENT, "contractSize")?;
    if size != Decimal::ONE {
        return Err(invalid("contractSize", "1"));
    }
    let precision: i64 = row.contract_value_trade_precision.get(INSTRUMENT, "contractValueTradePrecision")?;
    let lot = lot(precision).ok_or(invalid("contractValueTradePrecision", "between -9 and 18"))?;
    let min = Quantity::new(lot).map_err(|_| invalid("contractValueTradePrecision", "a precision"))?;
    let level = row.margin_levels.as_ref().and_then(|levels| levels.first());
    let level = level.ok_or(WireError::Missing { what: INSTRUMENT, field: "marginLevels" })?;
    let initial: Quantity = level.initial.get(INSTRUMENT, "initialMargin")?;
    let maintenance: Decimal = level.maintenance.get(INSTRUMENT, "maintenanceMargin")?;
    let max_leverage = Decimal::ONE.checked_div(initial.get()).map(|most| most.trunc().max(Decimal::ONE));
    let base = if row.base.is_empty() {
        symbol.as_str().get(3..).and_then(|pair| asset(pair.strip_suffix("USD")?))
    } else {
        asset(row.base.text())
    };
    let quote = if row.quote.is_empty() { asset("USD") } else { asset(row.quote.text()) };
    Ok(Instrument {
        exchange: Exchange::KrakenFutures,
        symbol,
        base: base.ok_or(invalid("base", "a short name"))?,
        quote: quote.ok_or(invalid("quote", "a short name"))?,
        settle,
        contract_type: product,
        multiplier: Decimal::ONE,
        tick: row.tick_size.get::<Quantity>(INSTRUMENT, "tickSize")?.get(),
        lot,
        min_quantity: min,
        max_quantity: row.max_position_size.nonzero(INSTRUMENT, "maxPositionSize")?,
        min_notional: None,
        max_leverage: max_leverage.ok_or(invalid("initialMargin", "large enough to compute with"))?,
        maintenance_margin: Rate::new(maintenance),
        maker_fee: Rate::new(ORDINARY_FEES.0),
        taker_fee: Rate::new(ORDINARY_FEES.1),
        funding_interval_hours: FUNDING_HOURS,
        status: match row.tradeable {
            Field::True if row.post_only == Field::True => InstrumentStatus::Halted,
            Field::True => InstrumentStatus::Trading,
            Field::False => InstrumentStatus::Halted,
            Field::Absent => return Err(WireError::Missing { what: INSTRUMENT, field: "tradeable" }),
            Field::Text(_) | Field::Whole(_) | Field::Number(_) | Field::Other => {
                return Err(invalid("tradeable", "true or false"));
            }
        },
    })
}

/// Ten to the power of minus the precision.
fn lot(precision: i64) -> Option<Decimal> {
    if !(-9..=18).contains(&precision) {
        return None;
    }
    match u32::try_from(precision) {
        Ok(digits) => Some(Decimal::new(1, digits)),
        Err(_) => Some(Decimal::from(10_i64.pow(u32::try_from(-precision).ok()?))),
    }
}

/// A candle.
pub fn candle(row: &WireCandle<'_>) -> Result<Candle, WireError> {
    let candle = Candle {
        open_time: row.time.get(CANDLE, "time")?,
        open: row.open.get(CANDLE, "open")?,
        high: row.high.get(CANDLE, "high")?,
        low: row.low.get(CANDLE, "low")?,
        close: row.close.get(CANDLE, "close")?,
        volume: row.volume.get::<Decimal>(CANDLE, "volume")?.normalize(),
    };
    let wrong =
        |_| WireError::Invalid { what: CANDLE, field: "high", expected: "consistent with the others" };
    candle.check().map_err(wrong)
}

/// Candles of one length put together to longer ones. Both lists are ordered; a candle that lacks parts is made of those
/// that are there.
pub fn put_together(parts: &[Candle], timeframe: Timeframe) -> Vec<Candle> {
    let mut whole: Vec<Candle> = Vec::new();
    for part in parts {
        let open_time = timeframe.open_of(part.open_time);
        match whole.last_mut().filter(|candle| candle.open_time == open_time) {
            Some(candle) => {
                candle.high = candle.high.max(part.high);
                candle.low = candle.low.min(part.low);
                candle.close = part.close;
                candle.volume = candle.volume.saturating_add(part.volume);
            }
            None => whole.push(Candle { open_time, ..*part }),
        }
    }
    whole
}

/// Prices over REST. The rate there is an amount: of dollars per coin (linear) or of coins per dollar (inverse); the
/// share of a position's value is that amount divided by the price or times the price.
pub fn ticker(row: &WireTicker<'_>, at: Timestamp) -> Result<Ticker, WireError> {
    let symbol = symbol(&row.symbol, TICKER, "symbol")?;
    let mark: Option<Price> = row.mark.nonzero(TICKER, "markPrice")?;
    let amount: Option<Decimal> = row.funding_rate.maybe(TICKER, "fundingRate")?;
    let share = amount.zip(mark).and_then(|(amount, mark)| match product_of(symbol.as_str())? {
        ContractType::Linear => amount.checked_div(mark.get()),
        ContractType::Inverse => amount.checked_mul(mark.get()),
    });
    Ok(Ticker {
        last: row.last.nonzero(TICKER, "last")?,
        mark,
        index: row.index.nonzero(TICKER, "indexPrice")?,
        bid: row.bid.nonzero(TICKER, "bid")?,
        ask: row.ask.nonzero(TICKER, "ask")?,
        funding_rate: share.map(|share| Rate::new(share.round_dp(RATE_DIGITS).normalize())),
        // The next full hour.
        next_funding: share.map(|_| Timeframe::H1.open_of(at).plus_ms(Timeframe::H1.ms())),
        open_interest: row.open_interest.maybe(TICKER, "openInterest")?,
        ..Ticker::empty(symbol, at)
    })
}

/// Prices of the stream: whole each time.
pub fn feed_ticker(row: &FeedTicker<'_>) -> Result<Ticker, WireError> {
    let rate: Option<Decimal> = row.relative_rate.maybe(TICKER, "relative_funding_rate")?;
    let symbol = symbol(&row.symbol, TICKER, "product_id")?;
    Ok(Ticker {
        last: row.last.nonzero(TICKER, "last")?,
        mark: row.mark.nonzero(TICKER, "markPrice")?,
        index: row.index.nonzero(TICKER, "index")?,
        bid: row.bid.nonzero(TICKER, "bid")?,
        ask: row.ask.nonzero(TICKER, "ask")?,
        funding_rate: rate.map(Rate::new),
        next_funding: row.next_funding.nonzero(TICKER, "next_funding_rate_time")?,
        open_interest: row.open_interest.maybe(TICKER, "openInterest")?,
        ..Ticker::empty(symbol, row.at.get(TICKER, "time")?)
    })
}

fn side(field: &Field<'_>, what: &'static str) -> Result<Side, WireError> {
    match field.text() {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        "" => Err(WireError::Missing { what, field: "side" }),
        _ => Err(WireError::Invalid { what, field: "side", expected: "buy or sell" }),
    }
}

fn size(field: &Field<'_>) -> Result<Decimal, WireError> {
    let size: Decimal = field.get(BOOK, "qty")?;
    let wrong = WireError::Invalid { what: BOOK, field: "qty", expected: "a size of zero or more" };
    if size.is_sign_negative() && !size.is_zero() { Err(wrong) } else { Ok(size) }
}

/// A whole book.
pub fn book_snapshot(row: &FeedBook<'_>) -> Result<BookUpdate, WireError> {
    let levels = |rows: Option<&Vec<FeedLevel<'_>>>, field| {
        let rows = rows.ok_or(WireError::Missing { what: BOOK, field })?;
        let level = |row: &FeedLevel<'_>| Ok((row.price.get::<Price>(BOOK, "price")?, size(&row.size)?));
        rows.iter().map(level).collect::<Result<Vec<_>, WireError>>()
    };
    Ok(BookUpdate {
        kind: BookKind::Snapshot,
        number: row.seq.get(BOOK, "seq")?,
        follows: Follows::Next,
        depth: Depth::Whole,
        bids: levels(row.bids.as_ref(), "bids")?,
        asks: levels(row.asks.as_ref(), "asks")?,
        at: row.timestamp.get(BOOK, "timestamp")?,
    })
}

/// A change of one level.
pub fn book_change(row: &FeedBookChange<'_>) -> Result<BookUpdate, WireError> {
    let level = vec![(row.price.get(BOOK, "price")?, size(&row.size)?)];
    let (bids, asks) = match side(&row.side, BOOK)? {
        Side::Buy => (level, vec![]),
        Side::Sell => (vec![], level),
    };
    Ok(BookUpdate {
        kind: BookKind::Delta,
        number: row.seq.get(BOOK, "seq")?,
        follows: Follows::Next,
        depth: Depth::Whole,
        bids,
        asks,
        at: row.at.get(BOOK, "timestamp")?,
    })
}

/// A trade of the stream. The side is the taker's.
pub fn trade(row: &FeedTrade<'_>) -> Result<PublicTrade, WireError> {
    const WHAT: &str = "trade";
    Ok(PublicTrade {
        taker: side(&row.side, WHAT)?,
        quantity: row.size.get(WHAT, "qty")?,
        at: row.at.get(WHAT, "time")?,
    })
}

/// A funding rate that was applied.
pub fn funding_rate(row: &WireRate<'_>) -> Result<FundingRate, WireError> {
    const WHAT: &str = "funding rate";
    Ok(FundingRate {
        at: row.at.get(WHAT, "timestamp")?,
        rate: Rate::new(row.rate.get::<Decimal>(WHAT, "relativeFundingRate")?.normalize()),
    })
}

/// The fees of a schedule for a volume: those of the highest step it reaches. Kraken writes them in percent.
pub fn fees(schedule: &WireFeeSchedule<'_>, volume: Decimal) -> Result<Fees, WireError> {
    const WHAT: &str = "fee schedule";
    let missing = WireError::Missing { what: WHAT, field: "tiers" };
    let mut found: Option<(Decimal, Fees)> = None;
    for tier in wire::rows(schedule.tiers.as_ref().map(|tiers| tiers.iter().collect()), WHAT, "tiers")? {
        let from: Decimal = tier.volume.get(WHAT, "usdVolume")?;
        let percent = |field: &Field<'_>, name| {
            let percent: Decimal = field.get(WHAT, name)?;
            let share = percent.checked_div(Decimal::ONE_HUNDRED);
            share.map(|share| Rate::new(share.normalize())).ok_or(missing)
        };
        let fees =
            Fees { maker: percent(&tier.maker, "makerFee")?, taker: percent(&tier.taker, "takerFee")? };
        if from <= volume && found.is_none_or(|(best, _)| from >= best) {
            found = Some((from, fees));
        }
    }
    found.map(|(_, fees)| fees).ok_or(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_follow_the_precision() {
        let cases = [(3, Some("0.001")), (0, Some("1")), (-2, Some("100")), (19, None), (-10, None)];
        for (precision, expected) in cases {
            assert_eq!(lot(precision).map(|lot| lot.to_string()).as_deref(), expected, "{precision}");
        }
    }

    #[test]
    fn names_tell_product_and_settlement() {
        let cases = [
            ("PF_XBTUSD", Some(ContractType::Linear), Some("USD")),
            ("pi_xbtusd", Some(ContractType::Inverse), None),
            ("PI_XBTUSD", Some(ContractType::Inverse), Some("BTC")),
            ("PI_ETHUSD", Some(ContractType::Inverse), Some("ETH")),
            ("FI_XBTUSD_261225", None, None),
            ("é", None, None),
        ];
        for (name, product, settle) in cases {
            assert_eq!(product_of(name), product, "{name}");
            if let Some(settle) = settle {
                assert_eq!(settle_of(name).unwrap().as_str(), settle, "{name}");
            }
        }
    }

    #[test]
    fn candles_are_put_together() {
        let candle = |minute: i64, [open, high, low, close]: [u32; 4], volume: u32| {
            let price = |value: u32| Price::new(Decimal::from(value)).unwrap();
            Candle {
                open_time: Timestamp::from_ms(minute * 60_000),
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: Decimal::from(volume),
            }
        };
        let parts = [
            candle(3, [10, 12, 9, 11], 1),
            candle(4, [11, 15, 11, 14], 2),
            candle(5, [14, 14, 8, 9], 3),
            candle(7, [9, 9, 9, 9], 0),
        ];
        let whole = put_together(&parts, Timeframe::M3);
        assert_eq!(whole, [candle(3, [10, 15, 8, 9], 6), candle(6, [9, 9, 9, 9], 0)]);
    }
}
