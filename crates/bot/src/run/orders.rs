//! Sending what the engine wants sent, and asking the venue for the truth.

use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{ClientOrderId, Decimal, RefusalCode, Timestamp, VenueOrderId};
use keyhold_engine::BotEvent;
use keyhold_engine::event::{Event, Outcome, Reconciliation, Request};
use keyhold_venues::signer::{CancelOrder, OrderRef};
use keyhold_venues::{TradingVenue as _, VenueError};

use super::{AccountView, Bot, News, RunError, SlotWork, Stage};
use crate::lanes::{Full, Job, Lane};
use crate::mind::Deed;
use crate::mind::record::{Answer, Record};
use crate::outside::Outside;
use crate::truth::{self, Found, Inquiry};

/// How far back fills are asked for when nothing is remembered.
const UNREMEMBERED_MS: i64 = 7 * 86_400_000;
/// A replay that is no further from our time is taken to be live.
const NEAR_MS: i64 = 86_400_000;
/// How far before the newest known candle fills are asked for.
const OVERLAP_MS: i64 = 3_600_000;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

impl<O: Outside> Bot<O> {
    /// Puts a deed on its lane. What finds no room did not leave.
    pub(super) fn queue(&mut self, slot: u16, deed: Deed) -> Result<(), RunError> {
        let work = self.slots.entry(slot).or_default();
        let Err(Full(job)) = work.lanes.take(deed) else { return Ok(()) };
        let (client_id, request) = match job {
            Job::Place(order) => (order.client_id, Request::Place),
            Job::Cancel(id) => (id, Request::Cancel),
        };
        let now = self.now();
        self.record(Record::Answered(Answer {
            slot,
            client_id,
            request,
            outcome: Outcome::NotSent,
            venue_id: None,
            sent_at: now,
            at: now,
        }))
    }

    /// Starts every errand that may start now. Orders leave only after the journal is on the disk.
    pub(super) fn send_requests(&mut self) -> Result<(), RunError> {
        if !self.is_connected() {
            return Ok(());
        }
        let slots: Vec<u16> = self.slots.keys().copied().collect();
        let mut synced = false;
        for slot in slots {
            while let Some(job) = self.slots.get_mut(&slot).and_then(|work| work.lanes.next_job()) {
                if !synced {
                    self.journal.sync()?;
                    synced = true;
                }
                self.send(slot, job);
            }
            if self.slots.get_mut(&slot).is_some_and(|work| work.lanes.begin_asking()) {
                self.ask_truth(slot);
            }
        }
        if self.account_view == AccountView::Stale {
            self.read_account();
        }
        Ok(())
    }

    fn send(&mut self, slot: u16, job: Job) {
        let Some(session) = &self.session else { return };
        let Some(symbol) = self.mind.plan(slot).map(|plan| plan.instrument.symbol) else { return };
        let venue = Arc::clone(&session.venue);
        let sent_at = self.now();
        match job {
            Job::Place(order) => self.errand(async move {
                let result = venue.place(&order).await;
                let venue_id = result.as_ref().ok().map(|placed| placed.venue_id);
                answer(slot, (order.client_id, Request::Place), (sent_at, venue_id), result.err())
            }),
            Job::Cancel(id) => self.errand(async move {
                let cancel = CancelOrder { order: OrderRef::Client(id), symbol };
                let result = venue.cancel(&cancel).await;
                answer(slot, (id, Request::Cancel), (sent_at, None), result.err())
            }),
        }
    }

    /// Frees the lane of an answered request.
    pub(super) fn settle(&mut self, answer: &Answer) {
        let lane = match (answer.request, answer.client_id.purpose()) {
            (Request::Place, keyhold_domain::OrderPurpose::Entry) => Lane::Entries,
            (Request::Place | Request::Cancel, _) => Lane::Exits,
        };
        self.slot(answer.slot).lanes.done(lane);
    }

    pub(super) fn answered(&mut self, answer: Answer, error: Option<&VenueError>) -> Result<(), RunError> {
        self.settle(&answer);
        if let Some(error) = error {
            tracing::warn!(order = %answer.client_id, "a request did not succeed: {error}");
            if concerns_key(error) {
                self.inspect();
            }
        }
        let at = self.now();
        self.record(Record::Answered(Answer { at, ..answer }))
    }

    pub(super) fn slot(&mut self, slot: u16) -> &mut SlotWork {
        self.slots.entry(slot).or_default()
    }

