//! Chance from a seed: the same seed throws the same dice on every machine.

use keyhold_domain::Decimal;
use keyhold_simulator::random::Random;

/// A stream of chance.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Random);

impl Dice {
    /// The dice of one purpose of a seed: a purpose that throws more does not move the others.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(Random::of(seed, purpose))
    }

    /// A number in `0..bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(bound).unwrap())).unwrap()
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap() + 1;
        low + i64::try_from(self.0.below(span)).unwrap()
    }

    /// True in so many of a hundred throws.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A decimal in `low..=high` on a grid of a thousandth of the way; now and then exactly an end.
    pub(crate) fn decimal(&mut self, low: Decimal, high: Decimal) -> Decimal {
        let way = match self.below(8) {
            0 => 0,
            1 => 1000,
            _ => self.between(0, 1000),
        };
        (low + (high - low) * Decimal::new(way, 3)).normalize()
    }
}

/// A decimal from its text.
pub(crate) fn d(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}
