//! The tables: months, groups, weekdays and hours, signals, trades, and the numbers behind the charts.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, Side};
use keyhold_engine::catalog;
use keyhold_engine::report::{EquityPoint, Group, HeatCell, Month, SignalAnalysis, digits};
use keyhold_engine::trade::Trade;

use super::chart::minute;
use super::charts::{Bar, fall_pct};
use super::writer::Html;

/// Rows of the table beside a chart.
const CHART_ROWS: usize = 60;
/// Trades that are listed.
const MOST_TRADES: usize = 2000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A table with a caption, a heading and rows; cells may say whether they are good or bad.
pub(super) fn table(html: &mut Html, caption: &str, heading: &[&str], rows: &[Vec<Cell>]) {
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"").text(caption);
    html.raw("\"><table><caption>").text(caption).raw("</caption><thead><tr>");
    for name in heading {
        html.raw("<th scope=\"col\">").text(name).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for row in rows {
        html.raw("<tr>");
        for (place, cell) in row.iter().enumerate() {
            if place == 0 {
                html.raw("<th scope=\"row\">").text(&cell.text).raw("</th>");
                continue;
            }
            html.raw(match cell.tone {
                Tone::Plain => "<td>",
                Tone::Good => "<td class=\"up\">",
                Tone::Bad => "<td class=\"down\">",
                Tone::Words => "<td class=\"words\">",
            });
            html.text(&cell.text).raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>");
}

/// What stands in a table.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Debug, Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Bad,
    Words,
}

/// A plain cell.
pub(super) fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain }
}

/// A cell with running text.
pub(super) fn words(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Words }
}

/// An amount with its sign's color; the sign itself is written too.
pub(super) fn money(value: Decimal) -> Cell {
    let tone = match value.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Greater => Tone::Good,
        std::cmp::Ordering::Less => Tone::Bad,
        std::cmp::Ordering::Equal => Tone::Plain,
    };
    Cell { text: digits::amount(value), tone }
}

fn share(value: Option<f64>) -> Cell {
    let tone = match value {
        Some(value) if value > 0.0 => Tone::Good,
        Some(value) if value < 0.0 => Tone::Bad,
        Some(_) | None => Tone::Plain,
    };
    Cell { text: digits::pct(value), tone }
}

/// Returns by year and month.
pub(super) fn months(html: &mut Html, months: &[Month]) {
    let mut years: BTreeMap<&str, Vec<&Month>> = BTreeMap::new();
    for month in months {
        years.entry(month.month.get(..4).unwrap_or("")).or_default().push(month);
    }
    let mut heading = vec!["Year"];
    heading.extend(MONTHS);
    heading.push("Year");
    let rows: Vec<Vec<Cell>> = years
        .iter()
        .map(|(year, months)| {
            let mut row = vec![cell(*year)];
            for number in 1..=12 {
                let name = format!("{year}-{number:02}");
                let found = months.iter().find(|month| month.month == name);
                row.push(found.map_or_else(|| cell(""), |month| share(month.change_pct)));
            }
            // The whole year on what it began with.
            let start = months.first().map_or(Decimal::ZERO, |month| month.start);
            let change: Decimal = months.iter().map(|month| month.change).sum();
            let ratio = change.checked_div(start).map(keyhold_engine::input::decimal_to_f64);
            row.push(share(ratio.map(|ratio| ratio * 100.0)));
            row
        })
        .collect();
    table(html, "Return by month, in percent of the equity at its start", &heading, &rows);
}

/// Results of groups.
pub(super) fn groups(html: &mut Html, caption: &str, groups: &[Group]) {
    let rows: Vec<Vec<Cell>> = groups
        .iter()
        .map(|group| {
            let stats = &group.stats;
            vec![
                cell(group.key.as_str()),
                cell(stats.count.to_string()),
                cell(digits::pct(stats.win_rate_pct)),
                cell(digits::ratio(stats.profit_factor)),
                cell(digits::optional(stats.expectancy)),
                money(stats.net),
            ]
        })
        .collect();
    table(html, caption, &["", "Trades", "Won", "Profit factor", "Expectancy", "Net"], &rows);
}

