//! The combinations of a sweep. They are numbered, and made one by one when they are needed.
//!
//! The number of a combination is its place in the grid, the last entry of `vary` turning fastest; it is the same for
//! a grid and for a random choice from it.

use std::collections::BTreeSet;

use keyhold_domain::Timeframe;
use keyhold_engine::problem::Problem;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{MOST_AXES, MOST_COMBINATIONS, MOST_REPORTS, SWEEP_FORMAT, Search, SweepDocument};
use super::place::{Document, Found, Place};
use crate::random::Random;

/// The purpose of the random numbers.
const CHOICE: u64 = 0x0053_5745_4550;

/// The codes of problems of a sweep's document.
mod code {
    pub(super) const FORMAT: &str = "FORMAT_UNSUPPORTED";
    pub(super) const PATH: &str = "SWEEP_PATH_UNKNOWN";
    pub(super) const TWICE: &str = "SWEEP_PATH_TWICE";
    pub(super) const VALUES: &str = "SWEEP_VALUES_INVALID";
    pub(super) const TOO_MANY: &str = "TOO_MANY";
    pub(super) const EMPTY: &str = "SWEEP_EMPTY";
}

/// All combinations of a sweep, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    axes: Vec<PreparedAxis>,
    template: Value,
    settings: Value,
    total: u64,
    /// The numbers that were drawn; all when it is `None`.
    drawn: Option<Vec<u64>>,
}

#[derive(Debug, Clone, PartialEq)]
struct PreparedAxis {
    path: String,
    place: Place,
    values: Vec<Value>,
}

/// One combination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Combination {
    /// Its place in the grid, from 0.
    pub number: u64,
    /// What was set, in the order of the document.
    pub values: Vec<Setting>,
}

/// A value at a place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Where.
    pub path: String,
    /// What.
    pub value: Value,
}

impl Space {
    /// The combinations of a document. All problems at once, with paths such as `vary[1].from`.
    pub fn new(
        document: &SweepDocument,
        template: &Template,
        settings: &BotSettings,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = head(document);
        let base = (as_value(template), as_value(settings));
        let mut axes: Vec<PreparedAxis> = Vec::new();
        for (index, axis) in document.vary.iter().enumerate() {
            let at = |field: &str| format!("vary[{index}].{field}");
            let values = axis
                .values()
                .map_err(|(message, remedy)| Problem::new(at("values"), code::VALUES, message, remedy));
            let place = Place::parse(&axis.path).ok_or_else(|| unknown(at("path"), &axis.path));
            match (place, values) {
                (Ok(place), Ok(values)) => {
                    if axes.iter().any(|other| other.path == axis.path) {
                        problems.push(Problem::new(
                            at("path"),
                            code::TWICE,
                            format!("`{}` varies twice.", axis.path),
                            "Keep one of the two entries.",
                        ));
                    }
                    match written(&base, &place, values) {
                        Ok(values) => axes.push(PreparedAxis { path: axis.path.clone(), place, values }),
                        Err(Refused::NoPlace) => problems.push(unknown(at("path"), &axis.path)),
                        Err(Refused::Value(reason)) => problems.push(Problem::new(
                            at("values"),
                            code::VALUES,
                            format!("A value does not fit `{}`: {reason}.", axis.path),
                            "Write values of the kind that stands there.",
                        )),
                    }
                }
                (place, values) => problems.extend(place.err().into_iter().chain(values.err())),
            }
        }
        let total = axes
            .iter()
            .try_fold(1_u64, |total, axis| total.checked_mul(u64::try_from(axis.values.len()).ok()?));
        problems.extend(size(document.search, total));
        match total {
            Some(total) if problems.is_empty() => {
                let drawn = draw(document.search, total);
                Ok(Self { axes, template: base.0, settings: base.1, total, drawn })
            }
            Some(_) | None => Err(problems),
        }
    }

    /// How many combinations the grid has.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many are run.
    pub fn count(&self) -> usize {
        let all = || usize::try_from(self.total).unwrap_or(usize::MAX);
        self.drawn.as_ref().map_or_else(all, Vec::len)
    }

    /// Where values are set, in the order of the document.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.path.as_str())
    }

    /// The combination of a place in the order of the run, which is less than [`Self::count`].
    pub fn combination(&self, place: usize) -> Combination {
        let all = u64::try_from(place).unwrap_or(u64::MAX);
        let number = self.drawn.as_ref().map_or(all, |drawn| drawn.get(place).copied().unwrap_or(all));
        let mut rest = number;
        let mut values: Vec<Setting> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let count = u64::try_from(axis.values.len()).unwrap_or(u64::MAX).max(1);
            let chosen = usize::try_from(rest % count).unwrap_or(0);
            rest /= count;
            values.push(Setting { path: axis.path.clone(), value: axis.values[chosen].clone() });
        }
        values.reverse();
        Combination { number, values }
    }

    /// The documents with a combination's values in them. Fails when the values contradict the documents' form.
    pub fn apply(&self, combination: &Combination) -> Result<(Template, BotSettings), Problem> {
        let (mut template, mut settings) = (self.template.clone(), self.settings.clone());
        for (axis, setting) in self.axes.iter().zip(&combination.values) {
            let root = match axis.place.document {
                Document::Template => &mut template,
                Document::Settings => &mut settings,
            };
            if axis.place.set(root, setting.value.clone()) == Found::No {
                return Err(unknown(axis.path.clone(), &axis.path));
            }
        }
        Ok((read(template)?, read(settings)?))
    }

    /// Every timeframe that a combination may have.
    pub fn timeframes(&self) -> BTreeSet<Timeframe> {
        let own = self.template.get("timeframe").into_iter();
        let varied = self
            .axes
            .iter()
            .filter(|axis| axis.place.document == Document::Template && axis.path == "timeframe")
            .flat_map(|axis| &axis.values);
        own.chain(varied).filter_map(|value| value.as_str()?.parse().ok()).collect()
    }
}

