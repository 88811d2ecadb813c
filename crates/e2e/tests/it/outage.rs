//! Programs are killed on the spot while a bot trades: trading goes on, nothing is told twice or forgotten.

use std::collections::BTreeSet;

use keyhold_domain::ContractType;
use keyhold_e2e::house::{House, eventually};
use keyhold_e2e::market::{MINUTE_MS, TURN};
use keyhold_e2e::trader::{Trader, distinct, held, is_flat, list, resting_stops};
use serde_json::{Value, json};

fn trading() -> (House, Trader) {
    let mut house = House::stepping();
    let key = house.add_sound_key("good", ContractType::Linear, "BTCUSDT");
    let template = house.add_wave_rider();
    let bot = house.deploy("Survivor", &key, &template, 1);
    (house, bot)
}

fn fills(truth: &Value) -> usize {
    list(&truth["fills"]).len()
}

/// Completed round trips: how often the position came back to nothing.
fn round_trips(truth: &Value) -> usize {
    let mut held: i64 = 0;
    let mut trips = 0;
    for report in list(&truth["fills"]) {
        // In thousandths: the instrument's lot.
        let digits: String = report["fill"]["quantity"].as_str().unwrap().to_owned();
        let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
        let thousandths: i64 = format!("{whole}{part:0<3}").parse().unwrap();
        held += if report["fill"]["side"] == "buy" { thousandths } else { -thousandths };
        trips += usize::from(held == 0);
    }
    trips
}

/// Waits until the server knows what the exchange knows, and asserts that it knows everything once.
fn assert_told_once(house: &mut House, bot: &Trader, first: i64) {
    let last = house.last_closed();
    house.await_decision(bot, last);
    let truth = house.truth(bot);
    let at_venue = distinct(list(&truth["fills"]), "/fill/fill_id");
    eventually("every fill at the server", || {
        (house.all(&format!("{}/fills", bot.path)).len() >= at_venue.len()).then_some(())
    });
    let told = house.all(&format!("{}/fills", bot.path));
    assert_eq!(distinct(&told, "/id"), at_venue, "fills, each once");
    let ordered = distinct(list(&truth["orders"]), "/link_id");
    let told = house.all(&format!("{}/orders", bot.path));
    assert_eq!(distinct(&told, "/id"), ordered, "orders, each once");
    let trips = round_trips(&truth);
    let trades = house.await_trades(trips);
    assert_eq!((distinct(&trades, "/id").len(), trades.len()), (trips, trips), "trades, each once");
    let decisions = house.all(&format!("{}/decisions", bot.path));
    let candles: Vec<i64> = decisions.iter().map(|decision| decision["at"].as_i64().unwrap()).rev().collect();
    let minutes = (last - first) / MINUTE_MS;
    let expected: Vec<i64> = (0..=minutes).map(|n| first + n * MINUTE_MS).collect();
    assert_eq!(candles, expected, "a decision for every candle, each once and in order");
    eprintln!(
        "{} decisions, {} orders, {} fills, {trips} trades, each told once",
        candles.len(),
        ordered.len(),
        at_venue.len()
    );
}

#[test]
fn a_bot_trades_on_while_its_server_is_dead_and_tells_everything_once() {
    let (mut house, bot) = trading();
    let first = house.step(&bot)["at"].as_i64().unwrap();
    house.play_to_entry(&bot);
    let before = house.bot(&bot);
    let instance = house.instance(&bot.id).unwrap();

    house.stack.kill("keyhold").unwrap();
    assert!(house.owner.call("GET", "/healthz", None).is_err(), "nobody answers for the server");
    // Without the server: the position is closed, and the next ones are opened and closed.
    let done = fills(&house.truth(&bot));
    house.venue("resume", &json!({ "pace": "10" }));
    eventually("trades without a server", || (fills(&house.truth(&bot)) >= done + 4).then_some(()));
    assert!(house.owner.call("GET", "/healthz", None).is_err(), "the server is still dead");
    // It comes back into a running market.
    house.stack.restart_server().unwrap();
    let back = eventually("the bot online again", || {
        let now = house.bot(&bot);
        let heard = now["last_heartbeat_at"].as_i64() > before["last_heartbeat_at"].as_i64();
        (heard && now["status"] == "online" && now["phase"] == "online").then_some(now)
    });
    assert_eq!(back["deployment_id"], before["deployment_id"], "it is the same run");
    assert_eq!(house.instance(&bot.id), Some(instance), "and the same process");
    house.venue("pause", &Value::Null);
    assert_told_once(&mut house, &bot, first);
    // And it goes on as if nothing had been.
    if !is_flat(&house.truth(&bot)) {
        house.play_to_exit(&bot);
    }
    house.play_to_entry(&bot);
    house.play_to_exit(&bot);
    assert_told_once(&mut house, &bot, first);
}

#[test]
fn a_killed_bot_comes_back_to_its_position_and_its_stop() {
    let (mut house, bot) = trading();
    let first = house.step(&bot)["at"].as_i64().unwrap();
    house.play_to_entry(&bot);
    let mut dead: BTreeSet<u32> = BTreeSet::new();
    for round in 0..2 {
        let before = house.truth(&bot);
        let starts = house.log_of_bot(&bot).matches("market: online").count();
        let instance = house.instance(&bot.id).unwrap();
        dead.insert(instance.pid);
        kill(instance.pid);
        // The market does not wait; the stop rests at the exchange while nobody watches.
        house.venue("step", &json!({ "candles": 1 }));
        assert_eq!(resting_stops(&house.truth(&bot)).len(), 1, "the stop outlives the process");
        let restarted = eventually("another process", || {
            house.instance(&bot.id).filter(|now| !dead.contains(&now.pid) && house.stack.bots() == [now.pid])
        });
        assert_eq!(restarted.uid, instance.uid);
        // What the server shows may still be the last word of the dead process; the log is not.
        eventually("the bot following the market again", || {
            (house.log_of_bot(&bot).matches("market: online").count() > starts).then_some(())
        });
        house.await_phase(&bot, "online");
        // A replay is not on the machine's clock: what was missed is noticed at the next candle.
        house.step(&bot);
        // What the exchange holds is what was held, what the server shows, and what the stop covers.
        let truth = house.truth(&bot);
        assert_eq!(held(&truth), held(&before), "round {round}");
        let stops = resting_stops(&truth);
        assert_eq!(stops.len(), 1, "one stop: {stops:?}");
        assert_eq!(stops[0]["quantity"].as_str(), Some(held(&truth).trim_start_matches('-')));
        let shown = house.owner.get("/api/v1/positions").ok();
        assert_eq!((&shown[0]["size"], &shown[0]["stop_at_venue"]), (&json!(held(&truth)), &json!("venue")));
    }
    // It remembers when it entered: the time stop comes when it is due, counted from the entry.
    house.play_to_exit(&bot);
    let trades = house.await_trades(1);
    assert_eq!(trades[0]["exit_reason"], "EXIT_TIME_STOP");
    for _ in 0..TURN {
        house.step(&bot);
    }
    assert_told_once(&mut house, &bot, first);
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
