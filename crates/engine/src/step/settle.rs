//! The end of every event: what rests or is on its way is compared with what the position needs.
//!
//! Nothing here remembers an intention; it is read from the state each time, so a lost answer, a partial fill or a
//! restart cannot leave an order that nobody wants or a position that nobody protects. Order: ask when in doubt, send
//! again what did not leave, leave, protect, take profit.

use keyhold_domain::{
    ClientOrderId, Decimal, NewOrder, OrderKind, OrderPurpose, PositionEffect, Price, Quantity, ReasonCode,
    Side, TimeInForce, TriggerDirection, TriggerSource,
};

use super::news;
use crate::action::Action;
use crate::exit_rule::{StopLevel, Target, Watch};
use crate::limits::approve_exit;
use crate::order::{OrderInput, OrderState, Tracked};
use crate::plan::Plan;
use crate::settings::Resting;
use crate::state::{Amount, Inner, KeyUse, Rest, Running};

/// Compares what is with what is needed.
pub(super) fn settle(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    if inner.asking.is_some() {
        ask(inner, out);
        return;
    }
    if inner.holding.is_none() && inner.book.live().is_empty() {
        return;
    }
    send_again(plan, inner, out);
    if inner.holding.is_none() {
        inner.exit = None;
        cancel(inner, |tracked| tracked.order.purpose != OrderPurpose::Entry, out);
        return;
    }
    let before = out.len();
    leave(plan, inner, out);
    protect(plan, inner, out);
    take_profit(plan, inner, out);
    inner.scratch.rest = (out.len() == before).then(|| rest(plan, inner)).flatten();
}

/// Something waits for an answer or for its time.
fn waits(inner: &Inner) -> bool {
    inner.asking.is_some()
        || inner.exit.is_some()
        || inner.stop_retry.at.is_some()
        || inner.target_retry.at.is_some()
        || !inner.book.live().iter().all(Tracked::is_working)
}

/// What was compared, when nothing waits for an answer or for its time.
fn rest(plan: &Plan, inner: &Inner) -> Option<Rest> {
    let holding = inner.holding.as_ref().filter(|_| !waits(inner))?;
    Some(Rest {
        stop: holding.levels.stop,
        orders: inner.book.live().len(),
        kept: kept(plan),
        least: plan.instrument.min_quantity,
    })
}

/// Where protective orders rest and what triggers them.
fn kept(plan: &Plan) -> (Resting, Resting, TriggerSource) {
    (plan.settings.protective_stop, plan.settings.take_profit, plan.settings.stop_trigger)
}

/// A candle has changed nothing that orders are compared with: [`rest`] would be the same, asked without making it.
pub(super) fn is_at_rest(plan: &Plan, inner: &Inner) -> bool {
    let (Some(rest), Some(holding)) = (&inner.scratch.rest, &inner.holding) else { return false };
    !waits(inner)
        && rest.stop == holding.levels.stop
        && rest.orders == inner.book.live().len()
        && rest.kept == kept(plan)
        && rest.least == plan.instrument.min_quantity
}

/// Asks the venue, and again at growing distances until it answers.
fn ask(inner: &mut Inner, out: &mut Vec<Action>) {
    let now = inner.now;
    if let Some(asking) = &mut inner.asking
        && asking.retry.is_due(now)
    {
        out.push(Action::Reconcile(asking.client_id));
        out.push(Action::WakeAt(asking.retry.again(now)));
    }
}

/// Orders that did not leave are sent again under the same name, entries only while they still make sense.
fn send_again(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    let due = |tracked: &Tracked, now| {
        tracked.state == OrderState::Waiting && tracked.retry_at.is_none_or(|at| now >= at)
    };
    loop {
        let now = inner.now;
        let Some(waiting) = inner.book.live().iter().find(|tracked| due(tracked, now)).copied() else {
            return;
        };
        let id = waiting.order.client_id;
        if waiting.order.purpose == OrderPurpose::Entry {
            let fresh = now.since_ms(waiting.decided_at) < plan.interval_ms();
            let wanted = inner.running == Running::Active && inner.key == KeyUse::Everything;
            if !fresh || !wanted || inner.exit.is_some() {
                news::give_up(inner, id, out);
                continue;
            }
            news::apply(inner, id, OrderInput::Resent, out);
            // It was approved when it was decided, and nothing has grown since.
            match crate::limits::approve_entry(plan, &inner.bot, waiting.order, waiting.decided) {
                Ok(approved) => out.push(Action::Place(approved)),
                Err(_) => news::give_up(inner, id, out),
            }
        } else if inner.holding.as_ref().is_none_or(|held| waiting.order.quantity.get() > held.quantity()) {
            // The position has ended or shrunk meanwhile: what it still needs is ordered anew.
            news::apply(inner, id, OrderInput::CancelAsked, out);
        } else {
            news::apply(inner, id, OrderInput::Resent, out);
            out.extend(approve_exit(waiting.order).map(Action::Place));
        }
    }
}

