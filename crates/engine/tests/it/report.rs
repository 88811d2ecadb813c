//! Every figure of the report against numbers computed by hand, from six trades that fit on a sheet of paper.
//!
//! | trade | side | entered (UTC) | held | gross | fees | funding | net | stop risk (R) | exit |
//! |---|---|---|---|---|---|---|---|---|---|
//! | 1 | long  | Mon 01:10 | 1 h | 110 | 8 | −2 | 100 | 2.0 | target |
//! | 2 | long  | Mon 01:50 | 2 h | −45 | 5 | 0 | −50 | −1.0 | stop |
//! | 3 | short | Tue 13:00 | 3 h | −25 | 5 | 0 | −30 | −0.6 | flip |
//! | 4 | short | Tue 13:30 | 1 h | 10 | 10 | 0 | 0 | 0.0 | flip |
//! | 5 | long  | Sun 23:00 | 4 h | 62 | 4 | 2 | 60 | 1.2 | target |
//! | 6 | long  | Sun 23:30 | 1 h | 24 | 4 | 0 | 20 | – | target |

use keyhold_domain::{
    ContractType, Decimal, Fill, Liquidity, Money, NewOrder, OrderKind, OrderPurpose, PositionEffect,
    ReasonCode, ShortText, Side, TemplateId, Timestamp, TradeId,
};
use keyhold_engine::decision::{Block, Decision, Done, NamedReading};
use keyhold_engine::reading::{Check, Direction, Reading};
use keyhold_engine::report::equity::Exposure;
use keyhold_engine::report::{Course, ExecutionCounter, Metrics, SignalAnalyst, TradeStats};
use keyhold_engine::template::Role;
use keyhold_engine::trade::Trade;

use crate::rig::{d, ids, linear, price, quantity};

/// Monday 2024-01-01 00:00 UTC.
const MONDAY: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

