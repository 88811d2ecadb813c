//! Equity over time, summed over bots per asset. Environments and assets are never added.
//!
//! A bot's account is counted only while the bot holds a key: an account that moved from one bot to another would be
//! counted twice otherwise.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use keyhold_domain::time::DAY_MS;
use keyhold_domain::{Asset, BotId, Decimal, Environment, Timestamp};
use keyhold_store::{Bot, EquityPoint};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::values::{Amount, decimal};
use crate::api::documents::query_value;
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// How far back a series goes when nobody says.
pub(crate) const DEFAULT_SPAN_MS: i64 = 30 * DAY_MS;
/// Points of one series, about.
const POINTS: i64 = 240;
/// A point per minute at most: accounts are read about that often.
const FINEST_MS: i64 = 60_000;
/// An asset that its bot has not reported for this long, while it reported others, is no longer held.
const FORGOTTEN_MS: i64 = DAY_MS;

/// A series of one asset.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct EquitySeries {
    #[schema(value_type = shape::Environment)]
    environment: String,
    #[schema(value_type = String)]
    asset: Asset,
    /// Pairs of milliseconds and decimal text, oldest first.
    #[schema(value_type = Vec<(i64, String)>)]
    points: Vec<(Timestamp, String)>,
}

/// How long one point of a series stands for.
pub(crate) fn stretch(from: Timestamp, now: Timestamp) -> i64 {
    (now.since_ms(from) / POINTS).max(FINEST_MS)
}

/// Bots whose account counts in an environment: those that hold a key of it.
pub(crate) fn holders(bots: &[Bot], environment: Environment) -> BTreeSet<BotId> {
    let holds = |bot: &&Bot| bot.key.as_ref().is_some_and(|key| key.environment == environment);
    bots.iter().filter(holds).map(|bot| bot.id).collect()
}

/// What accounts are worth now: the newest value of each bot and asset, without assets a bot no longer holds.
pub(crate) fn held(latest: &[EquityPoint], counted: &BTreeSet<BotId>) -> Vec<EquityPoint> {
    let mut newest: BTreeMap<BotId, Timestamp> = BTreeMap::new();
    for point in latest {
        let at = newest.entry(point.bot).or_insert(point.at);
        *at = point.at.max(*at);
    }
    let is_held = |point: &&EquityPoint| {
        let at = newest.get(&point.bot);
        counted.contains(&point.bot) && at.is_some_and(|at| at.since_ms(point.at) <= FORGOTTEN_MS)
    };
    latest.iter().filter(is_held).cloned().collect()
}

/// The sum per asset; null where it is too large to compute with.
pub(crate) fn totals(points: &[EquityPoint]) -> Vec<Amount> {
    let mut sums: BTreeMap<Asset, Option<Decimal>> = BTreeMap::new();
    for point in points {
        let sum = sums.entry(point.asset).or_insert(Some(Decimal::ZERO));
        *sum = sum.and_then(|sum| sum.checked_add(point.equity));
    }
    sums.into_iter().map(|(asset, sum)| Amount::new(sum, asset)).collect()
}

/// What a line is made of.
type Line = (String, Asset);

/// Sums bots into one line per environment and asset. `before` are the values at the start, `points` what followed,
/// oldest first. In each stretch the last sum counts; a bot counts from its first value on.
pub(crate) fn lines(before: &[EquityPoint], points: &[EquityPoint], every_ms: i64) -> Vec<EquitySeries> {
    let mut newest: BTreeMap<Line, BTreeMap<BotId, Decimal>> = BTreeMap::new();
    let line = |point: &EquityPoint| (point.environment.clone(), point.asset);
    for point in before {
        newest.entry(line(point)).or_default().insert(point.bot, point.equity);
    }
    let mut drawn: BTreeMap<Line, BTreeMap<i64, (Timestamp, Decimal)>> = BTreeMap::new();
    for point in points {
        let bots = newest.entry(line(point)).or_default();
        bots.insert(point.bot, point.equity);
        let total = bots.values().try_fold(Decimal::ZERO, |sum, value| sum.checked_add(*value));
        if let Some(total) = total {
            let place = point.at.ms().div_euclid(every_ms.max(1));
            drawn.entry(line(point)).or_default().insert(place, (point.at, total));
        }
    }
    drawn
        .into_iter()
        .map(|((environment, asset), points)| EquitySeries {
            environment,
            asset,
            points: points.into_values().map(|(at, total)| (at, decimal(total))).collect(),
        })
        .collect()
}

