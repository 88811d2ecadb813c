//! Asks every exit rule on a closed candle. Nothing can stand before this: no session, limit, pause or filter is known
//! here.
//!
//! Reasons are tried worst first: hard stop, break-even, trailing, chandelier, take profit, volatility, time, flip.
//! Levels that follow from this candle's extreme hold from the next candle on.

use keyhold_domain::{Decimal, Instrument, Price, ReasonCode, Side};

use super::levels::{Levels, StopLevel, Target, at_percent, is_reached};
use super::{EntryStats, ExitPlan, Now, Volatility, VolatilityMode};
use crate::input::ClosedCandle;
use crate::reading::Direction;

/// Who watches a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// A working order at the venue.
    Venue,
    /// An order that has been sent and not been answered: the answer says more than this candle does.
    OnItsWay,
    /// Only this evaluation.
    Engine,
}

/// A position as its rules see it on a closed candle.
#[derive(Debug, Clone, Copy)]
pub struct AtClose<'a> {
    /// The instrument.
    pub instrument: &'a Instrument,
    /// `buy` for a long position.
    pub side: Side,
    /// Average entry price.
    pub entry: Price,
    /// The candle that has just closed.
    pub candle: &'a ClosedCandle,
    /// Highest price for a long, lowest for a short, since entry, this candle included.
    pub best: Price,
    /// Candles closed since entry, this one included.
    pub age: u32,
    /// Statistics when the entry was decided.
    pub at_entry: &'a EntryStats,
    /// Statistics now.
    pub now: &'a Now,
    /// The combined direction now.
    pub direction: Direction,
    /// Who watches the stop.
    pub stop: Watch,
    /// Who watches the targets.
    pub targets: Watch,
}

/// An exit that a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The whole position.
    Whole(ReasonCode),
    /// The targets reached so far, by their number; what is left stays.
    Targets(usize),
}

/// Moves the levels and says whether a rule closes the position.
pub fn evaluate(plan: &ExitPlan, levels: &mut Levels, at: &AtClose<'_>) -> Option<Exit> {
    let before = levels.stop;
    follow(plan, levels, at);
    let stop = before.filter(|stop| stop_hit(*stop, at)).or_else(|| {
        // A level that this candle's extreme has moved past the close is left behind already.
        let moved = levels.stop.filter(|stop| Some(*stop) != before);
        moved.filter(|stop| is_behind(at.side, stop.price, at.candle.candle.close))
    });
    if let Some(stop) = stop {
        return Some(Exit::Whole(stop.reason));
    }
    if chandelier(plan, levels, at) {
        return Some(Exit::Whole(ReasonCode::ExitChandelier));
    }
    if let Some(exit) = targets(levels, at) {
        return Some(exit);
    }
    if plan.volatility.is_some_and(|rule| volatility(rule, at)) {
        return Some(Exit::Whole(ReasonCode::ExitVolatility));
    }
    if plan.time.is_some_and(|rule| {
        let low_profit =
            rule.only_below_pct.is_none_or(|below| profit_pct(at, at.candle.candle.close) < Some(below));
        at.age >= rule.max_candles && low_profit
    }) {
        return Some(Exit::Whole(ReasonCode::ExitTimeStop));
    }
    let opposite = match at.side {
        Side::Buy => Direction::Short,
        Side::Sell => Direction::Long,
    };
    (plan.flip.is_some() && at.direction == opposite).then_some(Exit::Whole(ReasonCode::ExitSignalFlip))
}

/// Whether what the first targets close can be an order. A share too small for one waits for the next target, unless
/// there is none.
fn is_an_order(levels: &Levels, count: usize, instrument: &Instrument) -> bool {
    let open = |target: &Target| (target.quantity - target.closed).max(Decimal::ZERO);
    let part: Decimal = levels.targets.iter().take(count).map(open).sum();
    let later: Decimal = levels.targets.iter().skip(count).map(open).sum();
    part >= instrument.min_quantity.get() || later.is_zero()
}

