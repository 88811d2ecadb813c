//! What the engine did, as reports to the server: orders, fills, positions, trades, decisions, notes.
//!
//! It compares what was told last with what is so now, and tells the difference. Deterministic: the same events give the
//! same reports in the same order, which is what numbers them once. Words for notes are in [`super::notes`].

use std::collections::BTreeMap;

use keyhold_domain::{
    AccountSnapshot, Candle, ClientOrderId, Decimal, Fill, Money, OrderKind, OrderPurpose, OrderStatus,
    Price, Quantity, RefusalCode, Side, SignedQuantity, Symbol, Timestamp, VenueOrderId,
};
use keyhold_engine::action::{Action, Note};
use keyhold_engine::decision::{Decision, Done};
use keyhold_engine::event::{Event, Outcome, Request};
use keyhold_engine::order::{OrderState, Tracked};
use keyhold_engine::reading::Direction;
use keyhold_engine::trade::Trade;
use keyhold_engine::{BotAction, BotEvent, BotPlan, BotState, Plan, State};
use keyhold_protocol::uplink::{
    DecisionReport, EquityReport, FillReport, OrderOutcome, OrderReport, PositionReport, Report, StopPlace,
    TradeReport,
};
use serde::{Deserialize, Serialize};

use super::notes;
use super::record::Answer;

/// Facts of ended orders that are kept for late fills.
const MOST_ORDERS: usize = 128;

