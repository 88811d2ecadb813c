//! Instruments as Kraken Futures lists them: `PF_XBTUSD` in coins, `PI_XBTUSD` in dollars.

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Symbol,
};

use crate::instruments::{coin, name_and_kind};

/// Reads `PF_XBTUSD=linear` or `PI_XBTUSD=inverse`.
pub(crate) fn parse(text: &str) -> Option<Instrument> {
    let (symbol, contract_type) = name_and_kind(text)?;
    let prefix = match contract_type {
        ContractType::Linear => "PF_",
        ContractType::Inverse => "PI_",
    };
    let base = symbol.as_str().strip_prefix(prefix)?.strip_suffix("USD")?;
    // Kraken's XBT is everybody's BTC.
    let base: Asset = if base == "XBT" { "BTC" } else { base }.parse().ok()?;
    Some(instrument(symbol, base, contract_type))
}

fn instrument(symbol: Symbol, base: Asset, contract_type: ContractType) -> Instrument {
    let coin = coin(base);
    let linear = contract_type == ContractType::Linear;
    let dollars: Asset = "USD".parse().expect("three letters");
    let lot = if linear { coin.lot } else { Decimal::ONE };
    let max = if linear { Decimal::from(1_000) } else { Decimal::from(25_000_000) };
    Instrument {
        exchange: Exchange::KrakenFutures,
        symbol,
        base,
        quote: dollars,
        settle: if linear { dollars } else { base },
        contract_type,
        multiplier: Decimal::ONE,
        tick: coin.tick,
        lot,
        min_quantity: Quantity::new(lot).expect("a lot is positive"),
        max_quantity: Quantity::new(max).ok(),
        min_notional: None,
        max_leverage: Decimal::from(50),
        maintenance_margin: Rate::new(Decimal::new(1, 2)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(5, 4)),
        funding_interval_hours: 1,
        status: InstrumentStatus::Trading,
    }
}

/// The coin in Kraken's words.
pub(crate) fn code(asset: Asset) -> String {
    if asset.as_str() == "BTC" { "XBT".to_owned() } else { asset.to_string() }
}
