//! The bot and the simulated exchange in one loop: actions become orders, what the exchange tells becomes events.
//!
//! It decides nothing and knows no report.

use std::collections::BTreeSet;

use keyhold_domain::{
    AccountSnapshot, Balance, Candle, Fill, Money, NewOrder, OrderPurpose, OrderStatus, Position, Symbol,
    Timestamp,
};
use keyhold_engine::action::{Action, Note};
use keyhold_engine::decision::Decision;
use keyhold_engine::event::{Event, Outcome, Reconciliation, Request};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::report::ExecutionCounter;
use keyhold_engine::trade::Trade;
use keyhold_engine::{BotAction, BotEvent, BotPlan, BotState};

use super::spec::ProtectFrom;
use crate::exchange::{AccountId, Exchange, ExchangeEvent, FillCause, Order, OrderName, OrderRef, Refusal};

/// The account that trades.
pub(super) const ACCOUNT: AccountId = AccountId(1);
/// Events and actions that one moment may bring; more is a loop that does not end.
const MOST_TURNS: u32 = 100_000;

/// Whether protective orders reach the exchange now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// Inside the candle of an entry, when protection starts with the next.
    Held,
}

/// A bot at an exchange.
pub(super) struct Loop<'a> {
    plan: &'a BotPlan,
    pub(super) bot: BotState,
    pub(super) exchange: Exchange,
    asset: keyhold_domain::Asset,
    protect_from: ProtectFrom,
    gate: Gate,
    held: Vec<(u16, NewOrder)>,
    alarms: BTreeSet<Timestamp>,
    /// The first of them: asked on every candle.
    next_alarm: Option<Timestamp>,
    news: Vec<ExchangeEvent>,
    /// The account as it was told last, written anew each time.
    account: BotEvent,
    actions: Vec<BotAction>,
    /// Empty, to be filled with the actions that follow from actions.
    spare: Vec<BotAction>,
    /// By slot: whether the bot knows the balance since this instrument has moved it.
    funds: Vec<Funds>,
    /// Whether all of them are known: asked on every candle.
    all_funds: Funds,
    pub(super) trades: Vec<Trade>,
    pub(super) execution: ExecutionCounter,
    /// What was decided on the newest candle, where that is recorded.
    pub(super) decision: Option<Box<Decision>>,
    pub(super) liquidations: u64,
    pub(super) overflows: u64,
    /// Positions whose stop lay beyond the price of their liquidation.
    pub(super) bare_stops: u64,
}

/// Whether the bot knows its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Funds {
    Known,
    Changed,
}

impl<'a> Loop<'a> {
    pub(super) fn new(plan: &'a BotPlan, exchange: Exchange, protect_from: ProtectFrom) -> Self {
        Self {
            plan,
            bot: BotState::new(plan),
            exchange,
            asset: plan.plans[0].instrument.settle,
            protect_from,
            gate: Gate::Open,
            held: Vec::new(),
            alarms: BTreeSet::new(),
            next_alarm: None,
            news: Vec::new(),
            account: BotEvent::Account(AccountSnapshot {
                balances: Vec::new(),
                positions: Vec::new(),
                open_orders: Vec::new(),
                at: Timestamp::EPOCH,
            }),
            actions: Vec::new(),
            spare: Vec::new(),
            funds: vec![Funds::Changed; plan.plans.len()],
            all_funds: Funds::Changed,
            trades: Vec::new(),
            execution: ExecutionCounter::default(),
            decision: None,
            liquidations: 0,
            overflows: 0,
            bare_stops: 0,
        }
    }

    /// One event of an instrument for the bot, then everything that follows from it.
    pub(super) fn tell(&mut self, slot: u16, event: &Event, at: Timestamp) {
        self.bot.tell(self.plan, slot, event, &mut self.actions);
        if !self.actions.is_empty() {
            self.run(at);
        }
    }

    /// A candle has closed, then everything that follows from it.
    pub(super) fn close(&mut self, slot: u16, candle: &ClosedCandle, at: Timestamp) {
        self.bot.candle(self.plan, slot, (candle, at), &mut self.actions);
        if !self.actions.is_empty() {
            self.run(at);
        }
    }

    /// Nothing is left to tell and no alarm rings until then.
    pub(super) fn is_quiet(&self, until: Timestamp) -> bool {
        self.all_funds == Funds::Known && self.next_alarm.is_none_or(|alarm| alarm > until)
    }

    /// A candle at the exchange in which nothing happens; whether it is one.
    pub(super) fn pass(&mut self, market: usize, bar: &Candle, at: Timestamp) -> Result<bool, Refusal> {
        self.exchange.pass_at(market, bar, at, &mut self.news)
    }