/// Trades by weekday and hour.
pub(super) fn heat_map(html: &mut Html, cells: &[HeatCell]) {
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
    let mut heading = vec!["UTC"];
    heading.extend(hours.iter().map(String::as_str));
    let rows: Vec<Vec<Cell>> = (0_u8..7)
        .zip(WEEKDAYS)
        .map(|(weekday, name)| {
            let mut row = vec![cell(name)];
            for hour in 0_u8..24 {
                let found = cells.iter().find(|cell| (cell.weekday, cell.hour) == (weekday, hour));
                row.push(found.map_or_else(
                    || cell(""),
                    |found| Cell { text: found.trades.to_string(), ..money(found.net) },
                ));
            }
            row
        })
        .collect();
    table(
        html,
        "Trades by weekday and hour of their entry; the color is that of their net result",
        &heading,
        &rows,
    );
}

/// What each component contributed.
pub(super) fn signals(html: &mut Html, analysis: &SignalAnalysis) {
    let rows: Vec<Vec<Cell>> = analysis
        .components
        .iter()
        .map(|found| {
            let title = catalog::component(&found.kind).map_or(found.kind.as_str(), |entry| entry.title);
            vec![
                cell(title),
                cell(found.role.name().replace('_', " ")),
                cell(format!("{} / {}", found.long, found.short)),
                cell(found.agreed.trades.to_string()),
                money(found.agreed.net),
                cell(found.opposed.trades.to_string()),
                money(found.opposed.net),
                cell(format!("{} ({})", found.blocked, found.blocked_alone)),
                share(found.later_move_pct),
            ]
        })
        .collect();
    let heading = [
        "Component",
        "Role",
        "Long / short",
        "Agreed",
        "Net",
        "Opposed",
        "Net",
        "Blocked (alone)",
        "Later move",
    ];
    let caption = format!(
        "What each component said on {} candles; the later move of blocked entries is that of {} candles, before costs",
        analysis.decisions, analysis.horizon_candles
    );
    table(html, &caption, &heading, &rows);
}

/// Every trade, up to a bound.
pub(super) fn trades(html: &mut Html, trades: &[Trade]) {
    let heading =
        ["#", "Instrument", "Side", "Quantity", "Entered", "At", "Left", "At", "By", "Fees", "Net", "R"];
    let rows: Vec<Vec<Cell>> = trades
        .iter()
        .zip(1_u64..)
        .take(MOST_TRADES)
        .map(|(trade, number)| {
            vec![
                cell(number.to_string()),
                words(trade.symbol.as_str()),
                words(match trade.side {
                    Side::Buy => "long",
                    Side::Sell => "short",
                }),
                cell(trade.quantity.to_string()),
                cell(minute(trade.entered_at)),
                cell(trade.entry_price.to_string()),
                cell(minute(trade.exited_at)),
                cell(trade.exit_price.to_string()),
                words(trade.exit_reason.as_str()),
                cell(digits::amount(trade.fees)),
                money(trade.net),
                cell(trade.r_multiple.map_or_else(|| "-".to_owned(), |r| r.round_dp(2).to_string())),
            ]
        })
        .collect();
    let caption = if trades.len() > MOST_TRADES {
        format!("The first {MOST_TRADES} of {} trades; all are in the CSV", trades.len())
    } else {
        format!("{} trades", trades.len())
    };
    table(html, &caption, &heading, &rows);
}

/// A part of the page that is closed at first.
pub(super) fn details(html: &mut Html, summary: &'static str, inside: impl FnOnce(&mut Html)) {
    html.raw("<details><summary>").raw(summary).raw("</summary>");
    inside(html);
    html.raw("</details>");
}

/// The numbers behind the equity and the drawdown.
pub(super) fn course(html: &mut Html, points: &[EquityPoint]) {
    let step = points.len().div_ceil(CHART_ROWS).max(1);
    let row = |point: &EquityPoint| {
        vec![
            cell(minute(point.at)),
            cell(digits::amount(point.equity)),
            cell(format!("{} %", digits::plain(fall_pct(point), 2))),
        ]
    };
    let mut rows: Vec<Vec<Cell>> = points.iter().step_by(step).map(row).collect();
    if let Some(last) = points.last().filter(|_| !points.len().saturating_sub(1).is_multiple_of(step)) {
        rows.push(row(last));
    }
    table(html, "Equity and drawdown", &["Time, UTC", "Equity", "Drawdown"], &rows);
}

/// The numbers behind the distribution.
pub(super) fn distribution(html: &mut Html, bars: &[Bar]) {
    let rows: Vec<Vec<Cell>> = bars
        .iter()
        .map(|(from, until, count)| {
            vec![cell(digits::plain(*from, 4)), cell(digits::plain(*until, 4)), cell(count.to_string())]
        })
        .collect();
    table(html, "Trades by net result", &["From", "To", "Trades"], &rows);
}
