//! Every component of the catalog in every role, with every combination of its choices, in two sizes.

use std::collections::BTreeMap;

use keyhold_domain::Decimal;
use keyhold_engine::catalog::{ComponentEntry, Shape, catalog};
use keyhold_engine::component::Component;
use keyhold_engine::template::{ComponentSpec, Enabled, Number, ParameterValue, Role};

use crate::series::SERIES;

/// A component to put to the test, and its name for messages.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) component: Component,
}

/// All of them. Anything added to the catalog is here without further ado.
pub(crate) fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for entry in catalog().components {
        for role in entry.roles {
            for parameters in choices(entry) {
                variants.push(build(entry, role.role, parameters.clone()));
                let mut small = parameters;
                small.extend(smallest(entry));
                variants.push(build(entry, role.role, small));
            }
        }
    }
    variants
}

fn build(entry: &ComponentEntry, role: Role, parameters: BTreeMap<String, ParameterValue>) -> Variant {
    let name = format!("{} as {role:?} with {parameters:?}", entry.kind);
    let spec = ComponentSpec {
        kind: entry.kind.to_owned(),
        role,
        parameters,
        weight: Number(Decimal::ONE),
        enabled: Enabled::Yes,
    };
    let component = Component::build(&spec, SERIES).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
    Variant { name, component }
}

/// Timeframes above that of the series whose history fits into it.
const SHORT_TIMEFRAMES: &[&str] = &["30m", "1h"];

/// The product of all choices; everything else stays at its default.
fn choices(entry: &ComponentEntry) -> Vec<BTreeMap<String, ParameterValue>> {
    let mut sets = vec![BTreeMap::new()];
    for parameter in entry.parameters {
        if let Shape::Choices { choices, .. } = parameter.shape {
            let lists = choices.iter().map(|choice| vec![(*choice).to_owned()]);
            let lists = lists.chain([choices.iter().map(|choice| (*choice).to_owned()).collect()]);
            sets = with_each(&sets, parameter.name, &lists.map(ParameterValue::Choices).collect::<Vec<_>>());
        }
        if let Shape::Choice { choices, .. } = parameter.shape {
            let choices = if parameter.name == "timeframe" { SHORT_TIMEFRAMES } else { choices };
            let words = choices.iter().map(|choice| ParameterValue::Choice((*choice).to_owned()));
            sets = with_each(&sets, parameter.name, &words.collect::<Vec<_>>());
        }
    }
    sets
}

/// Every set once with every value.
fn with_each(
    sets: &[BTreeMap<String, ParameterValue>],
    name: &str,
    values: &[ParameterValue],
) -> Vec<BTreeMap<String, ParameterValue>> {
    let with = |set: &BTreeMap<String, ParameterValue>, value: &ParameterValue| {
        let mut set = set.clone();
        set.insert(name.to_owned(), value.clone());
        set
    };
    sets.iter().flat_map(|set| values.iter().map(move |value| with(set, value))).collect()
}

/// Every whole number at its minimum: the shortest histories that are allowed.
fn smallest(entry: &ComponentEntry) -> BTreeMap<String, ParameterValue> {
    let mut set = BTreeMap::new();
    for parameter in entry.parameters {
        if let Shape::Integer(range) = parameter.shape {
            set.insert(parameter.name.to_owned(), ParameterValue::Number(Number(Decimal::from(range.min))));
        }
    }
    set
}
