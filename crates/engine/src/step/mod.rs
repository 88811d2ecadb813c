//! The bot's mind: one pure function from what was known and what happened to what is wanted.
//!
//! Same plan, state and event: same result, on any machine, for ever. On a closed candle exits come first and nothing
//! stands before them; then components, combination, filters, guards, gates, session, limits, and at last the order.
//! Every event ends in [`settle`], which compares what rests at the venue with what the position needs. Read
//! [`candle`] for decisions, [`fills`] and [`news`] for book-keeping, [`reconcile`] for the venue's truth. A bot with
//! several instruments is stepped through [`crate::bot`], because its limits see all of them.

mod account;
mod candle;
mod decide;
mod fills;
mod news;
mod reconcile;
mod settle;

use keyhold_domain::{ReasonCode, Timestamp};

use crate::action::{Action, Note};
use crate::event::{AtStop, Directive, Event};
use crate::input::ClosedCandle;
use crate::market::MarketFacts;
use crate::plan::Plan;
use crate::state::{Amount, Asking, Freshness, Inner, KeyUse, Retry, Running, State, WantedExit};

/// What one instrument of a bot does about one event.
pub fn step(plan: &Plan, mut state: State, event: &Event) -> (State, Vec<Action>) {
    let mut actions = Vec::new();
    apply(plan, &mut state, event, &mut actions);
    (state, actions)
}

/// The same in place, appending to a buffer that the caller keeps.
pub(crate) fn apply(plan: &Plan, state: &mut State, event: &Event, out: &mut Vec<Action>) {
    let inner = &mut *state.0;
    match event {
        Event::AccountRefreshed(_)
        | Event::FundingRate { .. }
        | Event::FundingPaid { .. }
        | Event::FundingLate { .. } => {}
        _ => inner.scratch.rest = None,
    }
    match event {
        Event::Warmup(candle) => return candle::warm_up(plan, inner, candle),
        Event::BotFacts(facts) => {
            inner.bot = *facts;
            return;
        }
        Event::CandleClosed { candle, at } => return apply_told_candle(plan, state, (candle, *at), out),
        Event::Filled(fill) => {
            inner.advance(fill.at);
            fills::filled(plan, inner, fill, out);
        }
        Event::OrderUpdated(update) => {
            inner.advance(update.at);
            news::updated(plan, inner, update, out);
        }
        Event::OrderOutcome { client_id, request, outcome, at } => {
            inner.advance(*at);
            news::outcome(plan, inner, *client_id, (*request, *outcome), out);
        }
        Event::AccountRefreshed(view) => {
            inner.advance(view.at);
            account::refreshed(inner, view, out);
        }
        Event::FundingRate { rate, at } => {
            inner.advance(*at);
            inner.funding_rate = plan.funding_per_8h(*rate);
        }
        Event::Market(facts) => return market(plan, inner, facts),
        Event::FundingPaid { amount, at } => {
            inner.advance(*at);
            account::funded(plan, inner, amount, out);
        }
        Event::FundingLate { amount, at } => {
            inner.advance(*at);
            account::funded_late(plan, inner, amount, out);
        }
        Event::FeedGap { from, until } => {
            out.push(Action::Note(Note::FeedGap { from: *from, until: *until }));
        }
        Event::Directed { directive, at } => {
            inner.advance(*at);
            directed(inner, *directive);
        }
        Event::TimerFired { at } => timer(plan, inner, *at, out),
        Event::Restarted { at } => {
            inner.advance(*at);
            reconcile::restarted(inner);
        }
        Event::Liquidated { at } => {
            inner.advance(*at);
            inner.external = ReasonCode::Liquidated;
        }
        Event::Reconciled(truth) => {
            inner.advance(truth.at);
            reconcile::reconciled(plan, inner, truth, out);
        }
    }
    settle_unless_settled(plan, inner, out);
}

/// What is known besides the candle that closes next.
fn market(plan: &Plan, inner: &mut Inner, facts: &MarketFacts) {
    if plan.all_needs().funding {
        // A rate that is not among the facts is not known any more, whatever was told before.
        inner.funding_rate = facts.funding().and_then(|rate| plan.funding_per_8h(rate));
    }
    match &mut inner.market {
        Some(kept) => kept.as_mut().clone_from(facts),
        none => *none = Some(Box::new(facts.clone())),
    }
}

