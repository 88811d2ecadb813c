//! The question of an entry: everything that stands against it, the size, the order, and the record of it all.
//!
//! Every check is made and recorded although an earlier one blocks already; the first reason is the headline.

use std::convert::Infallible;
use std::ops::ControlFlow;

use keyhold_domain::{
    Decimal, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, ReasonCode, Side,
    TimeInForce,
};

use crate::action::Action;
use crate::combine::{Combined, is_enabled};
use crate::decision::{Block, Decision, Done, NamedReading};
use crate::exit_rule::Levels;
use crate::input::ClosedCandle;
use crate::limits::{self, LimitInputs};
use crate::order::{OrderState, Tracked};
use crate::plan::{Plan, Telling};
use crate::position::EntryIntent;
use crate::reading::{Check, Direction, Verdict};
use crate::settings::Recording;
use crate::sizing::{self, SizeInputs};
use crate::state::{Freshness, Inner, KeyUse, Running, Warming};
use crate::template::Role;

/// What has been found out about a candle before the question of an entry.
pub(super) struct Asked<'a> {
    pub(super) candle: &'a ClosedCandle,
    pub(super) combined: Combined,
    /// An exit that was decided on this candle.
    pub(super) exit: Option<ReasonCode>,
}

/// Answers the question and records the answer.
pub(super) fn decide(plan: &Plan, inner: &mut Inner, asked: &Asked<'_>, out: &mut Vec<Action>) {
    if asked.exit.is_none() && plan.settings.recording != Recording::Everything {
        // On most candles nothing is done and nothing recorded; then only the headline is looked for.
        let first = objections(plan, inner, asked, &mut |block| ControlFlow::Break(block.reason));
        if let ControlFlow::Break(headline) = first {
            let shown = Some((headline, asked.combined.direction));
            if plan.settings.recording == Recording::Actions || inner.last_shown == shown {
                note(inner, headline, asked.combined.direction, Done::Nothing);
                return;
            }
        }
    }
    answer(plan, inner, asked, out);
}

/// Counts a wanted entry that was rejected, and remembers the headline. The one before it.
#[inline]
fn note(
    inner: &mut Inner,
    headline: ReasonCode,
    wanted: Direction,
    done: Done,
) -> Option<(ReasonCode, Direction)> {
    if wanted != Direction::Neutral && done == Done::Nothing {
        reject(inner, headline);
    }
    inner.last_shown.replace((headline, wanted))
}

#[inline(never)]
fn reject(inner: &mut Inner, headline: ReasonCode) {
    *inner.rejected.entry(headline).or_default() += 1;
}

/// The answer with everything that belongs to it.
#[inline(never)]
fn answer(plan: &Plan, inner: &mut Inner, asked: &Asked<'_>, out: &mut Vec<Action>) {
    let mut blocks = Vec::new();
    let all: ControlFlow<Infallible> = objections(plan, inner, asked, &mut |block| {
        blocks.push(block);
        ControlFlow::Continue(())
    });
    debug_assert!(all.is_continue(), "nothing breaks it off");
    let mut done = match asked.exit {
        Some(reason) => Done::Exited { reason },
        None => Done::Nothing,
    };
    let mut entry = None;
    if blocks.is_empty() {
        match prepare(plan, inner, asked) {
            Ok(prepared) => {
                done = prepared.done();
                entry = Some(prepared);
            }
            Err(block) => blocks.push(block),
        }
    }
    let headline = match (done, blocks.first()) {
        (Done::Exited { reason }, _) => reason,
        (Done::Entered { .. }, _) => ReasonCode::Entered,
        (Done::Nothing, Some(block)) => block.reason,
        (Done::Nothing, None) => ReasonCode::NoSignal,
    };
    let wanted = asked.combined.direction;
    let shown = note(inner, headline, wanted, done);
    let recorded = match plan.settings.recording {
        Recording::Everything => true,
        Recording::Changes => done != Done::Nothing || shown != Some((headline, wanted)),
        Recording::Actions => done != Done::Nothing,
    };
    if recorded {
        let decision = || Box::new(record(plan, inner, asked, (blocks, headline, done)));
        match (plan.telling, &mut entry) {
            (Telling::Told, Some(entry)) => {
                let decision = decision();
                entry.decision = Some(decision.clone());
                out.push(Action::Record(decision));
            }
            (Telling::Told, None) => out.push(Action::Record(decision())),
            (Telling::Silent, Some(entry)) => entry.decision = Some(decision()),
            (Telling::Silent, None) => {}
        }
    }
    if let Some(entry) = entry {
        enter(inner, entry, asked.candle.candle.close, out);
    }
}