/// What was told, and facts that the engine does not keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    orders: BTreeMap<ClientOrderId, OrderFacts>,
    positions: BTreeMap<Symbol, PositionReport>,
    liquidations: BTreeMap<Symbol, Price>,
    /// The newest trade of each instrument: its funding may become known after its end.
    #[serde(default)]
    closed: BTreeMap<Symbol, TradeReport>,
    /// Fills that were unknown before the event in hand.
    #[serde(skip)]
    fresh: Vec<Fill>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct OrderFacts {
    venue_id: Option<VenueOrderId>,
    sent_at: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    refusal: Option<RefusalCode>,
    decision: Option<Timestamp>,
    average: Option<Price>,
    #[serde(with = "keyhold_domain::money::decimal_text")]
    averaged: Decimal,
    shown: Option<Shown>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Shown {
    status: Option<OrderStatus>,
    outcome: OrderOutcome,
    #[serde(with = "keyhold_domain::money::decimal_text")]
    filled: Decimal,
}

impl Told {
    /// A request was answered: facts that only the sender knows.
    pub(super) fn answered(&mut self, answer: &Answer) {
        if answer.request == Request::Cancel {
            return;
        }
        let facts = self.orders.entry(answer.client_id).or_default();
        facts.sent_at.get_or_insert(answer.sent_at);
        facts.venue_id = facts.venue_id.or(answer.venue_id);
        match answer.outcome {
            Outcome::Accepted => facts.acknowledged_at = Some(answer.at),
            Outcome::Refused { code } => {
                facts.acknowledged_at = Some(answer.at);
                facts.refusal = Some(code);
            }
            Outcome::Unknown | Outcome::NotSent => {}
        }
    }

    /// Looks at what is known before the engine takes an event.
    pub(super) fn before(&mut self, plan: &BotPlan, state: &BotState, event: &BotEvent) {
        self.fresh.clear();
        let BotEvent::Instrument { slot, event } = event else { return };
        let (Some(own), Some(state)) = (plan.plans.get(usize::from(*slot)), state.instrument(*slot)) else {
            return;
        };
        let fills: &[Fill] = match event {
            Event::Filled(fill) => std::slice::from_ref(fill),
            Event::Reconciled(truth) => &truth.fills,
            _ => &[],
        };
        let ours = |fill: &&Fill| {
            let is_ours = fill.client_id.is_some_and(|id| own.ids.is_ours(id));
            is_ours && fill.symbol == own.instrument.symbol && !state.orders().is_known_fill(fill.fill_id)
        };
        self.fresh = fills.iter().filter(ours).copied().collect();
        self.fresh.dedup_by_key(|fill| fill.fill_id);
        if let Event::OrderUpdated(update) = event
            && let Some(facts) = self.orders.get_mut(&update.client_id)
        {
            facts.venue_id = facts.venue_id.or(update.venue_id);
            facts.refusal = facts.refusal.or(update.refusal);
        }
    }

    /// Tells what has changed.
    pub(super) fn after(
        &mut self,
        plan: &BotPlan,
        state: &BotState,
        event: &BotEvent,
        actions: &[BotAction],
        out: &mut Vec<Report>,
    ) {
        let candle = match event {
            BotEvent::Instrument { event: Event::CandleClosed { candle, .. }, .. } => Some(candle.candle),
            _ => None,
        };
        if let BotEvent::Account(account) = event {
            self.account(account, out);
        }
        for BotAction { slot, action } in actions {
            let Some(own) = plan.plans.get(usize::from(*slot)) else { continue };
            self.action(own, action, candle.as_ref(), out);
        }
        for (slot, own) in (0_u16..).zip(&plan.plans) {
            let Some(state) = state.instrument(slot) else { continue };
            self.fills(own, state, out);
            self.orders(own, state, candle.as_ref(), out);
            self.position(own, state, out);
        }
        self.trades(plan, actions, out);
        self.forget(plan, state);
    }

    fn account(&mut self, account: &AccountSnapshot, out: &mut Vec<Report>) {
        self.liquidations = account
            .positions
            .iter()
            .filter_map(|position| Some((position.symbol, position.liquidation?)))
            .collect();
        out.extend(account.balances.iter().map(|balance| {
            Report::Equity(EquityReport {
                asset: balance.asset,
                wallet: balance.wallet,
                equity: balance.equity,
            })
        }));
        out.push(Report::Account(account.clone()));
    }

    fn action(&mut self, own: &Plan, action: &Action, candle: Option<&Candle>, out: &mut Vec<Report>) {
        match action {
            Action::Record(decision) => {
                if let Done::Entered { client_id, .. } = decision.done {
                    self.orders.entry(client_id).or_default().decision = Some(decision.candle);
                }
                if let Some(candle) = candle {
                    out.push(Report::Decision(decision_report(own, decision, candle)));
                }
            }
            Action::Note(note) => {
                if let Note::OrderRefused { client_id, code } = note {
                    self.orders.entry(*client_id).or_default().refusal = Some(*code);
                }
                out.push(Report::Event(notes::report(note, own.instrument.symbol)));
            }
            Action::Place(_)
            | Action::Cancel(_)
            | Action::Reconcile(_)
            | Action::WakeAt(_)
            | Action::TradeClosed(_) => {}
        }
    }

    fn fills(&mut self, own: &Plan, state: &State, out: &mut Vec<Report>) {
        for fill in &self.fresh {
            if fill.symbol != own.instrument.symbol || !state.orders().is_known_fill(fill.fill_id) {
                continue;
            }
            let Some(id) = fill.client_id else { continue };
            let facts = self.orders.entry(id).or_default();
            facts.venue_id = facts.venue_id.or(Some(fill.venue_order_id));
            facts.average = match (facts.average, Quantity::new(facts.averaged)) {
                (Some(average), Ok(held)) => {
                    own.contract.average_entry(average, held, fill.price, fill.quantity)
                }
                (None, _) | (Some(_), Err(_)) => Some(fill.price),
            };
            facts.averaged = facts.averaged.saturating_add(fill.quantity.get());
            out.push(Report::Fill(FillReport {
                fill: *fill,
                purpose: Some(id.purpose()),
                decision_price: state.orders().get(id).map(|tracked| tracked.decided),
            }));
        }
    }

    fn orders(&mut self, own: &Plan, state: &State, candle: Option<&Candle>, out: &mut Vec<Report>) {
        let book = state.orders();
        let slot = own.ids.slot;
        let known: Vec<ClientOrderId> = self
            .orders
            .iter()
            .filter(|(id, facts)| id.slot() == slot && facts.shown.is_none_or(Shown::may_change))
            .map(|(id, _)| *id)
            .collect();
        let new = book.live().iter().map(|tracked| tracked.order.client_id).filter(|id| !known.contains(id));
        for id in known.iter().copied().chain(new) {
            let Some(tracked) = book.get(id) else { continue };
            let facts = self.orders.entry(id).or_default();
            if facts.shown.is_none() && facts.decision.is_none() {
                facts.decision = candle.map(|candle| candle.open_time);
            }
            let shown = Shown::of(tracked);
            if facts.shown != Some(shown) {
                facts.shown = Some(shown);
                out.push(Report::Order(order_report(tracked, facts, shown)));
            }
        }
    }

    fn position(&mut self, own: &Plan, state: &State, out: &mut Vec<Report>) {
        let symbol = own.instrument.symbol;
        let told = self.positions.get(&symbol);
        let now = match state.holding() {
            Some(_) => position_report(own, state, self.liquidations.get(&symbol).copied()),
            None if told.is_some() => closed_position(own),
            None => return,
        };
        if told != Some(&now) {
            out.push(Report::Position(now.clone()));
        }
        if now.size.is_flat() {
            self.positions.remove(&symbol);
        } else {
            self.positions.insert(symbol, now);
        }
    }

    fn trades(&mut self, plan: &BotPlan, actions: &[BotAction], out: &mut Vec<Report>) {
        for BotAction { action, .. } in actions {
            if let Action::TradeClosed(trade) = action
                && plan.plans.iter().any(|own| own.instrument.symbol == trade.symbol)
            {
                let report = trade_report(trade);
                self.closed.insert(trade.symbol, report.clone());
                out.push(Report::Trade(Box::new(report)));
            }
        }
    }

    /// Whether the position of the newest trade was held at an instant. At the instant of its entry it was not yet: what is
    /// due then is due before anything is filled.
    pub(super) fn was_held(&self, symbol: Symbol, at: Timestamp) -> bool {
        self.closed.get(&symbol).is_some_and(|trade| trade.entered_at < at && at <= trade.exited_at)
    }

    /// Funding that was due while the position of the newest trade was held: the trade as it is with it, to be told anew.
    pub(super) fn fund_closed(&mut self, symbol: Symbol, amount: Money, at: Timestamp) -> Option<Report> {
        if !self.was_held(symbol, at) {
            return None;
        }
        let trade = self.closed.get_mut(&symbol).filter(|trade| trade.settle == amount.asset)?;
        trade.funding = trade.funding.checked_add(amount.amount)?;
        trade.net = trade.net.checked_add(amount.amount)?;
        for (name, value) in [("funding", trade.funding), ("net", trade.net)] {
            if let Some(told) = trade.record.get_mut(name) {
                *told = serde_json::Value::String(value.to_string());
            }
        }
        Some(Report::Trade(Box::new(trade.clone())))
    }

    /// Drops the oldest facts of orders that have ended.
    fn forget(&mut self, plan: &BotPlan, state: &BotState) {
        if self.orders.len() <= MOST_ORDERS {
            return;
        }
        let lives = |id: &ClientOrderId| {
            plan.plans.iter().any(|own| {
                own.ids.is_ours(*id)
                    && state
                        .instrument(own.ids.slot)
                        .and_then(|state| state.orders().get(*id))
                        .is_some_and(Tracked::is_live)
            })
        };
        let excess = self.orders.len() - MOST_ORDERS;
        let ended: Vec<_> = self.orders.keys().filter(|id| !lives(id)).take(excess).copied().collect();
        for id in ended {
            self.orders.remove(&id);
        }
    }
}

impl Shown {
    fn of(tracked: &Tracked) -> Self {
        let partly = tracked.filled > Decimal::ZERO;
        let resting = match (partly, tracked.order.kind) {
            (true, _) => OrderStatus::PartiallyFilled,
            (false, OrderKind::StopMarket { .. }) => OrderStatus::Untriggered,
            (false, OrderKind::Market | OrderKind::Limit { .. }) => OrderStatus::Open,
        };
        let (status, outcome) = match tracked.state {
            OrderState::InFlight => (None, OrderOutcome::InFlight),
            OrderState::Waiting => (None, OrderOutcome::NotSent),
            OrderState::Unknown => (None, OrderOutcome::Unknown),
            OrderState::Working | OrderState::PartlyFilled | OrderState::Canceling => {
                (Some(resting), OrderOutcome::Accepted)
            }
            OrderState::Filled => (Some(OrderStatus::Filled), OrderOutcome::Accepted),
            OrderState::Canceled => (Some(OrderStatus::Canceled), OrderOutcome::Accepted),
            OrderState::Refused => (Some(OrderStatus::Rejected), OrderOutcome::Refused),
        };
        Self { status, outcome, filled: tracked.filled }
    }

    /// A canceled order may still hear of a late fill; a filled or refused one is done.
    const fn may_change(self) -> bool {
        !matches!(self.status, Some(OrderStatus::Filled | OrderStatus::Rejected))
    }
}

fn order_report(tracked: &Tracked, facts: &OrderFacts, shown: Shown) -> OrderReport {
    OrderReport {
        order: tracked.order,
        venue_id: facts.venue_id,
        status: shown.status,
        outcome: shown.outcome,
        filled: shown.filled,
        average_price: facts.average,
        refusal: facts.refusal,
        reason: tracked.reason,
        decision: facts.decision,
        decided_at: tracked.decided_at,
        sent_at: facts.sent_at,
        acknowledged_at: facts.acknowledged_at,
    }
}

fn position_report(own: &Plan, state: &State, liquidation: Option<Price>) -> PositionReport {
    let holding = state.holding();
    let mark = state.last_close();
    let rests = state.orders().with_purpose(OrderPurpose::ProtectiveStop).any(Tracked::is_working);
    let stop = holding.and_then(|holding| holding.levels.stop.map(|stop| stop.price));
    let open_target = holding
        .and_then(|holding| holding.levels.targets.iter().find(|target| target.closed < target.quantity));
    PositionReport {
        symbol: own.instrument.symbol,
        size: holding.map_or(SignedQuantity::ZERO, |holding| holding.size),
        entry: holding.map(|holding| holding.entry),
        mark,
        unrealized: holding.zip(mark).and_then(|(held, mark)| held.unrealized(&own.instrument, mark)),
        settle: own.instrument.settle,
        stop,
        stop_at_venue: match (rests, stop) {
            (true, _) => StopPlace::Venue,
            (false, Some(_)) => StopPlace::Bot,
            (false, None) => StopPlace::None,
        },
        target: open_target.map(|target| target.price),
        liquidation,
        opened_at: holding.map(|holding| holding.opened_at),
    }
}

fn closed_position(own: &Plan) -> PositionReport {
    PositionReport {
        symbol: own.instrument.symbol,
        size: SignedQuantity::ZERO,
        entry: None,
        mark: None,
        unrealized: None,
        settle: own.instrument.settle,
        stop: None,
        stop_at_venue: StopPlace::None,
        target: None,
        liquidation: None,
        opened_at: None,
    }
}

fn decision_report(own: &Plan, decision: &Decision, candle: &Candle) -> DecisionReport {
    DecisionReport {
        symbol: decision.symbol,
        candle: *candle,
        timeframe: own.timeframe,
        template: own.ids.template,
        template_version: own.ids.template_version,
        code: decision.headline,
        wanted: match decision.wanted {
            Direction::Long => Some(Side::Buy),
            Direction::Short => Some(Side::Sell),
            Direction::Neutral => None,
        },
        score: decision.score.normalize().to_string(),
        threshold: decision.threshold.normalize().to_string(),
        record: json(decision),
    }
}

fn trade_report(trade: &Trade) -> TradeReport {
    TradeReport {
        id: trade.id,
        symbol: trade.symbol,
        side: trade.side,
        quantity: trade.quantity,
        entry_price: trade.entry_price,
        exit_price: trade.exit_price,
        entered_at: trade.entered_at,
        exited_at: trade.exited_at,
        gross: trade.gross,
        fees: trade.fees,
        funding: trade.funding,
        net: trade.net,
        settle: trade.asset,
        exit_reason: trade.exit_reason,
        entry_decision: trade.entry_decision.as_ref().map(|decision| decision.candle),
        template: trade.template,
        template_version: trade.template_version,
        record: json(trade),
    }
}

/// These documents have string keys and finite numbers, so this cannot fail; a document that did would be reported empty
/// rather than stop the bot.
fn json(document: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(document).unwrap_or(serde_json::Value::Null)
}