    fn ask_truth(&mut self, slot: u16) {
        let Some(session) = &self.session else { return };
        let Some(plan) = self.mind.plan(slot) else { return };
        let state = self.mind.state(slot);
        let held = state.and_then(|state| state.holding()).map_or(Decimal::ZERO, |held| held.size.get());
        let known_fills = state.map(|state| state.orders().known_fills().collect()).unwrap_or_default();
        let work = self.slots.get(&slot);
        let inquiry = Inquiry {
            symbol: plan.instrument.symbol,
            orders: self.mind.doubtful(slot),
            never_arrived: work.map(|work| work.never_arrived.clone()).unwrap_or_default(),
            held,
            known_fills,
            fills_from: self.fills_from(state.and_then(keyhold_engine::State::newest_candle)),
        };
        let venue = Arc::clone(&session.venue);
        let failures = self.slots.get(&slot).map_or(0, |work| work.failures);
        self.errand(async move {
            let found = truth::ask(&venue, &inquiry).await;
            if found.truth.is_err() {
                tokio::time::sleep((FIRST_WAIT * 2_u32.pow(failures.min(8))).min(LONGEST_WAIT)).await;
            }
            News::Truth(slot, found)
        });
    }

    /// From when on fills may be unknown. The fills of a replay of the past go by its own clock, and its orders are asked
    /// for one by one.
    pub(super) fn fills_from(&self, newest_candle: Option<Timestamp>) -> Option<Timestamp> {
        let is_now = |candle: Timestamp| self.outside.now().since_ms(candle).abs() <= NEAR_MS;
        match newest_candle {
            Some(candle) if self.time.flows() || is_now(candle) => Some(candle.plus_ms(-OVERLAP_MS)),
            Some(_) => None,
            None => Some(self.outside.now().plus_ms(-UNREMEMBERED_MS)),
        }
    }

    pub(super) fn truth(&mut self, slot: u16, found: Found) -> Result<(), RunError> {
        self.slot(slot).never_arrived = found.never_arrived;
        let truth = match found.truth {
            Ok(truth) => truth,
            Err(error) => {
                tracing::warn!(slot, "the venue's truth cannot be had: {error}");
                let work = self.slot(slot);
                work.failures = work.failures.saturating_add(1);
                work.lanes.failed_asking();
                if concerns_key(&error) {
                    self.inspect();
                }
                return Ok(());
            }
        };
        self.slot(slot).failures = 0;
        if !self.slot(slot).lanes.end_asking() {
            return Ok(());
        }
        if let Some(newest) = truth.fills.last() {
            self.hear_time(newest.at);
        }
        let at = self.now();
        for client_id in std::mem::take(&mut self.slot(slot).never_arrived) {
            if self.mind.is_lost(slot, client_id) {
                self.record(Record::Answered(Answer {
                    slot,
                    client_id,
                    request: Request::Place,
                    outcome: Outcome::NotSent,
                    venue_id: None,
                    sent_at: at,
                    at,
                }))?;
            }
        }
        let funding = self.slot(slot).funding.with_set_aside(truth.funding);
        self.book_funding(slot, &funding)?;
        let event = Event::Reconciled(Reconciliation {
            position: truth.position,
            open_orders: truth.open_orders,
            fills: truth.fills,
            at,
        });
        self.record_event(BotEvent::Instrument { slot, event })?;
        self.book_funding(slot, &funding)?;
        self.account_view = AccountView::Stale;
        if self.stage == Stage::Reconciling && self.is_reconciled() {
            self.stage = Stage::Subscribing;
        }
        Ok(())
    }

    fn is_reconciled(&self) -> bool {
        self.mind.plans().all(|(slot, _)| self.mind.state(slot).is_none_or(|state| !state.is_reconciling()))
    }
}

fn answer<O: Outside>(
    slot: u16,
    (client_id, request): (ClientOrderId, Request),
    (sent_at, venue_id): (Timestamp, Option<VenueOrderId>),
    error: Option<VenueError>,
) -> News<O> {
    let outcome = match &error {
        None => Outcome::Accepted,
        Some(VenueError::Refused { code, .. }) => Outcome::Refused { code: *code },
        Some(VenueError::Unknown { .. }) => Outcome::Unknown,
        Some(VenueError::NotSent { .. }) => Outcome::NotSent,
    };
    // The instant of the answer is filled in by the loop, which knows the market's time.
    let answer = Answer { slot, client_id, request, outcome, venue_id, sent_at, at: sent_at };
    News::Answered(answer, error)
}

/// Whether an error says something about the key, so that its permissions are to be looked at again.
pub(super) fn concerns_key(error: &VenueError) -> bool {
    match error.refusal() {
        Some(
            RefusalCode::BadKey
            | RefusalCode::BadSignature
            | RefusalCode::BadPassphrase
            | RefusalCode::IpNotAllowed
            | RefusalCode::InsufficientPermission
            | RefusalCode::KeyExpired
            | RefusalCode::WrongEnvironment,
        ) => true,
        Some(_) | None => false,
    }
}
