//! A candle has closed: book-keeping, exits, components, combination, and then the question of an entry.

use keyhold_domain::{Decimal, ReasonCode, Timestamp};

use super::decide;
use crate::action::{Action, Note};
use crate::combine::Combined;
use crate::exit_rule::{AtClose, Exit, Watch, evaluate};
use crate::input::{ClosedCandle, Inputs};
use crate::plan::Plan;
use crate::reading::{Direction, Reading, Verdict};
use crate::settings::{Resting, WhenHit};
use crate::state::{Amount, Freshness, Inner, LastCandle, Retry, WantedExit, Warming};
use crate::template::SessionEnd;

/// The newest candle, counted from its open, is older than two intervals.
pub(super) fn is_stale(plan: &Plan, open_time: Timestamp, now: Timestamp) -> bool {
    now.since_ms(open_time) > 2 * plan.interval_ms()
}

/// Components learn from a candle of the past. Nothing is decided.
pub(super) fn warm_up(plan: &Plan, inner: &mut Inner, candle: &ClosedCandle) {
    learn(plan, inner, candle);
}

/// Components learn from a candle. A candle that is not newer than the last is forgotten.
#[allow(clippy::inline_always, reason = "two callers, one of them on every candle")]
#[inline(always)]
fn learn(plan: &Plan, inner: &mut Inner, candle: &ClosedCandle) -> Option<Combined> {
    let open_time = candle.candle.open_time;
    if inner.last.is_some_and(|last| open_time <= last.open_time) {
        return None;
    }
    inner.last = Some(LastCandle { open_time, close: candle.candle.close });
    inner.candles_seen = inner.candles_seen.saturating_add(1);
    let closed_at = candle.candle.close_time(plan.timeframe);
    let inputs = Inputs {
        candle,
        closed_at,
        funding_rate: inner.funding_rate,
        market: inner.market.as_deref().filter(|facts| facts.candle == open_time),
        facts: inner.facts.at(closed_at, plan.timeframe, inner.bot.last_exits),
    };
    let readings = &mut inner.scratch.readings;
    // Written in place; only the first candle finds too few places.
    if readings.len() != inner.components.len() {
        readings.resize(inner.components.len(), Reading::WARMING_UP);
    }
    let mut warming = Warming::Done;
    for (component, reading) in inner.components.iter_mut().zip(readings.iter_mut()) {
        component.read(&inputs, reading);
        if reading.verdict == Verdict::WarmingUp {
            warming = Warming::Up;
        }
    }
    inner.scratch.warming = warming;
    inner.stats.update(&candle.floats);
    let signals = readings.iter().take(plan.signals).map(direction);
    Some(plan.combiner.combine(signals))
}

/// A signal that is warming up or has no data is neutral.
fn direction(reading: &Reading) -> Direction {
    match reading.verdict {
        Verdict::Signal { direction } => direction,
        Verdict::WarmingUp | Verdict::NoData | Verdict::Check { .. } => Direction::Neutral,
    }
}

/// A candle has closed.
pub(super) fn closed(plan: &Plan, inner: &mut Inner, candle: &ClosedCandle, out: &mut Vec<Action>) {
    let open_time = candle.candle.open_time;
    if let Some(last) = inner.last {
        let expected = last.open_time.plus_ms(plan.interval_ms());
        if open_time > expected {
            out.push(Action::Note(Note::FeedGap { from: expected, until: open_time }));
        }
    }
    inner.facts.candle_closed();
    let Some(combined) = learn(plan, inner, candle) else { return };
    inner.freshness = if is_stale(plan, open_time, inner.now) { Freshness::Stale } else { Freshness::Fresh };
    inner.mark(plan, candle);
    let exit = exits(plan, inner, candle, combined.direction);
    decide::decide(plan, inner, &decide::Asked { candle, combined, exit }, out);
}

/// Exit rules, then what closes a position without being a rule. Nothing can stand before this.
fn exits(plan: &Plan, inner: &mut Inner, candle: &ClosedCandle, direction: Direction) -> Option<ReasonCode> {
    if inner.holding.is_some() { held_exits(plan, inner, candle, direction) } else { None }
}

