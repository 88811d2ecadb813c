//! The statistics exit rules look at, updated on every candle whether or not a position is open.

use serde::{Deserialize, Serialize};

use super::ExitPlan;
use crate::indicator::{Atr, RollingHigh, RollingLow};
use crate::input::Ohlcv;

/// Streaming statistics of the rules that need them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    stop: Option<Atr>,
    /// Only when its period differs from the stop's; otherwise one average serves both.
    target: Option<Atr>,
    volatility: Option<Atr>,
    chandelier: Option<Extremes>,
    /// What they said on the newest candle.
    pub now: Now,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Extremes {
    atr: Atr,
    high: RollingHigh,
    low: RollingLow,
}

impl Extremes {
    #[inline(never)]
    fn update(&mut self, candle: &Ohlcv) -> Option<(f64, f64, f64)> {
        let atr = self.atr.update(candle);
        let high = self.high.update(candle.high);
        let low = self.low.update(candle.low);
        Some((high?, low?, atr?))
    }
}

#[inline(never)]
fn update(atr: &mut Atr, candle: &Ohlcv) -> Option<f64> {
    atr.update(candle)
}

/// Values on the newest candle; `None` while warming up or when no rule needs them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Now {
    /// Average true range of the hard stop.
    pub stop_atr: Option<f64>,
    /// Average true range of the take profit; that of the hard stop when it has none of its own.
    pub target_atr: Option<f64>,
    /// Average true range of the volatility exit.
    pub volatility_atr: Option<f64>,
    /// Highest high, lowest low and average true range of the chandelier.
    pub chandelier: Option<(f64, f64, f64)>,
}

/// Values kept from the decision that led to a position.
pub type EntryStats = Now;

impl Stats {
    /// Empty statistics for the rules of a plan.
    pub fn new(plan: &ExitPlan) -> Self {
        let stop = plan.hard_stop.and_then(super::Distance::atr_period);
        let target = plan.targets.iter().find_map(|target| target.distance.atr_period());
        Self {
            stop: stop.map(Atr::new),
            target: target.filter(|_| target != stop).map(Atr::new),
            volatility: plan.volatility.map(|rule| Atr::new(rule.period)),
            chandelier: plan.chandelier.map(|rule| Extremes {
                atr: Atr::new(rule.period),
                high: RollingHigh::new(rule.period),
                low: RollingLow::new(rule.period),
            }),
            now: Now::default(),
        }
    }

    /// Takes in a closed candle. What most templates do not have stands out of line.
    #[inline]
    pub fn update(&mut self, candle: &Ohlcv) {
        self.now.stop_atr = self.stop.as_mut().and_then(|atr| atr.update(candle));
        self.now.target_atr = match &mut self.target {
            Some(atr) => update(atr, candle),
            None => self.now.stop_atr,
        };
        if let Some(atr) = &mut self.volatility {
            self.now.volatility_atr = update(atr, candle);
        }
        if let Some(extremes) = &mut self.chandelier {
            self.now.chandelier = extremes.update(candle);
        }
    }

    /// Whether a position could be given all its levels now.
    pub fn is_ready(&self) -> bool {
        (self.stop.is_none() || self.now.stop_atr.is_some())
            && (self.target.is_none() || self.now.target_atr.is_some())
            && (self.volatility.is_none() || self.now.volatility_atr.is_some())
    }
}
