//! A template from a document that somebody wrote by hand: all problems at once, those of form included.
//!
//! A program that reads a document stops at the first field it does not understand. Here every field is tried by itself,
//! and what can be understood is checked for its meaning, so that its author does not repair one mistake after the other.

use std::collections::BTreeMap;

use keyhold_domain::Timeframe;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{check_template, exits, sessions};
use crate::component::{Component, Context};
use crate::problem::{Problem, code};
use crate::template::{
    Combination, ComponentSpec, DirectionSetting, Enabled, ExitSpec, MissingHardStop, Number, ParameterValue,
    Role, SessionEnd, SessionSpec, Template, Weekday,
};

/// One field of a document.
struct Field {
    name: &'static str,
    needed: Needed,
    try_read: fn(&Value) -> Result<(), String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Needed {
    Yes,
    No,
}

const fn needed<T: DeserializeOwned>(name: &'static str) -> Field {
    Field { name, needed: Needed::Yes, try_read: fits::<T> }
}

const fn optional<T: DeserializeOwned>(name: &'static str) -> Field {
    Field { name, needed: Needed::No, try_read: fits::<T> }
}

fn fits<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    serde_json::from_value::<T>(value.clone()).map(drop).map_err(|error| error.to_string())
}

type Entries = Vec<Value>;
type Fields = BTreeMap<String, Value>;

const TEMPLATE: &[Field] = &[
    needed::<u32>("format"),
    needed::<String>("name"),
    optional::<String>("description"),
    needed::<Timeframe>("timeframe"),
    needed::<Combination>("combination"),
    optional::<DirectionSetting>("direction"),
    needed::<Entries>("components"),
    needed::<Entries>("exits"),
    optional::<Entries>("sessions"),
    optional::<SessionEnd>("at_session_end"),
    optional::<MissingHardStop>("missing_hard_stop"),
];
const COMPONENT: &[Field] = &[
    needed::<String>("kind"),
    needed::<Role>("role"),
    optional::<Fields>("parameters"),
    optional::<Number>("weight"),
    optional::<Enabled>("enabled"),
];
const EXIT: &[Field] =
    &[needed::<String>("kind"), optional::<Fields>("parameters"), optional::<Enabled>("enabled")];
const SESSION: &[Field] = &[
    needed::<String>("name"),
    needed::<String>("start"),
    needed::<String>("end"),
    optional::<Vec<Weekday>>("weekdays"),
];

/// Reads and checks a template. All problems at once: of form first, then of what could be understood.
///
/// ```
/// use keyhold_engine::check::check_document;
/// let document = serde_json::json!({"format": 1, "nmae": "x", "timeframe": "7m"});
/// let problems = check_document(&document).unwrap_err();
/// let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
/// assert_eq!(paths, ["nmae", "name", "timeframe", "combination", "components", "exits"]);
/// ```
pub fn check_document(document: &Value) -> Result<Template, Vec<Problem>> {
    if let Ok(template) = serde_json::from_value::<Template>(document.clone()) {
        return check_template(&template).map(|_| template);
    }
    let mut problems = Vec::new();
    form("", document, TEMPLATE, &mut problems);
    // Without a length of a candle that could be read, the shortest stands for it: every rule about it then holds.
    let timeframe = document.get("timeframe").and_then(|value| serde_json::from_value(value.clone()).ok());
    each(document, "components", &mut problems, |path, value, problems| {
        form(path, value, COMPONENT, problems);
        parameters(path, value, problems);
        if let Ok(spec) = serde_json::from_value::<ComponentSpec>(value.clone()) {
            let context = Context::new(timeframe.unwrap_or(Timeframe::M1));
            problems.extend(below(path, Component::build(&spec, context).err()));
        }
    });
    each(document, "exits", &mut problems, |path, value, problems| {
        form(path, value, EXIT, problems);
        parameters(path, value, problems);
        if let Ok(spec) = serde_json::from_value::<ExitSpec>(value.clone()) {
            problems.extend(below(path, exits::check_one(&spec).err()));
        }
    });
    each(document, "sessions", &mut problems, |path, value, problems| {
        form(path, value, SESSION, problems);
        if let Ok(session) = serde_json::from_value::<SessionSpec>(value.clone()) {
            sessions::check_one(path, &session, problems);
        }
    });
    if problems.is_empty() {
        // A rule of form that the fields do not tell one by one.
        problems.extend(fits::<Template>(document).err().map(|reason| wrong(String::new(), &reason)));
    }
    Err(problems)
}

