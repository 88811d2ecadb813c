//! The document a user writes: which components in which roles, how they combine, when to trade, how to leave.
//!
//! A template is only text with a version until [`crate`] compiles it into a plan. Reading one never fails on
//! its meaning; all problems of meaning are found at once when it is checked.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Timeframe};
use serde::{Deserialize, Serialize};

/// The version of the document format.
pub const TEMPLATE_FORMAT: u32 = 1;

/// A strategy as saved, exported and imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Format of the document; [`TEMPLATE_FORMAT`].
    pub format: u32,
    /// What people call it, 1 to 80 characters.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The candle on whose close it is evaluated.
    pub timeframe: Timeframe,
    /// How signals become a direction.
    pub combination: Combination,
    /// Which directions may be entered.
    #[serde(default)]
    pub direction: DirectionSetting,
    /// Signals, filters, entry guards and risk gates, in the order shown.
    pub components: Vec<ComponentSpec>,
    /// Exit rules; several may be active.
    pub exits: Vec<ExitSpec>,
    /// UTC windows for entries; none means around the clock.
    #[serde(default)]
    pub sessions: Vec<SessionSpec>,
    /// Whether an open position is closed when the session ends.
    #[serde(default)]
    pub at_session_end: SessionEnd,
    /// A template without a hard stop is refused unless this says the author knows.
    #[serde(default)]
    pub missing_hard_stop: MissingHardStop,
}

/// How the scores of the enabled signals become a direction. Reaching a threshold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Combination {
    /// Weighted sum of scores at or above the threshold, in weight units.
    MinScore {
        /// Greater than zero, at most the sum of the weights.
        threshold: Number,
    },
    /// At least `count` signals agree and more of them than oppose.
    MinSignals {
        /// 1 to the number of enabled signals.
        count: u32,
    },
    /// Weighted mean of scores at or above the threshold.
    WeightedAverage {
        /// Greater than 0, at most 1.
        threshold: Number,
    },
    /// More than half of all enabled signals.
    Majority,
    /// Every enabled signal.
    All,
    /// At least one, and none against.
    Any,
}

/// Which directions may be entered; applied after combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectionSetting {
    /// Long and short.
    #[default]
    Both,
    /// Long only.
    LongOnly,
    /// Short only.
    ShortOnly,
}

/// One component in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentSpec {
    /// The catalog's name, for example `ema_cross`.
    pub kind: String,
    /// What it is used as.
    pub role: Role,
    /// Parameters by name; missing ones have the catalog's default.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Influence of a signal; greater than zero. Ignored in other roles.
    #[serde(default = "Number::one")]
    pub weight: Number,
    /// Disabled components count nowhere.
    #[serde(default)]
    pub enabled: Enabled,
}

/// What a component is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Gives a direction.
    Signal,
    /// Judges the market; a failing filter blocks every entry.
    Filter,
    /// Judges the quality of this entry.
    EntryGuard,
    /// Blocks the trade while the record still shows what the signals wanted.
    RiskGate,
}

impl Role {
    /// Its name in documents, which is also what people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Filter => "filter",
            Self::EntryGuard => "entry_guard",
            Self::RiskGate => "risk_gate",
        }
    }
}

/// Whether a component or rule takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enabled {
    /// Takes part.
    #[default]
    Yes,
    /// Counts nowhere.
    No,
}

/// One exit rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitSpec {
    /// The catalog's name, for example `hard_stop`.
    pub kind: String,
    /// Parameters by name; missing ones have the catalog's default.
    #[serde(default)]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Disabled rules count nowhere.
    #[serde(default)]
    pub enabled: Enabled,
}

/// A trading window in UTC. The start belongs to it, the end does not; an end before the start means over midnight
/// and the weekdays are those of the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSpec {
    /// What people call it.
    pub name: String,
    /// `HH:MM`.
    pub start: String,
    /// `HH:MM`; `24:00` is the end of the day.
    pub end: String,
    /// Days on which it starts, `mon` to `sun`; none means every day.
    #[serde(default)]
    pub weekdays: Vec<Weekday>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// What happens to an open position when the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// It stays, managed by its exit rules.
    #[default]
    Keep,
    /// It is closed.
    Close,
}

/// Whether the author accepts that no hard stop limits the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingHardStop {
    /// A template without a hard stop is refused.
    #[default]
    Refuse,
    /// The author has confirmed it.
    Confirmed,
}

/// A decimal that may be written as a JSON number or as text; written back as a JSON number's shortest text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub Decimal);

impl Number {
    fn one() -> Self {
        Self(Decimal::ONE)
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.normalize())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            // The shortest text of a float is the number its author wrote.
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::String(text) => text,
            _ => return Err(serde::de::Error::custom("a decimal number is expected")),
        };
        Decimal::from_str_exact(&text)
            .or_else(|_| Decimal::from_scientific(&text))
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a decimal number is expected"))
    }
}

/// A parameter's value: a number, or one of a parameter's choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A number in the parameter's unit.
    Number(Number),
    /// One of the choices the catalog lists.
    Choice(String),
    /// A list of choices, for example allowed regimes.
    Choices(Vec<String>),
    /// A ladder of {at, share} steps, for example of a take profit.
    Ladder(Vec<LadderStep>),
}

/// One step of a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderStep {
    /// Distance from the entry in percent; greater than zero.
    pub pct: Number,
    /// Share of the position to close, greater than 0 up to 1.
    pub share: Number,
}
