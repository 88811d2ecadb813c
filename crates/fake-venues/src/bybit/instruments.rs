//! Instruments as Bybit lists them: ticks, lots and fees of the usual symbols, sensible ones for others.

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Price, Quantity, Rate, Symbol,
};

use crate::config::ConfigError;

/// Base coin, tick (as power of ten), lot (linear, as power of ten), usual price.
const COINS: [(&str, i64, u32, u32, i64); 4] =
    [("BTC", 1, 1, 3, 60_000), ("ETH", 1, 2, 2, 3_000), ("XRP", 1, 4, 1, 1), ("SOL", 1, 2, 1, 150)];

/// Reads `BTCUSDT=linear` or `BTCUSD=inverse`.
pub fn parse(text: &str) -> Result<Instrument, ConfigError> {
    let wrong = || ConfigError::Instrument(text.to_owned());
    let (name, kind) = text.split_once('=').ok_or_else(wrong)?;
    let contract_type: ContractType = kind.parse().map_err(|_| wrong())?;
    let symbol: Symbol = name.parse().map_err(|_| wrong())?;
    let quote = match contract_type {
        ContractType::Linear => ["USDT", "USDC"].into_iter().find(|quote| name.ends_with(quote)),
        ContractType::Inverse => Some("USD").filter(|quote| name.ends_with(quote)),
    };
    let quote = quote.ok_or_else(wrong)?;
    let base: Asset = name.strip_suffix(quote).unwrap_or(name).parse().map_err(|_| wrong())?;
    let quote: Asset = quote.parse().map_err(|_| wrong())?;
    Ok(instrument(symbol, base, quote, contract_type))
}

fn coin(base: Asset) -> (&'static str, i64, u32, u32, i64) {
    let known = COINS.into_iter().find(|(name, ..)| *name == base.as_str());
    known.unwrap_or(("", 1, 2, 1, 100))
}

fn instrument(symbol: Symbol, base: Asset, quote: Asset, contract_type: ContractType) -> Instrument {
    let (_, tick, tick_places, lot_places, _) = coin(base);
    let linear = contract_type == ContractType::Linear;
    let lot = if linear { Decimal::new(1, lot_places) } else { Decimal::ONE };
    let max = if linear { Decimal::from(1_190) } else { Decimal::from(25_000_000) };
    Instrument {
        exchange: Exchange::Bybit,
        symbol,
        base,
        quote,
        settle: if linear { quote } else { base },
        contract_type,
        multiplier: Decimal::ONE,
        tick: Decimal::new(tick, tick_places),
        lot,
        min_quantity: Quantity::new(lot).expect("a lot is positive"),
        max_quantity: Quantity::new(max).ok(),
        min_notional: linear.then_some(Decimal::from(5)),
        max_leverage: Decimal::ONE_HUNDRED,
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(55, 5)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

/// A usual price of the instrument, where a synthetic market starts.
pub fn start_price(instrument: &Instrument) -> Price {
    Price::new(Decimal::from(coin(instrument.base).4)).expect("the listed prices are positive")
}
