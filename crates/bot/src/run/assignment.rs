//! What is traded: from the server's assignment to an opened key, a prepared venue and a plan.
//!
//! [`Bot::reconsider`] runs after every happening and starts what is missing, so an assignment that must wait (for a flat
//! position, for a ticket) is followed as soon as it can be. Each step is an errand that comes back as news.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyhold_domain::{Environment, Instrument, KeyId, ReasonCode};
use keyhold_engine::BotEvent;
use keyhold_engine::settings::BotSettings;
use keyhold_protocol::uplink::{
    AccountAssignment, Assignment, Entries, Report, Severity, TemplateAssignment,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Bot, Errand, News, Opened, RunError, Stage};
use crate::keeper::{Lease, LeaseEnd, LeaseError};
use crate::market_time::MarketTime;
use crate::mind::record::{Obstacle, Record, Setup, Standing};
use crate::mind::{self, Change, Mind};
use crate::outside::Outside;
use crate::program::chain;
use crate::session::{self, Prepared, Session, SessionError, Wanted};
use crate::signer::KeySigner;

/// How often the keeper is dialed before the ticket counts as lost.
const DIALS: u32 = 40;
const BETWEEN_DIALS: Duration = Duration::from_millis(500);
/// Waits before the server is dialed again for a fresh ticket. The keeper takes five requests a minute.
const FIRST_REDIAL: Duration = Duration::from_secs(2);
const LAST_REDIAL: Duration = Duration::from_mins(1);

/// The clock of a market, set to the newest candle the bot remembers.
pub(super) fn market_time(environment: Environment, mind: &Mind) -> MarketTime {
    let instant = Instant::now();
    let mut time = MarketTime::of(environment, instant);
    for at in mind.newest_closes() {
        time.hear(at, instant);
    }
    time
}

impl<O: Outside> Bot<O> {
    /// A new word of the owner. Older ones than the newest are ignored.
    pub(super) fn assigned(&mut self, assignment: Box<Assignment>) -> Result<(), RunError> {
        if assignment.generation < self.mind.desk().generation {
            tracing::info!(generation = assignment.generation, "an old assignment is ignored");
            return Ok(());
        }
        let tradable = assignment.account.is_some() && assignment.template.is_some();
        let entries = if tradable { assignment.entries } else { Entries::Paused };
        if !self.mind.desk().is_known(assignment.generation, entries) {
            tracing::info!(generation = assignment.generation, ?entries, "a new assignment");
            self.record(Record::Wished { generation: assignment.generation, entries })?;
        }
        if self.assignment.as_ref().is_some_and(|old| old.generation != assignment.generation) {
            self.followed = None;
        }
        self.assignment = Some(assignment);
        Ok(())
    }

    /// Starts whatever is missing between what is wished and what is.
    pub(super) fn reconsider(&mut self) -> Result<(), RunError> {
        if self.waits_for_flat && self.may_close() {
            self.waits_for_flat = false;
            self.followed = None;
        }
        let Some(assignment) = &self.assignment else { return Ok(()) };
        let generation = assignment.generation;
        let (Some(account), Some(template)) = (&assignment.account, &assignment.template) else {
            if self.session.is_some() && self.may_close() {
                self.close_session();
            }
            return Ok(());
        };
        let (key, version) = (account.key.key, account.key.version);
        let has_ticket = account.key.ticket.is_some();
        let same = self.session.as_ref().map(|session| (session.key, session.version) == (key, version));
        match same {
            Some(true) if self.followed != Some(generation) && !self.busy.contains(&Errand::Preparing) => {
                let (account, template) = (account.clone(), template.clone());
                self.prepare(&account, &template, generation)?;
            }
            Some(true) if has_ticket && self.lease_is_over() => self.open(key)?,
            Some(false) if self.may_close() => self.close_session(),
            Some(false) => self.tell_to_wait(generation)?,
            None if has_ticket && !self.busy.contains(&Errand::Opening) => self.open(key)?,
            Some(true) | None => {}
        }
        Ok(())
    }

    fn lease_is_over(&self) -> bool {
        self.lease_lost.is_some() || self.mind.desk().has(Obstacle::LeaseLost)
    }

    fn may_close(&self) -> bool {
        self.mind.is_idle() && self.slots.values().all(|work| work.lanes.requests() == 0)
    }

    fn tell_to_wait(&mut self, generation: u64) -> Result<(), RunError> {
        if self.told_to_wait == Some(generation) {
            return Ok(());
        }
        self.told_to_wait = Some(generation);
        let text = "Key, template or instruments change when the position is closed.".to_owned();
        self.tell_as(Severity::Warning, ReasonCode::KeyLockedByPosition, text, None)
    }

