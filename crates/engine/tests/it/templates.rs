//! Templates: every problem is found, all at once, with its field; the shipped ones have none; the catalog is sound.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::Timeframe;
use keyhold_engine::catalog::{ExitKind, Shape, catalog};
use keyhold_engine::check::{check_document, check_template, explain};
use keyhold_engine::component::{Component, Context, Parameters};
use keyhold_engine::problem::Problem;
use keyhold_engine::system_templates;
use keyhold_engine::template::{ComponentSpec, Number, Template};
use serde_json::{Value, json};

use crate::series::CONTEXT;

/// A template without problems, as JSON to be spoiled by the tests.
fn sound() -> Value {
    json!({
        "format": 1,
        "name": "Test",
        "timeframe": "15m",
        "combination": { "mode": "min_score", "threshold": 2 },
        "components": [
            { "kind": "ema_cross", "role": "signal", "weight": 1.5 },
            { "kind": "rsi", "role": "signal" },
            { "kind": "adx_dmi", "role": "filter", "parameters": { "threshold": 20 } }
        ],
        "exits": [{ "kind": "hard_stop" }, { "kind": "take_profit" }]
    })
}

fn problems(document: &Value) -> Vec<Problem> {
    let template: Template = serde_json::from_value(document.clone()).unwrap();
    check_template(&template).err().unwrap_or_default()
}

/// `path code` of every problem of the sound template with some fields replaced.
fn spoiled(changes: &[(&str, Value)]) -> Vec<String> {
    let mut document = sound();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(fields) => {
                fields.insert(field.to_owned(), value.clone());
            }
            Value::Array(items) => items[field.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{pointer} does not lie in {other}"),
        }
    }
    problems(&document).iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect()
}

#[test]
fn the_sound_template_is_sound() {
    assert_eq!(spoiled(&[]), [] as [&str; 0]);
    let template: Template = serde_json::from_value(sound()).unwrap();
    let checked = check_template(&template).unwrap();
    assert_eq!(checked.components().len(), 3);
    assert_eq!(checked.warmup_candles(), 28, "2 * 14 candles of the ADX are the longest");
    assert_eq!(
        checked.exits().iter().map(|exit| exit.kind).collect::<Vec<_>>(),
        [ExitKind::HardStop, ExitKind::TakeProfit]
    );
}

/// Each change must cause exactly the problem expected.
fn assert_spoiled(cases: &[(&str, Value, &str)]) {
    for (pointer, value, expected) in cases {
        assert_eq!(spoiled(&[(pointer, value.clone())]), [*expected], "{pointer} = {value}");
    }
}

#[test]
fn each_problem_of_head_and_components_is_found_at_its_field() {
    let parameters = "/components/0/parameters";
    let cases: &[(&str, Value, &str)] = &[
        ("/format", json!(2), "format FORMAT_UNSUPPORTED"),
        ("/name", json!("  "), "name NAME_INVALID"),
        ("/name", json!("x".repeat(81)), "name NAME_INVALID"),
        ("/name", json!("a\nb"), "name NAME_INVALID"),
        ("/description", json!("x".repeat(2001)), "description TEXT_TOO_LONG"),
        ("/components/0/kind", json!("ema_crss"), "components[0].kind UNKNOWN_KIND"),
        ("/components/2/role", json!("entry_guard"), "components[2].role ROLE_UNSUPPORTED"),
        ("/components/0/weight", json!("100.5"), "components[0].weight WEIGHT_INVALID"),
        (parameters, json!({ "fsat": 3 }), "components[0].parameters.fsat UNKNOWN_PARAMETER"),
        (parameters, json!({ "fast": 1 }), "components[0].parameters.fast OUT_OF_RANGE"),
        (parameters, json!({ "fast": 201 }), "components[0].parameters.fast OUT_OF_RANGE"),
        (parameters, json!({ "fast": -5 }), "components[0].parameters.fast OUT_OF_RANGE"),
        (parameters, json!({ "fast": 1e20 }), "components[0].parameters.fast OUT_OF_RANGE"),
        (parameters, json!({ "fast": 12.5 }), "components[0].parameters.fast NOT_WHOLE"),
        (parameters, json!({ "fast": "soon" }), "components[0].parameters.fast WRONG_TYPE"),
        (parameters, json!({ "trigger": "often" }), "components[0].parameters.trigger UNKNOWN_CHOICE"),
        (parameters, json!({ "trigger": 1 }), "components[0].parameters.trigger WRONG_TYPE"),
        (parameters, json!({ "trigger": ["state"] }), "components[0].parameters.trigger WRONG_TYPE"),
        (parameters, json!({ "fast": 26 }), "components[0].parameters.fast CONTRADICTION"),
        (parameters, json!({ "fast": 30, "slow": 20 }), "components[0].parameters.fast CONTRADICTION"),
    ];
    assert_spoiled(cases);
}

