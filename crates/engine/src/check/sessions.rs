//! Whether the sessions' times and weekdays can be read.

use crate::problem::{Problem, code};
use crate::template::SessionSpec;

use super::MAX_NAME_CHARS;

const DAY_MINUTES: u16 = 24 * 60;

pub(super) fn check(sessions: &[SessionSpec], problems: &mut Vec<Problem>) {
    for (index, session) in sessions.iter().enumerate() {
        let path = format!("sessions[{index}]");
        check_one(&path, session, problems);
    }
}

pub(super) fn check_one(path: &str, session: &SessionSpec, problems: &mut Vec<Problem>) {
    let length = session.name.trim().chars().count();
    if length == 0 || length > MAX_NAME_CHARS {
        problems.push(Problem::new(
            format!("{path}.name"),
            code::NAME_INVALID,
            "The session's name is empty or too long.",
            format!("Write a name of 1 to {MAX_NAME_CHARS} characters."),
        ));
    }
    let start = minute_of_day(&session.start).filter(|minute| *minute < DAY_MINUTES);
    let end = minute_of_day(&session.end);
    if start.is_none() {
        problems.push(wrong_time(path, "start", &session.start, "23:59"));
    }
    if end.is_none() {
        problems.push(wrong_time(path, "end", &session.end, "24:00"));
    }
    if start.is_some() && start == end {
        problems.push(Problem::new(
            format!("{path}.end"),
            code::SESSION_EMPTY,
            "The session ends when it starts.",
            "Write 00:00 to 24:00 for a whole day.",
        ));
    }
    let mut seen = Vec::new();
    for (place, weekday) in session.weekdays.iter().enumerate() {
        if seen.contains(weekday) {
            problems.push(Problem::new(
                format!("{path}.weekdays[{place}]"),
                code::WEEKDAY_TWICE,
                "The weekday is listed twice.",
                "Remove one of them.",
            ));
        }
        seen.push(*weekday);
    }
}

fn wrong_time(path: &str, field: &str, text: &str, last: &str) -> Problem {
    Problem::new(
        format!("{path}.{field}"),
        code::SESSION_TIME_INVALID,
        format!("`{text}` is not a time of day."),
        format!("Write HH:MM in UTC, from 00:00 to {last}."),
    )
}

/// Minutes since midnight of `HH:MM`, up to `24:00`.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| -> Option<u16> {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse().ok() } else { None }
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY_MINUTES).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::minute_of_day;

    #[test]
    fn times_of_day() {
        let cases = [
            ("00:00", Some(0)),
            ("09:30", Some(570)),
            ("24:00", Some(1440)),
            ("24:01", None),
            ("9:30", None),
            ("12:60", None),
            ("+1:30", None),
            ("1230", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(minute_of_day(text), expected, "{text}");
        }
    }
}
