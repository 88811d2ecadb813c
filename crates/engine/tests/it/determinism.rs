//! The same events give the same bytes; a snapshot read back at any point goes on with the same bytes; what comes later
//! changes nothing that came before.

use keyhold_domain::{OrderPurpose, Timestamp};
use keyhold_engine::action::Action;
use keyhold_engine::event::{Event, Outcome, Request};
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::{BotEvent, BotPlan, BotState, Plan, State, step, step_bot};
use serde_json::json;

use crate::rig::{Rig, d, ids, linear, settings, template};
use crate::series::{CONTEXT, random_moments_of};

/// Every exit rule, filters, a guard, a gate and limits, so that every part of the state is in use.
fn busy_plan() -> Plan {
    let template = template(&json!({
        "combination": {"mode": "min_score", "threshold": 1.5},
        "components": [
            {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 3, "slow": 8}},
            {"kind": "macd", "role": "signal", "weight": 0.5, "parameters": {"mode": "histogram"}},
            {"kind": "atr", "role": "filter", "parameters": {"min_pct": 0.01, "max_pct": 90}},
            {"kind": "cooldown", "role": "entry_guard", "parameters": {"candles": 2}}
        ],
        "exits": [
            {"kind": "hard_stop", "parameters": {"basis": "atr", "atr_mult": 2}},
            {"kind": "take_profit", "parameters": {"basis": "ladder", "ladder": [{"pct": 1, "share": 0.5}, {"pct": 2, "share": 0.5}]}},
            {"kind": "trailing_stop", "parameters": {"distance_pct": 0.5, "activation_pct": 0.5}},
            {"kind": "break_even"}, {"kind": "chandelier"}, {"kind": "volatility_exit"},
            {"kind": "time_stop", "parameters": {"max_candles": 30}}, {"kind": "signal_flip"}
        ]
    }));
    let settings = settings(&json!({
        "recording": "everything",
        "limits": {"max_positions_total": 3, "daily_loss": {"most": {"amount": "5000"}}, "max_trades_per_day": 1000}
    }));
    Plan::compile(&template, &linear(), &settings, ids(0)).unwrap()
}

/// What happened: candles of a random series, and the answers of a venue that takes and fills everything at once.
fn history(plan: &Plan, candles: &[ClosedCandle]) -> (Vec<Event>, Vec<String>) {
    let mut rig = Rig::new(plan.clone());
    let mut events = Vec::new();
    let mut said = Vec::new();
    let mut waiting = vec![
        Event::Reconciled(keyhold_engine::event::Reconciliation {
            position: None,
            open_orders: Vec::new(),
            fills: Vec::new(),
            at: Timestamp::EPOCH,
        }),
        Event::AccountRefreshed(keyhold_engine::event::AccountView {
            balance: Some(keyhold_domain::Balance {
                asset: "USDT".parse().unwrap(),
                wallet: d("1000000"),
                equity: d("1000000"),
                available: d("1000000"),
            }),
            position: None,
            at: Timestamp::EPOCH,
        }),
    ];
    for candle in candles {
        let at = candle.candle.close_time(plan.timeframe);
        rig.now = at;
        waiting.push(Event::CandleClosed { candle: *candle, at });
        while !waiting.is_empty() {
            let event = waiting.remove(0);
            let actions = rig.take(&event);
            events.push(event);
            said.push(serde_json::to_string(&actions).unwrap());
            answer(&mut rig, &actions, candle, &mut waiting);
        }
    }
    (events, said)
}