#[test]
fn each_problem_of_combination_exits_and_sessions_is_found_at_its_field() {
    let cases: &[(&str, Value, &str)] = &[
        ("/combination/threshold", json!(0), "combination.threshold THRESHOLD_NOT_POSITIVE"),
        ("/combination/threshold", json!(-1), "combination.threshold THRESHOLD_NOT_POSITIVE"),
        ("/combination/threshold", json!("2.51"), "combination.threshold THRESHOLD_UNREACHABLE"),
        ("/components/1/enabled", json!("no"), "combination.threshold THRESHOLD_UNREACHABLE"),
        (
            "/combination",
            json!({ "mode": "min_signals", "count": 3 }),
            "combination.count THRESHOLD_UNREACHABLE",
        ),
        (
            "/combination",
            json!({ "mode": "min_signals", "count": 0 }),
            "combination.count THRESHOLD_NOT_POSITIVE",
        ),
        (
            "/combination",
            json!({ "mode": "weighted_average", "threshold": 1.01 }),
            "combination.threshold THRESHOLD_UNREACHABLE",
        ),
        ("/exits", json!([{ "kind": "take_profit" }]), "exits NO_HARD_STOP"),
        ("/exits/1/kind", json!("take_proft"), "exits[1].kind UNKNOWN_KIND"),
        ("/exits/0/parameters", json!({ "pct": 0.01 }), "exits[0].parameters.pct OUT_OF_RANGE"),
        ("/exits/1/kind", json!("hard_stop"), "exits[1] DUPLICATE_EXIT"),
        ("/exits/1/parameters", json!({ "basis": "ladder" }), "exits[1].parameters.ladder LADDER_INVALID"),
        (
            "/exits/1/parameters",
            json!({ "ladder": [{ "pct": 1, "share": 1 }] }),
            "exits[1].parameters.ladder CONTRADICTION",
        ),
        (
            "/exits/1",
            json!({ "kind": "break_even", "parameters": { "offset_pct": 1 } }),
            "exits[1].parameters.offset_pct CONTRADICTION",
        ),
        (
            "/sessions",
            json!([{ "name": "a", "start": "9:00", "end": "17:00" }]),
            "sessions[0].start SESSION_TIME_INVALID",
        ),
        (
            "/sessions",
            json!([{ "name": "a", "start": "24:00", "end": "17:00" }]),
            "sessions[0].start SESSION_TIME_INVALID",
        ),
        (
            "/sessions",
            json!([{ "name": "a", "start": "09:00", "end": "25:00" }]),
            "sessions[0].end SESSION_TIME_INVALID",
        ),
        (
            "/sessions",
            json!([{ "name": "a", "start": "09:00", "end": "09:00" }]),
            "sessions[0].end SESSION_EMPTY",
        ),
        (
            "/sessions",
            json!([{ "name": "", "start": "09:00", "end": "10:00" }]),
            "sessions[0].name NAME_INVALID",
        ),
        (
            "/sessions",
            json!([{ "name": "a", "start": "09:00", "end": "10:00", "weekdays": ["mon", "mon"] }]),
            "sessions[0].weekdays[1] WEEKDAY_TWICE",
        ),
    ];
    assert_spoiled(cases);
}

#[test]
fn rules_over_several_parameters_of_other_components() {
    let cases = [
        (json!({ "kind": "macd", "role": "signal", "parameters": { "fast": 40 } }), "parameters.fast"),
        (
            json!({ "kind": "rsi", "role": "signal", "parameters": { "low": 50, "high": 50 } }),
            "parameters.low",
        ),
        (json!({ "kind": "atr", "role": "risk_gate", "parameters": { "min_pct": 6 } }), "parameters.min_pct"),
        (
            json!({ "kind": "stochastic", "role": "signal", "parameters": { "low": 50, "high": 50 } }),
            "parameters.low",
        ),
        (
            json!({ "kind": "williams_r", "role": "signal", "parameters": { "low": -50, "high": -50 } }),
            "parameters.low",
        ),
        (json!({ "kind": "awesome", "role": "signal", "parameters": { "fast": 34 } }), "parameters.fast"),
        (
            json!({ "kind": "rsi_divergence", "role": "signal", "parameters": { "lookback": 9, "pivot": 9 } }),
            "parameters.lookback",
        ),
    ];
    for (spec, path) in cases {
        let spec: ComponentSpec = serde_json::from_value(spec).unwrap();
        let problems = Component::build(&spec, CONTEXT).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].path.as_str(), problems[0].code), (path, "CONTRADICTION"));
    }
}

