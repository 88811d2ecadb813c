//! Components are silent exactly as long as they say, and a snapshot taken at any time goes on as if nothing happened.

use keyhold_engine::component::Component;
use keyhold_engine::reading::{Direction, Verdict};
use keyhold_engine::template::Role;

use crate::series::{random_moments, run};
use crate::variants::variants;

#[test]
fn warming_up_lasts_exactly_as_long_as_declared_and_never_returns() {
    let moments = random_moments(5, 700);
    for variant in variants() {
        let warmup = usize::try_from(variant.component.warmup_candles()).unwrap();
        assert!((1..=600).contains(&warmup), "{}: {warmup}", variant.name);
        let readings = run(&mut variant.component.clone(), &moments);
        for (index, reading) in readings.iter().enumerate() {
            let silent = reading.verdict == Verdict::WarmingUp;
            assert_eq!(silent, index + 1 < warmup, "{}, candle {}", variant.name, index + 1);
        }
    }
}

#[test]
fn verdicts_fit_the_role() {
    let moments = random_moments(6, 400);
    for variant in variants() {
        for reading in run(&mut variant.component.clone(), &moments) {
            let fits = match reading.verdict {
                Verdict::WarmingUp | Verdict::NoData => true,
                Verdict::Signal { direction: Direction::Long | Direction::Short | Direction::Neutral } => {
                    variant.component.role() == Role::Signal
                }
                Verdict::Check { .. } => variant.component.role() != Role::Signal,
            };
            assert!(fits, "{}: {reading:?}", variant.name);
        }
    }
}

#[test]
fn a_restored_snapshot_gives_the_same_readings_and_the_same_bytes() {
    let moments = random_moments(7, 500);
    for variant in variants() {
        for cut in [0, 1, 13, 250] {
            let mut original = variant.component.clone();
            run(&mut original, &moments[..cut]);
            let saved = serde_json::to_string(&original).unwrap();
            let mut restored: Component = serde_json::from_str(&saved).unwrap();
            assert_eq!(restored, original, "{}, cut {cut}", variant.name);
            let expected = run(&mut original, &moments[cut..]);
            let again = run(&mut restored, &moments[cut..]);
            let different = again.iter().zip(&expected).find(|(again, expected)| again != expected);
            assert_eq!(different, None, "{}, cut {cut}", variant.name);
            let bytes = |component: &Component| serde_json::to_string(component).unwrap();
            assert_eq!(bytes(&restored), bytes(&original), "{}, cut {cut}", variant.name);
        }
    }
}
