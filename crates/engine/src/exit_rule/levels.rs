//! The price levels of one position: where its stop lies and where its targets lie. A stop only tightens.
//!
//! It knows neither orders nor candles; [`super::evaluate`] says when a level moves, [`crate::step`] rests it at the
//! venue.

use std::cmp::Ordering;

use keyhold_domain::exact::compare;
use keyhold_domain::money::decimal_text;
use keyhold_domain::{Decimal, Instrument, Price, ReasonCode, Rounding, Side};
use serde::{Deserialize, Serialize};

use super::{Distance, EntryStats, ExitPlan};

/// A stop's price and the rule that put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopLevel {
    /// On the tick.
    pub price: Price,
    /// The exit's reason when it is reached.
    pub reason: ReasonCode,
}

/// One target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// On the tick.
    pub price: Price,
    /// Share of the entered quantity to close there; greater than 0 up to 1.
    #[serde(with = "decimal_text")]
    pub share: Decimal,
    /// The quantity that is: the share of what was entered, on the lot.
    #[serde(with = "decimal_text")]
    pub quantity: Decimal,
    /// How much of it is closed already.
    #[serde(with = "decimal_text")]
    pub closed: Decimal,
}

/// The levels of one position.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// The tightest stop of all rules that set one.
    pub stop: Option<StopLevel>,
    /// Where the hard stop lay at entry; it defines the risk.
    pub initial_stop: Option<Price>,
    /// Nearest first.
    pub targets: Vec<Target>,
    /// The chandelier's ratchet; compared with closes only, so it needs no tick.
    pub chandelier: Option<f64>,
    /// Up to where break-even and trailing stop have followed.
    #[serde(skip)]
    pub followed: Followed,
}

/// The best price, the entry and the tick the stop was last computed from. No part of a position's memory: computing it
/// again from the same numbers gives the same stop.
#[derive(Debug, Clone, Copy, Default)]
pub struct Followed(Option<(Price, Price, Decimal)>);

impl Followed {
    /// Takes in the numbers; whether they are new.
    pub fn renew(&mut self, best: Price, entry: Price, tick: Decimal) -> bool {
        let numbers = Some((best, entry, tick));
        let new = self.0 != numbers;
        self.0 = numbers;
        new
    }
}

impl PartialEq for Followed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// `true` when `candidate` protects more than `current` does.
pub fn is_tighter(side: Side, candidate: Price, current: Price) -> bool {
    match side {
        Side::Buy => candidate > current,
        Side::Sell => candidate < current,
    }
}

/// `true` when a price at or beyond the level is among those traded: `low` for a long, `high` for a short.
pub fn is_reached(side: Side, level: Price, low: Price, high: Price) -> bool {
    match side {
        Side::Buy => low <= level,
        Side::Sell => high >= level,
    }
}

/// `entry` moved by `percent` in the position's favor (negative: against it), on the nearest tick.
pub fn at_percent(instrument: &Instrument, side: Side, entry: Price, percent: Decimal) -> Option<Price> {
    let step = side.sign().checked_mul(percent)?.checked_div(Decimal::ONE_HUNDRED)?;
    let raw = entry.get().checked_mul(Decimal::ONE.checked_add(step)?)?;
    instrument.price(raw, Rounding::Nearest)
}

/// `entry` moved by a distance that is itself rounded to ticks, at least one. `sign` says which way.
fn at_distance(instrument: &Instrument, entry: Price, distance: Decimal, sign: Decimal) -> Option<Price> {
    at_ticks(instrument, entry, Rounding::Nearest.to_step(distance, instrument.tick)?, sign)
}

/// The same for a distance that is a statistic.
fn at_float(instrument: &Instrument, entry: Price, distance: f64, sign: Decimal) -> Option<Price> {
    at_ticks(instrument, entry, nearest_ticks(distance, instrument.tick)?, sign)
}

fn at_ticks(instrument: &Instrument, entry: Price, distance: Decimal, sign: Decimal) -> Option<Price> {
    let distance =
        if compare(distance, instrument.tick) == Ordering::Less { instrument.tick } else { distance };
    let raw = entry.get().checked_add(sign.checked_mul(distance)?)?;
    instrument.price(raw, Rounding::Nearest)
}

/// A float on the nearest multiple of a tick, halves away from zero. `None` for what is no distance.
fn nearest_ticks(distance: f64, tick: Decimal) -> Option<Decimal> {
    if distance.is_nan() || distance < 0.0 {
        return None;
    }
    let exact = || {
        let ticks = whole_ticks(distance, u64::try_from(tick.mantissa()).ok()?, tick.scale())?;
        Decimal::try_from_i128_with_scale(ticks.checked_mul(tick.mantissa())?, tick.scale()).ok()
    };
    exact().or_else(|| Rounding::Nearest.to_step(Decimal::from_f64_retain(distance)?, tick))
}

