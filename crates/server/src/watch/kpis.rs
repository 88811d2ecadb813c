//! The dashboard's figures, computed from rows. Pure: it is given everything.
//!
//! Amounts of different assets are never added. What is not known is null: a sum with an unknown part is unknown, and an
//! asset about which nothing is known is not listed.

use std::collections::{BTreeMap, BTreeSet};

use keyhold_domain::{Asset, Decimal, Timestamp};
use keyhold_store::{EquityPoint, OpenPosition, TradeResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::values::{Amount, decimal};

/// How many bots are how.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct BotCounts {
    pub(crate) online: u32,
    pub(crate) paused: u32,
    /// Offline or failed.
    pub(crate) trouble: u32,
}

/// Winners, losers and trades that ended where they began.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) trades: usize,
    wins: usize,
    losses: usize,
}

impl Outcomes {
    /// Counts results.
    pub(crate) fn of(results: &[TradeResult]) -> Self {
        let wins = results.iter().filter(|result| result.net > Decimal::ZERO).count();
        let losses = results.iter().filter(|result| result.net < Decimal::ZERO).count();
        Self { trades: results.len(), wins, losses }
    }

    /// `wins / (wins + losses)`; trades that ended at zero count in neither. `None` before the first of them.
    pub(crate) fn win_rate(&self) -> Option<String> {
        let decided = Decimal::from(self.wins + self.losses);
        let rate = Decimal::from(self.wins).checked_div(decided)?;
        Some(decimal(rate.round_dp(4)))
    }
}

/// Net results since an instant per asset. Assets that accounts hold are listed with zero when nothing was closed in
/// them: that nothing was earned is known.
pub(crate) fn earned(results: &[TradeResult], since: Timestamp, held: &[EquityPoint]) -> Vec<Amount> {
    let mut sums: BTreeMap<Asset, Option<Decimal>> =
        held.iter().map(|point| (point.asset, Some(Decimal::ZERO))).collect();
    for result in results.iter().filter(|result| result.at >= since) {
        let sum = sums.entry(result.asset).or_insert(Some(Decimal::ZERO));
        *sum = sum.and_then(|sum| sum.checked_add(result.net));
    }
    sums.into_iter().map(|(asset, sum)| Amount::new(sum, asset)).collect()
}

/// Unrealized profit of open positions per asset; null when one of them is not known. Assets that accounts hold without
/// a position have zero.
pub(crate) fn open_profit(positions: &[&OpenPosition], held: &[EquityPoint]) -> Vec<Amount> {
    let mut sums: BTreeMap<Asset, Option<Decimal>> =
        held.iter().map(|point| (point.asset, Some(Decimal::ZERO))).collect();
    for position in positions {
        let sum = sums.entry(position.report.settle).or_insert(Some(Decimal::ZERO));
        *sum = sum.zip(position.report.unrealized).and_then(|(sum, part)| sum.checked_add(part));
    }
    sums.into_iter().map(|(asset, sum)| Amount::new(sum, asset)).collect()
}

/// Newest equity of accounts that are no longer heard of would be shown as if it were of now; this is since when.
pub(crate) fn as_of(held: &[EquityPoint]) -> Option<Timestamp> {
    let bots: BTreeSet<_> = held.iter().map(|point| point.bot).collect();
    let newest = |bot| held.iter().filter(|point| point.bot == bot).map(|point| point.at).max();
    bots.into_iter().filter_map(newest).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhold_domain::{BotId, SignedQuantity};
    use keyhold_protocol::uplink::{PositionReport, StopPlace};

    fn result(asset: &str, at: i64, net: &str) -> TradeResult {
        TradeResult {
            bot: BotId::from_u128(1),
            at: Timestamp::from_ms(at),
            asset: asset.parse().unwrap(),
            net: net.parse().unwrap(),
        }
    }

    fn position(asset: &str, unrealized: Option<&str>) -> OpenPosition {
        OpenPosition {
            bot: BotId::from_u128(1),
            report: PositionReport {
                symbol: "BTCUSDT".parse().unwrap(),
                size: SignedQuantity::new(Decimal::ONE),
                entry: None,
                mark: None,
                unrealized: unrealized.map(|text| text.parse().unwrap()),
                settle: asset.parse().unwrap(),
                stop: None,
                stop_at_venue: StopPlace::None,
                target: None,
                liquidation: None,
                opened_at: None,
            },
            updated_at: Timestamp::EPOCH,
        }
    }

    fn held(asset: &str, bot: u128, at: i64) -> EquityPoint {
        EquityPoint {
            bot: BotId::from_u128(bot),
            asset: asset.parse().unwrap(),
            at: Timestamp::from_ms(at),
            environment: "live".to_owned(),
            wallet: Decimal::ONE,
            equity: Decimal::ONE,
        }
    }

    fn texts(amounts: &[Amount]) -> Vec<String> {
        amounts
            .iter()
            .map(|amount| format!("{} {}", amount.amount.as_deref().unwrap_or("unknown"), amount.asset))
            .collect()
    }

    #[test]
    fn assets_are_summed_apart_and_known_ones_have_a_zero() {
        let results = [result("USDT", 10, "5.10"), result("BTC", 20, "-0.001"), result("USDT", 9, "100")];
        let amounts = earned(&results, Timestamp::from_ms(10), &[held("ETH", 1, 0)]);
        assert_eq!(texts(&amounts), ["-0.001 BTC", "0 ETH", "5.1 USDT"]);
        assert!(
            earned(&[], Timestamp::EPOCH, &[]).is_empty(),
            "nothing is known, so nothing is shown as zero"
        );
    }

    #[test]
    fn a_sum_with_an_unknown_part_is_unknown() {
        let positions = [position("USDT", Some("1.5")), position("USDT", None), position("BTC", Some("0.1"))];
        let positions: Vec<&OpenPosition> = positions.iter().collect();
        assert_eq!(texts(&open_profit(&positions, &[])), ["0.1 BTC", "unknown USDT"]);
        assert_eq!(texts(&open_profit(&[], &[held("USDT", 1, 0)])), ["0 USDT"]);
    }

    #[test]
    fn zero_results_count_in_neither_side_of_the_win_rate() {
        let results =
            [result("USDT", 0, "1"), result("USDT", 0, "-1"), result("USDT", 0, "0"), result("USDT", 0, "2")];
        let outcomes = Outcomes::of(&results);
        assert_eq!((outcomes.trades, outcomes.win_rate().as_deref()), (4, Some("0.6667")));
        assert_eq!(Outcomes::of(&[]).win_rate(), None);
        assert_eq!(Outcomes::of(&[result("USDT", 0, "0")]).win_rate(), None);
    }

    #[test]
    fn equity_is_as_old_as_the_account_heard_of_least_recently() {
        let points = [held("USDT", 1, 100), held("BTC", 1, 50), held("USDT", 2, 70)];
        assert_eq!(as_of(&points), Some(Timestamp::from_ms(70)));
        assert_eq!(as_of(&[]), None);
    }
}
