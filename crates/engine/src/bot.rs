//! A bot: one key, one template, several instruments, limits that see all of them.
//!
//! [`step_bot`] is [`crate::step::step`] for the whole: it routes an event to its instrument, keeps the book of
//! results, tells each instrument what the bot looks like before it decides, and takes the actions together. It
//! decides nothing itself. Programs and backtests call only this.

use keyhold_domain::{AccountSnapshot, Asset, Decimal, OrderPurpose, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::{Action, Note};
use crate::event::{AccountView, Directive, Event, Outcome};
use crate::input::ClosedCandle;
use crate::ledger::{BotFacts, Ledger};
use crate::plan::Plan;
use crate::sizing::in_quote;
use crate::state::State;
use crate::step::{apply, apply_candle};

/// The version of the bot's snapshot.
pub const BOT_STATE_FORMAT: u32 = 1;

/// One plan per instrument, in the order of their slots. All have the same template and settings.
#[derive(Debug, Clone, PartialEq)]
pub struct BotPlan {
    /// The plan of slot n at place n.
    pub plans: Vec<Plan>,
}

/// The memory of a whole bot. Serialized, it is the bot's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotState {
    format: u32,
    ledger: Ledger,
    instruments: Vec<State>,
    #[serde(skip)]
    aside: Aside,
}

/// Kept beside the memory and no part of it: without it the book of results is written again, with the same numbers.
#[derive(Debug, Clone, Default)]
struct Aside {
    book: BookState,
    written: u64,
    /// Empty between two events.
    actions: Vec<Action>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum BookState {
    /// Results may have changed since.
    #[default]
    Old,
    /// The book holds the results as they are.
    Current,
}

impl PartialEq for Aside {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// News for a bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotEvent {
    /// For one instrument.
    Instrument {
        /// Which.
        slot: u16,
        /// What.
        event: Event,
    },
    /// The account was read: every instrument sees its part.
    Account(AccountSnapshot),
    /// For all instruments.
    Directed {
        /// What is wanted.
        directive: Directive,
        /// When it was said.
        at: Timestamp,
    },
    /// Time passed.
    TimerFired {
        /// Now.
        at: Timestamp,
    },
    /// The program has started again.
    Restarted {
        /// Now.
        at: Timestamp,
    },
}

/// What a bot wants done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BotAction {
    /// For which instrument.
    pub slot: u16,
    /// What.
    pub action: Action,
}

/// What a bot does about one event. Same plan, state and event: same result.
pub fn step_bot(plan: &BotPlan, mut state: BotState, event: &BotEvent) -> (BotState, Vec<BotAction>) {
    let mut out = Vec::new();
    state.take(plan, event, &mut out);
    (state, out)
}

impl BotState {
    /// The memory before the first event.
    pub fn new(plan: &BotPlan) -> Self {
        Self {
            format: BOT_STATE_FORMAT,
            ledger: Ledger::new(plan.plans.iter().map(|plan| plan.instrument.settle)),
            instruments: plan.plans.iter().map(State::new).collect(),
            aside: Aside::default(),
        }
    }

    /// The memory of one instrument.
    pub fn instrument(&self, slot: u16) -> Option<&State> {
        self.instruments.get(usize::from(slot))
    }

    /// The book of results.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A number that grows whenever the book of results is written; as long as it stays, nothing in the book has changed
    /// but the day. Begins anew with every copy read from a snapshot.
    pub const fn book_version(&self) -> u64 {
        self.aside.written
    }

    /// The equity in an asset as it is now: the book's, or with what has been earned since the book was last written.
    pub fn equity(&self, plan: &BotPlan, asset: Asset) -> Option<Decimal> {
        match self.aside.book {
            BookState::Current => self.ledger.equity(asset),
            BookState::Old => {
                let own = plan
                    .plans
                    .iter()
                    .zip(&self.instruments)
                    .filter(|(plan, _)| plan.instrument.settle == asset);
                let earned = own.map(|(_, state)| state.earned(asset));
                self.ledger
                    .equity_with(asset, earned.map(|one| one.realized.saturating_add(one.unrealized)).sum())
            }
        }
    }

    /// Whether results may have changed since the book was last written.
    pub const fn is_book_old(&self) -> bool {
        matches!(self.aside.book, BookState::Old)
    }

    /// Whether the snapshot belongs to this plan: same format and as many instruments.
    pub fn fits(&self, plan: &BotPlan) -> bool {
        self.format == BOT_STATE_FORMAT && self.instruments.len() == plan.plans.len()
    }

    /// Changes each instrument's memory beside its plan.
    pub(crate) fn map_instruments(mut self, plans: &[Plan], change: impl Fn(State, &Plan) -> State) -> Self {
        let instruments = std::mem::take(&mut self.instruments);
        self.instruments =
            instruments.into_iter().zip(plans).map(|(state, plan)| change(state, plan)).collect();
        self
    }

