//! Margin: what a position needs, and at which price it is liquidated.
//!
//! Pure arithmetic. With n contracts of multiplier m entered at e, margin M, maintenance rate r and price x, the
//! venue liquidates where `M + profit(x) = r · value(x)`. Solved for x:
//! linear long `(n·m·e − M) / (n·m·(1 − r))`, linear short `(n·m·e + M) / (n·m·(1 + r))`,
//! inverse long `n·m·(1 + r) / (M + n·m/e)`, inverse short `n·m·(1 − r) / (n·m/e − M)`.
//! Venues use tiers of r and subtract closing fees; one tier and no fee is the simplification made here.

use keyhold_domain::exact::{is_positive, multiply};
use keyhold_domain::{ContractType, Decimal, Instrument, Price, Quantity, Rounding};

/// Sizes and prices above these are refused, so that no later product can overflow a decimal.
pub(super) const MAX_PRICE: Decimal = Decimal::from_parts(MAX_PRICE_DIGITS, 0, 0, false, 0);
const MAX_PRICE_DIGITS: u32 = 1_000_000_000;
pub(super) const MAX_SIZE: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);

/// Whether a price is above [`MAX_PRICE`]. One whose digits without the point are fewer cannot be: that is asked first,
/// on every candle.
#[inline]
pub(super) fn is_too_high(price: Price) -> bool {
    let words = price.get().unpack();
    (words.hi | words.mid != 0 || words.lo > MAX_PRICE_DIGITS) && price.get() > MAX_PRICE
}

/// Why arithmetic on admitted orders cannot overflow: used as the message of `expect`.
pub(super) const BOUNDED: &str = "sizes and prices are bounded when they enter the exchange";

/// Margin needed to hold `quantity` at `price` with this leverage.
pub(super) fn initial_margin(
    instrument: &Instrument,
    price: Price,
    quantity: Quantity,
    leverage: Decimal,
) -> Decimal {
    instrument.contract().value(price, quantity).expect(BOUNDED) / leverage
}

/// The price at which a position is liquidated, rounded to the tick on the side that comes first.
/// `None` when no positive price would do it.
pub(super) fn liquidation_price(
    instrument: &Instrument,
    size: Decimal,
    entry: Price,
    margin: Decimal,
) -> Option<Price> {
    let worth = multiply(size.abs(), instrument.multiplier);
    let rate = instrument.maintenance_margin.get();
    let one = Decimal::ONE;
    let entry = entry.get();
    let is_long = is_positive(size);
    let (above, below) = match (instrument.contract_type, is_long) {
        (ContractType::Linear, true) => (multiply(worth, entry) - margin, multiply(worth, one - rate)),
        (ContractType::Linear, false) => (multiply(worth, entry) + margin, multiply(worth, one + rate)),
        (ContractType::Inverse, true) => (worth * (one + rate), margin + worth / entry),
        (ContractType::Inverse, false) => (worth * (one - rate), worth / entry - margin),
    };
    if !is_positive(above) || !is_positive(below) {
        return None;
    }
    let rounding = if is_long { Rounding::Up } else { Rounding::Down };
    let price = rounding.quotient_to_step(above, below, instrument.tick)?;
    Price::new(price).ok().filter(|price| !is_too_high(*price))
}
