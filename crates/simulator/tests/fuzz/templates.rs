//! Any template over the whole catalog: any components in any roles with any parameters, modes, sessions and exits.
//!
//! What comes out validates. A draft that does not is repaired by leaving out what the check complains of, so that the
//! rules over several parameters need not be known here.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Timeframe};
use keyhold_engine::catalog::{ComponentEntry, ParameterEntry, Shape, catalog};
use keyhold_engine::check::check_template;
use keyhold_engine::problem::Problem;
use keyhold_engine::template::{
    Combination, ComponentSpec, DirectionSetting, Enabled, ExitSpec, LadderStep, MissingHardStop, Number,
    ParameterValue, Role, SessionEnd, SessionSpec, Template, Weekday,
};

use crate::dice::{Dice, d};

/// How parameters are chosen. Short histories let a run of some hundred candles trade.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// Near the smallest whole numbers.
    Short,
    /// What the catalog proposes.
    Default,
    /// Anything in range, the ends often.
    Any,
}

/// Repairs before the draft is given up for a plain one.
const MOST_REPAIRS: usize = 20;

/// A template that validates.
pub(crate) fn any(dice: &mut Dice) -> Template {
    let mut template = draft(dice);
    for _ in 0..MOST_REPAIRS {
        match check_template(&template) {
            Ok(_) => return template,
            Err(problems) => repair(&mut template, &problems),
        }
    }
    plain(template.timeframe)
}

/// The least a template needs.
pub(crate) fn plain(timeframe: Timeframe) -> Template {
    Template {
        format: 1,
        name: String::from("Plain"),
        description: String::new(),
        timeframe,
        combination: Combination::Any,
        direction: DirectionSetting::Both,
        components: vec![plain_signal()],
        exits: vec![plain_stop()],
        sessions: Vec::new(),
        at_session_end: SessionEnd::Keep,
        missing_hard_stop: MissingHardStop::Refuse,
    }
}

fn plain_signal() -> ComponentSpec {
    let number = |value: i64| ParameterValue::Number(Number(Decimal::from(value)));
    ComponentSpec {
        kind: String::from("ema_cross"),
        role: Role::Signal,
        parameters: BTreeMap::from([(String::from("fast"), number(2)), (String::from("slow"), number(4))]),
        weight: Number(Decimal::ONE),
        enabled: Enabled::Yes,
    }
}

fn plain_stop() -> ExitSpec {
    ExitSpec { kind: String::from("hard_stop"), parameters: BTreeMap::new(), enabled: Enabled::Yes }
}

fn repair(template: &mut Template, problems: &[Problem]) {
    let hit = |list: &str, index: usize| {
        let place = format!("{list}[{index}]");
        problems.iter().any(|problem| problem.path == place || problem.path.starts_with(&format!("{place}.")))
    };
    let mut index = 0..;
    template.components.retain(|_| !hit("components", index.next().unwrap()));
    let mut index = 0..;
    template.exits.retain(|_| !hit("exits", index.next().unwrap()));
    let mut index = 0..;
    template.sessions.retain(|_| !hit("sessions", index.next().unwrap()));
    for problem in problems {
        match problem.path.as_str() {
            "components" => template.components.push(plain_signal()),
            "exits" => template.exits.push(plain_stop()),
            path if path.starts_with("combination") => template.combination = Combination::Any,
            _ => {}
        }
    }
}

fn draft(dice: &mut Dice) -> Template {
    let timeframe = match dice.below(4) {
        0 => dice.pick(Timeframe::ALL),
        1 => Timeframe::H1,
        2 => Timeframe::M15,
        _ => Timeframe::M1,
    };
    let mood = dice.pick(&[Mood::Short, Mood::Short, Mood::Short, Mood::Short, Mood::Default, Mood::Any]);
    let mut components = Vec::new();
    for _ in 0..=dice.below(3) {
        components.extend(component(dice, mood, Role::Signal));
    }
    for _ in 0..dice.pick(&[0, 0, 1, 2, 4]) {
        let role = dice.pick(&[Role::Filter, Role::EntryGuard, Role::RiskGate]);
        components.extend(component(dice, mood, role));
    }
    // A signal that speaks often, so that at least half of the cases trade.
    let talkative = dice.percent(60);
    if talkative {
        components.push(plain_signal());
    }
    let sessions =
        if dice.percent(25) { (0..=dice.below(2)).map(|_| session(dice)).collect() } else { Vec::new() };
    Template {
        format: 1,
        name: String::from("Any"),
        description: String::new(),
        timeframe,
        combination: if talkative { Combination::Any } else { combination(dice) },
        direction: dice.pick(&[
            DirectionSetting::Both,
            DirectionSetting::Both,
            DirectionSetting::LongOnly,
            DirectionSetting::ShortOnly,
        ]),
        components,
        exits: exits(dice, mood),
        sessions,
        at_session_end: dice.pick(&[SessionEnd::Keep, SessionEnd::Close]),
        missing_hard_stop: dice.pick(&[MissingHardStop::Refuse, MissingHardStop::Confirmed]),
    }
}