fn as_value(document: &impl Serialize) -> Value {
    // Both documents are plain data with text keys: they have a JSON form.
    serde_json::to_value(document).unwrap_or_default()
}

fn read<T: DeserializeOwned>(document: Value) -> Result<T, Problem> {
    serde_json::from_value(document).map_err(|error| {
        let remedy = "Write values of the kind that stands there.";
        Problem::new("", code::VALUES, format!("The values do not fit: {error}."), remedy)
    })
}

fn head(document: &SweepDocument) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.format != SWEEP_FORMAT {
        problems.push(Problem::new(
            "format",
            code::FORMAT,
            format!("Format {} is not known; this program reads format {SWEEP_FORMAT}.", document.format),
            "Write the format this program reads, or update the program.",
        ));
    }
    if document.vary.is_empty() {
        problems.push(Problem::new(
            "vary",
            code::EMPTY,
            "Nothing varies.",
            "Add an entry such as {\"path\": \"components[0].parameters.fast\", \"from\": 5, \"to\": 20}.",
        ));
    }
    for (path, count, most) in
        [("vary", document.vary.len(), MOST_AXES), ("keep", document.keep, MOST_REPORTS)]
    {
        if count > most {
            problems.push(Problem::new(
                path,
                code::TOO_MANY,
                format!("{count} is more than {most}."),
                format!("Use at most {most}."),
            ));
        }
    }
    problems
}

fn size(search: Search, total: Option<u64>) -> Option<Problem> {
    let (path, asked) = match search {
        Search::Grid => ("search", total),
        Search::Random { count: 0, .. } => {
            let remedy = "Write how many combinations to draw.";
            return Some(Problem::new("search.count", code::EMPTY, "Nothing is drawn.", remedy));
        }
        Search::Random { count, .. } => ("search.count", total.map(|total| total.min(count))),
    };
    if asked.is_some_and(|asked| asked <= MOST_COMBINATIONS) {
        return None;
    }
    let have = asked.map_or_else(|| String::from("More than can be counted"), |asked| asked.to_string());
    Some(Problem::new(
        path,
        code::TOO_MANY,
        format!("{have} combinations are asked for; the limit is {MOST_COMBINATIONS}."),
        "Vary less, make the steps larger, or draw some of them: {\"mode\": \"random\", \"count\": 1000, \"seed\": 1}.",
    ))
}

fn unknown(at: String, path: &str) -> Problem {
    Problem::new(
        at,
        code::PATH,
        format!("There is no place `{path}` in the template or the settings."),
        "Write a path such as components[0].parameters.fast or settings.leverage; components and exits are counted from 0.",
    )
}

enum Refused {
    NoPlace,
    Value(String),
}

/// The values as they stand in the document: numbers become text where text is expected.
fn written(base: &(Value, Value), place: &Place, values: Vec<Value>) -> Result<Vec<Value>, Refused> {
    values.into_iter().map(|value| written_one(base, place, value)).collect()
}

fn written_one(base: &(Value, Value), place: &Place, value: Value) -> Result<Value, Refused> {
    let as_text = match &value {
        Value::Number(number) => Some(Value::from(number.to_string())),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let reason = match fits(base, place, value.clone()) {
        Ok(()) => return Ok(value),
        Err(Refused::NoPlace) => return Err(Refused::NoPlace),
        Err(Refused::Value(reason)) => reason,
    };
    match as_text {
        Some(text) if fits(base, place, text.clone()).is_ok() => Ok(text),
        Some(_) | None => Err(Refused::Value(reason)),
    }
}

fn fits(base: &(Value, Value), place: &Place, value: Value) -> Result<(), Refused> {
    let mut document = match place.document {
        Document::Template => base.0.clone(),
        Document::Settings => base.1.clone(),
    };
    if place.set(&mut document, value) == Found::No {
        return Err(Refused::NoPlace);
    }
    let found = match place.document {
        Document::Template => serde_json::from_value::<Template>(document).map(drop),
        Document::Settings => serde_json::from_value::<BotSettings>(document).map(drop),
    };
    found.map_err(|error| {
        let text = error.to_string();
        // A field that the form does not have is a wrong path, not a wrong value.
        if text.starts_with("unknown field") { Refused::NoPlace } else { Refused::Value(text) }
    })
}

/// Draws numbers below `total` without repetition, in ascending order (R. W. Floyd, Communications of the ACM 30, 1987).
fn draw(search: Search, total: u64) -> Option<Vec<u64>> {
    let Search::Random { count, seed } = search else { return None };
    if count >= total {
        return None;
    }
    let mut random = Random::of(seed, CHOICE);
    let mut drawn = BTreeSet::new();
    for last in total - count..total {
        let number = random.below(last + 1);
        if !drawn.insert(number) {
            drawn.insert(last);
        }
    }
    Some(drawn.into_iter().collect())
}