    /// Gives the key back and forgets the venue.
    fn close_session(&mut self) {
        tracing::info!("the key is given back");
        self.market = None;
        self.account = None;
        self.session = None;
        self.session_number += 1;
        self.errands.abort_all();
        // The lease's keeper hears of it once the last errand has let go of the credential.
        self.give_back = None;
        self.busy.clear();
        self.slots.clear();
        self.followed = None;
        self.account_view = super::AccountView::Current;
        self.stage = Stage::Idle;
    }

    /// Opens the key with the assignment's ticket, which is then used up.
    fn open(&mut self, key: KeyId) -> Result<(), RunError> {
        if self.busy.contains(&Errand::Opening) {
            return Ok(());
        }
        if self.mind.setup().is_some_and(|setup| setup.key != key) && !self.mind.is_idle() {
            let generation = self.mind.desk().generation;
            return self.tell_to_wait(generation);
        }
        let Some(account) = self.assignment.as_mut().and_then(|assignment| assignment.account.as_mut())
        else {
            return Ok(());
        };
        let attempt = account.clone();
        account.key.ticket = None;
        self.busy.insert(Errand::Opening);
        if self.session.is_none() {
            self.stage = Stage::Connecting;
        }
        let (outside, bot) = (self.outside.clone(), self.home.bot);
        self.errand(async move {
            let mut result = session::open(&outside, bot, &attempt).await;
            // A keeper that cannot be dialed has not seen the ticket.
            for _ in 1..DIALS {
                if !matches!(&result, Err(SessionError::Lease(LeaseError::Dial(_)))) {
                    break;
                }
                tokio::time::sleep(BETWEEN_DIALS).await;
                result = session::open(&outside, bot, &attempt).await;
            }
            News::Opened(result.map(Box::new))
        });
        Ok(())
    }

    pub(super) fn opened(&mut self, result: Result<Opened<O>, SessionError>) -> Result<(), RunError> {
        self.busy.remove(&Errand::Opening);
        let (session, lease) = match result {
            Ok(opened) => opened,
            Err(error) => {
                self.redial_later();
                let text = format!("The key could not be opened: {}.", chain(&error));
                return self.tell_as(Severity::Critical, ReasonCode::KeyInactive, text, None);
            }
        };
        self.session_number += 1;
        self.redials = 0;
        self.redial = None;
        self.lease_lost = None;
        let same = |open: &&Session<O::Dialer>| (open.key, open.version) == (session.key, session.version);
        if let Some(open) = self.session.as_ref().filter(same) {
            // The keeper was away and knows this process again. The credential in use is the same one; the copy just
            // opened is wiped here, and trading does not notice.
            tracing::info!("the key is leased again");
            let signer = Arc::downgrade(&open.signer);
            self.keep_lease(lease, signer);
            return self.obstacle(Obstacle::LeaseLost, Standing::Gone);
        }
        tracing::info!("the key is open");
        self.market = None;
        self.account = None;
        self.keep_lease(lease, Arc::downgrade(&session.signer));
        self.time = market_time(session.environment, &self.mind);
        self.session = Some(session);
        self.followed = None;
        self.stage = Stage::Connecting;
        self.obstacle(Obstacle::LeaseLost, Standing::Gone)
    }

    /// The lease lives beside the errands, which may be ended all at once.
    fn keep_lease(&mut self, lease: Lease<O::Pipe>, signer: Weak<KeySigner>) {
        let (give_back, wanted) = oneshot::channel();
        self.give_back = Some(give_back);
        let (number, bring) = (self.session_number, self.bring.clone());
        tokio::spawn(async move {
            if lease.keep(wanted, || signer.strong_count() == 0).await == LeaseEnd::Lost {
                // The loop has ended when nobody takes it.
                drop(bring.send(News::LeaseEnded(number)).await);
            }
        });
    }

    /// A fresh ticket comes with the server's answer to the next greeting.
    pub(super) fn redial_later(&mut self) {
        let wait = FIRST_REDIAL * 2_u32.pow(self.redials.min(6));
        self.redials = self.redials.saturating_add(1);
        self.redial = Some(Instant::now() + wait.min(LAST_REDIAL));
    }

    /// Looks at the venue, or only compiles when nothing at the venue depends on the change.
    fn prepare(
        &mut self,
        account: &AccountAssignment,
        template: &TemplateAssignment,
        generation: u64,
    ) -> Result<(), RunError> {
        let Some(settings) = self.settings(generation)? else { return Ok(()) };
        if let Some(setup) = self.mind.setup().filter(|_| self.is_connected()) {
            let names: Vec<_> = setup.instruments.iter().map(|one| one.symbol).collect();
            let leverage = setup.settings.leverage == settings.leverage;
            if setup.template == *template && names == account.instruments && leverage {
                let setup = Setup { settings, ..setup.clone() };
                return self.plan(setup, generation);
            }
        }
        let Some(session) = &self.session else { return Ok(()) };
        let wanted = Wanted { symbols: account.instruments.clone(), leverage: settings.leverage };
        let session = session.clone();
        let outside = self.outside.clone();
        self.busy.insert(Errand::Preparing);
        let bring = self.bring.clone();
        self.errand(async move {
            let mut tell = |finding| {
                // Nobody waits for it: a trouble that finds no room is told when it comes again.
                drop(bring.try_send(News::Trouble(finding)));
            };
            let prepared = session::prepare(&session, || outside.now(), &wanted, &mut tell).await;
            News::Prepared(generation, Box::new(prepared))
        });
        Ok(())
    }

