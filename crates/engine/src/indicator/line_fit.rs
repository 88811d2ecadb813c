//! The straight line of least squares through the last `n` numbers: slope, end and how good the fit is.
//!
//! `slope = (n * Σxy − Σx * Σy) / (n * Σxx − (Σx)²)` with x = 0 .. n − 1; R² is the square of the correlation. Agrees with
//! TA-Lib `LINEARREG` and `LINEARREG_SLOPE`. First value with the n-th number. The sums hold distances from a recent
//! number (see [`super::Deviation`] for why), are moved along in constant time and made afresh every `n` numbers.

use serde::{Deserialize, Serialize};

use super::Window;

/// The line through one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Change per number.
    pub slope: f64,
    /// The line's value at the newest number.
    pub end: f64,
    /// Share of the numbers' variance that the line explains, 0 to 1; 0 when all are equal.
    pub r_squared: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    y: f64,
    xy: f64,
    yy: f64,
}

/// A line through the last `n` numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineFit {
    period: u32,
    window: Window,
    origin: f64,
    sums: Sums,
    /// Numbers taken in since the sums were last made from the window.
    moved: u32,
    /// How many of the newest numbers are equal.
    equal: u32,
    newest: Option<f64>,
}

impl LineFit {
    /// Through `period` numbers; at least 3, because a line through two fits always.
    pub fn new(period: u32) -> Self {
        let period = period.max(3);
        Self {
            period,
            window: Window::new(period),
            origin: 0.0,
            sums: Sums::default(),
            moved: 0,
            equal: 0,
            newest: None,
        }
    }

    /// Takes in a number; `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<Line> {
        let same = self.newest.replace(value) == Some(value);
        self.equal = if same { self.equal.saturating_add(1) } else { 1 };
        self.moved += 1;
        if let Some(evicted) = self.window.push(value) {
            let (old, new) = (evicted - self.origin, value - self.origin);
            self.sums.xy += f64::from(self.period - 1) * new - (self.sums.y - old);
            self.sums.y += new - old;
            self.sums.yy += new * new - old * old;
        } else if !self.window.is_full() {
            return None;
        }
        if self.moved == self.period {
            self.sum_afresh(value);
        }
        Some(self.line(value))
    }

    /// After every `period` numbers the ring stands in the order of time.
    fn sum_afresh(&mut self, origin: f64) {
        (self.origin, self.moved, self.sums) = (origin, 0, Sums::default());
        let mut place = 0.0;
        for value in self.window.values() {
            let distance = value - origin;
            self.sums.y += distance;
            self.sums.xy += place * distance;
            self.sums.yy += distance * distance;
            place += 1.0;
        }
    }

    fn line(&self, newest: f64) -> Line {
        if self.equal >= self.period {
            return Line { slope: 0.0, end: newest, r_squared: 0.0 };
        }
        let count = f64::from(self.period);
        let sum_x = 0.5 * count * (count - 1.0);
        let spread_x = count * count * (count * count - 1.0) / 12.0;
        let spread_y = count * self.sums.yy - self.sums.y * self.sums.y;
        let joint = count * self.sums.xy - sum_x * self.sums.y;
        let slope = joint / spread_x;
        let end = self.origin + (self.sums.y - slope * sum_x) / count + slope * (count - 1.0);
        let r_squared = if spread_y > 0.0 { joint * slope / spread_y } else { 0.0 };
        Line { slope, end, r_squared: r_squared.clamp(0.0, 1.0) }
    }
}
