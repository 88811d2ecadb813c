//! How long messages travel, drawn from a seed.
//!
//! Knows no clock and waits for nothing: it only says how many milliseconds.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// The time between sending and arriving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum LatencyModel {
    /// At once.
    #[default]
    None,
    /// Always the same.
    Fixed {
        /// Milliseconds.
        ms: u32,
    },
    /// Any whole number of milliseconds between the two, each equally likely.
    Uniform {
        /// Smallest delay in milliseconds.
        min_ms: u32,
        /// Largest delay in milliseconds.
        max_ms: u32,
    },
}

impl LatencyModel {
    /// The next delay in milliseconds. Draws from `random` only when the model is random.
    pub fn draw(self, random: &mut Random) -> u32 {
        match self {
            Self::None => 0,
            Self::Fixed { ms } => ms,
            Self::Uniform { min_ms, max_ms } => {
                let span = u64::from(max_ms.saturating_sub(min_ms)) + 1;
                min_ms + u32::try_from(random.below(span)).unwrap_or(u32::MAX - min_ms)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_inside_their_bounds() {
        let mut random = Random::new(3);
        let model = LatencyModel::Uniform { min_ms: 5, max_ms: 9 };
        let drawn: Vec<_> = (0..200).map(|_| model.draw(&mut random)).collect();
        assert!(drawn.iter().all(|ms| (5..=9).contains(ms)));
        assert!(drawn.contains(&5) && drawn.contains(&9));
        assert_eq!(LatencyModel::Fixed { ms: 4 }.draw(&mut random), 4);
        assert_eq!(LatencyModel::None.draw(&mut random), 0);
    }
}
