//! Fills: how a position comes to be, changes and ends.
//!
//! A fill is a fact even when the order's life says it cannot be: the money has moved. What is impossible is noted and
//! the venue is asked for the truth.

use keyhold_domain::{
    ClientOrderId, Decimal, Fill, OrderPurpose, Price, Quantity, ReasonCode, Side, TradeId,
};

use crate::action::{Action, Note};
use crate::exit_rule::{EntryStats, Levels};
use crate::plan::Plan;
use crate::position::{EntryIntent, ExitCause, Holding, TradeEnd, slippage_bps};
use crate::state::{Amount, Inner};

/// Foreign fills remembered until the venue's truth is known.
const MOST_STRANGE: usize = 16;

/// A part of an order was done.
pub(super) fn filled(plan: &Plan, inner: &mut Inner, fill: &Fill, out: &mut Vec<Action>) {
    if inner.book.is_known_fill(fill.fill_id) || fill.symbol != plan.instrument.symbol {
        return;
    }
    inner.last_fill_at = Some(inner.now);
    match fill.client_id {
        Some(id) if plan.ids.is_ours(id) => ours(plan, inner, (id, fill), out),
        Some(_) | None => foreign(plan, inner, fill, out),
    }
}

fn ours(plan: &Plan, inner: &mut Inner, (id, fill): (ClientOrderId, &Fill), out: &mut Vec<Action>) {
    let known = inner.book.get(id).map(|tracked| (tracked.reason, tracked.decided, tracked.target));
    if known.is_some() {
        let Some(input) = inner.book.count_fill(id, fill.fill_id, fill.quantity.get()) else {
            // More than the order asked for cannot have been filled: the same fill under another name.
            return;
        };
        if let Some(Err(error)) = inner.book.apply(id, input) {
            out.push(Action::Note(Note::ImpossibleNews { client_id: id, error }));
        }
    } else {
        inner.book.remember_fill(fill.fill_id);
    }
    // An order that is not known is older than our memory; its purpose is part of its name.
    let (reason, decided, target) = known.unwrap_or((forgotten_reason(id.purpose()), fill.price, None));
    let booked = match &inner.holding {
        Some(holding) if holding.side() != fill.side => {
            shrink(plan, inner, fill, (ExitCause { reason, decided }, target), out)
        }
        Some(_) | None if id.purpose() == OrderPurpose::Entry => enter(plan, inner, (id, fill), out),
        Some(_) | None => {
            // A reduce-only order had nothing to reduce: bot and venue see different positions.
            out.push(Action::Note(Note::Position(ReasonCode::PositionMismatch)));
            inner.ask(Some(id));
            Some(())
        }
    };
    if booked.is_none() {
        out.push(Action::Note(Note::Overflow));
        inner.ask(Some(id));
    }
}

const fn forgotten_reason(purpose: OrderPurpose) -> ReasonCode {
    match purpose {
        OrderPurpose::Entry => ReasonCode::Entered,
        OrderPurpose::Exit => ReasonCode::ExitFlatten,
        OrderPurpose::ProtectiveStop => ReasonCode::ExitHardStop,
        OrderPurpose::TakeProfit => ReasonCode::ExitTakeProfit,
    }
}