/// Comparing what rests with what is needed is saved when nothing of it can have changed. On most candles nothing is
/// held and nothing rests: that is asked here, the rest out of line.
#[inline]
fn settle_unless_settled(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    if !inner.is_idle() {
        settle_unless_at_rest(plan, inner, out);
    }
}

#[inline(never)]
fn settle_unless_at_rest(plan: &Plan, inner: &mut Inner, out: &mut Vec<Action>) {
    if !settle::is_at_rest(plan, inner) {
        settle::settle(plan, inner, out);
    }
}

/// A candle that came as an event: in a bot's life, where it does not matter what a call costs.
#[inline(never)]
fn apply_told_candle(
    plan: &Plan,
    state: &mut State,
    (candle, at): (&ClosedCandle, Timestamp),
    out: &mut Vec<Action>,
) {
    apply_candle(plan, state, candle, at, out);
}

/// [`Event::CandleClosed`] without a copy of the candle. On a candle on which nothing happens, calls would cost as much
/// as what is done; so that path is one piece, and what is rarer stands out of line.
#[allow(clippy::inline_always, reason = "two callers, one of them on every candle")]
#[inline(always)]
pub(crate) fn apply_candle(
    plan: &Plan,
    state: &mut State,
    candle: &ClosedCandle,
    at: Timestamp,
    out: &mut Vec<Action>,
) {
    let inner = &mut *state.0;
    inner.advance(at);
    candle::closed(plan, inner, candle, out);
    settle_unless_settled(plan, inner, out);
}

impl Inner {
    /// Holds nothing, has no order and asks for nothing.
    fn is_idle(&self) -> bool {
        self.holding.is_none() && self.book.live().is_empty() && self.asking.is_none()
    }

    /// Time never runs backward, whatever the order of the news.
    fn advance(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
    }

    /// Decides to leave the whole position. An exit of everything that is already decided keeps its reason.
    fn leave(&mut self, reason: ReasonCode) {
        let Some(holding) = &self.holding else { return };
        let decided = self.last.map_or(holding.entry, |last| last.close);
        if self.exit.is_none_or(|exit| exit.amount != Amount::Everything) {
            self.exit = Some(WantedExit {
                reason,
                decided,
                decided_at: self.now,
                amount: Amount::Everything,
                retry: Retry::default(),
            });
        }
    }

    /// Asks the venue for the truth before anything else is done.
    fn ask(&mut self, client_id: Option<keyhold_domain::ClientOrderId>) {
        if self.asking.is_none() {
            self.asking = Some(Asking { client_id, retry: Retry::default() });
        }
    }
}

fn directed(inner: &mut Inner, directive: Directive) {
    match directive {
        Directive::Pause => inner.run(Running::Paused),
        Directive::Resume => inner.run(Running::Active),
        Directive::ExitsOnly => inner.key = KeyUse::ExitsOnly,
        Directive::EntriesAllowed => inner.key = KeyUse::Everything,
        Directive::Flatten => inner.leave(ReasonCode::ExitFlatten),
        Directive::Stop { position } => {
            inner.run(Running::Stopping);
            match position {
                AtStop::Close => inner.leave(ReasonCode::ExitFlatten),
                AtStop::Leave => {}
            }
        }
        // The ledger of the whole bot keeps the limits' counts; nothing of them is here.
        Directive::ClearLimits => {}
    }
}

impl Inner {
    /// A bot that stops stays so.
    fn run(&mut self, running: Running) {
        if self.running != Running::Stopping {
            self.running = running;
        }
    }
}

fn timer(plan: &Plan, inner: &mut Inner, at: Timestamp, out: &mut Vec<Action>) {
    inner.advance(at);
    if let Some(last) = inner.last {
        let stale = candle::is_stale(plan, last.open_time, inner.now);
        if stale && inner.freshness == Freshness::Fresh {
            inner.freshness = Freshness::Stale;
            out.push(Action::Note(Note::StaleData));
        }
    }
    if inner.doubt_at.is_some_and(|at| inner.now >= at) {
        inner.doubt_at = None;
        if inner.book.misses_fills() {
            inner.ask(None);
        }
    }
    candle::end_session(plan, inner, inner.now);
}
