//! Live equals backtest: one recording of a market is played to a real bot process and given to the backtester; decisions
//! and trades must be the same, number by number.
//!
//! The bot is the program itself with a real keeper, the venue speaks its wire protocol, orders travel over HTTP and fills
//! over WebSocket. What is compared is what the bot reported over its uplink. [`replay`] drives, [`compare`] judges;
//! docs/decisions/0011-live-equals-backtest.md says what each of the two ways of playing proves.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "helpers of tests fail the test by panicking and say what they found"
)]

mod compare;
mod data;
#[allow(dead_code, reason = "the keeper of the other tests can also go away")]
#[path = "../it/keeper.rs"]
mod keeper;
mod replay;
mod rig;
mod uplink;

use compare::Difference;
use data::Case;
use replay::Pace;

/// Every decision and every trade is the same, to the last digit, when the venue waits for the bot's orders between the
/// close of a candle and the next open, which is what the backtester assumes.
async fn same(case: Case) {
    let run = replay::live(&case, Pace::OrdersBeforeOpen).await;
    let expected = compare::backtest(&case, &run);
    let found = compare::compare(&case, &run, &expected);
    assert!(run.trades.len() >= case.least_trades, "only {} trades: this proves little", run.trades.len());
    assert!(found.is_none(), "{}", found.as_ref().map(Difference::in_full).unwrap_or_default());
}

#[tokio::test]
async fn made_up_market_trend_follower() {
    same(data::made_up("trend-follower", 900, 15)).await;
}

#[tokio::test]
async fn made_up_market_mean_reversion_with_limits() {
    same(data::made_up("mean-reversion", 3_000, 2)).await;
}

// Some minutes long: 44,231 candles after the history, one by one through processes, sockets and files.
#[tokio::test]
async fn a_month_of_bitcoin_trend_follower() {
    bitcoin("trend-follower", None, 1_000).await;
}

#[tokio::test]
async fn a_month_of_bitcoin_mean_reversion_with_limits() {
    bitcoin("mean-reversion", None, 50).await;
}

async fn bitcoin(id: &str, played: Option<usize>, least_trades: usize) {
    if let Some(case) = data::month(id, played, least_trades) {
        same(case).await;
    }
}

async fn ripple(id: &str, least_trades: usize) {
    if let Some(case) = data::days(id, least_trades) {
        same(case).await;
    }
}

/// What is played in every run besides the two whole months: the first candles of the month, and four days of another
/// market. With the least number of trades of each.
const EVERY: [(&str, usize, usize); 5] = [
    ("trend-follower", 0, 0),
    ("mean-reversion", 0, 0),
    ("volatility-breakout", 0, 0),
    ("momentum", 0, 0),
    ("trend-pullback", 0, 0),
];
const FIRST: usize = 5_000;

async fn both(id: &str) {
    let (_, on_bitcoin, on_ripple) = *EVERY.iter().find(|(listed, ..)| *listed == id).unwrap();
    bitcoin(id, Some(FIRST), on_bitcoin).await;
    ripple(id, on_ripple).await;
}

#[test]
fn every_system_template_is_played() {
    let all: Vec<_> = keyhold_engine::system_templates::all().iter().map(|system| system.id).collect();
    assert_eq!(EVERY.map(|(id, ..)| id).as_slice(), all);
}

#[tokio::test]
async fn trend_follower() {
    both("trend-follower").await;
}

#[tokio::test]
async fn mean_reversion() {
    both("mean-reversion").await;
}

#[tokio::test]
async fn volatility_breakout() {
    both("volatility-breakout").await;
}

#[tokio::test]
async fn momentum() {
    both("momentum").await;
}

#[tokio::test]
async fn trend_pullback() {
    both("trend-pullback").await;
}

#[tokio::test]
#[ignore = "minutes for each template; the first days of the month are played in every run"]
async fn whole_months() {
    for (id, ..) in EVERY {
        bitcoin(id, None, 1).await;
    }
}
