//! Figures as text for a terminal. Figures that are not defined are shown as a dash.

use std::fmt::{self, Write as _};

use super::{Group, Metrics, TradeStats};

/// Writes the figures as aligned lines.
pub fn write(metrics: &Metrics, asset: &str) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let (trades, equity) = (&metrics.trades, &metrics.equity);
    let out = &mut text;
    line(out, "Net profit", &format!("{} {asset} ({})", trades.net.normalize(), pct(metrics.return_pct)))?;
    line(
        out,
        "Gross, fees, funding",
        &format!("{}, {}, {}", trades.gross.normalize(), trades.fees.normalize(), trades.funding.normalize()),
    )?;
    line(out, "Trades", &counts(trades))?;
    line(out, "Win rate", &pct(trades.win_rate_pct))?;
    line(out, "Profit factor", &number(trades.profit_factor))?;
    line(
        out,
        "Expectancy",
        &format!("{} {asset}, {} R", shown(trades.expectancy), number(trades.expectancy_r)),
    )?;
    line(
        out,
        "Average win, loss",
        &format!(
            "{}, {} (payoff {})",
            shown(trades.average_win),
            shown(trades.average_loss),
            number(trades.payoff)
        ),
    )?;
    line(out, "Best, worst", &format!("{}, {}", shown(trades.best), shown(trades.worst)))?;
    line(out, "Streaks", &format!("{} wins, {} losses", trades.win_streak, trades.loss_streak))?;
    let fall = equity.max_drawdown.map_or_else(
        || String::from("-"),
        |fall| {
            format!(
                "{} {asset} ({}) from {} to {}",
                fall.amount.normalize(),
                pct(equity.max_drawdown_pct),
                fall.from,
                fall.trough
            )
        },
    );
    line(out, "Greatest drawdown", &fall)?;
    line(out, "Sharpe, Sortino", &format!("{}, {}", number(equity.sharpe), number(equity.sortino)))?;
    line(out, "Annual growth, Calmar", &format!("{}, {}", pct(equity.cagr_pct), number(equity.calmar)))?;
    line(out, "Time in positions", &pct(equity.exposure_pct))?;
    groups(out, "By exit", &metrics.by_exit_reason)?;
    groups(out, "By side", &metrics.by_side)?;
    Ok(text)
}

fn line(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "{name:<24}{value}")
}

fn groups(out: &mut String, title: &str, groups: &[Group]) -> fmt::Result {
    for group in groups {
        let stats = &group.stats;
        let value = format!("{:<22}{:>6} trades, net {}", group.key, stats.count, stats.net.normalize());
        line(out, title, &value)?;
    }
    Ok(())
}

fn counts(trades: &TradeStats) -> String {
    format!("{} ({} won, {} lost, {} even)", trades.count, trades.wins, trades.losses, trades.even)
}

fn shown(value: Option<keyhold_domain::Decimal>) -> String {
    value.map_or_else(|| String::from("-"), |value| value.round_dp(8).normalize().to_string())
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| String::from("-"), |value| format!("{value:.2}"))
}

fn pct(value: Option<f64>) -> String {
    value.map_or_else(|| String::from("-"), |value| format!("{value:.2} %"))
}
