//! Figures as text for a terminal. Figures that are not defined are shown as a dash.

use std::fmt::{self, Write as _};

use super::digits::{amount, duration, optional, pct, ratio};
use super::{Execution, Group, Metrics, SignalAnalysis, TradeStats};
use crate::catalog;
use crate::template::Role;

/// Writes the figures as aligned lines. Amounts are rounded for reading; the document keeps every digit.
pub fn write(metrics: &Metrics, asset: &str) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let (trades, equity) = (&metrics.trades, &metrics.equity);
    let out = &mut text;
    line(out, "Net profit", &format!("{} {asset} ({})", amount(trades.net), pct(metrics.return_pct)))?;
    if let Some(quote) = metrics.net_quote.filter(|quote| *quote != trades.net.round_dp(12)) {
        line(out, "In quote currency", &amount(quote))?;
    }
    line(
        out,
        "Gross, fees, funding",
        &format!("{}, {}, {}", amount(trades.gross), amount(trades.fees), amount(trades.funding)),
    )?;
    line(out, "Trades", &counts(trades))?;
    line(out, "Win rate", &pct(trades.win_rate_pct))?;
    line(out, "Profit factor", &ratio(trades.profit_factor))?;
    line(
        out,
        "Expectancy",
        &format!("{} {asset}, {} R", optional(trades.expectancy), ratio(trades.expectancy_r)),
    )?;
    let (win, loss) = (optional(trades.average_win), optional(trades.average_loss));
    line(out, "Average win, loss", &format!("{win}, {loss} (payoff {})", ratio(trades.payoff)))?;
    line(out, "Best, worst", &format!("{}, {}", optional(trades.best), optional(trades.worst)))?;
    line(out, "Streaks", &format!("{} wins, {} losses", trades.win_streak, trades.loss_streak))?;
    line(out, "Greatest drawdown", &drawdown(metrics, asset))?;
    line(out, "Sharpe, Sortino", &format!("{}, {}", ratio(equity.sharpe), ratio(equity.sortino)))?;
    line(out, "Annual growth, Calmar", &format!("{}, {}", pct(equity.cagr_pct), ratio(equity.calmar)))?;
    let held = trades.average_holding_ms.map_or_else(|| String::from("-"), duration);
    line(out, "Time in positions", &format!("{}, {held} a trade", pct(equity.exposure_pct)))?;
    let slippage = format!("{}, {} bp", ratio(trades.slippage_in_bps), ratio(trades.slippage_out_bps));
    line(out, "Slippage in, out", &slippage)?;
    line(out, "Fees of gross", &pct(trades.fees_of_gross_pct))?;
    groups(out, "By exit", &metrics.by_exit_reason)?;
    groups(out, "By side", &metrics.by_side)?;
    if metrics.by_symbol.len() > 1 {
        groups(out, "By instrument", &metrics.by_symbol)?;
    }
    for month in &equity.months {
        let value = format!("{:<22}{:>14}, {}", month.month, amount(month.change), pct(month.change_pct));
        line(out, "By month", &value)?;
    }
    Ok(text)
}

/// Writes how orders were executed as aligned lines.
pub fn write_execution(execution: &Execution) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let orders =
        format!("{} ({} refused), {} executions", execution.orders, execution.refused, execution.fills);
    line(&mut text, "Orders", &orders)?;
    let shares = format!("{}, {}", pct(execution.fill_ratio_pct), pct(execution.maker_share_pct));
    line(&mut text, "Filled, as maker", &shares)?;
    Ok(text)
}

/// Writes what each component contributed, one paragraph each.
pub fn write_signals(analysis: &SignalAnalysis) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let out = &mut text;
    for found in &analysis.components {
        let title = catalog::component(&found.kind).map_or(found.kind.as_str(), |entry| entry.title);
        writeln!(out, "{title} ({})", found.role.name().replace('_', " "))?;
        let words = if found.role == Role::Signal { "bullish, bearish" } else { "let longs, shorts pass" };
        line(out, "  Said", &format!("{} and {} of {} ({words})", found.long, found.short, found.verdicts))?;
        for (name, outcome) in
            [("agreed", found.agreed), ("neutral", found.neutral), ("opposed", found.opposed)]
        {
            if outcome.trades > 0 {
                let won = format!("{} won, net {}", pct(outcome.win_rate_pct), amount(outcome.net));
                line(out, &format!("  Trades, {name}"), &format!("{} ({won})", outcome.trades))?;
            }
        }
        if found.blocked > 0 {
            let alone = format!("{} entries ({} alone)", found.blocked, found.blocked_alone);
            let later = format!(
                "{} over {} candles: {} missed, {} avoided",
                pct(found.later_move_pct),
                analysis.horizon_candles,
                found.missed,
                found.avoided
            );
            line(out, "  Stood against", &format!("{alone}; later move {later}"))?;
        }
    }
    Ok(text)
}

fn drawdown(metrics: &Metrics, asset: &str) -> String {
    let Some(fall) = metrics.equity.max_drawdown else { return String::from("-") };
    let recovered =
        fall.recovered.map_or_else(|| String::from("not recovered"), |at| format!("recovered {at}"));
    format!(
        "{} {asset} ({}) from {} to {}, {recovered}",
        amount(fall.amount),
        pct(metrics.equity.max_drawdown_pct),
        fall.from,
        fall.trough
    )
}

fn line(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "{name:<24}{value}")
}

fn groups(out: &mut String, title: &str, groups: &[Group]) -> fmt::Result {
    for group in groups {
        let stats = &group.stats;
        let value = format!("{:<22}{:>6} trades, net {}", group.key, stats.count, amount(stats.net));
        line(out, title, &value)?;
    }
    Ok(())
}

fn counts(trades: &TradeStats) -> String {
    format!("{} ({} won, {} lost, {} even)", trades.count, trades.wins, trades.losses, trades.even)
}
