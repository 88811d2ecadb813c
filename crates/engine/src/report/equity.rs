//! Figures from the course of the equity: drawdown, Sharpe, Sortino, growth.
//!
//! The course is taken in as it happens and needs little memory: the series that is kept is thinned by half whenever it
//! grows too long, while drawdown and daily returns see every value. Sharpe ratio: W. F. Sharpe, The Sharpe Ratio,
//! 1994; Sortino ratio: F. A. Sortino and L. N. Price, 1994. Both on daily returns, 365 days, risk-free rate zero.

use std::cmp::Ordering;

use keyhold_domain::exact::compare;
use keyhold_domain::money::decimal_text;
use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Decimal, Timestamp};
use serde::{Deserialize, Serialize};

use super::calendar::{self, Month};
use crate::input::decimal_to_f64;

/// Points kept for the chart.
const MOST_POINTS: usize = 2048;
const DAYS_PER_YEAR: f64 = 365.0;
const MS_PER_YEAR: f64 = 365.0 * 86_400_000.0;

/// The equity at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// When.
    pub at: Timestamp,
    /// How much, in the settlement asset.
    #[serde(with = "decimal_text")]
    pub equity: Decimal,
    /// Fall from the highest equity so far; zero or more.
    #[serde(with = "decimal_text")]
    pub drawdown: Decimal,
}

/// The greatest fall from a highest equity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawdown {
    /// How much.
    #[serde(with = "decimal_text")]
    pub amount: Decimal,
    /// The highest equity before it.
    #[serde(with = "decimal_text")]
    pub peak: Decimal,
    /// When that was last reached before the fall.
    pub from: Timestamp,
    /// When the equity was lowest.
    pub trough: Timestamp,
    /// When the highest equity was reached again; `None` when it was not.
    pub recovered: Option<Timestamp>,
}

/// The course of the equity, taken in value by value in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    start: EquityPoint,
    /// Its drawdown is filled in when it is asked for.
    last: EquityPoint,
    peak: Decimal,
    peak_at: Timestamp,
    /// Below it the fall from the peak is larger than the greatest so far.
    floor: Decimal,
    worst: Option<Drawdown>,
    /// Equity at the end of each day.
    days: Vec<Decimal>,
    day: Timestamp,
    points: Vec<EquityPoint>,
    stride: usize,
    skipped: usize,
    values: u64,
    exposed: u64,
}

/// Whether a position was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// No position.
    Flat,
    /// A position.
    Open,
}

/// Figures of a course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CourseSummary {
    /// At the start.
    #[serde(with = "decimal_text")]
    pub start: Decimal,
    /// At the end.
    #[serde(with = "decimal_text")]
    pub end: Decimal,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The greatest fall, if the equity ever fell.
    pub max_drawdown: Option<Drawdown>,
    /// The same in percent of the equity it fell from.
    pub max_drawdown_pct: Option<f64>,
    /// Annualized; not defined under two days or when the equity does not vary.
    pub sharpe: Option<f64>,
    /// Annualized; not defined under two days or without a losing day.
    pub sortino: Option<f64>,
    /// Annual growth in percent; not defined when everything was lost.
    pub cagr_pct: Option<f64>,
    /// Annual growth over greatest fall.
    pub calmar: Option<f64>,
    /// Share of time in a position, in percent.
    pub exposure_pct: Option<f64>,
    /// The course by calendar months, UTC.
    #[serde(default)]
    pub months: Vec<Month>,
}

impl Course {
    /// A course that starts with an equity.
    pub fn new(at: Timestamp, equity: Decimal) -> Self {
        let start = EquityPoint { at, equity, drawdown: Decimal::ZERO };
        Self {
            start,
            last: start,
            peak: equity,
            peak_at: at,
            floor: equity,
            worst: None,
            days: Vec::new(),
            day: at.start_of_day(),
            points: vec![start],
            stride: 1,
            skipped: 0,
            values: 0,
            exposed: 0,
        }
    }

    /// The equity at a later instant.
    pub fn push(&mut self, at: Timestamp, equity: Decimal, exposure: Exposure) {
        self.pass(at, exposure);
        if compare(equity, self.last.equity) != Ordering::Equal {
            self.last.equity = equity;
            self.fall(at, equity);
        }
        self.last.at = at;
        self.keep();
    }