/// Cancels the living orders that nobody wants any more.
fn cancel(inner: &mut Inner, unwanted: impl Fn(&Tracked) -> bool, out: &mut Vec<Action>) {
    let now = inner.now;
    let due = |tracked: &Tracked| tracked.retry_at.is_none_or(|at| now >= at);
    loop {
        let next = inner
            .book
            .live()
            .iter()
            // A name that is on its way cannot be canceled yet; it is canceled once the venue knows it.
            .find(|tracked| {
                (tracked.is_working() || tracked.state == OrderState::Waiting)
                    && unwanted(tracked)
                    && due(tracked)
            })
            .map(|tracked| (tracked.order.client_id, tracked.state));
        let Some((id, state)) = next else { return };
        news::apply(inner, id, OrderInput::CancelAsked, out);
        if state != OrderState::Waiting {
            out.push(Action::Cancel(id));
        }
    }
}

/// Leaves by a reduce-only market order, one at a time, until the amount is closed.
fn leave(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    let Some(exit) = inner.exit else { return };
    cancel(inner, |tracked| tracked.order.purpose == OrderPurpose::Entry, out);
    if inner.book.with_purpose(OrderPurpose::Exit).next().is_some() || !exit.retry.is_due(inner.now) {
        return;
    }
    let Some(holding) = &inner.holding else { return };
    let Some(quantity) = leaving(exit.amount, holding.quantity(), plan.instrument.min_quantity) else {
        inner.exit = None;
        return;
    };
    let side = holding.side().opposite();
    place(
        plan,
        inner,
        Wanted { side, kind: OrderKind::Market, quantity, purpose: OrderPurpose::Exit },
        Why { reason: exit.reason, decided: exit.decided, target: None },
        out,
    );
}

/// How much an exit closes. A part that has become too small to be an order is given up. A part that would leave too
/// little to be ever closed by an order takes the rest along.
fn leaving(amount: Amount, held: Decimal, least: Quantity) -> Option<Quantity> {
    let least = least.get();
    let wanted = match amount {
        Amount::Part(part) if part < held && held.saturating_sub(part) >= least => {
            if part < least {
                return None;
            }
            part
        }
        Amount::Part(_) | Amount::Everything => held,
    };
    Quantity::new(wanted).ok()
}

/// Keeps one stop at the venue. A new one is placed before the old one is canceled.
fn protect(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    let Some(holding) = &inner.holding else { return };
    let wanted = match plan.settings.protective_stop {
        Resting::AtVenue => holding.levels.stop,
        Resting::InEngine => None,
    };
    let (Some(stop), Some(quantity)) = (wanted, holding.size.magnitude()) else { return };
    let side = holding.side().opposite();
    let newest = inner.book.with_purpose(OrderPurpose::ProtectiveStop).filter(|t| t.is_wanted()).last();
    match newest {
        Some(newest) if rests_as(newest, stop, quantity) => {
            if newest.is_working() {
                let keep = newest.order.client_id;
                inner.stop_retry = crate::state::Retry::default();
                cancel(inner, |tracked| is_other_stop(tracked, keep), out);
            }
        }
        // What becomes of the newest is not known yet; it is replaced when it is.
        Some(newest) if !newest.is_working() => {}
        Some(_) | None => {
            if inner.stop_retry.is_due(inner.now) {
                let kind = OrderKind::StopMarket {
                    trigger: stop.price,
                    direction: match side {
                        Side::Sell => TriggerDirection::Falls,
                        Side::Buy => TriggerDirection::Rises,
                    },
                    source: plan.settings.stop_trigger,
                };
                place(
                    plan,
                    inner,
                    Wanted { side, kind, quantity, purpose: OrderPurpose::ProtectiveStop },
                    Why { reason: stop.reason, decided: stop.price, target: None },
                    out,
                );
            }
        }
    }
}

fn rests_as(tracked: &Tracked, stop: StopLevel, quantity: Quantity) -> bool {
    let at_level =
        matches!(tracked.order.kind, OrderKind::StopMarket { trigger, .. } if trigger == stop.price);
    at_level && tracked.open_quantity() == quantity.get()
}

fn is_other_stop(tracked: &Tracked, keep: ClientOrderId) -> bool {
    tracked.order.purpose == OrderPurpose::ProtectiveStop && tracked.order.client_id != keep
}

