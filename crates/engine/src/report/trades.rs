//! Figures from completed trades.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use keyhold_domain::exact::{compare, is_negative, is_positive, saturating_add};
use keyhold_domain::money::{decimal_text, optional_decimal_text};
use keyhold_domain::{Decimal, ReasonCode, Side, Symbol, TemplateId};
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

#[derive(Debug, Clone, Default)]
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

/// What figures need of a trade, converted once for all groups that count it.
struct Row<'a> {
    trade: &'a Trade,
    r: Option<f64>,
    slippage: (f64, f64),
}

impl<'a> Row<'a> {
    fn new(trade: &'a Trade) -> Self {
        Self {
            trade,
            r: trade.r_multiple.map(decimal_to_f64),
            slippage: (decimal_to_f64(trade.slippage_in_bps), decimal_to_f64(trade.slippage_out_bps)),
        }
    }
}

/// Figures that are being added up.
#[derive(Debug, Clone, Default)]
struct Tally {
    stats: TradeStats,
    sums: Sums,
}

impl Tally {
    fn add(&mut self, row: &Row<'_>) {
        self.stats.add(row, &mut self.sums);
    }

    fn finished(mut self) -> TradeStats {
        self.stats.finish(&self.sums);
        self.stats
    }
}

impl TradeStats {
    /// The figures of trades in the order in which they ended.
    pub fn of<'a>(trades: impl Iterator<Item = &'a Trade>) -> Self {
        let mut all = Tally::default();
        for trade in trades {
            all.add(&Row::new(trade));
        }
        all.finished()
    }

    fn add(&mut self, row: &Row<'_>, sums: &mut Sums) {
        let trade = row.trade;
        self.count += 1;
        self.gross = saturating_add(self.gross, trade.gross);
        self.fees = saturating_add(self.fees, trade.fees);
        self.funding = saturating_add(self.funding, trade.funding);
        self.net = saturating_add(self.net, trade.net);
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
            sums.wins = saturating_add(sums.wins, trade.net);
            sums.streaks = (sums.streaks.0 + 1, 0);
        } else if is_negative(trade.net) {
            self.losses += 1;
            sums.losses = saturating_add(sums.losses, trade.net);
            sums.streaks = (0, sums.streaks.1 + 1);
        } else {
            self.even += 1;
            sums.streaks = (0, 0);
        }
        self.win_streak = self.win_streak.max(sums.streaks.0);
        self.loss_streak = self.loss_streak.max(sums.streaks.1);
        sums.moved = saturating_add(sums.moved, trade.gross.abs());
        sums.holding_ms = sums.holding_ms.saturating_add(trade.exited_at.since_ms(trade.entered_at));
        sums.delay_ms = sums.delay_ms.saturating_add(trade.entered_at.since_ms(trade.decided_at));
        if let Some(r) = row.r {
            sums.r = (sums.r.0 + r, sums.r.1 + 1);
        }
        sums.slippage.0 += row.slippage.0;
        sums.slippage.1 += row.slippage.1;
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

/// The trades of each value of something.
#[derive(Debug)]
struct Groups<K> {
    /// The value of the trade before: trades of one instrument, one template or one hour follow each other.
    newest: usize,
    found: Vec<(K, Tally)>,
    places: BTreeMap<K, usize>,
}

impl<K: Ord + Copy> Groups<K> {
    const fn new() -> Self {
        Self { newest: 0, found: Vec::new(), places: BTreeMap::new() }
    }

    /// A first group with what has been added up before.
    fn begin(&mut self, key: K, tally: &Tally) {
        self.places.insert(key, self.found.len());
        self.found.push((key, tally.clone()));
    }

    fn add(&mut self, key: K, row: &Row<'_>) {
        if self.found.get(self.newest).is_none_or(|(newest, _)| *newest != key) {
            self.newest = *self.places.entry(key).or_insert(self.found.len());
            if self.newest == self.found.len() {
                self.found.push((key, Tally::default()));
            }
        }
        self.found[self.newest].1.add(row);
    }

    /// In the order of their names. A name is written once per group and not once per trade.
    fn named(self, name: impl Fn(&K) -> String) -> Vec<Group> {
        let named = |(key, tally): (K, Tally)| Group { key: name(&key), stats: tally.finished() };
        let mut groups: Vec<Group> = self.found.into_iter().map(named).collect();
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        groups
    }
}

/// The figures of all trades and of what some of them have in common. Trades are many and lie far apart: each is looked
/// at once, for all groups.
#[derive(Debug)]
pub(super) struct Grouped {
    pub(super) all: TradeStats,
    pub(super) by_exit_reason: Vec<Group>,
    /// Long and short trades.
    pub(super) by_side: Vec<Group>,
    pub(super) by_symbol: Vec<Group>,
    /// By the UTC hour of their entry, `00` to `23`.
    pub(super) by_hour: Vec<Group>,
    /// By the template that decided them and its version.
    pub(super) by_template: Vec<Group>,
}

impl Grouped {
    pub(super) fn of(trades: &[Trade]) -> Self {
        let mut all = Tally::default();
        let mut reasons: Groups<ReasonCode> = Groups::new();
        let mut shorts: Groups<bool> = Groups::new();
        let mut hours: Groups<u8> = Groups::new();
        let mut symbols: Groups<Symbol> = Groups::new();
        let mut templates: Groups<(TemplateId, u32)> = Groups::new();
        let key = |trade: &Trade| (trade.symbol, (trade.template, trade.template_version));
        // As long as all trades are of one instrument and one template, what is known of all is not counted again.
        let first = trades.first().map(key);
        let mut mixed = false;
        for trade in trades {
            let row = Row::new(trade);
            if let Some((symbol, template)) = first.filter(|first| !mixed && *first != key(trade)) {
                mixed = true;
                symbols.begin(symbol, &all);
                templates.begin(template, &all);
            }
            all.add(&row);
            reasons.add(trade.exit_reason, &row);
            shorts.add(trade.side == Side::Sell, &row);
            hours.add(super::calendar::hour_of(trade.entered_at), &row);
            if mixed {
                symbols.add(trade.symbol, &row);
                templates.add((trade.template, trade.template_version), &row);
            }
        }
        if let Some((symbol, template)) = first.filter(|_| !mixed) {
            symbols.begin(symbol, &all);
            templates.begin(template, &all);
        }
        Self {
            all: all.finished(),
            by_exit_reason: reasons.named(|reason| reason.as_str().to_owned()),
            by_side: shorts.named(|is_short| if *is_short { "short" } else { "long" }.to_owned()),
            by_symbol: symbols.named(|symbol| symbol.as_str().to_owned()),
            by_hour: hours.named(|hour| format!("{hour:02}")),
            by_template: templates.named(|(template, version)| format!("{template} v{version}")),
        }
    }
}
