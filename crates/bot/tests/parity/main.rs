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
use data::{Case, Span};
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

/// Every system template with the least number of trades on both recordings.
const EVERY: [(&str, usize, usize); 8] = [
    ("trend-follower", 1000, 35),
    ("mean-reversion", 80, 5),
    ("volatility-breakout", 150, 8),
    ("funding-rate-fade", 500, 20),
    ("momentum", 900, 60),
    ("trend-pullback", 70, 8),
    ("scalper", 1000, 40),
    ("flow-confirmation", 100, 10),
];

/// Those that always play the whole month: one that follows a trend, one that turns against it and has limits.
const WHOLE: [&str; 2] = ["trend-follower", "mean-reversion"];

/// Minutes long: 43,531 candles after the history (20,160 when only a part is played), and 1,135 of another market with
/// the funding that was paid, one by one through processes, sockets and files.
async fn recordings(id: &str) {
    let (_, month, days) = *EVERY.iter().find(|(listed, ..)| *listed == id).unwrap();
    let span = if WHOLE.contains(&id) { Span::Whole } else { Span::Part };
    for case in [data::days(id, days), data::month(id, month, span)].into_iter().flatten() {
        same(case).await;
    }
}

#[test]
fn every_system_template_is_played() {
    let all: Vec<_> = keyhold_engine::system_templates::all().iter().map(|system| system.id).collect();
    assert_eq!(EVERY.map(|(id, ..)| id).as_slice(), all);
}

#[tokio::test]
async fn trend_follower() {
    recordings("trend-follower").await;
}

#[tokio::test]
async fn mean_reversion_with_limits() {
    recordings("mean-reversion").await;
}

#[tokio::test]
async fn volatility_breakout() {
    recordings("volatility-breakout").await;
}

#[tokio::test]
async fn momentum() {
    recordings("momentum").await;
}

#[tokio::test]
async fn trend_pullback() {
    recordings("trend-pullback").await;
}

#[tokio::test]
async fn funding_rate_fade() {
    recordings("funding-rate-fade").await;
}

#[tokio::test]
async fn scalper() {
    recordings("scalper").await;
}

#[tokio::test]
async fn flow_confirmation() {
    recordings("flow-confirmation").await;
}
