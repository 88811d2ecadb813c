//! A bot trades: entries and exits happen, everything is told once, and the server's absence changes nothing.

use std::collections::BTreeMap;

use keyhold_domain::{Decimal, OrderPurpose, ReasonCode};
use keyhold_protocol::uplink::{
    Command, CommandOutcome, Entries, Isolation, Phase, Report, StopPlace, StopPolicy,
};

use crate::rig::{Rig, isolation};

async fn online(rig: &mut Rig) {
    rig.start("run");
    rig.phase(Phase::Online).await;
    rig.step().await;
}

/// Every fill at the venue was reported once, and nothing else was.
fn assert_told_once(rig: &Rig) {
    let truth = rig.truth();
    let mut at_venue: Vec<String> = truth["fills"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fill| fill["fill"]["fill_id"].as_str().unwrap().to_owned())
        .collect();
    let mut told: Vec<String> = rig.server.heard(|heard| {
        let fill = |report: &Report| match report {
            Report::Fill(fill) => Some(fill.fill.fill_id.to_string()),
            _ => None,
        };
        heard.reports.iter().filter_map(fill).collect()
    });
    at_venue.sort();
    told.sort();
    assert_eq!(told, at_venue, "every fill is reported once");
    let mut trades = BTreeMap::new();
    for trade in rig.trades() {
        assert_eq!(trades.insert(trade.id, trade.net), None, "a trade is reported once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_enters_protects_and_leaves_and_tells_everything_once() {
    let mut rig = Rig::trading(1).await;
    online(&mut rig).await;
    for _ in 0..45 {
        rig.step().await;
        let held = rig.venue_size();
        if !held.is_zero() {
            let position = rig.positions().pop().unwrap();
            assert_eq!(position.stop_at_venue, StopPlace::Venue, "a stop rests for {held}");
        }
    }
    let trades = rig.trades();
    assert!(trades.len() >= 3, "the wave turns four times: {trades:?}");
    assert!(trades.iter().all(|trade| trade.exit_reason == ReasonCode::ExitSignalFlip));
    assert_told_once(&rig);
    let decisions = rig
        .server
        .heard(|heard| heard.reports.iter().filter(|report| matches!(report, Report::Decision(_))).count());
    assert_eq!(decisions, 46, "one decision per closed candle");
    if isolation() == "required" {
        rig.server.heard(|heard| assert_eq!(heard.isolation, Some(Isolation::Full)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_trades_on_while_the_server_is_away_and_tells_everything_once_afterwards() {
    let mut rig = Rig::trading(2).await;
    online(&mut rig).await;
    for _ in 0..12 {
        rig.step().await;
    }
    let before = rig.trades().len();
    rig.server.down().await;
    let fills = |rig: &Rig| rig.truth()["fills"].as_array().unwrap().len();
    let fills_before = fills(&rig);
    let mut last = rig.play();
    for _ in 0..30 {
        rig.until("the candle is decided", || (rig.is_settled_on_disk(last) && at_rest(&rig)).then_some(()))
            .await;
        last = rig.play();
    }
    rig.until("trading went on", || (fills(&rig) >= fills_before + 4).then_some(())).await;
    rig.server.up();
    rig.settled(last).await;
    assert!(rig.trades().len() > before, "trades of the time without a server are told");
    assert_told_once(&rig);
}

/// A position has its one stop, or there is neither.
fn at_rest(rig: &Rig) -> bool {
    let truth = rig.truth();
    let orders = truth["open_orders"].as_array().unwrap();
    let size = rig.venue_size();
    let sum: Decimal =
        orders.iter().map(|order| order["quantity"].as_str().unwrap().parse::<Decimal>().unwrap()).sum();
    if size.is_zero() { orders.is_empty() } else { orders.len() == 1 && sum == size.abs() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_stops_entries_and_not_exits_and_commands_are_done_once() {
    let mut rig = Rig::trading(3).await;
    online(&mut rig).await;
    while rig.venue_size().is_zero() {
        rig.step().await;
    }
    rig.server.assign(|assignment| assignment.entries = Entries::Paused);
    rig.phase(Phase::ExitsOnly).await;
    while !rig.venue_size().is_zero() {
        rig.step().await;
    }
    for _ in 0..15 {
        rig.step().await;
        assert!(rig.venue_size().is_zero(), "a paused bot enters nothing");
    }
    rig.server.assign(|assignment| assignment.entries = Entries::Allowed);
    rig.phase(Phase::Online).await;
    while rig.venue_size().is_zero() {
        rig.step().await;
    }
    rig.server.command(7, Command::Flatten);
    let done = |rig: &Rig| rig.server.heard(|heard| heard.commands.len());
    rig.until("the command is answered", || (done(&rig) == 1).then_some(())).await;
    assert!(rig.venue_size().is_zero());
    rig.until("the position is told", || rig.agrees().then_some(())).await;
    rig.server.command(7, Command::Flatten);
    rig.until("the repeat is answered", || (done(&rig) == 2).then_some(())).await;
    assert_eq!(rig.trades().pop().unwrap().exit_reason, ReasonCode::ExitFlatten);
    for _ in 0..15 {
        rig.step().await;
        assert!(rig.venue_size().is_zero(), "after a flatten it stays paused");
    }
    rig.server.assign(|assignment| assignment.entries = Entries::Allowed);
    while rig.venue_size().is_zero() {
        rig.step().await;
    }
    rig.server.command(8, Command::Stop { positions: StopPolicy::Leave });
    assert_eq!(rig.ended().await, Some(0));
    assert!(!rig.venue_size().is_zero(), "the position was left");
    assert_eq!(rig.truth()["open_orders"].as_array().unwrap().len(), 1, "with its resting stop");
    rig.server.heard(|heard| assert_eq!(heard.commands.last().unwrap().1, CommandOutcome::Completed));
    let exits = rig.orders().iter().filter(|order| order.order.purpose == OrderPurpose::Exit).count();
    assert!(exits > 0);
    assert_told_once(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_template_change_while_it_runs() {
    let mut rig = Rig::trading(4).await;
    online(&mut rig).await;
    while rig.venue_size().is_zero() {
        rig.step().await;
    }
    let first = rig.venue_size().abs();
    rig.server.assign(|assignment| {
        assignment.settings["sizing"]["quote"] = "2000".into();
        assignment.template.as_mut().unwrap().version = 2;
    });
    while rig.trades().len() < 2 {
        rig.step().await;
    }
    let trades = rig.trades();
    assert!(trades[1].quantity.get() > first, "the new size is used: {trades:?}");
    assert_eq!(trades[1].template_version, 2);
    rig.terminate();
    assert_eq!(rig.ended().await, Some(0), "SIGTERM ends it in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_trades_on_without_the_keeper_and_leases_again_when_it_is_back() {
    let mut rig = Rig::trading(5).await;
    online(&mut rig).await;
    while rig.venue_size().is_zero() {
        rig.step().await;
    }
    rig.keeper.down();
    let told = |rig: &Rig, wanted: ReasonCode| {
        rig.server.heard(|heard| {
            let is = |report: &&Report| matches!(report, Report::Event(event) if event.code == wanted);
            heard.reports.iter().filter(is).count()
        })
    };
    rig.until("the loss is told", || (told(&rig, ReasonCode::KeyInactive) == 1).then_some(())).await;
    let trades = rig.trades().len();
    while rig.trades().len() < trades + 2 {
        rig.step().await;
    }
    rig.keeper.up();
    rig.until("the key is leased again", || rig.log_text().contains("the key is leased again").then_some(()))
        .await;
    let trades = rig.trades().len();
    while rig.trades().len() < trades + 2 {
        rig.step().await;
    }
    assert_told_once(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_lose_no_candle_and_no_fill() {
    let mut rig = Rig::trading(6).await;
    online(&mut rig).await;
    let stands = |rig: &Rig| rig.log_text().matches("the stream of candles stands").count();
    for round in 0..4 {
        rig.step().await;
        rig.step().await;
        let before = stands(&rig);
        rig.control("cut", &serde_json::json!(null));
        if round % 2 == 0 {
            // A candle that nobody hears of: it must be fetched before the next is decided on.
            rig.play();
        }
        rig.until("the stream is back", || (stands(&rig) > before).then_some(())).await;
        rig.step().await;
    }
    let candles: Vec<i64> = rig.server.heard(|heard| {
        let candle = |report: &Report| match report {
            Report::Decision(decision) => Some(decision.candle.open_time.ms()),
            _ => None,
        };
        heard.reports.iter().filter_map(candle).collect()
    });
    assert_eq!(candles.len(), rig.steps, "every candle is decided on");
    assert!(
        candles.windows(2).all(|pair| pair[1] - pair[0] == 60_000),
        "in order, without gaps: {candles:?}"
    );
    assert!(!rig.trades().is_empty());
    assert_told_once(&rig);
}
