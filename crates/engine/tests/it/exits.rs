//! Each exit rule at its boundary, for long and short; the order of reasons; levels on the tick.

use keyhold_domain::{Decimal, OrderPurpose, Price, ReasonCode, Side};
use keyhold_engine::exit_rule::{AtClose, EntryStats, Exit, ExitPlan, Levels, Now, Watch, evaluate};
use keyhold_engine::reading::Direction;
use keyhold_engine::template::ExitSpec;
use serde_json::json;

use crate::rig::{Rig, candle, d, linear, plan, price};

fn rules(exits: &serde_json::Value) -> ExitPlan {
    let exits: Vec<ExitSpec> = serde_json::from_value(exits.clone()).unwrap();
    ExitPlan::compile(&exits).unwrap()
}

/// A position entered at 100, seen at the close of a candle.
struct Seen {
    side: Side,
    candle: [&'static str; 4],
    best: &'static str,
    age: u32,
    now: Now,
    direction: Direction,
    watch: Watch,
}

impl Seen {
    fn new(side: Side, candle: [&'static str; 4], best: &'static str) -> Self {
        Self {
            side,
            candle,
            best,
            age: 1,
            now: Now::default(),
            direction: Direction::Neutral,
            watch: Watch::Engine,
        }
    }
}

const AT_ENTRY: EntryStats =
    Now { stop_atr: Some(1.234), target_atr: Some(2.0), volatility_atr: Some(1.0), chandelier: None };

fn levels(plan: &ExitPlan, side: Side) -> Levels {
    let mut levels = Levels::at_entry(plan, &linear(), side, price("100"), &AT_ENTRY);
    levels.divide(Decimal::ONE, linear().lot);
    levels
}

fn ask(plan: &ExitPlan, levels: &mut Levels, seen: &Seen) -> Option<Exit> {
    let candle = candle(0, seen.candle);
    evaluate(
        plan,
        levels,
        &AtClose {
            instrument: &linear(),
            side: seen.side,
            entry: price("100"),
            candle: &candle,
            best: price(seen.best),
            age: seen.age,
            at_entry: &AT_ENTRY,
            now: &seen.now,
            direction: seen.direction,
            stop: seen.watch,
            targets: seen.watch,
        },
    )
}

#[test]
fn entry_levels_lie_on_the_tick() {
    // (rules, side, stop, target)
    let percent = json!([{"kind": "hard_stop", "parameters": {"pct": 2}}, {"kind": "take_profit", "parameters": {"pct": 4}}]);
    let atr = json!([{"kind": "hard_stop", "parameters": {"basis": "atr", "atr_mult": 2}}, {"kind": "take_profit", "parameters": {"basis": "atr", "atr_mult": 1.5}}]);
    let risk = json!([{"kind": "hard_stop", "parameters": {"pct": 1.5}}, {"kind": "take_profit", "parameters": {"basis": "r_multiple", "r_multiple": 3}}]);
    let cases = [
        (&percent, Side::Buy, "98", "104"),
        (&percent, Side::Sell, "102", "96"),
        // 2 × 1.234 = 2.468, on the tick 2.47.
        (&atr, Side::Buy, "97.53", "103"),
        (&atr, Side::Sell, "102.47", "97"),
        (&risk, Side::Buy, "98.5", "104.5"),
        (&risk, Side::Sell, "101.5", "95.5"),
    ];
    for (rules_json, side, stop, target) in cases {
        let levels = levels(&rules(rules_json), side);
        assert_eq!(levels.initial_stop, Some(price(stop)), "{rules_json} {side}");
        assert_eq!(levels.targets[0].price, price(target), "{rules_json} {side}");
    }
}

#[test]
fn every_rule_triggers_at_its_boundary_and_not_before() {
    let whole = |reason| Some(Exit::Whole(reason));
    let hard = rules(&json!([{"kind": "hard_stop", "parameters": {"pct": 2}}]));
    let time = rules(&json!([{"kind": "time_stop", "parameters": {"max_candles": 3}}]));
    let poor =
        rules(&json!([{"kind": "time_stop", "parameters": {"max_candles": 3, "only_if_profit_below": 1}}]));
    let target = rules(&json!([{"kind": "take_profit", "parameters": {"pct": 4}}]));
    let flip = rules(&json!([{"kind": "signal_flip"}]));
    let vol = rules(&json!([{"kind": "volatility_exit", "parameters": {"expansion_mult": 2.5}}]));
    let calm = rules(
        &json!([{"kind": "volatility_exit", "parameters": {"expansion_mult": 2, "mode": "contraction"}}]),
    );
    let chandelier = rules(&json!([{"kind": "chandelier", "parameters": {"atr_mult": 3}}]));
    let buy = |candle| Seen::new(Side::Buy, candle, "100");
    let sell = |candle| Seen::new(Side::Sell, candle, "100");
    let flat = ["100", "100", "100", "100"];
    let volatility = |atr| Now { volatility_atr: Some(atr), ..Now::default() };
    let extremes = |high, low, atr| Now { chandelier: Some((high, low, atr)), ..Now::default() };
    let cases: Vec<(&ExitPlan, Seen, Option<Exit>)> = vec![
        (&hard, buy(["100", "100", "98.01", "99"]), None),
        (&hard, buy(["100", "100", "98", "99"]), whole(ReasonCode::ExitHardStop)),
        (&hard, sell(["100", "101.99", "100", "101"]), None),
        (&hard, sell(["100", "102", "100", "101"]), whole(ReasonCode::ExitHardStop)),
        // A working order at the venue has the touch; a close beyond it means that it did not work.
        (&hard, Seen { watch: Watch::Venue, ..buy(["100", "100", "97", "98"]) }, None),
        (
            &hard,
            Seen { watch: Watch::Venue, ..buy(["100", "100", "97", "97.99"]) },
            whole(ReasonCode::ExitHardStop),
        ),
        (&hard, Seen { watch: Watch::OnItsWay, ..buy(["100", "100", "97", "97"]) }, None),
        (&target, buy(["100", "103.99", "100", "100"]), None),
        (&target, buy(["100", "104", "100", "100"]), Some(Exit::Targets(1))),
        (&target, sell(["100", "100", "96", "100"]), Some(Exit::Targets(1))),
        (&target, Seen { watch: Watch::Venue, ..buy(["100", "105", "100", "105"]) }, None),
        (&time, Seen { age: 2, ..buy(flat) }, None),
        (&time, Seen { age: 3, ..buy(flat) }, whole(ReasonCode::ExitTimeStop)),
        (&poor, Seen { age: 3, ..buy(["100", "101", "100", "101"]) }, None),
        (&poor, Seen { age: 3, ..buy(["100", "101", "100", "100.99"]) }, whole(ReasonCode::ExitTimeStop)),
        (&flip, Seen { direction: Direction::Neutral, ..buy(flat) }, None),
        (&flip, Seen { direction: Direction::Long, ..buy(flat) }, None),
        (&flip, Seen { direction: Direction::Short, ..buy(flat) }, whole(ReasonCode::ExitSignalFlip)),
        (&flip, Seen { direction: Direction::Long, ..sell(flat) }, whole(ReasonCode::ExitSignalFlip)),
        (&vol, Seen { now: volatility(2.49), ..buy(flat) }, None),
        (&vol, Seen { now: volatility(2.5), ..buy(flat) }, whole(ReasonCode::ExitVolatility)),
        (
            &vol,
            Seen { now: volatility(1.0), ..buy(["100", "100", "97.5", "100"]) },
            whole(ReasonCode::ExitVolatility),
        ),
        (&vol, Seen { now: volatility(1.0), ..sell(["100", "100", "97.5", "100"]) }, None),
        (&calm, Seen { now: volatility(0.51), ..buy(flat) }, None),
        (&calm, Seen { now: volatility(0.5), ..buy(flat) }, whole(ReasonCode::ExitVolatility)),
        // 103 - 3 × 1 = 100: a close on the level stays, one below leaves.
        (&chandelier, Seen { now: extremes(103.0, 90.0, 1.0), ..buy(flat) }, None),
        (
            &chandelier,
            Seen { now: extremes(103.1, 90.0, 1.0), ..buy(flat) },
            whole(ReasonCode::ExitChandelier),
        ),
        (&chandelier, Seen { now: extremes(110.0, 97.0, 1.0), ..sell(flat) }, None),
        (
            &chandelier,
            Seen { now: extremes(110.0, 96.9, 1.0), ..sell(flat) },
            whole(ReasonCode::ExitChandelier),
        ),
    ];
    for (index, (plan, seen, expected)) in cases.iter().enumerate() {
        assert_eq!(ask(plan, &mut levels(plan, seen.side), seen), *expected, "case {index}");
    }
}

#[test]
fn the_worst_reason_is_named_when_several_trigger() {
    let all = rules(&json!([
        {"kind": "signal_flip"}, {"kind": "time_stop", "parameters": {"max_candles": 1}},
        {"kind": "volatility_exit"}, {"kind": "take_profit", "parameters": {"pct": 1}},
        {"kind": "chandelier"}, {"kind": "hard_stop", "parameters": {"pct": 2}}
    ]));
    let now = Now { volatility_atr: Some(9.0), chandelier: Some((200.0, 1.0, 1.0)), ..Now::default() };
    let seen = |candle| Seen { now, direction: Direction::Short, ..Seen::new(Side::Buy, candle, "102") };
    let everything = seen(["100", "102", "97", "100"]);
    let reason = |seen: &Seen| ask(&all, &mut levels(&all, Side::Buy), seen);
    assert_eq!(reason(&everything), Some(Exit::Whole(ReasonCode::ExitHardStop)));
    let without_stop = seen(["100", "102", "99", "100"]);
    assert_eq!(reason(&without_stop), Some(Exit::Whole(ReasonCode::ExitChandelier)));
    let quiet = Now { chandelier: None, ..now };
    assert_eq!(reason(&Seen { now: quiet, ..without_stop }), Some(Exit::Targets(1)));
    let no_target = Seen { now: quiet, ..seen(["100", "100.5", "99", "100"]) };
    assert_eq!(reason(&no_target), Some(Exit::Whole(ReasonCode::ExitVolatility)));
    let calm = Now { volatility_atr: Some(1.0), ..quiet };
    assert_eq!(reason(&Seen { now: calm, ..no_target }), Some(Exit::Whole(ReasonCode::ExitTimeStop)));
}

#[test]
fn following_stops_arm_at_their_activation_and_never_loosen() {
    let plan = rules(&json!([
        {"kind": "hard_stop", "parameters": {"pct": 2}},
        {"kind": "break_even", "parameters": {"activation_pct": 1, "offset_pct": 0.1}},
        {"kind": "trailing_stop", "parameters": {"distance_pct": 1, "activation_pct": 2}}
    ]));
    for (side, steps) in [
        (
            Side::Buy,
            [
                ("100.99", "98"),
                ("101", "100.1"),
                ("101.99", "100.1"),
                ("102", "100.98"),
                ("101", "100.98"),
                ("110", "108.9"),
            ],
        ),
        (
            Side::Sell,
            [
                ("99.01", "102"),
                ("99", "99.9"),
                ("98.01", "99.9"),
                ("98", "98.98"),
                ("99", "98.98"),
                ("90", "90.9"),
            ],
        ),
    ] {
        let mut levels = levels(&plan, side);
        for (best, stop) in steps {
            // The candle itself stays away from every level.
            let quiet = match side {
                Side::Buy => ["120", "120", "120", "120"],
                Side::Sell => ["80", "80", "80", "80"],
            };
            let asked = ask(&plan, &mut levels, &Seen::new(side, quiet, best));
            assert_eq!(asked, None);
            assert_eq!(levels.stop.map(|stop| stop.price), Some(price(stop)), "{side} best {best}");
        }
    }
}

#[test]
fn a_level_from_this_candle_holds_from_the_next_one() {
    let plan =
        rules(&json!([{"kind": "trailing_stop", "parameters": {"distance_pct": 1, "activation_pct": 0}}]));
    let mut levels = levels(&plan, Side::Buy);
    // The low lies far below the level that the high of the same candle makes; the close does not.
    let seen = Seen::new(Side::Buy, ["100", "110", "100", "109"], "110");
    assert_eq!(ask(&plan, &mut levels, &seen), None);
    let next = Seen::new(Side::Buy, ["109", "109", "108.9", "109"], "110");
    assert_eq!(ask(&plan, &mut levels, &next), Some(Exit::Whole(ReasonCode::ExitTrailingStop)));
}

#[test]
fn ladders_divide_what_was_entered() {
    let plan = rules(&json!([{"kind": "take_profit", "parameters": {"basis": "ladder", "ladder": [
        {"pct": 1, "share": 0.33}, {"pct": 2, "share": 0.33}, {"pct": 3, "share": 0.34}]}}]));
    let mut levels = Levels::at_entry(&plan, &linear(), Side::Buy, price("100"), &AT_ENTRY);
    levels.divide(d("1"), d("0.1"));
    let shares: Vec<Decimal> = levels.targets.iter().map(|target| target.quantity).collect();
    assert_eq!(shares, [d("0.3"), d("0.3"), d("0.4")], "the last takes what rounding has left");
    let prices: Vec<Price> = levels.targets.iter().map(|target| target.price).collect();
    assert_eq!(prices, [price("101"), price("102"), price("103")]);
}

#[test]
fn what_is_closed_in_part_is_not_counted_twice() {
    let ladder = json!({"basis": "ladder", "ladder": [{"pct": 3, "share": 0.5}]});
    let exits = json!([{"kind": "hard_stop"}, {"kind": "take_profit", "parameters": ladder}]);
    let mut rig = Rig::started(plan(&json!({"exits": exits}), &json!({})));
    for close in ["100", "101", "103"] {
        rig.flat_candle(close);
    }
    rig.accept(OrderPurpose::Entry);
    rig.fill(OrderPurpose::Entry, "1", "100");
    rig.flat_candle("102");
    let asset = rig.plan.instrument.settle;
    assert_eq!(rig.state.earned(asset).unrealized, d("2"));
    rig.accept(OrderPurpose::TakeProfit);
    rig.fill(OrderPurpose::TakeProfit, "0.5", "103");
    let earned = rig.state.earned(asset);
    assert_eq!(earned.unrealized, d("1"), "half of it at the last close");
    // 1.5 of the half that was sold, less fees of 0.05 and 0.02575.
    assert_eq!(earned.realized, d("1.42425"));
}
