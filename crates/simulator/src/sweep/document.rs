//! The document of a sweep: what varies, how the combinations are chosen, and by what they are ranked.
//!
//! Reading one never fails on its meaning; [`super::space`] finds all problems at once. The format is described in
//! `docs/formats/sweep.md`.

use keyhold_domain::Decimal;
use keyhold_engine::report::Figure;
use keyhold_engine::template::Number;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the document format.
pub const SWEEP_FORMAT: u32 = 1;
/// The largest number of things that vary.
pub const MOST_AXES: usize = 16;
/// The largest number of values of one of them.
pub const MOST_VALUES: usize = 10_000;
/// The largest number of combinations that are run.
pub const MOST_COMBINATIONS: u64 = 100_000;
/// The largest number of full reports.
pub const MOST_REPORTS: usize = 100;

/// A sweep as saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepDocument {
    /// Format of the document; [`SWEEP_FORMAT`].
    pub format: u32,
    /// What varies; every value of each is combined with every value of all others.
    pub vary: Vec<Axis>,
    /// Which combinations are run.
    #[serde(default)]
    pub search: Search,
    /// The figure by which results are ranked.
    #[serde(default = "sharpe")]
    pub rank_by: Figure,
    /// Results with fewer trades stand below all others: few trades prove nothing.
    #[serde(default)]
    pub min_trades: u64,
    /// How many full reports of the best are computed.
    #[serde(default = "five")]
    pub keep: usize,
}

const fn sharpe() -> Figure {
    Figure::Sharpe
}

const fn five() -> usize {
    5
}

/// One thing that varies: a list of values, or a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Where: `components[0].parameters.fast` in the template, `settings.leverage` in the settings.
    pub path: String,
    /// The values, as they would stand in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
    /// The first number of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Number>,
    /// The last number of a range; it belongs to it when the steps reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Number>,
    /// From one number to the next; 1 unless written, greater than zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Number>,
}

/// Which combinations are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Search {
    /// All of them.
    #[default]
    Grid,
    /// Some of them, each at most once, drawn with a seed.
    Random {
        /// How many; all of them when there are not more.
        count: u64,
        /// Equal seeds draw equal combinations.
        seed: u64,
    },
}

impl Axis {
    /// A list of values.
    pub fn list(path: impl Into<String>, values: Vec<Value>) -> Self {
        Self { path: path.into(), values: Some(values), from: None, to: None, step: None }
    }

    /// The values, or what is wrong with them and what to do about it.
    pub(super) fn values(&self) -> Result<Vec<Value>, (String, String)> {
        let say = |message: &str, remedy: &str| Err((message.to_owned(), remedy.to_owned()));
        match (&self.values, self.from, self.to) {
            (Some(_), None, None) if self.step.is_some() => {
                say("A list of values has no step.", "Remove step, or write from and to instead of values.")
            }
            (Some(values), None, None) if values.is_empty() => {
                say("The list of values is empty.", "Write at least one value, or remove the entry.")
            }
            (Some(values), None, None) if values.len() > MOST_VALUES => {
                say("The list of values is too long.", &format!("Write at most {MOST_VALUES} values."))
            }
            (Some(values), None, None) => Ok(values.clone()),
            (None, Some(from), Some(to)) => {
                range(from.0, to.0, self.step.map_or(Decimal::ONE, |step| step.0))
            }
            (Some(_) | None, _, _) => say(
                "Neither a list nor a range is written.",
                "Write either values, or from and to (and step, which is 1 otherwise).",
            ),
        }
    }
}

fn range(from: Decimal, to: Decimal, step: Decimal) -> Result<Vec<Value>, (String, String)> {
    if step <= Decimal::ZERO {
        return Err(("The step is not greater than zero.".to_owned(), "Write a step such as 1.".to_owned()));
    }
    if to < from {
        return Err((
            format!("The range ends at {to} before it begins at {from}."),
            "Make from the smaller number.".to_owned(),
        ));
    }
    let mut values = Vec::new();
    let mut at = from;
    while at <= to {
        if values.len() >= MOST_VALUES {
            return Err((
                format!("The range has more than {MOST_VALUES} values."),
                "Make the step larger.".to_owned(),
            ));
        }
        values.push(number(at));
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(values)
}

/// A whole number as a JSON number, any other as text so that no digit is lost.
fn number(value: Decimal) -> Value {
    let value = value.normalize();
    match i64::try_from(value) {
        Ok(whole) if value.fract().is_zero() => Value::from(whole),
        Ok(_) | Err(_) => Value::from(value.to_string()),
    }
}