/// How many ticks of `mantissa / 10^scale` a float is, from its bits: `m / 2^e` for `e` from 0 to 60, so that everything
/// below fits 128 bits and the rounding is that of the float's exact value. `None` for other floats.
fn whole_ticks(distance: f64, mantissa: u64, scale: u32) -> Option<i128> {
    const FRACTION_BITS: u32 = 52;
    const BIAS: u64 = 1075;
    let bits = distance.to_bits();
    let exponent = BIAS.checked_sub((bits >> FRACTION_BITS) & 0x7ff).filter(|exponent| *exponent <= 60)?;
    let fraction = (bits & ((1 << FRACTION_BITS) - 1)) | (1 << FRACTION_BITS);
    let above = u128::from(fraction) * 10_u128.checked_pow(scale).filter(|_| scale <= 22)?;
    let below = u128::from(mantissa) << exponent;
    let whole = above.checked_div(below)?;
    let rest = above - whole * below;
    i128::try_from(whole + u128::from(rest * 2 >= below)).ok()
}

impl Levels {
    /// Where the hard stop of a position entered at `entry` lies; `None` without one and when it could never be reached.
    pub fn hard_stop(
        plan: &ExitPlan,
        instrument: &Instrument,
        side: Side,
        entry: Price,
        stats: &EntryStats,
    ) -> Option<Price> {
        match plan.hard_stop? {
            Distance::Percent(pct) => at_percent(instrument, side, entry, -pct),
            Distance::Atr { multiple, .. } => {
                at_float(instrument, entry, stats.stop_atr? * multiple, -side.sign())
            }
            Distance::Risk(_) => None,
        }
    }

    /// The levels of a position just entered at `entry`, from what was known when it was decided.
    pub fn at_entry(
        plan: &ExitPlan,
        instrument: &Instrument,
        side: Side,
        entry: Price,
        stats: &EntryStats,
    ) -> Self {
        let mut levels = Self::default();
        let favor = side.sign();
        levels.initial_stop = Self::hard_stop(plan, instrument, side, entry, stats);
        if let Some(price) = levels.initial_stop {
            levels.tighten(side, StopLevel { price, reason: ReasonCode::ExitHardStop });
        }
        for target in &plan.targets {
            let price = match target.distance {
                Distance::Percent(pct) => at_percent(instrument, side, entry, pct),
                Distance::Atr { multiple, .. } => {
                    stats.target_atr.and_then(|atr| at_float(instrument, entry, atr * multiple, favor))
                }
                Distance::Risk(multiple) => levels.initial_stop.and_then(|stop| {
                    let risk = entry.get().checked_sub(stop.get())?.abs().checked_mul(multiple)?;
                    at_distance(instrument, entry, risk, favor)
                }),
            };
            if let Some(price) = price {
                levels.targets.push(Target {
                    price,
                    share: target.share,
                    quantity: Decimal::ZERO,
                    closed: Decimal::ZERO,
                });
            }
        }
        levels
    }

    /// Divides what was entered among the targets: down to the lot; when the shares are the whole, the last one takes
    /// what rounding has left.
    pub fn divide(&mut self, entered: Decimal, lot: Decimal) {
        let (mut shares, mut given) = (Decimal::ZERO, Decimal::ZERO);
        let last = self.targets.len().saturating_sub(1);
        for (index, target) in self.targets.iter_mut().enumerate() {
            shares = shares.saturating_add(target.share);
            let raw = entered.checked_mul(target.share).unwrap_or_default();
            target.quantity = Rounding::Down.to_step(raw, lot).unwrap_or_default();
            if index == last && shares >= Decimal::ONE {
                target.quantity = entered.saturating_sub(given);
            }
            given = given.saturating_add(target.quantity);
        }
    }

    /// Moves the stop when the candidate protects more; a looser one is forgotten. On equal prices the earlier
    /// rule in the order "worst first" keeps the name.
    pub fn tighten(&mut self, side: Side, candidate: StopLevel) {
        match self.stop {
            Some(current) if !is_tighter(side, candidate.price, current.price) => {}
            Some(_) | None => self.stop = Some(candidate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The float's exact value, rounded by decimals of 28 digits, is the same number of ticks.
    #[test]
    fn a_float_is_rounded_to_ticks_as_its_decimal_is() {
        let ticks = ["0.01", "0.1", "0.5", "0.05", "1", "0.000001", "0.0000000001", "2.5", "1000"];
        let mut state = 7_u64;
        for tick in ticks.map(|text| Decimal::from_str_exact(text).unwrap()) {
            let mut distances = vec![0.0, 0.005, 0.015, 0.25, 0.75, 1.25, 12.5, 1e-9, 1e9, 4e15, 9e15, 1e20];
            for _ in 0..2000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let unit = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX);
                distances.push(unit * 10_f64.powi(i32::try_from(state % 9).unwrap() - 4));
            }
            for distance in distances {
                let decimal = Decimal::from_f64_retain(distance).unwrap();
                let expected = Rounding::Nearest.to_step(decimal, tick);
                assert_eq!(nearest_ticks(distance, tick), expected, "{distance} in ticks of {tick}");
            }
        }
        assert_eq!(nearest_ticks(f64::NAN, Decimal::ONE), None);
        assert_eq!(nearest_ticks(-1.0, Decimal::ONE), None);
        assert_eq!(nearest_ticks(f64::INFINITY, Decimal::ONE), None);
    }
}