    /// The settings of the assignment; `None` after saying what is wrong with them.
    fn settings(&mut self, generation: u64) -> Result<Option<BotSettings>, RunError> {
        let Some(assignment) = &self.assignment else { return Ok(None) };
        match serde_json::from_value(assignment.settings.clone()) {
            Ok(settings) => Ok(Some(settings)),
            Err(error) => {
                self.followed = Some(generation);
                let text = format!("The bot's settings cannot be read: {error}.");
                self.tell_as(Severity::Critical, ReasonCode::NoTemplate, text, None)?;
                Ok(None)
            }
        }
    }

    pub(super) fn prepared(&mut self, generation: u64, prepared: &Prepared) -> Result<(), RunError> {
        self.busy.remove(&Errand::Preparing);
        let Some(assignment) = self.assignment.as_ref().filter(|one| one.generation == generation) else {
            return Ok(());
        };
        let (Some(account), Some(template)) = (&assignment.account, &assignment.template) else {
            return Ok(());
        };
        let (key, environment, epoch) = (account.key.key, account.key.environment, assignment.epoch);
        let (wanted, template) = (account.instruments.clone(), template.clone());
        let Some(settings) = self.settings(generation)? else { return Ok(()) };
        let mut instruments = Vec::new();
        for symbol in wanted {
            // An instrument that is not listed any more is still to be exited.
            let find = |list: &[Instrument]| list.iter().find(|one| one.symbol == symbol).copied();
            let known = self.mind.setup().and_then(|setup| find(&setup.instruments));
            let Some(instrument) = find(&prepared.instruments).or(known) else {
                self.followed = Some(generation);
                let text = format!("The exchange does not list {symbol}.");
                return self.tell_as(Severity::Critical, ReasonCode::NoInstrument, text, Some(symbol));
            };
            instruments.push(instrument);
        }
        self.record(Record::Told(Box::new(Report::Instruments(instruments.clone()))))?;
        self.plan(Setup { key, environment, epoch, template, settings, instruments }, generation)?;
        self.judge_key(&prepared.facts)?;
        let standing = if prepared.unfit.is_empty() { Standing::Gone } else { Standing::Stands };
        self.obstacle(Obstacle::AccountUnfit, standing)?;
        for finding in &prepared.unfit {
            self.tell(finding, None)?;
        }
        Ok(())
    }

    /// Puts a plan in force, from the next candle on. A plan that cannot go on with the memory waits until flat.
    fn plan(&mut self, setup: Setup, generation: u64) -> Result<(), RunError> {
        self.followed = Some(generation);
        if let Err(error) = mind::compile(self.home.bot, &setup) {
            let text = format!("The bot cannot trade with this template and these settings: {error}.");
            return self.tell_as(Severity::Critical, ReasonCode::NoTemplate, text, None);
        }
        let wanted = self.wanted();
        let change = self.mind.setup().map_or(Change::Everything, |old| Change::between(old, &setup));
        self.waits_for_flat =
            change == Change::Everything && self.mind.setup().is_some() && !self.may_close();
        if self.waits_for_flat {
            self.tell_to_wait(generation)?;
        } else if self.mind.setup() != Some(&setup) {
            tracing::info!(?change, "a new plan");
            self.record(Record::Planned(Box::new(setup)))?;
        }
        let slots: Vec<u16> = self.mind.plans().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.slot(slot);
        }
        if self.stage == Stage::Connecting {
            self.start_trading();
            return Ok(());
        }
        match change {
            Change::Settings => Ok(()),
            Change::Everything if self.waits_for_flat => Ok(()),
            Change::Template => {
                if self.wanted() != wanted {
                    self.market = None;
                    self.stage = Stage::Subscribing;
                }
                // Candles that close meanwhile are held back, so none is missed.
                self.load_all_history();
                self.subscribe();
                Ok(())
            }
            Change::Everything => {
                self.market = None;
                self.stage = Stage::Reconciling;
                self.load_all_history();
                self.record_event(BotEvent::Restarted { at: self.now() })
            }
        }
    }

    /// History, then the account's stream; the rest follows from there.
    fn start_trading(&mut self) {
        if self.mind.plans().next().is_none() {
            return;
        }
        if self.load_all_history() {
            self.stage = Stage::WarmingUp;
        } else {
            self.follow_account();
        }
    }
}
