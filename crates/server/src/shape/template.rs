//! The strategy document of [`keyhold_engine::template`].

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::words::{Direction, Enabled, MissingHardStop, Role, SessionEnd, Timeframe, Weekday};

/// A strategy as saved, exported and imported. Answers have every field.
#[derive(ToSchema)]
#[schema(as = TemplateDocument)]
pub(crate) struct Document {
    /// Version of the format: 1.
    format: u32,
    /// 1 to 80 characters.
    name: String,
    /// What it is for.
    #[schema(required = false)]
    description: String,
    /// The candle on whose close it is evaluated.
    timeframe: Timeframe,
    combination: Combination,
    #[schema(required = false)]
    direction: Direction,
    /// Signals, filters, entry guards and risk gates, in the order shown.
    components: Vec<ComponentSpec>,
    /// Exit rules; several may be active.
    exits: Vec<ExitSpec>,
    /// UTC windows for entries; none means around the clock.
    #[schema(required = false)]
    sessions: Vec<SessionSpec>,
    #[schema(required = false)]
    at_session_end: SessionEnd,
    #[schema(required = false)]
    missing_hard_stop: MissingHardStop,
}

/// How the scores of the enabled signals become a direction.
#[derive(ToSchema)]
#[schema(as = Combination)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub(crate) enum Combination {
    /// The weighted sum of the signals reaches the threshold.
    MinScore { threshold: DecimalOrNumber },
    /// At least this many signals agree, and more agree than oppose.
    MinSignals { count: u32 },
    /// The weighted mean of the signals reaches the threshold.
    WeightedAverage { threshold: DecimalOrNumber },
    /// More than half of all enabled signals agree.
    Majority,
    /// Every enabled signal agrees.
    All,
    /// At least one, and none against it.
    Any,
}

/// A decimal: text in answers, text or a number in requests.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum DecimalOrNumber {
    Text(String),
    Number(f64),
}

/// One component in one role.
#[derive(ToSchema)]
pub(crate) struct ComponentSpec {
    /// The catalog's name.
    kind: String,
    role: Role,
    /// Parameters by name; missing ones have the catalog's default.
    #[schema(required = false)]
    parameters: BTreeMap<String, ParameterValue>,
    /// Influence of a signal; greater than zero. Ignored in other roles.
    #[schema(required = false)]
    weight: DecimalOrNumber,
    #[schema(required = false)]
    enabled: Enabled,
}

/// One exit rule.
#[derive(ToSchema)]
pub(crate) struct ExitSpec {
    /// The catalog's name.
    kind: String,
    /// Parameters by name; missing ones have the catalog's default.
    #[schema(required = false)]
    parameters: BTreeMap<String, ParameterValue>,
    #[schema(required = false)]
    enabled: Enabled,
}

/// A number, a choice, several choices, or the steps of a ladder.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum ParameterValue {
    Text(String),
    Number(f64),
    Choices(Vec<String>),
    Ladder(Vec<LadderStep>),
}

/// One step of a ladder.
#[derive(ToSchema)]
pub(crate) struct LadderStep {
    /// Distance from the entry in percent; greater than zero.
    pct: DecimalOrNumber,
    /// Share of the position to close, greater than 0 up to 1.
    share: DecimalOrNumber,
}

/// A trading window in UTC. An end before the start means over midnight.
#[derive(ToSchema)]
pub(crate) struct SessionSpec {
    name: String,
    /// `HH:MM`.
    start: String,
    /// `HH:MM`; `24:00` is the end of the day.
    end: String,
    /// Days on which it starts; none means every day.
    #[schema(required = false)]
    weekdays: Vec<Weekday>,
}
