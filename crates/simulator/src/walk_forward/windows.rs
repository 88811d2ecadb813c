//! Which candles are chosen on and which are traded.

use keyhold_domain::Timestamp;
use keyhold_domain::time::DAY_MS;
use serde::Serialize;

/// The most windows of one walk.
const MOST_WINDOWS: usize = 1000;

/// Where the windows to choose on begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// Each begins one step later: old candles are forgotten.
    Rolling,
    /// All begin at the start: the windows grow.
    Anchored,
}

/// How the candles are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Days to choose on; at least 1.
    pub in_sample_days: u32,
    /// Days to trade, which is also the step; at least 1.
    pub out_of_sample_days: u32,
    /// Where the windows to choose on begin.
    pub anchor: Anchor,
}

/// From an instant up to another, which does not belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// Why the candles cannot be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A window of no days.
    #[error("a window needs at least one day")]
    NoDays,
    /// Not even one window to trade.
    #[error("the candles span {have} days; choosing takes {choose} and trading needs more")]
    TooShort {
        /// Whole days of candles after the history.
        have: i64,
        /// Days to choose on.
        choose: u32,
    },
    /// More windows than allowed.
    #[error("there would be more than {MOST_WINDOWS} windows: make them longer")]
    TooMany,
}

/// The pairs of windows over a span: to choose on, then to trade. The last may be shorter.
pub fn windows(plan: Plan, all: Span) -> Result<Vec<(Span, Span)>, WindowError> {
    if plan.in_sample_days == 0 || plan.out_of_sample_days == 0 {
        return Err(WindowError::NoDays);
    }
    let days = |count: u32| i64::from(count) * DAY_MS;
    let (choose, trade) = (days(plan.in_sample_days), days(plan.out_of_sample_days));
    let mut found = Vec::new();
    let mut from = all.from;
    while from.plus_ms(choose) < all.until {
        if found.len() >= MOST_WINDOWS {
            return Err(WindowError::TooMany);
        }
        let middle = from.plus_ms(choose);
        let start = match plan.anchor {
            Anchor::Rolling => from,
            Anchor::Anchored => all.from,
        };
        let until = middle.plus_ms(trade).min(all.until);
        found.push((Span { from: start, until: middle }, Span { from: middle, until }));
        from = from.plus_ms(trade);
    }
    if found.is_empty() {
        let have = all.until.since_ms(all.from) / DAY_MS;
        return Err(WindowError::TooShort { have, choose: plan.in_sample_days });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(pairs: &[(Span, Span)]) -> Vec<[i64; 4]> {
        let day = |at: Timestamp| at.ms() / DAY_MS;
        pairs.iter().map(|(a, b)| [day(a.from), day(a.until), day(b.from), day(b.until)]).collect()
    }

    fn cut(plan: Plan, until: i64) -> Result<Vec<[i64; 4]>, WindowError> {
        let all = Span { from: Timestamp::EPOCH, until: Timestamp::from_ms(until * DAY_MS) };
        windows(plan, all).map(|pairs| days(&pairs))
    }

    #[test]
    fn windows_follow_each_other_without_a_gap() {
        let plan = Plan { in_sample_days: 10, out_of_sample_days: 4, anchor: Anchor::Rolling };
        assert_eq!(cut(plan, 20), Ok(vec![[0, 10, 10, 14], [4, 14, 14, 18], [8, 18, 18, 20]]));
        let anchored = Plan { anchor: Anchor::Anchored, ..plan };
        assert_eq!(cut(anchored, 20), Ok(vec![[0, 10, 10, 14], [0, 14, 14, 18], [0, 18, 18, 20]]));
        assert_eq!(cut(plan, 10), Err(WindowError::TooShort { have: 10, choose: 10 }));
        assert_eq!(cut(Plan { out_of_sample_days: 0, ..plan }, 20), Err(WindowError::NoDays));
        assert_eq!(
            cut(Plan { in_sample_days: 1, out_of_sample_days: 1, ..plan }, 2000),
            Err(WindowError::TooMany)
        );
    }
}
