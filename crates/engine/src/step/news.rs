//! News of orders: what the venue says about them and what became of our requests.

use keyhold_domain::{ClientOrderId, OrderPurpose, OrderUpdate, RefusalCode};

use crate::action::{Action, Note};
use crate::event::{Outcome, Request};
use crate::exit_rule::Watch;
use crate::exit_rule::levels::is_reached;
use crate::order::{Book, OrderInput, OrderState};
use crate::plan::Plan;
use crate::state::{Inner, Retry};

/// How often an entry is given out before it is given up. Its price is old by then.
const MOST_ENTRY_ATTEMPTS: u32 = 3;
/// How long news of fills may be late.
const DOUBT_MS: i64 = 3000;

/// The venue tells of an order.
pub(super) fn updated(plan: &Plan, inner: &mut Inner, update: &OrderUpdate, out: &mut Vec<Action>) {
    let id = update.client_id;
    if !plan.ids.is_ours(id) {
        return;
    }
    let Some(tracked) = inner.book.get_mut(id) else { return };
    tracked.venue_filled = tracked.venue_filled.max(update.filled);
    let missing = !tracked.venue_filled.is_zero() && tracked.venue_filled > tracked.filled;
    let was = tracked.state;
    apply(inner, id, Book::input_of(update.status), out);
    if missing && inner.doubt_at.is_none() {
        let at = inner.now.plus_ms(DOUBT_MS);
        inner.doubt_at = Some(at);
        out.push(Action::WakeAt(at));
    }
    resolve(inner, id);
    ended(inner, id, (was, update.refusal), out);
}

/// A request was answered, or not.
pub(super) fn outcome(
    plan: &Plan,
    inner: &mut Inner,
    id: ClientOrderId,
    (request, outcome): (Request, Outcome),
    out: &mut Vec<Action>,
) {
    if !plan.ids.is_ours(id) {
        return;
    }
    let Some(was) = inner.book.get(id).map(|tracked| tracked.state) else { return };
    match (request, outcome) {
        (Request::Place, Outcome::Accepted) => {
            apply(inner, id, OrderInput::Accepted, out);
            resolve(inner, id);
        }
        (Request::Place, Outcome::Refused { code: RefusalCode::DuplicateClientOrderId }) => {
            // It was sent twice and the first arrived: what became of that one is to be asked.
            apply(inner, id, OrderInput::Lost, out);
            inner.ask(Some(id));
        }
        (Request::Place, Outcome::Refused { code }) => {
            apply(inner, id, OrderInput::Refused, out);
            ended(inner, id, (was, Some(code)), out);
        }
        (Request::Place, Outcome::Unknown) => {
            apply(inner, id, OrderInput::Lost, out);
            if inner.book.get(id).is_some_and(|tracked| tracked.state == OrderState::Unknown) {
                inner.ask(Some(id));
            }
        }
        (Request::Place, Outcome::NotSent) => not_sent(inner, id, out),
        // The end itself is told by the stream.
        (Request::Cancel, Outcome::Accepted) => {}
        (Request::Cancel, Outcome::Refused { code: RefusalCode::OrderNotFound }) => {
            apply(inner, id, OrderInput::NotFound, out);
            inner.doubt(out);
        }
        (Request::Cancel, Outcome::Refused { .. } | Outcome::NotSent) => {
            apply(inner, id, OrderInput::CancelFailed, out);
            postpone(inner, id, out);
        }
        (Request::Cancel, Outcome::Unknown) => inner.ask(Some(id)),
    }
}

impl Inner {
    /// Fills may be on their way: when they do not come, the venue is asked.
    fn doubt(&mut self, out: &mut Vec<Action>) {
        if self.doubt_at.is_none() && self.book.misses_fills() {
            let at = self.now.plus_ms(DOUBT_MS);
            self.doubt_at = Some(at);
            out.push(Action::WakeAt(at));
        }
    }
}

/// Applies the lifecycle table and notes what cannot be.
pub(super) fn apply(inner: &mut Inner, id: ClientOrderId, input: OrderInput, out: &mut Vec<Action>) {
    if let Some(Err(error)) = inner.book.apply(id, input) {
        out.push(Action::Note(Note::ImpossibleNews { client_id: id, error }));
    }
}

/// An order whose fate was being asked for has been heard of.
fn resolve(inner: &mut Inner, id: ClientOrderId) {
    let known = inner.book.get(id).is_some_and(|tracked| tracked.state != OrderState::Unknown);
    if known && inner.asking.is_some_and(|asking| asking.client_id == Some(id)) {
        inner.asking = None;
    }
}