fn stop_hit(stop: StopLevel, at: &AtClose<'_>) -> bool {
    let candle = &at.candle.candle;
    match at.stop {
        Watch::OnItsWay => false,
        Watch::Engine => is_reached(at.side, stop.price, candle.low, candle.high),
        // The venue watches the touch. A close beyond the level means that its order did not do its work.
        Watch::Venue => is_behind(at.side, stop.price, candle.close),
    }
}

/// The close lies beyond the level.
fn is_behind(side: Side, level: Price, close: Price) -> bool {
    match side {
        Side::Buy => close < level,
        Side::Sell => close > level,
    }
}

/// Profit at a price in percent of the entry price, not multiplied by leverage.
fn profit_pct(at: &AtClose<'_>, price: Price) -> Option<Decimal> {
    let change = price.get().checked_sub(at.entry.get())?.checked_mul(Decimal::ONE_HUNDRED)?;
    at.side.sign().checked_mul(change)?.checked_div(at.entry.get())
}

/// Break-even and trailing stops follow the best price.
fn follow(plan: &ExitPlan, levels: &mut Levels, at: &AtClose<'_>) {
    if plan.break_even.is_none() && plan.trailing.is_none() {
        return;
    }
    if !levels.followed.renew(at.best, at.entry, at.instrument.tick) {
        return;
    }
    let Some(best) = profit_pct(at, at.best) else { return };
    if let Some(rule) = plan.break_even
        && best >= rule.activation_pct
        && let Some(price) = at_percent(at.instrument, at.side, at.entry, rule.offset_pct)
    {
        levels.tighten(at.side, StopLevel { price, reason: ReasonCode::ExitBreakEven });
    }
    if let Some(rule) = plan.trailing
        && best >= rule.activation_pct
        && let Some(price) = at_percent(at.instrument, at.side, at.best, -rule.distance_pct)
    {
        levels.tighten(at.side, StopLevel { price, reason: ReasonCode::ExitTrailingStop });
    }
}

fn chandelier(plan: &ExitPlan, levels: &mut Levels, at: &AtClose<'_>) -> bool {
    let (Some(rule), Some((high, low, atr))) = (plan.chandelier, at.now.chandelier) else { return false };
    let close = at.candle.floats.close;
    match at.side {
        Side::Buy => {
            let level = high - rule.multiple * atr;
            let level = levels.chandelier.map_or(level, |held| held.max(level));
            levels.chandelier = Some(level);
            close < level
        }
        Side::Sell => {
            let level = low + rule.multiple * atr;
            let level = levels.chandelier.map_or(level, |held| held.min(level));
            levels.chandelier = Some(level);
            close > level
        }
    }
}

fn targets(levels: &Levels, at: &AtClose<'_>) -> Option<Exit> {
    if at.targets != Watch::Engine {
        return None;
    }
    let candle = &at.candle.candle;
    // A target is reached from the other side than a stop.
    let reached = |price: Price| is_reached(at.side.opposite(), price, candle.low, candle.high);
    let count = levels.targets.iter().filter(|target| reached(target.price)).count();
    // A target that has been taken is reached again and again; nothing is left of it that could close anything.
    let open = levels.targets.iter().take(count).any(|target| target.closed < target.quantity);
    (open && is_an_order(levels, count, at.instrument)).then_some(Exit::Targets(count))
}

fn volatility(rule: Volatility, at: &AtClose<'_>) -> bool {
    let (Some(now), Some(entry)) = (at.now.volatility_atr, at.at_entry.volatility_atr) else { return false };
    let candle = &at.candle.floats;
    match rule.mode {
        VolatilityMode::Expansion => {
            let adverse = match at.side {
                Side::Buy => candle.open - candle.low,
                Side::Sell => candle.high - candle.open,
            };
            now >= rule.multiple * entry || adverse >= rule.multiple * now
        }
        VolatilityMode::Contraction => now * rule.multiple <= entry,
    }
}