    /// The same as [`step_bot`], in place and into a buffer that the caller keeps: for loops over many events.
    pub fn take(&mut self, plan: &BotPlan, event: &BotEvent, out: &mut Vec<BotAction>) {
        match event {
            BotEvent::Instrument { slot, event } => self.tell(plan, *slot, event, out),
            BotEvent::Account(account) => self.account(plan, account, out),
            BotEvent::Directed { directive, at } => {
                if *directive == Directive::ClearLimits {
                    self.ledger.clear();
                }
                self.all(plan, &Event::Directed { directive: *directive, at: *at }, out);
            }
            BotEvent::TimerFired { at } => self.all(plan, &Event::TimerFired { at: *at }, out),
            BotEvent::Restarted { at } => self.all(plan, &Event::Restarted { at: *at }, out),
        }
    }

    fn all(&mut self, plan: &BotPlan, event: &Event, out: &mut Vec<BotAction>) {
        for slot in 0..self.instruments.len() {
            if let Ok(slot) = u16::try_from(slot) {
                self.tell(plan, slot, event, out);
            }
        }
    }

    /// One event for one instrument. A slot that does not exist is nobody's.
    pub fn tell(&mut self, plan: &BotPlan, slot: u16, event: &Event, out: &mut Vec<BotAction>) {
        if let Event::CandleClosed { candle, at } = event {
            self.candle(plan, slot, (candle, *at), out);
            return;
        }
        let index = usize::from(slot);
        let (Some(own), Some(state)) = (plan.plans.get(index), self.instruments.get_mut(index)) else {
            return;
        };
        if !matches!(event, Event::Market(_)) {
            // Facts about the market move no result; they come with every candle.
            self.aside.book = BookState::Old;
        }
        let held = state.0.holding.is_some();
        let mut actions = std::mem::take(&mut self.aside.actions);
        apply(own, state, event, &mut actions);
        if !held && state.0.holding.is_some() {
            self.ledger.opened();
        }
        if let Event::OrderOutcome { outcome, at, .. } = event {
            match outcome {
                Outcome::Accepted => {}
                Outcome::Refused { .. } | Outcome::Unknown | Outcome::NotSent => {
                    self.failed(own, slot, *at, out);
                }
            }
        }
        self.give_out(own, slot, actions, out);
    }

    /// [`Event::CandleClosed`] for one instrument, without a copy of the candle: for loops over many candles.
    pub fn candle(
        &mut self,
        plan: &BotPlan,
        slot: u16,
        (candle, at): (&ClosedCandle, Timestamp),
        out: &mut Vec<BotAction>,
    ) {
        let index = usize::from(slot);
        let (Some(own), true) = (plan.plans.get(index), index < self.instruments.len()) else { return };
        if own.limited {
            self.instruments[index].0.value_at(own, candle.candle.close);
            self.refresh(plan, (index, candle.candle.close), at, out);
        }
        let state = &mut self.instruments[index];
        // In its own place, which is empty between two events: most candles ask for nothing.
        apply_candle(own, state, candle, at, &mut self.aside.actions);
        if !own.limited {
            // Nobody asks before the decision, so the position is valued once, by the step itself.
            if state.0.holding.is_some() || self.aside.book == BookState::Old {
                self.mark(plan, at);
            } else {
                self.ledger.pass(at);
            }
        }
        if !self.aside.actions.is_empty() {
            let actions = std::mem::take(&mut self.aside.actions);
            self.give_out(own, slot, actions, out);
        }
    }

    /// Hands the actions on and keeps the empty buffer.
    fn give_out(&mut self, own: &Plan, slot: u16, mut actions: Vec<Action>, out: &mut Vec<BotAction>) {
        for action in actions.drain(..) {
            if let Action::TradeClosed(trade) = &action {
                let limits = &own.settings.limits;
                self.ledger.closed(trade.exited_at, trade.net, limits, own.interval_ms());
            }
            out.push(BotAction { slot, action });
        }
        self.aside.actions = actions;
    }

    fn failed(&mut self, own: &Plan, slot: u16, at: Timestamp, out: &mut Vec<BotAction>) {
        let limits = &own.settings.limits;
        let before = self.ledger.halt(limits);
        self.ledger.order_failed(at, limits);
        if let (None, Some(halt)) = (before, self.ledger.halt(limits)) {
            out.push(BotAction { slot, action: Action::Note(Note::LimitHit(halt.reason)) });
        }
    }

