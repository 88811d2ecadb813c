//! Guards that look beyond the candles: at the template's exits, the instrument's fees, and the bot's other instruments.

use keyhold_domain::Timeframe;
use keyhold_engine::check::check_template;
use keyhold_engine::component::{Component, Context};
use keyhold_engine::exit_rule::{Distance, ExitPlan};
use keyhold_engine::reading::Verdict;
use keyhold_engine::template::ExitSpec;
use keyhold_engine::{Plan, State};
use serde_json::{Value, json};

use crate::rig::{d, ids, linear, settings, template};
use crate::series::{Moment, random_moments_of, run};

fn with_guard(guard: &Value, exits: &Value) -> Value {
    json!({
        "components": [
            {"kind": "ema_cross", "role": "signal", "parameters": {"fast": 2, "slow": 3}},
            guard
        ],
        "exits": exits,
        "missing_hard_stop": "confirmed"
    })
}

fn problems(guard: &Value, exits: &Value) -> Vec<String> {
    let found = check_template(&template(&with_guard(guard, exits))).err().unwrap_or_default();
    assert!(found.iter().all(|problem| !problem.remedy.is_empty()));
    found.iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect()
}

#[test]
fn reward_to_risk_asks_for_the_exits_that_it_measures() {
    let stop = json!({"kind": "hard_stop", "parameters": {"pct": 2}});
    let take = json!({"kind": "take_profit", "parameters": {"pct": 4}});
    let near = json!({"kind": "take_profit", "parameters": {"pct": "2.9"}});
    let atr = json!({"kind": "take_profit", "parameters": {"basis": "atr", "atr_mult": 1}});
    let risks = json!({"kind": "take_profit", "parameters": {"basis": "r_multiple", "r_multiple": 1}});
    let off = json!({"kind": "take_profit", "parameters": {"pct": 4}, "enabled": "no"});
    let flip = json!({"kind": "signal_flip"});
    let broken = json!({"kind": "take_profit", "parameters": {"pct": 0}});
    let guard = json!({"kind": "reward_risk", "role": "entry_guard"});
    let level = json!({"kind": "reward_risk", "role": "entry_guard", "parameters": {"target": "level"}});
    let none: &[&str] = &[];
    let cases: &[(&Value, Value, &[&str])] = &[
        (&guard, json!([stop, take]), none),
        (&guard, json!([stop, atr]), none),
        (&guard, json!([stop]), &["components[1].parameters.target NEEDS_TAKE_PROFIT"]),
        (&guard, json!([stop, off]), &["components[1].parameters.target NEEDS_TAKE_PROFIT"]),
        (&guard, json!([take]), &["components[1] NEEDS_HARD_STOP"]),
        (
            &guard,
            json!([flip]),
            &["components[1] NEEDS_HARD_STOP", "components[1].parameters.target NEEDS_TAKE_PROFIT"],
        ),
        (&guard, json!([stop, near]), &["components[1].parameters.min CONTRADICTION"]),
        (&guard, json!([stop, risks]), &["components[1].parameters.min CONTRADICTION"]),
        // The exit is reported, not the guard that cannot see it.
        (&guard, json!([stop, broken]), &["exits[1].parameters.pct OUT_OF_RANGE"]),
        (&level, json!([stop, flip]), none),
        (&level, json!([flip]), &["components[1] NEEDS_HARD_STOP"]),
    ];
    for (guard, exits, expected) in cases {
        assert_eq!(problems(guard, exits), *expected, "{guard} with {exits}");
    }
}

#[test]
fn a_guard_that_could_never_pass_says_the_ratio() {
    let exits = json!([
        {"kind": "hard_stop", "parameters": {"pct": 2}},
        {"kind": "take_profit", "parameters": {"pct": 2}}
    ]);
    let guard = json!({"kind": "reward_risk", "role": "entry_guard"});
    let found = check_template(&template(&with_guard(&guard, &exits))).unwrap_err();
    assert!(found[0].message.contains("always 1.00 times"), "{}", found[0]);
}

#[test]
fn choices_and_times_that_cannot_work_are_refused() {
    let cases = [
        (
            json!({"kind": "volatility_regime", "role": "filter", "parameters": {"allowed": []}}),
            "parameters.allowed NOTHING_CHOSEN",
        ),
        (
            json!({"kind": "candle_pattern", "role": "signal", "parameters": {"patterns": []}}),
            "parameters.patterns NOTHING_CHOSEN",
        ),
        (
            json!({"kind": "volatility_regime", "role": "filter", "parameters": {"low_to": 80}}),
            "parameters.low_to CONTRADICTION",
        ),
        (
            json!({"kind": "volatility_regime", "role": "filter", "parameters": {"extreme_from": 70}}),
            "parameters.high_from CONTRADICTION",
        ),
        (
            json!({"kind": "hist_vol", "role": "filter", "parameters": {"min_pct": 150}}),
            "parameters.min_pct CONTRADICTION",
        ),
        (
            json!({"kind": "pivot_levels", "role": "signal", "parameters": {"lookback": 10}}),
            "parameters.lookback CONTRADICTION",
        ),
        (
            json!({"kind": "min_move", "role": "entry_guard", "parameters": {"target": "level", "lookback": 10}}),
            "parameters.lookback CONTRADICTION",
        ),
    ];
    for (spec, expected) in cases {
        let spec = serde_json::from_value(spec).unwrap();
        let found = Component::build(&spec, Context::new(Timeframe::H1)).unwrap_err();
        let found: Vec<_> =
            found.iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect();
        assert_eq!(found, [expected]);
    }
}

