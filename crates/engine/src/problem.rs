//! What is wrong with a template, said so that its author can repair it without reading our source.
//!
//! This file knows no rules; [`crate::component::Parameters`] and [`crate::check`] do.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, with the field that caused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field, for example `components[2].parameters.fast`.
    pub path: String,
    /// A stable word for programs; see [`code`].
    pub code: &'static str,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do about it, as a sentence.
    pub remedy: String,
}

impl Problem {
    /// A problem at a field.
    pub fn new(
        path: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), code, message: message.into(), remedy: remedy.into() }
    }

    /// The same problem seen from a document in which the field lies below `parent`.
    pub fn under(mut self, parent: &str) -> Self {
        self.path = if self.path.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.path) };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {} [{}]", self.path, self.message, self.remedy, self.code)
    }
}

/// The stable codes of problems. A code never changes its meaning.
pub mod code {
    /// The document has a format version this program does not read.
    pub const FORMAT_UNSUPPORTED: &str = "FORMAT_UNSUPPORTED";
    /// The name is empty, too long or holds control characters.
    pub const NAME_INVALID: &str = "NAME_INVALID";
    /// A text is longer than its limit.
    pub const TEXT_TOO_LONG: &str = "TEXT_TOO_LONG";
    /// A list has more entries than its limit.
    pub const TOO_MANY: &str = "TOO_MANY";
    /// The catalog has no component or exit rule of this name.
    pub const UNKNOWN_KIND: &str = "UNKNOWN_KIND";
    /// The component cannot be used in this role.
    pub const ROLE_UNSUPPORTED: &str = "ROLE_UNSUPPORTED";
    /// The component has no parameter of this name.
    pub const UNKNOWN_PARAMETER: &str = "UNKNOWN_PARAMETER";
    /// The document has no field of this name here.
    pub const UNKNOWN_FIELD: &str = "UNKNOWN_FIELD";
    /// A field that must be written is not there.
    pub const MISSING_FIELD: &str = "MISSING_FIELD";
    /// A number where a choice is expected, or the like.
    pub const WRONG_TYPE: &str = "WRONG_TYPE";
    /// A fraction where a whole number is expected.
    pub const NOT_WHOLE: &str = "NOT_WHOLE";
    /// The number lies outside the parameter's range.
    pub const OUT_OF_RANGE: &str = "OUT_OF_RANGE";
    /// The word is none of the parameter's choices.
    pub const UNKNOWN_CHOICE: &str = "UNKNOWN_CHOICE";
    /// Two parameters contradict each other, for example fast >= slow.
    pub const CONTRADICTION: &str = "CONTRADICTION";
    /// An empty list of choices where nothing chosen means that nothing can happen.
    pub const NOTHING_CHOSEN: &str = "NOTHING_CHOSEN";
    /// The steps of a ladder do not make sense.
    pub const LADDER_INVALID: &str = "LADDER_INVALID";
    /// A signal's weight is zero, negative or too large.
    pub const WEIGHT_INVALID: &str = "WEIGHT_INVALID";
    /// No enabled component in the signal role: nothing could ever be entered.
    pub const NO_SIGNAL_COMPONENT: &str = "NO_SIGNAL_COMPONENT";
    /// The threshold is zero or negative.
    pub const THRESHOLD_NOT_POSITIVE: &str = "THRESHOLD_NOT_POSITIVE";
    /// The threshold is above what the enabled signals can give; also a reason code.
    pub const THRESHOLD_UNREACHABLE: &str = "THRESHOLD_UNREACHABLE";
    /// No enabled exit rule: a position could only be closed by hand.
    pub const NO_EXIT_RULE: &str = "NO_EXIT_RULE";
    /// No enabled hard stop and no confirmation that this is meant.
    pub const NO_HARD_STOP: &str = "NO_HARD_STOP";
    /// The same exit rule is enabled twice.
    pub const DUPLICATE_EXIT: &str = "DUPLICATE_EXIT";
    /// Something is measured by the distance to the hard stop, and there is none.
    pub const NEEDS_HARD_STOP: &str = "NEEDS_HARD_STOP";
    /// Something is measured by the distance to the take profit, and there is none.
    pub const NEEDS_TAKE_PROFIT: &str = "NEEDS_TAKE_PROFIT";
    /// A session's start or end is no time of day.
    pub const SESSION_TIME_INVALID: &str = "SESSION_TIME_INVALID";
    /// A session's start equals its end.
    pub const SESSION_EMPTY: &str = "SESSION_EMPTY";
    /// A session lists a weekday twice.
    pub const WEEKDAY_TWICE: &str = "WEEKDAY_TWICE";
}
