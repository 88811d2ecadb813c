//! For all inputs: no panic, exits never blocked, stops only tighten, exits never grow a position, sizes rounded down.
//!
//! The venue is a model that loses answers, refuses, repeats fills, fills in parts and fills orders that were reported
//! lost. The bot must stay consistent with what the venue really holds whenever it is not asking.

use keyhold_domain::{
    Decimal, Fill, NewOrder, OpenOrder, OrderKind, OrderPurpose, OrderStatus, OrderUpdate, Position,
    PositionEffect, RefusalCode, ShortText, Side, SignedQuantity,
};
use keyhold_engine::action::Action;
use keyhold_engine::event::{Directive, Event, Outcome, Reconciliation, Request};
use proptest::prelude::*;
use serde_json::json;

use crate::rig::{Rig, d, plan};

/// One thing that chance does.
#[derive(Debug, Clone, Copy)]
enum Move {
    /// A candle whose close moves by so many tenths and whose range is so wide.
    Candle(i8, u8),
    /// The n-th resting or market order is filled by a share in tenths.
    Fill(u8, u8),
    /// The last fill is told again.
    Repeat,
    Wait(u8),
    Direct(u8),
    Restart,
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

fn moves() -> impl Strategy<Value = Vec<(Move, Mood)>> {
    let one = prop_oneof![
        6 => (-30_i8..30, 0_u8..40).prop_map(|(by, range)| Move::Candle(by, range)),
        6 => (0_u8..4, 1_u8..=10).prop_map(|(order, share)| Move::Fill(order, share)),
        1 => Just(Move::Repeat),
        2 => (1_u8..90).prop_map(Move::Wait),
        1 => (0_u8..5).prop_map(Move::Direct),
        1 => Just(Move::Restart),
    ];
    let mood = prop_oneof![
        8 => Just(Mood::Accept),
        1 => Just(Mood::Refuse),
        1 => Just(Mood::LoseAfterTaking),
        1 => Just(Mood::LoseBeforeTaking),
        1 => Just(Mood::NotSent),
    ];
    proptest::collection::vec((one, mood), 1..160)
}

struct World {
    rig: Rig,
    close: Decimal,
    position: Decimal,
    resting: Vec<(NewOrder, Decimal)>,
    last_fill: Option<Fill>,
    untold: Vec<Fill>,
    stop: Option<(Side, Decimal)>,
}

impl World {
    fn new() -> Self {
        let plan = plan(
            &json!({"exits": [
                {"kind": "hard_stop", "parameters": {"pct": 2}},
                {"kind": "trailing_stop", "parameters": {"distance_pct": 1, "activation_pct": 1}},
                {"kind": "break_even"}, {"kind": "signal_flip"},
                {"kind": "take_profit", "parameters": {"pct": 3}}
            ]}),
            &json!({"sizing": {"mode": "percent_equity", "pct": "33"}}),
        );
        Self {
            rig: Rig::started(plan),
            close: d("100"),
            position: Decimal::ZERO,
            resting: Vec::new(),
            last_fill: None,
            untold: Vec::new(),
            stop: None,
        }
    }

    fn go(&mut self, what: Move, mood: Mood) {
        let actions = match what {
            Move::Candle(by, range) => {
                let open = self.close;
                self.close = (open + Decimal::new(by.into(), 1)).max(d("20"));
                let range = Decimal::new(range.into(), 1);
                let (high, low) = (open.max(self.close) + range, (open.min(self.close) - range).max(d("1")));
                let texts = [open, high, low, self.close].map(|price| price.to_string());
                self.rig.candle([&texts[0], &texts[1], &texts[2], &texts[3]])
            }
            Move::Fill(order, share) => self.fill(order.into(), share),
            Move::Repeat => match self.last_fill {
                Some(fill) => self.rig.take(&Event::Filled(fill)),
                None => Vec::new(),
            },
            Move::Wait(seconds) => {
                self.rig.now = self.rig.now.plus_ms(i64::from(seconds) * 1000);
                self.rig.take(&Event::TimerFired { at: self.rig.now })
            }
            Move::Direct(which) => {
                let directive = [
                    Directive::Pause,
                    Directive::Resume,
                    Directive::ExitsOnly,
                    Directive::EntriesAllowed,
                    Directive::Flatten,
                ][usize::from(which)];
                let at = self.rig.second();
                self.rig.take(&Event::Directed { directive, at })
            }
            Move::Restart => {
                let at = self.rig.second();
                self.rig.take(&Event::Restarted { at })
            }
        };
        self.serve(actions, mood);
        self.check();
    }

    /// The venue does a part of an order that it has.
    fn fill(&mut self, order: usize, share: u8) -> Vec<Action> {
        let Some((order, left)) = self.resting.get(order).copied() else { return Vec::new() };
        let part = (left * Decimal::new(share.into(), 1)).round_dp(1).max(d("0.1")).min(left);
        let reducible = (-order.side.sign() * self.position).max(Decimal::ZERO);
        let part = match order.effect {
            PositionEffect::ReduceOnly => part.min(reducible),
            PositionEffect::Increase => part,
        };
        if part <= Decimal::ZERO {
            return Vec::new();
        }
        let price = match order.kind {
            OrderKind::Market => self.close,
            OrderKind::Limit { price, .. } => price.get(),
            OrderKind::StopMarket { trigger, .. } => trigger.get(),
        };
        let fill = self.rig.make_fill(&order, &part.to_string(), &price.to_string());
        self.position += order.side.sign() * part;
        for (held, left) in &mut self.resting {
            if held.client_id == order.client_id {
                *left -= part;
            }
        }
        self.resting.retain(|(_, left)| *left > Decimal::ZERO);
        self.last_fill = Some(fill);
        self.rig.take(&Event::Filled(fill))
    }