/// Everything that stands against an entry, in the order of evaluation, until `object` has heard enough.
fn objections<B>(
    plan: &Plan,
    inner: &Inner,
    asked: &Asked<'_>,
    object: &mut impl FnMut(Block) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if inner.freshness == Freshness::Stale {
        object(Block::plain(ReasonCode::StaleData))?;
    }
    let wanted = asked.combined.direction;
    readings(plan, inner, wanted, object)?;
    let closed_at = asked.candle.candle.close_time(plan.timeframe);
    if !plan.calendar.is_open(closed_at) {
        object(Block::plain(ReasonCode::OutsideSession))?;
    }
    let balance = inner.balance.as_ref();
    limits::blocks(plan, &LimitInputs { bot: &inner.bot, balance, closed_at, now: inner.now }, object)?;
    match inner.running {
        Running::Active => {}
        Running::Paused | Running::Stopping => object(Block::plain(ReasonCode::BotPaused))?,
    }
    match inner.key {
        KeyUse::Everything => {}
        KeyUse::ExitsOnly => object(Block::plain(ReasonCode::KeyInactive))?,
    }
    if inner.asking.is_some() {
        object(Block::plain(ReasonCode::Reconciling))?;
    }
    if !inner.foreign.is_flat() {
        let ours = inner.holding.is_some();
        let reason = if ours { ReasonCode::PositionMismatch } else { ReasonCode::PositionExternal };
        object(Block::plain(reason))?;
    }
    if inner.holding.is_some() {
        object(Block::plain(ReasonCode::PositionOpen))?;
    }
    let pending = |purpose| inner.book.with_purpose(purpose).next().is_some();
    if inner.intent.is_some() || pending(OrderPurpose::Entry) || pending(OrderPurpose::Exit) {
        object(Block::plain(ReasonCode::OrderPending))?;
    }
    ControlFlow::Continue(())
}

/// What the components say: warming up, the direction, filters, guards, gates.
fn readings<B>(
    plan: &Plan,
    inner: &Inner,
    wanted: Direction,
    object: &mut impl FnMut(Block) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let spoken = || plan.components.iter().zip(&inner.scratch.readings);
    let warming = match inner.scratch.warming {
        Warming::Up => usize::MAX,
        Warming::Done => 0,
    };
    for (planned, reading) in spoken().take(warming) {
        if reading.verdict == Verdict::WarmingUp {
            object(Block { component: Some(planned.index), ..Block::plain(ReasonCode::WarmingUp) })?;
        }
    }
    if !inner.stats.is_ready() || inner.candles_seen < plan.warmup_candles {
        let (seen, needed) = (inner.candles_seen.into(), plan.warmup_candles.into());
        object(Block::limit(ReasonCode::WarmingUp, seen, needed))?;
    }
    if wanted == Direction::Neutral {
        // A signal without data is neutral; it is named only where its word might have made a direction.
        for (planned, reading) in spoken().take(plan.signals) {
            if reading.verdict == Verdict::NoData {
                let component = Some(planned.index);
                object(Block { component, ..Block::plain(ReasonCode::DataMissing) })?;
            }
        }
        object(Block::plain(ReasonCode::NoSignal))?;
    } else if !is_enabled(plan.direction, wanted) {
        object(Block::plain(ReasonCode::DirectionDisabled))?;
    }
    for (planned, reading) in spoken().skip(plan.signals) {
        let reason = match planned.role {
            Role::Signal => continue,
            Role::Filter => ReasonCode::FilterBlocked,
            Role::EntryGuard => ReasonCode::GuardBlocked,
            Role::RiskGate => ReasonCode::GateBlocked,
        };
        let passes = match reading.verdict {
            Verdict::Check { long, short } => match wanted {
                Direction::Long => long == Check::Pass,
                Direction::Short => short == Check::Pass,
                Direction::Neutral => long == Check::Pass || short == Check::Pass,
            },
            // Without a verdict there is no permission; what is warming up has been named above.
            Verdict::WarmingUp => true,
            Verdict::NoData | Verdict::Signal { .. } => false,
        };
        if !passes {
            let reason = if reading.verdict == Verdict::NoData { ReasonCode::DataMissing } else { reason };
            let component = Some(planned.index);
            object(Block { reason, component, value: reading.value, limit: reading.limit })?;
        }
    }
    ControlFlow::Continue(())
}