struct Row {
    side: Side,
    entered_ms: i64,
    hours: i64,
    money: [&'static str; 4],
    r: Option<&'static str>,
    exit: ReasonCode,
}

fn rows() -> Vec<Row> {
    use ReasonCode::{ExitHardStop, ExitSignalFlip, ExitTakeProfit};
    let row = |side, (day, minute): (i64, i64), hours, money, r, exit| Row {
        side,
        entered_ms: MONDAY + day * DAY + minute * 60_000,
        hours,
        money,
        r,
        exit,
    };
    vec![
        row(Side::Buy, (0, 70), 1, ["110", "8", "-2", "100"], Some("2"), ExitTakeProfit),
        row(Side::Buy, (0, 110), 2, ["-45", "5", "0", "-50"], Some("-1"), ExitHardStop),
        row(Side::Sell, (1, 780), 3, ["-25", "5", "0", "-30"], Some("-0.6"), ExitSignalFlip),
        row(Side::Sell, (1, 810), 1, ["10", "10", "0", "0"], Some("0"), ExitSignalFlip),
        row(Side::Buy, (6, 1380), 4, ["62", "4", "2", "60"], Some("1.2"), ExitTakeProfit),
        row(Side::Buy, (6, 1410), 1, ["24", "4", "0", "20"], None, ExitTakeProfit),
    ]
}

fn trades() -> Vec<Trade> {
    rows().iter().zip(1_u128..).map(|(row, id)| trade(row, id)).collect()
}

fn trade(row: &Row, id: u128) -> Trade {
    let entered_at = Timestamp::from_ms(row.entered_ms);
    Trade {
        id: TradeId::from_u128(id),
        symbol: linear().symbol,
        side: row.side,
        quantity: quantity("1"),
        entry_price: price("100"),
        exit_price: price("200"),
        decided_at: entered_at.plus_ms(-500),
        entered_at,
        exited_at: entered_at.plus_ms(row.hours * HOUR),
        candles: 1,
        asset: "USDT".parse().unwrap(),
        gross: d(row.money[0]),
        fees: d(row.money[1]),
        other_fees: Vec::new(),
        funding: d(row.money[2]),
        net: d(row.money[3]),
        exit_reason: row.exit,
        initial_stop: None,
        target: None,
        r_multiple: row.r.map(d),
        adverse_pct: Decimal::ZERO,
        favorable_pct: Decimal::ZERO,
        slippage_in_bps: d("2"),
        slippage_out_bps: if row.side == Side::Buy { d("3") } else { d("-3") },
        template: TemplateId::from_u128(7),
        template_version: 2,
        entry_decision: None,
    }
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("the figure is defined");
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

/// Six days flat at the start, then 1,000 to 1,100 at the end of the seventh; half of the values in a position.
fn course() -> Course {
    let mut course = Course::new(Timestamp::from_ms(MONDAY), d("1000"));
    let values = ["1050", "1020", "1020", "1020", "1020", "1020", "1100"];
    for (day, equity) in (1..).zip(values) {
        let exposure = if day <= 3 { Exposure::Open } else { Exposure::Flat };
        course.push(Timestamp::from_ms(MONDAY + day * DAY), d(equity), exposure);
    }
    course
}

#[test]
fn figures_of_trades_are_those_of_the_sheet() {
    let stats = TradeStats::of(trades().iter());
    assert_eq!((stats.count, stats.wins, stats.losses, stats.even), (6, 3, 2, 1));
    assert_eq!((stats.gross, stats.fees, stats.funding, stats.net), (d("136"), d("36"), d("0"), d("100")));
    near(stats.win_rate_pct, 60.0);
    // 180 won, 80 lost.
    near(stats.profit_factor, 2.25);
    assert_eq!(stats.expectancy, Some(d("16.666666666667")));
    // (2 − 1 − 0.6 + 0 + 1.2) / 5; the sixth had no stop.
    near(stats.expectancy_r, 0.32);
    assert_eq!((stats.average_win, stats.average_loss), (Some(d("60")), Some(d("-40"))));
    near(stats.payoff, 1.5);
    assert_eq!((stats.best, stats.worst), (Some(d("100")), Some(d("-50"))));
    assert_eq!((stats.win_streak, stats.loss_streak), (2, 2), "the trade of zero ends both");
    // Twelve hours in six trades.
    assert_eq!(stats.average_holding_ms, Some(2 * HOUR));
    assert_eq!(stats.average_entry_delay_ms, Some(500));
    near(stats.slippage_in_bps, 2.0);
    // Four times 3, twice −3.
    near(stats.slippage_out_bps, 1.0);
    // 36 of 110 + 45 + 25 + 10 + 62 + 24 = 276.
    near(stats.fees_of_gross_pct, 36.0 / 276.0 * 100.0);
}

#[test]
fn figures_that_are_not_defined_are_absent() {
    let none = TradeStats::of([].iter());
    assert_eq!(
        (none.win_rate_pct, none.profit_factor, none.expectancy, none.payoff),
        (None, None, None, None)
    );
    let winner = TradeStats::of(trades()[..1].iter());
    assert_eq!(winner.profit_factor, None, "there is no loss to divide by");
    near(winner.win_rate_pct, 100.0);
}

#[test]
fn groups_add_up_to_the_whole() {
    let trades = trades();
    let metrics = Metrics::new(&trades, course().summary(), ContractType::Linear);
    let shown = |groups: &[keyhold_engine::report::Group]| -> Vec<(String, u64, Decimal)> {
        groups.iter().map(|group| (group.key.clone(), group.stats.count, group.stats.net)).collect()
    };
    let rows = |rows: &[(&str, u64, &str)]| -> Vec<(String, u64, Decimal)> {
        rows.iter().map(|(key, count, net)| ((*key).to_owned(), *count, d(net))).collect()
    };
    let by_exit =
        [("EXIT_HARD_STOP", 1, "-50"), ("EXIT_SIGNAL_FLIP", 2, "-30"), ("EXIT_TAKE_PROFIT", 3, "180")];
    assert_eq!(shown(&metrics.by_exit_reason), rows(&by_exit));
    assert_eq!(shown(&metrics.by_side), rows(&[("long", 4, "130"), ("short", 2, "-30")]));
    assert_eq!(shown(&metrics.by_symbol), rows(&[("BTCUSDT", 6, "100")]));
    assert_eq!(shown(&metrics.by_hour), rows(&[("01", 2, "50"), ("13", 2, "-30"), ("23", 2, "80")]));
    assert_eq!(metrics.by_template.len(), 1);
    assert!(metrics.by_template[0].key.ends_with(" v2"), "{}", metrics.by_template[0].key);
    let cells: Vec<_> =
        metrics.heat_map.iter().map(|cell| (cell.weekday, cell.hour, cell.trades, cell.net)).collect();
    assert_eq!(cells, [(0, 1, 2, d("50")), (1, 13, 2, d("-30")), (6, 23, 2, d("80"))]);
}

#[test]
fn inverse_results_are_converted_before_they_are_called_quote() {
    let trades = trades();
    let linear = Metrics::new(&trades, course().summary(), ContractType::Linear);
    assert_eq!((linear.net_quote, linear.return_pct), (Some(d("100")), Some(10.0)));
    // Every trade ended at 200 quote per unit of the settlement asset.
    let inverse = Metrics::new(&trades, course().summary(), ContractType::Inverse);
    assert_eq!(inverse.net_quote, Some(d("20000")));
}

#[test]
fn figures_of_the_course_are_those_of_the_sheet() {
    let summary = course().summary();
    assert_eq!((summary.start, summary.end), (d("1000"), d("1100")));
    let fall = summary.max_drawdown.unwrap();
    assert_eq!((fall.amount, fall.peak), (d("30"), d("1050")));
    let days = |at: Timestamp| at.since_ms(Timestamp::from_ms(MONDAY)) / DAY;
    assert_eq!((days(fall.from), days(fall.trough), fall.recovered.map(days)), (1, 2, Some(7)));
    near(summary.max_drawdown_pct, 30.0 / 1050.0 * 100.0);
    // 3 of 7 values.
    near(summary.exposure_pct, 300.0 / 7.0);
    // 1.1 ^ (365 / 7) − 1, computed elsewhere.
    let growth = summary.cagr_pct.unwrap();
    assert!((growth - 14_299.017_813).abs() < 1e-5, "{growth}");
    near(summary.calmar, growth / (30.0 / 1050.0 * 100.0));
    // Daily returns: 0.05, −30/1050, 0, 0, 0, 0, 80/1020.
    let returns = [0.05, -30.0 / 1050.0, 0.0, 0.0, 0.0, 0.0, 80.0 / 1020.0];
    let mean = returns.iter().sum::<f64>() / 7.0;
    let deviation = (returns.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / 6.0).sqrt();
    near(summary.sharpe, mean / deviation * 365.0_f64.sqrt());
    let downside = ((30.0_f64 / 1050.0) * (30.0 / 1050.0) / 7.0).sqrt();
    near(summary.sortino, mean / downside * 365.0_f64.sqrt());
    assert_eq!(summary.months.len(), 1);
    assert_eq!((summary.months[0].month.as_str(), summary.months[0].change), ("2024-01", d("100")));
}

fn decision(
    number: i64,
    close: &str,
    readings: &[Reading],
    blocks: &[(ReasonCode, Option<u16>)],
) -> Decision {
    let roles = [Role::Signal, Role::Signal, Role::Filter];
    let named = |(place, reading): (u16, &Reading)| NamedReading {
        component: place,
        kind: "ema_cross".into(),
        role: roles[usize::from(place)],
        reading: *reading,
    };
    let at = Timestamp::from_ms(MONDAY + number * HOUR);
    Decision {
        symbol: linear().symbol,
        candle: at,
        closed_at: at,
        decided_at: at,
        close: price(close),
        readings: (0_u16..).zip(readings).map(named).collect(),
        score: Decimal::ZERO,
        threshold: Decimal::ONE,
        wanted: Direction::Long,
        blocks: blocks
            .iter()
            .map(|(reason, component)| Block { component: *component, ..Block::plain(*reason) })
            .collect(),
        headline: ReasonCode::NoSignal,
        done: Done::Nothing,
        market: None,
    }
}

fn says(direction: Direction) -> Reading {
    Reading::signal(direction, 0.0, None)
}

fn lets(long: Check) -> Reading {
    Reading::check(long, Check::Pass, 0.0, None)
}

#[test]
fn components_are_measured_by_what_followed() {
    let mut analyst = SignalAnalyst::default();
    let (up, down, none) = (says(Direction::Long), says(Direction::Short), says(Direction::Neutral));
    let pass = [up, down, lets(Check::Pass)];
    // The filter stands alone against an entry at 100; 24 candles later the price is 90: avoided, 10 %.
    analyst.take(&decision(
        0,
        "100",
        &[up, none, lets(Check::Block)],
        &[(ReasonCode::FilterBlocked, Some(2))],
    ));
    // With another reason beside it, at 200; 24 candles later the price is 220: missed, 10 %.
    let both = [(ReasonCode::FilterBlocked, Some(2)), (ReasonCode::OutsideSession, None)];
    analyst.take(&decision(1, "200", &[up, none, lets(Check::Block)], &both));
    // A position is open: no entry was in question.
    let open = [(ReasonCode::FilterBlocked, Some(2)), (ReasonCode::PositionOpen, None)];
    analyst.take(&decision(2, "100", &[Reading::WARMING_UP, none, lets(Check::Block)], &open));
    for number in 3..24 {
        analyst.take(&decision(number, "100", &pass, &[]));
    }
    analyst.take(&decision(24, "90", &pass, &[]));
    analyst.take(&decision(25, "220", &pass, &[]));
    let mut trades = trades();
    for (trade, readings) in trades.iter_mut().zip([&pass, &pass, &pass]) {
        trade.entry_decision = Some(Box::new(decision(0, "100", readings, &[])));
    }
    let analysis = analyst.finish(&trades);
    assert_eq!((analysis.decisions, analysis.horizon_candles, analysis.components.len()), (26, 24, 3));
    let [first, second, filter] = &analysis.components[..] else { panic!("three components") };
    assert_eq!((first.verdicts, first.long, first.short), (25, 25, 0), "warming up is no verdict");
    assert_eq!((second.verdicts, second.long, second.short), (26, 0, 23));
    assert_eq!((filter.long, filter.short), (23, 26));
    assert_eq!((filter.blocked, filter.blocked_alone, filter.missed, filter.avoided), (2, 1, 1, 1));
    near(filter.later_move_pct, 0.0);
    // Trades 1 and 2 were long, trade 3 short; the others have no record.
    assert_eq!((first.agreed.trades, first.agreed.net, first.opposed.net), (2, d("50"), d("-30")));
    near(first.agreed.win_rate_pct, 50.0);
    assert_eq!((second.agreed.trades, second.opposed.trades), (1, 2));
    assert_eq!((filter.agreed.trades, filter.neutral.trades), (3, 0));
    let text = keyhold_engine::report::text::write_signals(&analysis).unwrap();
    assert!(
        text.contains("2 entries (1 alone); later move 0.00 % over 24 candles: 1 missed, 1 avoided"),
        "{text}"
    );
}

fn order_and_fill(purpose: OrderPurpose, amount: &str, at: &str, liquidity: Liquidity) -> (NewOrder, Fill) {
    let order = NewOrder {
        client_id: ids(0).order_name(0, purpose).unwrap(),
        symbol: linear().symbol,
        side: Side::Buy,
        kind: OrderKind::Market,
        quantity: quantity(amount),
        effect: PositionEffect::Increase,
        purpose,
    };
    let fill = Fill {
        fill_id: ShortText::new("1").unwrap(),
        client_id: Some(order.client_id),
        venue_order_id: ShortText::new("1").unwrap(),
        symbol: order.symbol,
        side: order.side,
        price: price(at),
        quantity: order.quantity,
        fee: Money::zero(linear().settle),
        liquidity,
        at: Timestamp::from_ms(MONDAY),
    };
    (order, fill)
}

#[test]
fn execution_counts_what_was_wanted_and_how_it_was_filled() {
    let contract = linear().contract();
    let mut counter = ExecutionCounter::default();
    let mut bot = order_and_fill(OrderPurpose::Entry, "2", "100", Liquidity::Taker);
    counter.sent(&bot.0);
    counter.filled(&bot.1, contract);
    // Half of an exit is filled, as a maker.
    bot = order_and_fill(OrderPurpose::Exit, "1", "100", Liquidity::Maker);
    bot.0.quantity = quantity("2");
    counter.sent(&bot.0);
    counter.filled(&bot.1, contract);
    // A resting stop that never fills is no missed quantity.
    counter.sent(&order_and_fill(OrderPurpose::ProtectiveStop, "2", "90", Liquidity::Taker).0);
    counter.refused();
    let figures = counter.figures();
    assert_eq!((figures.orders, figures.refused, figures.fills), (4, 1, 2));
    near(figures.fill_ratio_pct, 75.0);
    near(figures.maker_share_pct, 100.0 / 3.0);
}
