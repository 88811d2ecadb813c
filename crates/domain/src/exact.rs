//! Decimal arithmetic in whole numbers of 128 bits, for the few operations that are done on every candle or fill.
//!
//! Each gives the very number that decimals give, and says `None` when 128 bits do not suffice, so that the caller takes
//! the long way. It knows no prices and no money; [`crate::price`], [`crate::money`] and [`crate::contract`] use it.

use std::cmp::Ordering;

use rust_decimal::Decimal;

/// Powers of ten up to the largest in 64 bits.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut place = 1;
    while place < powers.len() {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

#[inline]
fn power(digits: u32) -> Option<i64> {
    POWERS.get(usize::try_from(digits).ok()?).copied()
}

/// Ten to a power of up to 36.
fn wide_power(digits: u32) -> Option<i128> {
    let half = digits.min(18);
    i128::from(power(half)?).checked_mul(i128::from(power(digits - half)?))
}

/// The mantissa where its size fits 63 bits. From the words themselves: a mantissa of 128 bits costs several times more.
#[inline]
fn small(value: Decimal) -> Option<i64> {
    let size = i64::try_from(size(value)?).ok()?;
    Some(if value.is_sign_negative() { -size } else { size })
}

/// The mantissa without its sign where it fits 64 bits.
#[inline]
fn size(value: Decimal) -> Option<u64> {
    let words = value.unpack();
    (words.hi == 0).then(|| u64::from(words.lo) | (u64::from(words.mid) << 32))
}

/// Compares as [`Decimal`] does, several times faster for numbers of the same scale or of up to 18 digits.
#[inline]
pub fn compare(a: Decimal, b: Decimal) -> Ordering {
    if a.scale() == b.scale()
        && let (Some(left), Some(right)) = (small(a), small(b))
    {
        return left.cmp(&right);
    }
    compare_scales(a, b)
}

/// Whether a number is above zero. Decimals compare themselves with zero in a call of their own.
#[inline]
pub const fn is_positive(value: Decimal) -> bool {
    !value.is_sign_negative() && !value.is_zero()
}

/// Whether a number is below zero.
#[inline]
pub const fn is_negative(value: Decimal) -> bool {
    value.is_sign_negative() && !value.is_zero()
}

/// Widens the number of the smaller scale to the other's scale.
#[inline(never)]
fn compare_scales(a: Decimal, b: Decimal) -> Ordering {
    match (is_negative(a), is_negative(b)) {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (true, true) | (false, false) => {}
    }
    let widened = || {
        let (left, right) = (small(a)?, small(b)?);
        let apart = power(a.scale().abs_diff(b.scale()))?;
        let (short, long) = if a.scale() < b.scale() { (left, right) } else { (right, left) };
        let order = match short.checked_mul(apart) {
            Some(short) => short.cmp(&long),
            None => (i128::from(short) * i128::from(apart)).cmp(&i128::from(long)),
        };
        Some(if a.scale() < b.scale() { order } else { order.reverse() })
    };
    widened().unwrap_or_else(|| a.cmp(&b))
}

/// Adds as decimals do, with the same scale. `None` on overflow.
#[allow(clippy::inline_always, reason = "see `saturating_add`")]
#[inline(always)]
pub fn add(a: Decimal, b: Decimal) -> Option<Decimal> {
    let sum = saturating_add(a, b);
    // Only sums of the most digits can be what saturation gives.
    if sum.unpack().hi == u32::MAX { a.checked_add(b) } else { Some(sum) }
}

/// Adds as [`Decimal::saturating_add`] does.
#[allow(
    clippy::inline_always,
    reason = "a sum that a call gives back comes through memory, written in pieces and read at once: processors wait for that"
)]
#[inline(always)]
pub fn saturating_add(a: Decimal, b: Decimal) -> Decimal {
    if a.is_zero() {
        return b;
    }
    if b.is_zero() {
        return a;
    }
    match add_short(a, b) {
        Some(sum) => sum,
        None => saturating_add_long(a, b),
    }
}

/// Out of line, so that the short way stays short where it is used.
#[inline(never)]
fn saturating_add_long(a: Decimal, b: Decimal) -> Decimal {
    a.saturating_add(b)
}

/// The sum when everything on the way to it fits 63 bits. Numbers that are widened keep their value, so the scale is the
/// larger one, as it is with decimals.
#[inline]
fn add_short(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (left, right) = (small(a)?, small(b)?);
    let (up, down) = (a.scale(), b.scale());
    let sum = match up.cmp(&down) {
        Ordering::Equal => left.checked_add(right)?,
        Ordering::Less => left.checked_mul(power(down - up)?)?.checked_add(right)?,
        Ordering::Greater => right.checked_mul(power(up - down)?)?.checked_add(left)?,
    };
    Some(from_small(sum, up.max(down)))
}

