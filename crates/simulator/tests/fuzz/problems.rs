//! A valid template, broken at several places at once: every break is reported, with its field, its code and a remedy.

use keyhold_engine::catalog::{ParameterEntry, Shape, component, exit};
use keyhold_engine::check::check_document;
use keyhold_engine::problem::code;
use keyhold_engine::template::{Role, Template};
use serde_json::{Value, json};

use crate::case::Case;
use crate::dice::Dice;

/// What must be reported: the field and the code.
type Expected = (String, &'static str);

/// Breaks the case's template and looks for every break in the problems.
pub(crate) fn play(case: &Case) {
    let mut dice = Dice::new(case.seed, 6);
    let mut document = serde_json::to_value(&case.template).unwrap();
    assert!(check_document(&document).is_ok(), "a template that validates is no document that does");
    let expected = break_it(&mut document, &case.template, &mut dice);
    if expected.is_empty() {
        return;
    }
    let problems = check_document(&document).expect_err("a broken template validates");
    for (path, code) in &expected {
        let found = problems.iter().find(|problem| problem.path == *path && problem.code == *code);
        let Some(problem) = found else {
            let told: Vec<_> = problems.iter().map(|problem| (&problem.path, problem.code)).collect();
            panic!("{path} {code} is not reported; reported are {told:?}; document {document}");
        };
        assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
    }
}

fn break_it(document: &mut Value, template: &Template, dice: &mut Dice) -> Vec<Expected> {
    let mut expected: Vec<Expected> = Vec::new();
    head(document, dice, &mut expected);
    for (index, spec) in template.components.iter().enumerate() {
        let entry = component(&spec.kind).unwrap();
        let place = &mut document["components"][index];
        let path = format!("components[{index}]");
        if dice.percent(30) {
            part(place, &path, entry.parameters, dice, &mut expected);
        }
        if spec.role == Role::Signal && dice.percent(15) {
            place["weight"] = json!("-1");
            expected.push((format!("{path}.weight"), code::WEIGHT_INVALID));
        }
    }
    for (index, spec) in template.exits.iter().enumerate() {
        let entry = exit(&spec.kind).unwrap();
        if dice.percent(30) {
            let path = format!("exits[{index}]");
            part(&mut document["exits"][index], &path, entry.parameters, dice, &mut expected);
        }
    }
    if dice.percent(20) {
        let sessions = document["sessions"].as_array_mut().unwrap();
        sessions.push(json!({"name": "", "start": "25:00", "end": "12:00"}));
        let path = format!("sessions[{}]", sessions.len() - 1);
        expected.push((format!("{path}.start"), code::SESSION_TIME_INVALID));
        expected.push((format!("{path}.name"), code::NAME_INVALID));
    }
    expected
}

/// Breaks of the fields outside the lists, each by itself.
fn head(document: &mut Value, dice: &mut Dice, expected: &mut Vec<Expected>) {
    let breaks: [(&str, Value, &str, &'static str); 6] = [
        ("name", json!(""), "name", code::NAME_INVALID),
        ("format", json!(99), "format", code::FORMAT_UNSUPPORTED),
        ("description", json!("x".repeat(3000)), "description", code::TEXT_TOO_LONG),
        ("direction", json!("sideways"), "direction", code::WRONG_TYPE),
        ("nmae", json!(1), "nmae", code::UNKNOWN_FIELD),
        ("at_session_end", json!(7), "at_session_end", code::WRONG_TYPE),
    ];
    for (field, value, path, code) in breaks {
        if dice.percent(15) {
            document[field] = value;
            expected.push((path.to_owned(), code));
        }
    }
}

/// Breaks one component or exit rule at one place.
fn part(
    place: &mut Value,
    path: &str,
    parameters: &[ParameterEntry],
    dice: &mut Dice,
    expected: &mut Vec<Expected>,
) {
    let entry = (!parameters.is_empty()).then(|| &parameters[dice.below(parameters.len())]);
    match (dice.below(5), entry) {
        (0, _) => {
            place["kind"] = json!("no_such_thing");
            expected.push((format!("{path}.kind"), code::UNKNOWN_KIND));
        }
        (1, _) => {
            place["wieght"] = json!(1);
            expected.push((format!("{path}.wieght"), code::UNKNOWN_FIELD));
        }
        (2, _) | (_, None) => {
            place["parameters"]["perido"] = json!(3);
            expected.push((format!("{path}.parameters.perido"), code::UNKNOWN_PARAMETER));
        }
        (_, Some(entry)) => {
            let (value, code) = wrong_value(entry.shape, dice);
            place["parameters"][entry.name] = value;
            expected.push((format!("{path}.parameters.{}", entry.name), code));
        }
    }
}

fn wrong_value(shape: Shape, dice: &mut Dice) -> (Value, &'static str) {
    match shape {
        Shape::Integer(_) if dice.percent(30) => (json!("2.5"), code::NOT_WHOLE),
        Shape::Integer(_) | Shape::Number(_) if dice.percent(50) => (json!("soon"), code::WRONG_TYPE),
        Shape::Integer(_) | Shape::Number(_) => (json!("-1000000"), code::OUT_OF_RANGE),
        Shape::Choice { .. } => (json!("soon"), code::UNKNOWN_CHOICE),
        Shape::Choices { .. } => (json!(["soon"]), code::UNKNOWN_CHOICE),
        Shape::Ladder { .. } => (json!([{"pct": "-1", "share": "0.5"}]), code::LADDER_INVALID),
    }
}
