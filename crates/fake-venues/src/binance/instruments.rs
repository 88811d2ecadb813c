//! Instruments as Binance lists them. COIN-M counts contracts of 100 dollars (BTC) or 10 (others); the exchange inside
//! counts dollars, in lots of one contract.

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Symbol,
};

use crate::instruments::{coin, name_and_kind};

/// Reads `BTCUSDT=linear` or `BTCUSD_PERP=inverse`.
pub(crate) fn parse(text: &str) -> Option<Instrument> {
    let (symbol, contract_type) = name_and_kind(text)?;
    let name = symbol.as_str();
    let (base, quote) = match contract_type {
        ContractType::Linear => {
            let quote = ["USDT", "USDC"].into_iter().find(|quote| name.ends_with(quote))?;
            (name.strip_suffix(quote)?, quote)
        }
        ContractType::Inverse => (name.strip_suffix("USD_PERP")?, "USD"),
    };
    Some(instrument(symbol, base.parse().ok()?, quote.parse().ok()?, contract_type))
}

fn instrument(symbol: Symbol, base: Asset, quote: Asset, contract_type: ContractType) -> Instrument {
    let coin = coin(base);
    let linear = contract_type == ContractType::Linear;
    let size = if base.as_str() == "BTC" { Decimal::ONE_HUNDRED } else { Decimal::TEN };
    let lot = if linear { coin.lot } else { size };
    let max = if linear { Decimal::from(1_000) } else { size * Decimal::from(100_000) };
    Instrument {
        exchange: Exchange::Binance,
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
        maintenance_margin: Rate::new(Decimal::new(25, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(5, 4)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

/// Units of the exchange inside in one of the wire's: a coin, or a contract's dollars.
pub(crate) const fn size(instrument: &Instrument) -> Decimal {
    match instrument.contract_type {
        ContractType::Linear => Decimal::ONE,
        ContractType::Inverse => instrument.lot,
    }
}