    /// Brings the book of results up to date and tells an instrument, whose candle has just closed at a price, what the bot
    /// looks like.
    fn refresh(
        &mut self,
        plan: &BotPlan,
        (index, close): (usize, Price),
        now: Timestamp,
        out: &mut Vec<BotAction>,
    ) {
        let own = &plan.plans[index];
        self.mark(plan, now);
        let limits = &own.settings.limits;
        let before = self.instruments[index].0.bot.halted;
        let halted = self.ledger.halt(limits);
        if let (None, Some(halt), Ok(slot)) = (before, halted, u16::try_from(index)) {
            out.push(BotAction { slot, action: Action::Note(Note::LimitHit(halt.reason)) });
        }
        let mut facts = BotFacts {
            daily_loss: self.ledger.daily_loss(limits),
            weekly_loss: self.ledger.weekly_loss(limits),
            halted,
            trades_today: self.ledger.trades_today(),
            cool_off_until: self.ledger.cool_off_until(),
            last_exits: self.ledger.last_exits(),
            ..BotFacts::default()
        };
        self.count(plan, own, &mut facts);
        facts.equity_quote = self.equity_quote(plan, (own, close));
        self.instruments[index].0.bot = facts;
    }

    /// Takes the results of all instruments into the book.
    fn mark(&mut self, plan: &BotPlan, now: Timestamp) {
        let earned = plan
            .plans
            .iter()
            .zip(&self.instruments)
            .map(|(plan, state)| state.earned(plan.instrument.settle));
        self.ledger.mark(now, &earned);
        self.aside.book = BookState::Current;
        self.aside.written = self.aside.written.wrapping_add(1);
    }

    fn count(&self, plan: &BotPlan, own: &Plan, facts: &mut BotFacts) {
        for (other, state) in plan.plans.iter().zip(&self.instruments) {
            let inner = &state.0;
            let entering = inner.book.with_purpose(OrderPurpose::Entry);
            let pending: Decimal = entering.map(crate::order::Tracked::open_quantity).sum();
            let held = inner.holding.as_ref().map_or(Decimal::ZERO, crate::position::Holding::quantity);
            let Ok(quantity) = Quantity::new(held.saturating_add(pending)) else { continue };
            facts.open_positions += 1;
            if other.instrument.base == own.instrument.base {
                facts.positions_in_asset += 1;
            }
            if let Some(value) =
                state.last_close().and_then(|price| other.contract.quote_value(price, quantity))
            {
                facts.exposure_quote = facts.exposure_quote.saturating_add(value);
            }
        }
    }

    /// Equity of all settlement assets in quote currency; each asset is valued at the newest close of one of its
    /// instruments, that of the instrument which asks at the price it decides on.
    fn equity_quote(&self, plan: &BotPlan, (asks, close): (&Plan, Price)) -> Option<Decimal> {
        let mut total = Decimal::ZERO;
        for (place, own) in plan.plans.iter().enumerate() {
            let asset = own.instrument.settle;
            if plan.plans[..place].iter().any(|earlier| earlier.instrument.settle == asset) {
                continue;
            }
            let equity = self.ledger.equity(asset)?;
            let (own, price) = if asks.instrument.settle == asset {
                (asks, Some(close))
            } else {
                (own, self.instruments.get(place)?.last_close())
            };
            let value = match price {
                Some(price) => in_quote(own.contract, equity, price)?,
                None => match own.instrument.contract_type {
                    keyhold_domain::ContractType::Linear => equity,
                    keyhold_domain::ContractType::Inverse => return None,
                },
            };
            total = total.checked_add(value)?;
        }
        Some(total)
    }

    fn account(&mut self, plan: &BotPlan, account: &AccountSnapshot, out: &mut Vec<BotAction>) {
        self.mark(plan, account.at);
        for balance in &account.balances {
            self.ledger.account(balance.asset, balance.wallet);
        }
        self.aside.written = self.aside.written.wrapping_add(1);
        for (slot, own) in plan.plans.iter().enumerate() {
            let Ok(slot) = u16::try_from(slot) else { return };
            let symbol = own.instrument.symbol;
            let position = account.positions.iter().find(|position| position.symbol == symbol).copied();
            let view = AccountView {
                balance: account.balance(own.instrument.settle).copied(),
                // A snapshot names only instruments with a position: silence means flat.
                position: Some(position.unwrap_or(keyhold_domain::Position::sized(
                    symbol,
                    keyhold_domain::SignedQuantity::ZERO,
                ))),
                at: account.at,
            };
            self.tell(plan, slot, &Event::AccountRefreshed(view), out);
        }
    }
}

impl crate::state::Inner {
    /// Values the position at a price.
    pub(crate) fn value_at(&mut self, plan: &Plan, price: Price) {
        self.unrealized = match &self.holding {
            Some(holding) => holding.unrealized_or(&plan.instrument, price, self.unrealized),
            None => Decimal::ZERO,
        };
    }
}
