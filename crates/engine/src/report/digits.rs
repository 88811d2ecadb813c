//! How many digits of an amount a person wants to read. Documents keep every digit; only text is rounded.

use keyhold_domain::Decimal;

/// Digits that carry meaning in a report.
const SIGNIFICANT: u32 = 6;
/// Decimal places of cents.
const FEWEST_PLACES: u32 = 2;
/// Decimal places of the smallest unit of a coin.
const MOST_PLACES: u32 = 8;

/// An amount with at least six significant digits and between two and eight decimal places, without trailing zeros.
///
/// ```
/// use keyhold_engine::report::digits::amount;
/// let shown = |text: &str| amount(text.parse().unwrap());
/// assert_eq!(shown("1234.56789"), "1234.57");
/// assert_eq!(shown("0.0012345678901234"), "0.00123457");
/// assert_eq!(shown("-3.50"), "-3.5");
/// assert_eq!(shown("0.000000001"), "0");
/// ```
pub fn amount(value: Decimal) -> String {
    // Decimal places of the first digit that is not zero: 0.00123 has three.
    let magnitude = value.abs();
    let mut before = 0_u32;
    let mut bound = Decimal::ONE;
    while before < SIGNIFICANT && magnitude >= bound {
        before += 1;
        bound *= Decimal::TEN;
    }
    let mut after = 0_u32;
    let mut small = magnitude;
    while before == 0 && after < MOST_PLACES && !small.is_zero() && small < Decimal::new(1, 1) {
        after += 1;
        small *= Decimal::TEN;
    }
    let places = (SIGNIFICANT - before + after).clamp(FEWEST_PLACES, MOST_PLACES);
    let rounded = value.round_dp(places).normalize();
    // A rounded negative amount may be zero; "-0" says nothing.
    if rounded.is_zero() { String::from("0") } else { rounded.to_string() }
}

/// The same for an amount that may not be defined; a dash then.
pub fn optional(value: Option<Decimal>) -> String {
    value.map_or_else(|| String::from("-"), amount)
}

/// A ratio with two decimal places, or a dash.
pub fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| String::from("-"), |value| plain(value, 2))
}

/// A percentage with two decimal places, or a dash.
pub fn pct(value: Option<f64>) -> String {
    value.map_or_else(|| String::from("-"), |value| format!("{} %", plain(value, 2)))
}

/// A float with a fixed number of decimal places and without a negative zero.
pub fn plain(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let zero = text.strip_prefix('-').filter(|rest| rest.bytes().all(|byte| matches!(byte, b'0' | b'.')));
    zero.map_or_else(|| text.clone(), str::to_owned)
}

/// A length of time in its two largest units: `2d 3h`, `3h 20m`, `45s`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (1.., _, _) => format!("{days}d {hours}h"),
        (_, 1.., _) => format!("{hours}h {minutes}m"),
        (_, _, 1..) => format!("{minutes}m {rest}s"),
        _ => format!("{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_sensible_digits() {
        let cases = [
            ("0", "0"),
            ("100000.123456", "100000.12"),
            ("1234567.891", "1234567.89"),
            ("99.999999999", "100"),
            ("12.3456789", "12.3457"),
            ("0.5263157894736842105263157894", "0.526316"),
            ("-0.00000526315789473684210526", "-0.00000526"),
            ("-0.000000001", "0"),
        ];
        for (value, expected) in cases {
            assert_eq!(amount(Decimal::from_str_exact(value).unwrap()), expected, "{value}");
        }
    }

    #[test]
    fn floats_and_durations() {
        assert_eq!((plain(-0.001, 2), plain(-1.5, 1)), (String::from("0.00"), String::from("-1.5")));
        assert_eq!((pct(None), pct(Some(1.234))), (String::from("-"), String::from("1.23 %")));
        let shown = [500, 45_000, 200_000, 12_000_000, 183_600_000].map(duration);
        assert_eq!(shown, ["0s", "45s", "3m 20s", "3h 20m", "2d 3h"]);
    }
}
