//! The venue's truth: what was in flight gets an end or goes on, what differs is booked, reported or left alone.
//!
//! Positions that are not ours are never touched.

use keyhold_domain::{
    ClientOrderId, Decimal, Fill, Money, OpenOrder, Price, Quantity, ReasonCode, SignedQuantity,
};

use super::{fills, news};
use crate::action::{Action, Note};
use crate::event::Reconciliation;
use crate::order::{OrderInput, OrderState};
use crate::plan::Plan;
use crate::state::{Asking, Inner, Retry};

/// Foreign fills that are not older are remembered after an answer: a stream may still tell of them.
const LATE_NEWS_MS: i64 = 60_000;

/// The program has started again: the outcome of what was in flight is unknown.
pub(super) fn restarted(inner: &mut Inner) {
    let in_flight: Vec<ClientOrderId> = inner
        .book
        .live()
        .iter()
        .filter(|tracked| tracked.state == OrderState::InFlight)
        .map(|tracked| tracked.order.client_id)
        .collect();
    for id in in_flight {
        if let Some(Err(error)) = inner.book.apply(id, OrderInput::Lost) {
            debug_assert!(false, "the table has this row: {error}");
        }
    }
    inner.asking = Some(Asking { client_id: None, retry: Retry::default() });
}

/// The venue has answered for this instrument.
pub(super) fn reconciled(plan: &Plan, inner: &mut Inner, truth: &Reconciliation, out: &mut Vec<Action>) {
    for fill in &truth.fills {
        // The position in the same answer settles what foreign fills have done.
        if fill.client_id.is_some_and(|id| plan.ids.is_ours(id)) {
            fills::filled(plan, inner, fill, out);
        }
    }
    inner.asking = None;
    inner.doubt_at = None;
    orders(plan, inner, truth, out);
    inner.book.trust_fills();
    position(plan, inner, truth, out);
    for fill in foreign_fills(plan, truth) {
        if truth.at.since_ms(fill.at) < LATE_NEWS_MS && !inner.book.is_known_fill(fill.fill_id) {
            inner.book.remember_fill(fill.fill_id);
        }
    }
}

/// Fills in the answer that are of no order of ours.
fn foreign_fills<'a>(plan: &'a Plan, truth: &'a Reconciliation) -> impl Iterator<Item = &'a Fill> {
    truth.fills.iter().filter(|fill| {
        fill.symbol == plan.instrument.symbol && fill.client_id.is_none_or(|id| !plan.ids.is_ours(id))
    })
}

fn orders(plan: &Plan, inner: &mut Inner, truth: &Reconciliation, out: &mut Vec<Action>) {
    let resting = |id: ClientOrderId| truth.open_orders.iter().find(|order| order.client_id == Some(id));
    let live: Vec<_> = inner.book.live().to_vec();
    for tracked in live {
        let id = tracked.order.client_id;
        match resting(id) {
            // A cancel whose outcome is not known is asked again.
            Some(_) if tracked.state == OrderState::Canceling => {
                news::apply(inner, id, OrderInput::CancelFailed, out);
            }
            Some(_) => news::apply(inner, id, OrderInput::Accepted, out),
            None if tracked.state == OrderState::Waiting => {}
            None => {
                news::apply(inner, id, OrderInput::NotFound, out);
                news::ended(inner, id, (tracked.state, None), out);
            }
        }
    }
    for order in &truth.open_orders {
        if let Some(id) = orphan(plan, inner, order) {
            out.push(Action::Note(Note::OrphanOrder { client_id: id }));
            out.push(Action::Cancel(id));
        }
    }
}

/// An order with our name that the book does not hold as living.
fn orphan(plan: &Plan, inner: &Inner, order: &OpenOrder) -> Option<ClientOrderId> {
    let id = order.client_id.filter(|id| plan.ids.is_ours(*id))?;
    let held = inner.book.get(id).is_some_and(crate::order::Tracked::is_live);
    (!held).then_some(id)
}

