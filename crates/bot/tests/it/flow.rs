//! Data beyond candles reach the engine live, from the venue's streams; without them nothing is entered and every exit
//! still works.

use keyhold_domain::ReasonCode;
use keyhold_engine::template::Template;
use keyhold_protocol::uplink::{DecisionReport, Phase, Report};
use serde_json::{Value, json};

use crate::rig::Rig;

/// The wave rider of the other tests, guarded by everything that the streams give.
fn guarded() -> Template {
    serde_json::from_value(json!({
        "format": 1,
        "name": "Wave rider in good company",
        "timeframe": "1m",
        "combination": { "mode": "min_signals", "count": 1 },
        "components": [
            { "kind": "ema_cross", "role": "signal",
              "parameters": { "fast": "2", "slow": "5", "trigger": "state" } },
            { "kind": "cvd", "role": "signal", "parameters": { "period": "2", "min_pct": "99" } },
            { "kind": "max_spread", "role": "entry_guard", "parameters": { "max_bps": "5" } },
            { "kind": "min_depth", "role": "entry_guard", "parameters": { "notional": "1" } },
            { "kind": "book_imbalance", "role": "entry_guard", "parameters": { "threshold": "1" } },
            { "kind": "funding_window", "role": "entry_guard", "parameters": { "minutes": "1" } },
            { "kind": "funding_rate", "role": "risk_gate" },
            { "kind": "basis_premium", "role": "risk_gate", "parameters": { "threshold_pct": "1" } },
            { "kind": "open_interest", "role": "filter",
              "parameters": { "lookback": "1", "min_change_pct": "100", "require": "not_falling" } }
        ],
        "exits": [
            { "kind": "hard_stop", "parameters": { "basis": "percent", "pct": "3" } },
            { "kind": "signal_flip" }
        ]
    }))
    .unwrap()
}

fn decisions(rig: &Rig) -> Vec<DecisionReport> {
    rig.server.heard(|heard| {
        let decision = |report: &Report| match report {
            Report::Decision(decision) => Some(decision.clone()),
            _ => None,
        };
        heard.reports.iter().filter_map(decision).collect()
    })
}

/// What the components said on the newest candle: kind and verdict.
fn verdicts(rig: &Rig) -> Vec<(String, String, Value)> {
    let newest = decisions(rig).pop().unwrap();
    let readings = newest.record["readings"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    readings
        .iter()
        .map(|one| {
            (text(&one["kind"]), text(&one["reading"]["verdict"]["kind"]), one["reading"]["value"].clone())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn market_data_come_in_live_and_their_loss_blocks_entries_but_no_exit() {
    let mut rig = Rig::trading(21).await;
    rig.server.assign(|assignment| assignment.template.as_mut().unwrap().document = guarded());
    rig.start("run");
    rig.phase(Phase::Online).await;
    while rig.venue_size().is_zero() {
        rig.step().await;
        assert!(rig.steps < 60, "nothing was entered: {:?}", verdicts(&rig));
    }
    for (kind, verdict, value) in verdicts(&rig) {
        assert!(verdict == "signal" || verdict == "check", "{kind} says {verdict}");
        if kind == "max_spread" {
            // One tick of 0.1 on each side of some 50,000.
            let bps = value.as_f64().unwrap();
            assert!(bps > 0.01 && bps < 0.1, "{bps}");
        }
    }

    let everything = json!({ "topics": ["tickers", "orderbook", "publicTrade"] });
    rig.control("mute", &everything);
    let entered = rig.trades().len();
    for _ in 0..40 {
        if rig.venue_size().is_zero() {
            break;
        }
        rig.step().await;
    }
    assert!(rig.venue_size().is_zero(), "the position was left without any data");
    rig.until("the trade is told", || (rig.trades().len() == entered + 1).then_some(())).await;
    let before = decisions(&rig).len();
    for _ in 0..25 {
        rig.step().await;
        assert!(rig.venue_size().is_zero(), "nothing is entered without data");
    }
    for (kind, verdict, _) in verdicts(&rig) {
        let expected = if kind == "ema_cross" { "signal" } else { "no_data" };
        assert_eq!(verdict, expected, "{kind}");
    }
    let wanted: Vec<ReasonCode> = decisions(&rig)[before..]
        .iter()
        .filter(|decision| decision.wanted.is_some())
        .map(|decision| decision.code)
        .collect();
    assert!(wanted.len() > 10, "the wave went on");
    assert!(wanted.iter().all(|code| *code == ReasonCode::DataMissing), "{wanted:?}");

    rig.control("mute", &json!({ "topics": [] }));
    let from = rig.steps;
    while rig.venue_size().is_zero() {
        rig.step().await;
        assert!(rig.steps < from + 40, "the streams are back: {:?}", verdicts(&rig));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_with_what_was_gathered() {
    let mut rig = Rig::trading(22).await;
    rig.server.assign(|assignment| assignment.template.as_mut().unwrap().document = guarded());
    rig.start("run");
    rig.phase(Phase::Online).await;
    for _ in 0..4 {
        rig.step().await;
    }
    rig.kill();
    let beats = rig.server.heard(|heard| heard.beats.len());
    rig.start("run");
    rig.until("online again", || {
        let online = |beat: &crate::server::Beat| beat.phase == Phase::Online;
        // With a new connection they are counted from the beginning.
        let new = |heard: &crate::server::Heard| {
            heard.beats.get(beats..).unwrap_or(&heard.beats).last().is_some_and(online).then_some(())
        };
        rig.server.heard(new)
    })
    .await;
    for _ in 0..3 {
        rig.step().await;
    }
    for (kind, verdict, _) in verdicts(&rig) {
        assert!(verdict == "signal" || verdict == "check", "{kind} says {verdict}");
    }
}