/// A part of an entry was done: a position begins or grows, and its levels follow its average price, tightening only.
fn enter(
    plan: &Plan,
    inner: &mut Inner,
    (id, fill): (ClientOrderId, &Fill),
    out: &mut Vec<Action>,
) -> Option<()> {
    inner.realized = inner.realized.checked_sub(own_fee(plan, fill))?;
    if let Some(holding) = &mut inner.holding {
        holding.grow(&plan.instrument, fill)?;
    } else {
        let intent = inner.intent.take().unwrap_or(EntryIntent {
            decided_at: fill.at,
            price: fill.price,
            stats: inner.stats.now,
            decision: None,
        });
        inner.holding = Holding::open(&plan.instrument, fill, intent, trade_id(plan, id));
        inner.holding.as_ref()?;
        if plan.at_session_end == crate::template::SessionEnd::Close
            && let Some(end) = plan.calendar.end_of(inner.now)
        {
            out.push(Action::WakeAt(end));
        }
    }
    let holding = inner.holding.as_mut()?;
    let stats: EntryStats = holding.intent.stats;
    let fresh = Levels::at_entry(&plan.exits, &plan.instrument, holding.side(), holding.entry, &stats);
    let side = holding.side();
    if let Some(stop) = fresh.stop {
        holding.levels.tighten(side, stop);
    }
    if holding.levels.initial_stop.is_none() {
        holding.levels.initial_stop = fresh.initial_stop;
    }
    // Targets may follow the average until one of them has been taken.
    if holding.levels.targets.iter().all(|target| target.closed.is_zero()) {
        holding.levels.targets = fresh.targets;
        let entered = holding.entered_quantity();
        holding.levels.divide(entered, plan.instrument.lot);
    }
    note_slippage(plan, (fill.side, holding.intent.price, fill.price), out);
    ask_about_opposed(inner);
    Some(())
}

/// A part of the position was closed by `fill`.
fn shrink(
    plan: &Plan,
    inner: &mut Inner,
    fill: &Fill,
    (cause, target): (ExitCause, Option<u16>),
    out: &mut Vec<Action>,
) -> Option<()> {
    let holding = inner.holding.as_mut()?;
    let part = Quantity::new(fill.quantity.get().min(holding.quantity())).ok()?;
    let excess = fill.quantity.get().checked_sub(part.get())?;
    let profit = holding.shrink(&plan.instrument, fill.price, part, cause)?;
    holding.charge(&plan.instrument, fill.fee)?;
    if let Some(target) = target.and_then(|index| holding.levels.targets.get_mut(usize::from(index))) {
        target.closed = target.closed.checked_add(part.get())?;
    }
    inner.realized = inner.realized.checked_add(profit)?.checked_sub(own_fee(plan, fill))?;
    if let Some(exit) = &mut inner.exit
        && let Amount::Part(left) = exit.amount
        && fill.client_id.is_some_and(|id| id.purpose() == OrderPurpose::Exit)
    {
        exit.amount = Amount::Part((left - part.get()).max(Decimal::ZERO));
    }
    note_slippage(plan, (fill.side, cause.decided, fill.price), out);
    if excess > Decimal::ZERO {
        out.push(Action::Note(Note::Position(ReasonCode::PositionMismatch)));
        inner.ask(fill.client_id);
    }
    value_rest(plan, inner);
    finish(plan, inner, (cause.reason, fill.at), out)
}

/// What is left is valued at the last close at once: what was closed is realized now and must not count twice.
fn value_rest(plan: &Plan, inner: &mut Inner) {
    if let Some(last) = inner.last {
        inner.value_at(plan, last.close);
    }
}

/// Closes the books when nothing is held any more.
pub(super) fn finish(
    plan: &Plan,
    inner: &mut Inner,
    (reason, at): (ReasonCode, keyhold_domain::Timestamp),
    out: &mut Vec<Action>,
) -> Option<()> {
    if inner.holding.as_ref().is_none_or(|holding| !holding.size.is_flat()) {
        return Some(());
    }
    inner.unrealized = Decimal::ZERO;
    inner.exit = None;
    inner.external = ReasonCode::ExitExternal;
    inner.stop_retry = crate::state::Retry::default();
    inner.target_retry = crate::state::Retry::default();
    let holding = inner.holding.as_mut()?;
    let end = TradeEnd { side: holding.side(), reason, at };
    let trade = holding.take_trade(&plan.ids, &plan.instrument, end);
    // The position is over even where its record does not fit into 28 digits.
    inner.holding = None;
    let trade = trade?;
    inner.facts.candles_since_exit = Some(0);
    if trade.net < Decimal::ZERO {
        inner.facts.candles_since_loss = Some(0);
    }
    out.push(Action::TradeClosed(Box::new(trade)));
    Some(())
}

