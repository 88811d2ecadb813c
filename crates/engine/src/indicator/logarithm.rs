//! Logarithms from `+ − × ÷` alone: those of the platforms differ in the last digit, ours give the same bits everywhere.
//!
//! The series of 2·artanh, `ln(x) = 2 · (z + z³/3 + z⁵/5 + …)` with `z = (x − 1) / (x + 1)` (Abramowitz and Stegun, Handbook
//! of Mathematical Functions, 4.1.27). With |z| at most 1/3 the term after the 18th is below 1e-18.

/// Bits of the fraction of a float, and the bias of its exponent (IEEE 754 binary64).
const FRACTION_BITS: u32 = 52;
const EXPONENT_BIAS: u64 = 1023;

/// 1, 1/3, 1/5 and so on.
const COEFFICIENTS: [f64; 18] = {
    let mut coefficients = [0.0; 18];
    let (mut index, mut odd) = (0, 1.0);
    while index < coefficients.len() {
        coefficients[index] = 1.0 / odd;
        index += 1;
        odd += 2.0;
    }
    coefficients
};

/// Up to this `z` six terms reach the last digit: z¹²/13 is below 3e-17.
const SMALL: f64 = 0.05;
const TERMS_OF_SMALL: usize = 6;

/// `2 · artanh(z)` for |z| at most 1/3.
fn twice_artanh(z: f64) -> f64 {
    let terms = if z.abs() <= SMALL { &COEFFICIENTS[..TERMS_OF_SMALL] } else { &COEFFICIENTS[..] };
    let square = z * z;
    let sum = terms.iter().rev().fold(0.0, |sum, coefficient| sum * square + coefficient);
    2.0 * z * sum
}

/// The logarithm to base 2 of a finite number of at least 1: the exponent is read off the bits, the rest is the series.
pub(super) fn log2(value: f64) -> f64 {
    let bits = value.max(1.0).to_bits();
    let exponent = (bits >> FRACTION_BITS).saturating_sub(EXPONENT_BIAS);
    let mantissa = f64::from_bits((bits & ((1 << FRACTION_BITS) - 1)) | (EXPONENT_BIAS << FRACTION_BITS));
    let natural = twice_artanh((mantissa - 1.0) / (mantissa + 1.0));
    f64::from(u32::try_from(exponent).unwrap_or(u32::MAX)) + natural / std::f64::consts::LN_2
}

/// `ln(now / before)` of two positive numbers, exact to about 1e-15 of itself however small the step: the difference is
/// taken before anything is rounded. 0 when one of them is not positive.
pub(super) fn log_return(before: f64, now: f64) -> f64 {
    if before <= 0.0 || now <= 0.0 {
        return 0.0;
    }
    let z = (now - before) / (now + before);
    // Beyond a third the step is larger than a doubling or halving.
    if z.abs() <= 1.0 / 3.0 {
        twice_artanh(z)
    } else if z > 0.0 {
        log2(now / before) * std::f64::consts::LN_2
    } else {
        -(log2(before / now) * std::f64::consts::LN_2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_platforms() {
        for value in [1.0_f64, 1.000_001, 1.25, 1.5, 1.999_999_9, 2.0, 3.0, 14.0, 100.0, 1e6, 1e12, 4096.0] {
            let platform = value.log2();
            assert!((log2(value) - platform).abs() <= 4e-16 * platform.max(1.0), "{value}");
        }
    }

    #[test]
    fn returns_agree_with_the_platforms_for_small_and_large_steps() {
        for step in [1e-9, 1e-5, 0.001, 0.01, 0.049, 0.0501, 0.11, 0.3, 0.99, 1.5, 40.0, 1e9] {
            for (before, now) in [(1.0, 1.0 + step), (1.0 + step, 1.0)] {
                let (small, ratio): (f64, f64) = ((now - before) / before, now / before);
                // Each is the exact one where the other loses digits.
                let platform = if small.abs() < 0.5 { small.ln_1p() } else { ratio.ln() };
                let ours = log_return(before, now);
                assert!(
                    (ours - platform).abs() <= 1e-15 * platform.abs(),
                    "{before} {now}: {ours} {platform}"
                );
            }
        }
        assert!(log_return(7.0, 7.0).abs() <= 0.0 && log_return(0.0, 7.0).abs() <= 0.0);
    }
}
