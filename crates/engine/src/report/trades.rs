//! Figures from completed trades.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use keyhold_domain::Decimal;
use keyhold_domain::exact::{compare, is_negative, is_positive};
use keyhold_domain::money::{decimal_text, optional_decimal_text};
use serde::{Deserialize, Serialize};

use crate::input::decimal_to_f64;
use crate::trade::Trade;

/// Figures of a set of trades, amounts in the settlement asset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TradeStats {
    /// How many.
    pub count: u64,
    /// Net profit above zero.
    pub wins: u64,
    /// Net profit below zero.
    pub losses: u64,
    /// Net profit of zero; part of neither.
    pub even: u64,
    /// Profit before costs.
    #[serde(with = "decimal_text")]
    pub gross: Decimal,
    /// Fees paid.
    #[serde(with = "decimal_text")]
    pub fees: Decimal,
    /// Funding received; negative when paid.
    #[serde(with = "decimal_text")]
    pub funding: Decimal,
    /// `gross − fees + funding`.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
    /// Wins in percent of wins and losses.
    pub win_rate_pct: Option<f64>,
    /// Sum of wins over sum of losses; not defined without losses.
    pub profit_factor: Option<f64>,
    /// Mean net profit per trade.
    #[serde(with = "optional_decimal_text")]
    pub expectancy: Option<Decimal>,
    /// Mean net profit in multiples of the risk, over the trades that had a hard stop.
    pub expectancy_r: Option<f64>,
    /// Mean win.
    #[serde(with = "optional_decimal_text")]
    pub average_win: Option<Decimal>,
    /// Mean loss, below zero.
    #[serde(with = "optional_decimal_text")]
    pub average_loss: Option<Decimal>,
    /// Mean win over mean loss.
    pub payoff: Option<f64>,
    /// Best trade.
    #[serde(with = "optional_decimal_text")]
    pub best: Option<Decimal>,
    /// Worst trade.
    #[serde(with = "optional_decimal_text")]
    pub worst: Option<Decimal>,
    /// Most wins in a row.
    pub win_streak: u64,
    /// Most losses in a row.
    pub loss_streak: u64,
    /// Mean time from first entry fill to last exit fill, in milliseconds.
    pub average_holding_ms: Option<i64>,
    /// Mean time from the decision to the first entry fill, in milliseconds.
    pub average_entry_delay_ms: Option<i64>,
    /// Mean entry slippage in basis points; positive is worse.
    pub slippage_in_bps: Option<f64>,
    /// Mean exit slippage in basis points; positive is worse.
    pub slippage_out_bps: Option<f64>,
    /// Fees in percent of the gross profit of the winning trades and the gross loss of the losing ones together.
    pub fees_of_gross_pct: Option<f64>,
}

/// Figures of the trades that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What they have in common.
    pub key: String,
    /// Their figures.
    pub stats: TradeStats,
}

#[derive(Default)]
struct Sums {
    wins: Decimal,
    losses: Decimal,
    moved: Decimal,
    holding_ms: i64,
    delay_ms: i64,
    r: (f64, u64),
    slippage: (f64, f64),
    streaks: (u64, u64),
}