/// A fill of somebody else's order in our instrument.
fn foreign(plan: &Plan, inner: &mut Inner, fill: &Fill, out: &mut Vec<Action>) {
    inner.book.remember_fill(fill.fill_id);
    out.push(Action::Note(Note::ForeignFill(fill.into())));
    let closes_ours =
        inner.holding.as_ref().is_some_and(|holding| holding.side() != fill.side) && inner.foreign.is_flat();
    if !closes_ours {
        let signed = keyhold_domain::SignedQuantity::of(fill.side, fill.quantity);
        inner.foreign = keyhold_domain::SignedQuantity::new(inner.foreign.get().saturating_add(signed.get()));
        if inner.strange.len() >= MOST_STRANGE {
            inner.strange.remove(0);
        }
        inner.strange.push(*fill);
        ask_about_opposed(inner);
        return;
    }
    out.push(Action::Note(Note::Position(match inner.external {
        ReasonCode::Liquidated => ReasonCode::Liquidated,
        _ => ReasonCode::PositionClosedExternally,
    })));
    if close_by_foreign(plan, inner, fill, out).is_none() {
        out.push(Action::Note(Note::Overflow));
        inner.ask(None);
    }
}

/// A venue knows one net position: ours and one against it are not both there. What was taken for foreign has closed a
/// part of ours, and the venue is asked how much.
fn ask_about_opposed(inner: &mut Inner) {
    if inner.is_opposed() {
        inner.ask(None);
    }
}

/// A part of our position was closed by somebody else's fill. `None` on overflow.
pub(super) fn close_by_foreign(
    plan: &Plan,
    inner: &mut Inner,
    fill: &Fill,
    out: &mut Vec<Action>,
) -> Option<()> {
    let cause = ExitCause { reason: inner.external, decided: fill.price };
    shrink(plan, inner, fill, (cause, None), out)
}

/// Takes a quantity off the position at a price at which nobody has told us a fill.
pub(super) fn close_outside(
    plan: &Plan,
    inner: &mut Inner,
    (quantity, price): (Decimal, Price),
    out: &mut Vec<Action>,
) -> Option<()> {
    let reason = inner.external;
    let holding = inner.holding.as_mut()?;
    let part = Quantity::new(quantity.min(holding.quantity())).ok()?;
    let profit = holding.shrink(&plan.instrument, price, part, ExitCause { reason, decided: price })?;
    inner.realized = inner.realized.checked_add(profit)?;
    value_rest(plan, inner);
    let now = inner.now;
    finish(plan, inner, (reason, now), out)
}

fn own_fee(plan: &Plan, fill: &Fill) -> Decimal {
    if fill.fee.asset == plan.instrument.settle { fill.fee.amount } else { Decimal::ZERO }
}

fn note_slippage(plan: &Plan, (side, decided, done): (Side, Price, Price), out: &mut Vec<Action>) {
    let Some(limit) = plan.settings.limits.max_slippage_bps else { return };
    let bps = slippage_bps(side, decided, done);
    if bps > limit {
        let whole = i64::try_from(bps.ceil()).unwrap_or(i64::MAX);
        out.push(Action::Note(Note::Slippage { bps: whole }));
    }
}

/// 50 bits of the bot, then slot, epoch and sequence of the first order: the same trade has the same id.
fn trade_id(plan: &Plan, id: ClientOrderId) -> TradeId {
    let tag = u128::from(ClientOrderId::bot_tag(plan.ids.bot));
    let name = (u128::from(id.slot()) << 55) | (u128::from(id.epoch()) << 30) | u128::from(id.sequence());
    TradeId::from_u128((tag << 65) | name)
}