/// Which equity.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct EquityQuery {
    /// One bot; all bots that hold a key when absent.
    bot_id: Option<String>,
    /// `live`, `testnet` or `simulated`; each by itself when absent.
    environment: Option<String>,
    /// Milliseconds; 30 days ago when absent.
    from: Option<i64>,
}

/// Equity over time, one series per environment and asset.
#[utoipa::path(get, path = "/equity", params(EquityQuery),
    responses((status = 200, body = Vec<EquitySeries>), (status = 401, body = ProblemDocument)))]
pub(crate) async fn equity(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<EquityQuery>,
) -> Result<Json<Vec<EquitySeries>>, Problem> {
    let store = &session.workspace;
    let now = app.clock.now();
    let bot = query_value(query.bot_id.as_deref(), "?bot_id")?;
    let environment: Option<Environment> = query_value(query.environment.as_deref(), "?environment")?;
    let from = query.from.map_or_else(|| now.plus_ms(-DEFAULT_SPAN_MS), Timestamp::from_ms);
    let every = stretch(from, now);
    let mut points = store.equity_thinned(bot, environment, from, every).await?;
    if bot.is_none() {
        let bots = store.bots().await?;
        let counts = |point: &EquityPoint| {
            let bot = bots.iter().find(|bot| bot.id == point.bot);
            let holds = bot.and_then(|bot| bot.key.as_ref()).map(|key| key.environment.as_str());
            holds == Some(point.environment.as_str())
        };
        points.retain(counts);
    }
    Ok(Json(lines(&[], &points, every)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(bot: u128, asset: &str, at: i64, equity: &str) -> EquityPoint {
        EquityPoint {
            bot: BotId::from_u128(bot),
            asset: asset.parse().unwrap(),
            at: Timestamp::from_ms(at),
            environment: "simulated".to_owned(),
            wallet: equity.parse().unwrap(),
            equity: equity.parse().unwrap(),
        }
    }

    fn texts(series: &[EquitySeries]) -> Vec<String> {
        series
            .iter()
            .map(|one| {
                let points: Vec<String> =
                    one.points.iter().map(|(at, value)| format!("{}={value}", at.ms())).collect();
                format!("{} {} {}", one.environment, one.asset, points.join(" "))
            })
            .collect()
    }

    #[test]
    fn bots_of_one_asset_are_summed_and_assets_are_not() {
        let points = [
            point(1, "USDT", 10, "100"),
            point(2, "USDT", 20, "50"),
            point(1, "BTC", 30, "0.5"),
            point(1, "USDT", 40, "90.10"),
        ];
        assert_eq!(
            texts(&lines(&[], &points, 1)),
            ["simulated BTC 30=0.5", "simulated USDT 10=100 20=150 40=140.1"]
        );
    }

    #[test]
    fn a_stretch_shows_its_last_sum_and_begins_with_what_was_before() {
        let points = [point(1, "USDT", 1, "100"), point(1, "USDT", 9, "101"), point(1, "USDT", 10, "102")];
        let before = [point(2, "USDT", -5, "1000")];
        assert_eq!(texts(&lines(&before, &points, 10)), ["simulated USDT 9=1101 10=1102"]);
    }

    #[test]
    fn different_environments_make_different_lines() {
        let live = EquityPoint { environment: "live".to_owned(), ..point(2, "USDT", 20, "7") };
        assert_eq!(
            texts(&lines(&[], &[point(1, "USDT", 10, "100"), live], 1)),
            ["live USDT 20=7", "simulated USDT 10=100"]
        );
    }

    #[test]
    fn only_assets_that_are_still_held_and_bots_that_hold_a_key_count() {
        let day = DAY_MS;
        let latest = [
            point(1, "BTC", 0, "1"),
            point(1, "USDT", day + 1, "100"),
            point(2, "USDT", 5, "30"),
            point(3, "USDT", day, "1000"),
        ];
        let counted = [BotId::from_u128(1), BotId::from_u128(2)].into();
        let sums = totals(&held(&latest, &counted));
        let texts: Vec<_> = sums.iter().map(|sum| (sum.amount.as_deref(), sum.asset.as_str())).collect();
        assert_eq!(texts, [(Some("130"), "USDT")], "the key of bot 3 is gone, and bot 1 no longer holds BTC");
    }

    #[test]
    fn a_sum_that_overflows_is_not_known() {
        let mut huge = point(1, "USDT", 0, "1");
        huge.equity = Decimal::MAX;
        let sums = totals(&[huge.clone(), EquityPoint { bot: BotId::from_u128(2), ..huge }]);
        assert_eq!(sums[0].amount, None);
    }
}