/// Compares the position. What is missing was closed outside and is booked; what is too much is not ours.
fn position(plan: &Plan, inner: &mut Inner, truth: &Reconciliation, out: &mut Vec<Action>) {
    let venue = truth.position.map_or(Decimal::ZERO, |position| position.size.get());
    let ours = inner.holding.as_ref().map_or(Decimal::ZERO, |holding| holding.size.get());
    if venue == ours.saturating_add(inner.foreign.get()) && !inner.is_opposed() {
        inner.strange.clear();
        return;
    }
    let same_side = SignedQuantity::new(venue).side() == SignedQuantity::new(ours).side();
    let missing = if ours.is_zero() {
        Decimal::ZERO
    } else if same_side {
        (ours.abs() - venue.abs()).max(Decimal::ZERO)
    } else {
        ours.abs()
    };
    if missing > Decimal::ZERO {
        out.push(Action::Note(Note::Position(ReasonCode::PositionClosedExternally)));
        if close_missing(plan, inner, (truth, missing), out).is_none() {
            out.push(Action::Note(Note::Overflow));
        }
    }
    let left = inner.holding.as_ref().map_or(Decimal::ZERO, |holding| holding.size.get());
    inner.foreign = SignedQuantity::new(venue.saturating_sub(left));
    inner.strange.clear();
    if !inner.foreign.is_flat() {
        let reason = if left.is_zero() { ReasonCode::PositionExternal } else { ReasonCode::PositionMismatch };
        out.push(Action::Note(Note::Position(reason)));
    }
}

/// Books what was closed outside: by the newest foreign fills that can have done it, and the rest, of which no fill tells,
/// by the mark. `None` on overflow.
fn close_missing(
    plan: &Plan,
    inner: &mut Inner,
    (truth, missing): (&Reconciliation, Decimal),
    out: &mut Vec<Action>,
) -> Option<()> {
    let mut left = missing;
    let mut parts = Vec::new();
    if let Some(holding) = &inner.holding {
        let closes = |fill: &&Fill| fill.side != holding.side() && fill.at >= holding.opened_at;
        let new = foreign_fills(plan, truth).filter(|fill| !inner.book.is_known_fill(fill.fill_id));
        let mut closing: Vec<Fill> = new.chain(&inner.strange).filter(closes).copied().collect();
        closing.sort_by_key(|fill| fill.at);
        for fill in closing.iter().rev() {
            let Ok(part) = Quantity::new(left.min(fill.quantity.get())) else { break };
            left = left.checked_sub(part.get())?;
            parts.push(part_of(fill, part)?);
        }
    }
    for fill in parts.iter().rev() {
        inner.book.remember_fill(fill.fill_id);
        fills::close_by_foreign(plan, inner, fill, out)?;
    }
    if left > Decimal::ZERO
        && let Some(price) = closing_price(inner, truth)
    {
        fills::close_outside(plan, inner, (left, price), out)?;
    }
    Some(())
}

/// A part of a fill with its share of the fee. `None` on overflow.
fn part_of(fill: &Fill, part: Quantity) -> Option<Fill> {
    if part == fill.quantity {
        return Some(*fill);
    }
    let share = fill.fee.amount.checked_mul(part.get())?.checked_div(fill.quantity.get())?;
    Some(Fill { quantity: part, fee: Money::new(share, fill.fee.asset), ..*fill })
}

impl Inner {
    /// Whether what is taken for foreign lies against our position.
    pub(super) fn is_opposed(&self) -> bool {
        self.holding
            .as_ref()
            .is_some_and(|holding| self.foreign.side().is_some_and(|side| side != holding.side()))
    }
}

/// Nobody tells at which price it was closed: the mark, else the last close, else the entry.
fn closing_price(inner: &Inner, truth: &Reconciliation) -> Option<Price> {
    truth
        .position
        .and_then(|position| position.mark)
        .or(inner.last.map(|last| last.close))
        .or(inner.holding.as_ref().map(|holding| holding.entry))
}