    /// Something for the exchange, then everything that follows from it.
    pub(super) fn exchange(
        &mut self,
        at: Timestamp,
        act: impl FnOnce(&mut Exchange, &mut Vec<ExchangeEvent>),
    ) {
        act(&mut self.exchange, &mut self.news);
        if !self.news.is_empty() {
            self.run(at);
        }
    }

    /// Alarms that the bot has set and that have come.
    pub(super) fn ring(&mut self, until: Timestamp) {
        while let Some(at) = self.next_alarm.filter(|at| *at <= until) {
            self.alarms.remove(&at);
            self.next_alarm = self.alarms.first().copied();
            self.bot.take(self.plan, &BotEvent::TimerFired { at }, &mut self.actions);
            self.run(at);
        }
    }

    /// Tells the bot its balance when money has moved since it was told.
    #[inline]
    pub(super) fn tell_balance(&mut self, at: Timestamp) {
        match self.all_funds {
            Funds::Known => {}
            Funds::Changed => self.tell_new_balance(at),
        }
    }

    #[inline(never)]
    fn tell_new_balance(&mut self, at: Timestamp) {
        self.funds.fill(Funds::Known);
        self.all_funds = Funds::Known;
        let Some(balance) = self.balance() else { return };
        let BotEvent::Account(account) = &mut self.account else { return };
        account.at = at;
        account.balances.clear();
        account.balances.push(balance);
        // The bot compares sizes and looks at nothing else of a position.
        let symbols = self.plan.plans.iter().map(|plan| plan.instrument.symbol);
        let sized = |symbol| Some(Position::sized(symbol, self.exchange.size(ACCOUNT, symbol).ok()?));
        account.positions.clear();
        account.positions.extend(symbols.filter_map(sized));
        self.bot.take(self.plan, &self.account, &mut self.actions);
        self.run(at);
    }

    /// Counts an entry that would be liquidated before its stop is reached.
    pub(super) fn check_stop(&mut self, slot: u16) {
        if self.funds[usize::from(slot)] == Funds::Known {
            return;
        }
        let Some(holding) = self.bot.instrument(slot).and_then(keyhold_engine::State::holding) else {
            return;
        };
        let liquidation = self.exchange.liquidation(ACCOUNT, self.symbol(slot)).ok().flatten();
        if let (Some(stop), Some(liquidation)) = (holding.levels.stop, liquidation)
            && keyhold_engine::exit_rule::levels::is_tighter(holding.side(), liquidation, stop.price)
        {
            self.bare_stops += 1;
        }
    }

    /// The bot's equity now, what was filled after the newest decision included.
    pub(super) fn equity(&self) -> Option<keyhold_domain::Decimal> {
        self.bot.equity(self.plan, self.asset)
    }

    pub(super) fn balance(&self) -> Option<Balance> {
        self.exchange.balance(ACCOUNT, self.asset).ok()
    }

    pub(super) fn deposit(&mut self, amount: keyhold_domain::Decimal) {
        let money = Money::new(amount, self.asset);
        // The account was opened by the caller; a deposit into an open account is never refused.
        let told = self.exchange.deposit(ACCOUNT, money, &mut self.news);
        debug_assert!(told.is_ok(), "the account is open");
        self.news.clear();
    }

    /// Inside a candle whose entry has just filled, protective orders wait for the next candle when asked to.
    pub(super) fn hold_protection(&mut self) {
        if self.protect_from == ProtectFrom::NextCandle {
            self.gate = Gate::Held;
        }
    }

    pub(super) fn release_protection(&mut self, at: Timestamp) {
        if self.gate == Gate::Open {
            return;
        }
        self.gate = Gate::Open;
        for (slot, order) in std::mem::take(&mut self.held) {
            self.submit(slot, &order, at);
        }
        self.run(at);
    }

    /// Until nothing is left to tell and nothing left to do.
    fn run(&mut self, at: Timestamp) {
        for _ in 0..MOST_TURNS {
            if !self.actions.is_empty() {
                let mut actions = std::mem::replace(&mut self.actions, std::mem::take(&mut self.spare));
                for action in actions.drain(..) {
                    self.act(action.slot, action.action, at);
                }
                self.spare = actions;
            } else if !self.news.is_empty() {
                self.hear_all();
            } else {
                return;
            }
        }
        self.actions.clear();
        self.news.clear();
    }

