//! Trading sessions: the UTC windows in which entries are allowed.
//!
//! A window holds its start and not its end; an end at or before the start means over midnight, and the weekdays
//! are those of the start. Overlapping windows are a union. It knows no time zones: sessions are written in UTC.
//! Exits never ask it. Texts are checked where templates are checked; here they are read again, never trusted.

use keyhold_domain::Timestamp;
use keyhold_domain::time::DAY_MS;

use crate::template::{SessionSpec, Weekday};

const MINUTE_MS: i64 = 60_000;
const WEEK_MS: i64 = 7 * DAY_MS;

/// The union of a template's sessions, as half-open intervals of the week that starts on Monday 00:00 UTC.
///
/// ```
/// use keyhold_engine::session::Calendar;
/// let calendar = Calendar::compile(&[]).unwrap();
/// assert!(calendar.is_open(keyhold_domain::Timestamp::EPOCH), "no session means around the clock");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Sorted, disjoint, not touching; empty when every instant is open.
    windows: Vec<(i64, i64)>,
}

/// A session whose times cannot be read. Its position in the template comes with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Not `HH:MM` from 00:00 to 23:59.
    #[error("session {0} has a start that is not HH:MM")]
    Start(usize),
    /// Not `HH:MM` from 00:00 to 24:00.
    #[error("session {0} has an end that is not HH:MM")]
    End(usize),
}

fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= 24 * 60).then_some(total)
}

impl Calendar {
    /// Reads the sessions. No session means around the clock.
    pub fn compile(sessions: &[SessionSpec]) -> Result<Self, SessionError> {
        let mut windows = Vec::new();
        for (index, session) in sessions.iter().enumerate() {
            let start =
                minutes(&session.start).filter(|at| *at < 24 * 60).ok_or(SessionError::Start(index))?;
            let end = minutes(&session.end).ok_or(SessionError::End(index))?;
            let length = if end > start { end - start } else { end + 24 * 60 - start };
            for day in days(&session.weekdays) {
                let from = day * DAY_MS + start * MINUTE_MS;
                let until = from + length * MINUTE_MS;
                windows.push((from, until.min(WEEK_MS)));
                if until > WEEK_MS {
                    windows.push((0, until - WEEK_MS));
                }
            }
        }
        Ok(Self { windows: union(windows) })
    }

    /// Whether entries are allowed at this instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.windows.is_empty() || self.window_at(at).is_some()
    }

    /// The first instant at or after `at` at which entries are allowed.
    pub fn next_open(&self, at: Timestamp) -> Timestamp {
        if self.is_open(at) {
            return at;
        }
        let now = offset(at);
        let next = self.windows.iter().find(|(start, _)| *start > now).or_else(|| self.windows.first());
        match next {
            Some((start, _)) => at.plus_ms((start - now).rem_euclid(WEEK_MS)),
            None => at,
        }
    }

    /// The instant at which the session around `at` ends. `None` outside sessions and when there is no end.
    pub fn end_of(&self, at: Timestamp) -> Option<Timestamp> {
        let now = offset(at);
        let (_, end) = self.window_at(at)?;
        let mut left = end - now;
        if end == WEEK_MS
            && let Some((0, first_end)) = self.windows.first()
        {
            left += first_end;
        }
        (left < WEEK_MS).then(|| at.plus_ms(left))
    }

    fn window_at(&self, at: Timestamp) -> Option<(i64, i64)> {
        let now = offset(at);
        self.windows.iter().copied().find(|(start, end)| *start <= now && now < *end)
    }
}

fn offset(at: Timestamp) -> i64 {
    at.since_ms(at.start_of_week())
}

fn days(weekdays: &[Weekday]) -> Vec<i64> {
    if weekdays.is_empty() { (0..7).collect() } else { weekdays.iter().map(|day| number(*day)).collect() }
}

const fn number(day: Weekday) -> i64 {
    match day {
        Weekday::Mon => 0,
        Weekday::Tue => 1,
        Weekday::Wed => 2,
        Weekday::Thu => 3,
        Weekday::Fri => 4,
        Weekday::Sat => 5,
        Weekday::Sun => 6,
    }
}

