//! Instruments as Bybit lists them: ticks, lots and fees of the usual symbols, sensible ones for others.

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Symbol,
};

use crate::instruments::{coin, name_and_kind};

/// Reads `BTCUSDT=linear` or `BTCUSD=inverse`.
pub(crate) fn parse(text: &str) -> Option<Instrument> {
    let (symbol, contract_type) = name_and_kind(text)?;
    let name = symbol.as_str();
    let quote = match contract_type {
        ContractType::Linear => ["USDT", "USDC"].into_iter().find(|quote| name.ends_with(quote)),
        ContractType::Inverse => Some("USD").filter(|quote| name.ends_with(quote)),
    }?;
    let base: Asset = name.strip_suffix(quote)?.parse().ok()?;
    Some(instrument(symbol, base, quote.parse().ok()?, contract_type))
}

fn instrument(symbol: Symbol, base: Asset, quote: Asset, contract_type: ContractType) -> Instrument {
    let coin = coin(base);
    let linear = contract_type == ContractType::Linear;
    let lot = if linear { coin.lot } else { Decimal::ONE };
    let max = if linear { Decimal::from(1_190) } else { Decimal::from(25_000_000) };
    Instrument {
        exchange: Exchange::Bybit,
        symbol,
        base,
        quote,
        settle: if linear { quote } else { base },
        contract_type,
        multiplier: Decimal::ONE,
        tick: coin.tick,
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