/// The number of a mantissa and a scale of up to 28.
#[inline]
fn from_small(mantissa: i64, scale: u32) -> Decimal {
    let size = mantissa.unsigned_abs();
    let word = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    Decimal::from_parts(word(size), word(size >> 32), 0, mantissa < 0, scale)
}

/// `a * b`, the short way for short numbers; panics where that does, so it is for what is bounded before.
#[inline(never)]
pub fn multiply(a: Decimal, b: Decimal) -> Decimal {
    match product(a, b, Decimal::ONE) {
        Some(product) => product,
        None => a * b,
    }
}

/// `a · b · c`, none of which is zero, with the scale that decimals give.
#[inline]
pub(crate) fn product(a: Decimal, b: Decimal, c: Decimal) -> Option<Decimal> {
    let scale = a.scale() + b.scale() + c.scale();
    let mantissa = small(a)?.checked_mul(small(b)?)?.checked_mul(small(c)?)?;
    (scale <= Decimal::MAX_SCALE && mantissa != 0).then(|| from_small(mantissa, scale))
}

/// `size · multiplier · (exit − entry)`.
#[inline]
pub(crate) fn linear_profit(
    size: Decimal,
    multiplier: Decimal,
    entry: Decimal,
    exit: Decimal,
) -> Option<Decimal> {
    let (from, to) = (small(entry)?, small(exit)?);
    let scale = entry.scale().max(exit.scale());
    let move_ = if entry.scale() == exit.scale() {
        to.checked_sub(from)?
    } else {
        let on_scale = |value: i64, own: u32| value.checked_mul(power(scale - own)?);
        on_scale(to, exit.scale())?.checked_sub(on_scale(from, entry.scale())?)?
    };
    let worth = small(size)?.checked_mul(small(multiplier)?)?;
    let scale = size.scale() + multiplier.scale() + scale;
    match worth.checked_mul(move_) {
        Some(profit) if scale <= Decimal::MAX_SCALE => Some(from_small(profit, scale)),
        Some(_) => None,
        None => Decimal::try_from_i128_with_scale(i128::from(worth) * i128::from(move_), scale).ok(),
    }
}

/// Whether `value` is a whole multiple of `step`, which is greater than zero.
pub fn is_multiple(value: Decimal, step: Decimal) -> bool {
    let whole = || {
        let (value, own) = (small(value)?, value.scale());
        let (step, other) = (small(step)?, step.scale());
        let on_scale = |number: i64, from: u32, to: u32| number.checked_mul(power(to.saturating_sub(from))?);
        let rest = on_scale(value, own, other)?.checked_rem(on_scale(step, other, own)?)?;
        Some(rest == 0)
    };
    whole().unwrap_or_else(|| value.checked_rem(step).is_some_and(|rest| rest.is_zero()))
}

/// Which way a quotient goes that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Zero,
    Infinity,
    NearestAway,
    NearestEven,
}

impl Toward {
    /// Whether a quotient that is not whole goes away from zero. `half` compares its rest with a half.
    fn is_away(self, half: Ordering, odd: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Zero => false,
            Self::Infinity => true,
            Self::NearestAway => half != Ordering::Less,
            Self::NearestEven => half == Ordering::Greater || (half == Ordering::Equal && odd()),
        }
    }
}

/// `above / below` in whole numbers, rounded. `None` when `below` is zero.
fn divide(above: i128, below: i128, toward: Toward) -> Option<i128> {
    let (down, rest) = (above.checked_div(below)?, above.checked_rem(below)?.unsigned_abs());
    if rest == 0 {
        return Some(down);
    }
    let half = rest.cmp(&(below.unsigned_abs() - rest));
    let step = if (above < 0) == (below < 0) { 1 } else { -1 };
    Some(if toward.is_away(half, || down % 2 != 0) { down + step } else { down })
}

/// The same in 64 bits.
fn divide_short(above: i64, below: i64, toward: Toward) -> Option<i128> {
    let down = above.checked_div(below)?;
    let rest = (above - down * below).unsigned_abs();
    if rest == 0 {
        return Some(i128::from(down));
    }
    let half = rest.cmp(&(below.unsigned_abs() - rest));
    let step = if (above < 0) == (below < 0) { 1 } else { -1 };
    Some(i128::from(if toward.is_away(half, || down % 2 != 0) { down + step } else { down }))
}

