//! The pictures: equity, drawdown, trades on the price, distribution of results.

use keyhold_domain::Side;
use keyhold_engine::input::decimal_to_f64;
use keyhold_engine::report::{EquityPoint, digits};
use keyhold_engine::trade::Trade;

use super::chart::{Frame, HEIGHT, WIDTH, float, minute};
use super::price::PriceLine;
use super::writer::Html;

/// Trades drawn on a price.
const MOST_MARKS: usize = 400;
/// Bars of a distribution.
const BARS: usize = 21;

/// Opens a figure with a picture that has a name and a description.
fn open(html: &mut Html, id: &'static str, number: usize, title: &str, description: &str) {
    let name = |html: &mut Html, part: &'static str| {
        html.raw(id).text(&number.to_string()).raw(part);
    };
    html.raw("<figure><svg role=\"img\" viewBox=\"0 0 ").number(WIDTH).raw(" ").number(HEIGHT);
    html.raw("\" aria-labelledby=\"");
    name(html, "-title ");
    name(html, "-desc");
    html.raw("\"><title id=\"");
    name(html, "-title\">");
    html.text(title).raw("</title><desc id=\"");
    name(html, "-desc\">");
    html.text(description).raw("</desc>");
}

/// The course of the equity.
pub(super) fn equity(html: &mut Html, points: &[EquityPoint], asset: &str) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let value = |point: &EquityPoint| decimal_to_f64(point.equity);
    let frame = Frame::new(first.at, last.at, points.iter().map(value));
    let description = format!(
        "Equity in {asset} from {} at {} to {} at {}.",
        digits::amount(first.equity),
        minute(first.at),
        digits::amount(last.equity),
        minute(last.at)
    );
    open(html, "equity", 0, "Equity", &description);
    frame.axes(html);
    html.raw("<polyline class=\"course\" points=\"");
    html.points(points.iter().map(|point| (frame.x(point.at), frame.y(value(point)))));
    html.raw("\"/></svg></figure>");
}

/// The fall from the highest equity so far, in percent of it.
pub(super) fn drawdown(html: &mut Html, points: &[EquityPoint]) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let frame = Frame::new(first.at, last.at, points.iter().map(fall_pct).chain([0.0]));
    let deepest = points.iter().map(fall_pct).fold(0.0, f64::min);
    let description =
        format!("Fall from the highest equity so far; the deepest is {} %.", digits::plain(deepest, 2));
    open(html, "drawdown", 0, "Drawdown in percent", &description);
    frame.axes(html);
    html.raw("<polygon class=\"fall\" points=\"");
    html.points([(frame.x(first.at), frame.y(0.0))].into_iter());
    html.points(points.iter().map(|point| (frame.x(point.at), frame.y(fall_pct(point)))));
    html.points([(frame.x(last.at), frame.y(0.0))].into_iter());
    html.raw("\"/></svg></figure>");
}

/// Zero or less.
pub(super) fn fall_pct(point: &EquityPoint) -> f64 {
    let (equity, fall) = (decimal_to_f64(point.equity), decimal_to_f64(point.drawdown));
    let peak = equity + fall;
    if peak > 0.0 { -fall / peak * 100.0 } else { 0.0 }
}

/// The price with where trades were entered and left.
pub(super) fn price(html: &mut Html, number: usize, line: &PriceLine, trades: &[Trade]) {
    let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else { return };
    let own: Vec<&Trade> = trades.iter().filter(|trade| trade.symbol == line.symbol).collect();
    let until = own.iter().map(|trade| trade.exited_at).max().map_or(last.at, |at| at.max(last.at));
    let frame = Frame::new(first.at, until, line.points.iter().flat_map(|point| [point.low, point.high]));
    let title = format!("{}: price with trades", line.symbol);
    let description = format!(
        "Price from {} to {}, {} trades. Triangles up are long entries, triangles down short entries, circles exits; a dashed line joins them.",
        first.close,
        last.close,
        own.len()
    );
    open(html, "price", number, &title, &description);
    frame.axes(html);
    html.raw("<polygon class=\"range\" points=\"");
    html.points(line.points.iter().map(|point| (frame.x(point.at), frame.y(point.high))));
    html.points(line.points.iter().rev().map(|point| (frame.x(point.at), frame.y(point.low))));
    html.raw("\"/><polyline class=\"course\" points=\"");
    html.points(line.points.iter().map(|point| (frame.x(point.at), frame.y(point.close))));
    html.raw("\"/>");
    for trade in own.iter().take(MOST_MARKS) {
        mark(html, &frame, trade);
    }
    html.raw("</svg>");
    if own.len() > MOST_MARKS {
        html.raw("<figcaption>Only the first ").text(&MOST_MARKS.to_string());
        html.raw(" trades are drawn.</figcaption>");
    }
    html.raw("</figure>");
}

