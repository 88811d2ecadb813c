//! The eight exit rules: what they need, which price levels they set, and when they close a position.
//!
//! Hard stop, break-even and trailing stop share one price level that only tightens; it rests at the venue as one
//! reduce-only stop order. The targets of the take profit rest as reduce-only limit orders. Chandelier, volatility,
//! time and flip are asked on each closed candle and leave by a reduce-only market order. Sources: the rules as
//! the product documents them; the chandelier is Charles Le Beau's (Elder, Come Into My Trading Room, 2002).

use keyhold_domain::Decimal;

pub mod compile;
pub mod evaluate;
pub mod levels;
pub mod stats;

pub use evaluate::{AtClose, Exit, Watch, evaluate};
pub use levels::{Levels, StopLevel, Target};
pub use stats::{EntryStats, Now, Stats};

/// The enabled exit rules of a template with their parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExitPlan {
    /// Fixed at entry.
    pub hard_stop: Option<Distance>,
    /// Nearest first; empty without a take profit.
    pub targets: Vec<TargetRule>,
    /// Follows the best price.
    pub trailing: Option<Trailing>,
    /// Moves the stop to the entry.
    pub break_even: Option<BreakEven>,
    /// Compared with closes.
    pub chandelier: Option<Chandelier>,
    /// Compares volatility now with that at entry.
    pub volatility: Option<Volatility>,
    /// Limits the age.
    pub time: Option<TimeStop>,
    /// Leaves when the combined direction turns.
    pub flip: Option<Flip>,
}

/// How far from the entry a level lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// Percent of the entry price.
    Percent(Decimal),
    /// Multiples of the average true range when the entry was decided.
    Atr {
        /// Candles of the average.
        period: u32,
        /// How many.
        multiple: f64,
    },
    /// Multiples of the distance to the hard stop. Never of a hard stop itself.
    Risk(Decimal),
}

impl Distance {
    /// The period of the average true range, when one is needed.
    pub const fn atr_period(self) -> Option<u32> {
        match self {
            Self::Atr { period, .. } => Some(period),
            Self::Percent(_) | Self::Risk(_) => None,
        }
    }
}

/// How far from an entry the levels lie by which its risk and its reward are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExitDistances {
    /// To the hard stop; `None` without one.
    pub stop: Option<Distance>,
    /// To the take profit, of a ladder to the mean of its steps weighted by their shares; `None` without one.
    pub target: Option<Distance>,
}

impl ExitDistances {
    /// A stand-in for exits that are not known: no rule finds fault with a stop in ATRs and a target in percent.
    pub const UNKNOWN: Self = Self {
        stop: Some(Distance::Atr { period: 14, multiple: 2.0 }),
        target: Some(Distance::Percent(Decimal::from_parts(4, 0, 0, false, 0))),
    };
}

impl ExitPlan {
    /// How far away the hard stop and the take profit lie.
    pub fn distances(&self) -> ExitDistances {
        let target = match self.targets.as_slice() {
            [] => None,
            [only] => Some(only.distance),
            steps => mean_of_steps(steps),
        };
        ExitDistances { stop: self.hard_stop, target }
    }
}

/// Only ladders have several steps, and theirs are in percent.
fn mean_of_steps(steps: &[TargetRule]) -> Option<Distance> {
    let (mut sum, mut shares) = (Decimal::ZERO, Decimal::ZERO);
    for step in steps {
        let Distance::Percent(percent) = step.distance else { return Some(step.distance) };
        sum = sum.checked_add(percent.checked_mul(step.share)?)?;
        shares = shares.checked_add(step.share)?;
    }
    sum.checked_div(shares).map(Distance::Percent)
}

/// One step of the take profit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetRule {
    /// How far from the entry.
    pub distance: Distance,
    /// Share of the position to close there; greater than 0 up to 1.
    pub share: Decimal,
}

/// A stop that follows the best price since entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trailing {
    /// Percent below the best price.
    pub distance_pct: Decimal,
    /// Armed once the best price has brought this profit in percent.
    pub activation_pct: Decimal,
}

/// A stop that moves to the entry once there was a profit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakEven {
    /// Armed once the best price has brought this profit in percent.
    pub activation_pct: Decimal,
    /// Percent beyond the entry, to cover fees.
    pub offset_pct: Decimal,
}

/// Highest high (lowest low) minus (plus) multiples of the average true range; closes beyond it leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chandelier {
    /// Candles looked back on, and of the average.
    pub period: u32,
    /// How many average true ranges.
    pub multiple: f64,
}

/// Leaves when volatility has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Volatility {
    /// Candles of the average true range.
    pub period: u32,
    /// How many times.
    pub multiple: f64,
    /// Which way.
    pub mode: VolatilityMode,
}

/// Which change of volatility leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolatilityMode {
    /// Grown to the multiple of that at entry, or one candle moved that far against the position.
    Expansion,
    /// Shrunk to the multiple's inverse.
    Contraction,
}

/// Leaves at an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeStop {
    /// Closed candles since entry.
    pub max_candles: u32,
    /// Only when the profit at the close is below this, in percent.
    pub only_below_pct: Option<Decimal>,
}

/// Leaves when the combined direction turns opposite; neutral does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip;