#[inline(never)]
fn held_exits(
    plan: &Plan,
    inner: &mut Inner,
    candle: &ClosedCandle,
    direction: Direction,
) -> Option<ReasonCode> {
    let (stop, targets) = inner.watches();
    let stop = watched_by(plan.settings.protective_stop, stop);
    let targets = watched_by(plan.settings.take_profit, targets);
    let holding = inner.holding.as_mut()?;
    let (side, best) = (holding.side(), holding.best());
    let asked = evaluate(
        &plan.exits,
        &mut holding.levels,
        &AtClose {
            instrument: &plan.instrument,
            side,
            entry: holding.entry,
            candle,
            best,
            age: holding.candles,
            at_entry: &holding.intent.stats,
            now: &inner.stats.now,
            direction,
            stop,
            targets,
        },
    );
    let before = inner.exit.map(|exit| exit.reason);
    match asked {
        Some(Exit::Whole(reason)) => inner.leave(reason),
        Some(Exit::Targets(count)) => inner.take_targets(count),
        None => {}
    }
    end_session(plan, inner, candle.candle.close_time(plan.timeframe));
    if inner.bot.daily_loss.is_some()
        && plan.settings.limits.daily_loss.is_some_and(|limit| limit.when_hit == WhenHit::CloseAll)
    {
        inner.leave(ReasonCode::LimitDailyLoss);
    }
    let after = inner.exit.map(|exit| exit.reason);
    if after == before { None } else { after }
}

/// Where protective orders do not rest at the venue, the engine watches.
const fn watched_by(wanted: Resting, found: Watch) -> Watch {
    match wanted {
        Resting::AtVenue => found,
        Resting::InEngine => Watch::Engine,
    }
}

/// Leaves when the template closes positions at the end of a session and none is open now.
pub(super) fn end_session(plan: &Plan, inner: &mut Inner, now: Timestamp) {
    match plan.at_session_end {
        SessionEnd::Keep => {}
        SessionEnd::Close => {
            if inner.holding.is_some() && !plan.calendar.is_open(now) {
                inner.leave(ReasonCode::ExitSessionEnd);
            }
        }
    }
}

impl Inner {
    /// The position lives through a candle.
    fn mark(&mut self, plan: &Plan, candle: &ClosedCandle) {
        if self.holding.is_some() {
            self.mark_held(plan, candle);
        } else {
            self.unrealized = Decimal::ZERO;
        }
    }

    #[inline(never)]
    fn mark_held(&mut self, plan: &Plan, candle: &ClosedCandle) {
        let Some(holding) = &mut self.holding else { return };
        holding.candles = holding.candles.saturating_add(1);
        let bar = &candle.candle;
        // In the candle of a late entry the extremes may be older than the position.
        let late = holding.opened_at.since_ms(bar.open_time) > plan.interval_ms() / 20;
        if late && holding.candles == 1 {
            holding.seen(bar.close, bar.close);
        } else {
            holding.seen(bar.low, bar.high);
        }
        self.unrealized = holding.unrealized_or(&plan.instrument, bar.close, self.unrealized);
    }

    /// Decides to close the shares of the first targets, or everything when nothing would be left.
    fn take_targets(&mut self, count: usize) {
        let Some(holding) = &mut self.holding else { return };
        let mut part = Decimal::ZERO;
        for target in holding.levels.targets.iter_mut().take(count) {
            part = part.saturating_add((target.quantity - target.closed).max(Decimal::ZERO));
            target.closed = target.quantity;
        }
        if part <= Decimal::ZERO {
            return;
        }
        let held = holding.quantity();
        let decided = self.last.map_or(holding.entry, |last| last.close);
        match &mut self.exit {
            // The part before it is still being closed: both are.
            Some(WantedExit { amount: Amount::Part(left), .. }) if left.saturating_add(part) < held => {
                *left = left.saturating_add(part);
            }
            None if part < held => {
                self.exit = Some(WantedExit {
                    reason: ReasonCode::ExitTakeProfit,
                    decided,
                    decided_at: self.now,
                    amount: Amount::Part(part),
                    retry: Retry::default(),
                });
            }
            Some(_) | None => self.leave(ReasonCode::ExitTakeProfit),
        }
    }
}