#[test]
fn a_daily_average_fits_its_candles() {
    let build = |timeframe, parameters| {
        let spec = json!({ "kind": "vwap", "role": "signal", "parameters": parameters });
        Component::build(&serde_json::from_value(spec).unwrap(), Context::new(timeframe))
    };
    let session = |hour, minute| json!({ "anchor": "session", "start_hour": hour, "start_minute": minute });
    // A candle of a day has no day to be averaged over; a session cannot start in the midst of a candle.
    let cases = [
        (Timeframe::D1, json!({}), "parameters.anchor"),
        (Timeframe::H1, session(13, 30), "parameters.start_minute"),
        (Timeframe::H4, session(13, 0), "parameters.start_minute"),
    ];
    for (timeframe, parameters, path) in cases {
        let problems = build(timeframe, parameters).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].path.as_str(), problems[0].code), (path, "CONTRADICTION"));
    }
    // A start that is not used is not checked.
    let unused = json!({ "anchor": "day", "start_minute": 7 });
    for (timeframe, parameters, warmup) in
        [(Timeframe::M30, session(13, 30), 48), (Timeframe::H12, json!({}), 2), (Timeframe::M5, unused, 288)]
    {
        assert_eq!(build(timeframe, parameters).unwrap().warmup_candles(), warmup);
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_document() {
    let found = spoiled(&[
        ("/format", json!(7)),
        ("/name", json!("")),
        ("/combination/threshold", json!(9)),
        ("/components/0/role", json!("risk_gate")),
        ("/components/0/parameters", json!({ "fast": 0, "slow": "x", "speed": 1 })),
        ("/components/2/parameters", json!({ "period": 1, "threshold": 100 })),
        ("/exits/1/parameters", json!({ "basis": "r_multiple" })),
        ("/exits/0", json!({ "kind": "time_stop", "parameters": { "max_candles": 0 } })),
        ("/sessions", json!([{ "name": "a", "start": "x", "end": "y" }])),
    ]);
    assert_eq!(
        found,
        [
            "format FORMAT_UNSUPPORTED",
            "name NAME_INVALID",
            "combination.threshold THRESHOLD_UNREACHABLE",
            "components[0].role ROLE_UNSUPPORTED",
            "components[0].parameters.speed UNKNOWN_PARAMETER",
            "components[0].parameters.fast OUT_OF_RANGE",
            "components[0].parameters.slow WRONG_TYPE",
            "components[2].parameters.period OUT_OF_RANGE",
            "components[2].parameters.threshold OUT_OF_RANGE",
            "exits[0].parameters.max_candles OUT_OF_RANGE",
            "exits NO_HARD_STOP",
            "exits[1].parameters.basis NEEDS_HARD_STOP",
            "sessions[0].start SESSION_TIME_INVALID",
            "sessions[0].end SESSION_TIME_INVALID",
        ]
    );
}

#[test]
fn thresholds_may_lie_exactly_on_what_is_attainable() {
    assert!(spoiled(&[("/combination/threshold", json!("2.5"))]).is_empty());
    assert!(spoiled(&[("/combination", json!({ "mode": "min_signals", "count": 2 }))]).is_empty());
    assert!(spoiled(&[("/combination", json!({ "mode": "weighted_average", "threshold": 1 }))]).is_empty());
    let unreachable = problems_of(&[("/combination/threshold", json!(3))]);
    assert!(unreachable[0].message.contains("2.5"), "the attainable maximum is named: {}", unreachable[0]);
    assert!(unreachable[0].remedy.contains("2.5"), "{}", unreachable[0]);
}

fn problems_of(changes: &[(&str, Value)]) -> Vec<Problem> {
    let mut document = sound();
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).unwrap() = value.clone();
    }
    problems(&document)
}

#[test]
fn a_weight_of_zero_is_refused_and_attains_nothing() {
    let found = spoiled(&[("/components/0/weight", json!(0))]);
    assert_eq!(found, ["combination.threshold THRESHOLD_UNREACHABLE", "components[0].weight WEIGHT_INVALID"]);
    assert!(spoiled(&[("/components/2/weight", json!(0))]).is_empty(), "a filter's weight means nothing");
}

