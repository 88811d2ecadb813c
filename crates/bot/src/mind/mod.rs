//! The pure half of the bot: what it knows and wants, changed by nothing but entries of the journal.
//!
//! [`Mind::take`] gives what is to be done at the venue and what is to be reported. Replaying the journal gives the same
//! again; the program then discards what is to be done and keeps what is to be reported. It does no I/O, reads no clock and
//! wraps `keyhold_engine::step_bot`, which decides. Entries: [`record`]; wishes and commands: [`desk`]; reports: [`tell`].

pub mod desk;
mod notes;
pub mod record;
mod tell;

use std::collections::{BTreeSet, VecDeque};

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    BotId, ClientOrderId, Money, NewOrder, OpenOrder, OrderKind, Symbol, TimeInForce, Timestamp,
};
use keyhold_engine::action::Action;
use keyhold_engine::event::Event;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::order::{OrderState, Tracked};
use keyhold_engine::{BotAction, BotEvent, BotPlan, BotState, Ids, Plan};
use keyhold_protocol::uplink::{Progress, Report};
use serde::{Deserialize, Serialize};

use desk::Desk;
use record::{Entry, Record, Setup};
use tell::Told;

/// The version of the snapshot's format.
const MEMORY_FORMAT: u32 = 1;
/// Funding payments remembered to recognize repeats.
const MOST_PAYMENTS: usize = 256;
/// Wake-ups remembered; more cannot be useful because one wakes everything.
const MOST_WAKES: usize = 1_024;

/// Everything the bot remembers. Serialized, it is the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    format: u32,
    desk: Desk,
    setup: Option<Setup>,
    state: Option<BotState>,
    told: Told,
    payments: VecDeque<FillId>,
    wakes: BTreeSet<Timestamp>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            format: MEMORY_FORMAT,
            desk: Desk::default(),
            setup: None,
            state: None,
            told: Told::default(),
            payments: VecDeque::new(),
            wakes: BTreeSet::new(),
        }
    }
}

/// Why the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MindError {
    /// Written by another version.
    #[error("the snapshot has format {0}, this program reads format {MEMORY_FORMAT}")]
    Format(u32),
    /// Template, instruments and settings do not make a plan.
    #[error("the plan cannot be compiled: {0}")]
    Plan(String),
    /// Snapshot and plan do not belong together.
    #[error("the snapshot does not belong to its plan")]
    Misfit,
}

/// What is to be done at the venue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    /// Send an order.
    Place(NewOrder),
    /// Cancel one.
    Cancel(ClientOrderId),
    /// Ask for the truth about an instrument.
    Reconcile,
}

/// How a living order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Nobody knows whether the venue has it: look until a late arrival is impossible.
    DidItArrive,
    /// The venue has had it: one look for its fills.
    HowIsIt,
}

/// What an entry leads to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// At the venue, in order, each for a slot.
    pub deeds: Vec<(u16, Deed)>,
    /// To the server, in order.
    pub reports: Vec<Report>,
}

/// The bot's memory with the plan compiled from it.
#[derive(Debug)]
pub struct Mind {
    bot: BotId,
    plan: Option<BotPlan>,
    memory: Memory,
}

