//! Results by the calendar: months of equity, and trades by weekday and hour. All in UTC.

use std::collections::BTreeMap;

use keyhold_domain::money::decimal_text;
use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Decimal, Timestamp};
use serde::{Deserialize, Serialize};

use crate::input::decimal_to_f64;
use crate::trade::Trade;

/// The result of one calendar month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// `2022-01`.
    pub month: String,
    /// Change of the equity.
    #[serde(with = "decimal_text")]
    pub change: Decimal,
    /// The same in percent of the equity at the month's start; not defined when that was zero or less.
    pub change_pct: Option<f64>,
    /// What the month began with; the first month begins with the run.
    #[serde(with = "decimal_text")]
    pub start: Decimal,
}

/// The calendar month of an instant.
fn month_of(at: Timestamp) -> String {
    let mut text = at.to_string();
    // RFC 3339 begins with the year and the month; years of other lengths do not occur with candles.
    text.truncate(7);
    text
}

/// Months from the equity at the start and at the end of each day since.
pub(super) fn months(first_day: Timestamp, start: Decimal, day_ends: &[Decimal]) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    let mut day = first_day;
    let mut before = start;
    for equity in day_ends {
        let month = month_of(day);
        if months.last().is_none_or(|last| last.month != month) {
            months.push(Month { month, change: Decimal::ZERO, change_pct: None, start: before });
        }
        if let Some(last) = months.last_mut() {
            last.change = equity.saturating_sub(last.start);
        }
        before = *equity;
        day = day.plus_ms(DAY_MS);
    }
    for month in &mut months {
        let start = decimal_to_f64(month.start);
        month.change_pct = (start > 0.0).then(|| decimal_to_f64(month.change) / start * 100.0);
    }
    months
}

/// Trades that were entered in one hour of one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatCell {
    /// Monday = 0 to Sunday = 6.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// How many.
    pub trades: u64,
    /// What they brought, in the settlement asset.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
}

/// The hour of the day, 0 to 23.
pub(super) fn hour_of(at: Timestamp) -> u8 {
    u8::try_from(at.ms_of_day() / 3_600_000).unwrap_or(0)
}

/// Trades by weekday and hour of their entry, by weekday, then by hour; cells without a trade are left out.
pub fn heat_map(trades: &[Trade]) -> Vec<HeatCell> {
    let mut cells: BTreeMap<(u8, u8), (u64, Decimal)> = BTreeMap::new();
    for trade in trades {
        let cell = cells.entry((trade.entered_at.weekday(), hour_of(trade.entered_at))).or_default();
        *cell = (cell.0 + 1, cell.1.saturating_add(trade.net));
    }
    let cell = |((weekday, hour), (trades, net))| HeatCell { weekday, hour, trades, net };
    cells.into_iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_with_the_end_of_the_month_before() {
        let d = |text: &str| Decimal::from_str_exact(text).unwrap();
        let first: Timestamp = "2022-01-30T00:00:00Z".parse().unwrap();
        // The 30th and 31st of January, the 1st of February.
        let months = months(first, d("100"), &[d("110"), d("120"), d("90")]);
        let shown: Vec<_> = months.iter().map(|m| (m.month.as_str(), m.start, m.change)).collect();
        assert_eq!(shown, [("2022-01", d("100"), d("20")), ("2022-02", d("120"), d("-30"))]);
        assert_eq!(months.iter().map(|m| m.change_pct).collect::<Vec<_>>(), [Some(20.0), Some(-25.0)]);
    }
}