/// Above and below the line of `part / (whole · step)`, when both fit 64 bits.
fn short_fraction(
    part: Decimal,
    whole: Decimal,
    step: Decimal,
    (up, down): (u32, u32),
) -> Option<(i64, i64)> {
    let (above, below) = (small(part)?, small(whole)?.checked_mul(small(step)?)?);
    let factor = power(up.abs_diff(down))?;
    Some(if up > down { (above.checked_mul(factor)?, below) } else { (above, below.checked_mul(factor)?) })
}

/// `part / (whole · step)` rounded to a whole number, times `step`, without trailing zeros. `step` is greater than zero.
pub(crate) fn quotient_to_step(
    part: Decimal,
    whole: Decimal,
    step: Decimal,
    toward: Toward,
) -> Option<Decimal> {
    let (up, down) = (whole.scale() + step.scale(), part.scale());
    let steps = if let Some((above, below)) = short_fraction(part, whole, step, (up, down)) {
        divide_short(above, below, toward)?
    } else {
        let (mut above, mut below) = (part.mantissa(), whole.mantissa().checked_mul(step.mantissa())?);
        let widened = if up > down { &mut above } else { &mut below };
        *widened = widened.checked_mul(wide_power(up.abs_diff(down))?)?;
        divide(above, below, toward)?
    };
    shortest(steps.checked_mul(step.mantissa())?, step.scale())
}

/// `part / whole` rounded to so many places.
pub(crate) fn quotient(part: Decimal, whole: Decimal, places: u32) -> Option<Decimal> {
    quotient_to_step(part, whole, Decimal::new(1, places.min(28)), Toward::NearestEven)
}