impl Mind {
    /// A mind from a snapshot, or a new one.
    pub fn restore(bot: BotId, memory: Option<Memory>) -> Result<Self, MindError> {
        let memory = memory.unwrap_or_default();
        if memory.format != MEMORY_FORMAT {
            return Err(MindError::Format(memory.format));
        }
        let plan = memory.setup.as_ref().map(|setup| compile(bot, setup)).transpose()?;
        let fits = match (&plan, &memory.state) {
            (Some(plan), Some(state)) => state.fits(plan),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if fits { Ok(Self { bot, plan, memory }) } else { Err(MindError::Misfit) }
    }

    /// For the snapshot.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Wishes, reservations and commands.
    pub fn desk(&self) -> &Desk {
        &self.memory.desk
    }

    /// What is traded and how.
    pub fn setup(&self) -> Option<&Setup> {
        self.memory.setup.as_ref()
    }

    /// The plan of a slot.
    pub fn plan(&self, slot: u16) -> Option<&Plan> {
        self.plan.as_ref()?.plans.get(usize::from(slot))
    }

    /// Slots with their plans.
    pub fn plans(&self) -> impl Iterator<Item = (u16, &Plan)> {
        let plans = self.plan.iter().flat_map(|plan| &plan.plans);
        (0_u16..).zip(plans)
    }

    /// The slot of an instrument.
    pub fn slot_of(&self, symbol: Symbol) -> Option<u16> {
        self.plans().find(|(_, plan)| plan.instrument.symbol == symbol).map(|(slot, _)| slot)
    }

    /// What an instrument remembers.
    pub fn state(&self, slot: u16) -> Option<&keyhold_engine::State> {
        self.memory.state.as_ref()?.instrument(slot)
    }

    /// No position is held and no order lives.
    pub fn is_idle(&self) -> bool {
        self.plans().all(|(slot, _)| {
            self.state(slot).is_none_or(|state| state.holding().is_none() && state.orders().live().is_empty())
        })
    }

    /// Some position is held.
    pub fn holds(&self) -> bool {
        self.plans().any(|(slot, _)| self.state(slot).is_some_and(|state| state.holding().is_some()))
    }

    /// Living orders that the venue may know, with how each is to be asked for.
    pub fn doubtful(&self, slot: u16) -> Vec<(ClientOrderId, Question)> {
        let orders = self.state(slot).map(|state| state.orders().live()).unwrap_or_default();
        let asked = orders.iter().filter_map(|tracked| {
            let question = match tracked.state {
                OrderState::InFlight | OrderState::Unknown => Question::DidItArrive,
                OrderState::Canceling | OrderState::Working | OrderState::PartlyFilled => Question::HowIsIt,
                OrderState::Waiting | OrderState::Filled | OrderState::Canceled | OrderState::Refused => {
                    return None;
                }
            };
            Some((tracked.order.client_id, question))
        });
        asked.collect()
    }

    /// Orders of which an account's reading and the memory say different things: resting ones that should not, and such as
    /// should rest and do not. Of an order whose outcome is still to come a reading proves nothing.
    pub fn disputed(&self, slot: u16, resting: &[OpenOrder]) -> BTreeSet<ClientOrderId> {
        let (Some(plan), Some(state)) = (self.plan(slot), self.state(slot)) else { return BTreeSet::new() };
        let names = resting.iter().filter(|order| order.symbol == plan.instrument.symbol);
        let names = names.filter_map(|order| order.client_id).filter(|id| plan.ids.is_ours(*id));
        let resting: BTreeSet<ClientOrderId> = names.collect();
        let (mut should, mut may) = (BTreeSet::new(), BTreeSet::new());
        for tracked in state.orders().live() {
            let id = tracked.order.client_id;
            match tracked.state {
                OrderState::Working | OrderState::PartlyFilled => should.insert(id),
                OrderState::InFlight | OrderState::Unknown | OrderState::Waiting => may.insert(id),
                // Whether it rests or not, somebody still has to say what became of a cancel: either way it is in dispute.
                OrderState::Canceling => !resting.contains(&id) && should.insert(id),
                OrderState::Filled | OrderState::Canceled | OrderState::Refused => false,
            };
        }
        resting.symmetric_difference(&should).filter(|id| !may.contains(id)).copied().collect()
    }

    /// Orders whose outcome is still to come by itself: whatever does not rest at the venue until something happens.
    pub fn unsettled(&self) -> usize {
        self.count_orders(|tracked| match tracked.order.kind {
            OrderKind::Market => is_at_venue(tracked) || is_unanswered(tracked),
            OrderKind::Limit { time_in_force: TimeInForce::Ioc | TimeInForce::Fok, .. } => {
                is_at_venue(tracked) || is_unanswered(tracked)
            }
            OrderKind::Limit { .. } | OrderKind::StopMarket { .. } => is_unanswered(tracked),
        })
    }

    /// Orders about which the venue still has to say something.
    pub fn unanswered(&self) -> usize {
        self.count_orders(is_unanswered)
    }

    fn count_orders(&self, wanted: impl Fn(&Tracked) -> bool) -> usize {
        let states = self.plans().filter_map(|(slot, _)| self.state(slot));
        states.map(|state| state.orders().live().iter().filter(|tracked| wanted(tracked)).count()).sum()
    }

    /// Whether nobody knows if the venue has this order.
    pub fn is_lost(&self, slot: u16, id: ClientOrderId) -> bool {
        let tracked = self.state(slot).and_then(|state| state.orders().get(id));
        tracked.is_some_and(|tracked| tracked.state == OrderState::Unknown)
    }

    /// When the newest candles closed, in the market's time.
    pub fn newest_closes(&self) -> impl Iterator<Item = Timestamp> {
        self.plans().filter_map(|(slot, plan)| {
            let newest = self.state(slot)?.newest_candle()?;
            Some(newest.plus_ms(plan.interval_ms()))
        })
    }

    /// How far the decisions have come.
    pub fn progress(&self) -> Vec<Progress> {
        let newest = |(slot, plan): (u16, &Plan)| {
            let candle = self.state(slot)?.newest_candle()?;
            Some(Progress { symbol: plan.instrument.symbol, candle })
        };
        self.plans().filter_map(newest).collect()
    }

    /// When the engine wants to be woken next, in the market's time.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.memory.wakes.first().copied()
    }