fn mark(html: &mut Html, frame: &Frame, trade: &Trade) {
    let price = |price: keyhold_domain::Price| decimal_to_f64(price.get());
    let (x, y) = (frame.x(trade.entered_at), frame.y(price(trade.entry_price)));
    let (to_x, to_y) = (frame.x(trade.exited_at), frame.y(price(trade.exit_price)));
    let won = trade.net > keyhold_domain::Decimal::ZERO;
    html.raw(if won { "<g class=\"gain\"><title>" } else { "<g class=\"loss\"><title>" });
    html.text(&sentence(trade)).raw("</title><line class=\"path\" x1=\"").number(x).raw("\" y1=\"").number(y);
    html.raw("\" x2=\"").number(to_x).raw("\" y2=\"").number(to_y).raw("\"/><polygon points=\"");
    let tip = match trade.side {
        Side::Buy => -5.0,
        Side::Sell => 5.0,
    };
    html.points([(x, y + tip), (x - 4.0, y - tip), (x + 4.0, y - tip)].into_iter());
    html.raw("\"/><circle r=\"2.5\" cx=\"").number(to_x).raw("\" cy=\"").number(to_y).raw("\"/></g>");
}

/// A trade in one sentence.
fn sentence(trade: &Trade) -> String {
    let side = match trade.side {
        Side::Buy => "Long",
        Side::Sell => "Short",
    };
    format!(
        "{side} {} at {} ({}), left at {} ({}) by {}: net {} {}",
        trade.quantity,
        trade.entry_price,
        minute(trade.entered_at),
        trade.exit_price,
        minute(trade.exited_at),
        trade.exit_reason,
        digits::amount(trade.net),
        trade.asset
    )
}

/// A bar of a distribution: from, to, trades.
pub(super) type Bar = (f64, f64, usize);

/// Results of trades in bars of equal width, zero being the edge of one.
pub(super) fn bars(trades: &[Trade]) -> Vec<Bar> {
    let nets: Vec<f64> = trades.iter().map(|trade| decimal_to_f64(trade.net)).collect();
    let (low, high) =
        nets.iter().fold((0.0_f64, 0.0_f64), |(low, high), net| (low.min(*net), high.max(*net)));
    let count = i64::try_from(BARS).unwrap_or(1);
    let width = (high - low) / float(count);
    if width <= 0.0 {
        return Vec::new();
    }
    let below = (-low / width).ceil();
    let edge = |place: i64| (float(place) - below) * width;
    let mut bars: Vec<Bar> = (0..=count).map(|place| (edge(place), edge(place + 1), 0)).collect();
    for net in nets {
        let found = bars.iter().rposition(|(from, _, _)| net >= *from).unwrap_or(0);
        bars[found].2 += 1;
    }
    bars
}

/// Decimal places that tell bars of a width apart: two for cents, up to eight for coins.
fn places(width: f64) -> usize {
    let mut width = width * 10.0;
    let mut places = 2;
    while places < 8 && width < 1.0 {
        width *= 10.0;
        places += 1;
    }
    places
}

/// How results are distributed.
pub(super) fn distribution(html: &mut Html, bars: &[Bar], asset: &str) {
    let most = bars.iter().map(|(_, _, count)| *count).max().unwrap_or(0);
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return };
    let float = |count: usize| float(i64::try_from(count).unwrap_or(0));
    let places = places(first.1 - first.0);
    let description = format!(
        "Number of trades by net result in {asset}, from {} to {} in {} bars; the tallest has {most}.",
        digits::plain(first.0, places),
        digits::plain(last.1, places),
        bars.len()
    );
    open(html, "distribution", 0, "Distribution of net results", &description);
    let (left, bottom, top) = (40.0, HEIGHT - 28.0, 24.0);
    let width = (WIDTH - left * 2.0) / float(bars.len());
    for (place, (from, _, count)) in bars.iter().enumerate() {
        let height = (bottom - top) * float(*count) / float(most.max(1));
        let x = left + width * float(place);
        html.raw(if *from >= -1e-12 { "<rect class=\"gain\" x=\"" } else { "<rect class=\"loss\" x=\"" });
        html.number(x + 1.0).raw("\" y=\"").number(bottom - height).raw("\" width=\"").number(width - 2.0);
        html.raw("\" height=\"").number(height).raw("\"/>");
        if *count > 0 {
            html.raw("<text text-anchor=\"middle\" x=\"").number(x + width / 2.0);
            html.raw("\" y=\"")
                .number(bottom - height - 4.0)
                .raw("\">")
                .text(&count.to_string())
                .raw("</text>");
        }
        if place % 4 == 0 {
            html.raw("<text text-anchor=\"middle\" x=\"").number(x).raw("\" y=\"").number(HEIGHT - 8.0);
            html.raw("\">").text(&digits::plain(*from, places)).raw("</text>");
        }
    }
    html.raw("</svg></figure>");
}
