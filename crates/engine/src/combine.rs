//! How the scores of the enabled signals become a direction.
//!
//! Weights and thresholds are scaled to whole numbers when the plan is compiled, so that "reaching the threshold
//! counts" is exact and costs no decimal arithmetic per candle. It knows nothing of components or candles.

use keyhold_domain::Decimal;

use crate::reading::Direction;
use crate::template::{Combination, DirectionSetting};

/// A combination mode with its weights, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combiner {
    mode: Mode,
    /// Scaled weights in the order of the enabled signals.
    weights: Vec<i128>,
    /// Weights are multiplied by ten to this power.
    scale: u32,
    total: i128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Weighted sum against a scaled limit; also the weighted average, whose limit is threshold times total.
    Sum {
        limit: i128,
        shown: Shown,
    },
    Signals {
        count: u32,
    },
    Majority,
    All,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Score,
    Average,
}

/// What the combination said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined {
    /// Long, short or neither.
    pub direction: Direction,
    /// Signals that were long.
    pub up: u32,
    /// Signals that were short.
    pub down: u32,
    sum: i128,
}

/// The weights or the threshold have more digits than can be computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the weights or the threshold have too many digits")]
pub struct CombineError;

fn scaled(value: Decimal, scale: u32) -> Option<i128> {
    let value = value.normalize();
    let factor = 10_i128.checked_pow(scale.checked_sub(value.scale())?)?;
    value.mantissa().checked_mul(factor)
}

impl Combiner {
    /// Prepares a mode for signals with these weights, all greater than zero.
    pub fn compile(combination: Combination, weights: &[Decimal]) -> Result<Self, CombineError> {
        let mut sum = Decimal::ZERO;
        for weight in weights {
            sum = sum.checked_add(*weight).ok_or(CombineError)?;
        }
        let limit = match combination {
            Combination::MinScore { threshold } => Some(threshold.0),
            Combination::WeightedAverage { threshold } => {
                Some(threshold.0.checked_mul(sum).ok_or(CombineError)?)
            }
            Combination::MinSignals { .. } | Combination::Majority | Combination::All | Combination::Any => {
                None
            }
        };
        let digits = |value: &Decimal| value.normalize().scale();
        let scale = weights.iter().chain(limit.iter()).map(digits).max().unwrap_or(0);
        let scaled_limit = limit.map_or(Some(0), |limit| scaled(limit, scale)).ok_or(CombineError)?;
        let weights: Vec<i128> =
            weights.iter().map(|weight| scaled(*weight, scale)).collect::<Option<_>>().ok_or(CombineError)?;
        let total = weights.iter().try_fold(0_i128, |sum, w| sum.checked_add(*w)).ok_or(CombineError)?;
        let mode = match combination {
            Combination::MinScore { .. } => Mode::Sum { limit: scaled_limit, shown: Shown::Score },
            Combination::WeightedAverage { .. } => Mode::Sum { limit: scaled_limit, shown: Shown::Average },
            Combination::MinSignals { count } => Mode::Signals { count },
            Combination::Majority => Mode::Majority,
            Combination::All => Mode::All,
            Combination::Any => Mode::Any,
        };
        Ok(Self { mode, weights, scale, total })
    }

    /// Combines one direction per enabled signal, in the order of the weights.
    #[inline]
    pub fn combine(&self, directions: impl Iterator<Item = Direction>) -> Combined {
        let (mut sum, mut up, mut down) = (0_i128, 0_u32, 0_u32);
        for (direction, weight) in directions.zip(&self.weights) {
            match direction {
                Direction::Long => {
                    sum += weight;
                    up += 1;
                }
                Direction::Short => {
                    sum -= weight;
                    down += 1;
                }
                Direction::Neutral => {}
            }
        }
        let count = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
        let (long, short) = match self.mode {
            Mode::Sum { limit, .. } => (sum >= limit, sum <= -limit),
            Mode::Signals { count } => (up >= count && up > down, down >= count && down > up),
            Mode::Majority => (up * 2 > count, down * 2 > count),
            Mode::All => (up == count, down == count),
            Mode::Any => (up >= 1 && down == 0, down >= 1 && up == 0),
        };
        let direction = match (long, short) {
            (true, false) => Direction::Long,
            (false, true) => Direction::Short,
            // Both at once can only happen without signals; such a template enters nothing.
            (true, true) | (false, false) => Direction::Neutral,
        };
        Combined { direction, up, down, sum }
    }

    /// The score to show: the weighted sum, the weighted average, or signals up minus signals down.
    pub fn score(&self, combined: &Combined) -> Decimal {
        match self.mode {
            Mode::Sum { shown: Shown::Score, .. } => self.unscaled(combined.sum),
            Mode::Sum { shown: Shown::Average, .. } => self.average(combined.sum),
            Mode::Signals { .. } | Mode::Majority | Mode::All | Mode::Any => {
                Decimal::from(i64::from(combined.up) - i64::from(combined.down))
            }
        }
    }

    /// The smallest score that makes an entry, in the unit of [`Combiner::score`]; for the modes that count
    /// signals, the number that must agree.
    pub fn threshold(&self) -> Decimal {
        let count = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
        match self.mode {
            Mode::Sum { limit, shown: Shown::Score } => self.unscaled(limit),
            Mode::Sum { limit, shown: Shown::Average } => self.average(limit),
            Mode::Signals { count } => Decimal::from(count),
            Mode::Majority => Decimal::from(count / 2 + 1),
            Mode::All => Decimal::from(count),
            Mode::Any => Decimal::ONE,
        }
    }