impl TradeStats {
    /// The figures of trades in the order in which they ended.
    pub fn of<'a>(trades: impl Iterator<Item = &'a Trade>) -> Self {
        let mut stats = Self::default();
        let mut sums = Sums::default();
        for trade in trades {
            stats.add(trade, &mut sums);
        }
        stats.finish(&sums);
        stats
    }

    fn add(&mut self, trade: &Trade, sums: &mut Sums) {
        self.count += 1;
        self.gross = self.gross.saturating_add(trade.gross);
        self.fees = self.fees.saturating_add(trade.fees);
        self.funding = self.funding.saturating_add(trade.funding);
        self.net = self.net.saturating_add(trade.net);
        // Of equal amounts the one that comes later is kept as the best and the one that was there as the worst, as
        // `max` and `min` do.
        if self.best.is_none_or(|best| compare(best, trade.net) != Ordering::Greater) {
            self.best = Some(trade.net);
        }
        if self.worst.is_none_or(|worst| compare(worst, trade.net) == Ordering::Greater) {
            self.worst = Some(trade.net);
        }
        if is_positive(trade.net) {
            self.wins += 1;
            sums.wins = sums.wins.saturating_add(trade.net);
            sums.streaks = (sums.streaks.0 + 1, 0);
        } else if is_negative(trade.net) {
            self.losses += 1;
            sums.losses = sums.losses.saturating_add(trade.net);
            sums.streaks = (0, sums.streaks.1 + 1);
        } else {
            self.even += 1;
            sums.streaks = (0, 0);
        }
        self.win_streak = self.win_streak.max(sums.streaks.0);
        self.loss_streak = self.loss_streak.max(sums.streaks.1);
        sums.moved = sums.moved.saturating_add(trade.gross.abs());
        sums.holding_ms = sums.holding_ms.saturating_add(trade.exited_at.since_ms(trade.entered_at));
        sums.delay_ms = sums.delay_ms.saturating_add(trade.entered_at.since_ms(trade.decided_at));
        if let Some(r) = trade.r_multiple {
            sums.r = (sums.r.0 + decimal_to_f64(r), sums.r.1 + 1);
        }
        sums.slippage.0 += decimal_to_f64(trade.slippage_in_bps);
        sums.slippage.1 += decimal_to_f64(trade.slippage_out_bps);
    }

    fn finish(&mut self, sums: &Sums) {
        let mean = |sum: Decimal, count: u64| (count > 0).then(|| (sum / Decimal::from(count)).round_dp(12));
        let ratio = |a: Decimal, b: Decimal| (!b.is_zero()).then(|| decimal_to_f64(a) / decimal_to_f64(b));
        let decided = Decimal::from(self.wins + self.losses);
        self.win_rate_pct = ratio(Decimal::from(self.wins) * Decimal::ONE_HUNDRED, decided);
        self.profit_factor = ratio(sums.wins, sums.losses.abs());
        self.expectancy = mean(self.net, self.count);
        self.average_win = mean(sums.wins, self.wins);
        self.average_loss = mean(sums.losses, self.losses);
        self.payoff = self.average_win.zip(self.average_loss).and_then(|(win, loss)| ratio(win, loss.abs()));
        self.expectancy_r = (sums.r.1 > 0).then(|| sums.r.0 / count(sums.r.1));
        if self.count > 0 {
            let trades = i64::try_from(self.count).unwrap_or(i64::MAX);
            self.average_holding_ms = Some(sums.holding_ms / trades);
            self.average_entry_delay_ms = Some(sums.delay_ms / trades);
            self.slippage_in_bps = Some(sums.slippage.0 / count(self.count));
            self.slippage_out_bps = Some(sums.slippage.1 / count(self.count));
        }
        self.fees_of_gross_pct = ratio(self.fees * Decimal::ONE_HUNDRED, sums.moved);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of trades; 2^53 of them do not exist")]
pub(super) fn count(n: u64) -> f64 {
    n as f64
}

/// A share in percent; not defined of nothing.
pub(super) fn ratio_pct(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| count(part) / count(whole) * 100.0)
}

/// Trades with their figures, to be grouped.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// In the order in which they ended.
    pub trades: &'a [Trade],
    /// The figures of all of them.
    pub stats: &'a TradeStats,
}

/// Groups in the order of their names. A name is written once per group and not once per trade.
fn grouped<K: Ord>(all: Counted<'_>, key: impl Fn(&Trade) -> K, name: impl Fn(&K) -> String) -> Vec<Group> {
    let mut groups: BTreeMap<K, Vec<&Trade>> = BTreeMap::new();
    for trade in all.trades {
        groups.entry(key(trade)).or_default().push(trade);
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(key, trades)| Group {
            key: name(&key),
            // One instrument, one template, one side: what is known of all is not counted again.
            stats: if trades.len() == all.trades.len() {
                all.stats.clone()
            } else {
                TradeStats::of(trades.into_iter())
            },
        })
        .collect();
    groups.sort_by(|a, b| a.key.cmp(&b.key));
    groups
}

/// The trades by the reason they ended with.
pub fn by_exit_reason(all: Counted<'_>) -> Vec<Group> {
    grouped(all, |trade| trade.exit_reason, |reason| reason.as_str().to_owned())
}

/// Long and short trades.
pub fn by_side(all: Counted<'_>) -> Vec<Group> {
    let name = |is_short: &bool| if *is_short { "short" } else { "long" }.to_owned();
    grouped(all, |trade| trade.side == keyhold_domain::Side::Sell, name)
}

/// The trades by instrument.
pub fn by_symbol(all: Counted<'_>) -> Vec<Group> {
    grouped(all, |trade| trade.symbol, |symbol| symbol.as_str().to_owned())
}

/// The trades by the UTC hour of their entry, `00` to `23`.
pub fn by_hour(all: Counted<'_>) -> Vec<Group> {
    grouped(all, |trade| super::calendar::hour_of(trade.entered_at), |hour| format!("{hour:02}"))
}

/// The trades by the template that decided them and its version.
pub fn by_template(all: Counted<'_>) -> Vec<Group> {
    let key = |trade: &Trade| (trade.template, trade.template_version);
    grouped(all, key, |(template, version)| format!("{template} v{version}"))
}