    /// Takes in one entry. Entries that do not fit (a plan that does not compile, an unknown slot) change nothing.
    pub fn take(&mut self, entry: &Entry) -> Effects {
        let mut effects = Effects::default();
        match &entry.what {
            Record::Planned(setup) => self.planned(setup),
            Record::Wished { generation, entries } => self.memory.desk.wish(*generation, *entries),
            Record::Obstacle { obstacle, standing } => self.memory.desk.note(*obstacle, *standing),
            Record::Bot(event) => self.bot_event(event, &mut effects),
            Record::Answered(answer) => {
                self.memory.told.answered(answer);
                let event = Event::OrderOutcome {
                    client_id: answer.client_id,
                    request: answer.request,
                    outcome: answer.outcome,
                    at: answer.at,
                };
                self.bot_event(&BotEvent::Instrument { slot: answer.slot, event }, &mut effects);
            }
            Record::Warmed { slot, candles } => {
                for candle in candles {
                    let event = Event::Warmup(ClosedCandle::new(*candle));
                    self.bot_event(&BotEvent::Instrument { slot: *slot, event }, &mut effects);
                }
            }
            Record::Funding { slot, id, amount, at } => {
                if self.is_new_payment(*id) {
                    self.funding(*slot, *amount, *at, &mut effects);
                }
            }
            Record::Commanded { id, command } => {
                if let Some(directive) = self.memory.desk.command(*id, *command) {
                    self.bot_event(&BotEvent::Directed { directive, at: entry.at }, &mut effects);
                }
            }
            Record::CommandEnded { id, outcome } => self.memory.desk.ended(*id, outcome),
            Record::Told(report) => effects.reports.push(Report::clone(report)),
        }
        self.direct(entry.at, &mut effects);
        effects
    }

    /// Books funding for the position that was held when it was due.
    fn funding(&mut self, slot: u16, amount: Money, at: Timestamp, effects: &mut Effects) {
        let symbol = self.plan(slot).map(|plan| plan.instrument.symbol);
        let amended = symbol.and_then(|symbol| self.memory.told.fund_closed(symbol, amount, at));
        let event = match amended {
            Some(_) => Event::FundingLate { amount, at },
            None => Event::FundingPaid { amount, at },
        };
        self.bot_event(&BotEvent::Instrument { slot, event }, effects);
        effects.reports.extend(amended);
    }

    /// Whether a position of ours was held at an instant, as far as is remembered: the one that is held or the one before.
    pub fn was_held(&self, slot: u16, at: Timestamp) -> bool {
        let holding = self.state(slot).and_then(keyhold_engine::State::holding);
        let symbol = self.plan(slot).map(|plan| plan.instrument.symbol);
        holding.is_some_and(|held| held.opened_at <= at)
            || symbol.is_some_and(|symbol| self.memory.told.was_held(symbol, at))
    }

    /// Tells the engine what has changed about entries.
    fn direct(&mut self, at: Timestamp, effects: &mut Effects) {
        if self.plan.is_some() {
            for event in self.memory.desk.news(at) {
                self.bot_event(&event, effects);
            }
        }
    }