fn combination(dice: &mut Dice) -> Combination {
    let threshold = |dice: &mut Dice, most: &str| Number(dice.decimal(d("0.05"), d(most)));
    match dice.below(8) {
        0 => Combination::MinScore { threshold: threshold(dice, "3") },
        1 => Combination::MinSignals { count: u32::try_from(dice.between(1, 2)).unwrap() },
        2 => Combination::WeightedAverage { threshold: threshold(dice, "1") },
        3 => Combination::Majority,
        4 => Combination::All,
        _ => Combination::Any,
    }
}

/// A component that can play the role; none when chance finds none.
fn component(dice: &mut Dice, mood: Mood, role: Role) -> Option<ComponentSpec> {
    let entries: Vec<&ComponentEntry> = catalog()
        .components
        .iter()
        .filter(|entry| entry.roles.iter().any(|playable| playable.role == role))
        .collect();
    let entry = *entries.get(dice.below(entries.len()))?;
    Some(ComponentSpec {
        kind: entry.kind.to_owned(),
        role,
        parameters: parameters(dice, mood, entry.parameters),
        weight: Number(dice.decimal(d("0.1"), d("3"))),
        enabled: if dice.percent(5) { Enabled::No } else { Enabled::Yes },
    })
}

fn exits(dice: &mut Dice, mood: Mood) -> Vec<ExitSpec> {
    let mut exits = Vec::new();
    for entry in catalog().exits {
        let chance = if entry.kind.as_str() == "hard_stop" { 85 } else { 30 };
        if dice.percent(chance) {
            exits.push(ExitSpec {
                kind: entry.kind.as_str().to_owned(),
                parameters: parameters(dice, mood, entry.parameters),
                enabled: if dice.percent(5) { Enabled::No } else { Enabled::Yes },
            });
        }
    }
    exits
}

fn session(dice: &mut Dice) -> SessionSpec {
    let days =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    SessionSpec {
        name: String::from("Any"),
        start: time(dice.between(0, 1439)),
        end: time(dice.between(0, 1440)),
        weekdays: days.into_iter().filter(|_| dice.percent(50)).collect(),
    }
}

fn parameters(dice: &mut Dice, mood: Mood, entries: &[ParameterEntry]) -> BTreeMap<String, ParameterValue> {
    let mut written = BTreeMap::new();
    for entry in entries {
        if let Some(value) = parameter(dice, mood, entry.shape) {
            written.insert(entry.name.to_owned(), value);
        }
    }
    written
}

/// A value, or none to leave the default.
fn parameter(dice: &mut Dice, mood: Mood, shape: Shape) -> Option<ParameterValue> {
    let number = |value: Decimal| Some(ParameterValue::Number(Number(value)));
    match shape {
        Shape::Integer(range) => {
            let (least, most) = (i64::from(range.min), i64::from(range.max));
            match mood {
                Mood::Default => None,
                Mood::Short => number(dice.between(least, most.min(least + 8)).into()),
                Mood::Any => number(dice.decimal(least.into(), most.into()).round()),
            }
        }
        Shape::Number(range) => match (mood, range.default) {
            (Mood::Default, _) => None,
            (Mood::Short, _) if dice.percent(50) => None,
            (Mood::Short | Mood::Any, _) => number(dice.decimal(range.min.0, range.max.0)),
        },
        Shape::Choice { choices, .. } => Some(ParameterValue::Choice(dice.pick(choices).to_owned())),
        Shape::Choices { choices, .. } => {
            let words: Vec<String> =
                choices.iter().filter(|_| dice.percent(60)).map(|word| (*word).to_owned()).collect();
            (!words.is_empty()).then_some(ParameterValue::Choices(words))
        }
        Shape::Ladder { max_steps } => Some(ParameterValue::Ladder(ladder(dice, max_steps))),
    }
}

fn ladder(dice: &mut Dice, max_steps: u32) -> Vec<LadderStep> {
    let steps = dice.between(1, i64::from(max_steps));
    let share = Decimal::ONE / Decimal::from(steps + dice.between(0, 2));
    let mut pct = Decimal::ZERO;
    (0..steps)
        .map(|_| {
            pct += dice.decimal(d("0.01"), d("3"));
            LadderStep { pct: Number(pct), share: Number(share.trunc_with_scale(6)) }
        })
        .collect()
}