    fn unscaled(&self, value: i128) -> Decimal {
        Decimal::try_from_i128_with_scale(value, self.scale).unwrap_or(Decimal::ZERO).normalize()
    }

    fn average(&self, value: i128) -> Decimal {
        let whole = self.unscaled(self.total);
        self.unscaled(value).checked_div(whole).unwrap_or(Decimal::ZERO).round_dp(12).normalize()
    }
}

/// Whether a direction may be entered at all.
pub const fn is_enabled(setting: DirectionSetting, direction: Direction) -> bool {
    match (setting, direction) {
        (DirectionSetting::Both, Direction::Long | Direction::Short)
        | (DirectionSetting::LongOnly, Direction::Long)
        | (DirectionSetting::ShortOnly, Direction::Short) => true,
        (DirectionSetting::LongOnly, Direction::Short)
        | (DirectionSetting::ShortOnly, Direction::Long)
        | (_, Direction::Neutral) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Number;

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn directions(text: &str) -> Vec<Direction> {
        text.chars()
            .map(|c| match c {
                '+' => Direction::Long,
                '-' => Direction::Short,
                _ => Direction::Neutral,
            })
            .collect()
    }

    /// (mode, weights, signals, direction, score): every mode at, just below and just above its boundary.
    #[test]
    fn reaching_the_threshold_counts_in_every_mode() {
        let score = |t: &str| Combination::MinScore { threshold: Number(d(t)) };
        let average = |t: &str| Combination::WeightedAverage { threshold: Number(d(t)) };
        let signals = |count| Combination::MinSignals { count };
        let (long, short, none) = (Direction::Long, Direction::Short, Direction::Neutral);
        let cases: &[(Combination, &[&str], &str, Direction, &str)] = &[
            (score("2"), &["1", "1", "1.5"], "++0", long, "2"),
            (score("2"), &["1", "1", "1.5"], "+00", none, "1"),
            (score("2"), &["1", "1", "1.5"], "0-+", none, "0.5"),
            (score("2"), &["1", "1", "1.5"], "--0", short, "-2"),
            (score("2.5"), &["1", "1", "1.5"], "+0+", long, "2.5"),
            (score("2.51"), &["1", "1", "1.5"], "+0+", none, "2.5"),
            // 0.1 + 0.2 reaches 0.3: floats would miss it.
            (score("0.3"), &["0.1", "0.2"], "++", long, "0.3"),
            (score("0.3"), &["0.1", "0.2"], "--", short, "-0.3"),
            (average("0.5"), &["1", "1"], "+0", long, "0.5"),
            (average("0.5"), &["1", "1"], "-0", short, "-0.5"),
            (average("0.51"), &["1", "1"], "+0", none, "0.5"),
            (average("1"), &["1", "3"], "++", long, "1"),
            (average("0.25"), &["1", "3"], "+0", long, "0.25"),
            (average("0.3333"), &["1", "1", "1"], "+00", long, "0.333333333333"),
            (signals(2), &["1", "1", "1"], "++-", long, "1"),
            (signals(2), &["1", "1", "1"], "+0-", none, "0"),
            (signals(2), &["1", "1", "1", "1"], "++--", none, "0"),
            (signals(1), &["9", "1"], "+-", none, "0"),
            (signals(2), &["1", "1", "1"], "--0", short, "-2"),
            (Combination::Majority, &["1", "1", "1", "1"], "++00", none, "2"),
            (Combination::Majority, &["1", "1", "1", "1"], "+++-", long, "2"),
            (Combination::Majority, &["1", "1", "1"], "--+", short, "-1"),
            (Combination::All, &["1", "1"], "++", long, "2"),
            (Combination::All, &["1", "1"], "+0", none, "1"),
            (Combination::All, &["1", "1"], "--", short, "-2"),
            (Combination::Any, &["1", "1", "1"], "+00", long, "1"),
            (Combination::Any, &["1", "1", "1"], "+-0", none, "0"),
            (Combination::Any, &["1", "1", "1"], "0-0", short, "-1"),
            (Combination::Any, &["1", "1", "1"], "000", none, "0"),
            // Without signals nothing is entered in any mode.
            (Combination::All, &[], "", none, "0"),
            (Combination::Majority, &[], "", none, "0"),
        ];
        for (mode, weights, seen, direction, shown) in cases {
            let weights: Vec<Decimal> = weights.iter().map(|w| d(w)).collect();
            let combiner = Combiner::compile(*mode, &weights).unwrap();
            let result = combiner.combine(directions(seen).into_iter());
            assert_eq!(result.direction, *direction, "{mode:?} {weights:?} {seen}");
            assert_eq!(combiner.score(&result), d(shown), "{mode:?} {weights:?} {seen}");
        }
    }

    #[test]
    fn disabled_directions_are_refused_after_combination() {
        let cases = [
            (DirectionSetting::Both, Direction::Long, true),
            (DirectionSetting::Both, Direction::Short, true),
            (DirectionSetting::LongOnly, Direction::Long, true),
            (DirectionSetting::LongOnly, Direction::Short, false),
            (DirectionSetting::ShortOnly, Direction::Long, false),
            (DirectionSetting::ShortOnly, Direction::Short, true),
            (DirectionSetting::Both, Direction::Neutral, false),
        ];
        for (setting, direction, expected) in cases {
            assert_eq!(is_enabled(setting, direction), expected, "{setting:?} {direction:?}");
        }
    }

    #[test]
    fn too_many_digits_are_an_error_and_not_a_wrong_number() {
        let weights = [Decimal::MAX, Decimal::MAX];
        assert_eq!(Combiner::compile(Combination::Majority, &weights), Err(CombineError));
    }
}