    /// The same equity as before at a later instant.
    #[inline]
    pub fn hold(&mut self, at: Timestamp, exposure: Exposure) {
        self.pass(at, exposure);
        self.last.at = at;
        self.keep();
    }

    #[inline]
    fn pass(&mut self, at: Timestamp, exposure: Exposure) {
        self.values += 1;
        if exposure == Exposure::Open {
            self.exposed += 1;
        }
        // A value at midnight is the end of the day before it.
        while at.since_ms(self.day) > DAY_MS {
            self.days.push(self.last.equity);
            self.day = self.day.plus_ms(DAY_MS);
        }
    }

    fn fall(&mut self, at: Timestamp, equity: Decimal) {
        if compare(equity, self.peak) != Ordering::Less {
            if let Some(worst) = &mut self.worst
                && worst.recovered.is_none()
                && equity >= worst.peak
            {
                worst.recovered = Some(at);
            }
            self.peak = equity;
            self.peak_at = at;
            self.floor = self.worst.map_or(equity, |worst| equity.saturating_sub(worst.amount));
            return;
        }
        // Peaks only grow, so an amount that is not greater is never a greater share of its peak.
        if compare(equity, self.floor) != Ordering::Less {
            return;
        }
        let amount = self.peak.saturating_sub(equity);
        let deepest = self.worst.is_none_or(|worst| {
            // Compared as shares of their peaks, without dividing. From the same peak, what is below the floor is deeper.
            compare(worst.peak, self.peak) == Ordering::Equal
                || amount.checked_mul(worst.peak) > worst.amount.checked_mul(self.peak)
        });
        if deepest {
            self.worst =
                Some(Drawdown { amount, peak: self.peak, from: self.peak_at, trough: at, recovered: None });
            self.floor = equity;
        }
    }

    /// The newest value with its fall from the peak.
    fn newest(&self) -> EquityPoint {
        EquityPoint { drawdown: self.peak.saturating_sub(self.last.equity), ..self.last }
    }

    #[inline]
    fn keep(&mut self) {
        self.skipped += 1;
        if self.skipped >= self.stride {
            self.point();
        }
    }

