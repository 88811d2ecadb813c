//! What is measured, in which unit, against which target, and the statistics of the values.
//!
//! A measuring program prints `{"figure": id, "ran": what ran, "values": [..]}` per figure, nothing computed. Percentiles
//! are nearest-rank: a value that was measured, never one between two.

use serde_json::Value;

use crate::TaskError;

/// One thing that is measured.
#[derive(Debug, PartialEq)]
pub struct What {
    /// Its name in the measuring programs and in the results.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// How many digits after the point are shown.
    pub digits: usize,
    /// What it is held against.
    pub target: Option<Target>,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The median is at least this.
    MedianAtLeast(f64),
    /// The 99th percentile is below this.
    P99Below(f64),
    /// The largest value is below this.
    LargestBelow(f64),
}

const fn what(
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    digits: usize,
    target: Option<Target>,
) -> What {
    What { id, title, unit, digits, target }
}

/// Everything that one run measures.
pub const FIGURES: &[What] = &[
    what(
        "backtest_trend_follower",
        "backtest, Trend Follower",
        "million candles/s",
        2,
        Some(Target::MedianAtLeast(1.0)),
    ),
    what("backtest_mean_reversion", "backtest, Mean Reversion", "million candles/s", 2, None),
    what("candle_to_order", "closed candle to order", "ms", 2, Some(Target::P99Below(5.0))),
    what("bot_memory_alone", "memory of the only bot", "MB PSS", 1, Some(Target::LargestBelow(15.0))),
    what("bot_memory", "memory of each of several bots", "MB PSS", 1, Some(Target::LargestBelow(15.0))),
    what("deploy_to_online", "deploy to online", "s", 3, Some(Target::LargestBelow(1.0))),
    what("seal", "seal a credential", "µs", 1, None),
    what("open", "open a credential", "µs", 1, None),
];

/// The values of one figure.
#[derive(Debug)]
pub struct Figure {
    /// Of what.
    pub what: &'static What,
    /// What exactly was done, in words.
    pub ran: String,
    /// Ascending, at least one, all finite and positive.
    pub values: Vec<f64>,
}

impl Figure {
    /// Reads a line of a measuring program.
    pub fn parse(line: &str) -> Result<Self, TaskError> {
        let wrong = |why: &str| TaskError::Failed(format!("{why} in the measurement {line}"));
        let parsed: Value = serde_json::from_str(line).map_err(|_| wrong("no JSON"))?;
        let what = FIGURES.iter().find(|what| parsed["figure"] == what.id);
        let what = what.ok_or_else(|| wrong("an unknown figure"))?;
        let ran = parsed["ran"].as_str().filter(|ran| !ran.is_empty());
        let ran = ran.ok_or_else(|| wrong("not what ran"))?.to_owned();
        let values: Option<Vec<f64>> =
            parsed["values"].as_array().and_then(|values| values.iter().map(Value::as_f64).collect());
        Self::new(what, ran, values.ok_or_else(|| wrong("no values"))?)
    }

    /// Values in any order.
    pub fn new(what: &'static What, ran: String, mut values: Vec<f64>) -> Result<Self, TaskError> {
        if values.is_empty() || !values.iter().all(|value| value.is_finite() && *value > 0.0) {
            return Err(TaskError::Failed(format!("{}: {values:?} is no measurement", what.title)));
        }
        values.sort_by(f64::total_cmp);
        Ok(Self { what, ran, values })
    }

    /// The value at or below which `percent` of the values lie; 0 is the smallest.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.values.len() * percent).div_ceil(100);
        self.values[rank.clamp(1, self.values.len()) - 1]
    }

    /// The value in the middle.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The smallest value.
    pub fn least(&self) -> f64 {
        self.percentile(0)
    }

    /// The largest value.
    pub fn most(&self) -> f64 {
        self.percentile(100)
    }

    /// Whether the target is met; nothing without one.
    pub fn verdict(&self) -> Option<Verdict> {
        let met = match self.what.target? {
            Target::MedianAtLeast(least) => self.median() >= least,
            Target::P99Below(most) => self.percentile(99) < most,
            Target::LargestBelow(most) => self.most() < most,
        };
        Some(if met { Verdict::Met } else { Verdict::Missed })
    }
}

/// How a figure stands against its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As wanted.
    Met,
    /// Not as wanted.
    Missed,
}

impl Verdict {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MedianAtLeast(least) => write!(f, "median ≥ {least}"),
            Self::P99Below(most) => write!(f, "p99 < {most}"),
            Self::LargestBelow(most) => write!(f, "most < {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(id: &str, values: &[f64]) -> Figure {
        let what = FIGURES.iter().find(|what| what.id == id).unwrap();
        Figure::new(what, "x".to_owned(), values.to_vec()).unwrap()
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "a percentile is one of the values")]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let figure = figure("seal", &hundred);
        assert_eq!((figure.least(), figure.median(), figure.most()), (1.0, 100.0, 200.0));
        assert_eq!(figure.percentile(99), 198.0);
    }

    #[test]
    fn a_target_is_met_or_missed() {
        assert_eq!(figure("backtest_trend_follower", &[0.5, 1.0, 1.5]).verdict(), Some(Verdict::Met));
        assert_eq!(figure("backtest_trend_follower", &[0.5, 0.9, 1.5]).verdict(), Some(Verdict::Missed));
        assert_eq!(figure("bot_memory", &[3.0, 15.0]).verdict(), Some(Verdict::Missed));
        let mut latencies = vec![1.0; 100];
        latencies.push(80.0);
        assert_eq!(figure("candle_to_order", &latencies).verdict(), Some(Verdict::Met));
        latencies.push(80.0);
        assert_eq!(figure("candle_to_order", &latencies).verdict(), Some(Verdict::Missed));
        assert_eq!(figure("seal", &[1.0]).verdict(), None);
    }

    #[test]
    fn what_is_no_measurement_is_an_error() {
        let line = |values| format!(r#"{{"figure":"seal","ran":"x","values":{values}}}"#);
        assert!(Figure::parse(&line("[2.5, 1]")).is_ok());
        for values in ["[]", "[0]", "[-1]", "[null]", "\"1\"", "null"] {
            assert!(Figure::parse(&line(values)).is_err(), "{values}");
        }
        assert!(Figure::parse("nothing").is_err());
        assert!(Figure::parse(r#"{"figure":"beauty","ran":"x","values":[1]}"#).is_err());
        assert!(Figure::parse(r#"{"figure":"seal","ran":"","values":[1]}"#).is_err());
    }
}