/// A number without trailing zeros.
fn shortest(mantissa: i128, mut scale: u32) -> Option<Decimal> {
    if let Ok(mut short) = i64::try_from(mantissa) {
        if short == 0 {
            return Some(Decimal::ZERO);
        }
        while scale > 0 && short % 10 == 0 {
            short /= 10;
            scale -= 1;
        }
        return (scale <= Decimal::MAX_SCALE).then(|| from_small(short, scale));
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok().map(|number| number.normalize())
}

#[cfg(test)]
mod tests {
    use rust_decimal::RoundingStrategy;

    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    /// Every pair of many numbers of all sizes, signs and scales is ordered as decimals are.
    #[test]
    fn numbers_are_ordered_as_decimals_are() {
        let mut numbers = vec![Decimal::ZERO, Decimal::MAX, Decimal::MIN, Decimal::MAX - Decimal::ONE];
        numbers.push(Decimal::from_i128_with_scale(1 << 90, 20));
        for mantissa in [1, 2, 9, 10, 11, 999, 1000, 3_000_012, i64::MAX - 1, i64::MAX] {
            for scale in [0, 1, 2, 3, 8, 18, 19, 27, 28] {
                numbers.push(Decimal::new(mantissa, scale));
                numbers.push(Decimal::new(-mantissa, scale));
            }
        }
        for a in &numbers {
            for b in &numbers {
                assert_eq!(compare(*a, *b), a.cmp(b), "{a} {b}");
            }
            assert_eq!(is_positive(*a), *a > Decimal::ZERO, "{a}");
            assert_eq!(is_negative(*a), *a < Decimal::ZERO, "{a}");
        }
        assert!(!is_positive(-Decimal::ZERO) && !is_negative(-Decimal::ZERO));
    }

    #[test]
    fn multiples_are_those_of_decimals() {
        for value in ["0", "1", "0.1", "30000.01", "30000.015", "-2.5", "79228162514264337593543950335"] {
            for step in ["1", "0.1", "0.01", "0.005", "2.5", "0.00000000000000000001"] {
                let expected = (d(value) % d(step)).is_zero();
                assert_eq!(is_multiple(d(value), d(step)), expected, "{value} {step}");
            }
        }
    }

    /// Equal in value and in scale, which a text would show.
    #[test]
    fn sums_are_those_of_decimals() {
        let mut numbers = vec![Decimal::ZERO, Decimal::MAX, Decimal::MIN, Decimal::new(0, 5)];
        for mantissa in [1, 7, 10, 1000, 3_000_012, 123_456_789_012, i64::MAX] {
            for scale in [0, 1, 2, 8, 18, 28] {
                numbers.push(Decimal::new(mantissa, scale));
                numbers.push(Decimal::new(-mantissa, scale));
            }
        }
        for a in &numbers {
            for b in &numbers {
                let (fast, plain) = (add(*a, *b), a.checked_add(*b));
                assert_eq!(fast, plain, "{a} {b}");
                assert_eq!(saturating_add(*a, *b), a.saturating_add(*b), "{a} {b}");
                let shown =
                    |sum: Option<Decimal>| sum.filter(|sum| !sum.is_zero()).map(|sum| sum.to_string());
                // Decimals that need more than 96 bits on the way round; those that fit keep the larger scale.
                if add_short(*a, *b).is_some() && !a.is_zero() && !b.is_zero() {
                    assert_eq!(shown(fast), shown(plain), "{a} {b}");
                }
            }
        }
    }

    /// Equal in value and in scale, which a text would show.
    #[test]
    fn products_are_those_of_decimals() {
        let numbers = ["0", "1", "0.1", "0.30", "-7.25", "30000.01", "1234567.12345678", "0.000000000001"];
        let numbers: Vec<Decimal> =
            numbers.into_iter().chain(["79228162514264337593543950335"]).map(d).collect();
        let mut compared = 0;
        for a in &numbers {
            for b in &numbers {
                for c in &numbers {
                    let Some(fast) = product(*a, *b, *c) else { continue };
                    let exact = a.checked_mul(*b).and_then(|ab| ab.checked_mul(*c)).unwrap();
                    assert_eq!(fast.to_string(), exact.to_string(), "{a} {b} {c}");
                    compared += 1;
                }
                if let Some(exact) = a.checked_mul(*b) {
                    assert_eq!(multiply(*a, *b).to_string(), exact.to_string(), "{a} {b}");
                }
            }
        }
        assert!(compared > 200, "{compared}");
    }

    #[test]
    fn linear_profits_are_those_of_decimals() {
        let numbers =
            ["1", "0.1", "0.30", "-7.25", "30000.01", "29999.9", "1234567.12345678", "0.000000000001"];
        let numbers: Vec<Decimal> =
            numbers.into_iter().chain(["79228162514264337593543950335"]).map(d).collect();
        let mut compared = 0;
        for size in &numbers {
            for multiplier in &numbers {
                for entry in &numbers {
                    for exit in &numbers {
                        let Some(fast) = linear_profit(*size, *multiplier, *entry, *exit) else { continue };
                        let move_ = exit.checked_sub(*entry).unwrap();
                        let exact = size.checked_mul(*multiplier).and_then(|worth| worth.checked_mul(move_));
                        assert_eq!(Some(fast), exact, "{size} {multiplier} {entry} {exit}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 1000, "{compared}");
    }

    /// Signs, halves and sizes mixed, compared with decimals wherever their quotients have few enough digits.
    #[test]
    fn quotients_are_those_of_decimals() {
        let strategies = [
            (Toward::Zero, RoundingStrategy::ToZero),
            (Toward::Infinity, RoundingStrategy::AwayFromZero),
            (Toward::NearestAway, RoundingStrategy::MidpointAwayFromZero),
            (Toward::NearestEven, RoundingStrategy::MidpointNearestEven),
        ];
        let numbers = [1, -1, 2, 3, -7, 15, 25, 125, 1000, 99_999, -3_000_012, 123_456_789_012];
        for part in numbers.into_iter().chain([0]) {
            for whole in numbers {
                for (a, b) in [(0, 0), (2, 0), (0, 3), (8, 2), (1, 1)] {
                    for step in ["1", "0.01", "0.5", "0.25", "10", "0.000001"] {
                        let (part, whole, step) = (Decimal::new(part, a), Decimal::new(whole, b), d(step));
                        for (toward, strategy) in strategies {
                            let steps = (part / whole / step).round_dp_with_strategy(0, strategy);
                            let got = quotient_to_step(part, whole, step, toward);
                            assert_eq!(got, Some(steps * step), "{part} / {whole} in {step} {toward:?}");
                        }
                    }
                }
            }
        }
        assert_eq!(quotient_to_step(Decimal::ONE, Decimal::ZERO, Decimal::ONE, Toward::Zero), None);
        assert_eq!(quotient_to_step(Decimal::MAX, Decimal::new(1, 28), Decimal::ONE, Toward::Zero), None);
        assert_eq!(quotient(d("2"), d("3"), 4), Some(d("0.6667")));
        assert_eq!(shortest(-12_300, 2).unwrap().to_string(), "-123");
        assert_eq!(shortest(0, 9).unwrap().to_string(), "0");
    }
}
