//! The price levels of one position: where its stop lies and where its targets lie. A stop only tightens.
//!
//! It knows neither orders nor candles; [`super::evaluate`] says when a level moves, [`crate::step`] rests it at the
//! venue.

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

/// `entry` moved by a distance that is itself rounded to ticks, at least one. `in_favor` says which way.
fn at_distance(instrument: &Instrument, entry: Price, distance: Decimal, sign: Decimal) -> Option<Price> {
    let ticks = Rounding::Nearest.to_step(distance, instrument.tick)?.max(instrument.tick);
    let raw = entry.get().checked_add(sign.checked_mul(ticks)?)?;
    instrument.price(raw, Rounding::Nearest)
}

impl Levels {
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
        if let Some(hard) = plan.hard_stop {
            let price = match hard {
                Distance::Percent(pct) => at_percent(instrument, side, entry, -pct),
                Distance::Atr { multiple, .. } => atr_distance(stats.stop_atr, multiple)
                    .and_then(|distance| at_distance(instrument, entry, distance, -favor)),
                Distance::Risk(_) => None,
            };
            levels.initial_stop = price;
            if let Some(price) = price {
                levels.tighten(side, StopLevel { price, reason: ReasonCode::ExitHardStop });
            }
        }
        for target in &plan.targets {
            let price = match target.distance {
                Distance::Percent(pct) => at_percent(instrument, side, entry, pct),
                Distance::Atr { multiple, .. } => atr_distance(stats.target_atr, multiple)
                    .and_then(|distance| at_distance(instrument, entry, distance, favor)),
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

fn atr_distance(atr: Option<f64>, multiple: f64) -> Option<Decimal> {
    Decimal::from_f64_retain(atr? * multiple).filter(|distance| *distance >= Decimal::ZERO)
}
