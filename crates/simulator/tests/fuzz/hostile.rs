//! A case at a bad venue: it refuses, loses answers, fills in parts, repeats itself; news is late, the owner changes their
//! mind, the program restarts.
//!
//! Whatever happens, the bot knows what it holds, leaves when a rule says so, never loosens a stop, never grows a position
//! by an exit, never orders more than it may, and goes on from any snapshot with the same bytes. What is demanded of one
//! order or one candle is in [`crate::demands`].

use std::collections::{BTreeSet, VecDeque};

use keyhold_domain::fill::FillId;
use keyhold_domain::{
    AccountSnapshot, Balance, ClientOrderId, Decimal, Fill, Liquidity, Money, NewOrder, OpenOrder, OrderKind,
    OrderPurpose, OrderStatus, OrderUpdate, Position, PositionEffect, Price, Quantity, Rate, RefusalCode,
    ShortText, SignedQuantity, Timestamp,
};
use keyhold_engine::action::Action;
use keyhold_engine::event::{AtStop, Directive, Event, Outcome, Reconciliation, Request};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::{BotAction, BotEvent, BotPlan, BotState, Plan, State};

use crate::case::Case;
use crate::demands::{self, Levels};
use crate::dice::{Dice, d};

/// What a run has brought about, to see that the cases are not empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lived {
    pub(crate) entries: usize,
    pub(crate) exits: usize,
    pub(crate) held_candles: usize,
}

/// What the venue does with the next orders.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Accept,
    Refuse,
    LoseAfterTaking,
    LoseBeforeTaking,
    NotSent,
}

const MOODS: [Mood; 10] = [
    Mood::Accept,
    Mood::Accept,
    Mood::Accept,
    Mood::Accept,
    Mood::Accept,
    Mood::Accept,
    Mood::Refuse,
    Mood::LoseAfterTaking,
    Mood::LoseBeforeTaking,
    Mood::NotSent,
];

struct World<'a> {
    case: &'a Case,
    plan: BotPlan,
    free: BotPlan,
    bot: BotState,
    /// Told the same, and put down and taken up again now and then.
    twin: BotState,
    dice: Dice,
    now: Timestamp,
    close: Price,
    balance: Balance,
    position: Decimal,
    resting: Vec<(NewOrder, Decimal)>,
    /// Names seen: an entry that is sent again was sized by what was true before.
    seen: BTreeSet<ClientOrderId>,
    last_fill: Option<Fill>,
    fills: u32,
    levels: Option<Levels>,
    lived: Lived,
}

/// Plays the case.
pub(crate) fn play(case: &Case) -> Lived {
    let plan = BotPlan { plans: vec![case.plan()] };
    let bot = BotState::new(&plan);
    let balance = Balance {
        asset: case.instrument.settle,
        wallet: case.equity,
        equity: case.equity,
        available: case.equity,
    };
    let mut world = World {
        case,
        free: BotPlan { plans: vec![case.free_plan()] },
        twin: bot.clone(),
        bot,
        plan,
        dice: Dice::new(case.seed, 7),
        now: case.candles[0].open_time,
        close: case.candles[0].open,
        balance,
        position: Decimal::ZERO,
        resting: Vec::new(),
        seen: BTreeSet::new(),
        last_fill: None,
        fills: 0,
        levels: None,
        lived: Lived::default(),
    };
    world.begin();
    for index in 0..case.candles.len() {
        for _ in 0..world.dice.below(4) {
            world.disturb();
        }
        world.candle(index);
    }
    world.end();
    world.lived
}

