//! Base coins and dollars as contracts, coins as minor units, decimals as JSON numbers. Pure.

use keyhold_domain::{Asset, ContractType, Decimal, Instrument, Quantity, Timestamp};
use serde_json::{Value, json};

/// Contracts of one lot of a linear instrument.
const LINEAR_LOT: i64 = 1_000;

/// Base coins (linear) or dollars (inverse) of one contract.
pub(crate) fn contract_size(instrument: &Instrument) -> Decimal {
    match instrument.contract_type {
        ContractType::Linear => instrument.lot / Decimal::from(LINEAR_LOT),
        ContractType::Inverse => Decimal::ONE,
    }
}

/// So many contracts are a quantity.
pub(crate) fn contracts(instrument: &Instrument, quantity: Decimal) -> Decimal {
    (quantity / contract_size(instrument)).round().normalize()
}

/// The quantity of so many contracts.
pub(crate) fn quantity(instrument: &Instrument, contracts: Decimal) -> Option<Quantity> {
    contracts.checked_mul(contract_size(instrument)).and_then(|value| Quantity::new(value).ok())
}

/// BitMEX's currency of an asset and how many minor units one is; a millionth for those it would not know.
pub(crate) fn currency(asset: Asset) -> (&'static str, Decimal) {
    match asset.as_str() {
        "BTC" => ("XBt", Decimal::from(100_000_000)),
        "ETH" => ("Gwei", Decimal::from(1_000_000_000)),
        _ => ("USDt", Decimal::from(1_000_000)),
    }
}

/// BitMEX's name of a coin.
pub(crate) fn coin_name(asset: Asset) -> String {
    if asset.as_str() == "BTC" { "XBT".to_owned() } else { asset.to_string() }
}

/// An amount of an asset in whole minor units.
pub(crate) fn minor(amount: Decimal, asset: Asset) -> Decimal {
    (amount * currency(asset).1).round()
}

/// A decimal as a JSON number.
pub(crate) fn num(value: Decimal) -> Value {
    let value = value.normalize();
    if value.scale() == 0
        && let Ok(whole) = i64::try_from(value)
    {
        return json!(whole);
    }
    // The nearest binary fraction is written with the shortest digits that mean it, which are the decimal's own.
    value.to_string().parse::<f64>().map_or(Value::Null, |value| json!(value))
}

/// The same, or null.
pub(crate) fn maybe(value: Option<Decimal>) -> Value {
    value.map_or(Value::Null, num)
}

/// A time as BitMEX writes it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.to_string()
}

/// A time as HTTP's `Date` header writes it, in whole seconds.
pub(crate) fn http_date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let day = DAYS.get(usize::from(at.weekday())).copied().unwrap_or_default();
    let month = month.copied().unwrap_or_default();
    format!("{day}, {} {month} {} {} GMT", part(8..10), part(0..4), part(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let text = |value: &str| num(value.parse().unwrap()).to_string();
        let cases = [("50000.50", "50000.5"), ("-0.00011", "-0.00011"), ("1000", "1000"), ("0.10", "0.1")];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
        assert_eq!(http_date(Timestamp::from_ms(784_111_777_123)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
