//! What is known of the market besides candles: it belongs to one candle, it grows stale, its absence blocks entries by
//! name and never an exit.

use keyhold_domain::{OrderPurpose, Rate, ReasonCode, Timestamp};
use keyhold_engine::action::Action;
use keyhold_engine::decision::Decision;
use keyhold_engine::event::Event;
use keyhold_engine::market::{MarketFacts, Quote, Seen, TakerVolume};
use keyhold_engine::template::Number;
use keyhold_engine::{Plan, State};
use serde_json::json;

use crate::rig::{Rig, d, ids, linear, plan, price, settings, template};

fn guarded() -> Plan {
    plan(
        &json!({
            "components": [
                {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}},
                {"kind": "max_spread", "role": "entry_guard", "parameters": {"max_bps": 5}}
            ],
            "exits": [{"kind": "hard_stop", "parameters": {"pct": 5}}, {"kind": "signal_flip"}]
        }),
        &json!({"recording": "everything"}),
    )
}

fn quote(bid: &str, ask: &str, at: Timestamp) -> Seen<Quote> {
    Seen { value: Quote { bid: price(bid), ask: price(ask) }, at }
}

fn decision(actions: &[Action]) -> Decision {
    let recorded = actions.iter().find_map(|action| match action {
        Action::Record(decision) => Some((**decision).clone()),
        _ => None,
    });
    recorded.unwrap()
}

/// A candle that would be entered, preceded by facts whose quote was seen `age_ms` before they were put together.
fn candle_with_quote(rig: &mut Rig, close: &str, ask: &str, age_ms: i64) -> Decision {
    let (open, at) = rig.coming();
    let facts =
        MarketFacts { quote: Some(quote("100", ask, at.plus_ms(-age_ms))), ..MarketFacts::none(open, at) };
    assert!(rig.take(&Event::Market(Box::new(facts))).is_empty());
    decision(&rig.flat_candle(close))
}

fn warm(rig: &mut Rig) {
    for close in ["100", "100", "100"] {
        rig.flat_candle(close);
    }
}

#[test]
fn a_guard_without_data_blocks_by_name_and_with_data_by_its_limit() {
    let mut rig = Rig::started(guarded());
    warm(&mut rig);
    let without = decision(&rig.flat_candle("101"));
    assert_eq!(without.headline, ReasonCode::DataMissing);
    assert_eq!(without.blocks[0].component, Some(1));
    let stale = candle_with_quote(&mut rig, "102", "100.01", 60_001);
    assert_eq!(stale.headline, ReasonCode::DataMissing);
    let ahead = candle_with_quote(&mut rig, "102.5", "100.01", -60_001);
    assert_eq!(ahead.headline, ReasonCode::DataMissing, "a wrong time never grows old");
    let wide = candle_with_quote(&mut rig, "103", "100.06", 0);
    assert_eq!(wide.headline, ReasonCode::GuardBlocked);
    let narrow = candle_with_quote(&mut rig, "104", "100.01", 60_000);
    assert_eq!(narrow.headline, ReasonCode::Entered);
}

#[test]
fn facts_say_nothing_about_the_candle_after_theirs() {
    let mut rig = Rig::started(guarded());
    warm(&mut rig);
    let (open, at) = rig.coming();
    let facts = MarketFacts { quote: Some(quote("100", "100.01", at)), ..MarketFacts::none(open, at) };
    rig.take(&Event::Market(Box::new(facts)));
    rig.skip_candles(1);
    assert_eq!(decision(&rig.flat_candle("101")).headline, ReasonCode::DataMissing);
}

#[test]
fn missing_data_never_blocks_an_exit() {
    let mut rig = Rig::started(guarded());
    warm(&mut rig);
    assert_eq!(candle_with_quote(&mut rig, "101", "100.01", 0).headline, ReasonCode::Entered);
    rig.accept(OrderPurpose::Entry);
    rig.fill(OrderPurpose::Entry, "1", "101");
    let flipped = decision(&rig.flat_candle("98"));
    assert_eq!(flipped.headline, ReasonCode::ExitSignalFlip);
    assert!(rig.find(OrderPurpose::Exit).is_some(), "the exit was ordered without any data");
}