impl World<'_> {
    fn own(&self) -> &Plan {
        &self.plan.plans[0]
    }

    fn state(&self) -> &State {
        self.bot.instrument(0).unwrap()
    }

    fn second(&mut self) -> Timestamp {
        self.now = self.now.plus_ms(1000);
        self.now
    }

    fn mood(&mut self) -> Mood {
        self.dice.pick(&MOODS)
    }

    /// Both bots hear the event and must want the same; now and then the twin goes on from its snapshot.
    fn tell(&mut self, event: &BotEvent) -> Vec<BotAction> {
        let mut actions = Vec::new();
        let mut same = Vec::new();
        self.bot.take(&self.plan, event, &mut actions);
        self.twin.take(&self.plan, event, &mut same);
        assert_eq!(actions, same, "from a snapshot it wants something else after {event:?}");
        if self.dice.percent(4) {
            let text = serde_json::to_string(&self.bot).unwrap();
            let twin = serde_json::to_string(&self.twin).unwrap();
            assert_eq!(text, twin, "the states differ after {event:?}");
            self.twin =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the snapshot {text}"));
            assert_eq!(
                serde_json::to_string(&self.twin).unwrap(),
                text,
                "a snapshot reads as something else"
            );
        }
        actions
    }

    fn tell_own(&mut self, event: Event) -> Vec<BotAction> {
        self.tell(&BotEvent::Instrument { slot: 0, event })
    }

    fn begin(&mut self) {
        let warm = self.case.candles.len() / 4;
        if self.dice.percent(30) {
            // Candles of before the first, so that long warm-ups are over when it begins.
            let back = self.own().interval_ms() * i64::try_from(self.case.candles.len()).unwrap() * 2;
            for index in 0..warm {
                let mut candle = self.case.candles[index];
                candle.open_time = candle.open_time.plus_ms(-back);
                let actions = self.tell_own(Event::Warmup(ClosedCandle::new(candle)));
                assert!(actions.is_empty(), "history is not acted on");
            }
        }
        let actions = self.reconcile();
        self.serve(actions, Mood::Accept);
        let actions = self.account();
        self.serve(actions, Mood::Accept);
    }

    /// One thing that chance does between two candles.
    fn disturb(&mut self) {
        let actions = match self.dice.below(20) {
            0..=7 => self.fill(),
            8 => match self.last_fill {
                Some(fill) => self.tell_own(Event::Filled(fill)),
                None => Vec::new(),
            },
            9..=10 => {
                self.now = self.now.plus_ms(self.dice.between(1, 90) * 1000);
                self.tell(&BotEvent::TimerFired { at: self.now })
            }
            11..=12 => self.direct(),
            13 => {
                let at = self.second();
                self.tell(&BotEvent::Restarted { at })
            }
            14 => {
                let rate = Rate::new(self.dice.decimal(d("-0.003"), d("0.003")));
                let at = self.second();
                self.tell_own(Event::FundingRate { rate, at })
            }
            15 => {
                let share = self.dice.decimal(d("-0.001"), d("0.001"));
                let amount = Money::new((self.case.equity * share).round_dp(8), self.case.instrument.settle);
                let at = self.second();
                self.tell_own(Event::FundingPaid { amount, at })
            }
            16 => {
                let (from, until) = (self.now.plus_ms(-600_000), self.now);
                self.tell_own(Event::FeedGap { from, until })
            }
            _ => {
                // As the exchange would show it, or much poorer.
                let share = self.dice.decimal(d("0.05"), d("1.5"));
                self.balance.equity = (self.case.equity * share).round_dp(8).max(d("0.00000001"));
                self.balance.wallet = self.balance.equity;
                let free = self.dice.decimal(Decimal::ZERO, Decimal::ONE);
                self.balance.available = (self.balance.equity * free).round_dp(8);
                self.account()
            }
        };
        let mood = self.mood();
        self.serve(actions, mood);
        self.check();
    }

    fn direct(&mut self) -> Vec<BotAction> {
        let directive = self.dice.pick(&[
            Directive::Pause,
            Directive::Resume,
            Directive::Resume,
            Directive::ExitsOnly,
            Directive::EntriesAllowed,
            Directive::EntriesAllowed,
            Directive::ClearLimits,
            Directive::ClearLimits,
            Directive::Flatten,
        ]);
        let at = self.second();
        self.tell(&BotEvent::Directed { directive, at })
    }

    fn account(&mut self) -> Vec<BotAction> {
        let at = self.second();
        let size = SignedQuantity::new(self.position);
        let positions = vec![Position::sized(self.case.instrument.symbol, size)];
        let balances = vec![self.balance];
        self.tell(&BotEvent::Account(AccountSnapshot { balances, positions, open_orders: Vec::new(), at }))
    }

    /// A candle, on time or late; sometimes one that was heard before comes again.
    fn candle(&mut self, index: usize) {
        let candle = ClosedCandle::new(self.case.candles[index]);
        let closed_at = candle.candle.close_time(self.own().timeframe);
        let late = if self.dice.percent(5) { self.own().interval_ms() * 3 } else { 0 };
        let before = self.bot.clone();
        let started = self.now.max(closed_at);
        self.now = started.plus_ms(late);
        self.close = candle.candle.close;
        let actions = self.tell_own(Event::CandleClosed { candle, at: self.now });
        let held =
            before.instrument(0).is_some_and(|state| state.holding().is_some() && !state.is_reconciling());
        if held {
            self.lived.held_candles += 1;
            let told = (&candle, started);
            demands::exits_as_if_free(&self.free, before.clone(), told, self.state());
            demands::exits_that_are_due(self.case, &before, &candle, &self.bot);
        }
        let mood = self.mood();
        self.serve(actions, mood);
        self.check();
        if self.dice.percent(5) {
            let old = ClosedCandle::new(self.case.candles[index - self.dice.below(3).min(index)]);
            let known = self.state().candles_seen();
            let actions = self.tell_own(Event::CandleClosed { candle: old, at: self.now });
            assert_eq!(self.state().candles_seen(), known, "an old candle is learned from again");
            self.serve(actions, Mood::Accept);
            self.check();
        }
    }

    /// The venue does a part of an order that it has.
    fn fill(&mut self) -> Vec<BotAction> {
        let lot = self.case.instrument.lot;
        let place = self.dice.below(self.resting.len().max(1));
        let Some((order, left)) = self.resting.get(place).copied() else { return Vec::new() };
        let share = Decimal::new(self.dice.between(1, 10), 1);
        let part = (left * share / lot).floor() * lot;
        let reducible = (-order.side.sign() * self.position).max(Decimal::ZERO);
        let part = match order.effect {
            PositionEffect::ReduceOnly => part.max(lot).min(left).min(reducible),
            PositionEffect::Increase => part.max(lot).min(left),
        };
        let Ok(quantity) = Quantity::new(part) else { return Vec::new() };
        let price = match order.kind {
            OrderKind::Market => self.close,
            OrderKind::Limit { price, .. } => price,
            OrderKind::StopMarket { trigger, .. } => trigger,
        };
        self.position += order.side.sign() * part;
        self.resting[place].1 -= part;
        self.resting.retain(|(_, left)| *left > Decimal::ZERO);
        match order.purpose {
            OrderPurpose::Entry => self.lived.entries += 1,
            OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => {
                self.lived.exits += 1;
            }
        }
        let fill = self.report(&order, price, quantity);
        self.last_fill = Some(fill);
        self.tell_own(Event::Filled(fill))
    }

    fn report(&mut self, order: &NewOrder, price: Price, quantity: Quantity) -> Fill {
        self.fills += 1;
        let instrument = &self.case.instrument;
        let value = instrument.value(price, quantity).map_or(Decimal::ZERO, |value| value.amount);
        let fee = value.checked_mul(instrument.taker_fee.get()).unwrap_or_default();
        Fill {
            fill_id: FillId::new(&format!("fill-{}", self.fills)).unwrap(),
            client_id: Some(order.client_id),
            venue_order_id: ShortText::new("venue").unwrap(),
            symbol: order.symbol,
            side: order.side,
            price,
            quantity,
            fee: Money::new(fee, instrument.settle),
            liquidity: Liquidity::Taker,
            at: self.second(),
        }
    }

    fn serve(&mut self, actions: Vec<BotAction>, mood: Mood) {
        let mut work: VecDeque<BotAction> = actions.into();
        let mut stop = None;
        let mut turns = 0;
        let mut last = Vec::new();
        while let Some(BotAction { action, .. }) = work.pop_front() {
            turns += 1;
            if turns > 490 {
                last.push(format!("{action:?}"));
            }
            assert!(turns < 500, "the bot does not come to rest: {}", last.join("\n"));
            let more = match action {
                Action::Place(order) => {
                    demands::order(self.own(), self.state(), order.get());
                    let first = self.seen.insert(order.get().client_id);
                    if first && order.get().purpose == OrderPurpose::Entry {
                        demands::size(self.own(), &self.balance, self.close, stop, order.get());
                    }
                    self.place(*order.get(), mood)
                }
                Action::Cancel(id) => self.cancel(id),
                Action::Reconcile(_) => self.reconcile(),
                Action::Record(decision) => {
                    stop = demands::expected_stop(&decision).or(stop);
                    Vec::new()
                }
                Action::WakeAt(_) | Action::TradeClosed(_) | Action::Note(_) => Vec::new(),
            };
            work.extend(more);
        }
    }

    fn answer(&mut self, client_id: ClientOrderId, request: Request, outcome: Outcome) -> Vec<BotAction> {
        let at = self.second();
        self.tell_own(Event::OrderOutcome { client_id, request, outcome, at })
    }

    fn place(&mut self, order: NewOrder, mood: Mood) -> Vec<BotAction> {
        let id = order.client_id;
        if self.resting.iter().any(|(held, _)| held.client_id == id) {
            let code = RefusalCode::DuplicateClientOrderId;
            return self.answer(id, Request::Place, Outcome::Refused { code });
        }
        if matches!(mood, Mood::Accept | Mood::LoseAfterTaking) {
            self.resting.push((order, order.quantity.get()));
        }
        let outcome = match mood {
            Mood::Accept => Outcome::Accepted,
            Mood::Refuse => Outcome::Refused { code: RefusalCode::Overloaded },
            Mood::LoseAfterTaking | Mood::LoseBeforeTaking => Outcome::Unknown,
            Mood::NotSent => Outcome::NotSent,
        };
        self.answer(id, Request::Place, outcome)
    }

    fn cancel(&mut self, id: ClientOrderId) -> Vec<BotAction> {
        let Some(place) = self.resting.iter().position(|(order, _)| order.client_id == id) else {
            let code = RefusalCode::OrderNotFound;
            return self.answer(id, Request::Cancel, Outcome::Refused { code });
        };
        let (order, left) = self.resting.remove(place);
        let at = self.second();
        self.tell_own(Event::OrderUpdated(OrderUpdate {
            client_id: id,
            venue_id: None,
            symbol: order.symbol,
            status: OrderStatus::Canceled,
            filled: order.quantity.get() - left,
            refusal: None,
            at,
        }))
    }

    fn reconcile(&mut self) -> Vec<BotAction> {
        let symbol = self.case.instrument.symbol;
        let open_orders = self.resting.iter().map(|(order, left)| OpenOrder {
            client_id: Some(order.client_id),
            venue_id: ShortText::new("venue").unwrap(),
            symbol,
            side: order.side,
            kind: order.kind,
            quantity: order.quantity,
            filled: order.quantity.get() - left,
            effect: order.effect,
            status: OrderStatus::Open,
        });
        let open_orders = open_orders.collect();
        let position = Some(Position::sized(symbol, SignedQuantity::new(self.position)));
        let at = self.second();
        self.tell_own(Event::Reconciled(Reconciliation { position, open_orders, fills: Vec::new(), at }))
    }

    fn check(&mut self) {
        let held = self.state().holding().map_or(Decimal::ZERO, |holding| holding.size.get());
        assert_eq!(held, self.position, "bot and venue see different positions");
        let levels = self.state().holding().map(Levels::of);
        demands::only_tighter(self.levels, levels);
        self.levels = levels;
    }

    /// From any point: whatever limits, pauses and moods there were, one word and a willing venue lead to flat.
    fn end(&mut self) {
        let directive = self.dice.pick(&[Directive::Flatten, Directive::Stop { position: AtStop::Close }]);
        let at = self.second();
        let actions = self.tell(&BotEvent::Directed { directive, at });
        self.serve(actions, Mood::Accept);
        for _ in 0..60 {
            if self.position.is_zero() {
                break;
            }
            self.now = self.now.plus_ms(89_000);
            let actions = self.tell(&BotEvent::TimerFired { at: self.now });
            self.serve(actions, Mood::Accept);
            let actions = self.fill();
            self.serve(actions, Mood::Accept);
            self.check();
        }
        assert!(self.position.is_zero(), "still {} with {:?}", self.position, self.state().orders().live());
        assert!(self.state().holding().is_none());
        let (one, other) = (serde_json::to_string(&self.bot), serde_json::to_string(&self.twin));
        assert_eq!(one.unwrap(), other.unwrap(), "the same events, other bytes");
    }
}