fn answer(rig: &mut Rig, actions: &[Action], candle: &ClosedCandle, waiting: &mut Vec<Event>) {
    for action in actions {
        match action {
            Action::Place(order) => {
                let order = *order.get();
                let (client_id, request, outcome) = (order.client_id, Request::Place, Outcome::Accepted);
                waiting.push(Event::OrderOutcome { client_id, request, outcome, at: rig.now });
                if matches!(order.purpose, OrderPurpose::Entry | OrderPurpose::Exit) {
                    let close = candle.candle.close.to_string();
                    let fill = rig.make_fill(&order, &order.quantity.to_string(), &close);
                    waiting.push(Event::Filled(fill));
                }
            }
            Action::Cancel(id) => waiting.push(Event::OrderUpdated(keyhold_domain::OrderUpdate {
                client_id: *id,
                venue_id: None,
                symbol: rig.plan.instrument.symbol,
                status: keyhold_domain::OrderStatus::Canceled,
                filled: d("0"),
                refusal: None,
                at: rig.now,
            })),
            Action::Reconcile(_)
            | Action::WakeAt(_)
            | Action::Record(_)
            | Action::TradeClosed(_)
            | Action::Note(_) => {}
        }
    }
}

fn candles(seed: u64, count: usize) -> Vec<ClosedCandle> {
    random_moments_of(CONTEXT.timeframe, seed, count).into_iter().map(|moment| moment.candle).collect()
}

fn trades(said: &[String]) -> usize {
    said.iter().filter(|text| text.contains("trade_closed")).count()
}

#[test]
fn a_snapshot_read_back_at_any_event_goes_on_with_the_same_bytes() {
    let plan = busy_plan();
    let (events, said) = history(&plan, &candles(4, 700));
    assert!(trades(&said) >= 5, "only {} trades: the series proves nothing", trades(&said));
    let mut state = State::new(&plan);
    for (event, expected) in events.iter().zip(&said) {
        let text = serde_json::to_string(&state).unwrap();
        let read: State = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text, "reading back changes nothing");
        // The journal's form of the event, too.
        let event: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        let (next, actions) = step(&plan, read, &event);
        assert_eq!(&serde_json::to_string(&actions).unwrap(), expected);
        state = next;
    }
}

#[test]
fn the_whole_bot_is_deterministic_too() {
    let plan = BotPlan { plans: vec![busy_plan()] };
    let (events, _) = history(&plan.plans[0], &candles(5, 500));
    let run = |restore: fn(BotState) -> BotState| {
        let mut state = BotState::new(&plan);
        let mut said = Vec::new();
        for event in &events {
            let event = BotEvent::Instrument { slot: 0, event: event.clone() };
            let (next, actions) = step_bot(&plan, restore(state), &event);
            said.push(serde_json::to_string(&actions).unwrap());
            state = next;
        }
        said.push(serde_json::to_string(&state).unwrap());
        said
    };
    let kept = run(|state| state);
    let restored = run(|state| serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap());
    assert_eq!(kept, restored);
}

#[test]
fn changing_later_candles_changes_no_earlier_action() {
    let plan = busy_plan();
    let first = candles(6, 600);
    let (events, said) = history(&plan, &first);
    assert!(trades(&said) >= 3, "only {} trades", trades(&said));
    for cut in [40, 123, 300, 599] {
        let mut other = candles(99, 600);
        other.splice(..cut, first[..cut].iter().copied());
        let (other_events, other_said) = history(&plan, &other);
        let until = events
            .iter()
            .position(|event| matches!(event, Event::CandleClosed { candle, .. } if *candle == first[cut]))
            .unwrap();
        assert_eq!(said[..until], other_said[..until], "cut {cut}");
        assert_ne!(events[until], other_events[until], "the candle at the cut differs");
    }
}

#[test]
fn zeros_at_the_end_of_a_number_change_no_float() {
    // A snapshot keeps a number, not how many zeros it was written with.
    for text in
        ["15.975051512693147234567", "0.000000012345678901234567", "7922816251426433.75935439", "1234.5"]
    {
        let long = d(text);
        for zeros in 1..4 {
            let mut longer = long;
            longer.rescale(long.scale() + zeros);
            let floats = [long, longer].map(keyhold_engine::input::decimal_to_f64);
            assert_eq!(floats[0].to_bits(), floats[1].to_bits(), "{text} with {zeros} zeros");
        }
    }
}
