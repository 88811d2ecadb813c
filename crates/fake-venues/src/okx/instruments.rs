//! Perpetual contracts as OKX lists them: names, contract sizes, ticks, lots and fees.

use keyhold_domain::{
    Asset, ContractType, Decimal, Exchange, Instrument, InstrumentStatus, Quantity, Rate, Symbol,
};

use crate::instruments::{coin, name_and_kind};

/// Reads `BTC-USDT-SWAP=linear` or `BTC-USD-SWAP=inverse`.
pub(crate) fn parse(text: &str) -> Option<Instrument> {
    let (symbol, contract_type) = name_and_kind(text)?;
    let (base, quote) = symbol.as_str().strip_suffix("-SWAP")?.split_once('-')?;
    let fits = match contract_type {
        ContractType::Linear => matches!(quote, "USDT" | "USDC"),
        ContractType::Inverse => quote == "USD",
    };
    let (base, quote): (Asset, Asset) = (base.parse().ok()?, quote.parse().ok()?);
    fits.then(|| instrument(symbol, base, quote, contract_type))
}

/// Coins (linear) or dollars (inverse) of one contract: `ctVal`.
pub(crate) fn contract_size(instrument: &Instrument) -> Decimal {
    let is_bitcoin = instrument.base.as_str() == "BTC";
    match (instrument.contract_type, instrument.base.as_str()) {
        (ContractType::Linear, "BTC") => Decimal::new(1, 2),
        (ContractType::Linear, "ETH") => Decimal::new(1, 1),
        (ContractType::Linear, _) => Decimal::ONE,
        (ContractType::Inverse, _) if is_bitcoin => Decimal::ONE_HUNDRED,
        (ContractType::Inverse, _) => Decimal::TEN,
    }
}

/// Smallest step of an order in contracts: `lotSz`.
fn lot_size(contract_type: ContractType) -> Decimal {
    match contract_type {
        ContractType::Linear => Decimal::new(1, 2),
        ContractType::Inverse => Decimal::ONE,
    }
}

fn instrument(symbol: Symbol, base: Asset, quote: Asset, contract_type: ContractType) -> Instrument {
    let lot = lot_size(contract_type);
    let listed = Instrument {
        exchange: Exchange::Okx,
        symbol,
        base,
        quote,
        settle: match contract_type {
            ContractType::Linear => quote,
            ContractType::Inverse => base,
        },
        contract_type,
        multiplier: Decimal::ONE,
        tick: coin(base).tick,
        lot,
        min_quantity: Quantity::new(lot).expect("a lot is positive"),
        max_quantity: None,
        min_notional: None,
        max_leverage: Decimal::ONE_HUNDRED,
        maintenance_margin: Rate::new(Decimal::new(5, 3)),
        maker_fee: Rate::new(Decimal::new(2, 4)),
        taker_fee: Rate::new(Decimal::new(5, 4)),
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    };
    let lot = (lot * contract_size(&listed)).normalize();
    let quantity = |value: Decimal| Quantity::new(value).expect("sizes are positive");
    let max_quantity = Some(quantity(contract_size(&listed) * Decimal::from(MOST_CONTRACTS)));
    Instrument { lot, min_quantity: quantity(lot), max_quantity, ..listed }
}

/// The largest order in contracts.
const MOST_CONTRACTS: u32 = 250_000;

/// A contract as the public list shows it.
pub(crate) fn listing(instrument: &Instrument) -> serde_json::Value {
    let size = contract_size(instrument);
    let count = |value: Decimal| (value / size).normalize().to_string();
    let family = instrument.symbol.as_str().trim_end_matches("-SWAP");
    let (kind, counted) = match instrument.contract_type {
        ContractType::Linear => ("linear", instrument.base),
        ContractType::Inverse => ("inverse", instrument.quote),
    };
    let most = instrument.max_quantity.map_or_else(String::new, |max| count(max.get()));
    serde_json::json!({
        "alias": "", "auctionEndTime": "", "baseCcy": "", "category": "1", "contTdSwTime": "", "ctMult": "1",
        "ctType": kind, "ctVal": size.to_string(), "ctValCcy": counted, "expTime": "", "futureSettlement": false,
        "instFamily": family, "instId": instrument.symbol, "instIdCode": 1, "instType": "SWAP",
        "lever": instrument.max_leverage.normalize().to_string(), "listTime": "1573557408000",
        "lotSz": count(instrument.lot), "maxIcebergSz": most, "maxLmtAmt": "20000000", "maxLmtSz": most,
        "maxMktAmt": "", "maxMktSz": most, "maxStopSz": most, "maxTriggerSz": most, "maxTwapSz": most,
        "minSz": count(instrument.min_quantity.get()), "openType": "", "optType": "", "quoteCcy": "",
        "ruleType": "normal", "settleCcy": instrument.settle, "state": "live", "stk": "",
        "tickSz": instrument.tick.normalize().to_string(), "uly": family,
    })
}