/// An entry that nothing stands against.
struct Prepared {
    order: limits::Approved<NewOrder>,
    intent: EntryIntent,
    expected_stop: Option<Price>,
    decision: Option<Box<Decision>>,
}

impl Prepared {
    fn done(&self) -> Done {
        let order = self.order.get();
        Done::Entered {
            client_id: order.client_id,
            side: order.side,
            quantity: order.quantity,
            expected_stop: self.expected_stop.map(Price::get),
        }
    }
}

fn prepare(plan: &Plan, inner: &Inner, asked: &Asked<'_>) -> Result<Prepared, Block> {
    let price = asked.candle.candle.close;
    let side = match asked.combined.direction {
        Direction::Long => Side::Buy,
        Direction::Short => Side::Sell,
        Direction::Neutral => return Err(Block::plain(ReasonCode::NoSignal)),
    };
    let stats = inner.stats.now;
    let stop = Levels::hard_stop(&plan.exits, &plan.instrument, side, price, &stats);
    if plan.exits.hard_stop.is_some() && stop.is_none() {
        // The distance is larger than the price itself: such a stop could never be reached.
        return Err(Block::plain(ReasonCode::BelowMinimum));
    }
    let quantity = sizing::entry_quantity(&SizeInputs {
        instrument: &plan.instrument,
        settings: &plan.settings,
        balance: inner.balance.as_ref(),
        price,
        stop,
    })?;
    let order =
        entry_order(plan, inner, side, quantity, price).ok_or(Block::plain(ReasonCode::BelowMinimum))?;
    let order = limits::approve_entry(plan, &inner.bot, order, price)?;
    let intent = EntryIntent { decided_at: inner.now, price, stats, decision: None };
    Ok(Prepared { order, intent, expected_stop: stop, decision: None })
}

/// A market order; with a slippage limit, one that fills at once at the worst allowed price or not at all.
fn entry_order(plan: &Plan, inner: &Inner, side: Side, quantity: Quantity, price: Price) -> Option<NewOrder> {
    let kind = if plan.settings.limits.max_slippage_bps.is_some() {
        let price = limits::worst_entry_price(plan, side, price)?;
        OrderKind::Limit { price, time_in_force: TimeInForce::Ioc }
    } else {
        OrderKind::Market
    };
    Some(NewOrder {
        client_id: plan.ids.order_name(inner.sequence, OrderPurpose::Entry)?,
        symbol: plan.instrument.symbol,
        side,
        kind,
        quantity,
        effect: PositionEffect::Increase,
        purpose: OrderPurpose::Entry,
    })
}

/// The order is in the book, as in flight, before it is given out.
fn enter(inner: &mut Inner, entry: Prepared, price: Price, out: &mut Vec<Action>) {
    inner.sequence += 1;
    inner.book.add(Tracked {
        order: *entry.order.get(),
        state: OrderState::InFlight,
        filled: Decimal::ZERO,
        venue_filled: Decimal::ZERO,
        reason: ReasonCode::Entered,
        decided: price,
        decided_at: inner.now,
        target: None,
        attempts: 1,
        retry_at: None,
    });
    inner.intent = Some(EntryIntent { decision: entry.decision, ..entry.intent });
    out.push(Action::Place(entry.order));
}

fn record(
    plan: &Plan,
    inner: &Inner,
    asked: &Asked<'_>,
    (blocks, headline, done): (Vec<Block>, ReasonCode, Done),
) -> Decision {
    let candle = &asked.candle.candle;
    let named = plan.components.iter().zip(&inner.scratch.readings).map(|(planned, reading)| NamedReading {
        component: planned.index,
        kind: planned.kind.into(),
        role: planned.role,
        reading: finite(*reading),
    });
    Decision {
        symbol: plan.instrument.symbol,
        candle: candle.open_time,
        closed_at: candle.close_time(plan.timeframe),
        decided_at: inner.now,
        close: candle.close,
        readings: named.collect(),
        score: plan.combiner.score(&asked.combined),
        threshold: plan.combiner.threshold(),
        wanted: asked.combined.direction,
        blocks,
        headline,
        done,
        market: inner.market.clone().filter(|facts| facts.candle == candle.open_time),
    }
}

/// JSON has no infinity; a number that is none is left out of the record.
fn finite(mut reading: crate::reading::Reading) -> crate::reading::Reading {
    reading.value = reading.value.filter(|value| value.is_finite());
    reading.limit = reading.limit.filter(|limit| limit.is_finite());
    reading
}