    fn point(&mut self) {
        self.skipped = 0;
        self.points.push(self.newest());
        if self.points.len() >= MOST_POINTS {
            let mut index = 0_usize;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// The series for the chart, at most 2,049 points, the last value included.
    pub fn points(&self) -> Vec<EquityPoint> {
        let mut points = self.points.clone();
        let newest = self.newest();
        if points.last() != Some(&newest) {
            points.push(newest);
        }
        points
    }

    /// The figures.
    pub fn summary(&self) -> CourseSummary {
        let (start, end) = (decimal_to_f64(self.start.equity), decimal_to_f64(self.last.equity));
        let years = milliseconds(self.last.at.since_ms(self.start.at)) / MS_PER_YEAR;
        let grown = start > 0.0 && end > 0.0 && years > 0.0;
        // The power function differs between platforms in its last bits; six decimals do not show it.
        let growth = grown.then(|| ((end / start).powf(1.0 / years) - 1.0) * 100.0);
        let cagr_pct = growth.map(|pct| (pct * 1e6).round() / 1e6).filter(|pct| pct.is_finite());
        let max_drawdown_pct = self.worst.map(|worst| {
            let peak = decimal_to_f64(worst.peak);
            if peak > 0.0 { decimal_to_f64(worst.amount) / peak * 100.0 } else { 100.0 }
        });
        let (sharpe, sortino) = self.ratios();
        CourseSummary {
            start: self.start.equity,
            end: self.last.equity,
            from: self.start.at,
            until: self.last.at,
            max_drawdown: self.worst,
            max_drawdown_pct,
            sharpe,
            sortino,
            cagr_pct,
            calmar: cagr_pct.zip(max_drawdown_pct).filter(|(_, fall)| *fall > 0.0).map(|(g, fall)| g / fall),
            exposure_pct: (self.values > 0)
                .then(|| super::trades::count(self.exposed) / super::trades::count(self.values) * 100.0),
            months: self.months(),
        }
    }

    /// The day that is not over counts with its last value.
    fn months(&self) -> Vec<Month> {
        let mut days = self.days.clone();
        if self.last.at > self.day {
            days.push(self.last.equity);
        }
        calendar::months(self.start.at.start_of_day(), self.start.equity, &days)
    }

    fn ratios(&self) -> (Option<f64>, Option<f64>) {
        let mut levels = vec![decimal_to_f64(self.start.equity)];
        levels.extend(self.days.iter().map(|equity| decimal_to_f64(*equity)));
        if self.last.at.since_ms(self.day) == DAY_MS {
            levels.push(decimal_to_f64(self.last.equity));
        }
        let returns: Vec<f64> =
            levels.windows(2).filter(|pair| pair[0] > 0.0).map(|pair| pair[1] / pair[0] - 1.0).collect();
        if returns.len() < 2 {
            return (None, None);
        }
        let n = returns.iter().map(|_| 1.0).sum::<f64>();
        let mean = returns.iter().sum::<f64>() / n;
        let variance = returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / (n - 1.0);
        let downside = returns.iter().map(|r| r.min(0.0) * r.min(0.0)).sum::<f64>() / n;
        let annual = DAYS_PER_YEAR.sqrt();
        let over =
            |square: f64| (square > 0.0).then(|| mean / square.sqrt() * annual).filter(|x| x.is_finite());
        (over(variance), over(downside))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of time; 2^53 milliseconds are 285,000 years")]
fn milliseconds(ms: i64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn course(values: &[(i64, &str)]) -> Course {
        let mut course = Course::new(Timestamp::EPOCH, d("100"));
        for (hours, equity) in values {
            course.push(Timestamp::from_ms(hours * 3_600_000), d(equity), Exposure::Open);
        }
        course
    }

    #[test]
    fn the_greatest_fall_is_found_with_its_times() {
        let summary =
            course(&[(1, "110"), (2, "99"), (3, "120"), (4, "90"), (5, "100"), (6, "121"), (7, "119")])
                .summary();
        let fall = summary.max_drawdown.unwrap();
        assert_eq!((fall.amount, fall.peak), (d("30"), d("120")));
        assert_eq!((fall.from.ms(), fall.trough.ms()), (3 * 3_600_000, 4 * 3_600_000));
        assert_eq!(fall.recovered.map(Timestamp::ms), Some(6 * 3_600_000));
        assert!((summary.max_drawdown_pct.unwrap() - 25.0).abs() < 1e-12);
    }

    #[test]
    fn a_course_that_never_falls_has_no_drawdown_and_no_sortino() {
        let summary = course(&[(24, "101"), (48, "102"), (72, "104")]).summary();
        assert_eq!(summary.max_drawdown, None);
        assert_eq!(summary.sortino, None);
        assert!(summary.sharpe.unwrap() > 0.0);
    }

    #[test]
    fn sharpe_is_computed_by_hand() {
        // Daily returns +10 %, -10 %, +10 %: mean 1/30, sample deviation 0.11547.
        let summary = course(&[(24, "110"), (48, "99"), (72, "108.9")]).summary();
        let expected = (0.1 / 3.0) / (0.04_f64 / 3.0).sqrt() * 365.0_f64.sqrt();
        assert!((summary.sharpe.unwrap() - expected).abs() < 1e-9, "{:?} {expected}", summary.sharpe);
        let sortino = (0.1 / 3.0) / (0.01_f64 / 3.0).sqrt() * 365.0_f64.sqrt();
        assert!((summary.sortino.unwrap() - sortino).abs() < 1e-9, "{:?} {sortino}", summary.sortino);
        assert_eq!(course(&[(24, "110")]).summary().sharpe, None, "one day is too few");
    }

    #[test]
    fn a_long_course_is_thinned_and_keeps_its_end() {
        let mut course = Course::new(Timestamp::EPOCH, d("1"));
        for minute in 1..=100_000_i64 {
            course.push(Timestamp::from_ms(minute * 60_000), Decimal::from(minute), Exposure::Flat);
        }
        let points = course.points();
        assert!(points.len() <= 2049, "{}", points.len());
        assert_eq!(points.last().map(|point| point.equity), Some(d("100000")));
        assert_eq!(points.first().map(|point| point.equity), Some(d("1")));
        assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