#[test]
fn a_signal_without_data_is_named_only_where_no_direction_comes_about() {
    let signals = json!([
        {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}},
        {"kind": "cvd", "role": "signal", "parameters": {"period": 2}}
    ]);
    let recorded = json!({"recording": "everything"});
    let mut all = Rig::started(plan(&json!({"components": signals}), &recorded));
    warm(&mut all);
    assert_eq!(decision(&all.flat_candle("101")).headline, ReasonCode::DataMissing);
    let any = json!({"components": signals, "combination": {"mode": "min_signals", "count": 1}});
    let mut any = Rig::started(plan(&any, &recorded));
    warm(&mut any);
    assert_eq!(decision(&any.flat_candle("101")).headline, ReasonCode::Entered);
    // With both candles of its window known, it speaks.
    for close in ["102", "103"] {
        let (open, at) = all.coming();
        let taker = Some(TakerVolume { buy: Number(d("3")), sell: Number(d("1")) });
        all.take(&Event::Market(Box::new(MarketFacts { taker, ..MarketFacts::none(open, at) })));
        all.flat_candle(close);
    }
    assert!(all.find(OrderPurpose::Entry).is_some());
}

/// 0.03 % every four hours is 0.06 % in eight, which is more than the 0.05 % that count as extreme.
#[test]
fn a_funding_rate_is_judged_per_eight_hours_whatever_the_interval() {
    let gate = template(&json!({"components": [
        {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}},
        {"kind": "funding_rate", "role": "risk_gate"}
    ]}));
    let settings = settings(&json!({"recording": "everything"}));
    for (hours, headline) in [(4, ReasonCode::GateBlocked), (8, ReasonCode::Entered)] {
        let mut instrument = linear();
        instrument.funding_interval_hours = hours;
        let mut rig = Rig::started(Plan::compile(&gate, &instrument, &settings, ids(0)).unwrap());
        warm(&mut rig);
        let (open, at) = rig.coming();
        let funding = Some(Seen { value: Rate::new(d("0.0003")), at });
        rig.take(&Event::Market(Box::new(MarketFacts { funding, ..MarketFacts::none(open, at) })));
        let said = decision(&rig.flat_candle("101"));
        assert_eq!(said.headline, headline, "every {hours} hours");
        // The same rate grown stale is no rate.
        let (open, at) = rig.coming();
        let funding = Some(Seen { value: Rate::new(d("0.0003")), at: at.plus_ms(-60_001) });
        rig.take(&Event::Market(Box::new(MarketFacts { funding, ..MarketFacts::none(open, at) })));
        let said = decision(&rig.flat_candle("102"));
        assert!(said.blocks.iter().any(|block| block.reason == ReasonCode::DataMissing), "{:?}", said.blocks);
    }
}

/// After a restart the newest rate of the journal may be hours old.
#[test]
fn a_funding_rate_that_is_told_no_more_is_forgotten() {
    let gated = plan(
        &json!({"components": [
            {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}},
            {"kind": "funding_rate", "role": "risk_gate"}
        ]}),
        &json!({"recording": "everything"}),
    );
    for (facts, headline) in [(false, ReasonCode::Entered), (true, ReasonCode::DataMissing)] {
        let mut rig = Rig::started(gated.clone());
        warm(&mut rig);
        let (open, at) = rig.coming();
        rig.take(&Event::FundingRate { rate: Rate::new(d("0.0001")), at });
        if facts {
            rig.take(&Event::Market(Box::new(MarketFacts::none(open, at))));
        }
        assert_eq!(decision(&rig.flat_candle("101")).headline, headline);
    }
}

#[test]
fn facts_survive_a_snapshot_and_old_snapshots_know_none() {
    let mut rig = Rig::started(guarded());
    warm(&mut rig);
    let before = serde_json::to_value(&rig.state).unwrap();
    assert!(before.get("market").is_none(), "a bot that was told nothing has the snapshot it always had");
    let (open, at) = rig.coming();
    let facts = MarketFacts { quote: Some(quote("100", "100.01", at)), ..MarketFacts::none(open, at) };
    rig.take(&Event::Market(Box::new(facts)));
    let saved = serde_json::to_string(&rig.state).unwrap();
    rig.state = serde_json::from_str::<State>(&saved).unwrap();
    assert_eq!(decision(&rig.flat_candle("101")).headline, ReasonCode::Entered);
}
