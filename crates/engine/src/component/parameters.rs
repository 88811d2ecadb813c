//! Parameters as written, checked against their catalog entries, then read by name without further doubt.
//!
//! Rules over several parameters (fast below slow) belong to the component or exit rule that has them.

use std::collections::BTreeMap;

use keyhold_domain::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::catalog::{Integers, Numbers, ParameterEntry, Shape};
use crate::input::decimal_to_f64;
use crate::problem::{Problem, code};
use crate::template::{LadderStep, ParameterValue};

/// A complete, checked set of parameters; what was not written has the catalog's default.
///
/// Every reader takes a name that the entries list with the matching type. Another name is a mistake of ours, found
/// by the test that builds every catalog entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    values: BTreeMap<&'static str, Checked>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Checked {
    Integer(u32),
    Number(Option<Decimal>),
    Choice(&'static str),
    Choices(Vec<&'static str>),
    Ladder(Vec<LadderStep>),
}

impl Parameters {
    /// Checks names, types, ranges and choices. All problems at once, each at `parameters.<name>`.
    pub fn check(
        entries: &'static [ParameterEntry],
        written: &BTreeMap<String, ParameterValue>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for name in written.keys() {
            if !entries.iter().any(|entry| entry.name == name) {
                problems.push(unknown_parameter(entries, name));
            }
        }
        let mut values = BTreeMap::new();
        for entry in entries {
            match check_one(entry, written.get(entry.name)) {
                Ok(value) => {
                    values.insert(entry.name, value);
                }
                Err(problem) => problems.push(problem.under(&format!("parameters.{}", entry.name))),
            }
        }
        if problems.is_empty() { Ok(Self { values }) } else { Err(problems) }
    }

    /// A decimal parameter that has a default.
    pub fn number(&self, name: &str) -> Decimal {
        self.optional_number(name).expect("the catalog gives this parameter a default")
    }

    /// A decimal parameter without a default; `None` when it was not written.
    pub fn optional_number(&self, name: &str) -> Option<Decimal> {
        match self.get(name) {
            Checked::Number(value) => *value,
            Checked::Integer(value) => Some(Decimal::from(*value)),
            Checked::Choice(_) | Checked::Choices(_) | Checked::Ladder(_) => None,
        }
    }

    /// A decimal parameter as a float, for statistics.
    pub fn float(&self, name: &str) -> f64 {
        decimal_to_f64(self.number(name))
    }

    /// A whole-number parameter.
    pub fn integer(&self, name: &str) -> u32 {
        self.number(name).to_u32().expect("the check allowed whole numbers of this size only")
    }

    /// The word chosen.
    pub fn choice(&self, name: &str) -> &'static str {
        match self.get(name) {
            Checked::Choice(value) => value,
            Checked::Number(_) | Checked::Integer(_) | Checked::Choices(_) | Checked::Ladder(_) => "",
        }
    }

    /// The words chosen.
    pub fn choices(&self, name: &str) -> &[&'static str] {
        match self.get(name) {
            Checked::Choices(values) => values,
            Checked::Number(_) | Checked::Integer(_) | Checked::Choice(_) | Checked::Ladder(_) => &[],
        }
    }

    /// The steps of a ladder, nearest first; empty when none was written.
    pub fn ladder(&self, name: &str) -> &[LadderStep] {
        match self.get(name) {
            Checked::Ladder(steps) => steps,
            Checked::Number(_) | Checked::Integer(_) | Checked::Choice(_) | Checked::Choices(_) => &[],
        }
    }

    fn get(&self, name: &str) -> &Checked {
        self.values.get(name).expect("the component reads only parameters that its catalog entry lists")
    }
}

fn unknown_parameter(entries: &[ParameterEntry], name: &str) -> Problem {
    let known: Vec<_> = entries.iter().map(|entry| entry.name).collect();
    let remedy = if known.is_empty() {
        "Remove it; there are no parameters here.".to_owned()
    } else {
        format!("Remove it, or use one of: {}.", known.join(", "))
    };
    Problem::new(
        format!("parameters.{name}"),
        code::UNKNOWN_PARAMETER,
        format!("There is no parameter `{name}`."),
        remedy,
    )
}