fn union(mut windows: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    windows.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::with_capacity(windows.len());
    for (start, end) in windows {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            Some(_) | None => merged.push((start, end)),
        }
    }
    // Open for the whole week is the same as around the clock, and is cheaper to ask.
    if merged == [(0, WEEK_MS)] { Vec::new() } else { merged }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start: &str, end: &str, weekdays: &[Weekday]) -> SessionSpec {
        SessionSpec {
            name: String::from("test"),
            start: start.to_owned(),
            end: end.to_owned(),
            weekdays: weekdays.to_vec(),
        }
    }

    /// Monday 2024-01-01 00:00 UTC plus days, hours, minutes and seconds.
    fn at(day: i64, hour: i64, minute: i64, second: i64) -> Timestamp {
        Timestamp::from_ms(
            1_704_067_200_000 + day * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000,
        )
    }

    #[test]
    fn boundaries_hold_the_start_and_not_the_end() {
        let day = Calendar::compile(&[session("08:00", "16:30", &[])]).unwrap();
        let night = Calendar::compile(&[session("22:00", "02:00", &[Weekday::Fri, Weekday::Sun])]).unwrap();
        let touching =
            Calendar::compile(&[session("08:00", "10:00", &[]), session("09:00", "12:00", &[])]).unwrap();
        let cases = [
            (&day, at(0, 7, 59, 59), false),
            (&day, at(0, 8, 0, 0), true),
            (&day, at(0, 16, 29, 59), true),
            (&day, at(0, 16, 30, 0), false),
            (&night, at(4, 21, 59, 59), false),
            (&night, at(4, 22, 0, 0), true),
            (&night, at(5, 1, 59, 59), true),
            (&night, at(5, 2, 0, 0), false),
            // Saturday is no start day, so its evening is closed; Sunday's window reaches into Monday.
            (&night, at(5, 22, 0, 0), false),
            (&night, at(6, 23, 0, 0), true),
            (&night, at(7, 1, 59, 59), true),
            (&night, at(7, 2, 0, 0), false),
            (&touching, at(2, 11, 59, 59), true),
            (&touching, at(2, 12, 0, 0), false),
        ];
        for (calendar, instant, open) in cases {
            assert_eq!(calendar.is_open(instant), open, "{instant}");
        }
    }

    #[test]
    fn the_next_window_and_the_end_of_this_one_are_known() {
        let day = Calendar::compile(&[session("08:00", "16:30", &[Weekday::Tue])]).unwrap();
        assert_eq!(day.next_open(at(0, 9, 0, 0)), at(1, 8, 0, 0));
        assert_eq!(day.next_open(at(1, 9, 0, 0)), at(1, 9, 0, 0));
        assert_eq!(day.next_open(at(1, 16, 30, 0)), at(8, 8, 0, 0));
        assert_eq!(day.end_of(at(1, 9, 0, 0)), Some(at(1, 16, 30, 0)));
        assert_eq!(day.end_of(at(2, 9, 0, 0)), None);
        let sunday = Calendar::compile(&[session("22:00", "02:00", &[Weekday::Sun])]).unwrap();
        assert_eq!(sunday.end_of(at(6, 23, 0, 0)), Some(at(7, 2, 0, 0)), "over the end of the week");
        assert_eq!(sunday.end_of(at(7, 1, 0, 0)), Some(at(7, 2, 0, 0)));
        let always = Calendar::compile(&[session("00:00", "24:00", &[])]).unwrap();
        assert_eq!(always.end_of(at(0, 1, 0, 0)), None);
        assert!(always.is_open(at(3, 3, 3, 3)));
    }

    #[test]
    fn unreadable_times_are_refused_with_their_place() {
        for text in ["8:00", "24:00", "25:00", "08:60", "0800", "ab:cd", "+1:00", ""] {
            let sessions = [session("01:00", "02:00", &[]), session(text, "09:00", &[])];
            assert_eq!(Calendar::compile(&sessions), Err(SessionError::Start(1)), "{text:?}");
        }
        for text in ["24:01", "9:00", "x"] {
            assert_eq!(
                Calendar::compile(&[session("08:00", text, &[])]),
                Err(SessionError::End(0)),
                "{text:?}"
            );
        }
    }
}
