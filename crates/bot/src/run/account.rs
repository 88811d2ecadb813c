//! The account: its stream, its readings, the key's permissions, the keeper's lease.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyhold_domain::{AccountSnapshot, KeyFacts, OpenOrder, ReasonCode, Symbol, Timestamp};
use keyhold_engine::BotEvent;
use keyhold_engine::event::Event;
use keyhold_protocol::uplink::{Command, CommandOutcome, Report, Severity};
use keyhold_venues::error::Asked;
use keyhold_venues::event::ForcedBy;
use keyhold_venues::{AccountEvent, TradingVenue as _, VenueError};
use tokio::time::Instant;

use super::orders::concerns_key;
use super::{ACCOUNT_EVERY, AccountView, Bot, Errand, INSPECT_EVERY, News, RunError, Stage};
use crate::findings::{self, Weight};
use crate::mind::record::{Obstacle, Record, Standing};
use crate::outside::Outside;

/// Before a reading of the account that failed, or that is to be confirmed, is repeated.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// Between two looks at a key that the venue refused.
const INSPECT_AGAIN: Duration = Duration::from_mins(5);

impl<O: Outside> Bot<O> {
    /// Starts listening to the account. The venue is asked for the truth once the stream stands.
    pub(super) fn follow_account(&mut self) {
        let Some(session) = &self.session else { return };
        self.stage = Stage::Reconciling;
        self.account = Some(session.venue.account_events());
    }

    pub(super) fn account_event(&mut self, event: Option<AccountEvent>) -> Result<(), RunError> {
        let Some(event) = event else {
            tracing::warn!("the stream of the account has ended by itself; it is made anew");
            self.follow_account();
            return Ok(());
        };
        tracing::trace!(?event, "news of the account");
        match event {
            AccountEvent::OrderUpdate(update) => {
                self.hear_time(update.at);
                self.for_symbol(update.symbol, Event::OrderUpdated(update))
            }
            AccountEvent::Fill(fill) => {
                self.hear_time(fill.at);
                self.account_view = AccountView::Stale;
                self.for_symbol(fill.symbol, Event::Filled(fill))
            }
            AccountEvent::Funding(payment) => {
                self.account_view = AccountView::Stale;
                let Some(slot) = self.mind.slot_of(payment.symbol) else { return Ok(()) };
                self.heard_funding(slot, payment)
            }
            AccountEvent::Forced { symbol, by, at } => {
                tracing::warn!(%symbol, ?by, "the exchange shrank the position by force");
                match by {
                    ForcedBy::Liquidation | ForcedBy::Deleveraging => {
                        self.for_symbol(symbol, Event::Liquidated { at })
                    }
                }
            }
            AccountEvent::Position(_) | AccountEvent::Balance(_) => {
                self.account_view = AccountView::Stale;
                Ok(())
            }
            AccountEvent::Disconnected { .. } => {
                tracing::info!("the stream of the account broke");
                Ok(())
            }
            // What happened unseen must be asked for.
            AccountEvent::Resynced { .. } => self.record_event(BotEvent::Restarted { at: self.now() }),
            AccountEvent::Undecodable(error) => {
                tracing::warn!("news of the account cannot be read: {error}");
                self.record_event(BotEvent::Restarted { at: self.now() })
            }
            AccountEvent::Refused(error) => {
                tracing::warn!("the exchange refused the stream of the account: {error}");
                if concerns_key(&error) {
                    self.inspect();
                }
                Ok(())
            }
        }
    }

    /// News of one instrument; news of others is nobody's here.
    fn for_symbol(&mut self, symbol: Symbol, event: Event) -> Result<(), RunError> {
        let Some(slot) = self.mind.slot_of(symbol) else { return Ok(()) };
        self.slot(slot).lanes.disturb();
        self.record_event(BotEvent::Instrument { slot, event })
    }

    /// Reads balances and positions, one reading at a time.
    pub(super) fn read_account(&mut self) {
        let Some(session) = &self.session else { return };
        let instant = Instant::now();
        // After a failed reading the next one waits.
        if self.busy.contains(&Errand::Account)
            || self.account_failed.is_some_and(|at| instant < at + READ_AGAIN)
        {
            return;
        }
        self.busy.insert(Errand::Account);
        if self.account_view == AccountView::Stale {
            self.account_view = AccountView::CatchingUp;
        }
        self.due.account = instant + ACCOUNT_EVERY;
        let (venue, asked) = (Arc::clone(&session.venue), self.now());
        self.errand(async move { News::Account(asked, venue.account().await) });
    }