fn not_sent(inner: &mut Inner, id: ClientOrderId, out: &mut Vec<Action>) {
    let gives_up = inner.book.get(id).is_some_and(|tracked| {
        tracked.order.purpose == OrderPurpose::Entry && tracked.attempts >= MOST_ENTRY_ATTEMPTS
    });
    apply(inner, id, OrderInput::NotSent, out);
    if gives_up {
        give_up(inner, id, out);
    } else {
        postpone(inner, id, out);
    }
}

/// Ends an entry that never left.
pub(super) fn give_up(inner: &mut Inner, id: ClientOrderId, out: &mut Vec<Action>) {
    apply(inner, id, OrderInput::CancelAsked, out);
    inner.intent = None;
    out.push(Action::Note(Note::EntryGivenUp { client_id: id }));
}

/// Tries a request again later, at growing distances.
fn postpone(inner: &mut Inner, id: ClientOrderId, out: &mut Vec<Action>) {
    let now = inner.now;
    if let Some(tracked) = inner.book.get_mut(id)
        && tracked.is_live()
    {
        let mut retry = Retry { attempts: tracked.attempts.saturating_sub(1), at: None };
        let at = retry.again(now);
        tracked.attempts = tracked.attempts.saturating_add(1);
        tracked.retry_at = Some(at);
        out.push(Action::WakeAt(at));
    }
}

/// An order has come to its end without being filled wholly: what it was for decides what follows.
/// `was` is its state before the news.
pub(super) fn ended(
    inner: &mut Inner,
    id: ClientOrderId,
    (was, refusal): (OrderState, Option<RefusalCode>),
    out: &mut Vec<Action>,
) {
    let Some(now) = inner.book.get(id) else { return };
    let dead = matches!(now.state, OrderState::Canceled | OrderState::Refused);
    if !dead || was.is_final() {
        return;
    }
    let purpose = now.order.purpose;
    let unfilled = now.filled.is_zero() && now.venue_filled.is_zero();
    // A reduce-only order that outlives its position is ended by the venue; nobody needs to know.
    let matters = inner.holding.is_some() || purpose == OrderPurpose::Entry;
    if let Some(code) = refusal.filter(|_| matters) {
        out.push(Action::Note(Note::OrderRefused { client_id: id, code }));
    }
    match purpose {
        OrderPurpose::Entry => {
            if unfilled {
                inner.intent = None;
            } else {
                out.push(Action::Note(Note::PartialFill { client_id: id }));
            }
        }
        OrderPurpose::Exit => exit_ended(inner, refusal, out),
        OrderPurpose::ProtectiveStop => {
            // A stop that we have asked to end is being replaced; any other end leaves the position bare.
            if was != OrderState::Canceling {
                stop_ended(inner, refusal, out);
            }
        }
        OrderPurpose::TakeProfit => {
            if was != OrderState::Canceling && inner.holding.is_some() {
                let at = inner.target_retry.again(inner.now);
                out.push(Action::WakeAt(at));
            }
        }
    }
}

fn exit_ended(inner: &mut Inner, refusal: Option<RefusalCode>, out: &mut Vec<Action>) {
    if inner.holding.is_none() {
        return;
    }
    if refusal == Some(RefusalCode::ReduceOnlyRejected) {
        // The venue sees nothing to reduce.
        inner.ask(None);
    }
    let now = inner.now;
    if let Some(exit) = &mut inner.exit {
        let at = exit.retry.again(now);
        out.push(Action::WakeAt(at));
    }
}

/// The position is bare: the level is watched by the engine, left at once when it is behind, and rested again soon.
fn stop_ended(inner: &mut Inner, refusal: Option<RefusalCode>, out: &mut Vec<Action>) {
    if inner.holding.is_none() {
        return;
    }
    let at = inner.stop_retry.again(inner.now);
    out.push(Action::WakeAt(at));
    if inner.stop_watch() == Watch::Venue {
        // It was to replace a stop that still rests.
        return;
    }
    let Some(holding) = &inner.holding else { return };
    let behind = holding.levels.stop.filter(|stop| {
        inner.last.is_some_and(|last| is_reached(holding.side(), stop.price, last.close, last.close))
    });
    let reduce_only = refusal == Some(RefusalCode::ReduceOnlyRejected);
    out.push(Action::Note(Note::StopMissing { retry_at: at }));
    if let Some(stop) = behind {
        inner.leave(stop.reason);
    } else if reduce_only {
        inner.ask(None);
    }
}
