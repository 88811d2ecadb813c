//! Parabolic SAR: a stop that runs after the price ever faster and turns over to the other side when it is touched.
//!
//! `s += a * (extreme − s)`: the acceleration `a` starts at `step`, grows by `step` with every new extreme up to `max`,
//! and the stop never enters the range of the two newest candles. Touched, the stop jumps to the old trend's extreme.
//! J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, as TA-Lib `SAR`: the first trend is down only
//! if the second candle's low falls further than its high rises. First value with the second candle. pandas-ta's
//! `psar` begins differently.

use serde::{Deserialize, Serialize};

use crate::input::Ohlcv;

/// High and low of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Reach {
    high: f64,
    low: f64,
}

/// The trend that the stop follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trend {
    Up,
    Down,
}

/// What one candle leaves to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Run {
    trend: Trend,
    extreme: f64,
    acceleration: f64,
    /// The stop that holds on the next candle.
    stop: f64,
    previous: Reach,
}

/// How far the history reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Empty,
    One(Reach),
    Running(Run),
}

/// Stop and reverse, in price units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ParabolicSar {
    step: f64,
    max: f64,
    stage: Stage,
}

impl ParabolicSar {
    /// Candles needed for the first value.
    pub const WARMUP_CANDLES: u32 = 2;

    /// A stop accelerated by `step` per new extreme, up to `max`.
    pub const fn new(step: f64, max: f64) -> Self {
        Self { step, max, stage: Stage::Empty }
    }

    /// Takes in a candle; `None` for the first. On the candle that touches the stop, the value is the new one.
    pub fn update(&mut self, candle: &Ohlcv) -> Option<f64> {
        let newest = Reach { high: candle.high, low: candle.low };
        let mut run = match self.stage {
            Stage::Empty => {
                self.stage = Stage::One(newest);
                return None;
            }
            Stage::One(first) => self.begin(first, newest),
            Stage::Running(run) => run,
        };
        let stop = match run.trend {
            Trend::Up => self.rise(&mut run, newest),
            Trend::Down => self.fall(&mut run, newest),
        };
        run.previous = newest;
        self.stage = Stage::Running(run);
        Some(stop)
    }

    fn begin(&self, first: Reach, second: Reach) -> Run {
        let rise = second.high - first.high;
        let fall = first.low - second.low;
        let (trend, extreme, stop) = if fall > rise && fall > 0.0 {
            (Trend::Down, second.low, first.high)
        } else {
            (Trend::Up, second.high, first.low)
        };
        Run { trend, extreme, acceleration: self.step, stop, previous: second }
    }

    /// A candle in an upward trend; gives the stop that holds on it.
    fn rise(&self, run: &mut Run, newest: Reach) -> f64 {
        if newest.low <= run.stop {
            let stop = run.extreme.max(run.previous.high).max(newest.high);
            *run = Run {
                trend: Trend::Down,
                extreme: newest.low,
                acceleration: self.step,
                stop: above(stop + self.step * (newest.low - stop), run.previous, newest),
                previous: run.previous,
            };
            return stop;
        }
        let stop = run.stop;
        if newest.high > run.extreme {
            run.extreme = newest.high;
            run.acceleration = (run.acceleration + self.step).min(self.max);
        }
        run.stop = below(stop + run.acceleration * (run.extreme - stop), run.previous, newest);
        stop
    }

    /// A candle in a downward trend; gives the stop that holds on it.
    fn fall(&self, run: &mut Run, newest: Reach) -> f64 {
        if newest.high >= run.stop {
            let stop = run.extreme.min(run.previous.low).min(newest.low);
            *run = Run {
                trend: Trend::Up,
                extreme: newest.high,
                acceleration: self.step,
                stop: below(stop + self.step * (newest.high - stop), run.previous, newest),
                previous: run.previous,
            };
            return stop;
        }
        let stop = run.stop;
        if newest.low < run.extreme {
            run.extreme = newest.low;
            run.acceleration = (run.acceleration + self.step).min(self.max);
        }
        run.stop = above(stop + run.acceleration * (run.extreme - stop), run.previous, newest);
        stop
    }
}

fn above(stop: f64, previous: Reach, newest: Reach) -> f64 {
    stop.max(previous.high).max(newest.high)
}

fn below(stop: f64, previous: Reach, newest: Reach) -> f64 {
    stop.min(previous.low).min(newest.low)
}
