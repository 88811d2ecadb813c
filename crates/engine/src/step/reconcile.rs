//! The venue's truth: what was in flight gets an end or goes on, what differs is booked, reported or left alone.
//!
//! Positions that are not ours are never touched.

use keyhold_domain::{ClientOrderId, Decimal, OpenOrder, Price, ReasonCode, SignedQuantity};

use super::{fills, news};
use crate::action::{Action, Note};
use crate::event::Reconciliation;
use crate::order::{OrderInput, OrderState};
use crate::plan::Plan;
use crate::state::{Asking, Inner, Retry};

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
    if venue == ours.saturating_add(inner.foreign.get()) {
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
        let price = closing_price(inner, truth);
        if let Some(price) = price
            && fills::close_outside(plan, inner, (missing, price), out).is_none()
        {
            out.push(Action::Note(Note::Overflow));
        }
    }
    let left = inner.holding.as_ref().map_or(Decimal::ZERO, |holding| holding.size.get());
    inner.foreign = SignedQuantity::new(venue.saturating_sub(left));
    if !inner.foreign.is_flat() {
        let reason = if left.is_zero() { ReasonCode::PositionExternal } else { ReasonCode::PositionMismatch };
        out.push(Action::Note(Note::Position(reason)));
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