    fn act(&mut self, slot: u16, action: Action, at: Timestamp) {
        match action {
            Action::Place(order) => {
                let order = *order.get();
                let protective =
                    matches!(order.purpose, OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit);
                if protective && self.gate == Gate::Held {
                    self.held.push((slot, order));
                } else {
                    self.submit(slot, &order, at);
                }
            }
            Action::Cancel(id) => {
                let order = OrderRef::Name(OrderName::Keyhold(id));
                let symbol = self.symbol(slot);
                let outcome = match self.exchange.cancel(ACCOUNT, symbol, &order, at, &mut self.news) {
                    Ok(_) => Outcome::Accepted,
                    Err(refusal) => Outcome::Refused { code: refusal.code() },
                };
                let request = Request::Cancel;
                self.event(slot, &Event::OrderOutcome { client_id: id, request, outcome, at });
            }
            Action::Reconcile(_) => {
                // The truth of now holds what was filled; told before the fills, it would look like somebody else's deed.
                self.hear_all();
                let truth = self.truth(slot, at);
                self.event(slot, &Event::Reconciled(truth));
            }
            Action::WakeAt(when) => {
                self.alarms.insert(when);
                self.next_alarm = self.alarms.first().copied();
            }
            Action::TradeClosed(trade) => self.trades.push(*trade),
            Action::Note(Note::Overflow) => self.overflows += 1,
            Action::Record(decision) => self.decision = Some(decision),
            Action::Note(_) => {}
        }
    }

    fn submit(&mut self, slot: u16, order: &NewOrder, at: Timestamp) {
        let answer = self.exchange.submit(ACCOUNT, &(*order).into(), at, &mut self.news);
        let outcome = match answer {
            Ok(_) => {
                self.execution.sent(order);
                Outcome::Accepted
            }
            Err(refusal) => {
                self.execution.refused();
                Outcome::Refused { code: refusal.code() }
            }
        };
        let (client_id, request) = (order.client_id, Request::Place);
        self.event(slot, &Event::OrderOutcome { client_id, request, outcome, at });
    }

    fn event(&mut self, slot: u16, event: &Event) {
        self.bot.tell(self.plan, slot, event, &mut self.actions);
    }

    fn symbol(&self, slot: u16) -> Symbol {
        self.plan.plans[usize::from(slot)].instrument.symbol
    }

    /// The instrument of a symbol; news of others does not occur.
    fn slot(&self, symbol: Symbol) -> u16 {
        let place = self.plan.plans.iter().position(|plan| plan.instrument.symbol == symbol);
        place.and_then(|place| u16::try_from(place).ok()).unwrap_or(0)
    }

    /// An instrument has moved the balance.
    fn moved(&mut self, slot: u16) {
        self.funds[usize::from(slot)] = Funds::Changed;
        self.all_funds = Funds::Changed;
    }

    /// Tells everything that the exchange has said.
    fn hear_all(&mut self) {
        let mut news = std::mem::take(&mut self.news);
        for event in &news {
            self.hear(event);
        }
        news.clear();
        if self.news.is_empty() {
            self.news = news;
        }
    }

    fn hear(&mut self, news: &ExchangeEvent) {
        match news {
            ExchangeEvent::Fill(_, report) => {
                let slot = self.slot(report.fill.symbol);
                self.moved(slot);
                self.execution.filled(&report.fill, self.plan.plans[usize::from(slot)].contract);
                if report.cause == FillCause::Liquidation {
                    self.liquidations += 1;
                    self.event(slot, &Event::Liquidated { at: report.fill.at });
                }
                self.event(slot, &Event::Filled(report.fill));
            }
            ExchangeEvent::Order(order) => self.hear_order(order),
            ExchangeEvent::Funding(_, payment) => {
                let slot = self.slot(payment.symbol);
                self.moved(slot);
                self.event(slot, &Event::FundingPaid { amount: payment.amount, at: payment.at });
            }
            ExchangeEvent::Balance(..) | ExchangeEvent::Position(..) | ExchangeEvent::Liquidation(..) => {}
        }
    }

    /// Acceptance is told by the answer and fills by themselves; what is left is an order's early end.
    fn hear_order(&mut self, order: &Order) {
        match order.status {
            OrderStatus::Canceled | OrderStatus::Rejected => {
                if let Some(update) = order.update() {
                    self.event(self.slot(order.symbol), &Event::OrderUpdated(update));
                }
            }
            OrderStatus::Open
            | OrderStatus::Untriggered
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled => {}
        }
    }

    pub(super) fn truth(&self, slot: u16, at: Timestamp) -> Reconciliation {
        let fills: Vec<Fill> = Vec::new();
        let symbol = self.symbol(slot);
        let own = self.exchange.open_orders(ACCOUNT).filter(|order| order.symbol == symbol);
        Reconciliation {
            position: self.exchange.position(ACCOUNT, symbol).ok(),
            open_orders: own.map(Order::open_order).collect(),
            fills,
            at,
        }
    }
}
