//! Random numbers that are the same on every machine for the same seed.
//!
//! Knows no entropy source: a seed comes in, numbers come out. Not for secrets. The generator is SplitMix64
//! (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).

/// A seeded stream of numbers.
///
/// ```
/// use keyhold_simulator::random::Random;
/// assert_eq!(Random::new(7).next_u64(), Random::new(7).next_u64());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The stream of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream that belongs to one purpose: equal seeds with different purposes are unrelated.
    pub const fn of(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed ^ mix(purpose.wrapping_add(STEP))) }
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number in `0..bound`; zero when `bound` is zero. The bias is below 2⁻³² for bounds below 2³².
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// True in `per_mille` of 1,000 draws. A chance of zero draws nothing, so that switched-off faults do
    /// not shift the stream.
    pub const fn chance(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && self.below(1000) < per_mille as u64
    }
}

/// Scrambles 64 bits (the finalizer of SplitMix64).
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as printed in the reference implementation's tests.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_below_their_bound_and_chances_are_kept() {
        let mut random = Random::of(1, 2);
        assert!((0..1000).all(|_| random.below(7) < 7));
        let hits = (0..10_000).filter(|_| random.chance(250)).count();
        assert!((2300..2700).contains(&hits), "{hits} of 10,000 at a chance of a quarter");
        assert!((0..1000).all(|_| !random.chance(0)));
    }
}