    pub(super) fn account_read(
        &mut self,
        asked: Timestamp,
        result: Result<AccountSnapshot, VenueError>,
    ) -> Result<(), RunError> {
        self.busy.remove(&Errand::Account);
        match result {
            Ok(account) => {
                self.account_failed = None;
                if self.account_view == AccountView::CatchingUp {
                    self.account_view = AccountView::Current;
                }
                self.compare_orders(&account.open_orders);
                // A replay's account is stamped with another clock than its fills.
                self.record_event(BotEvent::Account(AccountSnapshot { at: asked, ..account }))?;
                self.subscribe();
            }
            Err(error) => {
                tracing::warn!("the account cannot be read: {error}");
                let instant = Instant::now();
                self.account_failed = Some(instant);
                self.due.account = instant + READ_AGAIN;
                self.account_view = AccountView::Stale;
                if concerns_key(&error) {
                    self.inspect();
                }
            }
        }
        Ok(())
    }

    /// A stream may lose the news of an order's end, and a venue may take a stop away and say nothing. What two readings
    /// in a row show otherwise than the memory is asked for.
    fn compare_orders(&mut self, resting: &[OpenOrder]) {
        let slots: Vec<u16> = self.mind.plans().map(|(slot, _)| slot).collect();
        for slot in slots {
            let asks = self.mind.state(slot).is_none_or(keyhold_engine::State::is_reconciling);
            let settled = !asks && self.slot(slot).lanes.requests() == 0;
            let disputed = if settled { self.mind.disputed(slot, resting) } else { BTreeSet::new() };
            let work = self.slot(slot);
            if disputed.iter().any(|id| work.disputed.contains(id)) {
                tracing::warn!(slot, ?disputed, "orders are not as remembered; the venue is asked");
                work.lanes.want_truth();
                work.disputed.clear();
                continue;
            }
            if !disputed.is_empty() {
                self.due.account = Instant::now() + READ_AGAIN;
            }
            self.slot(slot).disputed = disputed;
        }
    }

    /// Looks at the key's permissions, one look at a time.
    pub(super) fn inspect(&mut self) {
        let Some(session) = &self.session else { return };
        if !self.busy.insert(Errand::Inspecting) {
            return;
        }
        self.due.inspection = Instant::now() + INSPECT_EVERY;
        let venue = Arc::clone(&session.venue);
        self.errand(async move { News::Inspected(venue.inspect_key().await) });
    }

    pub(super) fn inspected(&mut self, result: Result<KeyFacts, VenueError>) -> Result<(), RunError> {
        self.busy.remove(&Errand::Inspecting);
        let outcome = match result {
            Ok(facts) => {
                self.judge_key(&facts)?;
                CommandOutcome::Completed
            }
            Err(error) => {
                let code = error.diagnosis(Asked::ToRead).unwrap_or(ReasonCode::ExchangeDown);
                let detail = format!("The key cannot be looked at: {error}.");
                if concerns_key(&error) {
                    self.due.inspection = Instant::now() + INSPECT_AGAIN;
                    self.obstacle(Obstacle::KeyUnfit, Standing::Stands)?;
                    if self.last_key_code != Some(code) {
                        self.last_key_code = Some(code);
                        self.tell_as(Severity::Critical, code, detail.clone(), None)?;
                    }
                }
                CommandOutcome::Failed { code, detail }
            }
        };
        let waiting: Vec<_> = self
            .mind
            .desk()
            .under_way()
            .filter_map(|(id, command)| (command == Command::InspectKey).then_some(id))
            .collect();
        for id in waiting {
            self.command_ended(id, outcome.clone())?;
        }
        Ok(())
    }

    /// Reports what the key may do and holds entries back when it must not be used.
    pub(super) fn judge_key(&mut self, facts: &KeyFacts) -> Result<(), RunError> {
        self.record(Record::Told(Box::new(Report::KeyFacts(facts.clone()))))?;
        let contract = self.mind.plans().next().map(|(_, plan)| plan.instrument.contract_type);
        let mut found = findings::permissions(facts);
        found.extend(findings::expiry(facts, self.outside.now()));
        found.extend(contract.and_then(|contract| findings::contract(facts, contract)));
        found.extend(findings::address(facts));
        // An unknown word is reported as dangerous; it alone does not stop a bot that was allowed to start.
        let forbids = |finding: &findings::Finding| {
            finding.weight == Weight::Forbids && finding.code != ReasonCode::KeyUnknownPermission
        };
        let standing = if found.iter().any(forbids) { Standing::Stands } else { Standing::Gone };
        self.obstacle(Obstacle::KeyUnfit, standing)?;
        let worst = found.first().map(|finding| finding.code);
        if self.last_key_code != worst {
            self.last_key_code = worst;
            for finding in found {
                self.tell(&finding, None)?;
            }
        }
        Ok(())
    }

    /// The keeper has ended the lease: exits go on, entries for a while.
    pub(super) fn lease_ended(&mut self, number: u64) -> Result<(), RunError> {
        if number != self.session_number || self.session.is_none() {
            return Ok(());
        }
        self.lease_lost = Some(Instant::now());
        self.redial_later();
        let text = "The keeper is away. Entries go on for 15 minutes, exits without end.".to_owned();
        self.tell_as(Severity::Warning, ReasonCode::KeyInactive, text, None)
    }
}