    fn planned(&mut self, setup: &Setup) {
        // Checked before it was journaled, and compiling is a function of the setup alone.
        let Ok(plan) = compile(self.bot, setup) else { return };
        let change = self.memory.setup.as_ref().map(|old| Change::between(old, setup));
        let kept = match (change, self.memory.state.take(), &self.plan) {
            (Some(Change::Settings), state, _) => state,
            (Some(Change::Template), Some(state), Some(old)) => state.replanned(old, &plan),
            (Some(Change::Template | Change::Everything) | None, _, _) => None,
        };
        if kept.is_none() {
            self.memory.desk.forget_said();
            self.memory.wakes.clear();
        }
        self.memory.state = Some(kept.unwrap_or_else(|| BotState::new(&plan)));
        self.plan = Some(plan);
        self.memory.setup = Some(setup.clone());
    }

    /// Whether a funding payment was booked.
    pub fn knows_payment(&self, id: FillId) -> bool {
        self.memory.payments.contains(&id)
    }

    fn is_new_payment(&mut self, id: FillId) -> bool {
        if self.knows_payment(id) {
            return false;
        }
        if self.memory.payments.len() >= MOST_PAYMENTS {
            self.memory.payments.pop_front();
        }
        self.memory.payments.push_back(id);
        true
    }

    fn bot_event(&mut self, event: &BotEvent, effects: &mut Effects) {
        let (Some(plan), Some(state)) = (&self.plan, &mut self.memory.state) else { return };
        if let BotEvent::TimerFired { at } = event {
            self.memory.wakes = self.memory.wakes.split_off(&at.plus_ms(1));
        }
        self.memory.told.before(plan, state, event);
        let mut actions = Vec::new();
        state.take(plan, event, &mut actions);
        self.memory.told.after(plan, state, event, &actions, &mut effects.reports);
        for BotAction { slot, action } in actions {
            match action {
                Action::Place(order) => effects.deeds.push((slot, Deed::Place(*order.get()))),
                Action::Cancel(id) => effects.deeds.push((slot, Deed::Cancel(id))),
                Action::Reconcile(_) => effects.deeds.push((slot, Deed::Reconcile)),
                Action::WakeAt(at) => {
                    if self.memory.wakes.len() < MOST_WAKES {
                        self.memory.wakes.insert(at);
                    }
                }
                Action::Record(_) | Action::TradeClosed(_) | Action::Note(_) => {}
            }
        }
    }
}

fn is_unanswered(tracked: &Tracked) -> bool {
    match tracked.state {
        OrderState::InFlight | OrderState::Waiting | OrderState::Unknown | OrderState::Canceling => true,
        OrderState::Working
        | OrderState::PartlyFilled
        | OrderState::Filled
        | OrderState::Canceled
        | OrderState::Refused => false,
    }
}

fn is_at_venue(tracked: &Tracked) -> bool {
    matches!(tracked.state, OrderState::Working | OrderState::PartlyFilled)
}

/// What a new setup changes, and with it what of the engine's memory can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Settings at most: everything goes on.
    Settings,
    /// The template: positions and results go on, components learn again.
    Template,
    /// Key or instruments: nothing goes on, so it must wait until nothing is held.
    Everything,
}

impl Change {
    /// From one setup to another.
    pub fn between(old: &Setup, new: &Setup) -> Self {
        let names = |setup: &Setup| setup.instruments.iter().map(|one| one.symbol).collect::<Vec<_>>();
        if old.key != new.key || names(old) != names(new) {
            Self::Everything
        } else if old.template != new.template {
            Self::Template
        } else {
            Self::Settings
        }
    }
}

/// Compiles the plans of a setup, slot by slot.
pub fn compile(bot: BotId, setup: &Setup) -> Result<BotPlan, MindError> {
    let mut plans = Vec::new();
    for (slot, instrument) in (0_u16..).zip(&setup.instruments) {
        let ids = Ids {
            bot,
            slot,
            epoch: setup.epoch,
            template: setup.template.template,
            template_version: setup.template.version,
        };
        let plan = Plan::compile(&setup.template.document, instrument, &setup.settings, ids);
        plans.push(plan.map_err(|problems| {
            let first = problems.first().map_or_else(String::new, |problem| {
                format!("{} ({}): {}", problem.path, instrument.symbol, problem.message)
            });
            MindError::Plan(first)
        })?);
    }
    Ok(BotPlan { plans })
}