    fn serve(&mut self, actions: Vec<Action>, mood: Mood) {
        let mut work: std::collections::VecDeque<Action> = actions.into();
        let mut turns = 0;
        while let Some(action) = work.pop_front() {
            turns += 1;
            assert!(turns < 500, "the bot does not come to rest");
            let more = match action {
                Action::Place(order) => self.place(*order.get(), mood),
                Action::Cancel(id) => self.cancel(id),
                Action::Reconcile(_) => self.reconcile(),
                Action::WakeAt(_) | Action::Record(_) | Action::TradeClosed(_) | Action::Note(_) => {
                    Vec::new()
                }
            };
            work.extend(more);
        }
    }

    fn place(&mut self, order: NewOrder, mood: Mood) -> Vec<Action> {
        assert!((order.quantity.get() % self.rig.plan.instrument.lot).is_zero(), "off the lot: {order:?}");
        match order.purpose {
            OrderPurpose::Entry => assert_eq!(order.effect, PositionEffect::Increase),
            OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => {
                assert_eq!(order.effect, PositionEffect::ReduceOnly);
            }
        }
        if self.resting.iter().any(|(held, _)| held.client_id == order.client_id) {
            let code = RefusalCode::DuplicateClientOrderId;
            return self.rig.outcome(order.client_id, Request::Place, Outcome::Refused { code });
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
        self.rig.outcome(order.client_id, Request::Place, outcome)
    }

    fn cancel(&mut self, id: keyhold_domain::ClientOrderId) -> Vec<Action> {
        let Some(place) = self.resting.iter().position(|(order, _)| order.client_id == id) else {
            let code = RefusalCode::OrderNotFound;
            return self.rig.outcome(id, Request::Cancel, Outcome::Refused { code });
        };
        let (order, left) = self.resting.remove(place);
        let at = self.rig.second();
        self.rig.take(&Event::OrderUpdated(OrderUpdate {
            client_id: id,
            venue_id: None,
            symbol: order.symbol,
            status: OrderStatus::Canceled,
            filled: order.quantity.get() - left,
            refusal: None,
            at,
        }))
    }

    fn reconcile(&mut self) -> Vec<Action> {
        let symbol = self.rig.plan.instrument.symbol;
        let position = Position {
            symbol,
            size: SignedQuantity::new(self.position),
            entry: None,
            mark: None,
            liquidation: None,
            leverage: None,
            unrealized: None,
            margin_mode: None,
        };
        let open_orders = self
            .resting
            .iter()
            .map(|(order, left)| OpenOrder {
                client_id: Some(order.client_id),
                venue_id: ShortText::new("venue").unwrap(),
                symbol,
                side: order.side,
                kind: order.kind,
                quantity: order.quantity,
                filled: order.quantity.get() - left,
                effect: order.effect,
                status: OrderStatus::Open,
            })
            .collect();
        let at = self.rig.second();
        let fills = std::mem::take(&mut self.untold);
        self.rig.take(&Event::Reconciled(Reconciliation { position: Some(position), open_orders, fills, at }))
    }

    fn check(&mut self) {
        let state = &self.rig.state;
        let held = state.holding().map_or(Decimal::ZERO, |holding| holding.size.get());
        assert_eq!(held, self.position, "bot and venue see the same position");
        // Stops only tighten within one position.
        let stop = state
            .holding()
            .and_then(|holding| holding.levels.stop.map(|stop| (holding.side(), stop.price.get())));
        if let (Some((side, before)), Some((now_side, now))) = (self.stop, stop)
            && side == now_side
        {
            let tighter = (now - before) * side.sign();
            assert!(tighter >= Decimal::ZERO, "a {side} stop moved from {before} to {now}");
        }
        self.stop = stop;
        // Every living stop and exit is on the side that shrinks the position it was made for.
        for tracked in state.orders().live() {
            if tracked.order.purpose == OrderPurpose::Exit && held != Decimal::ZERO {
                assert!(
                    tracked.order.side.sign() * held < Decimal::ZERO,
                    "an exit that would grow: {tracked:?}"
                );
            }
        }
    }

    /// From any point: whatever limits, pauses and moods there were, one word and a willing venue lead to flat.
    fn flatten(&mut self) {
        let at = self.rig.second();
        let actions = self.rig.take(&Event::Directed { directive: Directive::Flatten, at });
        self.serve(actions, Mood::Accept);
        for _ in 0..60 {
            if self.position.is_zero() {
                break;
            }
            self.go(Move::Wait(89), Mood::Accept);
            let exit = self.resting.iter().position(|(order, _)| order.purpose == OrderPurpose::Exit);
            if let Some(exit) = exit {
                self.go(Move::Fill(u8::try_from(exit).unwrap(), 10), Mood::Accept);
            }
        }
        assert!(self.position.is_zero(), "still {} with {:?}", self.position, self.rig.state.orders().live());
        assert!(self.rig.state.holding().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bad_venue_never_makes_the_bot_inconsistent_or_keeps_it_from_leaving(moves in moves()) {
        let mut world = World::new();
        for close in ["100", "101", "103"] {
            let actions = world.rig.flat_candle(close);
            world.close = d(close);
            world.serve(actions, Mood::Accept);
        }
        for (what, mood) in moves {
            world.go(what, mood);
        }
        world.flatten();
    }
}