/// Keeps one limit order per target at the venue, once the entry has its final size.
fn take_profit(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    let Some(holding) = &inner.holding else { return };
    if plan.settings.take_profit == Resting::InEngine
        || holding.levels.targets.is_empty()
        || inner.exit.is_some()
        || inner.book.with_purpose(OrderPurpose::Entry).next().is_some()
    {
        return;
    }
    let side = holding.side().opposite();
    let mut all_work = true;
    for index in 0..holding.levels.targets.len() {
        let Some((price, quantity)) = wanted_target(plan, inner, index) else { continue };
        let number = u16::try_from(index).ok();
        let resting = inner
            .book
            .with_purpose(OrderPurpose::TakeProfit)
            .find(|tracked| tracked.target == number && tracked.is_live());
        all_work &= resting.is_some_and(Tracked::is_working);
        match resting {
            Some(held) if held.open_quantity() == quantity.get() => {}
            Some(held) => {
                let id = held.order.client_id;
                cancel(inner, |tracked| tracked.order.client_id == id, out);
            }
            None if inner.target_retry.is_due(inner.now) => {
                let kind = OrderKind::Limit { price, time_in_force: TimeInForce::Gtc };
                place(
                    plan,
                    inner,
                    Wanted { side, kind, quantity, purpose: OrderPurpose::TakeProfit },
                    Why { reason: ReasonCode::ExitTakeProfit, decided: price, target: number },
                    out,
                );
            }
            None => {}
        }
    }
    if all_work {
        // One target that works says nothing of another that is refused again and again.
        inner.target_retry = crate::state::Retry::default();
    }
}

/// Price and open quantity of a target; `None` when it is done or too small to be an order.
fn wanted_target(plan: &Plan, inner: &Inner, index: usize) -> Option<(Price, Quantity)> {
    let holding = inner.holding.as_ref()?;
    let target: &Target = holding.levels.targets.get(index)?;
    let left = (target.quantity - target.closed).min(holding.quantity());
    let quantity = Quantity::new(left).ok()?;
    (quantity >= plan.instrument.min_quantity).then_some((target.price, quantity))
}

/// An order that is needed.
#[derive(Clone, Copy)]
struct Wanted {
    side: Side,
    kind: OrderKind,
    quantity: Quantity,
    purpose: OrderPurpose,
}

/// Why it is needed.
#[derive(Clone, Copy)]
struct Why {
    reason: ReasonCode,
    decided: Price,
    target: Option<u16>,
}

/// Names a reduce-only order, puts it into the book as in flight and gives it out.
fn place(plan: &Plan, inner: &mut Inner, wanted: Wanted, why: Why, out: &mut Vec<Action>) {
    let Some(client_id) = plan.ids.order_name(inner.sequence, wanted.purpose) else { return };
    let order = NewOrder {
        client_id,
        symbol: plan.instrument.symbol,
        side: wanted.side,
        kind: wanted.kind,
        quantity: wanted.quantity,
        effect: PositionEffect::ReduceOnly,
        purpose: wanted.purpose,
    };
    let Some(approved) = approve_exit(order) else { return };
    inner.sequence += 1;
    inner.book.add(Tracked {
        order,
        state: OrderState::InFlight,
        filled: Decimal::ZERO,
        venue_filled: Decimal::ZERO,
        reason: why.reason,
        decided: why.decided,
        decided_at: inner.now,
        target: why.target,
        attempts: 1,
        retry_at: None,
    });
    out.push(Action::Place(approved));
}

impl Inner {
    /// Who watches the stop and who the targets.
    pub(super) fn watches(&self) -> (Watch, Watch) {
        let (mut stop, mut targets) = (Watch::Engine, Watch::Engine);
        for tracked in self.book.live() {
            let watch = match tracked.order.purpose {
                OrderPurpose::ProtectiveStop => &mut stop,
                OrderPurpose::TakeProfit => &mut targets,
                OrderPurpose::Entry | OrderPurpose::Exit => continue,
            };
            if tracked.is_working() {
                *watch = Watch::Venue;
            } else if tracked.state == OrderState::InFlight && *watch == Watch::Engine {
                *watch = Watch::OnItsWay;
            }
        }
        (stop, targets)
    }

    /// Who watches the stop.
    pub(super) fn stop_watch(&self) -> Watch {
        self.watches().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_closed_when_it_and_the_rest_can_be_orders() {
        let d = |text: &str| Decimal::from_str_exact(text).unwrap();
        let least: Quantity = "0.002".parse().unwrap();
        let cases = [
            ("0.004", "0.010", Some("0.004")),
            // Too small to be an order: it stays with the position.
            ("0.001", "0.010", None),
            // What would be left could never be closed: everything goes.
            ("0.009", "0.010", Some("0.010")),
            ("0.008", "0.010", Some("0.008")),
            ("0.020", "0.010", Some("0.010")),
            ("0.001", "0.002", Some("0.002")),
        ];
        for (part, held, closed) in cases {
            let found = leaving(Amount::Part(d(part)), d(held), least).map(Quantity::get);
            assert_eq!(found, closed.map(d), "{part} of {held}");
        }
        assert_eq!(leaving(Amount::Everything, d("0.001"), least).map(Quantity::get), Some(d("0.001")));
        assert_eq!(leaving(Amount::Everything, Decimal::ZERO, least), None);
    }
}
