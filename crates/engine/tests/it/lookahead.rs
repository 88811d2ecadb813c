//! No component knows the future: its reading on a candle is the same whatever comes after.

use crate::series::{random_moments, run};
use crate::variants::variants;

#[test]
fn changing_later_candles_changes_no_earlier_reading() {
    for seed in 1..=3 {
        let moments = random_moments(seed, 600);
        let other = random_moments(seed + 100, 600);
        for variant in variants() {
            let readings = run(&mut variant.component.clone(), &moments);
            for cut in [1, 37, 250, 599] {
                let mut changed = moments[..cut].to_vec();
                changed.extend_from_slice(&other[cut..]);
                let again = run(&mut variant.component.clone(), &changed);
                assert_eq!(readings[..cut], again[..cut], "{}, seed {seed}, cut {cut}", variant.name);
            }
        }
    }
}

#[test]
fn cutting_off_the_future_changes_no_reading() {
    let moments = random_moments(9, 500);
    for variant in variants() {
        let readings = run(&mut variant.component.clone(), &moments);
        for cut in [2, 60, 333] {
            let again = run(&mut variant.component.clone(), &moments[..cut]);
            assert_eq!(readings[..cut], again, "{}, cut {cut}", variant.name);
        }
    }
}

#[test]
fn components_do_speak_on_the_random_series() {
    // Guards the tests above against comparing series of silence.
    let moments = random_moments(1, 600);
    for variant in variants() {
        let readings = run(&mut variant.component.clone(), &moments);
        let different = readings.iter().filter(|reading| reading.verdict != readings[599].verdict).count();
        assert!(different > 0, "{} always says {:?}", variant.name, readings[599]);
        assert!(
            readings.iter().flat_map(|reading| [reading.value, reading.limit]).flatten().all(f64::is_finite)
        );
    }
}