#[test]
fn an_opening_range_must_fit_the_candles() {
    let fits = |timeframe, parameters: Value| {
        let spec = json!({"kind": "opening_range", "role": "signal", "parameters": parameters});
        Component::build(&serde_json::from_value(spec).unwrap(), Context::new(timeframe)).is_ok()
    };
    assert!(
        fits(Timeframe::M1, json!({})) && fits(Timeframe::M30, json!({})) && fits(Timeframe::H12, json!({}))
    );
    assert!(!fits(Timeframe::D1, json!({})), "no candle opens after the range");
    let new_york = |minutes| json!({"start_hour": 13, "start_minute": 30, "minutes": minutes});
    assert!(fits(Timeframe::M30, new_york(30)));
    assert!(!fits(Timeframe::H1, new_york(30)), "none opens from 13:30 to 14:00");
    assert!(fits(Timeframe::H1, new_york(31)));
    assert!(!fits(Timeframe::H4, new_york(120)) && fits(Timeframe::H4, new_york(180)));
    assert!(!fits(Timeframe::H1, json!({"minutes": 60, "hours": 1})), "the session is over with its range");
    assert!(fits(Timeframe::H1, json!({"minutes": 60, "hours": 2})));
}

#[test]
fn a_day_of_candles_is_enough_for_an_opening_range() {
    // Whatever came before the warm-up: from its end on the readings are the same.
    let spec = json!({"kind": "opening_range", "role": "signal", "parameters": {"start_hour": 13, "start_minute": 30}});
    let spec = serde_json::from_value(spec).unwrap();
    let fresh = Component::build(&spec, Context::new(Timeframe::M15)).unwrap();
    let moments: Vec<Moment> = random_moments_of(Timeframe::M15, 8, 500);
    let warmup = usize::try_from(fresh.warmup_candles()).unwrap();
    assert_eq!(warmup, 96);
    let whole = run(&mut fresh.clone(), &moments);
    for start in [1, 50, 53, 54, 55, 56, 57, 95, 96, 300] {
        let later = run(&mut fresh.clone(), &moments[start..]);
        assert_eq!(later[warmup - 1..], whole[start + warmup - 1..], "from candle {start}");
        assert!(later[..warmup - 1].iter().all(|reading| reading.verdict == Verdict::WarmingUp));
    }
}

#[test]
fn a_ladder_counts_with_the_mean_of_its_steps() {
    let distances = |exits: Value| {
        let exits: Vec<ExitSpec> = serde_json::from_value(exits).unwrap();
        ExitPlan::compile(&exits).unwrap().distances()
    };
    let ladder =
        |steps: Value| json!([{"kind": "take_profit", "parameters": {"basis": "ladder", "ladder": steps}}]);
    let steps = json!([{"pct": 1, "share": "0.5"}, {"pct": 2, "share": "0.25"}, {"pct": 6, "share": "0.25"}]);
    assert_eq!(distances(ladder(steps)).target, Some(Distance::Percent(d("2.5"))));
    // What the ladder leaves open does not count.
    let half = json!([{"pct": 1, "share": "0.25"}, {"pct": 3, "share": "0.25"}]);
    assert_eq!(distances(ladder(half)).target, Some(Distance::Percent(d("2"))));
    assert_eq!(distances(json!([])).stop, None);
}

#[test]
fn the_smallest_move_takes_the_fee_of_the_instrument() {
    let guard = json!({"kind": "min_move", "role": "entry_guard"});
    let exits = json!([{"kind": "hard_stop"}]);
    let plan = |fee: &str| {
        let mut instrument = linear();
        instrument.taker_fee = keyhold_domain::Rate::new(d(fee));
        let template = template(&with_guard(&guard, &exits));
        Plan::compile(&template, &instrument, &settings(&json!({})), ids(0)).unwrap()
    };
    // The cost of a round trip is part of the component's memory: two fees and 2 bp of spread.
    let cost = |fee| {
        let state = serde_json::to_value(State::new(&plan(fee))).unwrap();
        state["components"][1]["min_move"]["cost"].as_f64().unwrap()
    };
    assert!((cost("0.0005") - 0.0012).abs() < 1e-15);
    assert!((cost("0.001") - 0.0022).abs() < 1e-15);
}