fn check_one(entry: &ParameterEntry, written: Option<&ParameterValue>) -> Result<Checked, Problem> {
    match entry.shape {
        Shape::Integer(range) => check_integer(range, written).map(Checked::Integer),
        Shape::Number(range) => check_number(range, written).map(Checked::Number),
        Shape::Choice { choices, default } => match written {
            None => Ok(Checked::Choice(default)),
            Some(ParameterValue::Choice(word)) => one_of(choices, word).map(Checked::Choice),
            Some(_) => Err(wrong_type(&format!("one of: {}", choices.join(", ")))),
        },
        Shape::Choices { choices, default } => match written {
            None => Ok(Checked::Choices(default.to_vec())),
            Some(ParameterValue::Choices(words)) => {
                words.iter().map(|word| one_of(choices, word)).collect::<Result<_, _>>().map(Checked::Choices)
            }
            Some(_) => Err(wrong_type(&format!("a list of: {}", choices.join(", ")))),
        },
        Shape::Ladder { max_steps } => match written {
            None => Ok(Checked::Ladder(Vec::new())),
            // An empty list reads as a list of words.
            Some(ParameterValue::Choices(words)) if words.is_empty() => Ok(Checked::Ladder(Vec::new())),
            Some(ParameterValue::Ladder(steps)) => check_ladder(max_steps, steps).map(Checked::Ladder),
            Some(_) => Err(wrong_type("a list of steps {pct, share}")),
        },
    }
}

fn check_integer(range: Integers, written: Option<&ParameterValue>) -> Result<u32, Problem> {
    let Some(value) = written else { return Ok(range.default) };
    let ParameterValue::Number(number) = value else { return Err(wrong_type("a whole number")) };
    if !number.0.fract().is_zero() {
        return Err(Problem::new(
            "",
            code::NOT_WHOLE,
            format!("{} is not a whole number.", number.0),
            "Write a number without a fraction.",
        ));
    }
    match number.0.to_u32() {
        Some(whole) if (range.min..=range.max).contains(&whole) => Ok(whole),
        Some(_) | None => Err(out_of_range(number.0, &range.min, &range.max)),
    }
}

fn check_number(range: Numbers, written: Option<&ParameterValue>) -> Result<Option<Decimal>, Problem> {
    let Some(value) = written else { return Ok(range.default.map(|number| number.0)) };
    let ParameterValue::Number(number) = value else { return Err(wrong_type("a number")) };
    if (range.min..=range.max).contains(number) {
        Ok(Some(number.0))
    } else {
        Err(out_of_range(number.0, &range.min.0.normalize(), &range.max.0.normalize()))
    }
}

fn out_of_range(value: Decimal, min: &dyn std::fmt::Display, max: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        "",
        code::OUT_OF_RANGE,
        format!("{} is outside the range {min} to {max}.", value.normalize()),
        format!("Write a number from {min} to {max}."),
    )
}

fn wrong_type(expected: &str) -> Problem {
    Problem::new("", code::WRONG_TYPE, "The value has the wrong type.", format!("Write {expected}."))
}

fn one_of(choices: &'static [&'static str], word: &str) -> Result<&'static str, Problem> {
    choices.iter().find(|choice| **choice == word).copied().ok_or_else(|| {
        Problem::new(
            "",
            code::UNKNOWN_CHOICE,
            format!("`{word}` is not a choice here."),
            format!("Write one of: {}.", choices.join(", ")),
        )
    })
}

fn check_ladder(max_steps: u32, steps: &[LadderStep]) -> Result<Vec<LadderStep>, Problem> {
    let wrong = |message: &str, remedy: &str| Err(Problem::new("", code::LADDER_INVALID, message, remedy));
    if steps.len() > usize::try_from(max_steps).unwrap_or(usize::MAX) {
        return wrong("The ladder has too many steps.", &format!("Keep at most {max_steps} steps."));
    }
    let mut reached = Decimal::ZERO;
    let mut closed = Decimal::ZERO;
    for step in steps {
        if step.pct.0 <= reached {
            return wrong(
                "The steps do not move away from the entry.",
                "Give every step a larger pct than the one before it, the first above zero.",
            );
        }
        if step.pct.0 > Decimal::ONE_HUNDRED * Decimal::TEN {
            return wrong("A step lies more than 1000 % from the entry.", "Write a pct of at most 1000.");
        }
        if step.share.0 <= Decimal::ZERO || step.share.0 > Decimal::ONE {
            return wrong("A share is not above 0 and at most 1.", "Write shares such as 0.5 for half.");
        }
        reached = step.pct.0;
        closed += step.share.0;
    }
    if closed > Decimal::ONE {
        return wrong(
            "The shares add up to more than 1.",
            "Lower the shares so that they add up to 1 or less.",
        );
    }
    Ok(steps.to_vec())
}
