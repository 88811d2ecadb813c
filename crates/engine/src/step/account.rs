//! Balances and funding.

use keyhold_domain::{Money, ReasonCode};

use crate::action::{Action, Note};
use crate::event::AccountView;
use crate::plan::Plan;
use crate::state::Inner;

/// A reading of the account that is not this much newer than our last fill may not know of it yet.
const GRACE_MS: i64 = 5000;

/// The account was read.
pub(super) fn refreshed(inner: &mut Inner, view: &AccountView, out: &mut Vec<Action>) {
    inner.balance = view.balance;
    let Some(position) = view.position else { return };
    if inner.asking.is_some() || inner.last_fill_at.is_some_and(|at| view.at.since_ms(at) < GRACE_MS) {
        return;
    }
    let ours = inner
        .holding
        .as_ref()
        .map_or(inner.foreign.get(), |holding| holding.size.get().saturating_add(inner.foreign.get()));
    if position.size.get() != ours {
        // Neither is believed before the venue was asked in one go.
        out.push(Action::Note(Note::Position(ReasonCode::PositionMismatch)));
        inner.ask(None);
    }
}

/// Funding was paid or received.
pub(super) fn funded(plan: &Plan, inner: &mut Inner, amount: &Money, out: &mut Vec<Action>) {
    if amount.asset != plan.instrument.settle {
        return;
    }
    let total = inner.realized.checked_add(amount.amount);
    let held = inner.holding.as_mut().map_or(Some(()), |holding| holding.fund(amount.amount));
    match (total, held) {
        (Some(total), Some(())) => inner.realized = total,
        (None, _) | (_, None) => out.push(Action::Note(Note::Overflow)),
    }
}

/// Funding of a position that has been closed since.
pub(super) fn funded_late(plan: &Plan, inner: &mut Inner, amount: &Money, out: &mut Vec<Action>) {
    if amount.asset != plan.instrument.settle {
        return;
    }
    match inner.realized.checked_add(amount.amount) {
        Some(total) => inner.realized = total,
        None => out.push(Action::Note(Note::Overflow)),
    }
}
