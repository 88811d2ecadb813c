//! The frame of a chart: an area with a time axis and a value axis, named for those who do not see it.

use keyhold_domain::Timestamp;
use keyhold_engine::report::digits;

use super::writer::Html;

/// Size of the picture.
pub(super) const WIDTH: f64 = 960.0;
pub(super) const HEIGHT: f64 = 280.0;
/// Space for the labels.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 28.0;
/// Labels on the time axis.
const TIMES: i64 = 5;
/// Lines on the value axis, about.
const LINES: f64 = 5.0;

/// From times and values to coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    from: i64,
    until: i64,
    low: f64,
    high: f64,
}

impl Frame {
    /// A frame around values; both ends of the axis are a little beyond them.
    pub(super) fn new(from: Timestamp, until: Timestamp, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for value in values.filter(|value| value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let margin = ((high - low) * 0.04).max(high.abs().max(1e-9) * 1e-6);
        Self { from: from.ms(), until: until.ms().max(from.ms() + 1), low: low - margin, high: high + margin }
    }

    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let share = float(at.ms() - self.from) / float(self.until - self.from);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// Horizontal lines at round values, and times below.
    pub(super) fn axes(&self, html: &mut Html) {
        let step = round_step((self.high - self.low) / LINES);
        let places = places_of(step);
        let mut value = (self.low / step).ceil() * step;
        while value <= self.high {
            let y = self.y(value);
            html.raw("<line class=\"grid\" x1=\"").number(LEFT).raw("\" x2=\"").number(WIDTH - RIGHT);
            html.raw("\" y1=\"").number(y).raw("\" y2=\"").number(y).raw("\"/>");
            html.raw("<text text-anchor=\"end\" x=\"").number(LEFT - 6.0).raw("\" y=\"").number(y + 4.0);
            html.raw("\">").text(&digits::plain(value, places)).raw("</text>");
            value += step;
        }
        for number in 0..TIMES {
            let at = Timestamp::from_ms(self.from + (self.until - self.from) / (TIMES - 1) * number);
            html.raw("<text x=\"").number(self.x(at)).raw("\" y=\"").number(HEIGHT - 8.0);
            html.raw(match number {
                0 => "\" text-anchor=\"start\">",
                n if n == TIMES - 1 => "\" text-anchor=\"end\">",
                _ => "\" text-anchor=\"middle\">",
            });
            html.text(&day(at)).raw("</text>");
        }
    }
}

/// The day of an instant.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The minute of an instant.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// 1, 2 or 5 times a power of ten, at least as large.
fn round_step(least: f64) -> f64 {
    // Powers of ten by multiplication are a little off; a step that is as large but for that is large enough.
    let least = least * (1.0 - 1e-9);
    let mut unit = 1e-12;
    while unit * 10.0 <= least {
        unit *= 10.0;
    }
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * unit).find(|step| *step >= least).unwrap_or(unit * 10.0)
}

/// Decimal places that show multiples of a step.
fn places_of(step: f64) -> usize {
    let mut places = 0;
    let mut unit = step;
    while unit < 0.999 && places < 10 {
        unit *= 10.0;
        places += 1;
    }
    places
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a chart's width, far below 2^53")]
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let steps = [0.3, 1.0, 1.5, 4.9, 60.0, 0.012].map(round_step);
        for (step, expected) in steps.into_iter().zip([0.5, 1.0, 2.0, 5.0, 100.0, 0.02]) {
            assert!((step / expected - 1.0).abs() < 1e-9, "{step} is not {expected}");
        }
        assert_eq!([0.5, 0.02, 5.0].map(places_of), [1, 2, 0]);
    }

    #[test]
    fn every_value_lies_inside_the_picture() {
        let (from, until) = (Timestamp::from_ms(0), Timestamp::from_ms(1000));
        for values in [vec![], vec![5.0], vec![-1.0, 1e9], vec![f64::NAN, 2.0]] {
            let frame = Frame::new(from, until, values.iter().copied());
            for value in values.iter().copied().filter(|value| value.is_finite()) {
                let y = frame.y(value);
                assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
            }
        }
        let frame = Frame::new(from, from, [1.0].into_iter());
        assert!((frame.x(from) - LEFT).abs() < 1e-9);
    }
}