#[test]
fn a_template_must_be_able_to_enter_and_to_leave() {
    assert_eq!(spoiled(&[("/components", json!([]))]), ["components NO_SIGNAL_COMPONENT"]);
    let disabled = json!([{ "kind": "rsi", "role": "signal", "enabled": "no" }]);
    assert_eq!(spoiled(&[("/components", disabled)]), ["components NO_SIGNAL_COMPONENT"]);
    assert_eq!(spoiled(&[("/exits", json!([]))]), ["exits NO_EXIT_RULE", "exits NO_HARD_STOP"]);
    let stopless =
        [("/exits", json!([{ "kind": "signal_flip" }])), ("/missing_hard_stop", json!("confirmed"))];
    assert!(spoiled(&stopless).is_empty());
    let stop_off = json!([{ "kind": "hard_stop", "enabled": "no" }, { "kind": "signal_flip" }]);
    assert_eq!(spoiled(&[("/exits", stop_off)]), ["exits NO_HARD_STOP"]);
}

#[test]
fn ladders() {
    let cases = [
        (json!([{ "pct": 1, "share": 0.5 }, { "pct": 2, "share": 0.5 }]), true),
        (json!([{ "pct": 1, "share": "0.2" }]), true),
        (json!([{ "pct": 2, "share": 0.5 }, { "pct": 1, "share": 0.5 }]), false),
        (json!([{ "pct": 0, "share": 0.5 }]), false),
        (json!([{ "pct": 1, "share": 0 }]), false),
        (json!([{ "pct": 1, "share": 1.1 }]), false),
        (json!([{ "pct": 1, "share": 0.6 }, { "pct": 2, "share": 0.6 }]), false),
        (json!([{ "pct": 1001, "share": 0.6 }]), false),
        (Value::Array((1..=11).map(|pct| json!({ "pct": pct, "share": 0.01 })).collect()), false),
    ];
    for (ladder, fine) in cases {
        let found = spoiled(&[("/exits/1/parameters", json!({ "basis": "ladder", "ladder": ladder }))]);
        assert_eq!(found.is_empty(), fine, "{ladder}: {found:?}");
        assert!(fine || found == ["exits[1].parameters.ladder LADDER_INVALID"], "{ladder}: {found:?}");
    }
}

#[test]
fn shipped_templates_have_no_problems_and_are_unlike() {
    let templates = system_templates::all();
    assert!(templates.len() >= 2);
    let ids: BTreeSet<_> = templates.iter().map(|system| system.id).collect();
    let names: BTreeSet<_> = templates.iter().map(|system| system.template.name.as_str()).collect();
    assert_eq!((ids.len(), names.len()), (templates.len(), templates.len()));
    for system in &templates {
        let checked =
            check_template(&system.template).unwrap_or_else(|problems| panic!("{}: {problems:?}", system.id));
        assert!(checked.warmup_candles() <= 500, "{}", system.id);
        let text = serde_json::to_string(&system.template).unwrap();
        assert_eq!(serde_json::from_str::<Template>(&text).unwrap(), system.template, "{}", system.id);
        let words = explain(&system.template);
        assert!(!words.contains("not understood"), "{words}");
    }
}

