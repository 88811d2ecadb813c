//! How the pages put catalog values into words.

use std::fmt::Write as _;

use keyhold_engine::catalog::{DataNeeds, Integers, Numbers, ParameterEntry, Shape, Unit};
use serde::Serialize;

/// The stable name of a plain enum value, with spaces.
pub(super) fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().replace('_', " ")
}

/// What comes after a number in this unit, with its space; nothing for a plain number.
fn after(unit: Unit) -> String {
    match name(&unit).as_str() {
        "none" => String::new(),
        "percent" => String::from(" %"),
        "multiple" => String::from(" times"),
        other => format!(" {other}"),
    }
}

/// The unit of a reading.
pub(super) fn unit(unit: Unit) -> String {
    match name(&unit).as_str() {
        "none" => String::from("a plain number"),
        "multiple" => String::from("a multiple"),
        "price" => String::from("price: quote currency for one unit of the base"),
        other => other.to_owned(),
    }
}

/// What a component needs besides candles, every need by its name in the catalog.
pub(super) fn needs(needs: DataNeeds) -> String {
    let value = serde_json::to_value(needs).unwrap();
    let named: Vec<_> = value
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, wanted)| wanted.as_bool() != Some(false))
        .map(|(need, _)| need.replace('_', " "))
        .collect();
    if named.is_empty() { String::from("nothing but closed candles") } else { named.join(", ") }
}

/// Default and range of a parameter.
pub(super) fn range(shape: Shape) -> (String, String) {
    let words =
        |choices: &[&str]| choices.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match shape {
        Shape::Integer(Integers { unit, default, min, max, .. }) => {
            (format!("{default}{}", after(unit)), format!("{min} to {max}"))
        }
        Shape::Number(Numbers { unit, default, min, max, .. }) => {
            let default = default.map_or_else(
                || String::from("not set"),
                |number| format!("{}{}", number.0.normalize(), after(unit)),
            );
            (default, format!("{} to {}{}", min.0.normalize(), max.0.normalize(), after(unit)))
        }
        Shape::Choice { choices, default } => (format!("`{default}`"), words(choices)),
        Shape::Choices { choices, default } => {
            let default = if default.is_empty() { String::from("none") } else { words(default) };
            (default, format!("any of {}", words(choices)))
        }
        Shape::Ladder { max_steps } => {
            (String::from("none"), format!("up to {max_steps} steps `{{\"pct\": …, \"share\": …}}`"))
        }
    }
}

/// The table of parameters, or a sentence when there are none.
pub(super) fn parameters(entries: &[ParameterEntry]) -> String {
    if entries.is_empty() {
        return String::from("There are no parameters.\n");
    }
    let mut text = String::from("| parameter | default | range | meaning |\n|---|---|---|---|\n");
    for entry in entries {
        let (default, range) = range(entry.shape);
        let roles: Vec<_> = entry.roles.iter().map(name).collect();
        let mut meaning = format!("{}: {}", entry.title, entry.help);
        if !roles.is_empty() {
            write!(meaning, " Only as {}.", roles.join(" or ")).unwrap();
        }
        if let Some(condition) = entry.applies_if {
            write!(meaning, " Only with `{}` `{}`.", condition.parameter, condition.choice).unwrap();
        }
        writeln!(text, "| `{}` | {default} | {range} | {} |", entry.name, cell(&meaning)).unwrap();
    }
    text
}

/// Text as a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