fn below(path: &str, problems: Option<Vec<Problem>>) -> impl Iterator<Item = Problem> {
    problems.unwrap_or_default().into_iter().map(move |problem| problem.under(path))
}

fn each(
    document: &Value,
    list: &str,
    problems: &mut Vec<Problem>,
    look: impl Fn(&str, &Value, &mut Vec<Problem>),
) {
    let entries = document.get(list).and_then(Value::as_array);
    for (index, value) in entries.into_iter().flatten().enumerate() {
        look(&format!("{list}[{index}]"), value, problems);
    }
}

/// Unknown fields, missing fields, and fields of the wrong kind.
fn form(path: &str, value: &Value, fields: &[Field], problems: &mut Vec<Problem>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let Some(object) = value.as_object() else {
        problems.push(wrong(path.to_owned(), "an object with fields is expected"));
        return;
    };
    let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
    for name in sorted(object).filter(|name| !known.contains(name)) {
        problems.push(Problem::new(
            at(name),
            code::UNKNOWN_FIELD,
            format!("There is no field `{name}` here."),
            format!("Remove it, or use one of: {}.", known.join(", ")),
        ));
    }
    for field in fields {
        match object.get(field.name) {
            Some(value) => {
                problems.extend((field.try_read)(value).err().map(|reason| wrong(at(field.name), &reason)));
            }
            None if field.needed == Needed::Yes => problems.push(Problem::new(
                at(field.name),
                code::MISSING_FIELD,
                format!("The field `{}` is missing.", field.name),
                "Write it; `keyhold templates export trend-follower` shows a whole template.",
            )),
            None => {}
        }
    }
}

/// The names in alphabetical order: that of the map depends on a feature that another crate may turn on.
fn sorted(object: &serde_json::Map<String, Value>) -> impl Iterator<Item = &str> {
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.into_iter()
}

/// Parameters of the wrong kind, one by one.
fn parameters(path: &str, value: &Value, problems: &mut Vec<Problem>) {
    let parameters = value.get("parameters").and_then(Value::as_object);
    let Some(parameters) = parameters else { return };
    for name in sorted(parameters) {
        if fits::<ParameterValue>(&parameters[name]).is_err() {
            let reason = "a number, a word, a list of words or a ladder is expected";
            problems.push(wrong(format!("{path}.parameters.{name}"), reason));
        }
    }
}

fn wrong(path: String, reason: &str) -> Problem {
    Problem::new(
        path,
        code::WRONG_TYPE,
        format!("This cannot be read: {reason}."),
        "Write a value of the kind that is expected.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_documents() {
        let template = crate::system_templates::all().remove(0).template;
        let mut document = serde_json::to_value(&template).unwrap();
        document["sessions"] =
            serde_json::json!([{"name": "a", "start": "00:00", "end": "01:00", "weekdays": []}]);
        let again: Template = serde_json::from_value(document).unwrap();
        let document = serde_json::to_value(again).unwrap();
        let same = |value: &Value, fields: &[Field]| {
            let mut names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            names.sort_unstable();
            assert_eq!(sorted(value.as_object().unwrap()).collect::<Vec<_>>(), names);
        };
        same(&document, TEMPLATE);
        same(&document["components"][0], COMPONENT);
        same(&document["exits"][0], EXIT);
        same(&document["sessions"][0], SESSION);
    }
}