#[test]
fn explanations_say_what_was_understood() {
    let mut document = sound();
    document["sessions"] =
        json!([{ "name": "London", "start": "08:00", "end": "16:30", "weekdays": ["mon", "fri"] }]);
    document["components"][1]["parameters"] = json!({ "mode": "trend" });
    document["components"][2]["enabled"] = json!("no");
    let template: Template = serde_json::from_value(document).unwrap();
    assert_eq!(explain(&template), "\
Every time a 15m candle closes, the signals are asked:
- EMA crossover (weight 1.5): bullish while the 12-candle EMA is above the 26-candle EMA, bearish while it is below.
- RSI (weight 1): bullish while RSI(14) is above 50, bearish while it is below.
It wants to enter when the weights of the bullish signals minus those of the bearish ones reach 2 (long) or -2 (short).
It may go long and short.
It enters only in these windows (UTC): 08:00 to 16:30 on Mon, Fri; at their end an open position stays, managed by its exit rules.
The position is closed by whichever of these comes first:
- Hard stop loss: a loss of 2 % from the entry.
- Take profit: a profit of 4 %.
Disabled and without effect: 1.
");
}

#[test]
fn mistakes_of_form_are_said_together_with_those_of_meaning() {
    let mut document = sound();
    document["timeframe"] = json!("7m");
    document["colour"] = json!("red");
    document["combination"] = json!({ "mode": "min_scores", "threshold": 2 });
    document["components"][0]["parameters"] = json!({ "fast": true, "slow": 26 });
    document["components"][1]["role"] = json!("signals");
    document["components"][2]["parameters"] = json!({ "threshold": 2000 });
    document["exits"][0] = json!("hard_stop");
    document["exits"][1]["parameters"] = json!({ "pct": -1 });
    document["sessions"] = json!([{ "name": "London", "start": "8", "end": "16:30", "days": [] }]);
    let problems = check_document(&document).unwrap_err();
    let found: Vec<(&str, &str)> = problems.iter().map(|p| (p.path.as_str(), p.code)).collect();
    let expected = [
        ("colour", "UNKNOWN_FIELD"),
        ("timeframe", "WRONG_TYPE"),
        ("combination", "WRONG_TYPE"),
        ("components[0].parameters.fast", "WRONG_TYPE"),
        ("components[1].role", "WRONG_TYPE"),
        ("components[2].parameters.threshold", "OUT_OF_RANGE"),
        ("exits[0]", "WRONG_TYPE"),
        ("exits[1].parameters.pct", "OUT_OF_RANGE"),
        ("sessions[0].days", "UNKNOWN_FIELD"),
    ];
    assert_eq!(found, expected);
    assert!(problems.iter().all(|problem| !problem.remedy.is_empty() && !problem.message.is_empty()));
    assert_eq!(check_document(&sound()).unwrap().name, "Test");
    assert_eq!(check_document(&json!([])).unwrap_err()[0].code, "WRONG_TYPE");
    let mut meaning = sound();
    meaning["exits"] = json!([]);
    assert_eq!(check_document(&meaning).unwrap_err()[0].code, "NO_EXIT_RULE");
}

#[test]
fn catalog_entries_are_sound() {
    let catalog = catalog();
    let kinds: BTreeSet<_> = catalog.components.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.len(), catalog.components.len(), "kinds are unlike");
    assert_eq!(catalog.exits.iter().map(|entry| entry.kind).collect::<Vec<_>>(), ExitKind::ALL);
    for kind in ExitKind::ALL {
        assert_eq!((kind.entry().kind, ExitKind::from_name(kind.as_str())), (kind, Some(kind)));
    }
    let components = catalog.components.iter().map(|entry| (entry.kind, entry.help, entry.parameters));
    let exits = catalog.exits.iter().map(|entry| (entry.kind.as_str(), entry.help, entry.parameters));
    for (kind, help, parameters) in components.chain(exits) {
        assert!(help.ends_with('.'), "{kind}: {help}");
        Parameters::check(parameters, &BTreeMap::new())
            .unwrap_or_else(|problems| panic!("{kind}: {problems:?}"));
        for parameter in parameters {
            let place = format!("{kind}.{}", parameter.name);
            assert!(parameter.help.ends_with('.') && !parameter.title.is_empty(), "{place}");
            match parameter.shape {
                Shape::Integer(range) => {
                    assert!(
                        range.min <= range.default && range.default <= range.max && range.step > 0,
                        "{place}"
                    );
                }
                Shape::Number(range) => {
                    let default = range.default.unwrap_or(range.min);
                    assert!(range.min < range.max && range.step > Number(0.into()), "{place}");
                    assert!((range.min..=range.max).contains(&default), "{place}");
                }
                Shape::Choice { choices, default } => assert!(choices.contains(&default), "{place}"),
                Shape::Choices { choices, default } => {
                    assert!(default.iter().all(|word| choices.contains(word)), "{place}");
                }
                Shape::Ladder { max_steps } => assert!(max_steps > 0, "{place}"),
            }
            if let Some(condition) = parameter.applies_if {
                let deciding = parameters.iter().find(|other| other.name == condition.parameter).unwrap();
                let Shape::Choice { choices, .. } = deciding.shape else { panic!("{place}") };
                assert!(choices.contains(&condition.choice), "{place}");
            }
        }
    }
}

#[test]
fn the_catalog_is_json_that_a_form_can_use() {
    let json = serde_json::to_value(catalog()).unwrap();
    let ema =
        json["components"].as_array().unwrap().iter().find(|entry| entry["kind"] == "ema_cross").unwrap();
    assert_eq!(
        ema["parameters"][0],
        json!({
            "name": "fast", "title": "Fast", "help": "Length of the fast average.", "type": "integer", "unit": "candles",
            "default": 12, "min": 2, "max": 200, "step": 1, "roles": [], "applies_if": null
        })
    );
    let stop = &json["exits"][0];
    assert_eq!(stop["kind"], "hard_stop");
    assert_eq!(stop["parameters"][1]["default"], "2");
    assert_eq!(stop["parameters"][1]["applies_if"], json!({ "parameter": "basis", "choice": "percent" }));
}
