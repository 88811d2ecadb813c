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
    symbol: Symbol,
    asset: keyhold_domain::Asset,
    protect_from: ProtectFrom,
    gate: Gate,
    held: Vec<NewOrder>,
    alarms: BTreeSet<Timestamp>,
    news: Vec<ExchangeEvent>,
    actions: Vec<BotAction>,
    /// Empty, to be filled with the actions that follow from actions.
    spare: Vec<BotAction>,
    funds: Funds,
    pub(super) trades: Vec<Trade>,
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
        let instrument = &plan.plans[0].instrument;
        Self {
            plan,
            bot: BotState::new(plan),
            exchange,
            symbol: instrument.symbol,
            asset: instrument.settle,
            protect_from,
            gate: Gate::Open,
            held: Vec::new(),
            alarms: BTreeSet::new(),
            news: Vec::new(),
            actions: Vec::new(),
            spare: Vec::new(),
            funds: Funds::Changed,
            trades: Vec::new(),
            decision: None,
            liquidations: 0,
            overflows: 0,
            bare_stops: 0,
        }
    }

    /// One event for the bot, then everything that follows from it.
    pub(super) fn tell(&mut self, event: &Event, at: Timestamp) {
        self.bot.tell(self.plan, 0, event, &mut self.actions);
        if !self.actions.is_empty() {
            self.run(at);
        }
    }

    /// A candle has closed, then everything that follows from it.
    pub(super) fn close(&mut self, candle: &ClosedCandle, at: Timestamp) {
        self.bot.candle(self.plan, 0, (candle, at), &mut self.actions);
        if !self.actions.is_empty() {
            self.run(at);
        }
    }

    /// Nothing is left to tell and no alarm rings until then.
    pub(super) fn is_quiet(&self, until: Timestamp) -> bool {
        self.funds == Funds::Known && self.alarms.first().is_none_or(|alarm| *alarm > until)
    }

    /// A candle at the exchange in which nothing happens; whether it is one.
    pub(super) fn pass(&mut self, symbol: Symbol, bar: &Candle, at: Timestamp) -> Result<bool, Refusal> {
        self.exchange.pass(symbol, bar, at, &mut self.news)
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
        while let Some(at) = self.alarms.first().copied().filter(|at| *at <= until) {
            self.alarms.remove(&at);
            self.bot.take(self.plan, &BotEvent::TimerFired { at }, &mut self.actions);
            self.run(at);
        }
    }

    /// Tells the bot its balance when money has moved since it was told.
    pub(super) fn tell_balance(&mut self, at: Timestamp) {
        if self.funds == Funds::Known {
            return;
        }
        self.funds = Funds::Known;
        let Some(balance) = self.balance() else { return };
        // The bot compares sizes and looks at nothing else of a position.
        let size = self.exchange.size(ACCOUNT, self.symbol);
        let positions = size.map(|size| Position::sized(self.symbol, size)).into_iter().collect();
        let account = AccountSnapshot { balances: vec![balance], positions, open_orders: Vec::new(), at };
        self.bot.take(self.plan, &BotEvent::Account(account), &mut self.actions);
        self.run(at);
    }

    /// Counts an entry that would be liquidated before its stop is reached.
    pub(super) fn check_stop(&mut self) {
        if self.funds == Funds::Known {
            return;
        }
        let Some(holding) = self.bot.instrument(0).and_then(keyhold_engine::State::holding) else { return };
        let liquidation = self.exchange.liquidation(ACCOUNT, self.symbol).ok().flatten();
        if let (Some(stop), Some(liquidation)) = (holding.levels.stop, liquidation)
            && keyhold_engine::exit_rule::levels::is_tighter(holding.side(), liquidation, stop.price)
        {
            self.bare_stops += 1;
        }
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
        for order in std::mem::take(&mut self.held) {
            self.submit(&order, at);
        }
        self.run(at);
    }

    /// Until nothing is left to tell and nothing left to do.
    fn run(&mut self, at: Timestamp) {
        for _ in 0..MOST_TURNS {
            if !self.actions.is_empty() {
                let mut actions = std::mem::replace(&mut self.actions, std::mem::take(&mut self.spare));
                for action in actions.drain(..) {
                    self.act(action.action, at);
                }
                self.spare = actions;
            } else if !self.news.is_empty() {
                let mut news = std::mem::take(&mut self.news);
                for event in &news {
                    self.hear(event);
                }
                news.clear();
                if self.news.is_empty() {
                    self.news = news;
                }
            } else {
                return;
            }
        }
        self.actions.clear();
        self.news.clear();
    }

    fn act(&mut self, action: Action, at: Timestamp) {
        match action {
            Action::Place(order) => {
                let order = *order.get();
                let protective =
                    matches!(order.purpose, OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit);
                if protective && self.gate == Gate::Held {
                    self.held.push(order);
                } else {
                    self.submit(&order, at);
                }
            }
            Action::Cancel(id) => {
                let order = OrderRef::Name(OrderName::Keyhold(id));
                let outcome = match self.exchange.cancel(ACCOUNT, self.symbol, &order, at, &mut self.news) {
                    Ok(_) => Outcome::Accepted,
                    Err(refusal) => Outcome::Refused { code: refusal.code() },
                };
                self.event(&Event::OrderOutcome { client_id: id, request: Request::Cancel, outcome, at });
            }
            Action::Reconcile(_) => {
                let truth = self.truth(at);
                self.event(&Event::Reconciled(truth));
            }
            Action::WakeAt(when) => {
                self.alarms.insert(when);
            }
            Action::TradeClosed(trade) => self.trades.push(*trade),
            Action::Note(Note::Overflow) => self.overflows += 1,
            Action::Record(decision) => self.decision = Some(decision),
            Action::Note(_) => {}
        }
    }

    fn submit(&mut self, order: &NewOrder, at: Timestamp) {
        let answer = self.exchange.submit(ACCOUNT, &(*order).into(), at, &mut self.news);
        let outcome = match answer {
            Ok(_) => Outcome::Accepted,
            Err(refusal) => Outcome::Refused { code: refusal.code() },
        };
        self.event(&Event::OrderOutcome { client_id: order.client_id, request: Request::Place, outcome, at });
    }

    fn event(&mut self, event: &Event) {
        self.bot.tell(self.plan, 0, event, &mut self.actions);
    }

    fn hear(&mut self, news: &ExchangeEvent) {
        match news {
            ExchangeEvent::Fill(_, report) => {
                self.funds = Funds::Changed;
                if report.cause == FillCause::Liquidation {
                    self.liquidations += 1;
                    self.event(&Event::Liquidated { at: report.fill.at });
                }
                self.event(&Event::Filled(report.fill));
            }
            ExchangeEvent::Order(order) => self.hear_order(order),
            ExchangeEvent::Funding(_, payment) => {
                self.funds = Funds::Changed;
                self.event(&Event::FundingPaid { amount: payment.amount, at: payment.at });
            }
            ExchangeEvent::Balance(..) | ExchangeEvent::Position(..) | ExchangeEvent::Liquidation(..) => {}
        }
    }

    /// Acceptance is told by the answer and fills by themselves; what is left is an order's early end.
    fn hear_order(&mut self, order: &Order) {
        match order.status {
            OrderStatus::Canceled | OrderStatus::Rejected => {
                if let Some(update) = order.update() {
                    self.event(&Event::OrderUpdated(update));
                }
            }
            OrderStatus::Open
            | OrderStatus::Untriggered
            | OrderStatus::PartiallyFilled
            | OrderStatus::Filled => {}
        }
    }

    pub(super) fn truth(&self, at: Timestamp) -> Reconciliation {
        let fills: Vec<Fill> = Vec::new();
        Reconciliation {
            position: self.exchange.position(ACCOUNT, self.symbol).ok(),
            open_orders: self.exchange.open_orders(ACCOUNT).map(Order::open_order).collect(),
            fills,
            at,
        }
    }
}
